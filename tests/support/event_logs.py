"""Makes event logs, and finds the recorded ones."""

import hashlib
import json
from pathlib import Path

from tests.support.programs import ROOT

__all__ = ["RECORDED", "agile_log", "recorded", "recorded_values", "sha1_log"]

FOLDER = ROOT / "fixtures" / "event_logs"
RECORDED = ("ovmf", "seabios", "seabios-sig")
"""Boots whose logs and PCR values fixtures/record_event_logs.py has recorded."""

SIZES = {0x04: ("sha1", 20), 0x0B: ("sha256", 32), 0x0C: ("sha384", 48), 0x0D: ("sha512", 64)}


def recorded(name: str) -> Path:
    """The path of a recorded file, such as ovmf.bin."""
    return FOLDER / name


def recorded_values(boot: str) -> dict[tuple[int, int], bytes]:
    """The PCR values that the kernel of a boot read from the TPM."""
    banks = {"sha1": 0x04, "sha256": 0x0B}
    document = json.loads(recorded(f"{boot}-pcrs.json").read_text())
    return {
        (banks[bank], int(pcr)): bytes.fromhex(value)
        for bank, values in document.items()
        for pcr, value in values.items()
    }


def _number(value: int, size: int = 4) -> bytes:
    return value.to_bytes(size, "little")


def sha1_log(*events: tuple[int, int, bytes]) -> bytes:
    """A log of TCG_PCR_EVENT with (PCR, type, data); the digest is that of the data, or zeros for EV_NO_ACTION."""
    return b"".join(
        _number(pcr)
        + _number(kind)
        + (bytes(20) if kind == 3 else hashlib.sha1(data).digest())
        + _number(len(data))
        + data
        for pcr, kind, data in events
    )


def agile_log(*events: tuple[int, int, bytes], banks: tuple[int, ...] = (0x04, 0x0B, 0x0C)) -> bytes:
    """A crypto-agile log with (PCR, type, data)."""
    algorithms = b"".join(_number(bank, 2) + _number(SIZES[bank][1], 2) for bank in banks)
    spec_id = b"Spec ID Event03\0" + bytes(4) + b"\0\2\0\2" + _number(len(banks)) + algorithms + b"\0"
    found = sha1_log((0, 3, spec_id))
    for pcr, kind, data in events:
        digests = b"".join(
            _number(bank, 2) + (bytes(SIZES[bank][1]) if kind == 3 else hashlib.new(SIZES[bank][0], data).digest())
            for bank in banks
        )
        found += _number(pcr) + _number(kind) + _number(len(banks)) + digests + _number(len(data)) + data
    return found
