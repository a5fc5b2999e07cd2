"""Soft TPM: capability commands (Part 3, §30)."""

from collections.abc import Sequence
from typing import Any

from ...spec.capabilities import (
    TPMS_ALG_PROPERTY,
    TPMS_CAPABILITY_DATA,
    TPMS_TAGGED_PCR_SELECT,
    TPMS_TAGGED_POLICY,
    TPMS_TAGGED_PROPERTY,
)
from ...spec.command import command_class, role_of
from ...spec.commands.capability import GetCapability, TestParms
from ...spec.constants import TPM_ALG, TPM_CC, TPM_ECC, TPM_HT, TPM_RH
from ...spec.properties import TPM_CAP, TPM_PT, TPM_PT_PCR, TPMA_ALGORITHM, TPMA_CC, TPMA_ML_PARAMETER_SET
from ...spec.response_codes import TPM_RC
from ...spec.structures import TPMS_PCR_SELECTION, TPMT_HA
from .. import postquantum
from ..faults import ECC_ALGORITHMS
from ..interfaces import CURVES
from ..pcr_banks import AUTHORIZED, COUNT, EXTEND_LOCALITIES, RESET_LOCALITIES, SAVED, UNCOUNTED
from ..refusal import Refusal
from ..registry import HANDLERS, handles
from ..tpm_state import CLOCK_UPDATE, LOADED_MAX, SESSIONS_MAX, TpmState

A = TPMA_ALGORITHM
ALGORITHMS = {
    TPM_ALG.RSA: A.ASYMMETRIC | A.OBJECT,
    TPM_ALG.SHA1: A.HASH,
    TPM_ALG.HMAC: A.HASH | A.SIGNING,
    TPM_ALG.AES: A.SYMMETRIC,
    TPM_ALG.MGF1: A.HASH | A.METHOD,
    TPM_ALG.KEYEDHASH: A.HASH | A.OBJECT | A.SIGNING | A.ENCRYPTING,
    TPM_ALG.XOR: A.HASH | A.SYMMETRIC,
    TPM_ALG.SHA256: A.HASH,
    TPM_ALG.SHA384: A.HASH,
    TPM_ALG.SHA512: A.HASH,
    TPM_ALG.RSASSA: A.ASYMMETRIC | A.SIGNING,
    TPM_ALG.RSAES: A.ASYMMETRIC | A.ENCRYPTING,
    TPM_ALG.RSAPSS: A.ASYMMETRIC | A.SIGNING,
    TPM_ALG.OAEP: A.ASYMMETRIC | A.ENCRYPTING,
    TPM_ALG.ECDSA: A.ASYMMETRIC | A.SIGNING,
    TPM_ALG.ECDH: A.ASYMMETRIC | A.METHOD,
    TPM_ALG.ECDAA: A.ASYMMETRIC | A.SIGNING,
    TPM_ALG.SM2: A.ASYMMETRIC | A.SIGNING | A.METHOD,
    TPM_ALG.ECSCHNORR: A.ASYMMETRIC | A.SIGNING,
    TPM_ALG.ECMQV: A.ASYMMETRIC | A.METHOD,
    TPM_ALG.CMAC: A.SYMMETRIC | A.SIGNING,
    TPM_ALG.KDF1_SP800_56A: A.HASH | A.METHOD,
    TPM_ALG.KDF2: A.HASH | A.METHOD,
    TPM_ALG.KDF1_SP800_108: A.HASH | A.METHOD,
    TPM_ALG.ECC: A.ASYMMETRIC | A.OBJECT,
    TPM_ALG.SYMCIPHER: A.OBJECT,
    TPM_ALG.CTR: A.SYMMETRIC | A.ENCRYPTING,
    TPM_ALG.OFB: A.SYMMETRIC | A.ENCRYPTING,
    TPM_ALG.CBC: A.SYMMETRIC | A.ENCRYPTING,
    TPM_ALG.CFB: A.SYMMETRIC | A.ENCRYPTING,
    TPM_ALG.ECB: A.SYMMETRIC | A.ENCRYPTING,
}
ALGORITHMS.update(
    (alg, A.ASYMMETRIC | A.OBJECT | (A.ENCRYPTING if alg == TPM_ALG.MLKEM else A.SIGNING))
    for alg in postquantum.TYPES
)

CHANGES_NV = {*range(0x11F, 0x13D), 0x13F, 0x140, *range(0x142, 0x147)} - {
    TPM_CC.ClockRateAdjust,
    TPM_CC.CreatePrimary,
}
CHANGES_NV |= {TPM_CC.PCR_Reset, TPM_CC.NV_ReadLock, TPM_CC.PCR_Extend, TPM_CC.EventSequenceComplete}
"""Commands that may write NV memory (the mark {NV} in Part 3)."""
EXTENSIVE = (TPM_CC.HierarchyControl, TPM_CC.ChangeEPS, TPM_CC.ChangePPS, TPM_CC.Clear)
"""Commands that may flush many objects (the mark {NV E} in Part 3)."""


