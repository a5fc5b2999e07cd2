"""`tpmwire VERB`: the toolbox. A verb is a module of `cli.verbs`; only the requested one is imported.

A verb's module has a docstring, which is its help text, a class `Settings` with an annotation for each option,
`configure(parser)`, and `run(args: Settings) -> int`. GROUPS has the verb's line in `tpmwire --help`. A verb may
have two words: `token eks` is the module `token_eks`.
"""

from __future__ import annotations

import io
import sys
from importlib import import_module
from keyword import iskeyword
from types import ModuleType

from tpmwire import __version__

from .terminal.messages import UsageError, guarded
from .terminal.options import Parser, columns, suggestion

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["VERBS", "main", "run", "verb_module"]

GROUPS = {
    "Keys": {
        "setup": "guide through the first steps: check this machine, and move plaintext keys into the TPM",
        "enroll": "move a profile's access key from ~/.aws/credentials into the TPM",
        "import": "import an AWS secret access key into the TPM",
        "rotate": "replace a profile's access key with a new one that never touches a disk",
        "totp": "store the secret of an MFA device (TOTP) in the TPM and print its codes",
        "show": "show every field of a key file",
        "name": "print a key's Name, which is the TPM's hash of its public area",
        "convert": "convert public keys and signatures between TPM structures, PEM, DER, JWK and SSH",
        "policy": "show a key's policy, compute a policy digest, or approve new PCR values",
        "persist": "load a key file and make its key persistent",
        "evict": "remove a persistent key from the TPM",
    },
    "Move keys": {
        "export-public": "print a public key of this TPM, for `wrap` and `duplicate`",
        "wrap": "wrap an AWS secret for another TPM, or for a fleet of them",
        "import-key": "import a key that was wrapped for this TPM",
        "duplicate": "copy a duplicable key to another TPM",
    },
    "Prove what a machine booted": {
        "ak": "create an attestation key, which signs only statements of the TPM",
        "quote": "print PCR values, signed by an attestation key",
        "checkquote": "verify a quote, without a TPM",
        "certify": "certify, with an attestation key, that the TPM has an object or an NV index",
        "checkcertify": "verify a statement of certify, without a TPM",
        "eventlog": "explain event logs of the firmware and of IMA, and compare them with PCR values",
        "makecredential": "encrypt a secret that only a TPM with a given key can decrypt, without a TPM",
        "activatecredential": "decrypt a credential in the TPM",
    },
    "AWS": {
        "exec": "run a program with temporary credentials in its environment",
        "sign": "sign a request to any AWS service and print its headers",
        "presign": "create a presigned URL for any AWS service",
        "curl": "send a signed request to any AWS service",
        "token eks": "print a token for kubectl and an EKS cluster",
        "token rds": "print a password for psql, mysql and an RDS, Aurora or DSQL database",
        "token redshift-serverless": "print a user and password for psql and Amazon Redshift Serverless",
        "token elasticache": "print a password for valkey-cli, redis-cli and an ElastiCache cache",
        "token memorydb": "print a password for valkey-cli, redis-cli and a MemoryDB cluster",
        "token msk": "print a token for Kafka clients and an Amazon MSK cluster",
        "token bedrock": "print a short-term API key of Amazon Bedrock",
        "token ecr": "print docker's password for Amazon ECR, or run as docker's credential helper",
        "token codecommit": "run as git's credential helper for AWS CodeCommit",
        "roles-anywhere create-key": "create a signing key in the TPM, for a certificate",
        "roles-anywhere csr": "write a certificate request for a key in the TPM",
        "roles-anywhere renew": "renew the certificate of a key in the TPM, with a program that asks the CA",
        "roles-anywhere credential-process": "print credentials for a certificate whose key is in the TPM",
        "roles-anywhere serve": "serve such credentials as EC2's metadata service does",
        "roles-anywhere update": "keep a profile of ~/.aws/credentials up to date with such credentials",
        "roles-anywhere read-certificate-data": "print facts about a certificate as JSON",
        "roles-anywhere sign-string": "sign a test string with a certificate's key",
        "fleet enrol": "issue certificates for keys that a TPM proves to hold",
        "console": "sign a browser in to the AWS console",
        "aws": "query STS: caller identity, key owner, decoded authorization errors, tokens",
    },
    "Serve credentials": {
        "serve": "serve temporary credentials to AWS SDKs on this machine",
        "fetch": "print the credentials of a running `tpmwire serve`, as a fast credential_process",
        "cache": "list the cached credentials, or remove them",
    },
    "Look inside the TPM": {
        "doctor": "check the TPM, the AWS profiles that use it, and this machine",
        "info": "show manufacturer, firmware, algorithms and lockout state",
        "list": "list keys, sessions, NV indices and hierarchies",
        "pcr": "read PCR values",
        "ek": "verify the endorsement key by its certificate and print the Name to pin",
        "flush": "remove leftover transient objects and sessions",
    },
    "Learn TPM 2.0": {
        "learn": "learn TPM 2.0 in short lessons with tasks, on a TPM in Python",
        "explain": "explain anything: a code, a handle, attributes, a name, bytes, a file, a log",
        "decode": "explain the bytes of TPM commands and responses",
        "debug": "step through a recorded session, and show what the program, the TPM and the bus know",
        "trace": "run a program and explain its TPM commands live",
        "spec": "show a table of the TPM 2.0 standard, or the meaning of a value",
        "send": "send any TPM command and explain the response",
        "shell": "run TPM commands interactively, with completion and variables",
        "soft": "run a TPM in Python for other programs, to learn and to test with",
        "demo": "import a key and get credentials, step by step, without a TPM and without AWS",
    },
    "Shell completion": {
        "completion": "print the completion script of bash, zsh or fish",
    },
}
VERBS = {verb: text for group in GROUPS.values() for verb, text in group.items()}

