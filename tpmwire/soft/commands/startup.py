"""Soft TPM: start-up and shutdown commands (Part 3, §9)."""

from ...spec.commands.startup import Shutdown, Startup
from ...spec.constants import TPM_RH, TPM_SU
from ...spec.response_codes import TPM_RC
from ..refusal import Refusal, require
from ..registry import handles
from ..tpm_state import TpmState


@handles(Startup)
def startup(tpm: TpmState, command: Startup) -> None:
    """Starts the TPM (TPM2_Startup): a TPM reset, restart or resume.

    After TPM2_Shutdown(STATE), STATE resumes all saved state, and CLEAR restarts with a part of it.
    Source: Part 1, §12.2.3.
    """
    require(not tpm.started, TPM_RC.INITIALIZE)
    saved = tpm.orderly == TPM_SU.STATE
    if command.startup_type == TPM_SU.STATE and not saved:
        raise Refusal(TPM_RC.VALUE, "startup_type")
    tpm.was_orderly = tpm.orderly is not None
    tpm.orderly = None
    tpm.started = True
    tpm.transient.clear()
    tpm.sessions.clear()
    if not tpm.was_orderly:
        _recover(tpm)
    tpm.da_used = False
    if saved:
        tpm.restart_count += 1
    else:
        _reset(tpm)
    if command.startup_type == TPM_SU.STATE:
        tpm.pcrs.start(tpm.locality, tpm.pcrs.values)
        return
    for handle in (TPM_RH.OWNER, TPM_RH.ENDORSEMENT, TPM_RH.PLATFORM):
        tpm.hierarchies[handle].enabled = True
    platform = tpm.hierarchies[TPM_RH.PLATFORM]
    platform.auth, platform.policy, platform.policy_alg = b"", b"", 0x0010
    tpm.platform_nv = True
    tpm.pcr_auth = b""
    if tpm.next_banks:
        tpm.pcrs.allocated, tpm.next_banks = tpm.next_banks, {}
    tpm.forget_volatile_nv(reset=not saved)
    tpm.pcrs.start(tpm.locality)


def _recover(tpm: TpmState) -> None:
    """Marks the clock as unsafe after a start without TPM2_Shutdown (Part 1, §36.3).

    Counts one failed authorization if the authValue of a protected entity was used (Part 1, §19.8.6).
    """
    tpm.unsafe_from = tpm.clock
    lockout = tpm.lockout
    if tpm.da_used and lockout.recovery and lockout.failed < lockout.max_tries:
        lockout.fail(tpm.time // 1000)


def _reset(tpm: TpmState) -> None:
    """Resets the state that TPM2_Shutdown(STATE) would have saved (TPM Reset)."""
    tpm.reset_count += 1
    tpm.total_resets += 1
    tpm.restart_count = 0
    tpm.saved_sessions.clear()
    tpm.renew(TPM_RH.NULL)
    tpm.commit_counter, tpm.open_commits = 0, []
    tpm.audit_digest = b""


@handles(Shutdown)
def shutdown(tpm: TpmState, command: Shutdown) -> None:
    """Saves the state for the next TPM2_Startup before power is removed (TPM2_Shutdown)."""
    require(command.shutdown_type != TPM_SU.STATE or not tpm.next_banks, TPM_RC.TYPE, "shutdown_type")
    tpm.orderly = int(command.shutdown_type)
    tpm.da_used = False