def _text(text: bytes) -> int:
    return int.from_bytes(text.ljust(4, b"\0"), "big")


def _list_commands(tpm: TpmState) -> list[int]:
    """Returns the codes of the supported commands in ascending order."""
    return sorted({*HANDLERS} - tpm.faults.missing_commands)


def _list_curves(tpm: TpmState) -> tuple[TPM_ECC, ...]:
    return () if tpm.faults.no_ecc else CURVES


def _fixed(tpm: TpmState) -> dict[int, int]:
    return {
        TPM_PT.FAMILY_INDICATOR: _text(b"2.0"),
        TPM_PT.LEVEL: 0,
        TPM_PT.REVISION: 164,
        TPM_PT.DAY_OF_YEAR: 75,
        TPM_PT.YEAR: 2021,
        TPM_PT.MANUFACTURER: _text(b"SOFT"),
        TPM_PT.VENDOR_STRING_1: _text(b"tpmw"),
        TPM_PT.VENDOR_STRING_2: _text(b"ire"),
        TPM_PT.VENDOR_STRING_3: 0,
        TPM_PT.VENDOR_STRING_4: 0,
        TPM_PT.VENDOR_TPM_TYPE: 1,
        TPM_PT.FIRMWARE_VERSION_1: 0,
        TPM_PT.FIRMWARE_VERSION_2: 1,
        TPM_PT.INPUT_BUFFER: 1024,
        TPM_PT.HR_TRANSIENT_MIN: LOADED_MAX,
        TPM_PT.HR_PERSISTENT_MIN: 7,
        TPM_PT.HR_LOADED_MIN: LOADED_MAX,
        TPM_PT.ACTIVE_SESSIONS_MAX: SESSIONS_MAX,
        TPM_PT.PCR_COUNT: COUNT,
        TPM_PT.PCR_SELECT_MIN: 3,
        TPM_PT.CONTEXT_GAP_MAX: 0xFFFF,
        TPM_PT.NV_COUNTERS_MAX: 0,
        TPM_PT.NV_INDEX_MAX: 2048,
        TPM_PT.MEMORY: 6,
        TPM_PT.CLOCK_UPDATE: CLOCK_UPDATE,
        TPM_PT.CONTEXT_HASH: TPM_ALG.SHA512,
        TPM_PT.CONTEXT_SYM: TPM_ALG.AES,
        TPM_PT.CONTEXT_SYM_SIZE: 256,
        TPM_PT.ORDERLY_COUNT: 255,
        TPM_PT.MAX_COMMAND_SIZE: 8192,
        TPM_PT.MAX_RESPONSE_SIZE: 8192,
        TPM_PT.MAX_DIGEST: 64,
        TPM_PT.MAX_OBJECT_CONTEXT: 2692,
        TPM_PT.MAX_SESSION_CONTEXT: 404,
        TPM_PT.PS_FAMILY_INDICATOR: _text(b"2.0"),
        TPM_PT.PS_LEVEL: 0,
        TPM_PT.PS_REVISION: 164,
        TPM_PT.PS_DAY_OF_YEAR: 75,
        TPM_PT.PS_YEAR: 2021,
        TPM_PT.SPLIT_MAX: 128,
        TPM_PT.TOTAL_COMMANDS: len(_list_commands(tpm)),
        TPM_PT.LIBRARY_COMMANDS: len(_list_commands(tpm)),
        TPM_PT.VENDOR_COMMANDS: 0,
        TPM_PT.NV_BUFFER_MAX: 1024,
        TPM_PT.MODES: 0,
        TPM_PT.MAX_CAP_BUFFER: 1024,
        TPM_PT.ML_PARAMETER_SETS: TPMA_ML_PARAMETER_SET(0x7F) if postquantum.TYPES else 0,
    }


