"""Shows the policies of a key file, computes a policy digest, or approves new PCR values for a key.

  tpmwire policy key.pem
  tpmwire policy --pcrs sha256:7=HEX,11=HEX
  tpmwire policy --json policy.json
  tpmwire policy sign key.pem --key signer.pem --pcrs sha256:7=HEX \\
      --name "firmware 1.2"

A policy in JSON is a list of statements that must all be satisfied, such as

  [{"type": "PolicyPCR", "pcrs": "sha256:7=HEX"},
   {"type": "PolicyOR", "branches": [
     [{"type": "PolicyAuthValue"}],
     [{"type": "PolicyLocality", "locality": 1}]]}]

with the standard's names. {"type": "PolicyAuthorize", "key": "-----BEGIN PUBLIC KEY-----..."} trusts a signer: the
key can then be used with any policy that the signer approves, now or later. `sign` approves a policy and adds it
to the key file, in front of older ones, so that the key keeps working after a firmware update. No TPM is needed.
"""

import argparse
import json
from typing import Any

from tpmwire.crypto.formulas import name_of
from tpmwire.errors import PolicyError
from tpmwire.keys.keyfile import KeyFile
from tpmwire.keys.keyfile_policy import alternatives_of
from tpmwire.policy.approvals import PolicyAuthorize
from tpmwire.policy.choice import Either
from tpmwire.policy.policy import Policy
from tpmwire.policy.sign import approve
from tpmwire.policy.signer import is_same_key, load_signing_key, public_areas
from tpmwire.policy.statement import Statement
from tpmwire.policy.text import to_json, tree
from tpmwire.spec.constants import TPM_ALG, TPM_CC

from ..keys.policy_options import PolicySettings, add_policy_options, policy_from_options
from ..terminal.files import read_key_file, read_small, write_whole
from ..terminal.messages import UsageError, note
from ..terminal.options import auth_from

__all__ = ["Settings", "configure", "run"]


class Settings(PolicySettings):
    """The verb's options."""

    words: list[str]
    hash: str
    format: str
    key: str | None
    key_password_file: str | None
    name: str | None
    out: str | None


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument(
        "words",
        nargs="*",
        metavar="FILE",
        help="key file; prints its policy (`sign FILE` adds an approved policy to the key file)",
    )
    add_policy_options(parser)
    parser.add_argument(
        "--hash",
        default="sha256",
        metavar="ALG",
        help="hash algorithm of the policy digest: the nameAlg of the key or other object (default: sha256)",
    )
    parser.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="output format: text, or json for one object with the policies and digests (default: text)",
    )
    parser.add_argument(
        "--key", metavar="PEM", help="with sign: private key of the signer, RSA or on a NIST curve"
    )
    parser.add_argument(
        "--key-password-file", metavar="FILE", help="with sign: file with the private key's password"
    )
    parser.add_argument("--name", metavar="TEXT", help="with sign: name of the approved policy in the key file")
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="with sign: write the key file to FILE instead of replacing it; - is standard output",
    )


def run(args: Settings) -> int:
    """Prints the policies of a key file, or approves a new policy for it."""
    words = args.words
    if words[:1] == ["sign"]:
        if len(words) != 2:
            raise UsageError(
                f"expected one key file after sign, got {len(words) - 1}; "
                "use: tpmwire policy sign key.pem --key PEM ..."
            )
        if args.format != "text":
            raise UsageError("--format cannot be used with sign; remove --format")
        return _sign(args, words[1])
    if any((args.key, args.key_password_file, args.name, args.out)):
        raise UsageError("--key, --key-password-file, --name and --out are for `tpmwire policy sign FILE` only")
    if len(words) > 1:
        raise UsageError("more than one key file is given; give one")
    if words and (args.policy_json or args.pcrs):
        raise UsageError("a key file has its own policies; remove --json and --pcrs, or the file")
    if not words:
        return _compute(args)
    return _show_json(words[0]) if args.format == "json" else _show(words[0])


def _compute(args: Settings) -> int:
    found = policy_from_options(args, _hash(args.hash))
    if found is None:
        raise UsageError("no policy; give a key file, --json FILE or --pcrs sha256:7=HEX")
    if args.format == "json":
        print(json.dumps({"policy": _to_json_value(found.policy), "digest": found.digest.hex()}, indent=2))
    else:
        print("\n".join([*tree(found.policy), found.digest.hex()]))
    return 0


def _hash(name: str) -> "TPM_ALG":
    hashes = {"sha1": TPM_ALG.SHA1, "sha256": TPM_ALG.SHA256, "sha384": TPM_ALG.SHA384, "sha512": TPM_ALG.SHA512}
    if name.lower() not in hashes:
        raise UsageError(f"--hash {name!r} is not one of {', '.join(hashes)}")
    return hashes[name.lower()]


