"""What a run leaves for later ones, so that they make and read nothing again: saved contexts and public areas.

A saved context of an object is loaded as often as wanted until the TPM is reset; the TPM encrypts it, and takes no
other TPM's and no changed one (TPM 2.0 Part 1, §30). So a key file's key comes back without its parent, and a salt
key that had to be made without being made. A salt key at a persistent handle is known by its public area.

None of it is secret, and it proves nothing: a pin is held against it as against the TPM's word. Where it has
ceased to be true the run goes its whole way, and leaves what is true now.
"""

from collections.abc import Sequence
from typing import Annotated

from ..crypto.formulas import name_of
from ..errors import EncodeError, SessionError, TpmError
from ..primary import WELL_KNOWN, Loaded, read_loaded
from ..record import Record
from ..spec.commands.context import ContextLoad, ContextSave
from ..spec.constants import TPM_ALG, TPM_HT, TPM_RH
from ..spec.structures import TPM2B_NAME, TPM2B_PUBLIC_OPTIONAL, TPM_HANDLE, TPMS_CONTEXT
from ..tpm import Tpm
from ..wires import SizedRecord
from .hmac import HmacKey, HmacRun

__all__ = ["Kept", "Memory", "hmacs"]

TPM2B_SAVED = Annotated[TPMS_CONTEXT | None, SizedRecord(TPMS_CONTEXT, optional=True)]


class Kept(Record):
    """What is known of a key and of the key that its sessions are salted to.

    `key` is None for a key at a handle. The salt key is at `salt_handle`, or (TPM_RH_NULL) what `salt` brings
    back; without `salt_public` there is none: runs in clear.
    """

    key_name: TPM2B_NAME
    parent_name: TPM2B_NAME
    key: TPM2B_SAVED
    salt_handle: TPM_HANDLE
    salt: TPM2B_SAVED
    salt_public: TPM2B_PUBLIC_OPTIONAL


class Memory:
    """Holds a `Kept`, or None, from run to run. `changed` says whether a run has changed it."""

    def __init__(self, kept: Kept | None = None) -> None:
        self.kept = kept
        self.changed = False

    def take(self, kept: Kept | None) -> None:
        """Holds this from now on."""
        self.changed = self.changed or kept != self.kept
        self.kept = kept

    def save(self) -> None:
        """Called when the TPM is closed again, for one that outlives the process."""


def hmacs(key: HmacKey, tpm: Tpm, memory: Memory, messages: Sequence[bytes]) -> list[bytes]:
    """As `HmacKey.hmacs`, by what is remembered where that still holds; else the whole way, to be remembered."""
    if memory.kept is not None:
        found = _Recalling(key, tpm, memory.kept).attempt(messages)
        if found is not None:
            return found
    run = _Remembering(key, tpm)
    if memory.kept is not None:
        run.likely = memory.kept.salt_public
        memory.take(None)
    results = run.hmacs(messages)
    memory.take(run.kept)
    return results