def _variable(tpm: TpmState) -> dict[int, int]:
    owner, endorsement = tpm.hierarchies[TPM_RH.OWNER], tpm.hierarchies[TPM_RH.ENDORSEMENT]
    platform, lockout = tpm.hierarchies[TPM_RH.PLATFORM], tpm.hierarchies[TPM_RH.LOCKOUT]
    permanent = (
        bool(owner.auth)
        | bool(endorsement.auth) << 1
        | bool(lockout.auth) << 2
        | tpm.disable_clear << 8
        | (tpm.lockout.failed >= tpm.lockout.max_tries) << 9
        | 1 << 10
    )
    startup = platform.enabled | owner.enabled << 1 | endorsement.enabled << 2 | tpm.platform_nv << 3
    startup |= tpm.was_orderly << 31
    sessions = len(tpm.sessions)
    return {
        TPM_PT.PERMANENT: permanent,
        TPM_PT.STARTUP_CLEAR: startup,
        TPM_PT.HR_NV_INDEX: len(tpm.indices),
        TPM_PT.HR_LOADED: sessions,
        TPM_PT.HR_LOADED_AVAIL: LOADED_MAX - sessions,
        TPM_PT.HR_ACTIVE: sessions + len(tpm.saved_sessions),
        TPM_PT.HR_ACTIVE_AVAIL: SESSIONS_MAX - sessions - len(tpm.saved_sessions),
        TPM_PT.HR_TRANSIENT_AVAIL: LOADED_MAX - len(tpm.transient),
        TPM_PT.HR_PERSISTENT: len(tpm.persistent),
        TPM_PT.HR_PERSISTENT_AVAIL: max(0, 7 - len(tpm.persistent)),
        TPM_PT.NV_COUNTERS: sum(index.type == 1 for index in tpm.indices.values()),
        TPM_PT.NV_COUNTERS_AVAIL: 16,
        TPM_PT.ALGORITHM_SET: 0,
        TPM_PT.LOADED_CURVES: len(_list_curves(tpm)),
        TPM_PT.LOCKOUT_COUNTER: tpm.lockout.failed,
        TPM_PT.MAX_AUTH_FAIL: tpm.lockout.max_tries,
        TPM_PT.LOCKOUT_INTERVAL: tpm.lockout.recovery,
        TPM_PT.LOCKOUT_RECOVERY: tpm.lockout.lockout_recovery,
        TPM_PT.NV_WRITE_RECOVERY: 0,
        TPM_PT.AUDIT_COUNTER_0: tpm.audit_counter >> 32,
        TPM_PT.AUDIT_COUNTER_1: tpm.audit_counter & 0xFFFFFFFF,
    }


def command_attributes(code: int) -> TPMA_CC:
    """Returns the TPMA_CC attributes of the command with this command code (Part 2, §8.9)."""
    kind = command_class(code)
    assert kind is not None
    count = len(kind.handle_fields())
    returns = any(role_of(a) is not None for _, a in kind.Response.fields())
    value = code | count << 25 | returns << 28
    if kind.flushes is not None and kind.flushes in dict(kind.handle_fields()):
        value |= TPMA_CC.FLUSHED
    if code in CHANGES_NV:
        value |= TPMA_CC.NV
    if code in EXTENSIVE:
        value |= TPMA_CC.EXTENSIVE
    return TPMA_CC(value)


def _handles(tpm: TpmState, first: int) -> list[int]:
    kind = first >> 24
    found: list[int] | range = []
    if kind == TPM_HT.PCR:
        found = range(COUNT)
    elif kind == TPM_HT.NV_INDEX:
        found = list(tpm.indices)
    elif kind == TPM_HT.HMAC_SESSION:  # loaded sessions of each kind
        loaded = (handle for handle in tpm.sessions if handle & 0xFFFFFF >= first & 0xFFFFFF)
        return sorted(loaded, key=lambda handle: handle & 0xFFFFFF)
    elif kind == TPM_HT.POLICY_SESSION:  # saved sessions of each kind
        found = [TPM_HT.HMAC_SESSION << 24 | handle & 0xFFFFFF for handle in tpm.saved_sessions]
        first = TPM_HT.HMAC_SESSION << 24 | first & 0xFFFFFF
    elif kind == TPM_HT.PERMANENT:
        found = [TPM_RH.OWNER, TPM_RH.NULL, TPM_RH.PW, *range(TPM_RH.LOCKOUT, TPM_RH.PLATFORM_NV + 1)]
    elif kind == TPM_HT.TRANSIENT:
        found = list(tpm.transient)
    elif kind == TPM_HT.PERSISTENT:
        found = list(tpm.persistent)
    else:
        raise Refusal(TPM_RC.HANDLE, "property_")
    return [handle for handle in sorted(found) if handle >= first]


