"""Soft TPM: hierarchy commands (Part 3, §24)."""

from ...crypto.formulas import digest_size, trimmed
from ...spec.commands.hierarchy import (
    ChangeEPS,
    ChangePPS,
    Clear,
    ClearControl,
    CreatePrimary,
    HierarchyChangeAuth,
    HierarchyControl,
    SetPrimaryPolicy,
)
from ...spec.constants import TPM_ALG, TPM_HT, TPM_RH, TPMA_NV
from ...spec.response_codes import TPM_RC
from ..creation import create_primary, creation_data
from ..refusal import Refusal, require
from ..registry import handles
from ..tpm_state import Lockout, TpmState


@handles(CreatePrimary)
def create_primary_object(tpm: TpmState, command: CreatePrimary) -> CreatePrimary.Response:
    """Creates and loads a primary object, derived from the hierarchy's seed (TPM2_CreatePrimary)."""
    tpm.check_memory()
    hierarchy = command.primary_handle
    made = create_primary(tpm, hierarchy, command.in_public, command.in_sensitive)
    data, hashed, ticket = creation_data(
        tpm, made.public, None, hierarchy, command.outside_info, command.creation_pcr
    )
    handle = tpm.add_transient(made)
    return CreatePrimary.Response(handle, made.public, data, hashed, ticket, made.name)


@handles(HierarchyChangeAuth)
def hierarchy_change_auth(tpm: TpmState, command: HierarchyChangeAuth) -> None:
    """Sets the authValue of a hierarchy or of lockout (TPM2_HierarchyChangeAuth)."""
    auth = trimmed(command.new_auth)
    require(len(auth) <= digest_size(TPM_ALG.SHA512), TPM_RC.SIZE, "new_auth")
    tpm.hierarchies[command.auth_handle].auth = auth


@handles(SetPrimaryPolicy)
def set_primary_policy(tpm: TpmState, command: SetPrimaryPolicy) -> None:
    """Sets the policy of a hierarchy or of lockout (TPM2_SetPrimaryPolicy)."""
    size = 0 if command.hash_alg == TPM_ALG.NULL else digest_size(command.hash_alg)
    require(len(command.auth_policy) == size, TPM_RC.SIZE, "auth_policy")
    hierarchy = tpm.hierarchies[command.auth_handle]
    hierarchy.policy, hierarchy.policy_alg = command.auth_policy, command.hash_alg


@handles(HierarchyControl)
def hierarchy_control(tpm: TpmState, command: HierarchyControl) -> None:
    """Enables or disables a hierarchy (TPM2_HierarchyControl). Only the platform can enable a hierarchy."""
    own = command.auth_handle == command.enable
    platform = command.auth_handle == TPM_RH.PLATFORM
    if not platform and (not own or (command.state and not tpm.hierarchies[command.enable].enabled)):
        raise Refusal(TPM_RC.AUTH_TYPE)
    if command.enable == TPM_RH.PLATFORM_NV:
        tpm.platform_nv = bool(command.state)
        return
    tpm.hierarchies[command.enable].enabled = bool(command.state)
    if not command.state:
        tpm.flush_hierarchy(command.enable)


@handles(Clear)
def clear(tpm: TpmState, command: Clear) -> None:
    """Removes the objects and NV indices of the owner and endorsement hierarchies (TPM2_Clear).

    Also resets the authorizations of both hierarchies and of lockout, and the clock.
    """
    if tpm.disable_clear:
        raise Refusal(TPM_RC.DISABLED)
    for handle in (TPM_RH.OWNER, TPM_RH.ENDORSEMENT):
        tpm.flush_hierarchy(handle)
        hierarchy = tpm.hierarchies[handle]
        hierarchy.auth, hierarchy.policy, hierarchy.policy_alg, hierarchy.enabled = b"", b"", TPM_ALG.NULL, True
    tpm.renew(TPM_RH.OWNER)
    tpm.hierarchies[TPM_RH.ENDORSEMENT].proof = tpm.generator.bytes(64)
    lockout = tpm.hierarchies[TPM_RH.LOCKOUT]
    lockout.auth, lockout.policy, lockout.policy_alg = b"", b"", TPM_ALG.NULL
    tpm.lockout = Lockout()
    for number, found in list(tpm.persistent.items()):
        if found.hierarchy != TPM_RH.PLATFORM:
            del tpm.persistent[number]
    for number, index in list(tpm.indices.items()):
        if not index.has(TPMA_NV.PLATFORMCREATE):
            del tpm.indices[number]
    tpm.clock_offset = -tpm.time
    tpm.reset_count = tpm.restart_count = 0
    tpm.unsafe_from = None


@handles(ClearControl)
def clear_control(tpm: TpmState, command: ClearControl) -> None:
    """Enables or disables TPM2_Clear (TPM2_ClearControl). Only platform authorization can enable TPM2_Clear."""
    if command.auth == TPM_RH.LOCKOUT and not command.disable:
        raise Refusal(TPM_RC.AUTH_FAIL)
    tpm.disable_clear = bool(command.disable)


@handles(ChangePPS)
def change_pps(tpm: TpmState, command: ChangePPS) -> None:
    """Replaces the platform seed and proof, and removes the policy of PCRs (TPM2_ChangePPS)."""
    _change(tpm, TPM_RH.PLATFORM)
    tpm.pcr_policy, tpm.pcr_policy_alg = b"", TPM_ALG.NULL


@handles(ChangeEPS)
def change_eps(tpm: TpmState, command: ChangeEPS) -> None:
    """Replaces the endorsement seed and proof, and clears endorsementAuth and its policy (TPM2_ChangeEPS)."""
    _change(tpm, TPM_RH.ENDORSEMENT)
    hierarchy = tpm.hierarchies[TPM_RH.ENDORSEMENT]
    hierarchy.auth, hierarchy.enabled = b"", True


def _change(tpm: TpmState, handle: int) -> None:
    tpm.renew(handle)
    tpm.flush_hierarchy(handle)
    hierarchy = tpm.hierarchies[handle]
    hierarchy.policy, hierarchy.policy_alg = b"", TPM_ALG.NULL
    for number, found in list(tpm.persistent.items()):
        if found.hierarchy == handle and number >> 24 == TPM_HT.PERSISTENT:
            del tpm.persistent[number]
