"""Swaps objects and sessions: more of them can be open than the TPM has slots for.

>>> from tpmwire import Tpm, calls
>>> from tpmwire.transport import open_transport
>>> from tpmwire.transport.swapping import SwappingTransport
>>> with Tpm(SwappingTransport(open_transport("soft:"))) as tpm:
...     keys = [calls.create_primary(tpm) for _ in range(5)]
...     len({calls.read_public(tpm, key.handle).name for key in keys})
1
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ..spec.codes import (
    TPM_RC_CANCELED,
    TPM_RC_OBJECT_MEMORY,
    TPM_RC_REFERENCE_H0,
    TPM_RC_SESSION_MEMORY,
    tpm_code,
)
from ..spec.command import command_class, role_of
from ..spec.constants import TPM_CAP, TPM_CC, TPM_HT, TPM_ST
from .base import Transport

__all__ = ["Swap", "SwappingTransport"]

FULL = (TPM_RC_OBJECT_MEMORY, TPM_RC_SESSION_MEMORY)
SESSIONS = (TPM_HT.HMAC_SESSION, TPM_HT.POLICY_SESSION)
LAST = 0x80FFFFFF
"""The first virtual handle. The next ones count down, as in Linux (drivers/char/tpm/tpm2-space.c)."""
SLOTS = 3
"""Number of objects, and of sessions, that the kernel's resource manager keeps for a connection."""

Finish = Callable[[bytes], bytes]


class Swap(NamedTuple):
    """A context that was saved (`loaded` is False) or loaded again.

    `handle` is the program's handle, `inside` the handle in the TPM.
    """

    loaded: bool
    handle: int
    inside: int


