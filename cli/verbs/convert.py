"""Converts a public key or a signature between the formats of TPMs and of other programs, without a TPM.

  tpmwire convert key.pub --to pem                  for openssl
  tpmwire convert key.pub --to ssh --comment me@host   for authorized_keys
  tpmwire convert key.pem --to jwk
  tpmwire convert id_ecdsa.pub --to tpm2b-public --out key.pub
  tpmwire convert ek.crt --template ek-rsa --to tpm2b-public --out ek.pub
  tpmwire convert msg.sig --to der --out msg.der    for openssl dgst -verify
  tpmwire convert msg.der --to tpmt-signature --out msg.sig
  tpmwire convert key.pub --private key.priv --to tss2 --out key.pem
  tpmwire convert key.pem --to tpm2b-private --out key.priv

The format of the input is detected. Keys can be PEM, DER, a JWK, an SSH public key, TPM2B_PUBLIC, TPMT_PUBLIC, an
X.509 certificate, a TPM key file (TSS2 PRIVATE KEY), or a context file of tpm2-tools. Signatures can be
TPMT_SIGNATURE, ECDSA signatures in DER, or, with --scheme rsassa or rsapss, the plain bytes of an RSA signature.

For a signature, --to der writes DER for ECDSA and the plain bytes for RSA, and --to jws writes the bytes of a JWS.
A key that was not created in a TPM has no TPM attributes: --template supplies them, by a name of tpm2-tools
(rsa2048:rsapss) or of a standard key (ek-rsa, srk). Without --template, the public area is suitable for
tpm2_loadexternal. Private keys are never read or written in cleartext: a .priv file and a TPM key file are
encrypted by their parent.
"""

import argparse
import sys

from tpmwire.errors import EncodeError, KeyFileError
from tpmwire.keys.template_names import parse_hash
from tpmwire.spec.constants import TPM_RH

from ..keys.conversion import FORMATS, SCHEMES, Conversion, Item, PrivatePart, convert_item, read_item
from ..terminal.files import read_small, write_whole
from ..terminal.messages import UsageError

__all__ = ["Settings", "configure", "run"]

BINARY = ("der", "tpm2b-public", "tpmt-public", "tpm2b-private", "tpmt-signature", "jws")
LARGEST = 1 << 16
PARENTS = {name.lower(): TPM_RH[name] for name in ("OWNER", "ENDORSEMENT", "PLATFORM", "NULL")}


class Settings:
    """The verb's options."""

    input: str
    to: str
    out: str | None
    force: bool
    template: str | None
    comment: str
    scheme: str | None
    hash: str
    private: str | None
    seed: str | None
    parent: str


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument("input", metavar="FILE", help="file with the key or signature, or - for standard input")
    parser.add_argument(
        "--to", choices=FORMATS, required=True, metavar="FORMAT", help=f"format to write: {', '.join(FORMATS)}"
    )
    parser.add_argument("--out", metavar="FILE", help="file to write (default: standard output)")
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    parser.add_argument(
        "--template",
        metavar="NAME",
        help="attributes and scheme of a public area, such as ecc:ecdsa-sha256, rsa2048, ek-rsa, ek-ecc or srk",
    )
    parser.add_argument("--comment", metavar="TEXT", default="", help="comment of an SSH public key")
    parser.add_argument(
        "--scheme",
        choices=tuple(SCHEMES),
        help="signature scheme, if the input does not state it (default: ecdsa)",
    )
    parser.add_argument(
        "--hash",
        metavar="NAME",
        default="sha256",
        help="signature hash, if the input does not state it (default: sha256)",
    )
    parser.add_argument(
        "--private",
        metavar="FILE",
        help="private area (TPM2B_PRIVATE), needed to convert a public area to a TPM key file",
    )
    parser.add_argument("--seed", metavar="FILE", help="encrypted seed of a duplicate, for an importable key file")
    parser.add_argument(
        "--parent",
        metavar="HANDLE",
        default="owner",
        help="parent in a TPM key file: a persistent handle, or owner, endorsement, platform or null for the "
        "hierarchy's standard primary key (default: owner)",
    )


def run(args: Settings) -> int:
    """Converts the input, and writes the result to the file or to standard output."""
    if args.out is None and args.to in BINARY and sys.stdout is not None and sys.stdout.isatty():
        raise UsageError(f"the format {args.to} is binary; write it to a file with --out, or redirect the output")
    try:
        how = Conversion(args.template, args.comment, args.scheme, parse_hash(args.hash))
        result = convert_item(_item(args.input, how), args.to, how, _private_part(args))
    except EncodeError as error:
        raise UsageError(str(error)) from error
    if args.out is not None:
        write_whole(args.out, result, force=args.force)
    elif args.to in BINARY:
        sys.stdout.flush()
        sys.stdout.buffer.write(result)
    else:
        print(result.decode(), end="")
    return 0


def _item(path: str, how: Conversion) -> Item:
    """Parses the input. Raises UsageError for a file of another kind, KeyFileError for a damaged key file."""
    data = _read(path)
    try:
        return read_item(data, how)
    except KeyFileError as error:
        text = f"{'standard input' if path == '-' else path}: {error}"
        if b"TSS2 PRIVATE KEY" not in data:
            raise UsageError(text) from error
        error.args = (text,)
        raise


def _read(path: str) -> bytes:
    if path != "-":
        return read_small(path)
    if sys.stdin is None:  # None if the parent process closed it
        raise UsageError("standard input is closed; redirect it from a file or program")
    return sys.stdin.buffer.read(LARGEST)


def _private_part(args: Settings) -> PrivatePart | None:
    if args.private is None:
        return None
    if args.to != "tss2":
        raise UsageError(f"--private requires --to tss2; the format {args.to} has no private area")
    seed = read_small(args.seed) if args.seed is not None else b""
    return PrivatePart(read_small(args.private), seed, _parent(args.parent))


def _parent(text: str) -> int:
    if text in PARENTS:
        return PARENTS[text]
    try:
        handle = int(text, 0)
    except ValueError:
        handle = 0
    if not 0x81000000 <= handle <= 0x81FFFFFF and handle not in PARENTS.values():
        raise UsageError(f"invalid parent {text!r}; expected a persistent handle such as 0x81000001, or owner")
    return handle
