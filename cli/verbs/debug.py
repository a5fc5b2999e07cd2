"""Steps through a recorded session and shows, after each message, the values that each side knows.

  tpmwire debug --salt-file salt.hex --auth-file password capture.pcapng
  tpmwire debug --text swtpm.log
  tpmwire trace --out talk.txt -- tpm2_getrandom 8    # records talk.txt
  tpmwire debug --text --session 0x02000000 talk.txt
  tpmwire debug --change 9:0x1c talk.txt

The sides are the program, the TPM, and anyone who can read the bus between them. For each message that uses a
session, the left side shows the values that only the program and the TPM know (salt, authValue, session key, HMAC
key, cipher key), and those that anyone on the bus can know (nonces, Names, cpHash, rpHash, HMACs,
policyDigest). Each value has its formula; + marks values that the message adds. The right side shows the bytes
with their fields, and decrypted parameters in lines that begin with =.

Keys: left and right arrows step back and on, s goes to the next message with a session, r to the next refused
command, c shows whether the TPM or the program detects a change of the selected field's lowest bit, q quits.

The screen needs the extra tpmwire[debug]. --text prints each step instead, as does output that is not a terminal;
--json prints the steps for programs.

--change MESSAGE:OFFSET[:BIT] reports whether the TPM or the program detects a change of that bit on the bus.
Messages count from 1, offsets from 0 (decimal, or hex with 0x), bits from 0, the lowest.

Inputs are those of `tpmwire decode`. Without the salts and passwords of the recording, secret values are missing.
Use test keys only, because other users can read a command line. `tpmwire decode --html` has the same steps.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator

from tpmwire.explain import Node, explain_stream
from tpmwire.explain.readers.headers import Exchange
from tpmwire.explain.reading import Reading

from ..inspect.file_inputs import find_recording
from ..inspect.options import SessionKeySettings, add_session_key_options
from ..inspect.session_keys import SessionKeys, session_keys
from ..inspect.source import open_sources
from ..terminal.messages import UsageError
from ..terminal.progress import activity

__all__ = ["Settings", "configure", "run"]

LIMIT = 20_000
"""Messages of a recording that the screen can show; --text has no limit."""


class Settings(SessionKeySettings):
    """The verb's options."""

    input: list[str]
    text: bool
    json: bool
    session: str | None
    change: str | None


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument(
        "input",
        nargs="*",
        metavar="HEX|FILE",
        help="recording: hex or base64, a file, or - for standard input (default: -)",
    )
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--text", action="store_true", help="print each step instead of opening a screen")
    output.add_argument("--json", action="store_true", help="print a JSON list of steps")
    parser.add_argument(
        "--session", metavar="HANDLE", help="show only messages that use this session, e.g. 0x02000000"
    )
    parser.add_argument(
        "--change",
        metavar="MESSAGE:OFFSET[:BIT]",
        help="report whether the TPM or the program detects a change of this bit (default bit: 0), e.g. 9:0x1c",
    )
    add_session_key_options(parser)


def run(args: Settings) -> int:
    """Shows the steps of the recording; returns the exit code."""
    try:
        from ..inspect.debugger.steps import StepWriter, step_text  # noqa: PLC0415 - the single file does not have it
    except ModuleNotFoundError:
        raise UsageError(
            "the single-file tpmwire does not include the debugger; install tpmwire with pip or pipx, or run "
            "`tpmwire decode --html`"
        ) from None
    keys = session_keys(args.salt, args.salt_file, args.auth, args.auth_file)
    session = _handle(args.session)
    if args.change is not None:
        return _judge(args, keys)
    if args.json or args.text or not sys.stdout.isatty():
        with activity("explaining the recording", prints=True), StepWriter() as writer:
            for number, (place, tree) in enumerate(_steps(_exchanges(args.input), keys, session)):
                if args.json:
                    writer.place = place
                    writer.add(tree)
                else:
                    print("\n" * bool(number) + step_text(place, tree))
        return 0
    if "-" in (args.input or ["-"]):
        raise UsageError(
            "the debugger reads keys from standard input; give the recording as a file, or add --text"
        )
    _open_screen(args.input, keys, session)
    return 0