class SwappingTransport(Transport):
    """A resource manager on top of another transport, as `/dev/tpmrm0` is (TPM 2.0 Part 1, §30).

    If the TPM has no free slot for an object or a session, the least recently used one is saved (TPM2_ContextSave)
    and flushed, and the command is sent again. A command that names a saved one loads it first (TPM2_ContextLoad).
    Handles stay as they are for the program; if a handle is already taken, the program gets a virtual one, from
    0x80FFFFFF downward.

    `own` sends the commands of the resource manager, by default through `inner`. `report` receives each `Swap`.
    While `enabled` is False, nothing more is saved.
    """

    def __init__(
        self,
        inner: Any,
        *,
        own: Any = None,
        report: Callable[[Swap], None] = lambda swap: None,
        enabled: bool = True,
    ) -> None:
        self.inner = inner
        self.path, self.timeout = inner.path, inner.timeout
        self.close_waits, self.close_flushes, self.swaps = inner.close_waits, inner.close_flushes, inner.swaps
        self.enabled = enabled
        self._own = own or inner
        self._report = report
        self._inside: dict[int, int] = {}  # the program's handle: the TPM's; the least recently used first
        self._saved: dict[int, bytes] = {}  # the program's handle: the context
        self._finish: Finish = bytes  # of the command in flight

    def transceive(self, command: bytes) -> bytes:
        """Sends a command, between the swaps that it needs, and returns the response.

        Raises TransportError or a subclass if the TPM cannot be reached or does not respond in time.
        """
        kind = command_class(int.from_bytes(command[6:10], "big"))
        if kind is None:
            return bytes(self.inner.transceive(command))
        handles, sessions = _handles(kind, command)
        needed = {*handles, *sessions}
        for number, handle in enumerate(handles):
            if handle in self._saved and (refused := self._load(handle, needed, TPM_RC_REFERENCE_H0 + number)):
                return refused
        for number, handle in enumerate(sessions):
            if handle in self._saved and (refused := self._load(handle, needed, TPM_RC_REFERENCE_H0 + 8 + number)):
                return refused
        for handle in needed & self._inside.keys():
            self._inside[handle] = self._inside.pop(handle)
        self._make_room(kind, needed)
        while True:
            self._finish = lambda data: self._after(kind, command, handles, data)
            data = self.inner.transceive(_with_handles(command, [self._inside.get(one, one) for one in handles]))
            code = tpm_code(int.from_bytes(data[6:10], "big"))
            if code not in (TPM_RC_OBJECT_MEMORY, TPM_RC_SESSION_MEMORY) or not self._save(
                code == TPM_RC_SESSION_MEMORY, needed
            ):
                return self._finish(data)

    def resume(self, seconds: float) -> bytes:
        """Returns the pending response of an interrupted `transceive`, after at most `seconds`.

        If a swap was interrupted, the program's command was not sent; the response is then TPM_RC_CANCELED.
        """
        return self._finish(self.inner.resume(seconds))

    def close(self) -> None:
        """Closes the connection. A second call has no effect."""
        self.inner.close()

    def release(self) -> None:
        """Closes the connection in this process only."""
        self.inner.release()

    def is_saved(self, handle: int) -> bool:
        """Returns whether the object or session with this handle is outside the TPM at present."""
        return handle in self._saved

    def _make_room(self, kind: Any, needed: set[int]) -> None:
        """Saves an object or session before the kernel's resource manager runs out of slots for its own swaps."""
        if self.swaps and _returns_handle(kind):
            for sessions in (False, True):
                if sum(_is_session(handle) == sessions for handle in self._inside) >= SLOTS:
                    self._save(sessions, needed)

    def _save(self, sessions: bool, needed: Iterable[int]) -> bool:
        """Saves the object or session that was not used for the longest time; returns whether there was one."""
        for handle, inside in list(self._inside.items()) if self.enabled else ():
            if handle in needed or _is_session(handle) != sessions:
                continue
            if not self._save_one(handle, inside.to_bytes(4, "big"), sessions):
                del self._inside[handle]  # the TPM has flushed it by itself
                continue
            self._report(Swap(False, handle, inside))
            return True
        return False

    def _save_one(self, handle: int, inside: bytes, is_session: bool) -> bool:
        """Saves an object or session, and flushes an object; returns False if the TPM cannot save it."""

        def finish(data: bytes) -> bytes:
            if not any(data[6:10]) and self._inside.pop(handle, None) is not None:
                self._saved[handle] = context or data[10:]
            return data

        context = b""
        if is_session:
            return not any(self._send(TPM_CC.ContextSave, inside, finish)[6:10])
        saved = self._send(TPM_CC.ContextSave, inside, bytes)
        context = saved[10:]
        return not any(saved[6:10]) and not any(self._send(TPM_CC.FlushContext, inside, finish)[6:10])

    def _load(self, handle: int, needed: Iterable[int], refusal: int) -> bytes:
        """Loads a saved object or session; returns b"", or the response for the program if this fails."""

        def finish(data: bytes) -> bytes:
            if not any(data[6:10]):
                del self._saved[handle]
                self._inside[handle] = int.from_bytes(data[10:14], "big")
            return data

        while True:
            data = self._send(TPM_CC.ContextLoad, self._saved[handle], finish)
            code = tpm_code(int.from_bytes(data[6:10], "big"))
            if not code:
                self._report(Swap(True, handle, self._inside[handle]))
                return b""
            if code not in FULL:
                del self._saved[handle]  # TPM2_Clear, for example, ends the contexts of a hierarchy
                return _message(TPM_ST.NO_SESSIONS, refusal)
            if not self._save(_is_session(handle), needed):
                return data

    def _send(self, code: TPM_CC, rest: bytes, finish: Finish) -> bytes:
        """Sends a command of the resource manager, and returns the response."""

        def cancel(data: bytes) -> bytes:
            finish(data)
            return _message(TPM_ST.NO_SESSIONS, TPM_RC_CANCELED)

        self._finish = cancel
        return finish(self._own.transceive(_message(TPM_ST.NO_SESSIONS, code, rest)))

    def _after(self, kind: Any, command: bytes, handles: list[int], data: bytes) -> bytes:
        """Records what a command has opened and flushed; returns the response with the program's handles."""
        if any(data[6:10]):
            return data
        if kind.code == TPM_CC.FlushContext or (kind.code == TPM_CC.ContextSave and _is_session(handles[0])):
            self._inside.pop(handles[0], None)
        elif kind.flushes is not None:
            names = [name for name, _ in kind.handle_fields()]
            self._inside.pop(handles[names.index(kind.flushes)], None)
        if kind.code == TPM_CC.GetCapability:
            return self._list_handles(command, data)
        if not _returns_handle(kind):
            return data
        inside = int.from_bytes(data[10:14], "big")
        if inside >> 24 not in (*SESSIONS, TPM_HT.TRANSIENT):
            return data
        # The TPM has flushed by itself what had this handle before.
        for gone in [known for known, other in self._inside.items() if other == inside]:
            del self._inside[gone]
        handle = inside
        if _is_session(handle):
            self._saved.pop(handle, None)
        elif handle in self._saved or handle in self._inside:
            handle = next(one for one in range(LAST, 0, -1) if one not in self._saved and one not in self._inside)
        self._inside[handle] = inside
        return data[:10] + handle.to_bytes(4, "big") + data[14:]

    def _list_handles(self, command: bytes, data: bytes) -> bytes:
        """Returns the list of transient objects with the program's handles, and with those that are saved.

        A list under an audit session stays as it is, because its HMAC covers it.
        """
        capability, first, count = (int.from_bytes(command[at : at + 4], "big") for at in (10, 14, 18))
        plain = command[:2] == data[:2] == TPM_ST.NO_SESSIONS.to_bytes(2, "big")
        if not plain or capability != TPM_CAP.HANDLES or first >> 24 != TPM_HT.TRANSIENT:
            return data
        known = {inside: handle for handle, inside in self._inside.items()}
        listed = {int.from_bytes(data[at : at + 4], "big") for at in range(19, len(data), 4)}
        saved = {handle for handle in self._saved if not _is_session(handle)}
        handles = sorted(one for one in {known.get(one, one) for one in listed} | saved if one >= first)
        more = data[10] or len(handles) > count
        rest = bytes([more]) + data[11:15] + min(len(handles), count).to_bytes(4, "big")
        rest += b"".join(one.to_bytes(4, "big") for one in handles[:count])
        return _message(TPM_ST.NO_SESSIONS, 0, rest)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def _message(tag: int, code: int, rest: bytes = b"") -> bytes:
    return tag.to_bytes(2, "big") + (10 + len(rest)).to_bytes(4, "big") + code.to_bytes(4, "big") + rest


