"""Verifies a statement of `tpmwire certify`, tpm2_certify or go-attestation. No TPM is needed.

  tpmwire checkcertify certified.json --public ak.pub --item key.pub \\
      --nonce "$nonce"
  tpmwire checkcertify --message certify.msg --signature certify.sig \\
      --public ak.pub --item key.pub --nonce "$nonce"
  tpmwire checkcertify certified.json --public ak.pub --item 0x01800001 \\
      --contents 0102 --nonce "$nonce"
  tpmwire checkcertify certified.json --public ak.pub --csr host.csr

The verifier must know the attestation key, the nonce, and the object: by its public area or by its Name in hex. An
NV index is given by its handle or by its Name, with the expected contents. Without --item, the object is the one
whose public area is in the statement; check its printed attributes.

For a statement of `tpmwire roles-anywhere csr --certify-by`, --csr replaces the nonce and the object. The
statement must be about this certificate request and its key, which the TPM must have created and never releases.
"""

import argparse
import hashlib
import json
import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from tpmwire.attest.attestation_key import AttestationKey
from tpmwire.attest.certifications import verify_certified, verify_nv
from tpmwire.attest.enrolment import check_requested_key
from tpmwire.attest.go_attestation import CertificationParameters
from tpmwire.crypto.formulas import name_of, nv_name_of
from tpmwire.errors import AttestationError, DecodeError
from tpmwire.policy import strict_json
from tpmwire.spec.attestation import TPMS_ATTEST, TPMS_CERTIFY_INFO
from tpmwire.spec.storage import TPMS_NV_PUBLIC
from tpmwire.spec.structures import TPMT_PUBLIC

from ..lifecycle.enrolment import read_csr
from ..terminal.files import read_input, read_small
from ..terminal.messages import UsageError, warn
from ..terminal.options import filled
from ..tpm.key_argument import parse_handle
from ..tpm.public_file import name_in_file
from ..tpm.statement_options import VerifierSettings, add_verifier_options, bytes_from, nonce_from, trusted_key

__all__ = ["Settings", "configure", "run"]


class Settings(VerifierSettings):
    """The verb's options."""

    statement: str | None
    message: str | None
    signature: str | None
    item: str | None
    csr: str | None
    contents: str | None
    offset: int
    json: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument(
        "statement",
        nargs="?",
        metavar="STATEMENT",
        help="JSON of `tpmwire certify` or CertificationParameters of go-attestation, or - for standard input",
    )
    add_verifier_options(parser, nonce_required=False)
    parser.add_argument(
        "--item",
        type=filled,
        metavar="WHAT",
        help="object: file with its public area, its Name in hex, or the handle of an NV index (default: the "
        "object whose public area is in STATEMENT)",
    )
    parser.add_argument(
        "--csr",
        type=filled,
        metavar="FILE",
        help="certificate request (PEM or DER) of the certified key, instead of --item and --nonce",
    )
    parser.add_argument(
        "--contents", metavar="BYTES", help="expected contents of the NV index: hex, text:WORDS or @FILE"
    )
    parser.add_argument("--offset", type=int, default=0, metavar="N", help="offset of the contents (default: 0)")
    parser.add_argument(
        "--message", metavar="FILE", help="file with the statement (TPMS_ATTEST), from tpm2_certify -o"
    )
    parser.add_argument(
        "--signature", metavar="FILE", help="file with the signature (TPMT_SIGNATURE), from tpm2_certify -s"
    )
    parser.add_argument("--json", action="store_true", help="print the verified facts as one JSON object")


def run(args: Settings) -> int:
    """Verifies the attestation and prints what it proves."""
    if args.csr:
        return _check_request(args, args.csr)
    nonce = nonce_from(args.nonce)
    statement = _read(args)
    if args.item is None and (args.contents is not None or statement.item is None):
        raise UsageError("--item is required; give the object's public area or Name")
    key = trusted_key(args)
    more: dict[str, str] = {}
    if args.item is None and statement.item is not None:
        found = verify_certified(*statement.signed, key, nonce=nonce, item=statement.item)
        attributes = repr(statement.item.object_attributes).removeprefix("TPMA_OBJECT(").rstrip(")")
        more = {"algorithm": statement.item.type.name, "attributes": attributes}
    elif args.contents is None:
        found = verify_certified(*statement.signed, key, nonce=nonce, item=_name(args.item or ""))
    else:
        contents = bytes_from(args.contents, "--contents")
        about = _index_name(args.item or "", statement.nv_index)
        found = verify_nv(*statement.signed, key, nonce=nonce, index=about, contents=contents, offset=args.offset)
    _print(found, args.json, more)
    _warn_of(key)
    return 0


