"""The file with the learner's progress, in the XDG state directory."""

import contextlib
import fcntl
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from ..terminal.files import write_whole
from ..terminal.messages import note
from .progress import Progress

__all__ = ["change_progress", "read_progress", "reserve_tpm_file"]


def _folder(variable: str, default: str) -> Path:
    """Returns tpmwire's folder in an XDG directory: the variable's, which must be absolute, else the default."""
    base = os.environ.get(variable, "")
    return Path(base if os.path.isabs(base) else os.path.expanduser(default)) / "tpmwire"


def _progress_path() -> Path:
    return _folder("XDG_STATE_HOME", "~/.local/state") / "learn.json"


@contextlib.contextmanager
def reserve_tpm_file(slug: str) -> Iterator[Path]:
    """Yields the path of the state file for a lesson's soft TPM, which is new. Other runs do not use it meanwhile.

    Raises OSError if the directory or a file cannot be created.
    """
    folder = _folder("XDG_DATA_HOME", "~/.local/share") / "lessons"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in itertools.count(1):
        path = folder / (f"{slug}.tpm" if number == 1 else f"{slug}-{number}.tpm")
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        try:
            path.unlink(missing_ok=True)
            yield path
            return
        finally:
            os.close(lock)


def read_progress() -> Progress:
    """Returns the learner's progress; a new one if the file is missing or damaged.

    Raises OSError if the file cannot be read.
    """
    path = _progress_path()
    try:
        return Progress.parse(path.read_text(encoding="utf-8", errors="replace"))
    except ValueError:
        note(f"tpmwire: note: {path} is damaged; all lessons count as open")
    except FileNotFoundError:
        pass
    return Progress()


@contextlib.contextmanager
def change_progress() -> Iterator[Progress]:
    """Yields the learner's progress, and saves it after the block.

    Two runs at the same time wait for each other. Raises OSError if the file cannot be written.
    """
    path = _progress_path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        progress = read_progress()
        yield progress
        write_whole(str(path), progress.to_json().encode(), force=True)
    finally:
        os.close(lock)
