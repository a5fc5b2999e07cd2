"""Options of the verbs that verify attestations of a TPM: the attestation key, its certificate, and the nonce."""

import argparse

from tpmwire.attest.attestation_key import AttestationKey, certified_attestation_key, read_attestation_key
from tpmwire.attest.go_attestation import AttestationParameters
from tpmwire.crypto.formulas import name_of
from tpmwire.crypto.spki import public_key_of
from tpmwire.errors import AttestationError, CertificateError, KeyFileError, UnusableCertificateError
from tpmwire.spec.structures import TPMT_PUBLIC

from ..terminal.files import read_small
from ..terminal.messages import UsageError
from ..terminal.options import filled

__all__ = ["VerifierSettings", "add_verifier_options", "bytes_from", "nonce_from", "trusted_key"]

LARGEST_NONCE = 66
"""Maximum size in bytes of a TPM2B_DATA, with SHA-512 (Part 2, §10.4.3). The limit of a TPM may be smaller."""
LARGEST_BUNDLE = 16 << 20
"""Maximum size in bytes of a file with CA certificates."""


class VerifierSettings:
    """The options that `add_verifier_options` adds."""

    public: str | None
    certificate: str | None
    ca: list[str]
    name: str | None
    nonce: str | None
    accept_sha1: bool


def add_verifier_options(parser: argparse.ArgumentParser, *, nonce_required: bool = True) -> None:
    """Adds --public, --certificate, --ca, --name, --nonce and --accept-sha1."""
    parser.add_argument(
        "--public",
        metavar="FILE",
        help="public key of the attestation key: a public area as tpm2_createak -u writes it, go-attestation's "
        "AttestationParameters, PEM, DER or JWK",
    )
    parser.add_argument("--certificate", metavar="FILE", help="certificate of the attestation key; needs --ca")
    parser.add_argument(
        "--ca", nargs="+", default=[], metavar="FILE", help="trusted CA certificates that verify the certificate"
    )
    parser.add_argument(
        "--name",
        type=filled,
        metavar="NAME",
        help="expected Name of the attestation key in hex, to verify its public area",
    )
    parser.add_argument(
        "--nonce",
        type=filled,
        metavar="BYTES",
        required=nonce_required,
        help="expected nonce: hex, text:WORDS or @FILE; text: is an empty nonce",
    )
    parser.add_argument(
        "--accept-sha1",
        action="store_true",
        help="accept SHA-1 signatures, which keys created by Windows produce; SHA-1 collisions are possible",
    )


def trusted_key(args: VerifierSettings, reported: TPMT_PUBLIC | None = None) -> AttestationKey:
    """Returns the attestation key that the options identify.

    `reported` is the public area that came with the attestation. It is used only if its Name equals --name: a
    certificate identifies the key, but not the key's attributes. Raises UsageError for missing options,
    CertificateError or AttestationError for a key that cannot be trusted.
    """
    if bool(args.certificate) != bool(args.ca):
        raise UsageError("--certificate and --ca require each other; give both")
    key = _read_public(args.public, args.accept_sha1) if args.public else None
    if args.certificate:
        authorities = b"\n".join(read_small(path, LARGEST_BUNDLE) for path in args.ca)
        try:
            certified = certified_attestation_key(read_small(args.certificate), authorities)
        except UnusableCertificateError as error:
            # Nothing was proven, whatever the reason is: exit code 8, not the code 4 of a TPM that refuses.
            raise CertificateError(str(error)) from error
        if key is not None and public_key_of(key.area) != public_key_of(certified.area):
            raise UsageError(
                f"{args.public} and {args.certificate} contain different keys; give two files of the same key"
            )
        key = key if key is not None and key.has_attributes else certified
    if args.name:
        name = bytes_from(args.name, "--name")
        area = key.area if key is not None and key.has_attributes else reported
        if area is None:
            raise UsageError("--name needs the key's public area; give it with --public FILE")
        if name_of(area) != name:
            raise AttestationError("key", f"expected the Name {name.hex()}, got {name_of(area).hex()}")
        key = read_attestation_key(area)
    if key is None:
        raise UsageError("no trusted key; give --public FILE, --certificate FILE with --ca FILE, or --name NAME")
    return key._replace(accept_sha1=args.accept_sha1)


def _read_public(path: str, accept_sha1: bool) -> AttestationKey:
    data = read_small(path)
    if data.lstrip().startswith(b"{") and b"CreateAttestation" in data:
        parameters = AttestationParameters.from_json(data)
        parameters.verify(accept_sha1=accept_sha1)
        return AttestationKey(parameters.public, True)
    try:
        return read_attestation_key(data)
    except KeyFileError as error:
        raise UsageError(f"{path}: {error}") from error


def nonce_from(text: str | None) -> bytes:
    """Returns the nonce in the value of --nonce.

    Raises UsageError if it is missing, not valid, or too long for any TPM.
    """
    if text is None:
        raise UsageError("--nonce is required; give the nonce of the verifier, in hex")
    nonce = bytes_from(text, "--nonce")
    if len(nonce) > LARGEST_NONCE:
        raise UsageError(f"--nonce is {len(nonce)} bytes long, more than any TPM accepts; use at most 32")
    return nonce


def bytes_from(text: str, option: str) -> bytes:
    """Returns the bytes in an option's value: hex, text:WORDS or @FILE. Raises UsageError for other values."""
    if text.startswith("@"):
        return read_small(text[1:])
    if text.startswith("text:"):
        return text.removeprefix("text:").encode()
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise UsageError(f"{option} is not hex; use text:WORDS for text, @FILE for a file") from None