def _read(path: str) -> "KeyFile":
    return read_key_file(path)


def _show(path: str) -> int:
    file = _read(path)
    found = alternatives_of(file)
    for label, policy in found:
        if isinstance(policy, PolicyError):
            print(f"{label}: {policy}")
            continue
        print(f"{label}:")
        print("\n".join(tree(policy, "  ")))
        print(f"  digest {_digest(policy, file)}")
    if not found:
        print("the file states no policy")
    print(f"the key's authPolicy: {file.public.auth_policy.hex() or 'none'}")
    return 0


def _show_json(path: str) -> int:
    """Prints the policies of a key file as JSON, each with its digest or an error message."""
    file = _read(path)
    rows: list[dict[str, Any]] = []
    for label, policy in alternatives_of(file):
        rows.append({"label": label, "policy": None, "digest": None, "fits": False, "error": None})
        try:
            if isinstance(policy, PolicyError):
                raise policy
            rows[-1]["policy"] = _to_json_value(policy)
            digest = policy.digest(file.public.name_alg)
            rows[-1] |= {"digest": digest.hex(), "fits": digest == file.public.auth_policy}
        except PolicyError as error:
            rows[-1]["error"] = str(error)
    print(json.dumps({"auth_policy": file.public.auth_policy.hex() or None, "policies": rows}, indent=2))
    return 0


def _to_json_value(policy: Policy | Either) -> Any:
    """Returns a policy as a JSON value, in the format of the option --json FILE.

    Raises PolicyError if a value of the policy cannot be represented in JSON.
    """
    return json.loads(to_json(policy))


def _digest(policy: "Policy", file: "KeyFile") -> str:
    try:
        digest = policy.digest(file.public.name_alg)
    except PolicyError as error:
        return f"not known: {error}"
    fits = "is" if digest == file.public.auth_policy else "is NOT"
    return f"{digest.hex()}, which {fits} the key's authPolicy"


def _sign(args: Settings, path: str) -> int:
    if not args.key:
        raise UsageError("no signer; give --key PEM")
    file = _read(path)
    policy = policy_from_options(args, file.public.name_alg)
    if policy is None:
        raise UsageError("nothing to approve; give --pcrs sha256:7=HEX or --json FILE")
    password = auth_from(None, args.key_password_file).reveal() or None
    key = load_signing_key(read_small(args.key), password)
    trust, behind = _trust(file, key, path)
    approved = [
        approve(key, way, trust.policy_ref, file.public.name_alg, trust.key_sign) for way in policy.alternatives
    ]
    if not file.policy or file.policy[0][0] != TPM_CC.PolicyAuthorize:
        # A file's policy that begins with PolicyAuthorize already states what follows it (draft, "Signed Policy").
        approved = [Policy(*way.statements, *behind) for way in approved]
    added = tuple((args.name, one.to_steps()) for one in approved)
    old = tuple(one for one in file.auth_policy or () if one not in added)
    text = file.replace(auth_policy=(*added, *old)).to_pem()
    if args.out == "-":
        print(text, end="")
        return 0
    write_whole(args.out or path, text.encode(), force=not args.out)
    note(f"approved policies in {args.out or path}: {len(added) + len(old)}; the new one is tried first")
    return 0


def _trust(file: "KeyFile", key: Any, path: str) -> "tuple[PolicyAuthorize, tuple[Statement, ...]]":
    """Returns (PolicyAuthorize with which the key file accepts the signer, statements after PolicyAuthorize).

    `key` is the signer's key. If the file's policies contain no PolicyAuthorize, the usual public areas for `key`
    are tried. Raises UsageError if the file does not accept the signer.
    """
    stated: list[tuple[PolicyAuthorize, tuple[Statement, ...]]] = []
    for _, policy in alternatives_of(file):
        if not isinstance(policy, PolicyError):
            for place, statement in enumerate(policy.statements):
                if isinstance(statement, PolicyAuthorize):
                    stated.append((statement, policy.statements[place + 1 :]))
    own = [(statement, behind) for statement, behind in stated if is_same_key(statement.key_sign, key)]
    guessed = [(PolicyAuthorize(public), ()) for public in public_areas(key)] if not stated else []
    for statement, behind in (*own, *guessed):
        if Policy(statement, *behind).digest(file.public.name_alg) == file.public.auth_policy:
            return statement, behind
    if stated and not own:
        others = " or ".join(sorted({name_of(statement.key_sign).hex() for statement, _ in stated}))
        raise UsageError(f"{path} needs a policy signed by the key with the Name {others}; give that key as --key")
    raise UsageError(
        f"{path} does not accept this signer: its authPolicy is not a PolicyAuthorize with this key; give the "
        "key that the file was made for as --key"
    )
