"""Opens the TPM that the options or the environment select."""

from tpmwire.tpm import Tpm

from ..terminal.options import TpmSettings
from ..terminal.progress import activity
from .cleanup import finish_in_background
from .path import connect
from .waiting import ShownTpm

__all__ = ["open_tpm"]


def open_tpm(args: TpmSettings, *, timeout: float | None = None, for_one_use: bool = False) -> Tpm:
    """Opens the TPM that the options or the environment select; `timeout` (in seconds) overrides --timeout.

    With `for_one_use`, the TPM is closed after one use of a key. If a signal or a timeout interrupts a command, a
    background process flushes the handle in the late response. Raises TransportError if the TPM cannot be reached.
    """
    with activity("waiting until the TPM can be opened"):
        transport = connect(args.tpm_path, args.timeout if timeout is None else timeout)
    return ShownTpm(transport, abandon=finish_in_background, for_one_use=for_one_use)
