"""Verifies a quote: which key signed it, for which nonce, and which PCR values it proves. No TPM is needed.

  tpmwire checkquote quote.json --public ak.pub --pcrs sha256:0,7 \\
      --nonce "$nonce"
  tpmwire checkquote quote.json --certificate ak-cert.pem --ca ca.pem \\
      --pcrs sha256:0,7 --nonce "$nonce" \\
      --event-log binary_bios_measurements
  tpmwire checkquote --message quote.msg --signature quote.sig \\
      --values quote.pcrs --public ak.pub --pcrs sha256:0,7=3d45... \\
      --nonce "$nonce"

The quote is JSON of `tpmwire quote` or of go-attestation, or the files of tpm2_quote. The quote is valid only if:

  - The attestation key (AK) signed it. The verifier must know the AK by its
    public area (--public), its certificate (--certificate, --ca) or its Name
    (--name). The AK must be restricted to statements of its TPM.
  - The TPM created the message, which has no missing or extra byte.
  - Nonce and PCRs are exactly the expected ones. Choose a new random nonce
    for each quote.
  - The PCR values have the quoted digest. Without values, the quote proves
    only the digest.
  - Each PCR has the value, if any, that --pcrs expects.
  - The event logs, if any, result in the PCR values.

Otherwise the message names the failed check, and the exit code is 8. A public key in PEM or in a certificate does
not prove that the AK is restricted; checkquote then prints a warning. docs/attestation.md explains all checks.
"""

import argparse
import json
import os
from typing import Any

from tpmwire.attest.bundle import QuoteBundle
from tpmwire.attest.pcr_files import parse_pcr_file, pcr_json
from tpmwire.attest.quotes import PcrValues, VerifiedQuote, verify_quote
from tpmwire.errors import AttestationError, PolicyError
from tpmwire.policy.pcr_selection import bank_name, format_pcrs, parse_pcr_values
from tpmwire.spec.structures import TPMS_PCR_SELECTION

from ..terminal.files import read_input, read_small
from ..terminal.messages import UsageError, warn
from ..terminal.progress import activity
from ..tpm.statement_options import VerifierSettings, add_verifier_options, nonce_from, trusted_key

__all__ = ["Settings", "configure", "run"]

BUNDLE_LIMIT = 64 << 20


class Settings(VerifierSettings):
    """The verb's options."""

    quote: str | None
    pcrs: str
    message: str | None
    signature: str | None
    values: str | None
    event_log: list[str]
    json: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument(
        "quote",
        nargs="?",
        metavar="QUOTE",
        help="JSON of `tpmwire quote` or of go-attestation, or - for standard input",
    )
    add_verifier_options(parser)
    parser.add_argument(
        "--pcrs",
        metavar="PCRS",
        required=True,
        help="expected PCRs, such as sha256:0-7,14 or sha1:all+sha256:all, or with expected values, such as "
        "sha256:0=HEX,7",
    )
    parser.add_argument("--message", metavar="FILE", help="file with the quote (TPMS_ATTEST), from tpm2_quote -m")
    parser.add_argument(
        "--signature", metavar="FILE", help="file with the signature (TPMT_SIGNATURE), from tpm2_quote -s"
    )
    parser.add_argument(
        "--values",
        metavar="FILE",
        help="PCR values to compare with the quote: a file of `tpm2_quote -o`, `tpm2_pcrread` or `tpmwire pcr`",
    )
    parser.add_argument(
        "--event-log",
        action="append",
        default=[],
        metavar="FILE",
        help="event log that must result in the quoted values; repeatable: firmware log first, then IMA log",
    )
    parser.add_argument("--json", action="store_true", help="print the verified facts as one JSON object")


def run(args: Settings) -> int:
    """Verifies the quote and prints what it proves."""
    nonce = nonce_from(args.nonce)
    if os.path.exists(args.pcrs):
        raise UsageError("--pcrs names the expected PCRs, such as sha256:0,7; give the file with --values")
    try:
        pcrs, expected = parse_pcr_values(args.pcrs)
    except PolicyError as error:
        raise UsageError(str(error)) from error
    bundle = _read_bundle(args, pcrs)
    key = trusted_key(args, bundle.public)
    logs = [read_small(path, BUNDLE_LIMIT) for path in args.event_log]
    if not logs and bundle.event_log is not None:
        logs = [bundle.event_log]
    given: dict[str, Any] = {"nonce": nonce, "pcrs": pcrs, "expected": expected, "event_logs": logs}
    with activity("verifying the quote"):
        if len(bundle.quotes) == 1:  # one quote may have several banks
            found = [verify_quote(*bundle.quotes[0], key, values=bundle.values or None, **given)]
        else:
            found = _verify_each(bundle, key, **given)
    _print(found, args.json)
    return 0


