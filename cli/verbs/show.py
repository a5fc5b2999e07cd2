"""Shows every field of a key file, with its meaning.

  tpmwire show key.pem
  tpmwire show key.pem --json

The file is a TSS2 PRIVATE KEY, in PEM or DER. No TPM is needed. With --json, the fields are printed as they are in
the file, bytes as hex.
"""

import argparse
import json

from tpmwire.crypto.formulas import name_of
from tpmwire.errors import PolicyError
from tpmwire.keys.keyfile import KeyFile, Step
from tpmwire.policy.pcr_selection import format_pcrs
from tpmwire.policy.policy import Policy
from tpmwire.policy.statement import Statement
from tpmwire.policy.statements import PolicyPCR
from tpmwire.spec.constants import TPM_CC, TPM_HT, TPM_RH
from tpmwire.use.parents import ENDORSEMENT, candidates

from ..terminal.files import read_key_file
from ..tpm.inventory import describe_public

__all__ = ["Settings", "configure", "run"]

TYPES = {
    "2.23.133.10.1.3": "loadable key: TPM2_Load loads it under its parent",
    "2.23.133.10.1.4": "importable key: TPM2_Import imports it once, under the parent that it was wrapped for",
    "2.23.133.10.1.5": "sealed data: TPM2_Load, then TPM2_Unseal; preceded by TPM2_Import if there is a secret",
}

ATTRIBUTES = {
    "FIXED_TPM": "cannot leave this TPM",
    "ST_CLEAR": "saved contexts become invalid when the TPM restarts",
    "FIXED_PARENT": "cannot be moved to a different parent",
    "SENSITIVE_DATA_ORIGIN": "the TPM generated the secret itself",
    "USER_WITH_AUTH": "the password authorizes use; without this bit only the policy does",
    "ADMIN_WITH_POLICY": "changing it needs the policy, not the password",
    "FIRMWARE_LIMITED": "bound to the TPM's firmware",
    "SVN_LIMITED": "bound to the firmware's security version",
    "NO_DA": "wrong passwords do not count toward the lockout, and a lockout does not block the key",
    "ENCRYPTED_DUPLICATION": "a duplicate must be encrypted twice",
    "RESTRICTED": "processes only data that the TPM itself created or whose structure it checks",
    "DECRYPT": "decrypts; with restricted: is a parent of other keys",
    "SIGN_ENCRYPT": "signs, computes HMACs, or encrypts",
    "X509_SIGN": "signs X.509 certificates only",
}
"""Object attributes in short (TPM 2.0 Part 2, §8.3)."""


class Settings:
    """The verb's options."""

    file: str
    json: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument("file", metavar="FILE", help="key file to describe")
    parser.add_argument("--json", action="store_true", help="print a JSON object with the fields of the file")


def run(args: Settings) -> int:
    """Prints the fields of a key file with their meanings."""
    file = read_key_file(args.file)
    if args.json:
        print(json.dumps(file.fields(), indent=2))
    else:
        print("\n".join(_lines(file)))
    return 0


def _lines(file: "KeyFile") -> list[str]:
    said = {None: "not stated", True: "yes", False: "no"}
    lines = [
        _line("type", f"{file.type}  {TYPES[file.type]}"),
        _line("empty_auth", f"{said[file.empty_auth]}  whether the password is empty: a hint, not verified"),
        *_policy_lines("policy", file, file.policy),
        _line("secret", _octets(file.secret, "encrypted seed from which TPM2_Import derives the wrapping keys")),
    ]
    if file.auth_policy is None:
        lines.append(_line("auth_policy", "none  signed alternatives to the policy"))
    for name, steps in file.auth_policy or ():
        lines += _policy_lines("auth_policy", file, steps, f"{name or 'without a name'}: ")
    lines += [
        _line("description", "none" if file.description is None else ascii(file.description)),
        *(
            [_line("later", f"{', '.join(file.unknown)}  fields of a later format: preserved but ignored")]
            if file.later
            else []
        ),
        _line("rsa_parent", f"{said[file.rsa_parent]}  whether the TPM creates an RSA primary instead of ECC"),
        _line("parent", f"0x{file.parent:08x}  {_parent(file)}"),
        *_public_lines(file),
        _line("privkey", _octets(file.privkey, "encrypted: only this parent in this TPM can open it")),
    ]
    return lines


