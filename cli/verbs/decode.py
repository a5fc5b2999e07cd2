"""Explains the bytes of TPM commands and responses, octet by octet.

  tpmwire decode 80010000000c0000017b0010
  tpmwire decode capture.hex
  echo "80 01 00 00 00 0c 00 00 01 7b 00 10" | tpmwire decode
  tpmwire decode --command GetRandom 80010000001a0000000000 0e...

Input is hex (blanks, colons, line breaks and 0x are fine) or binary, as arguments, from a file, or from standard
input (-). Several messages may follow each other: a response is explained as the answer to the command before it;
for a response that stands alone --command says what it answers.
"""

import argparse
import json
import os
import re
import sys
from typing import TYPE_CHECKING

from ..messages import UsageError

if TYPE_CHECKING:
    from tpmwire.explain import Node

__all__ = ["HELP", "configure", "run"]

HELP = "explain the bytes of TPM commands and responses"

LIMIT = 1 << 20
"""Octets of input."""

HEADER = 10
"""Octets of a message's header."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument("input", nargs="*", metavar="HEX|FILE", help="hex, or a file, or - (default: -)")
    parser.add_argument(
        "--command", metavar="NAME|CODE", help="what a response without its command answers: GetRandom or 0x17b"
    )
    parser.add_argument("--json", action="store_true", help="print a list of trees for machines")


def run(args: argparse.Namespace) -> int:
    """Prints a tree for each message; 1 where one of them does not parse."""
    from tpmwire.explain import as_json, as_text

    code = _code(args.command) if args.command else None
    trees = [tree for data in _inputs(args.input or ["-"]) for tree in _explained(data, code)]
    if args.json:
        print(json.dumps([as_json(tree) for tree in trees], indent=2))
    else:
        print("\n\n".join(map(as_text, trees)))
    return 1 if any(tree.error for tree in trees) else 0


def _code(text: str) -> int:
    from tpmwire.spec.constants import TPM_CC

    found = TPM_CC.__members__.get(text.removeprefix("TPM2_").removeprefix("TPM_CC_"))
    if found is not None:
        return int(found)
    try:
        return int(text, 0)
    except ValueError:
        raise UsageError(f"{text!r} is neither a command's name, such as GetRandom, nor its code") from None


def _inputs(words: list[str]) -> list[bytes]:
    """The octets of the arguments: files and standard input each by themselves, hex words together."""
    inputs, hexes = [], []
    for word in words:
        if word == "-":
            inputs.append(_octets(sys.stdin.buffer.read(LIMIT + 1), "standard input"))
        elif os.path.exists(word):
            from ..files import read_small

            inputs.append(_octets(read_small(word), word))
        else:
            hexes.append(word)
    return inputs + ([_octets(" ".join(hexes).encode(), "the argument")] if hexes else [])


def _octets(data: bytes, where: str) -> bytes:
    """Binary as it is; text as hex. A TPM's message begins with an octet that is no text."""
    if len(data) > LIMIT:
        raise UsageError(f"{where} has more than {LIMIT} octets")
    if not data.strip():
        raise UsageError(f"{where} is empty; give a command or response in hex or binary")
    if data[:1] in (b"\x80", b"\x00"):
        return data
    try:
        text = re.sub(r"0x|[\s:,]", "", data.decode("ascii"))
        return bytes.fromhex(text)
    except ValueError:
        raise UsageError(f"{where} is neither hex nor a TPM message, which begins with 8001 or 8002") from None


def _explained(data: bytes, code: int | None) -> "list[Node]":
    """Trees of the messages that follow each other."""
    from tpmwire.explain import explain_command, explain_response

    trees = []
    before: bytes | int | None = code
    for message in _messages(data):
        if before is not None and not (code is None and _looks_like_command(message)):
            trees.append(explain_response(message, before))
            before = code
        elif before is None and not _looks_like_command(message) and _is_response(message):
            raise UsageError(
                "this is a response; --command NAME says what it answers, or put the command before it"
            )
        else:
            trees.append(explain_command(message))
            before = message
    return trees


def _messages(data: bytes) -> list[bytes]:
    """Cuts at the sizes that the headers give; what they do not fit stays one piece."""
    messages, rest = [], data
    while len(rest) >= HEADER and HEADER <= int.from_bytes(rest[2:6], "big") <= len(rest):
        size = int.from_bytes(rest[2:6], "big")
        messages.append(rest[:size])
        rest = rest[size:]
    return [*messages, rest] if rest else messages


def _looks_like_command(message: bytes) -> bool:
    """Whether it is a command, though command codes and response codes overlap: 0x18b is also an error."""
    from tpmwire.spec.constants import TPM_CC

    code = int.from_bytes(message[6:HEADER], "big")
    if len(message) == HEADER:
        # An error is a header alone. So are these two commands, and no TPM answers their codes.
        return code in (TPM_CC.GetTestResult, TPM_CC.ReadClock)
    return TPM_CC(code).known or bool(code & 0x20000000)


def _is_response(message: bytes) -> bool:
    return len(message) >= HEADER and message[:2] in (b"\x80\x01", b"\x80\x02", b"\x00\xc4")
