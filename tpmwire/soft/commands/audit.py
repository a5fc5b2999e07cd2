"""Soft TPM: command audit (Part 3, §21)."""

from ...spec.commands.audit import SetCommandCodeAuditStatus
from ...spec.constants import TPM_ALG, TPM_CC
from ...spec.response_codes import TPM_RC
from ..refusal import Refusal
from ..registry import HANDLERS, handles
from ..tpm_state import ALGORITHM_CHANGED, TpmState

ALWAYS = TPM_CC.SetCommandCodeAuditStatus
NEVER = TPM_CC.Shutdown


@handles(SetCommandCodeAuditStatus)
def set_command_code_audit_status(tpm: TpmState, command: SetCommandCodeAuditStatus) -> None:
    """Sets the audit hash algorithm, or adds and removes audited commands (TPM2_SetCommandCodeAuditStatus)."""
    if command.audit_alg not in (TPM_ALG.NULL, tpm.audit_alg):
        if command.set_list or command.clear_list:
            raise Refusal(TPM_RC.VALUE, "audit_alg")
        tpm.audit_alg, tpm.audit_digest = command.audit_alg, ALGORITHM_CHANGED
        return
    tpm.audit_commands |= {int(code) for code in command.set_list if code in HANDLERS and code != NEVER}
    tpm.audit_commands -= {int(code) for code in command.clear_list if code != ALWAYS}