def _exchanges(words: list[str]) -> Iterator[Exchange]:
    """Yields the commands and responses of all inputs. Raises UsageError for an input that is not a recording."""
    for source in open_sources(words or ["-"]):
        found = find_recording(source)
        if isinstance(found, Reading):
            raise UsageError(f"{source.name} is not a recording but {found.kind}; use `tpmwire decode`")
        yield from found


def _steps(exchanges: Iterator[Exchange], keys: SessionKeys, session: int | None) -> Iterator[tuple[int, Node]]:
    """Yields the index and the tree of each message; with `session`, only of messages that use the session.

    Raises UsageError at the end if no message uses the session.
    """
    trees = explain_stream(exchanges, keys.salts, keys.auths, None, knowledge=True)
    seen: dict[str, None] = {}
    for place, tree in enumerate(trees):
        handles = re.findall(r" (0x[0-9a-f]{8})", " ".join(known.title for known in tree.knowledge))
        seen |= dict.fromkeys(handles)
        if session is None or f"0x{session:08x}" in handles:
            yield place, tree
    if session is not None and f"0x{session:08x}" not in seen:
        raise UsageError(
            f"--session: no message uses the session 0x{session:08x}; "
            + (f"sessions in the recording: {', '.join(seen) or 'none'}")
        )


def _handle(text: str | None) -> int | None:
    if text is None:
        return None
    if re.fullmatch(r"0[xX][0-9a-fA-F]{1,8}", text):
        return int(text, 16)
    raise UsageError(f"--session: {text!r} is not a handle; use e.g. 0x02000000")


def _judge(args: Settings, keys: SessionKeys) -> int:
    from tpmwire.explain.tampering import Change, who_notices  # noqa: PLC0415 - the single file does not have it

    assert args.change is not None
    number = r"(0[xX][0-9a-fA-F]+|\d+)"
    match = re.fullmatch(rf"(\d+):{number}(?::([0-7]))?", args.change)
    if match is None or match[1] == "0":
        raise UsageError(
            f"--change: {args.change!r} is not MESSAGE:OFFSET[:BIT], with MESSAGE from 1; "
            "use e.g. 9:0x1c or 9:28:7"
        )
    change = Change(int(match[1]) - 1, int(match[2], 0), int(match[3] or 0))
    try:
        with activity("explaining the recording"):
            said = who_notices(list(_exchanges(args.input)), change, keys.salts, keys.auths)
    except IndexError:
        raise UsageError(f"--change: the recording has no byte {match[2]} in message {match[1]}") from None
    if args.json:
        place = {"message": change.place + 1, "offset": change.offset, "bit": change.bit}
        print(json.dumps([place | {"findings": said}], indent=2))
    else:
        print("\n".join(said))
    return 0


def _open_screen(words: list[str], keys: SessionKeys, session: int | None) -> None:
    try:
        import textual  # noqa: F401, PLC0415 - an optional package
    except ImportError:
        raise UsageError(
            "the screen needs the package textual: pip install 'tpmwire[debug]'; --text prints the steps"
        ) from None
    from tpmwire.explain.tampering import Change, who_notices  # noqa: PLC0415 - the single file does not have it

    from ..inspect.debugger.app import Debugger  # noqa: PLC0415 - it imports textual

    exchanges = []
    with activity("explaining the recording"):
        for exchange in _exchanges(words):
            exchanges.append(exchange)
            if len(exchanges) > LIMIT // 2:
                raise UsageError(f"the recording has more than {LIMIT:,} messages; use --text, or a part of it")
        steps = list(_steps(iter(exchanges), keys, session))
    if not steps:
        raise UsageError("the recording has no messages")

    def judge(change: Change) -> list[str]:
        return who_notices(exchanges, change, keys.salts, keys.auths)

    Debugger([tree for _, tree in steps], judge, [place for place, _ in steps]).run()
