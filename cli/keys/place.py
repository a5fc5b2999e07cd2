"""Keys that were made, put where they are to stay: files and persistent handles, all or none."""

import contextlib
import os
from collections.abc import Sequence
from typing import NamedTuple

from tpmwire.secret import Secret
from tpmwire.tpm import Tpm, undisturbed

from ..terminal.files import temporary_beside, write_whole
from ..terminal.messages import UsageError
from .create import Made
from .persist import evict, put_beside, take_place

__all__ = ["Placed", "check_path", "put_in_place"]


class Placed(NamedTuple):
    """A key and its places: `path` of its key file, `handle` in the TPM; None where it has no such place."""

    made: "Made"
    path: str | None
    handle: int | None


def check_path(path: str, option: str, *, force: bool) -> None:
    """Finds out what would fail at the end before the TPM is asked. Raises UsageError."""
    directory = os.path.dirname(path) or "."
    if os.path.isdir(path):
        raise UsageError(f"{path} is a directory; {option} is the file to write")
    if os.path.lexists(path) and not force:
        raise UsageError(f"{path} exists; --force replaces it")
    # Root's rename would put a file in the place of /dev/null.
    if os.path.exists(path) and not os.path.isfile(path):
        raise UsageError(f"{path} is not a regular file; choose another path")
    if not os.path.isdir(directory):
        raise UsageError(f"there is no directory {directory}")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise UsageError(f"{directory} is not writable")


def put_in_place(tpm: "Tpm", keys: "Sequence[Placed]", owner: "Secret", *, force: bool) -> None:
    """Files and handles, all or none; what is at the handles goes last. A signal waits until it is done.

    Raises TpmError, UsageError, OSError.
    """
    files = [(temporary_beside(key.path), key.path, key.made) for key in keys if key.path]
    beside: list[tuple[Placed, int, int]] = []
    with undisturbed(), contextlib.ExitStack() as undo:
        try:
            # A full disk is found before the TPM is changed.
            for staged, _, made in files:
                write_whole(staged, made.file.to_pem().encode())
            for key in keys:
                session = key.made.parent.session
                if key.handle is not None:
                    at = put_beside(tpm, key.made.key, key.handle, owner, session)
                    undo.callback(evict, tpm, at, session.use(owner))
                    beside.append((key, key.handle, at))
            for staged, path, _ in files:
                _publish(staged, path, force=force)
                if not force:
                    undo.callback(os.unlink, path)
            undo.pop_all()
            for key, handle, at in beside:
                take_place(tpm, key.made.key, at, handle, owner, key.made.parent.session)
        finally:
            for staged, _, _ in files:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(staged)


def _publish(staged: str, path: str, *, force: bool) -> None:
    """Gives a file that is written its name."""
    try:
        if force:
            os.replace(staged, path)
        else:
            os.link(staged, path)  # fails where the path exists, unlike a rename
    except FileExistsError as error:
        raise UsageError(f"{path} exists; --force replaces it") from error