FIRST_STEPS = {
    "tpmwire demo": "try it without a TPM and without AWS",
    "tpmwire doctor": "check the TPM and this machine",
    "tpmwire setup": "move plaintext keys into the TPM",
    "aws sts get-caller-identity --profile NAME": "test the profile",
}

FAMILY_TEXTS = {
    "roles-anywhere": "get credentials for an X.509 certificate from IAM Roles Anywhere, without an AWS secret",
}
"""Families of verbs that `tpmwire --help` shows in one line."""

_FAMILIES = {verb.split()[0] for verb in VERBS if " " in verb}

# These are not keywords, but builtins that a module should not hide.
_TAKEN = ("exec",)


def main(argv: list[str] | None = None) -> int:
    """Runs one verb and returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    return guarded("tpmwire", lambda: run(words))


def run(words: list[str]) -> int:
    """Runs the verb with the arguments `words`, and returns the exit code. `guarded` prints its errors."""
    if sys.stdout is None:  # None if the parent process closed it; print would then fail silently
        sys.stdout = _Closed()
    return _dispatch(words)


class _Closed(io.TextIOBase):
    """A replacement for a closed standard output; each write raises UsageError."""

    def write(self, _text: str) -> NoReturn:
        raise UsageError("cannot write the output: standard output is closed; redirect it to a file or program")

    @property
    def buffer(self) -> NoReturn:
        """Raises UsageError, as `write` does."""
        self.write("")


def _dispatch(words: list[str]) -> int:
    if words[0:1] == ["help"] and len(words) > 1:
        words = [*words[1:], "--help"]
    if not words or words[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0 if words else 2
    if words[0] in ("--version", "-version", "version"):
        print(f"tpmwire {__version__}")
        return 0
    if words[0] in _FAMILIES and words[1:2] == ["help"]:
        words = [words[0], *words[2:], "--help"]
    if words[0][:1].isupper() and not _is_capitalized_verb(
        words[0]
    ):  # a command of the standard, such as GetRandom
        words = ["send", *words]
    verb = " ".join(words[:2]) if words[0] in _FAMILIES else words[0]
    if words[0] in _FAMILIES and (verb in _FAMILIES or words[1].startswith("-")):
        return _family(*words[:2])
    if verb not in VERBS:
        near = next((known for known in VERBS if known.partition(" ")[2] in verb.split("-")), None)
        hint = f"; did you mean {near!r}?" if near else suggestion(verb, [*VERBS, *_FAMILIES])
        raise UsageError(f"unknown verb {verb!r}{hint} (see tpmwire --help)")

    module = verb_module(verb)
    parser = Parser(prog=f"tpmwire {verb}", description=module.__doc__)
    module.configure(parser)
    given = words[len(verb.split()) :]
    if hasattr(module, "arrange"):  # a verb whose options belong to the argument before them
        given = module.arrange(given)
    parse = parser.parse_go_style if getattr(module, "GO_STYLE", False) else parser.parse_args
    code: int = module.run(parse(given, module.Settings()))
    return code


def verb_module(verb: str) -> ModuleType:
    """Imports and returns the module of a verb.

    The module has the verb's name with underscores, and one more at the end if Python reserves the name. Raises
    UsageError if the single file does not have the module.
    """
    name = verb.replace("-", "_").replace(" ", "_")
    name += "_" if iskeyword(verb) or verb in _TAKEN else ""
    try:
        return import_module(f".verbs.{name}", __package__)
    except ModuleNotFoundError as error:
        if error.name != f"{__package__}.verbs.{name}":
            raise
        raise UsageError(
            f"the single-file tpmwire does not include {verb}; install tpmwire with pip or as a package"
        ) from None


def _overview() -> str:
    from importlib.util import find_spec  # noqa: PLC0415 - for --help only

    from .terminal.help import fill, listed  # noqa: PLC0415 - likewise

    width = columns() - 2
    shown = {
        title: {_shown_name(verb): FAMILY_TEXTS.get(_shown_name(verb), text) for verb, text in verbs.items()}
        for title, verbs in GROUPS.items()
    }
    column = max(len(verb) for verbs in shown.values() for verb in verbs)
    groups = "\n\n".join(f"{title}:\n{listed(verbs, width, column)}" for title, verbs in shown.items())
    end = (
        "`tpmwire VERB --help` describes a verb, as does `man tpmwire-VERB` if manual pages are installed. "
        "`tpmwire GetRandom 8` sends a TPM command, `tpmwire --version` prints the version. "
        "Temporary credentials for the aws command and the SDKs: `aws-tpm-process-credential --help`."
    )
    if find_spec("tpmwire.soft") is None:
        end += " The single-file tpmwire does not include demo, learn, soft and `--tpm-path soft:`."
    return f"""usage: tpmwire VERB [options]

