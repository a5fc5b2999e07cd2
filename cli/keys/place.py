"""Stores keys in files and at persistent handles (all of them or none), and finds and removes keys."""

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

from tpmwire.channel import authorized_once, read_loaded
from tpmwire.crypto.formulas import name_of
from tpmwire.errors import TpmError
from tpmwire.keys.keyfile import KeyFile
from tpmwire.secret import Secret
from tpmwire.spec.structures import TPMT_PUBLIC
from tpmwire.state import nv
from tpmwire.tpm import Tpm, undisturbed

from ..terminal.files import check_regular, read_key_file, temporary_beside, write_whole
from ..terminal.messages import UsageError, warn
from .create import NewKey
from .location import Place
from .persist import LAST_OWNER_HANDLE, evict, is_occupied, make_persistent

__all__ = ["Place", "Placement", "check_path", "put_in_place", "read_public_at", "remove_key_at"]


class Placement(NamedTuple):
    """A key, and the location to store it at.

    `persist` is a function that makes the key persistent at a free handle, and `evict` a function that removes the
    object at a persistent handle.
    """

    file: KeyFile
    place: Place
    persist: Callable[[int], None]
    evict: Callable[[int], None]

    @classmethod
    def of(cls, tpm: Tpm, key: NewKey, place: Place, owner: Secret) -> Self:
        """Returns a placement of a loaded key at `place`; its commands use the session of the key's parent."""
        session = key.parent.session
        return cls(
            key.file,
            place,
            lambda handle: make_persistent(tpm, key.loaded, handle, owner, session),
            lambda handle: evict(tpm, handle, session.use(owner)),
        )


def check_path(path: str, option: str, *, force: bool) -> None:
    """Checks, before the TPM is opened, that the file can be written.

    An existing file is accepted only with `force`. Otherwise raises UsageError with the name `option`.
    """
    directory = os.path.dirname(path) or "."
    if os.path.isdir(path):
        raise UsageError(f"{path} is a directory; {option} is the file to write")
    if os.path.lexists(path) and not force:
        raise UsageError(f"{path} exists; --force replaces it")
    # As root, a rename would replace /dev/null.
    if os.path.exists(path) and not os.path.isfile(path):
        raise UsageError(f"{path} is not a regular file; choose another path")
    if not os.path.isdir(directory):
        raise UsageError(f"no such directory: {directory}; create it, or choose another path")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise UsageError(f"{directory} is not writable; choose another path")


def put_in_place(tpm: Tpm, keys: Sequence[Placement], *, force: bool = False) -> None:
    """Writes keys to their files and handles, all or none. Signals are deferred until the keys are in place.

    An existing object at a handle is replaced last, and only with `force`. Raises UsageError if a file or handle
    is in use and `force` is False, TpmError if the TPM refuses, OSError if a file cannot be written.
    """
    files = [(temporary_beside(key.place.file), key.place.file, key.file) for key in keys if key.place.file]
    beside: list[tuple[Placement, int, int]] = []
    with undisturbed(), contextlib.ExitStack() as undo:
        try:
            # Files are written first, so that a full disk is detected before the TPM is changed.
            for staged, path, file in files:
                _stage(staged, path, file)
            for key in keys:
                if (handle := key.place.handle) is not None:
                    at = _persist_beside(tpm, key, handle, force=force)
                    undo.callback(key.evict, at)
                    beside.append((key, handle, at))
            for staged, path, _ in files:
                _publish(staged, path, force=force)
                if not force:
                    undo.callback(os.unlink, path)
            undo.pop_all()
            for key, handle, at in beside:
                _replace_object(key, at, handle)
        finally:
            for staged, _, _ in files:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(staged)


def _stage(staged: str, path: str, file: KeyFile) -> None:
    """Writes a key file under the temporary name `staged`, which `_publish` renames to `path` later."""
    check_regular(path)
    try:
        os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
        write_whole(staged, file.to_pem().encode())
    except OSError as error:
        error.filename = path  # errors name the file that the user knows
        raise


def _publish(staged: str, path: str, *, force: bool) -> None:
    """Renames the temporary file `staged` to `path`. Raises UsageError if `path` exists and `force` is False."""
    try:
        if force:
            os.replace(staged, path)
        else:
            os.link(staged, path)  # fails if the path exists, unlike a rename
    except FileExistsError as error:
        raise UsageError(f"{path} exists; --force replaces it") from error


def _persist_beside(tpm: Tpm, key: Placement, handle: int, *, force: bool) -> int:
    """Makes the key persistent at `handle` or, if it is occupied, at the next free handle; returns the handle.

    The old key is evicted only after the new key is stored, because an evicted key cannot be restored.
    """
    taken, beside = nv.handles(tpm, handle, LAST_OWNER_HANDLE), handle
    if handle in taken and not force:
        raise UsageError(f"0x{handle:08x} is occupied; choose another handle (see `tpmwire list`)")
    while beside in taken:
        beside += 1
    if beside > max(handle, LAST_OWNER_HANDLE):
        raise UsageError(f"no free handle after 0x{handle:08x} for the new key; remove a key with `tpmwire evict`")
    key.persist(beside)
    return beside


def _replace_object(key: Placement, beside: int, handle: int) -> None:
    """Replaces the object at `handle` with the key, then evicts the copy of the key at the handle `beside`."""
    if beside == handle:
        return
    try:
        key.evict(handle)
    except TpmError:
        key.evict(beside)
        raise
    try:
        key.persist(handle)
    except BaseException:  # also Ctrl-C
        warn(f"the old key at 0x{handle:08x} is gone; the new key is at 0x{beside:08x}")
        raise
    key.evict(beside)


def read_public_at(tpm: Tpm, place: Place) -> TPMT_PUBLIC | None:
    """Returns the public area of the key at a location; None if the handle is free or the file missing.

    Raises KeyFileError for an invalid key file, TpmError if the TPM refuses.
    """
    if place.handle is not None:
        return read_loaded(tpm, place.handle).public if is_occupied(tpm, place.handle) else None
    assert place.file is not None
    return read_key_file(place.file).public if os.path.lexists(place.file) else None


def remove_key_at(tpm: Tpm, place: Place, name: bytes, owner: Secret) -> None:
    """Removes the key with this Name from a location; keeps any other key. `owner` is the owner's password.

    Raises TpmError if the TPM refuses, OSError if the file cannot be removed, and the errors of `read_public_at`.
    """
    public = read_public_at(tpm, place)
    if public is None or name_of(public) != name:
        return
    if place.handle is not None:
        evict(tpm, place.handle, authorized_once(tpm, owner))
    else:
        assert place.file is not None
        os.unlink(place.file)
