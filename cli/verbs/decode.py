"""Explains the bytes of TPM commands and responses.

  tpmwire decode 80010000000c0000017b0010
  tpmwire decode capture.hex
  echo "80 01 00 00 00 0c 00 00 01 7b 00 10" | tpmwire decode
  tpmwire decode --command GetRandom 80010000000f00000000 0003aabbcc

  swtpm socket --log file=swtpm.log,level=20 ...
  tpmwire decode swtpm.log
  TSS2_LOG=tcti+debug tpm2_getrandom --hex 8 2>tools.log
  tpmwire decode tools.log
  strace -f -s 65536 -o calls.txt tpm2_getrandom 8
  tpmwire decode calls.txt
  tpmwire decode --html recording.html capture.pcapng
  tcpdump -i lo -U -w - port 2321 | tpmwire decode -
  tpmwire decode --salt-file salt.hex --auth-file password capture.pcapng
  tpmwire decode key.pub key.ctx quote.msg

Input is text or binary, as arguments, in files, or on standard input (-). Messages are found by their tag and
size: in hex, in dumps of xxd, hexdump and od, in arrays and strings of C, Python, Go, Rust, Java and JSON, and in
base64. Labels, log prefixes, comments, quotes and colors are skipped. decode also reads its own JSON and JSON
Lines.

decode reads logs of tpm2-tss, tpm2-abrmd, swtpm, QEMU, EDK2, wolfTPM and IBM TSS. Network captures (pcap, pcapng)
of swtpm or the reference simulator over TCP need the extra tpmwire[explain]. Recordings can have any size, and are
explained as they arrive.

decode also reads the output of strace (with -s 65536), bpftrace's %r, arrays of kernel probes (ftrace, trace-cmd,
perf), packets that Wireshark or tshark export as JSON, PDML or text, and captures of the SPI or LPC bus as Saleae
Logic, sigrok, PulseView, the Bus Pirate and lpc_sniffer write them.

Files that decode explains: the files of tpm2-tools 5 (public areas, contexts, signatures, quotes, PCR values,
tickets and others), TPM key files, other keys and certificates in PEM or DER, and the caches of
aws-tpm-process-credential.

Input can contain several messages. The command before a response determines how the response is explained. A lone
response needs --command, unless it fits only one command. A damaged message does not hide the next one.

With --salt and --auth, decode follows the sessions of a recording: it derives their keys, checks each HMAC, and
shows decrypted parameters in lines that begin with =. Both options are repeatable, in any order: the HMACs
identify the session. Use test keys only, because other users can read a command line.
"""

import argparse
import contextlib
import os
from collections.abc import Iterator

from tpmwire.errors import InputError
from tpmwire.explain import Node, explain_stream
from tpmwire.explain.message import find_commands
from tpmwire.explain.readers.recordings import open_recording
from tpmwire.explain.reading import Reading
from tpmwire.spec.constants import TPM_CC

from ..inspect.file_inputs import describe_commands, find_recording, split_lone
from ..inspect.options import SessionKeySettings, add_session_key_options
from ..inspect.session_keys import SessionKeys, session_keys
from ..inspect.source import Source, open_sources
from ..inspect.writers import HtmlWriter, JsonLinesWriter, JsonWriter, TextWriter, Writer
from ..terminal.colors import ColorSettings, add_color_option, printer
from ..terminal.messages import UsageError, note, warn
from ..terminal.progress import activity

__all__ = ["Settings", "configure", "run"]


