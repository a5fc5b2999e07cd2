"""Extracts TPM messages from explanations that tpmwire printed as JSON, JSON Lines or text."""

import json
import re
from collections.abc import Iterator
from typing import Any

from .headers import HEADER, LARGEST
from .logs import Message

__all__ = ["EXPLANATIONS", "TREES", "read_explanations", "read_trees"]

TREES = re.compile(
    rb'^(?:\{"name": "[^"]{1,80}", "offset": 0, "size": \d+, | {4}"name": "(?:TPM2_\w+|response|command ))'
)
"""A line of a tree in JSON Lines, or in an indented JSON list."""

EXPLANATIONS = re.compile(rb"^0000 {20,}\S.*\[(?:command|response)[,\]]")
"""The first line of a message in text."""

_LINE = re.compile(rb"^([0-9a-f]{4,8})  ((?:[0-9a-f]{2} ?){0,16})(.*)$")
_HIDDEN = re.compile(rb": (\d{1,5}) bytes, not shown")

TREE = 1 << 24
"""Maximum size of a tree's JSON in bytes; larger trees are skipped."""


def read_trees(lines: Iterator[bytes]) -> Iterator[Message]:
    """Yields (is_command, message) from the trees of `--format jsonl` or `--format json`.

    Bytes of hidden secret fields are zero.
    """
    text = bytearray()
    for line in lines:
        text += line
        ended = line.endswith(b"\n") and (text[:1] == b"{" or line[:3] == b"  }")
        if len(text) > TREE or line == b"[\n":
            text.clear()
        elif ended:
            yield from _parse(bytes(text))
            text.clear()
    yield from _parse(bytes(text))


def _parse(text: bytes) -> Iterator[Message]:
    try:
        tree = json.loads(text.strip(b"[], \r\n\t"))
        message = bytearray(tree["size"] if 0 <= tree["size"] <= LARGEST else 0)
        _fill(tree, message)
        is_command = tree.get("type") == "command"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return
    yield from _complete(is_command, message)


def _fill(node: dict[str, Any], message: bytearray) -> None:
    """Copies the bytes of the tree's leaves into the message."""
    start, size = int(node["offset"]), int(node["size"])
    octets = bytes.fromhex(node.get("octets", ""))
    # The size of a hidden buffer is known. An opaque parameter, without type, is one too.
    if not octets and node.get("secret") and size >= 2 and (node.get("type") or "TPM2B_").startswith("TPM2B_"):
        octets = (size - 2).to_bytes(2, "big")
    if 0 <= start <= len(message) - len(octets):
        message[start : start + len(octets)] = octets
    for child in node.get("children", ()):
        _fill(child, message)


def read_explanations(lines: Iterator[bytes]) -> Iterator[Message]:
    """Yields (is_command, message) from explanations as text. Bytes of hidden secret fields are zero."""
    message = bytearray()
    is_command = False
    for line in lines:
        found = _LINE.match(line)
        if EXPLANATIONS.match(line):
            yield from _complete(is_command, message)
            message, is_command = bytearray(), b"[command" in line
        elif found is not None:
            start, octets = int(found[1], 16), bytes.fromhex(found[2].decode("ascii"))
            hidden = _HIDDEN.search(found[3])
            if hidden is not None and not octets:
                size = int(hidden[1])
                is_buffer = size >= 2 and re.search(rb"\[(?:TPM2B_|secret)", line)
                octets = (size - 2).to_bytes(2, "big") + bytes(size - 2) if is_buffer else bytes(size)
            if len(message) <= start <= LARGEST - len(octets):
                message += bytes(start - len(message)) + octets
    yield from _complete(is_command, message)


def _complete(is_command: bool, message: bytearray) -> Iterator[Message]:
    if len(message) >= HEADER:
        yield is_command, bytes(message)
