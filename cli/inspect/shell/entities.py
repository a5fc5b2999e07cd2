"""Objects and NV indices that commands name: public areas, Names, and contexts loaded from files."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from tpmwire.crypto.formulas import name_of
from tpmwire.errors import TpmError, TpmwireError
from tpmwire.keys.context_file import parse_context_file
from tpmwire.keys.tools_files import MAGIC
from tpmwire.spec.commands.context import ContextLoad
from tpmwire.spec.commands.nv import NV_ReadPublic
from tpmwire.spec.commands.objects import ReadPublic
from tpmwire.spec.constants import TPM_HT
from tpmwire.spec.structures import TPMT_PUBLIC
from tpmwire.state.nv import handles
from tpmwire.tpm import Tpm
from tpmwire.transport.swapping import Swap, SwappingTransport

from ...terminal.messages import UsageError

__all__ = ["Listener", "ScriptEntities"]

_OBJECTS = ((0x80000000, 0x80FFFFFF), (0x81000000, 0x81FFFFFF))


class Listener:
    """Receives the commands and responses of a script. This base class ignores them."""

    def command(self, data: bytes) -> None:
        """Receives a command before it is sent."""

    def response(self, data: bytes, command: bytes) -> None:
        """Receives the response to a command."""

    def clear_command(self, data: bytes) -> None:
        """Receives a command without its sessions, before its first parameter is encrypted."""

    def clear_response(self, data: bytes, command: Any) -> None:
        """Receives a decrypted response without its sessions; `command` is the command's structure."""

    def salt(self, session: int, salt: bytes) -> None:
        """Receives the salt of a session that was opened."""

    def swap(self, text: str) -> None:
        """Receives a sentence about an object or session that was swapped."""


class Recorder:
    """A transport that passes each command and response to a listener."""

    def __init__(self, transport: Any, listener: Callable[[], Listener]) -> None:
        self.inner = transport
        self._listener = listener

    def transceive(self, command: bytes) -> bytes:
        """Sends a command, and returns the response."""
        listener = self._listener()
        listener.command(command)
        response: bytes = self.inner.transceive(command)
        listener.response(response, command)
        return response

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def _swap_text(swap: Swap) -> str:
    kind = "session" if swap.handle >> 24 in (TPM_HT.HMAC_SESSION, TPM_HT.POLICY_SESSION) else "object"
    inside = "" if swap.inside == swap.handle else f" (0x{swap.inside:08x} in the TPM)"
    if swap.loaded:
        return f"swap: loaded the {kind} 0x{swap.handle:08x} again{inside}"
    return f"swap: no free slot in the TPM: saved the {kind} 0x{swap.handle:08x}{inside} outside of it"


class ScriptEntities:
    """Objects and NV indices of an open TPM. `listener` receives each command outside `unreported` blocks.

    `swapper` makes room for more objects and sessions than the TPM has slots for. `opened` contains the handles
    that must be flushed; the value is true if a result of the script has the handle.
    """

    def __init__(self, tpm: Tpm, listener: Listener) -> None:
        self.tpm = tpm
        self.opened: dict[int, bool] = {}
        self.listener = listener
        self._nobody = Listener()
        self._hidden = False
        self._loaded: list[int] = []  # contexts that the running command loaded
        self._publics: dict[int, Any] = {}
        self._transport = tpm.transport
        self.swapper = SwappingTransport(
            Recorder(tpm.transport, lambda: self._nobody if self._hidden else self.listener),
            own=Recorder(tpm.transport, lambda: self.listener),
            report=lambda swap: self.listener.swap(_swap_text(swap)),
        )
        tpm.transport = self.swapper

    @contextlib.contextmanager
    def unreported(self) -> Iterator[None]:
        """Does not report the commands that are sent in the block."""
        before, self._hidden = self._hidden, True
        try:
            yield
        finally:
            self._hidden = before

    @property
    def is_recording(self) -> bool:
        """Whether the commands of the TPM are still recorded."""
        return self.tpm.transport is not self._transport

    def stop(self) -> None:
        """Restores the TPM's own transport."""
        self.tpm.transport = self._transport

    def load(self, data: bytes, where: str) -> int:
        """Loads a context file of tpm2-tools for one command, and returns the handle.

        Raises UsageError if the file is not valid.
        """
        if data[:4] != MAGIC:
            raise UsageError(f"{where} is not a context file of tpm2-tools")
        try:
            context = parse_context_file(data)
        except TpmwireError as error:
            raise UsageError(f"{where}: {error}") from error
        with self.unreported():
            handle = int(self.tpm.execute(ContextLoad(context)).loaded_handle)
        self._loaded.append(handle)
        self.opened[handle] = False
        return handle

    def keep_loaded(self) -> list[int]:
        """Returns the contexts that the running command has loaded, and starts a new list."""
        before, self._loaded = self._loaded, []
        return before

    def flush_loaded(self, before: list[int]) -> None:
        """Flushes the contexts that a command loaded; `before` is the result of `keep_loaded`."""
        for handle in self._loaded:
            if self.tpm.is_open(handle):
                self.flush(handle)
        self._loaded = before

    def flush(self, handle: int) -> None:
        """Flushes a transient object or session; ignores the TPM's errors."""
        with self.unreported(), contextlib.suppress(TpmError):
            self.tpm.flush(handle)
        self.forget(handle)

    def add(self, handle: int, public: Any) -> None:
        """Records a handle that a command opened, and its public area if it is an object."""
        self.opened[handle] = True
        self._publics.pop(handle, None)
        if isinstance(public, TPMT_PUBLIC):
            self._publics[handle] = public

    def forget(self, handle: int) -> None:
        """Forgets the public area at a handle that has been flushed."""
        self._publics.pop(handle, None)

    def is_open(self, handle: int) -> bool:
        """Returns whether the TPM still has this transient object or session."""
        return self.tpm.is_open(handle)

    def name_of(self, handle: int) -> Any:
        """Returns the Name of the entity at a handle."""
        with self.unreported():
            return self.tpm.name(handle)

    def public_of(self, handle: int) -> TPMT_PUBLIC | None:
        """Returns the public area of a loaded object; None if there is no object at the handle."""
        if not isinstance(handle, int) or handle >> 24 not in (TPM_HT.TRANSIENT, TPM_HT.PERSISTENT):
            return None
        if handle not in self._publics or handle >> 24 == TPM_HT.PERSISTENT:
            self._publics[handle] = self._ask(ReadPublic(handle), "out_public")
        found = self._publics[handle]
        return found if isinstance(found, TPMT_PUBLIC) else None

    def nv_public_of(self, handle: int) -> Any:
        """Returns the public area of an NV index; None if the index does not exist."""
        return self._ask(NV_ReadPublic(handle), "nv_public") if handle >> 24 == TPM_HT.NV_INDEX else None

    def _ask(self, command: Any, field: str) -> Any:
        """Returns a field of the response to a command that is not reported; None if the TPM refuses."""
        with self.unreported():
            try:
                return getattr(self.tpm.execute(command), field)
            except TpmError:
                return None

    def find_name(self, name: bytes, where: str) -> int:
        """Returns the handle of a loaded or persistent object with this Name.

        Raises UsageError if the TPM has no such object.
        """
        with self.unreported():
            present = [handle for first, last in _OBJECTS for handle in handles(self.tpm, first, last)]
        for handle in present:
            public = self.public_of(handle)
            if public is not None and name_of(public) == name:
                return handle
        raise UsageError(f"{where}: the TPM has no loaded or persistent object with this Name")
