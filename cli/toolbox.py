"""`tpmwire VERB`: the toolbox. A verb is a module of `cli.verbs`; only the requested one is imported.

A verb's module has HELP (one line), a class `Settings` with an annotation for each option, `configure(parser)`,
and `run(args: Settings) -> int`. A verb may have two words: `token eks` is the module `token_eks`.
"""

import io
import sys
from importlib import import_module
from keyword import iskeyword
from types import ModuleType
from typing import NoReturn

from .terminal.messages import UsageError, guarded

__all__ = ["VERBS", "main", "run", "verb_module"]

VERBS = {
    "import": "put an AWS secret access key into the TPM",
    "persist": "load a key file and make it persistent",
    "evict": "remove a persistent key from the TPM",
    "list": "show what is in the TPM",
    "show": "show every field of a key file",
    "name": "print the Name of a key",
    "policy": "show and compute policies, and sign PCR values for a key to accept",
    "ek": "check the TPM's endorsement key by its certificate, and print the Name to pin",
    "flush": "remove transient objects and sessions that somebody left",
    "info": "show the TPM's manufacturer, firmware, properties and algorithms",
    "pcr": "read PCR values",
    "export-public": "print this TPM's public key, to wrap a secret for it elsewhere",
    "wrap": "wrap an AWS secret for another TPM, or for a fleet of them",
    "enroll": "take a plaintext key of ~/.aws/credentials into the TPM, and its profile with it",
    "rotate": "replace a profile's access key by a new one that was never on a disk",
    "import-key": "take in a key that was wrapped for this TPM elsewhere",
    "duplicate": "duplicate a key that was made for it to another TPM",
    "decode": "explain the bytes of TPM commands and responses",
    "spec": "show a table of the TPM 2.0 standard, and what a value means in it",
    "trace": "run a program and explain live what it says to the TPM",
    "exec": "run a program with temporary credentials in its environment",
    "sign": "sign a request to any AWS service, and print its headers",
    "presign": "make a link that is signed: one request to any AWS service, for whoever has it",
    "curl": "send a request to any AWS service, signed",
    "totp": "keep the secret of an MFA device (TOTP) in the TPM, and print its codes",
    "token eks": "print a token for kubectl and an EKS cluster",
    "token rds": "print a password for psql, mysql and an RDS, Aurora or DSQL database",
    "token ecr": "print docker's password for Amazon ECR, or run as docker's credential helper",
    "token codecommit": "run as git's credential helper for AWS CodeCommit",
    "console": "sign a browser in to the AWS console",
    "aws": "ask STS who signs, whose an access key id is, why something was refused, and for tokens",
    "serve": "serve temporary credentials to AWS SDKs on this machine",
    "cache": "show what credentials are cached and until when, or remove them",
    "send": "send any command, and explain it and its response",
}

_FAMILIES = {verb.split()[0] for verb in VERBS if " " in verb}

# Not keywords, but builtins that a module should not hide.
_TAKEN = ("exec",)


def main(argv: list[str] | None = None) -> int:
    """Runs one verb; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    return guarded("tpmwire", lambda: run(words))


def run(words: list[str]) -> int:
    """Runs one verb; returns the exit code. Raises what `guarded` turns into a line."""
    if sys.stdout is None:  # as it is where somebody closed it; print would say nothing, and call that done
        sys.stdout = _Closed()
    return _dispatch(words)


class _Closed(io.TextIOBase):
    """Standard output where there is none."""

    def write(self, _text: str) -> NoReturn:
        raise UsageError("standard output is closed, and the answer was to go there; leave it open")

    @property
    def buffer(self) -> NoReturn:
        """For octets."""
        self.write("")


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0 if words else 2
    if words[0] in ("--version", "-version", "version"):
        from tpmwire import __version__

        print(f"tpmwire {__version__}")
        return 0
    verb = " ".join(words[:2]) if words[0] in _FAMILIES else words[0]
    if words[0] in _FAMILIES and (verb in _FAMILIES or words[1].startswith("-")):
        return _family(*words[:2])
    from .terminal.options import Parser, suggestion

    if verb not in VERBS:
        near = next((known for known in VERBS if known.partition(" ")[2] in verb.split("-")), None)
        hint = f"; did you mean {near!r}?" if near else suggestion(verb, [*VERBS, *_FAMILIES])
        raise UsageError(f"unknown verb {verb!r}{hint} (see tpmwire --help)")

    module = verb_module(verb)
    description = module.__doc__ or module.HELP
    parser = Parser(prog=f"tpmwire {verb}", description=description)
    module.configure(parser)
    settings = getattr(module, "Settings", None)
    code: int = module.run(parser.parse_args(words[len(verb.split()) :], settings and settings()))
    return code


def verb_module(verb: str) -> ModuleType:
    """Imports the module of a verb, named after it as far as Python allows."""
    name = verb.replace("-", "_").replace(" ", "_")
    name += "_" if iskeyword(verb) or verb in _TAKEN else ""
    return import_module(f".verbs.{name}", __package__)


def _overview() -> str:
    return f"""usage: tpmwire VERB [options]

Keys in a TPM 2.0, without tpm2-tools. `tpmwire VERB --help` says more; for AWS credentials see
`aws-tpm-process-credential --help`.

{_listed(VERBS)}"""


def _family(family: str, option: str = "") -> int:
    """Lists the verbs that begin with a word. Raises UsageError unless the user asked for it."""
    verbs = {verb: text for verb, text in VERBS.items() if verb.startswith(f"{family} ")}
    kinds = [verb.partition(" ")[2] for verb in verbs]
    if option not in ("-h", "--help"):
        raise UsageError(f"{family} needs a kind: {', '.join(kinds)} (see tpmwire {family} --help)")
    print(
        f"usage: tpmwire {family} {'|'.join(kinds)} [options]\n\n{_listed(verbs)}\n\n"
        f"`tpmwire {family} {kinds[0]} --help` lists the options."
    )
    return 0


def _listed(verbs: dict[str, str]) -> str:
    width = max(map(len, verbs))
    return "\n".join(f"  {verb:{width}}  {text}" for verb, text in verbs.items())


if __name__ == "__main__":
    sys.exit(main())