class _Recalling(HmacRun):
    """A run that takes for true what is remembered."""

    def __init__(self, key: HmacKey, tpm: Tpm, kept: Kept) -> None:
        super().__init__(key, tpm)
        self.kept = kept
        self.name = kept.key_name
        self.parent_name = kept.parent_name or None

    def attempt(self, messages: Sequence[bytes]) -> list[bytes] | None:
        """The HMACs; None where what is remembered does not hold, and nothing of the attempt is left in the TPM.

        Raises what the TPM says where it does hold.
        """
        if not self._fits():
            return None
        try:
            handle = self._reached()
        except (TpmError, SessionError, EncodeError):
            # Refused, or a salt key that is none. The whole way says better what is wrong, if anything is.
            self._give_back()
            return None
        try:
            results = self._all_computed(handle, messages)
        except TpmError:
            if self._holds(handle):
                raise
            self._give_back()
            return None
        self.tpm.flush_last(self.opened)
        return results

    def _fits(self) -> bool:
        """Whether it is of this key, and of the salt key that is wanted; asked before the TPM is."""
        key, kept = self.key, self.kept
        wanted = key.name if key.file is None else name_of(key.file.public)
        if wanted not in (None, kept.key_name) or (key.file is None) != (kept.key is None):
            return False
        if not key.protected:
            return True
        if kept.salt_public is None or (kept.salt is None) != (kept.salt_handle != TPM_RH.NULL):
            return False
        return key.pin is None or key.pin.name == name_of(kept.salt_public)

    def _reached(self) -> int:
        self._open_session_again()
        if self.kept.key is None:
            return super()._reached()
        handle = self.tpm.execute(ContextLoad(self.kept.key)).loaded_handle
        self.opened.append(handle)
        self.tpm.trust_name(handle, self.kept.key_name)
        return handle

    def _open_session_again(self) -> None:
        public = self.kept.salt_public
        if not self.key.protected or public is None:
            super()._open_session(None)
            return
        handle, made = self.kept.salt_handle, self.kept.salt
        if made is not None:
            handle = self.tpm.execute(ContextLoad(made)).loaded_handle
            self.opened.append(handle)
        super()._open_session(Loaded(handle, name_of(public), public))
        if made is not None:
            # A TPM may have three object slots, and the salt key has done its work.
            self.tpm.flush(self.opened.pop())

    def _open_session(self, parent: Loaded | None) -> None:
        """There is one already."""

    def _holds(self, handle: int) -> bool:
        """Whether key and salt key are what is remembered, so that a refusal has another reason.

        Asked only after a refusal. What is read is known from then on in place of what was remembered.
        """
        salt = self.kept.salt_public
        try:
            if read_loaded(self.tpm, handle).name != self.kept.key_name:
                return False
            if salt is None or self.kept.salt is not None:
                return True
            return read_loaded(self.tpm, self.kept.salt_handle).name == name_of(salt)
        except TpmError:
            return False

    def _give_back(self) -> None:
        self._close_sessions()
        self._flush_opened()


class _Remembering(HmacRun):
    """A run that saves, while it is in the TPM, what a later one would make again."""

    def __init__(self, key: HmacKey, tpm: Tpm) -> None:
        super().__init__(key, tpm)
        self.kept: Kept | None = None
        self.salt_context: TPMS_CONTEXT | None = None

    def _salted(self, salt: Loaded) -> None:
        super()._salted(salt)
        if salt.handle >> 24 != TPM_HT.TRANSIENT:
            return
        by_parent = salt.handle in self.opened
        if self.pin is None and by_parent and (root := self._root()) is not None:
            # At hand the next time without being loaded; as much the TPM's own word as the key that was made.
            self.salt = root
        else:
            self.salt_context = self._saved(salt.handle)

    def _root(self) -> Loaded | None:
        """The persistent storage root key, where a key file's parent was made although there is one."""
        handle = WELL_KNOWN["srk"].handle
        assert handle is not None
        try:
            found = read_loaded(self.tpm, handle)
        except TpmError:
            return None
        return found if found.public.type == TPM_ALG.ECC else None

    def _all_computed(self, handle: int, messages: Sequence[bytes]) -> list[bytes]:
        results = super()._all_computed(handle, messages)
        key = None if self.key.file is None else self._saved(handle)
        at_hand = self.salt is None or self.salt.handle >> 24 != TPM_HT.TRANSIENT or self.salt_context is not None
        if at_hand and (self.key.file is None or key is not None):
            persistent = self.salt is not None and self.salt_context is None
            self.kept = Kept(
                key_name=self.tpm.name(handle),
                parent_name=self.parent_name or b"",
                key=key,
                salt_handle=self.salt.handle if self.salt is not None and persistent else TPM_RH.NULL,
                salt=self.salt_context,
                salt_public=None if self.salt is None else self.salt.public,
            )
        return results

    def _saved(self, handle: int) -> TPMS_CONTEXT | None:
        """The object's context; None where the TPM gives none: then there is nothing to remember."""
        try:
            return self.tpm.execute(ContextSave(handle)).context
        except TpmError:
            return None
