"""Checks a policy session against the command that it authorizes (Part 1, §19.7; Part 3, §5.6)."""

from ..crypto.formulas import digest, equal
from ..spec.command import Command, Role
from ..spec.constants import TPM_CC, TPMA_NV
from ..spec.response_codes import TPM_RC
from .entities import Entity, NvIndex
from .session import Authorization
from .tpm_state import TpmState

__all__ = ["check_policy"]


def check_policy(
    tpm: TpmState,
    one: Authorization,
    entity: Entity,
    kind: type[Command],
    handles: tuple[int, ...],
    cp_hash: bytes,
) -> None:
    """Raises Refusal unless the policy session of authorization `one` allows the command on `entity`.

    `kind` is the command's class, `handles` are its handles.
    """
    assert one.session is not None
    session, policy = one.session, one.session.policy
    if session.auth_hash != entity.policy_alg or not equal(policy.digest, entity.policy):
        raise one.refused(TPM_RC.POLICY_FAIL)
    if policy.timeout and tpm.time > policy.timeout:
        raise one.refused(TPM_RC.EXPIRED)
    if policy.command_code and policy.command_code != kind.code:
        raise one.refused(TPM_RC.POLICY_CC)
    if not policy.command_code and one.role in (Role.ADMIN, Role.DUP):
        raise one.refused(TPM_RC.POLICY_FAIL)
    if policy.cp_hash and not equal(policy.cp_hash, cp_hash):
        raise one.refused(TPM_RC.POLICY_FAIL)
    if policy.name_hash:
        names = [tpm.entity(handle).name for handle in handles]
        if not equal(policy.name_hash, digest(session.auth_hash, *names)):
            raise one.refused(TPM_RC.POLICY_FAIL)
    if policy.locality:
        wanted = int(policy.locality)
        here = tpm.locality
        if not (wanted >> here & 1 if wanted < 32 else wanted == here):
            raise one.refused(TPM_RC.LOCALITY)
    if policy.presence:
        raise one.refused(TPM_RC.PP)
    if policy.checks_pcr and policy.pcr_counter != tpm.pcrs.counter:
        raise one.refused(TPM_RC.PCR_CHANGED)
    written = entity.has(TPMA_NV.WRITTEN) if isinstance(entity, NvIndex) else policy.written
    if policy.written is not None and written != policy.written:
        raise one.refused(TPM_RC.POLICY_FAIL)
    if policy.template_hash and kind.code not in (TPM_CC.Create, TPM_CC.CreatePrimary, TPM_CC.CreateLoaded):
        raise one.refused(TPM_RC.POLICY_FAIL)
    tpm.note("policyDigest", f"{policy.digest.hex()} is the authPolicy")
