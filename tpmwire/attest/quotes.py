"""Verifies quotes: signed attestations of PCR values (TPM2_Quote; Part 3, §18.4)."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..crypto.formulas import digest, digest_size
from ..errors import AttestationError, DecodeError
from ..policy.pcr_selection import bank_name, format_pcrs, parse_pcrs, pcrs_in
from ..spec.attestation import TPMS_ATTEST, TPMS_QUOTE_INFO
from ..spec.constants import TPM_ALG, TPM_ST
from ..spec.structures import TPMS_PCR_SELECTION, TPMT_SIGNATURE
from .attestation_key import AttestationKey
from .event_log import differences, first_value, parse_event_log, replay
from .events import EventLog
from .statement import verify_statement

__all__ = ["PcrValues", "VerifiedQuote", "verify_quote"]

_LARGEST_SELECT = 4
"""Maximum sizeofSelect in bytes: TPMs have 24 or 32 PCRs."""

PcrValues = Mapping[tuple[TPM_ALG, int], bytes]
"""PCR values by (bank, PCR number)."""


class VerifiedQuote(NamedTuple):
    """A quote whose signature, nonce and PCRs have been verified.

    `statement` contains the TPM's clock, its reset and restart counts, and its firmware version. `selection` lists
    the quoted PCRs, and `digest` the digest of their values. `values` are the PCR values, or empty if none were
    given. `key` is the attestation key; `key.has_attributes` is false if its attributes are unknown. `logs` are
    the event logs that result in these values.
    """

    statement: TPMS_ATTEST
    selection: tuple[TPMS_PCR_SELECTION, ...]
    digest: bytes
    values: PcrValues
    key: AttestationKey
    logs: tuple[EventLog, ...] = ()


def verify_quote(
    message: bytes,
    signature: TPMT_SIGNATURE | bytes,
    key: Any,
    *,
    nonce: bytes,
    pcrs: str | tuple[TPMS_PCR_SELECTION, ...],
    values: PcrValues | None = None,
    expected: PcrValues | None = None,
    event_logs: Sequence[EventLog | bytes] = (),
    signer: bytes | None = None,
) -> VerifiedQuote:
    """Verifies a quote on the host, without a TPM.

    - `message`: the marshaled TPMS_ATTEST.
    - `key`: the attestation key, in any format that `read_attestation_key` accepts.
    - `nonce`: the verifier's random number.
    - `pcrs`: the exact selection, such as `sha256:0,7`.
    - `values`: the PCR values that the quoting machine reports; their digest must be the quoted digest.
    - `expected`: the values that the machine should have, for some or all quoted PCRs.
    - `event_logs`: logs that must result in the quoted values, such as the firmware's and IMA's, in this order. A
      PCR without events must have its initial value or the value in `expected`.
    - `signer`: the key's Qualified Name, if known.

    Raises AttestationError with the name of the failed check, KeyFileError if `key` is not readable, PolicyError
    if `pcrs` is not valid.
    """
    selection = parse_pcrs(pcrs) if isinstance(pcrs, str) else pcrs
    if not pcrs_in(selection):
        raise AttestationError("PCR selection", "no PCRs to verify were given; use e.g. sha256:0,7")
    statement, signing, hash_alg = verify_statement(
        message, signature, key, TPM_ST.ATTEST_QUOTE, nonce=nonce, signer=signer
    )
    info = statement.attested
    assert isinstance(info, TPMS_QUOTE_INFO)  # by the type
    _check_selection(info.pcr_select, selection)
    logs = tuple(log if isinstance(log, EventLog) else _read_log(log) for log in event_logs)
    if values is None and logs:
        values = _logged_values(logs, info.pcr_select)
    if values is None and expected is not None and set(pcrs_in(selection)) <= set(expected):
        values = expected
    found = {} if values is None else _check_digest(info, values, hash_alg)
    if expected is not None:
        _check_expected(found, expected, selection)
    if logs:
        _check_logs(logs, found, expected or {})
    return VerifiedQuote(statement, info.pcr_select, info.pcr_digest, found, signing, logs)


def _read_log(data: bytes) -> EventLog:
    try:
        return parse_event_log(data)
    except DecodeError as error:
        raise AttestationError("event log", f"not a valid event log: {error}") from error


def _logged_values(
    logs: tuple[EventLog, ...], selection: tuple[TPMS_PCR_SELECTION, ...]
) -> dict[tuple[TPM_ALG, int], bytes]:
    """Returns the PCR values that result from the logs. A PCR without events has its initial value."""
    replayed = replay(logs, [one.hash for one in selection])
    return {
        (bank, pcr): replayed.get((bank, pcr), first_value(pcr, digest_size(bank)))
        for bank, pcr in pcrs_in(selection)
    }


def _check_logs(logs: tuple[EventLog, ...], found: PcrValues, expected: PcrValues) -> None:
    if wrong := differences(logs, found):
        raise AttestationError("event log", str(wrong[0]))
    replayed = replay(logs, list(dict.fromkeys(bank for bank, _ in found)))
    extended = {event.pcr for log in logs for event in log.events if event.extends}
    for (bank, pcr), value in found.items():
        if (bank, pcr) in replayed or (bank, pcr) in expected:
            continue
        if pcr in extended:
            raise AttestationError("event log", f"an event of PCR {pcr} has no {bank_name(bank)} digest")
        # The PCRs of a dynamic launch (DRTM) are ones until it takes place (PC Client TPM Profile, §4.6.2).
        if value.strip(b"\0") and not (17 <= pcr <= 22 and not value.strip(b"\xff")):
            raise AttestationError(
                "event log",
                f"the log has no event of {bank_name(bank)}:{pcr}, whose value is {value.hex()}; add the log with "
                f"its events, or the expected value, or do not quote PCR {pcr}",
            )


def _list_banks(selection: tuple[TPMS_PCR_SELECTION, ...]) -> list[tuple[int, int]]:
    """Returns sorted (bank, PCRs as bits) without empty banks; a bank that is named twice occurs twice."""
    pairs = ((one.hash, int.from_bytes(one.pcr_select, "little")) for one in selection)
    return sorted((bank, bits) for bank, bits in pairs if bits)


def _check_selection(quoted: tuple[TPMS_PCR_SELECTION, ...], wanted: tuple[TPMS_PCR_SELECTION, ...]) -> None:
    if _list_banks(quoted) != _list_banks(wanted) or any(len(one.pcr_select) > _LARGEST_SELECT for one in quoted):
        raise AttestationError(
            "PCR selection",
            f"expected {format_pcrs(wanted)}, got {format_pcrs(quoted) if pcrs_in(quoted) else 'no PCRs'}",
        )


def _check_digest(info: TPMS_QUOTE_INFO, values: PcrValues, hash_alg: TPM_ALG) -> dict[tuple[TPM_ALG, int], bytes]:
    """Returns the values of the quoted PCRs. Raises AttestationError if their digest is not the quoted digest."""
    places = pcrs_in(info.pcr_select)
    for bank, number in places:
        if (bank, number) not in values:
            raise AttestationError("PCR values", f"no value was given for PCR {number} in bank {bank_name(bank)}")
        if len(values[bank, number]) != digest_size(bank):
            raise AttestationError(
                "PCR values",
                f"{bank_name(bank)}:{number}: expected {digest_size(bank)} bytes, got {len(values[bank, number])}",
            )
    ours = digest(hash_alg, *(values[place] for place in places))
    if ours != info.pcr_digest:
        raise AttestationError(
            "PCR values",
            f"expected the quoted digest {info.pcr_digest.hex()}, got {ours.hex()}; a value differs",
        )
    return {place: values[place] for place in places}


def _check_expected(found: PcrValues, expected: PcrValues, selection: tuple[TPMS_PCR_SELECTION, ...]) -> None:
    for place in pcrs_in(selection):
        if place in expected and place not in found:
            raise AttestationError("PCR values", "comparing some PCRs requires the values of all quoted PCRs")
        if place in expected and found[place] != expected[place]:
            bank, number = place
            raise AttestationError(
                "PCR values",
                f"{bank_name(bank)}:{number}: expected {expected[place].hex()}, got {found[place].hex()}",
            )
