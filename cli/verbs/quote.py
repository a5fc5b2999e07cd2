"""Prints a quote: PCR values, signed by an attestation key in the TPM.

  tpmwire ak --out ak.pem --public ak.pub
  nonce=$(openssl rand -hex 16)    # on the verifier
  tpmwire quote ak.pem --pcrs sha256:0,7 --nonce "$nonce" > quote.json
  tpmwire checkquote quote.json --public ak.pub --pcrs sha256:0,7 \\
      --nonce "$nonce"

The verifier chooses the nonce, a random number, so that an old quote is not accepted. KEY is a handle, a key file
of `tpmwire ak`, or a context file of tpm2-tools. Anyone can check a quote without a TPM.

The output is one JSON object with the signed message, the signature, the PCR values and the key's public area.
--message, --signature and --values write the files of `tpm2_quote -m -s -o`. --format go prints go-attestation's
PlatformParameters, with one quote for each bank.
"""

import argparse

from tpmwire.attest.bundle import QuoteBundle
from tpmwire.attest.pcr_files import build_pcr_file
from tpmwire.attest.quotes import PcrValues, verify_quote
from tpmwire.calls import Attested
from tpmwire.errors import AttestationError
from tpmwire.spec.structures import TPMS_PCR_SELECTION, TPMT_PUBLIC
from tpmwire.state.pcrs import read_pcrs
from tpmwire.tpm import Tpm
from tpmwire.use.attesting import AttestingKey

from ..terminal.files import check_outputs, read_small, write_whole
from ..terminal.messages import UsageError
from ..terminal.options import TpmSettings, add_tpm_options, filled, pcrs_from
from ..tpm.key_argument import KEY_FORMS, NamedKey, use_key
from ..tpm.open import open_tpm
from ..tpm.options import KeySettings, ParentSettings, add_auth_options
from ..tpm.passwords import key_auth, parent_auth
from ..tpm.statement_options import nonce_from

__all__ = ["Settings", "configure", "run"]

EVENT_LOG_LIMIT = 16 << 20
ATTEMPTS = 5
"""Maximum number of attempts. A quote is repeated if a PCR changes before its value is read."""


class Settings(KeySettings, ParentSettings, TpmSettings):
    """The verb's options."""

    key: str
    pcrs: str
    nonce: str
    event_log: str | None
    message: str | None
    signature: str | None
    values: str | None
    format: str
    force: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument("key", metavar="KEY", help=f"attestation key: {KEY_FORMS}")
    parser.add_argument(
        "--pcrs",
        metavar="PCRS",
        required=True,
        help="PCRs to quote, such as sha256:0,7; + joins banks, as in sha1:0+sha256:0",
    )
    parser.add_argument(
        "--nonce",
        type=filled,
        metavar="BYTES",
        required=True,
        help="the verifier's random number, at most as long as a digest: hex, text:WORDS or @FILE",
    )
    parser.add_argument("--event-log", metavar="FILE", help="event log to include in the output")
    parser.add_argument("--message", metavar="FILE", help="write the signed TPMS_ATTEST to FILE")
    parser.add_argument("--signature", metavar="FILE", help="write the TPMT_SIGNATURE to FILE")
    parser.add_argument("--values", metavar="FILE", help="write the PCR values to FILE, for tpm2_checkquote -f")
    parser.add_argument(
        "--format",
        choices=("json", "go"),
        default="json",
        help="output format: json (tpmwire's) or go (go-attestation's) (default: json)",
    )
    parser.add_argument("--force", action="store_true", help="replace existing files")
    add_auth_options(parser, "key", "the attestation key's password")
    add_auth_options(parser, "parent", "the password of the key's parent, or of its hierarchy")
    add_tpm_options(parser, "60s")


def run(args: Settings) -> int:
    """Quotes the PCRs, and prints the quote or writes its files."""
    named, pcrs, nonce = NamedKey(args.key), pcrs_from(args.pcrs), nonce_from(args.nonce)
    log = read_small(args.event_log, EVENT_LOG_LIMIT) if args.event_log else None
    files = (args.message, args.signature, args.values)
    if args.format == "go" and any(files):
        raise UsageError(
            "--format go cannot be combined with --message, --signature and --values; remove it, or the files"
        )
    check_outputs(files, force=args.force)
    passwords = key_auth(args), parent_auth(args)
    with open_tpm(args) as tpm, use_key(tpm, named, AttestingKey, *passwords) as key:
        if args.format == "go":
            # go-attestation reads quotes of one bank only.
            parts = [_quote(tpm, key, (bank,), nonce) for bank in pcrs]
            signed = tuple((one.message, one.signature.build()) for one, _, _ in parts)
            merged = {place: value for _, found, _ in parts for place, value in found.items()}
            try:
                print(QuoteBundle(signed, merged, parts[0][2], log).to_go())
            except AttestationError as error:
                raise UsageError(error.reason) from error
            return 0
        quoted, values, public = _quote(tpm, key, pcrs, nonce)
    bundle = QuoteBundle.of(quoted.message, quoted.signature, values, public)._replace(event_log=log)
    for path, data in zip(
        files, (quoted.message, quoted.signature.build(), build_pcr_file(pcrs, values)), strict=True
    ):
        if path:
            write_whole(path, data, force=args.force)
    if not any(files):
        print(bundle.to_json())
    return 0


def _quote(
    tpm: Tpm, key: AttestingKey, pcrs: tuple[TPMS_PCR_SELECTION, ...], nonce: bytes
) -> tuple[Attested, PcrValues, TPMT_PUBLIC]:
    """Returns (verified quote, quoted PCR values, public area of the key)."""
    for attempt in range(ATTEMPTS):
        quoted, public = key.quote(tpm, pcrs, nonce)
        values = read_pcrs(tpm, pcrs)
        try:
            verify_quote(*quoted, public, nonce=nonce, pcrs=pcrs, values=values)
            return quoted, values, public
        except AttestationError as error:
            if error.check != "PCR values" or attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")
