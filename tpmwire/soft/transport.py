"""The transport to a soft TPM in this process."""

import sys
from collections.abc import Callable
from importlib import import_module

from ..errors import TransportClosedError, TransportTimeoutError
from ..spec.commands.startup import Startup
from ..spec.constants import TPM_SU
from ..wire import CommandMessage, Transport
from .address import parse_address
from .commands import CHAPTERS
from .faults import Faults, parse_faults
from .frame import execute
from .state_file import StateFile
from .tpm_state import TpmState

__all__ = ["SoftTransport", "load_handlers", "open_soft"]


def load_handlers() -> None:
    """Imports the modules of all command handlers, which registers the handlers."""
    for chapter in CHAPTERS:
        import_module(f".commands.{chapter}", __package__)


class SoftTransport(Transport):
    """A transport to a new soft TPM in this process, already started.

    With `seed`, all random values of the TPM are repeatable. With `file`, the TPM stores its state in that file,
    which only one process at a time can open. `observe(step, detail)` is called at each internal step. Its details
    show the sizes of secrets, or the secrets themselves if `show_secrets` is true. `faults` are simulated faults.
    The attribute `resumed` is true if the state comes from the file.

    Raises TransportError if the state file cannot be opened or is not valid.
    """

    path = "soft:"

    def __init__(
        self,
        seed: bytes | None = None,
        file: str | None = None,
        observe: Callable[[str, str], None] | None = None,
        *,
        show_secrets: bool = False,
        faults: Faults = Faults(),  # noqa: B008 - immutable
    ) -> None:
        load_handlers()
        self.machine = TpmState(seed, observe, show_secrets)
        self._file = StateFile(file) if file is not None else None
        self._open = True
        self.resumed = self._file is not None and self._file.read(self.machine)
        if not self.resumed:
            self._start()
        self.machine.faults = faults
        self._commands = 0
        if faults.lockout:
            self.machine.lockout.failed = self.machine.lockout.max_tries
            self.machine.lockout.since = self.machine.time // 1000

    def _start(self) -> None:
        self.transceive(CommandMessage(Startup.code, Startup(TPM_SU.CLEAR)).build())

    def restart(self) -> None:
        """Switches the TPM off and on, and starts it (TPM2_Startup). Its volatile state is lost.

        Raises TransportError if the state cannot be saved.
        """
        self.machine.power_off()
        self._start()

    def transceive(self, command: bytes) -> bytes:
        """Executes a command and returns the response.

        Raises TransportError if the state cannot be saved, TransportTimeoutError if `faults` has silent_after.
        """
        if not self._open:
            raise TransportClosedError("the connection to the soft TPM is closed")
        silent_after = self.machine.faults.silent_after
        if silent_after is not None:
            self._commands += 1
            if self._commands > silent_after:
                raise TransportTimeoutError(f"{self.path}: the TPM did not respond in time (silent-after)")
        response = execute(self.machine, command)
        if self._file is not None:
            self._file.write(self.machine)
        return response

    def close(self) -> None:
        """Closes the transport and its state file. A second call has no effect."""
        self._open = False
        if self._file is not None:
            self._file.close()


def print_step(step: str, detail: str) -> None:
    """Prints an internal step on stderr, for `?explain`."""
    if sys.stderr is not None:
        print(f"{step}: {detail}", file=sys.stderr, flush=True)


def open_soft(rest: str) -> SoftTransport:
    """Opens the soft TPM of the path `soft:REST`.

    REST is empty for a new TPM, `seed=WORD` for a new repeatable TPM, or the name of a state file. Options follow
    after `?` (see `address`). Raises TransportError if an option is not valid, or if the state file cannot be
    opened or is not valid.
    """
    address = parse_address(rest)
    observe = print_step if "explain" in address.options else None
    show_secrets = address.options.get("explain") == "secrets"
    transport = SoftTransport(
        address.seed, address.file, observe, show_secrets=show_secrets, faults=parse_faults(address.options)
    )
    transport.path = f"soft:{rest}"
    return transport
