"""The manifest of a fleet: a line of JSON for each host, appended when the host is done.

An entry contains the host's name, the name and SHA-256 of its file, and the Names of key and parent. It also has a
hash of the target's public key (`target`) and a fingerprint of the wrapped inputs (`inputs`). docs/transfer.md
explains why the fingerprint reveals nothing.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from typing import IO, Any

from tpmwire.policy import strict_json

from ...terminal.messages import note
from .hosts import name_hash

__all__ = ["FinishedHosts", "append_to", "manifest_name"]

_PART = 8
"""Bytes stored of each hash of an entry: enough to detect accidents, and cheap for a million hosts."""


def manifest_name(shard: tuple[int, int]) -> str:
    """Returns the file name of a shard's manifest; `shard` is (K, N) for shard K of N.

    Each shard has its own manifest, so shards can run concurrently.
    """
    return "manifest.jsonl" if shard[1] == 1 else f"manifest-{shard[0]}-of-{shard[1]}.jsonl"


class FinishedHosts:
    """The hosts that a manifest lists as finished, by the hashes of their names."""

    def __init__(self, path: str) -> None:
        self._entries: dict[int, bytes] = {}
        if os.path.exists(path):
            for entry in _entries(path):
                parts = (entry.get(field) for field in ("target", "inputs", "fingerprint"))
                self._entries[name_hash(str(entry.get("host")))] = b"".join(_part(value) for value in parts)

    def differs(self, name: str, target: str, inputs: str) -> bool:
        """Returns whether an earlier run wrapped this host's key with a different secret, password or policy.

        Returns False if the host's public key has changed too, or if `inputs` is empty (unknown).
        """
        if not inputs:
            return False
        found = self._entries.get(name_hash(name), b"")
        return found[:_PART] == _part(target) and found[_PART : 2 * _PART] != _part(inputs)

    def mark_finished(self, name: str, target: str, inputs: str, file: str) -> bool:
        """Returns whether the host is finished (same public key and inputs, unchanged file); records it if so."""
        key = name_hash(name)
        if not inputs:
            return False
        try:
            with open(file, "rb") as opened:
                written = hashlib.sha256(opened.read()).hexdigest()
        except OSError:
            return False
        if self._entries.get(key) != _part(target) + _part(inputs) + _part(written):
            return False
        self._entries[key] = b""
        return True

    def is_finished(self, name: str) -> bool:
        """Returns whether `mark_finished` returned True for this host."""
        return self._entries.get(name_hash(name)) == b""

    def __contains__(self, name: str) -> bool:
        return name_hash(name) in self._entries


def _part(value: object) -> bytes:
    text = str(value)[: 2 * _PART]
    try:
        return bytes.fromhex(text).ljust(_PART, b"\0")
    except ValueError:
        return bytes(_PART)


def _entries(path: str) -> Iterator[dict[str, Any]]:
    with open(path, "rb") as file:
        for line in file:
            try:
                entry = strict_json.loads(line)
            except ValueError:  # the last line may be truncated
                continue
            if isinstance(entry, dict) and entry.get("file"):
                yield entry


def append_to(path: str) -> IO[bytes]:
    """Opens the manifest for appending, for one run at a time; completes a truncated last line first.

    Workers inherit the manifest's lock. After a run is killed, each worker still finishes one host, so a new run
    waits for the lock. Otherwise the old workers would replace files that the new run lists.
    """
    file = open(path, "a+b", opener=_open_private)  # noqa: SIM115
    try:
        _lock(file)
    except BaseException:
        file.close()
        raise
    size = file.seek(0, os.SEEK_END)
    if size:
        file.seek(size - 1)
        if file.read(1) != b"\n":
            file.write(b"\n")
    return file


def _lock(file: IO[bytes]) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        note(f"{file.name} is in use by another run; waiting for it")
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:
        pass  # a file system without locks


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)
