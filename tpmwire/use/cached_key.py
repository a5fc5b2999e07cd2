"""HMAC keys that reuse cached data from an earlier run: saved contexts and public areas.

A saved context can be loaded any number of times until the TPM is reset. The TPM encrypts the context, and refuses
a context that was modified or comes from a different TPM (TPM 2.0 Part 1, §30). A cached key is therefore loaded
without its parent, and a cached salt key is not created again. For a persistent salt key, the public area is
cached.

The cached data is not secret, and it proves nothing. It is compared with a pin in the same way as the TPM's
responses. If the cached data is outdated, the run executes all commands and replaces the data.
"""

from collections.abc import Sequence

from ..crypto.formulas import name_of
from ..errors import EncodeError, SessionError, TpmError
from ..primary import WELL_KNOWN, Loaded, read_loaded
from ..record import Record
from ..spec.commands.context import ContextLoad, ContextSave
from ..spec.constants import TPM_ALG, TPM_HT, TPM_RH
from ..spec.structures import TPM2B_NAME, TPM2B_PUBLIC_OPTIONAL, TPM_HANDLE, TPMS_CONTEXT
from ..tpm import Tpm
from ..typed import Annotated
from ..wires import SizedRecord
from .hmac import HmacKey, HmacRun

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["CachedKey", "KeyData", "Memory"]

TPM2B_SAVED = Annotated[TPMS_CONTEXT | None, SizedRecord(TPMS_CONTEXT, optional=True)]


class KeyData(Record):
    """Cached data about a key and its salt key.

    `key` is the key's saved context, or None for a persistent key. The salt key is persistent at `salt_handle` or,
    if `salt_handle` is TPM_RH_NULL, in the saved context `salt`. `salt_public` is None for unencrypted runs.
    """

    key_name: TPM2B_NAME
    parent_name: TPM2B_NAME
    key: TPM2B_SAVED
    salt_handle: TPM_HANDLE
    salt: TPM2B_SAVED
    salt_public: TPM2B_PUBLIC_OPTIONAL


class Memory:
    """A container that passes cached data, or None, from run to run.

    `changed` is true if a run has replaced the data. A subclass saves the data beyond the process.
    """

    def __init__(self, data: KeyData | None = None) -> None:
        self.data = data
        self.changed = False

    def take(self, data: KeyData | None) -> None:
        """Replaces the cached data, and sets `changed` if `data` is different."""
        self.changed = self.changed or data != self.data
        self.data = data

    def save(self) -> None:
        """Does nothing. A subclass saves the cached data beyond the process; called after the TPM is closed."""


class CachedKey(HmacKey):
    """An HMAC key that uses and updates the cached data in `memory`. `Key` describes the other arguments."""

    def __init__(self, *, memory: Memory, **description: "Any") -> None:
        super().__init__(**description)
        self.memory = memory

    def _compute(self, tpm: Tpm, messages: Sequence[bytes]) -> list[bytes]:
        # Data would save nothing: an unprotected persistent key needs one command, and an endorsement parent's
        # policy is read in any case.
        if self.file is None and (self.ek_parent or not self.protected):
            return super()._compute(tpm, messages)
        data = self.memory.data
        if data is not None:
            results = _CachedRun(self, tpm, data).attempt(messages)
            if results is not None:
                return results
        run = _CachingRun(self, tpm)
        if data is not None:
            run.likely = data.salt_public
            self.memory.take(None)
        results = run.hmacs(messages)
        self.memory.take(run.data)
        return results