class Settings(ColorSettings, SessionKeySettings):
    """The verb's options."""

    input: list[str]
    command: str | None
    json: bool
    format: str
    html: str | None


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument(
        "input",
        nargs="*",
        metavar="HEX|FILE",
        help="commands and responses to explain: hex or base64, a file, or - for standard input (default: -)",
    )
    parser.add_argument(
        "--command",
        metavar="NAME|CODE",
        help="command that produced the response, if the input contains only the response; e.g. GetRandom or "
        "0x17b",
    )
    output = parser.add_mutually_exclusive_group()
    output.add_argument(
        "--json", action="store_true", help="print a JSON list with one tree of fields per message"
    )
    output.add_argument(
        "--format",
        choices=("text", "json", "jsonl"),
        default="text",
        help="output format: text, json for a list, or jsonl for one tree per line (default: text)",
    )
    output.add_argument(
        "--html",
        metavar="FILE",
        help="write an HTML page that highlights each field's bytes; for more than 500 messages, FILE links to "
        "further pages",
    )
    add_session_key_options(parser)
    add_color_option(parser)


def run(args: Settings) -> int:
    """Explains each message of the input as soon as it is read; returns 1 if a message cannot be parsed."""
    code = _code(args.command) if args.command else None
    keys = session_keys(args.salt, args.salt_file, args.auth, args.auth_file)
    failed = False
    with _writer(args) as writer:
        for source in open_sources(args.input or ["-"]):
            with activity(f"explaining {source.name}", source.size, prints=True) as shown:
                for tree in _explain(source, code, keys, writer):
                    writer.add(tree)
                    failed |= bool(tree.error)
                    shown.done = source.position
    return 1 if failed else 0


def _writer(args: Settings) -> Writer:
    if args.html is not None:
        for path in (*(args.input or ["-"]), *args.salt_file, *args.auth_file):
            if _is_same_file(path, args.html):
                raise UsageError(f"{args.html} is an input; choose another file for --html")
        title = ", ".join(os.path.basename(word) for word in args.input if os.path.exists(word))
        return HtmlWriter(args.html, title or "TPM 2.0 messages")
    if args.json or args.format == "json":
        return JsonWriter()
    return JsonLinesWriter() if args.format == "jsonl" else TextWriter(printer(args.color))


def _is_same_file(path: str, output: str) -> bool:
    """Returns whether an input is the file `output`. The input `-` is standard input, which may be a file."""
    try:
        given = os.fstat(0) if path == "-" else os.stat(path)
        return os.path.samestat(given, os.stat(output))
    except (OSError, ValueError):  # the input is text, or standard input is closed
        return False


def _code(text: str) -> int:
    wanted = text.lower().removeprefix("tpm2_").removeprefix("tpm_cc_")
    named = next((code for name, code in TPM_CC.__members__.items() if name.lower() == wanted), None)
    if named is not None:
        return int(named)
    with contextlib.suppress(ValueError):
        if 0 <= (number := int(text, 0)) < 1 << 32:
            return number
    raise UsageError(f"{text!r} is not a command; expected a name such as GetRandom, or a command code")


def _explain(source: Source, code: int | None, keys: SessionKeys, writer: Writer) -> Iterator[Node]:
    """Yields an explanation tree for each message in the input: a recording, or messages in hex or binary.

    `code` is the command code for responses without a command, or None.
    """
    exchanges = find_recording(source) if code is None else open_recording(source.file, source.name, warn)
    if isinstance(exchanges, Reading):
        yield from exchanges.trees
        return
    if code is None:
        lone, exchanges = split_lone(exchanges)
        code = _find_command(lone) if lone else None
    yield from explain_stream(
        exchanges,
        keys.salts,
        keys.auths,
        writer.histories,
        writer.count,
        code,
        knowledge=writer.histories is not None,
    )


def _find_command(response: bytes) -> int:
    """Returns the code of the only command that a response fits. Raises InputError if it fits several or none."""
    names = find_commands(response)
    if len(names) == 1:
        note(f"tpmwire: taken as a response to {names[0]}, the only command that fits; --command selects another")
        return TPM_CC[names[0]]
    fits = f"; {describe_commands(names)} would fit" if names else ""
    raise InputError(
        f"this is a response; give its command with --command NAME, or put the command before it{fits}"
    )