def _handles(kind: Any, command: bytes) -> tuple[list[int], list[int]]:
    """Returns (handles, sessions) of a command. The parameter of TPM2_FlushContext counts as a handle."""
    count = 1 if kind.code == TPM_CC.FlushContext else len(kind.handle_fields())
    end = 10 + 4 * count
    handles = [int.from_bytes(command[at : at + 4], "big") for at in range(10, min(end, len(command) - 3), 4)]
    sessions = []
    if command[:2] == TPM_ST.SESSIONS.to_bytes(2, "big"):
        at, size = end + 4, int.from_bytes(command[end : end + 4], "big")
        last = min(at + size, len(command))  # the size may be wrong
        while at < last:  # handle, nonce, attributes, HMAC (Part 2, §10.13.2)
            sessions.append(int.from_bytes(command[at : at + 4], "big"))
            at += 6 + int.from_bytes(command[at + 4 : at + 6], "big") + 1
            at += 2 + int.from_bytes(command[at : at + 2], "big")
    return handles, sessions


def _with_handles(command: bytes, handles: list[int]) -> bytes:
    return command[:10] + b"".join(one.to_bytes(4, "big") for one in handles) + command[10 + 4 * len(handles) :]


def _returns_handle(kind: Any) -> bool:
    return any(role_of(annotation) for _, annotation in kind.Response.fields())


def _is_session(handle: int) -> bool:
    return handle >> 24 in SESSIONS
