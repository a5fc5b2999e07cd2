"""The state of a rotation, in a file without secrets beside ~/.aws/config, and the lock of rotations."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from tpmwire.policy import strict_json

from ..awsconfig.edit import config_path
from ..terminal.files import read_small, write_whole
from ..terminal.messages import UsageError

__all__ = ["State", "rotation_lock"]


class State:
    """The completed steps of a rotation, stored in a file.

    `stage` is the last completed step. The values `old` and `new` contain the access key ids of the two keys,
    their Names and their locations.
    """

    def __init__(self, path: str, values: dict[str, Any]) -> None:
        self.path = path
        self.values = values

    @classmethod
    def load(cls, profile: str) -> "State | None":
        """Returns the state of a profile's unfinished rotation; None without one.

        Raises UsageError for an invalid state file.
        """
        path = _state_path(profile)
        if not os.path.lexists(path):
            return None
        try:
            values = strict_json.loads(read_small(path))
            return cls(path, {"stage": values["stage"], "old": values["old"]} | values)
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"{path} is not a valid rotation state; in IAM, delete the user's unused access key, then remove "
                "this file"
            ) from error

    @classmethod
    def begin(cls, profile: str, **values: Any) -> "State":
        """Creates the state file of a new rotation, at stage `begun`. Raises UsageError if the file exists."""
        state = cls(_state_path(profile), {"profile": profile, "stage": "begun", **values})
        state._write(force=False)
        return state

    @property
    def stage(self) -> str:
        """The last completed step."""
        return str(self.values["stage"])

    def reach(self, stage: str, **values: Any) -> None:
        """Records in the file that step `stage` is completed, together with `values`."""
        self.values |= {"stage": stage, **values}
        self._write(force=True)

    def remove(self) -> None:
        """Removes the state file after the rotation."""
        os.unlink(self.path)

    def _write(self, *, force: bool) -> None:
        write_whole(self.path, json.dumps(self.values, indent=1).encode() + b"\n", force=force)


@contextlib.contextmanager
def rotation_lock() -> Iterator[None]:
    """Holds a lock, so that rotations run one at a time. The kernel releases it if the process dies.

    Raises UsageError if another rotation runs.
    """
    directory = os.path.dirname(_state_path("default"))
    os.makedirs(directory, mode=0o700, exist_ok=True)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError("another `tpmwire rotate` is running; wait until it ends") from error
        yield
    finally:
        os.close(descriptor)


def _state_path(profile: str) -> str:
    name = quote(profile, safe="")
    return os.path.join(os.path.dirname(os.path.realpath(config_path())), "tpmwire", f"rotate-{name}.json")