def _verify_each(
    bundle: QuoteBundle,
    key: Any,
    *,
    pcrs: tuple[TPMS_PCR_SELECTION, ...],
    nonce: bytes,
    expected: PcrValues,
    event_logs: list[bytes],
) -> list[VerifiedQuote]:
    """Verifies a bundle of go-attestation with one quote per bank. Returns results in the order of `pcrs`."""
    if len(bundle.quotes) != len(pcrs):
        raise AttestationError(
            "PCR selection",
            f"expected one quote for each bank of {format_pcrs(pcrs)}, got {len(bundle.quotes)}",
        )
    found: list[VerifiedQuote] = []
    left = list(bundle.quotes)
    for bank in pcrs:
        for number, quote in enumerate(left):
            try:
                mine = {place: value for place, value in expected.items() if place[0] == bank.hash}
                one = verify_quote(
                    *quote,
                    key,
                    nonce=nonce,
                    pcrs=(bank,),
                    values=bundle.values,
                    expected=mine,
                    event_logs=event_logs,
                )
            except AttestationError as error:
                if error.check != "PCR selection" or number == len(left) - 1:
                    raise
            else:
                found.append(one)
                del left[number]
                break
    return found


def _read_bundle(args: Settings, pcrs: tuple[TPMS_PCR_SELECTION, ...]) -> QuoteBundle:
    if bool(args.message) != bool(args.signature) or bool(args.quote) == bool(args.message):
        raise UsageError("no quote; give QUOTE in JSON, or --message FILE and --signature FILE")
    if args.quote:
        try:
            bundle = QuoteBundle.from_json(read_input(args.quote, BUNDLE_LIMIT))
        except AttestationError as error:
            raise UsageError(f"{args.quote}: {error.reason}") from error
    else:
        assert args.message is not None
        assert args.signature is not None
        bundle = QuoteBundle(((read_small(args.message), read_small(args.signature)),), {})
    if args.values:
        try:
            bundle = bundle._replace(values=parse_pcr_file(read_small(args.values), pcrs))
        except PolicyError as error:
            raise UsageError(f"{args.values}: {error}") from error
    return bundle


def _print(found: list[VerifiedQuote], as_json: bool) -> None:
    first = found[0]
    statement, clock = first.statement, first.statement.clock_info
    values = {place: value for one in found for place, value in one.values.items()}
    facts = {
        "pcrs": pcr_json(values),
        "selection": "+".join(format_pcrs(one.selection) for one in found),
        "digest": "+".join(one.digest.hex() for one in found),
        "nonce": statement.extra_data.hex(),
        "signer": statement.qualified_signer.hex(),
        "name": None if first.key.name is None else first.key.name.hex(),
        "attributes_checked": first.key.has_attributes,
        "event_logs": [{"form": log.form, "events": len(log.events)} for log in first.logs],
        "clock": clock.clock,
        "reset_count": clock.reset_count,
        "restart_count": clock.restart_count,
        "safe": bool(clock.safe),
        "firmware_version": f"{statement.firmware_version:016x}",
    }
    if as_json:
        print(json.dumps(facts, indent=2))
    else:
        _print_text(facts, values, clock.clock)
    if not first.key.has_attributes:
        warn(
            "the key's attributes are unknown: if the key can sign other data, the quote may be forged; "
            "give its public area with --public FILE"
        )
    if not values:
        warn("without PCR values, the quote proves only their digest; give the values with --values FILE")


def _print_text(facts: dict[str, Any], values: PcrValues, clock: int) -> None:
    print(f"valid quote of {facts['selection']}")
    for (bank, number), value in values.items():
        print(f"{bank_name(bank)}:{number:<2}  {value.hex()}")
    for log in facts["event_logs"]:
        print(f"the event log ({log['form']}, {log['events']} events) leads to these values")
    rows = {
        "digest": facts["digest"],
        "nonce": facts["nonce"] or "(empty)",
        "key": facts["name"] or "attributes unknown",
        "resets": f"{facts['reset_count']}, restarts {facts['restart_count']}",
        "clock": f"{clock} ms{'' if facts['safe'] else ', may have been set back'}",
        "firmware": facts["firmware_version"],
    }
    print("\n".join(f"{label + ':':10}{value}" for label, value in rows.items()))
