"""Describes a TPM: manufacturer, capabilities and lockout state."""

import datetime
from typing import Any

from tpmwire.policy.pcr_selection import format_pcrs, pcrs_in
from tpmwire.spec.constants import (
    TPM_ALG,
    TPM_CAP,
    TPM_ECC,
    TPM_PT,
    TPMA_ML_PARAMETER_SET,
    TPMA_MODES,
    TPMA_PERMANENT,
    TPMA_STARTUP_CLEAR,
)
from tpmwire.spec.firmware import firmware_version
from tpmwire.state.capabilities import capabilities, commands, properties
from tpmwire.state.pcrs import banks
from tpmwire.tpm import Tpm

__all__ = ["USED", "describe_tpm"]

USED = (
    "Startup",
    "GetCapability",
    "ReadPublic",
    "CreatePrimary",
    "Create",
    "Load",
    "Import",
    "FlushContext",
    "EvictControl",
    "StartAuthSession",
    "PolicyPCR",
    "PolicyAuthValue",
    "PolicySecret",
    "PolicyOR",
    "PolicyGetDigest",
    "PCR_Read",
    "HMAC",
    "HMAC_Start",
    "SequenceComplete",
    "NV_Read",
    "NV_ReadPublic",
)
"""Commands that this package sends (names of TPM_CC)."""

LIMITS = (
    "INPUT_BUFFER",
    "MAX_COMMAND_SIZE",
    "MAX_RESPONSE_SIZE",
    "HR_TRANSIENT_MIN",
    "HR_TRANSIENT_AVAIL",
    "HR_LOADED_MIN",
    "HR_LOADED_AVAIL",
    "ACTIVE_SESSIONS_MAX",
    "HR_ACTIVE_AVAIL",
    "HR_PERSISTENT_MIN",
    "HR_PERSISTENT",
    "HR_PERSISTENT_AVAIL",
    "NV_INDEX_MAX",
    "NV_BUFFER_MAX",
    "MAX_DIGEST",
    "PCR_COUNT",
)
"""Properties that are limits, or remaining resources (TPM_PT; Part 2, §6.13)."""


def describe_tpm(tpm: "Tpm") -> dict[str, Any]:
    """Returns the TPM's properties as a JSON object of numbers, texts, and lists of the specification's names."""
    pt = {int(which): value for which, value in properties(tpm).items()}
    revision = pt.get(TPM_PT.REVISION, 0)
    implemented = [code.name for code in commands(tpm)]
    missing = [name for name in USED if name not in implemented]
    return {
        "manufacturer": _text(pt, TPM_PT.MANUFACTURER),
        "vendor": "".join(_text(pt, TPM_PT(TPM_PT.VENDOR_STRING_1 + index)) for index in range(4)),
        "firmware": firmware_version(
            pt.get(TPM_PT.FIRMWARE_VERSION_1, 0),
            pt.get(TPM_PT.FIRMWARE_VERSION_2, 0),
            pt.get(TPM_PT.MANUFACTURER, 0),
        ),
        "family": _text(pt, TPM_PT.FAMILY_INDICATOR),
        "specification": {
            "revision": f"{revision // 100}.{revision % 100:02d}",
            "level": pt.get(TPM_PT.LEVEL, 0),
            "date": _date(pt.get(TPM_PT.YEAR, 0), pt.get(TPM_PT.DAY_OF_YEAR, 0)),
            # Since version 1.85, TPMs report the number of the errata in place of a date.
            "errata": pt.get(TPM_PT.ERRATA) if revision >= 185 else None,
        },
        "modes": _names(TPMA_MODES(pt.get(TPM_PT.MODES, 0)).described()),
        "limits": {name.lower(): pt[TPM_PT[name]] for name in LIMITS if TPM_PT[name] in pt},
        **_state(pt),
        "algorithms": [TPM_ALG(one.alg).name for one in capabilities(tpm, TPM_CAP.ALGS)],
        "curves": [TPM_ECC(curve).name for curve in capabilities(tpm, TPM_CAP.ECC_CURVES)],
        "post_quantum": _names(TPMA_ML_PARAMETER_SET(pt.get(TPM_PT.ML_PARAMETER_SETS, 0)).described()),
        "pcr_banks": _banks(banks(tpm)),
        "commands": implemented,
        "missing_commands": missing,
    }


def _state(pt: dict[int, int]) -> dict[str, Any]:
    """Returns the TPM's lockout state, TPMA_PERMANENT and TPMA_STARTUP_CLEAR as a JSON object."""
    permanent = TPMA_PERMANENT(pt.get(TPM_PT.PERMANENT, 0))
    return {
        "lockout": {
            "locked_out": bool(permanent & TPMA_PERMANENT.IN_LOCKOUT),
            "failures": pt.get(TPM_PT.LOCKOUT_COUNTER, 0),
            "max_failures": pt.get(TPM_PT.MAX_AUTH_FAIL, 0),
            "interval_seconds": pt.get(TPM_PT.LOCKOUT_INTERVAL, 0),
            "recovery_seconds": pt.get(TPM_PT.LOCKOUT_RECOVERY, 0),
        },
        "permanent": _names(permanent.described()),
        "startup_clear": _names(TPMA_STARTUP_CLEAR(pt.get(TPM_PT.STARTUP_CLEAR, 0)).described()),
    }


def _text(pt: dict[int, int], which: int) -> str:
    """Returns the printable characters of the 32-bit value of property `which`, without surrounding spaces."""
    data = pt.get(which, 0).to_bytes(4, "big")
    return "".join(chr(byte) for byte in data if 0x20 <= byte < 0x7F).strip()


def _date(year: int, day: int) -> str | None:
    """Returns the ISO 8601 date of day number `day` (from 1) in a year; None if the date is invalid."""
    try:
        return (datetime.date(year, 1, 1) + datetime.timedelta(day - 1)).isoformat()
    except (ValueError, OverflowError):
        return None


def _names(described: str) -> list[str]:
    return [] if described == "0" else described.split("|")


def _banks(selections: Any) -> dict[str, list[int]]:
    return {
        format_pcrs((bank,)).partition(":")[0]: [number for _, number in pcrs_in((bank,))] for bank in selections
    }
