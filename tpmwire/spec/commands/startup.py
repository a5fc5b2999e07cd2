"""TPM 2.0 Part 3, §9: start-up."""

from ..command import Command
from ..constants import TPM_CC
from ..structures import TPM_SU_ID


class Startup(Command, code=TPM_CC.Startup, spec="Part 3 §9.3"):
    """Starts the TPM after a reset; on a real machine the firmware or the kernel does so."""

    sessions = False

    startup_type: TPM_SU_ID


class Shutdown(Command, code=TPM_CC.Shutdown, spec="Part 3 §9.4"):
    """Prepares the TPM for a loss of power."""

    shutdown_type: TPM_SU_ID
