"""Checks a policy session against the command that it authorizes (Part 1, §19.7; Part 3, §5.6)."""

from ..crypto.formulas import digest, equal
from ..spec.command import Command, Role
from ..spec.constants import TPM_CC, TPMA_NV
from ..spec.response_codes import TPM_RC
from .entities import Entity, NvIndex
from .observer import note, show_code, show_handle
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

    def demand(holds: object, code: TPM_RC, requirement: str) -> None:
        note("policy", f"{requirement}: {'yes' if holds else 'no'}")
        if not holds:
            raise one.refused(code)

    same = session.auth_hash == entity.policy_alg and equal(policy.digest, entity.policy)
    shown = f"policyDigest {policy.digest.hex()} = authPolicy {entity.policy.hex() or 'empty'}"
    demand(same, TPM_RC.POLICY_FAIL, f"{shown} of {show_handle(entity.handle)}")
    if policy.timeout:
        demand(tpm.time <= policy.timeout, TPM_RC.EXPIRED, f"time {tpm.time} ms, at most {policy.timeout} ms")
    if policy.command_code:
        demand(policy.command_code == kind.code, TPM_RC.POLICY_CC, f"command {show_code(policy.command_code)}")
    elif one.role in (Role.ADMIN, Role.DUP):
        demand(False, TPM_RC.POLICY_FAIL, f"TPM2_PolicyCommandCode, which the role {one.role.name} needs")
    if policy.cp_hash:
        demand(equal(policy.cp_hash, cp_hash), TPM_RC.POLICY_FAIL, f"cpHash {policy.cp_hash.hex()}")
    if policy.name_hash:
        names = [tpm.entity(handle).name for handle in handles]
        ours = digest(session.auth_hash, *names)
        demand(equal(policy.name_hash, ours), TPM_RC.POLICY_FAIL, f"nameHash {policy.name_hash.hex()}")
    if policy.locality:
        wanted, here = int(policy.locality), tpm.locality
        allowed = wanted >> here & 1 if wanted < 32 else wanted == here
        demand(allowed, TPM_RC.LOCALITY, f"locality {here} is in 0x{wanted:02x}")
    if policy.presence:
        demand(False, TPM_RC.PP, "physical presence")
    if policy.checks_pcr:
        now = policy.pcr_counter == tpm.pcrs.counter
        demand(now, TPM_RC.PCR_CHANGED, f"pcrUpdateCounter {tpm.pcrs.counter} is still {policy.pcr_counter}")
    if policy.written is not None:
        # An entity that is not an NV index never satisfies TPM2_PolicyNvWritten.
        same = isinstance(entity, NvIndex) and entity.has(TPMA_NV.WRITTEN) == policy.written
        demand(same, TPM_RC.POLICY_FAIL, f"an NV index with TPMA_NV_WRITTEN = {policy.written}")
    if policy.template_hash:
        creates = kind.code in (TPM_CC.Create, TPM_CC.CreatePrimary, TPM_CC.CreateLoaded)
        demand(creates, TPM_RC.POLICY_FAIL, "a command that creates an object from a template")