def _pcr_properties() -> list[TPMS_TAGGED_PCR_SELECT]:
    def mask(numbers: Sequence[int]) -> bytes:
        bits = sum(1 << number for number in numbers)
        return bits.to_bytes(3, "little")

    found = [TPMS_TAGGED_PCR_SELECT(TPM_PT_PCR.SAVE, mask(SAVED))]
    for locality in range(5):
        for tag, table in (
            (TPM_PT_PCR.EXTEND_L0 + 2 * locality, EXTEND_LOCALITIES),
            (TPM_PT_PCR.RESET_L0 + 2 * locality, RESET_LOCALITIES),
        ):
            numbers = [n for n in range(COUNT) if table[n] >> locality & 1]
            found.append(TPMS_TAGGED_PCR_SELECT(TPM_PT_PCR(tag), mask(numbers)))
    drtm = range(17, 23)
    found.append(TPMS_TAGGED_PCR_SELECT(TPM_PT_PCR.NO_INCREMENT, mask(UNCOUNTED)))
    found.append(TPMS_TAGGED_PCR_SELECT(TPM_PT_PCR.DRTM_RESET, mask(drtm)))
    found.append(TPMS_TAGGED_PCR_SELECT(TPM_PT_PCR.POLICY, mask(AUTHORIZED)))
    found.append(TPMS_TAGGED_PCR_SELECT(TPM_PT_PCR.AUTH, mask(AUTHORIZED)))
    return found


def _values(tpm: TpmState, capability: int, first: int) -> tuple[list[Any], int]:
    """Returns (values of a capability from `first` on, maximum number of values in one response)."""
    if capability == TPM_CAP.ALGS:
        missing = ECC_ALGORITHMS if tpm.faults.no_ecc else ()
        found = {alg: bits for alg, bits in ALGORITHMS.items() if alg >= first and alg not in missing}
        return [TPMS_ALG_PROPERTY(alg, bits) for alg, bits in sorted(found.items())], 169
    if capability == TPM_CAP.HANDLES:
        return _handles(tpm, first), 254
    if capability == TPM_CAP.COMMANDS:
        return [command_attributes(code) for code in _list_commands(tpm) if code >= first], 254
    if capability == TPM_CAP.PP_COMMANDS:
        return [], 254
    if capability == TPM_CAP.AUDIT_COMMANDS:
        return [TPM_CC(code) for code in sorted(tpm.audit_commands) if code >= first], 254
    if capability == TPM_CAP.PCRS:
        if first:
            raise Refusal(TPM_RC.VALUE, "property_")
        return [TPMS_PCR_SELECTION(TPM_ALG(alg), mask) for alg, mask in tpm.pcrs.allocated.items()], 16
    if capability == TPM_CAP.TPM_PROPERTIES:
        values = {**_fixed(tpm), **_variable(tpm)}
        # A group is returned at a time: fixed or variable (Part 3, §30.2).
        group = {number: value for number, value in values.items() if number >= first}
        if group:
            lowest = min(group) & ~0xFF
            group = {n: v for n, v in group.items() if n & ~0xFF == lowest}
        return [TPMS_TAGGED_PROPERTY(TPM_PT(n), v) for n, v in sorted(group.items())], 127
    if capability == TPM_CAP.PCR_PROPERTIES:
        return [found for found in _pcr_properties() if found.tag >= first], 256
    if capability == TPM_CAP.ECC_CURVES:
        return [curve for curve in _list_curves(tpm) if curve >= first], 508
    if capability == TPM_CAP.AUTH_POLICIES:
        if first >> 24 != TPM_HT.PERMANENT:
            raise Refusal(TPM_RC.VALUE, "property_")
        return _policies(tpm, first), 14
    raise Refusal(TPM_RC.VALUE, "capability")


def _policies(tpm: TpmState, first: int) -> list[TPMS_TAGGED_POLICY]:
    found = []
    for handle in (TPM_RH.OWNER, TPM_RH.LOCKOUT, TPM_RH.ENDORSEMENT, TPM_RH.PLATFORM):
        hierarchy = tpm.hierarchies[handle]
        if handle >= first:
            value = TPMT_HA(TPM_ALG(hierarchy.policy_alg), hierarchy.policy or None)
            found.append(TPMS_TAGGED_POLICY(handle, value))
    return found


@handles(GetCapability)
def get_capability(tpm: TpmState, command: GetCapability) -> GetCapability.Response:
    """Returns the values of a capability, and whether more values follow (TPM2_GetCapability)."""
    values, fits = _values(tpm, command.capability, command.property_)
    # The banks are returned as a whole (Part 3, §30.2).
    some = values if command.capability == TPM_CAP.PCRS else values[: min(command.property_count, fits)]
    more = len(some) < len(values) or _more_properties(tpm, command, some)
    return GetCapability.Response(more, TPMS_CAPABILITY_DATA(command.capability, tuple(some)))


def _more_properties(tpm: TpmState, command: GetCapability, some: list[Any]) -> bool:
    """Returns whether variable TPM properties follow the properties in `some`, which the response contains."""
    if command.capability != TPM_CAP.TPM_PROPERTIES or not some:
        return False
    return bool(some[-1].property < TPM_PT.PERMANENT)


@handles(TestParms)
def test_parms(tpm: TpmState, command: TestParms) -> None:
    """Accepts every combination of algorithms that the parser has accepted (TPM2_TestParms)."""
