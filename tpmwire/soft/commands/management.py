"""Soft TPM: miscellaneous management commands (Part 3, §26).

It has no physical presence, and one algorithm set.
"""

from ...spec.commands.management import PP_Commands, SetAlgorithmSet
from ...spec.response_codes import TPM_RC
from ..refusal import Refusal
from ..registry import handles
from ..tpm_state import TpmState


@handles(PP_Commands)
def pp_commands(tpm: TpmState, command: PP_Commands) -> None:
    """Raises Refusal: the soft TPM does not support physical presence (TPM2_PP_Commands)."""
    raise Refusal(TPM_RC.PP, session=1)


@handles(SetAlgorithmSet)
def set_algorithm_set(tpm: TpmState, command: SetAlgorithmSet) -> None:
    """Accepts any algorithm set without effect (TPM2_SetAlgorithmSet)."""
