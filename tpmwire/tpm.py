"""A TPM: executes commands over a transport, with retries, and flushes every handle that it opened."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType

from .crypto.formulas import handle_name, name_of, nv_name_of
from .errors import SessionError, TpmError, TpmwireError, TransportError
from .exchange import Exchange
from .record import Record
from .sessions import Password, Session, SessionStart, Use
from .spec.codes import AGAIN, TPM_RC_HANDLE, tpm_code
from .spec.command import Answered, Command, role_of
from .spec.constants import TPM_HT, TPMA_SESSION
from .transport import Transport, open_transport
from .typed import TypeVar
from .wire import HEADER_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Self
else:
    import _signal as signal  # without the enumerations of signal, which take 0.4 ms of each run

__all__ = ["Observed", "Tpm", "undisturbed"]

R = TypeVar("R")

FLUSHED = (TPM_HT.HMAC_SESSION, TPM_HT.POLICY_SESSION, TPM_HT.TRANSIENT)
"""Types of handles that TPM2_FlushContext removes."""


class Observed:
    """An executed command, for observers.

    `sent` and `received` are numbers of bytes, `seconds` is the duration, `rc` the response code. `resent` counts
    repetitions that the TPM asked for. `response` is None if the TPM refused the command or did not respond.
    """

    __slots__ = ("command", "rc", "received", "resent", "response", "seconds", "sent")

    def __init__(self, command: Command, sent: int) -> None:
        self.command = command
        self.sent = sent
        self.received = 0
        self.rc = 0
        self.resent = 0
        self.seconds = 0.0
        self.response: Record | None = None


class Tpm:
    """An open TPM. A context manager that flushes the handles it opened and closes the transport on every exit.

    `observe` is called with an `Observed` after each command.

    If a timed-out command still runs when the TPM is closed, and handles must be flushed, `close` calls
    `abandon(cleanup)`. `cleanup(seconds)` waits for the response, then flushes. `abandon` returns True if it will
    call `cleanup`. Without `abandon`, `close` waits for one more timeout.

    Set `for_one_use` if the TPM is closed after a single use of a key. `leaves` is then True if closing the
    transport flushes all handles, as with the kernel's resource manager. Explicit flushes are then omitted,
    because the resource manager saves and loads the handles around every further command.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        observe: Callable[[Observed], None] | None = None,
        abandon: Callable[[Callable[[float], None]], bool] | None = None,
        for_one_use: bool = False,
    ) -> None:
        self.transport = transport
        self.observe = observe
        self._abandon = abandon
        self.leaves = for_one_use and transport.close_flushes
        self._owned: dict[int, None] = {}  # handles in the order in which they were opened
        self._names: dict[int, bytes] = {}
        # Set from before a command is sent until the handle in its response is recorded.
        self._in_flight: Command | None = None

    @classmethod
    def open(cls, path: str | None = None, timeout: float = 2.0) -> Self:
        """Opens the TPM that `path` names (see `tpmwire.transport`).

        Raises TransportError if the TPM cannot be reached.
        """
        return cls(open_transport(path, timeout))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def execute(self, command: Answered[R], *authorizations: Password | Use) -> R:
        """Sends a command and returns its response's values.

        `authorizations` contains one authorization for each handle that needs it, in order, followed by companion
        sessions (encryption, audit). By default, each authorization is the empty password. Raises TpmError if the
        TPM refuses the command, TransportError if it does not respond, SessionError if the response is not
        authentic.
        """
        assert isinstance(command, Command)
        needed = sum(role.authorized for _, role in command.handle_fields())
        given = [*authorizations, *([Password()] * (needed - len(authorizations)))]
        exchange: Exchange[R] = Exchange(command, given, self.name)
        response = self._run_exchange(exchange, command)
        self._forget_closed(command, given)
        return response

    def _run_exchange(self, exchange: Exchange[R], command: Command) -> R:
        sent = exchange.begin()
        seen = Observed(command, len(sent))
        started = time.monotonic()
        self._in_flight = command
        try:
            data = self._transceive(sent, started + self.transport.timeout, seen)
            self._note(command, data)
            self._in_flight = None
            seen.received, seen.rc = len(data), int.from_bytes(data[6:10], "big")
            response = exchange.finish(data)
            seen.response = response if isinstance(response, Record) else None
            return response
        finally:
            seen.seconds = time.monotonic() - started
            if self.observe is not None:
                self.observe(seen)

    def _transceive(self, sent: bytes, deadline: float, seen: Observed) -> bytes:
        pause = 0.001
        while True:
            data = self.transport.transceive(sent)
            if tpm_code(int.from_bytes(data[6:10], "big")) not in AGAIN or time.monotonic() + pause > deadline:
                return data
            time.sleep(pause)
            pause = min(2 * pause, 0.1)
            seen.resent += 1

    def _forget_closed(self, command: Command, given: Sequence[Password | Use]) -> None:
        """Forgets the handles that a successful command has flushed, and the Names that it may have changed.

        `given` are the command's authorizations.
        """
        if command.flushes is not None:
            self._forget(getattr(command, command.flushes))
        if command.alters_nv:
            for handle in [handle for handle in self._names if handle >> 24 == TPM_HT.NV_INDEX]:
                self._forget(handle)
        for use in given:
            if isinstance(use, Use) and not use.attributes & TPMA_SESSION.CONTINUE_SESSION:
                self._forget(use.session.handle)

    def _forget(self, handle: int) -> None:
        self._owned.pop(handle, None)
        self._names.pop(handle, None)

    def name(self, handle: int) -> bytes:
        """Returns the Name of the entity at a handle. The public area is read only once, and the Name is verified.

        Raises TpmError if the TPM has no such entity, SessionError if it returns a different Name.
        """
        name = self.known_name(handle)
        if name is None:
            name, claimed = (
                self._nv_names(handle) if handle >> 24 == TPM_HT.NV_INDEX else self._object_names(handle)
            )
            if name != claimed:
                raise SessionError(
                    f"the Name of 0x{handle:08x} does not match its public area: "
                    "modified in transit, or a faulty TPM"
                )
            self._names[handle] = name
        return name

    def _object_names(self, handle: int) -> tuple[bytes, bytes]:
        """Returns an object's Name as computed from its public area, and as the TPM returns it."""
        from .spec.commands.objects import ReadPublic  # late: a run without session encryption must not load it

        response = self.execute(ReadPublic(handle))
        return name_of(response.out_public), response.name

    def _nv_names(self, index: int) -> tuple[bytes, bytes]:
        """Returns an NV index's Name as computed from its public area, and as the TPM returns it."""
        from .spec.commands.nv import NV_ReadPublic  # late: a credential run must not load it

        response = self.execute(NV_ReadPublic(index))
        if response.nv_public.nv_index != index:
            raise SessionError(
                f"the TPM returned an NV index other than the requested 0x{index:08x}: "
                "modified in transit, or a faulty TPM"
            )
        return nv_name_of(response.nv_public), response.nv_name

    def known_name(self, handle: int) -> bytes | None:
        """Returns the Name of a handle if it is known without a command to the TPM, else None."""
        return handle_name(handle) or self._names.get(handle)

    def trust_name(self, handle: int, name: bytes) -> None:
        """Records a trusted Name for a handle, so that no command reads the Name again."""
        self._names[handle] = name

    def start_session(self, start: SessionStart, *companions: Use) -> Session:
        """Opens a session; `companions` are sessions for encryption or audit of the command.

        `close` flushes the session, unless it has already been flushed or used for the last time.
        """
        return start.finish(self.execute(start.command, *companions))

    def is_open(self, handle: int) -> bool:
        """Returns whether this Tpm has opened the handle and has not flushed it."""
        return handle in self._owned

    def disown(self, handle: int) -> None:
        """Forgets a handle, such as that of a saved session, so that `close` does not flush it."""
        self._forget(handle)

    def flush(self, handle: int) -> None:
        """Removes a transient object or session from the TPM (TPM2_FlushContext).

        Raises TpmError if the TPM has no such object or session.
        """
        from .spec.commands.context import FlushContext  # late: a run with a persistent key flushes nothing

        try:
            self.execute(FlushContext(handle))
        except TpmError as error:
            if error.code == TPM_RC_HANDLE:  # the TPM has already flushed it
                self._forget(handle)
            raise

    def flush_opened(self) -> None:
        """Flushes every object and session that this Tpm opened and that the TPM still has."""
        for handle in reversed(list(self._owned)):
            self.flush(handle)

    def flush_last(self, handles: Iterable[int]) -> None:
        """Flushes the handles of one use of a key, in reverse order, unless closing the transport flushes them."""
        if not self.leaves:
            for handle in reversed([*handles]):
                self.flush(handle)

    def close(self) -> None:
        """Flushes the handles that this Tpm opened, and closes the transport.

        Never raises. A second call has no effect.
        """
        with undisturbed():
            try:
                if self._ready_to_flush():
                    self._flush_owned()
            finally:
                self.transport.close()

    def _ready_to_flush(self) -> bool:
        """Completes an interrupted command, and records the handle that the command opened.

        Returns whether the TPM is ready for flushes.
        """
        command = self._in_flight
        if command is None:
            return True
        if self._drain(0.0):
            return True
        if not (self._owned or opens_handle(command) or self.transport.close_waits):
            return False  # no open handles, so no need to wait for the response
        if self._abandon is not None and self._abandon(self._finish_later):
            self.transport.release()
            return False
        return self._drain(self.transport.timeout)

    def _finish_later(self, seconds: float) -> None:
        """Waits for the pending response, for at most `seconds`.

        Then flushes every handle that this Tpm opened.
        """
        if self._drain(seconds):
            self._flush_owned()

    def _drain(self, seconds: float) -> bool:
        try:
            data = self.transport.resume(seconds)
        except TransportError:
            return False
        assert self._in_flight is not None
        self._note(self._in_flight, data)
        return True

    def _note(self, command: Command, data: bytes) -> None:
        """Records the handle in a command's response, so that `close` can flush the handle.

        Called before the response is verified and parsed.
        """
        if opens_handle(command) and len(data) >= HEADER_SIZE + 4 and not any(data[6:10]):
            handle = int.from_bytes(data[HEADER_SIZE : HEADER_SIZE + 4], "big")
            if handle >> 24 in FLUSHED:
                self._owned[handle] = None

    def _flush_owned(self) -> None:
        if self.transport.close_flushes:
            return
        for handle in reversed(list(self._owned)):
            try:
                self.flush(handle)
            except TpmError:
                continue  # the handle has already been flushed
            except TpmwireError:
                return  # the TPM cannot be reached


def opens_handle(command: Command) -> bool:
    """Returns whether the command's response has a handle."""
    return any(role_of(annotation) for _, annotation in command.Response.fields())


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Blocks the signals that end a program while the context is open.

    A second Ctrl-C therefore does not interrupt the clean-up. WebAssembly and Windows cannot block signals.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    held = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
