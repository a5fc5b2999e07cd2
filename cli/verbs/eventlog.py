"""Explains event logs: the measurements of firmware, boot loader and kernel, and the resulting PCR values.

  tpmwire eventlog
  tpmwire eventlog --expect tpm
  tpmwire eventlog binary_bios_measurements --expect quote.json

FILE is a log of the TCG (crypto-agile or SHA-1) or a measurement list of IMA (binary or text). The default is the
logs of this machine: the firmware's and, if the kernel has one, IMA's. Several logs are replayed
in the given order.

--expect compares the resulting PCR values with the TPM's current values (tpm), with values such as sha256:7=HEX,
with a file of `tpmwire pcr` or `tpm2_pcrread`, or with a quote in JSON. If a value differs, the exit code is 8,
and eventlog names the first event that does not match, if it can be determined. `tpmwire checkquote --event-log`
also verifies the signature of a quote.

A log is not signed. Its digests are authentic if they reproduce the PCR values. The data of an event is authentic
only if its hash equals the digest.
"""

import argparse
import json
import os
from typing import Any

from tpmwire.attest.bundle import QuoteBundle
from tpmwire.attest.event_data import explain_event, is_proven
from tpmwire.attest.event_log import differences, parse_event_log, replay
from tpmwire.attest.event_types import EVENT_TYPES
from tpmwire.attest.events import Event, EventLog
from tpmwire.attest.ima_log import boot_aggregate
from tpmwire.attest.pcr_files import parse_pcr_file, pcr_json
from tpmwire.attest.quotes import PcrValues
from tpmwire.attest.statement import parse_statement
from tpmwire.crypto.formulas import digest
from tpmwire.errors import AttestationError, DecodeError, PolicyError
from tpmwire.policy.pcr_selection import bank_name, parse_pcr_values, pcrs_in
from tpmwire.spec.attestation import TPMS_QUOTE_INFO
from tpmwire.state.pcrs import banks, read_pcrs

from ..terminal.files import read_input, read_small
from ..terminal.messages import UsageError, note, warn
from ..terminal.options import TpmSettings, add_tpm_options, filled
from ..terminal.progress import activity
from ..tpm.open import open_tpm

__all__ = ["Settings", "configure", "run"]

DEFAULTS = (
    "/sys/kernel/security/tpm0/binary_bios_measurements",
    "/sys/kernel/security/ima/binary_runtime_measurements",
)
LIMIT = 256 << 20
"""Maximum size of a log in bytes. An IMA list grows while the machine runs."""

_HASHED = (4, 5, 0x80000001, 0x80000002, 0x80000006, 0x80000007, 0x8000000C, 0x8000000D)
"""Event types whose digest is always the digest of the data."""


class Settings(TpmSettings):
    """The verb's options."""

    files: list[str]
    expect: str | None
    pcrs: bool
    json: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="event log, or - for standard input (default: the logs of this machine)",
    )
    parser.add_argument(
        "--expect",
        type=filled,
        metavar="WHAT",
        help="PCR values to compare with: tpm (current values of this TPM), PCRS=VALUES, or a file with values or "
        "a quote",
    )
    parser.add_argument("--pcrs", action="store_true", help="print the PCR values only")
    parser.add_argument("--json", action="store_true", help="print one JSON object with events and PCR values")
    add_tpm_options(parser)


def run(args: Settings) -> int:
    """Prints the events and the PCR values, and compares the values."""
    with activity("reading the event log"):
        logs = [_read(path) for path in args.files or _default_files()]
        expected = _expected(args, logs) if args.expect else None
        values = replay(logs)
    with activity("explaining the event log", prints=not args.json):
        if args.json:
            print(json.dumps(_json(args, logs, values), indent=2))
        else:
            _print(args, logs, values)
    if expected is None:
        return 0
    if not set(expected) & set(replay(logs, [bank for bank, _ in expected])):
        raise UsageError(
            "nothing to compare: the log has no events for the expected PCRs and banks; choose other PCRs"
        )
    found = differences(logs, expected)
    for other in found[1:]:
        note(f"tpmwire: {other}")
    if found:
        raise AttestationError("event log", str(found[0]))
    note("tpmwire: the event log matches the expected PCR values")
    return 0


def _default_files() -> list[str]:
    found = [path for path in DEFAULTS if os.path.exists(path)]
    if not found:
        raise UsageError(f"this machine has no event log ({' or '.join(DEFAULTS)}); give the log as FILE")
    return found