class _CachedRun(HmacRun):
    """A run that uses the cached data from an earlier run."""

    def __init__(self, key: HmacKey, tpm: Tpm, data: KeyData) -> None:
        super().__init__(key, tpm)
        self.data = data
        self.name = data.key_name
        self.parent_name = data.parent_name or None

    def attempt(self, messages: Sequence[bytes]) -> list[bytes] | None:
        """Returns the HMACs of the messages; None if the cached data is outdated.

        If the result is None, nothing is left in the TPM. Raises TpmError if the TPM refuses although the cached
        data is current.
        """
        if not self._fits():
            return None
        try:
            handle = self.reach()
        except (TpmError, SessionError, EncodeError):
            # The TPM refused cached data, or the salt key cannot decrypt a salt. A run without cached data gives
            # the better error message.
            self.give_back()
            return None
        try:
            results = self.compute(handle, messages)
        except TpmError:
            if self._is_current(handle):
                raise
            self.give_back()
            return None
        self.finish(handle)
        return results

    def _fits(self) -> bool:
        """Returns whether the cached data belongs to this key and its salt key. Sends no command."""
        key, data = self.key, self.data
        expected = key.name if key.file is None else name_of(key.file.public)
        if expected not in (None, data.key_name) or (key.file is None) != (data.key is None):
            return False
        if not key.protected:
            return True
        if data.salt_public is None or (data.salt is None) != (data.salt_handle != TPM_RH.NULL):
            return False
        return key.pin is None or key.pin.name == name_of(data.salt_public)

    def reach(self) -> int:
        """Opens the session and loads the key's saved context, if any. Returns the key's handle."""
        # The session comes first: if it fails, later runs must not trust the Name.
        self.open_session(None)
        if self.data.key is None:
            assert self.key.handle is not None
            handle = self.key.handle
        else:
            handle = self.tpm.execute(ContextLoad(self.data.key)).loaded_handle
            self.opened.append(handle)
        self.tpm.trust_name(handle, self.data.key_name)
        return handle

    def open_session(self, parent: Loaded | None) -> None:
        """Opens the session, salted to the cached salt key instead of `parent`."""
        public = self.data.salt_public
        if not self.key.protected or public is None:
            super().open_session(None)
            return
        handle, context = self.data.salt_handle, self.data.salt
        if context is not None:
            handle = self.tpm.execute(ContextLoad(context)).loaded_handle
            self.opened.append(handle)
        super().open_session(Loaded(handle, name_of(public), public))
        if context is not None and not self._next_is_last():
            # A TPM may have only three object slots, and the salt key is no longer needed.
            self.tpm.flush(self.opened.pop())

    def _is_current(self, handle: int) -> bool:
        """Returns whether the key and the salt key in the TPM are the cached ones.

        Called only after the TPM has refused a command. If the result is True, the refusal has a different reason.
        The Names that were read are then used for later commands.
        """
        salt = self.data.salt_public
        try:
            if read_loaded(self.tpm, handle).name != self.data.key_name:
                return False
            if salt is None or self.data.salt is not None:
                return True
            return read_loaded(self.tpm, self.data.salt_handle).name == name_of(salt)
        except TpmError:
            return False


class _CachingRun(HmacRun):
    """A run without cached data, which collects data for later runs in `data`."""

    def __init__(self, key: HmacKey, tpm: Tpm) -> None:
        super().__init__(key, tpm)
        self.data: KeyData | None = None
        self.salt_context: TPMS_CONTEXT | None = None

    def open_session(self, parent: Loaded | None) -> None:
        """Opens the session, and saves the context of a transient salt key.

        If a persistent storage root key can be the salt key of later runs, caches this key instead.
        """
        super().open_session(parent)
        salt = self.salt
        if salt is None or salt.handle >> 24 != TPM_HT.TRANSIENT:
            return
        if self.key.pin is None and parent is not None and (root := self._storage_root()) is not None:
            # The next run need not load the salt key. The persistent key is as unverified as the created key.
            self.salt = root
        else:
            self.salt_context = self._save(salt.handle)

    def _storage_root(self) -> Loaded | None:
        """Returns the persistent storage root key if it is an ECC key, or None.

        The storage root key can be persistent even if the parent of this key is a transient key.
        """
        handle = WELL_KNOWN["srk"].handle
        assert handle is not None
        try:
            found = read_loaded(self.tpm, handle)
        except TpmError:
            return None
        return found if found.public.type == TPM_ALG.ECC else None

    def finish(self, handle: int) -> None:
        """Saves the context of a key from a key file, then flushes the run's objects and sessions."""
        key = None if self.key.file is None else self._save(handle)
        persistent = self.salt is not None and self.salt.handle >> 24 != TPM_HT.TRANSIENT
        at_hand = self.salt is None or persistent or self.salt_context is not None
        if at_hand and (self.key.file is None or key is not None):
            self.data = KeyData(
                key_name=self.tpm.name(handle),
                parent_name=self.parent_name or b"",
                key=key,
                salt_handle=self.salt.handle if self.salt is not None and persistent else TPM_RH.NULL,
                salt=self.salt_context,
                salt_public=None if self.salt is None else self.salt.public,
            )
        super().finish(handle)

    def _save(self, handle: int) -> TPMS_CONTEXT | None:
        """Returns the object's saved context; None if the TPM refuses to save it."""
        try:
            return self.tpm.execute(ContextSave(handle)).context
        except TpmError:
            return None
