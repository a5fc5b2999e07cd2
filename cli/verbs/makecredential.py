"""Encrypts a secret for one TPM and one key in it, without a TPM, as TPM2_MakeCredential does.

  tpmwire makecredential --ek ek.pem --for ak.pub --out ak.cred < secret
  tpmwire activatecredential ak.pem ak.cred

Only the TPM with the endorsement key (EK) can decrypt the secret, and only if it has the key with the given Name.
This proves to a CA that an attestation key belongs to the TPM with a verified EK certificate. The secret is read
from standard input, as it is. It has at most 32 bytes, or more if the EK's nameAlg is larger.

--for can be AttestationParameters of go-attestation, which are verified: the key is an attestation key, and the
TPM that has the key created it.

The EK is a public area, a public key, or a certificate. --ca verifies the certificate. --format selects the
output: tools (tpm2_makecredential), tss (TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET), or go (go-attestation).
"""

import argparse
import os
import sys

from tpmwire.attest.credentials import make_credential
from tpmwire.attest.go_attestation import AttestationParameters
from tpmwire.crypto.formulas import name_of
from tpmwire.crypto.public_keys import read_public_key
from tpmwire.crypto.spki import into_template
from tpmwire.errors import KeyFileError
from tpmwire.secret import Secret
from tpmwire.spec.structures import TPMT_PUBLIC
from tpmwire.use.endorsement import KINDS, MLKEM_KINDS

from ..keys.trust import read_chain, read_trust
from ..terminal.files import read_small, write_whole
from ..terminal.messages import UsageError, warn
from ..terminal.options import secret_file
from ..tpm.public_file import name_in_file

__all__ = ["Settings", "configure", "run"]


class Settings:
    """The verb's options."""

    ek: str
    ca: list[str]
    object: str
    secret_file: str | None
    out: str
    format: str
    accept_sha1: bool
    force: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument(
        "--ek",
        metavar="FILE",
        required=True,
        help="endorsement key: public area (TPM2B_PUBLIC), PEM, DER, or its certificate",
    )
    parser.add_argument(
        "--ca", nargs="+", default=[], metavar="FILE", help="CA certificates that verify the EK's certificate"
    )
    parser.add_argument(
        "--for",
        dest="object",
        metavar="NAME",
        required=True,
        help="Name of the key that can activate the credential: in hex, in a file, or as a file with the key's "
        "public area",
    )
    parser.add_argument(
        "--secret-file",
        metavar="FILE",
        help="file with the secret in its first line (default: standard input)",
    )
    parser.add_argument("--out", metavar="FILE", required=True, help="file to write the credential to")
    parser.add_argument(
        "--format",
        choices=("tools", "tss", "go"),
        default="tools",
        help="file format: tools (tpm2-tools), tss (two TPM structures) or go (go-attestation) (default: tools)",
    )
    parser.add_argument(
        "--accept-sha1",
        action="store_true",
        help="accept AttestationParameters with SHA-1 signatures, which keys created by Windows produce",
    )
    parser.add_argument("--force", action="store_true", help="replace an existing file")


def run(args: Settings) -> int:
    """Encrypts the secret and writes the credential."""
    ek, name = _endorsement_key(args), _name(args.object, args.accept_sha1)
    credential = make_credential(ek, name, _secret(args.secret_file))
    if args.format == "go":
        data = (credential.to_go() + "\n").encode()
    else:
        data = credential.to_tss() if args.format == "tss" else credential.to_tools()
    write_whole(args.out, data, force=args.force)
    return 0


def _secret(path: str | None) -> Secret:
    if path:
        return Secret(secret_file(path))
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("no secret; give --secret-file FILE, or redirect standard input from a file or program")
    data = sys.stdin.buffer.read(1025)
    if not data:
        raise UsageError("standard input is empty; expected the secret")
    return Secret(data)


def _name(text: str, accept_sha1: bool) -> bytes:
    """Returns the Name of the object. `text` is hex, or the path of a file with the Name or the public area.

    Raises UsageError if `text` is neither.
    """
    if os.path.exists(text):
        data = read_small(text)
        if _is_name(data):
            return data
        if data.lstrip().startswith(b"{") and b"CreateAttestation" in data:
            parameters = AttestationParameters.from_json(data)
            parameters.verify(accept_sha1=accept_sha1)
            return name_of(parameters.public)
        return name_in_file(text, data)
    try:
        name = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise UsageError(
            f"{text!r} is neither a file nor a Name in hex; `tpmwire name KEY` prints a key's Name"
        ) from None
    if not _is_name(name):
        raise UsageError(f"{text} is not a Name: expected the hash algorithm and a digest, such as 000b...")
    return name


def _is_name(data: bytes) -> bool:
    return {b"\0\x04": 22, b"\0\x0b": 34, b"\0\x0c": 50, b"\0\x0d": 66}.get(data[:2]) == len(data)


def _endorsement_key(args: Settings) -> TPMT_PUBLIC:
    """Returns the EK's public area. A public key without a public area gets the template of its type."""
    try:
        found = read_public_key(read_small(args.ek))
    except KeyFileError as error:
        raise UsageError(f"{args.ek}: {error}") from error
    if args.ca:
        from tpmwire.keys.certificates import public_key, verify_chain  # noqa: PLC0415 - needs optional packages

        trust = read_trust(args.ca)
        assert trust is not None  # because --ca has files
        certificate, others = read_chain(args.ek)
        verify_chain(certificate, trust, others)
        key = public_key(certificate)
    elif found.public is not None:
        return found.public
    else:
        if found.certificate:
            warn(f"{args.ek} is not verified; verify it with --ca FILE")
        assert found.key is not None  # one of the two is there
        key = found.key
    for kind in (*KINDS, *MLKEM_KINDS):
        if (area := into_template(key, kind.template())) is not None:
            return area
    raise UsageError(f"{args.ek}: the EK Credential Profile has no template for this type of key")
