"""Soft TPM: protection against dictionary attacks (Part 3, §25)."""

from ...spec.commands.dictionary import DictionaryAttackLockReset, DictionaryAttackParameters
from ..registry import handles
from ..tpm_state import TpmState


@handles(DictionaryAttackLockReset)
def dictionary_attack_lock_reset(tpm: TpmState, command: DictionaryAttackLockReset) -> None:
    """Resets the count of failed authorizations (TPM2_DictionaryAttackLockReset)."""
    tpm.lockout.failed = 0


@handles(DictionaryAttackParameters)
def dictionary_attack_parameters(tpm: TpmState, command: DictionaryAttackParameters) -> None:
    """Sets the maximum number of failures and the recovery times (TPM2_DictionaryAttackParameters)."""
    tpm.lockout.max_tries = command.new_max_tries
    tpm.lockout.recovery = command.new_recovery_time
    tpm.lockout.lockout_recovery = command.lockout_recovery
