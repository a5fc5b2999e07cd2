"""Checks that the keys of profiles can be used with the PCR values of this boot."""

import os
from collections.abc import Iterator, Sequence

from tpmwire.channel import read_loaded
from tpmwire.policy.pcr_selection import format_pcrs
from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import PolicyAuthValue, PolicyPCR
from tpmwire.spec.constants import TPM_ALG
from tpmwire.spec.structures import TPMS_PCR_SELECTION, TPMT_PUBLIC
from tpmwire.state.pcrs import read_pcrs
from tpmwire.tpm import Tpm

from ..credentials.settings import RunSettings
from ..lifecycle.profile_keys import ProfileKey
from ..terminal.files import read_key_file
from ..terminal.options import pcrs_from
from ..tpm.inventory import list_handles
from .finding import Finding
from .keys import examine_profiles
from .machine import Machine
from .registry import register

__all__ = ["check_pcrs"]


@register
def check_pcrs(machine: Machine) -> Iterator[Finding]:
    """Checks that the PCR values of this boot match the policy of each profile's key."""
    return examine_profiles(machine, _pcrs)


def _pcrs(tpm: Tpm, each: ProfileKey, settings: RunSettings) -> Finding | None:
    place, selection = each.place, pcrs_from(settings.pcrs) if settings.pcrs else None
    if place is None:
        return None
    if place.file:
        file = read_key_file(place.file) if os.path.isfile(place.file) else None
        if file is None:
            return None
        if file.policy:
            return _steps(tpm, Policy.ways(file.policy, file.public), file.public.name_alg)
        return _digest(tpm, file.public, selection) if selection else None
    if selection is None or place.handle not in list_handles(tpm, "persistent"):
        return None
    return _digest(tpm, read_loaded(tpm, place.handle or 0).public, selection)


def _digest(tpm: Tpm, public: TPMT_PUBLIC, selection: tuple[TPMS_PCR_SELECTION, ...]) -> Finding:
    """Returns a finding: whether the key's authPolicy requires the current PCR values.

    The policy may also require the password.
    """
    current = _now(tpm, public.name_alg, selection)
    policies = (Policy(current), Policy(current, PolicyAuthValue()))
    return _fits([selection], public.auth_policy in (policy.digest(public.name_alg) for policy in policies))


def _steps(tpm: Tpm, policies: Sequence[Policy], alg: TPM_ALG) -> Finding | None:
    """Returns a finding: whether one of a key file's alternative policies requires the current PCR values.

    Returns None if a policy has no PolicyPCR.
    """
    ways = [[one for one in policy.statements if isinstance(one, PolicyPCR)] for policy in policies]
    if not all(ways):
        return None
    fitting = any(all(one.pcr_digest in (b"", _now(tpm, alg, one.pcrs).pcr_digest) for one in way) for way in ways)
    return _fits([one.pcrs for way in ways for one in way], fitting)


def _now(tpm: Tpm, alg: TPM_ALG, selection: tuple[TPMS_PCR_SELECTION, ...]) -> PolicyPCR:
    return PolicyPCR.of_values(alg, selection, read_pcrs(tpm, selection))


def _fits(selections: Sequence[tuple[TPMS_PCR_SELECTION, ...]], fitting: bool) -> Finding:
    names = " or ".join(dict.fromkeys(map(format_pcrs, selections)))
    if fitting:
        return Finding.ok(f"the values of {names} match the key's policy")
    return Finding.error(
        f"the values of {names} do not match the key's policy",
        "import the key again for the current values (`tpmwire policy --help` explains alternatives)",
    )
