"""Explains the bytes of TPM commands and responses.

  tpmwire decode 80010000000c0000017b0010
  tpmwire decode capture.hex
  echo "80 01 00 00 00 0c 00 00 01 7b 00 10" | tpmwire decode
  tpmwire decode --command GetRandom 80010000000f00000000 0003aabbcc

  swtpm socket --log file=swtpm.log,level=20 ...
  tpmwire decode swtpm.log
  TSS2_LOG=tcti+debug tpm2_getrandom --hex 8 2>tools.log
  tpmwire decode tools.log
  tpmwire decode --html recording.html capture.pcapng
  tpmwire decode --salt-file salt.hex --auth-file password capture.pcapng

Input is one of: hex (with blanks, colons, line breaks or 0x) or binary, as arguments, in a file, or on standard
input (-); a log of swtpm or tpm2-tools; a network capture (pcap, pcapng) of swtpm or the reference simulator over
TCP, which needs the extra tpmwire[explain]. Traces of the Linux kernel are not supported, because they have no
stable format; use `tpmwire trace` instead.

Input can contain several messages. A response is explained by the command before it; for a response
without its command, name the command with --command. If each line of a text starts a message, a damaged line does
not hide the next one.

With --salt and --auth, decode follows the sessions of a recording: it derives their keys, checks each HMAC, and
shows decrypted parameters in lines that begin with =. Both options are repeatable, in any order: the HMACs
identify the session. Use test keys only, because other users can read a command line.
"""

import argparse
import contextlib
import json
import os
import re
import sys

from sigv4.files import open_input
from tpmwire.explain import Recording, as_json, explain_recording, explain_response
from tpmwire.explain.html import as_html
from tpmwire.spec.constants import TPM_CC

from ..inspect.recordings import LIMIT as LARGEST
from ..inspect.recordings import read_exchanges
from ..inspect.session_keys import SessionKeys, session_keys
from ..terminal.colors import printer
from ..terminal.files import write_whole
from ..terminal.messages import UsageError, note

__all__ = ["Settings", "configure", "run"]

LIMIT = 1 << 20
"""Maximum size of hex or binary input in bytes."""

HEADER = 10
"""Bytes of a message's header."""


class Settings:
    """The verb's options."""

    input: list[str]
    command: str | None
    json: bool
    html: str | None
    salt: list[str]
    salt_file: list[str]
    auth: list[str]
    auth_file: list[str]
    color: str


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument(
        "input",
        nargs="*",
        metavar="HEX|FILE",
        help="commands and responses to explain: hex, a file, or - for standard input (default: -)",
    )
    parser.add_argument(
        "--command",
        metavar="NAME|CODE",
        help="command that produced the response, if the input contains only the response; e.g. GetRandom or "
        "0x17b",
    )
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print a JSON list of trees")
    output.add_argument("--html", metavar="FILE", help="write an HTML page that highlights each field's bytes")
    keys = parser.add_argument_group("keys of the recorded sessions; each option is repeatable")
    keys.add_argument(
        "--salt",
        action="append",
        default=[],
        metavar="HEX",
        help="plaintext salt of a recorded session; repeatable",
    )
    keys.add_argument(
        "--salt-file",
        action="append",
        default=[],
        metavar="FILE",
        help="file with the plaintext salt of a recorded session, in hex or binary; repeatable",
    )
    keys.add_argument(
        "--auth",
        action="append",
        default=[],
        metavar="VALUE",
        help="authValue of an entity in the recording: text:WORD, or hex; repeatable",
    )
    keys.add_argument(
        "--auth-file",
        action="append",
        default=[],
        metavar="FILE",
        help="file with the password of an entity in the recording; repeatable",
    )
    parser.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="colors (auto: on a terminal, with the extra tpmwire[color], unless NO_COLOR is set)",
    )


def run(args: Settings) -> int:
    """Prints an explanation of each message; returns 1 if any message cannot be parsed."""
    show = printer(args.color)
    code = _code(args.command) if args.command else None
    keys = session_keys(args.salt, args.salt_file, args.auth, args.auth_file)
    inputs = _inputs(args.input or ["-"])
    whole = Recording()
    for data, where in inputs:
        whole.extend(_explain_recording(data, where, code, keys))
    trees = whole.trees
    if args.html is not None:
        title = ", ".join(os.path.basename(word) for word in args.input if os.path.exists(word))
        write_whole(args.html, as_html(trees, title or "TPM 2.0 messages", whole.histories).encode(), force=True)
    elif args.json:
        print(json.dumps([as_json(tree) for tree in trees], indent=2))
    else:
        show(trees)
    return 1 if any(tree.error for tree in trees) else 0