Keys in a TPM 2.0, and AWS requests signed with them.

First steps:
{listed(FIRST_STEPS, width, 0)}

{groups}

{fill(end, width)}"""


def _shown_name(verb: str) -> str:
    """Returns the name under which the overview lists a verb: its own, or that of its family."""
    family = verb.split(maxsplit=1)[0]
    return family if family in FAMILY_TEXTS else verb


def _is_capitalized_verb(word: str) -> bool:
    if word.lower() not in VERBS:
        return False
    from tpmwire.spec.constants import TPM_CC  # noqa: PLC0415 - for a misspelled verb only

    return word not in TPM_CC.__members__


def _family(family: str, option: str = "") -> int:
    """Prints the verbs of a family, such as `token`, if `option` requests help. Raises UsageError otherwise."""
    verbs = {verb: text for verb, text in VERBS.items() if verb.startswith(f"{family} ")}
    kinds = [verb.partition(" ")[2] for verb in verbs]
    if option not in ("-h", "--help"):
        raise UsageError(f"{family} needs a subcommand: {', '.join(kinds)} (see tpmwire {family} --help)")
    from .terminal.help import listed  # noqa: PLC0415 - for --help only

    print(
        f"usage: tpmwire {family} {'|'.join(kinds)} [options]\n\n{listed(verbs, columns() - 2, 0)}\n\n"
        f"`tpmwire {family} {kinds[0]} --help` lists the options."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
