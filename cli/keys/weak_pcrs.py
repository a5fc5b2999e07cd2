"""Warns of PCRs that do not protect a key: PCRs that any program can reset, and PCRs without measurements."""

from collections.abc import Iterable, Mapping

from tpmwire.crypto.formulas import digest_size
from tpmwire.policy.pcr_selection import pcrs_in
from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import PolicyPCR
from tpmwire.spec.constants import TPM_ALG
from tpmwire.spec.structures import TPMS_PCR_SELECTION

from ..terminal.messages import warn

__all__ = ["warn_of_pcrs", "warn_of_policies"]

_RESETTABLE = {16, 23}
"""PCRs that locality 0, and so any program that can open the TPM, can reset (TCG PC Client PTP, §4.6).

17 to 22 are reset by the hardware or the system of a dynamic launch; without a dynamic launch, their bits are all
ones.
"""


def warn_of_pcrs(
    selection: "tuple[TPMS_PCR_SELECTION, ...]", values: "Mapping[tuple[TPM_ALG, int], bytes] | None" = None
) -> None:
    """Warns of weak PCRs among those that a key is bound to; `values` are their current or future values."""
    places = pcrs_in(selection)
    resettable = sorted({number for _, number in places} & _RESETTABLE)
    unused = sorted(
        {number for (_, number), value in (values or {}).items() if set(value) in ({0x00}, {0xFF})}
        & {number for _, number in places}
    )
    reasons = []
    if resettable:
        reasons.append(f"any program that can open the TPM can reset {_list_pcrs(resettable)}")
    if unused:
        reasons.append(f"nothing is measured into {_list_pcrs(unused)} (all zeros or all ones)")
    if reasons:
        warn(f"{' and '.join(reasons)}; these PCRs do not protect the key")


def warn_of_policies(policies: "Iterable[Policy]", alg: "TPM_ALG") -> None:
    """Warns of resettable and unused PCRs in policies whose objects have the nameAlg `alg`.

    A policy contains only a digest of the PCR values, so only all zeros and all ones are recognized.
    """
    for policy in policies:
        for statement in policy.statements:
            if not isinstance(statement, PolicyPCR):
                continue
            values = {}
            for byte in (b"\x00", b"\xff"):
                same = {place: byte * digest_size(place[0]) for place in pcrs_in(statement.pcrs)}
                if PolicyPCR.of_values(alg, statement.pcrs, same).pcr_digest == statement.pcr_digest:
                    values = same
            warn_of_pcrs(statement.pcrs, values)


def _list_pcrs(numbers: list[int]) -> str:
    return f"PCR{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