def _code(text: str) -> int:
    wanted = text.lower().removeprefix("tpm2_").removeprefix("tpm_cc_")
    named = next((code for name, code in TPM_CC.__members__.items() if name.lower() == wanted), None)
    if named is not None:
        return int(named)
    with contextlib.suppress(ValueError):
        if 0 <= (number := int(text, 0)) < 1 << 32:
            return number
    raise UsageError(f"{text!r} is not a command; expected a name such as GetRandom, or a command code")


def _inputs(words: list[str]) -> list[tuple[bytes, str]]:
    """Returns (content, name) of each input: each file and standard input by itself, all hex arguments joined."""
    inputs, hexes = [], []
    for word in words:
        if word == "-":
            if sys.stdin.isatty():
                note("tpmwire: reading hex from the terminal; press Ctrl-D to end")
            inputs.append((sys.stdin.buffer.read(LARGEST + 1), "standard input"))
        elif os.path.exists(word):
            try:
                with open_input(word, silence=None) as file:
                    inputs.append((file.read(LARGEST + 1), word))
            except OSError as error:
                raise UsageError(f"{word}: {error.strerror}") from error
        else:
            hexes.append(word)
    if hexes:
        inputs.append((" ".join(hexes).encode(errors="replace"), repr(" ".join(hexes)[:40])))
    return inputs


def _explain_recording(data: bytes, where: str, code: int | None, keys: SessionKeys) -> "Recording":
    """Explains a recording, or messages in hex or binary."""
    if len(data) > LARGEST:
        raise UsageError(f"{where} has more than {LARGEST} bytes")
    recorded = read_exchanges(data)
    if recorded is None:
        messages = [message for piece in _pieces(data, where) for message in _messages(piece)]
        if code is not None:
            recording = Recording()
            recording.trees = [explain_response(message, code) for message in messages]
            return recording
        recorded = _pair_messages(messages)
    return explain_recording(recorded, keys.salts, keys.auths)


def _pieces(data: bytes, where: str) -> list[bytes]:
    """Decodes hex or binary input to messages.

    Text with one message per line is decoded by lines, so a damaged line affects no other.
    """
    if len(data) > LIMIT:
        raise UsageError(f"{where} has more than {LIMIT} bytes")
    if not data.strip():
        raise UsageError(f"{where} is empty; give a command or response in hex or binary")
    # Binary: a TPM message begins with a byte that no text has.
    if data[:1] in (b"\x80", b"\x00"):
        return [data]
    lines = [re.sub(r"0x|[\s:,]", "", line.lower()) for line in data.decode("latin-1").splitlines()]
    lines = [line for line in lines if line]
    if not all(line.startswith(("8001", "8002", "00c4")) for line in lines):
        lines = ["".join(lines)]
    try:
        return [bytes.fromhex(line) for line in lines]
    except ValueError:
        file = "an existing file, " if where[:1] in "'\"" else ""
        raise UsageError(
            f"{where} is not valid; expected hex, {file}or a TPM message, which begins with 8001 or 8002"
        ) from None


def _pair_messages(messages: list[bytes]) -> list[tuple[bytes, bytes]]:
    """Pairs each command with the response after it, or with b"" if there is none. Raises UsageError."""
    pairs: list[tuple[bytes, bytes]] = []
    for message in messages:
        if not _looks_like_command(message):
            if pairs and not pairs[-1][1]:
                pairs[-1] = (pairs[-1][0], message)
                continue
            if _is_response(message):
                raise UsageError(
                    "this is a response; give its command with --command NAME, or put the command before it"
                )
        pairs.append((message, b""))
    return pairs


def _messages(data: bytes) -> list[bytes]:
    """Splits messages by the sizes in their headers; bytes that are not a message stay in one piece."""
    messages, rest = [], data
    while len(rest) >= HEADER and HEADER <= int.from_bytes(rest[2:6], "big") <= len(rest):
        size = int.from_bytes(rest[2:6], "big")
        messages.append(rest[:size])
        rest = rest[size:]
    return [*messages, rest] if rest else messages


def _looks_like_command(message: bytes) -> bool:
    """Returns whether a message is probably a command.

    The header does not tell, since command codes and response codes overlap: 0x18b is both.
    """
    code = int.from_bytes(message[6:HEADER], "big")
    if len(message) == HEADER == int.from_bytes(message[2:6], "big"):
        # An error response has only a header. So have these two commands, whose codes are not response codes.
        return code in (TPM_CC.GetTestResult, TPM_CC.ReadClock)
    return TPM_CC(code).known or bool(code & 0x20000000)


def _is_response(message: bytes) -> bool:
    return len(message) >= HEADER and message[:2] in (b"\x80\x01", b"\x80\x02", b"\x00\xc4")