def _line(label: str, text: str) -> str:
    return f"{label:14}{text}".rstrip()


def _octets(octets: bytes | None, meaning: str) -> str:
    return "none" if octets is None else f"{len(octets)} bytes  {meaning}"


def _parent(file: "KeyFile") -> str:
    if file.is_importable and (likely := candidates(file)[0]) != file:
        return f"according to its seed: {_parent(likely)}"
    if file.endorsement_handle is not None:
        name = ENDORSEMENT[file.endorsement_handle].name
        return f"the endorsement key {name}: the persistent one, else created for each use"
    if file.persistent_parent is not None:
        return "a persistent key"
    kind = "RSA 2048 (H-1)" if file.rsa_parent else "ECC P-256 (H-2)"
    # Other values are invalid: every parent is persistent or a hierarchy's primary key.
    assert file.hierarchy is not None
    name = TPM_RH(file.hierarchy).name.lower()
    other = ""
    if file.parent == 0:
        other = "0, as tpm2tss-genkey writes it for: "
    elif file.hierarchy != file.parent:
        transient = file.parent >> 24 == TPM_HT.TRANSIENT
        what = "transient handle" if transient else "firmware-limited hierarchy, as go-tpm's programs write it"
        other = f"a {what}, which is treated as: "
    return f"{other}the {name} hierarchy's standard {kind} primary, created for each use"


def _policy_lines(label: str, file: "KeyFile", steps: "tuple[Step, ...] | None", before: str = "") -> list[str]:
    """Returns a line for each command of a policy, in order.

    `label` begins the first line. `before` precedes each command's number.
    """
    if steps is None:
        return [_line(label, "none")]
    lines = []
    for number, ((code, octets), statement) in enumerate(zip(steps, _parse_steps(steps, file), strict=True), 1):
        lines.append(_line(label if number == 1 else "", f"{before}{number}. {_step(code, octets, statement)}"))
    return lines or [_line(label, f"{before}no commands")]


def _parse_steps(steps: "tuple[Step, ...]", file: "KeyFile") -> "list[Statement | PolicyError]":
    """Parses the commands of a policy into statements.

    For an unsupported command, the list contains a PolicyError.
    """
    found: list[Statement | PolicyError] = []
    try:
        (whole,) = Policy.ways(steps, file.public)
    except (PolicyError, ValueError):
        for step in steps:
            try:
                found += Policy.from_steps((step,)).statements
            except PolicyError as error:
                found.append(error)
        return found
    return [*whole.statements]


def _step(code: int, octets: bytes, statement: "Statement | PolicyError") -> str:
    name = f"TPM2_{TPM_CC(code).name}"
    if isinstance(statement, PolicyError):
        return f"{name} {octets.hex()}  not supported: {statement}"
    meaning = " ".join((type(statement).__doc__ or "").split("\n\n", maxsplit=1)[0].split())
    if isinstance(statement, PolicyPCR):
        name += f" {format_pcrs(statement.pcrs)} digest {statement.pcr_digest.hex() or 'of now'}"
    elif octets:
        name += f" {str(statement).partition(': ')[2]}"
    return f"{name}  {meaning}"


def _public_lines(file: "KeyFile") -> list[str]:
    public = file.public
    lines = [
        _line("pubkey", f"{len(file.pubkey)} bytes  the public area:"),
        _line("  kind", describe_public(public)),
        _line("  Name", f"{name_of(public).hex()}  identifies the key to TPMs and policies"),
    ]
    set_bits = [flag for flag in type(public.object_attributes) if flag & public.object_attributes]
    for flag in set_bits:
        meaning = ATTRIBUTES.get(flag.name or "", "")
        label = "  attributes" if flag is set_bits[0] else ""
        lines.append(_line(label, f"{type(flag)(flag).described()}: {meaning}"))
    return [*lines, _line("  authPolicy", _auth_policy(file))]


def _auth_policy(file: "KeyFile") -> str:
    """Returns the key's policy digest as text, and whether the file's policy has this digest."""
    wanted = file.public.auth_policy
    if not wanted:
        return "none"
    if file.policy is None:
        return f"{wanted.hex()}  the file does not contain this policy"
    try:
        reached = Policy.ways(file.policy, file.public)[0].digest(file.public.name_alg)
    except PolicyError:
        return wanted.hex()
    return f"{wanted.hex()}  {'is' if reached == wanted else 'is NOT'} the digest of the file's policy"