def _read(path: str) -> EventLog:
    try:
        return parse_event_log(read_input(path, LIMIT))
    except DecodeError as error:
        raise UsageError(f"{path}: {error}") from error


def _expected(args: Settings, logs: list[EventLog]) -> PcrValues:
    """Returns the PCR values for the comparison, from the TPM, a file or the command line.

    Raises UsageError if --expect is neither `tpm`, a file nor PCR values, AttestationError or PolicyError if the
    file or the values are not valid.
    """
    text = args.expect or ""
    if text == "tpm":
        with open_tpm(args) as tpm:
            return read_pcrs(tpm, banks(tpm))
    try:
        if os.path.exists(text):
            data = read_small(text, LIMIT)
            if data.lstrip().startswith(b"{") and (b'"message"' in data or b'"Quotes"' in data):
                return _quoted(QuoteBundle.from_json(data), logs)
            return parse_pcr_file(data, ())
        values = parse_pcr_values(text)[1]
    except PolicyError as error:
        raise UsageError(f"--expect {text}: {error}") from error
    if not values:
        raise UsageError(
            f"--expect {text}: not an existing file; give a file, `tpm`, or values such as sha256:7=HEX"
        )
    return values


def _quoted(bundle: QuoteBundle, logs: list[EventLog]) -> PcrValues:
    """Returns the PCR values of a quote. Raises AttestationError if their digest is not the quoted digest."""
    warn("the signature of the quote is not verified; verify it with `tpmwire checkquote --event-log`")
    for message, _ in bundle.quotes:
        info = parse_statement(message).attested
        if not isinstance(info, TPMS_QUOTE_INFO):
            raise AttestationError("type", "not a quote: expected the statement of TPM2_Quote")
        places = pcrs_in(info.pcr_select)
        values = bundle.values or replay(logs, [bank for bank, _ in places])
        if any(place not in values for place in places):
            raise AttestationError(
                "PCR values", "the quote contains no PCR values, and the log does not extend all quoted PCRs"
            )
        quoted = (values[place] for place in places)
        hashed = b"".join(quoted)
        if info.pcr_digest not in (digest(alg, hashed) for alg in (0x0B, 0x0C, 0x0D, 0x04)):
            raise AttestationError("PCR values", "the values do not match the quoted digest")
    return bundle.values


def _json(args: Settings, logs: list[EventLog], values: PcrValues) -> dict[str, Any]:
    document: dict[str, Any] = {"pcrs": pcr_json(values)}
    if not args.pcrs:
        document["logs"] = [
            {
                "form": log.form,
                "startup_locality": log.locality,
                "events": [_event_json(event) for event in log.events],
            }
            for log in logs
        ]
    return document


def _event_json(event: Event) -> dict[str, Any]:
    return {
        "number": event.number,
        "pcr": event.pcr,
        "type": event.name,
        "meaning": EVENT_TYPES.get(event.kind, ("", ""))[1],
        "extends": event.extends,
        "digests": {bank_name(bank): value.hex() for bank, value in event.digests.items()},
        "details": [{"name": name, "text": text} for name, text in explain_event(event)],
        "data_proven": is_proven(event),
        "data": event.data.hex(),
    }


def _print(args: Settings, logs: list[EventLog], values: PcrValues) -> None:
    for log in [] if args.pcrs else logs:
        started = "" if log.locality is None else f", startup locality {log.locality}"
        print(f"event log ({log.form}), {len(log.events)} events{started}")
        for event in log.events:
            place = f"PCR {event.pcr}" if event.extends else "no PCR"
            print(f"{event.number:>5}  {place:6}  {event.name}")
            for name, text in explain_event(event):
                print("\n".join(f"               {line}" for line in f"{name}: {text}".splitlines()))
            _print_doubts(event, values)
        print()
    if not args.pcrs:
        print("PCR values that the log leads to:")
    for (bank, number), value in values.items():
        print(f"{bank_name(bank)}:{number:<2}  {value.hex()}")


def _print_doubts(event: Event, values: PcrValues) -> None:
    if event.kind in _HASHED and is_proven(event) is False:
        print("               NOT PROVEN: the digest is not the hash of this data")
    if event.template and event.number == 1 and boot_aggregate(event, values) is False:
        print("               NOT PROVEN: boot_aggregate is not the hash of PCRs 0 to 9 of this log")
