"""TPM 2.0 Part 3, §25: dictionary attack protection."""

from typing import Annotated

from ..command import USER, Command
from ..constants import TPM_CC, TPM_RH
from ..structures import TPMI_RH_LOCKOUT, UINT32


class DictionaryAttackLockReset(Command, code=TPM_CC.DictionaryAttackLockReset, spec="Part 3 §25.2"):
    """Ends a lockout and sets the count of failed authorizations to zero."""

    lock_handle: Annotated[TPMI_RH_LOCKOUT, USER] = TPM_RH.LOCKOUT


class DictionaryAttackParameters(Command, code=TPM_CC.DictionaryAttackParameters, spec="Part 3 §25.3"):
    """Sets the failures until lockout, and the seconds to recover from a failure and from a wrong lockoutAuth."""

    lock_handle: Annotated[TPMI_RH_LOCKOUT, USER]
    new_max_tries: UINT32
    new_recovery_time: UINT32
    lockout_recovery: UINT32
