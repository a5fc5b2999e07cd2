"""A model of the kernel's resource manager, /dev/tpmrm0, in front of a software TPM.

It works as drivers/char/tpm/tpm2-space.c of Linux 6.1. Before a command it loads the program's objects and
sessions. Afterwards it saves them and flushes the objects. It notices a flushed object or session when it cannot
save it. Closing flushes the sessions and drops the saved objects. tests/device asserts the kernel's counts.
"""

from tests.support.interposer import Pair
from tpmwire.spec.command import command_class, role_of
from tpmwire.spec.constants import TPM_CC, TPM_HT
from tpmwire.transport import Transport, open_transport

__all__ = ["ResourceManager"]

FIRST = 0x80FFFFFF
"""The virtual handle of the first object; the next ones count down."""
SESSIONS = (TPM_HT.HMAC_SESSION, TPM_HT.POLICY_SESSION)


class ResourceManager(Transport):
    """The program's connection to it. `sent` counts the program's commands, `dialogue` has those at the chip."""

    close_flushes = swaps = True

    def __init__(self, path: str, timeout: float = 20) -> None:
        self.path = path
        self.timeout = timeout
        self.sent = 0
        self.dialogue: list[Pair] = []
        self._chip = open_transport(path, timeout)
        self._objects: dict[int, bytes] = {}
        self._sessions: dict[int, bytes] = {}

    def transceive(self, command: bytes) -> bytes:
        """Sends a command between loading and saving what the program has in the TPM."""
        self.sent += 1
        loaded = {virtual: self._load(context) for virtual, context in self._objects.items()}
        for context in self._sessions.values():
            self._load(context)
        code = TPM_CC(int.from_bytes(command[6:10], "big"))
        response = self._send(_with_handles(command, _handles_of_command(code), loaded))
        if response[6:10] == bytes(4) and _returns_handle(code):
            real = int.from_bytes(response[10:14], "big")
            if real >> 24 in SESSIONS:
                self._sessions[real] = b""
            else:
                virtual = next(FIRST - slot for slot in range(3) if FIRST - slot not in loaded)
                loaded[virtual] = real
                response = response[:10] + virtual.to_bytes(4, "big") + response[14:]
        self._objects = self._save(loaded, flush=True)
        self._sessions = self._save({handle: handle for handle in self._sessions}, flush=False)
        return response

    def close(self) -> None:
        """Flushes the sessions, and closes the connection. A second call has no effect."""
        for handle in self._sessions:
            self._flush(handle)
        self._sessions = {}
        self._chip.close()

    def _send(self, command: bytes) -> bytes:
        response = self._chip.transceive(command)
        self.dialogue.append(Pair(command, response))
        return response

    def _load(self, context: bytes) -> int:
        response = self._send(_message(TPM_CC.ContextLoad, context))
        assert response[6:10] == bytes(4)
        return int.from_bytes(response[10:14], "big")

    def _save(self, handles: dict[int, int], *, flush: bool) -> dict[int, bytes]:
        """Saves what is still in the TPM; returns the contexts."""
        saved = {}
        for virtual, real in handles.items():
            response = self._send(_message(TPM_CC.ContextSave, real.to_bytes(4, "big")))
            if response[6:10] != bytes(4):
                continue
            saved[virtual] = response[10:]
            if flush:
                self._flush(real)
        return saved

    def _flush(self, handle: int) -> None:
        self._send(_message(TPM_CC.FlushContext, handle.to_bytes(4, "big")))


def _message(code: TPM_CC, rest: bytes) -> bytes:
    return b"\x80\x01" + (10 + len(rest)).to_bytes(4, "big") + code.to_bytes(4, "big") + rest


def _with_handles(command: bytes, count: int, loaded: dict[int, int]) -> bytes:
    """The command with the chip's handles in place of the virtual ones."""
    handles = [int.from_bytes(command[at : at + 4], "big") for at in range(10, 10 + 4 * count, 4)]
    mapped = b"".join(loaded.get(handle, handle).to_bytes(4, "big") for handle in handles)
    return command[:10] + mapped + command[10 + 4 * count :]


def _handles_of_command(code: TPM_CC) -> int:
    record = command_class(code)
    assert record is not None
    return 1 if code == TPM_CC.FlushContext else sum(role_of(each) is not None for _, each in record.fields())


def _returns_handle(code: TPM_CC) -> bool:
    record = command_class(code)
    assert record is not None
    return any(role_of(each) is not None for _, each in record.Response.fields())
