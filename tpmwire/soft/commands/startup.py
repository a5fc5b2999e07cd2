"""Soft TPM: start-up and shutdown commands (Part 3, §9)."""

from ...spec.commands.startup import Shutdown, Startup
from ...spec.constants import TPM_RH, TPM_SU
from ...spec.response_codes import TPM_RC
from ..refusal import Refusal, require
from ..registry import handles
from ..tpm_state import TpmState


@handles(Startup)
def startup(tpm: TpmState, command: Startup) -> None:
    """Starts the TPM: resets the state, or resumes the state saved by TPM2_Shutdown(STATE) (TPM2_Startup)."""
    require(not tpm.started, TPM_RC.INITIALIZE)
    resume = command.startup_type == TPM_SU.STATE
    if resume and tpm.orderly != TPM_SU.STATE:
        raise Refusal(TPM_RC.VALUE, "startup_type")
    kept = tpm.pcrs.values if tpm.orderly == TPM_SU.STATE else None
    tpm.started = True
    tpm.transient.clear()
    tpm.sessions.clear()
    if resume:
        tpm.restart_count += 1
    else:
        tpm.reset_count += 1
        tpm.total_resets += 1
        tpm.restart_count = 0
        tpm.saved_sessions.clear()
        tpm.renew(TPM_RH.NULL)
        kept = None
        for handle in (TPM_RH.OWNER, TPM_RH.ENDORSEMENT, TPM_RH.PLATFORM):
            tpm.hierarchies[handle].enabled = True
        platform = tpm.hierarchies[TPM_RH.PLATFORM]
        platform.auth, platform.policy, platform.policy_alg = b"", b"", 0x0010
        tpm.platform_nv = True
        tpm.pcr_auth = b""
        if tpm.next_banks:
            tpm.pcrs.allocated, tpm.next_banks = tpm.next_banks, {}
        tpm.forget_volatile_nv()
    tpm.pcrs.start(tpm.locality, kept)
    tpm.orderly = None


@handles(Shutdown)
def shutdown(tpm: TpmState, command: Shutdown) -> None:
    """Saves the state for the next TPM2_Startup before power is removed (TPM2_Shutdown)."""
    require(command.shutdown_type != TPM_SU.STATE or not tpm.next_banks, TPM_RC.TYPE, "shutdown_type")
    tpm.orderly = int(command.shutdown_type)
