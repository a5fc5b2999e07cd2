"""Reads the hosts of a fleet one by one from a directory, a CSV file, JSON Lines, or standard input.

A fleet may have a million hosts, so they are not kept in memory. A file is read again for each pass, and only
hashes of names are stored.
"""

import csv
import hashlib
import io
import os
import sys
from collections.abc import Iterable, Iterator
from itertools import count
from typing import IO, Any, NamedTuple

from sigv4.files import open_input
from tpmwire.policy import strict_json

from ...terminal.messages import UsageError

__all__ = ["STDIN", "Fleet", "Host", "Survey", "name_hash", "survey"]

STDIN = "-"

LONGEST_LINE = 1 << 20
"""Maximum size of a host in bytes; an exported one has 2,000."""

_KEY = os.urandom(16)


class Host(NamedTuple):
    """A host of a fleet: its fields, their location for messages, and a problem if the host is invalid."""

    fields: dict[str, Any]
    where: str
    problem: str = ""

    @property
    def name(self) -> str:
        """The host's name in the fleet's list."""
        return str(self.fields.get("host") or "")


class Survey(NamedTuple):
    """Facts about a fleet: number of hosts, hashes of repeated names, and whether each host has its own secret."""

    hosts: int
    repeated: frozenset[int]
    own_secrets: bool


def name_hash(name: str) -> int:
    """Returns a 60-bit hash of a name. A set of these hashes takes 65 MB for a million hosts.

    The hash is keyed, so that nobody can choose colliding names. For a million names, the chance of any collision
    is 1 in 2 million; colliding names would be refused as repeated.
    """
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8, key=_KEY).digest()
    return int.from_bytes(digest) >> 4


class Fleet:
    """The hosts of a fleet, as an iterable. `once` is True for inputs that can be read only once, such as pipes.

    Shard K of N has the hosts whose names' hashes are K - 1 modulo N. All shards together are the fleet, and all
    occurrences of a name are in one shard.
    """

    def __init__(self, path: str, shard: tuple[int, int] = (1, 1)) -> None:
        self.path = path
        self.once = path == STDIN or (os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)))
        self._shard = shard

    def __iter__(self) -> Iterator[Host]:
        """Yields the hosts of this shard. An invalid host has a `problem`.

        Raises UsageError if the fleet cannot be read.
        """
        index, shards = self._shard
        try:
            for host in self._hosts():
                if shards == 1 or _hash(host.name or host.where) % shards == index - 1:
                    yield host
        except OSError as error:
            raise UsageError(f"{error.filename or self.path}: {error.strerror}") from error
        except csv.Error as error:
            raise UsageError(f"{self.path} is not valid CSV: {error}") from error

    def _hosts(self) -> Iterator[Host]:
        if self.path == STDIN:
            if sys.stdin is None or sys.stdin.closed:
                raise UsageError("standard input is closed; redirect it, or give --fleet a file")
            yield from _json_lines(sys.stdin.buffer)
        elif os.path.isdir(self.path):
            yield from _directory(self.path)
        elif self.path.endswith(".csv"):
            # Bytes that are not UTF-8 make only their own row invalid.
            with io.TextIOWrapper(open_input(self.path), "utf-8-sig", "replace", newline="") as text:
                for number, row in enumerate(csv.DictReader(text), 1):
                    yield Host({k: v for k, v in row.items() if k and v}, f"row {number}")
        else:
            with open_input(self.path) as file:
                yield from _json_lines(file)


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8])


def _directory(path: str) -> Iterator[Host]:
    for name in sorted(os.listdir(path)):
        if name.endswith(".json"):
            host = name.removesuffix(".json")
            try:
                with open_input(os.path.join(path, name)) as file:
                    text = file.read(LONGEST_LINE)
            except OSError as error:
                yield Host({"host": host}, name, f"{name}: {error.strerror}")
            else:
                read = _host(text, name)
                yield read._replace(fields={"host": host, **read.fields})


def _json_lines(file: IO[bytes]) -> Iterator[Host]:
    for number in count(1):
        line = file.readline(LONGEST_LINE)
        if not line:
            return
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            while (rest := file.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                pass
            yield Host({}, f"line {number}", f"longer than {LONGEST_LINE} bytes")
        elif line.strip():
            yield _host(line, f"line {number}")


def _host(text: bytes, where: str) -> Host:
    """Parses a host from a JSON object. If the text is invalid, the returned Host has a `problem`."""
    try:
        value = strict_json.loads(text.decode("utf-8-sig", "replace"))
    except ValueError:
        value = None
    if isinstance(value, dict):
        return Host(value, where)
    return Host({}, where, "not a JSON object as `tpmwire export-public` prints it")


def survey(hosts: Iterable[Host]) -> Survey:
    """Reads all hosts once; returns their number, the repeated names, and whether each host has its own secret."""
    seen: set[int] = set()
    repeated: set[int] = set()
    number, own_secrets = 0, True
    for host in hosts:
        number += 1
        own_secrets = own_secrets and bool(host.fields.get("secret"))
        if host.name:
            key = name_hash(host.name)
            (repeated if key in seen else seen).add(key)
    return Survey(number, frozenset(repeated), own_secrets)