def _check_request(args: Settings, path: str) -> int:
    """Verifies a statement about the key of a certificate request, and prints the request's subject."""
    if args.item or args.nonce or args.contents:
        raise UsageError("--csr replaces --item and --nonce; remove them")
    csr, statement, key = read_csr(path), _read(args), trusted_key(args)
    if statement.item is None:
        raise UsageError(
            "the statement does not have the public area of the key; use the JSON of `tpmwire roles-anywhere csr "
            "--certify-by`"
        )
    subject = check_requested_key(statement.item, csr)
    nonce, item = hashlib.sha256(csr).digest(), name_of(statement.item)
    try:
        found = verify_certified(*statement.signed, key, nonce=nonce, item=item)
    except AttestationError as error:
        if error.check == "nonce":
            raise AttestationError("nonce", "the statement is for another certificate request") from None
        raise
    _print(found, args.json, {"subject": subject})
    _warn_of(key)
    return 0


def _warn_of(key: AttestationKey) -> None:
    if not key.has_attributes:
        warn("the key's attributes are unknown: if the key can sign other data, the statement may be forged")


class _Statement(NamedTuple):
    """A statement to verify: message and signature, with the public areas of an NV index or object, if any."""

    signed: tuple[bytes, bytes]
    nv_index: TPMS_NV_PUBLIC | None = None
    item: TPMT_PUBLIC | None = None


def _read(args: Settings) -> _Statement:
    """Returns the statement in JSON or in files."""
    if bool(args.message) != bool(args.signature) or bool(args.statement) == bool(args.message):
        raise UsageError("no statement; give STATEMENT in JSON, or --message FILE and --signature FILE")
    if args.message and args.signature:
        return _Statement((read_small(args.message), read_small(args.signature)))
    try:
        data = read_input(args.statement or "")
        document = strict_json.loads(data)
        if "CreateAttestation" in document:
            certified = CertificationParameters.from_json(data)
            return _Statement((certified.message, certified.signature.build()), None, certified.public)
        index, item = document.get("nv_public"), document.get("item")
        return _Statement(
            (bytes.fromhex(document["message"]), bytes.fromhex(document["signature"])),
            None if index is None else TPMS_NV_PUBLIC.parse(bytes.fromhex(index)),
            None if item is None else TPMT_PUBLIC.parse(bytes.fromhex(item)),
        )
    except (ValueError, KeyError, TypeError, AttributeError, DecodeError, AttestationError) as error:
        reason = strict_json.describe_error(error)
        raise UsageError(f"{args.statement}: not a valid JSON statement of tpmwire certify: {reason}") from error


def _index_name(text: str, area: TPMS_NV_PUBLIC | None) -> bytes:
    """Returns the Name of an NV index. `text` is the Name in hex, or the handle of the index in `area`."""
    handle = parse_handle(text)
    if handle is None or handle >> 24 != 0x01:
        return _name(text)
    if area is None:
        raise UsageError("the public area of the index is unknown; give its Name with --item")
    if area.nv_index != handle:
        raise AttestationError("Name", f"the statement is about the NV index 0x{area.nv_index:08x}, not {text}")
    return nv_name_of(area)


def _name(text: str) -> bytes:
    """Returns the Name of the object. `text` is the Name in hex, or the path of a file with the public area."""
    if not os.path.exists(text):
        return bytes_from(text, "--item")
    return name_in_file(text, read_small(text))


def _print(found: TPMS_ATTEST, as_json: bool, more: Mapping[str, str] = MappingProxyType({})) -> None:
    info = found.attested
    names = (
        {"name": info.name, "qualified_name": info.qualified_name} if isinstance(info, TPMS_CERTIFY_INFO) else {}
    )
    facts = {
        "type": found.type.name,
        **{name: value.hex() for name, value in names.items()},
        "nonce": found.extra_data.hex(),
        "signer": found.qualified_signer.hex(),
        **more,
    }
    if as_json:
        print(json.dumps(facts, indent=2))
    else:
        print("valid statement: " + ("the object is in the TPM" if names else "the NV index has these contents"))
        print("\n".join(f"{name.replace('_', ' ') + ':':16}{value or '(empty)'}" for name, value in facts.items()))
