"""Runs a program, and explains its TPM commands and responses as they are sent.

  tpmwire trace -- tpm2_getrandom --hex 8
  tpmwire trace --tpm-path /dev/tpmrm0 --out talk.txt \\
      -- tpm2_createprimary -c primary.ctx
  tpmwire trace --format pcap --out talk.pcap -- tpmwire list
  tpmwire trace --html talk.html -- tpm2_pcrread
  tpmwire trace -- aws sts get-caller-identity --profile tpm

The program connects to a relay instead of the TPM: TPMWIRE_TPM_PATH (tpmwire) and TPM2TOOLS_TCTI (tpm2-tools) name
its socket. A program that selects its TPM with its own --tpm-path, on its command line or in a profile, bypasses
the relay and is not traced. The --tpm-path of trace selects the TPM behind the relay.

The exit code is the program's, or 128+N if signal N ended it.

Passwords and other secret fields are hidden: a capture (pcap) has zeros in their place. --secrets shows them.
Wireshark and `tpmwire decode` read the capture; decode reads the other formats too.
"""

import argparse
import contextlib
import os
import selectors
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, TextIO

from tpmwire.errors import TransportError
from tpmwire.explain import explain_command, explain_response, explain_stream
from tpmwire.explain.pcap import PcapBuilder
from tpmwire.explain.readers.headers import TimedMessage
from tpmwire.explain.show import blank_secrets
from tpmwire.transport import Transport
from tpmwire.wire import HEADER_SIZE

from ..inspect.writers import HtmlWriter, JsonLinesWriter
from ..terminal.colors import ColorSettings, add_color_option, printer
from ..terminal.messages import UsageError, note
from ..terminal.options import Program, TpmSettings, add_tpm_options
from ..terminal.programs import running
from ..tpm.path import TRACED, connect, lasting_path

__all__ = ["Settings", "configure", "run"]

LARGEST = 1 << 16
"""Maximum size of a command in bytes, more than any TPM accepts."""

SET_LOCALITY = 5
"""swtpm's control channel: before each command, tpm2-tools set their locality, which is 0 (swtpm_ioctls)."""


class Settings(ColorSettings, TpmSettings):
    """The verb's options."""

    out: str | None
    format: str
    html: str | None
    secrets: bool
    program: list[str]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    add_tpm_options(parser, patience="60s")
    parser.add_argument(
        "--out", metavar="FILE", help="file to write the explanations to (default: standard error)"
    )
    output = parser.add_mutually_exclusive_group()
    output.add_argument(
        "--format",
        choices=("text", "jsonl", "pcap"),
        default="text",
        help="output format: text, jsonl for one tree per line, or pcap for a network capture, which needs --out "
        "(default: text)",
    )
    output.add_argument(
        "--html",
        metavar="FILE",
        help="instead of text, write an HTML page that highlights each field's bytes, after the program ends",
    )
    parser.add_argument("--secrets", action="store_true", help="show passwords and other secret fields")
    add_color_option(parser)
    parser.add_argument(
        "program", nargs="+", action=Program, metavar="COMMAND", help="the program and its arguments, after --"
    )


def run(args: Settings) -> int:
    """Runs the program with a relay to the TPM; returns the program's exit code."""
    if shutil.which(args.program[0]) is None:
        raise UsageError(f"cannot find the program {args.program[0]!r}; check its name and PATH")
    if args.html and args.out:
        raise UsageError("--html and --out cannot be combined; --html FILE writes to FILE")
    if args.format == "pcap" and not args.out:
        raise UsageError("--format pcap needs --out FILE")
    # A Unix socket's path has at most 107 bytes, so the socket is in a temporary directory with a short name.
    with tempfile.TemporaryDirectory(prefix="tpmwire-") as place, _open_output(args) as seen:
        return _run(args, os.path.join(place, "tpm"), seen)


def _run(args: Settings, path: str, seen: Callable[[bytes, bytes], None]) -> int:
    def open_tpm() -> "Transport":
        return connect(args.tpm_path, args.timeout)

    # Opens the TPM once, so that its errors are reported before the program runs.
    open_tpm().close()
    with Relay(path, open_tpm, seen) as relay:
        tcti = f"swtpm:path={path}"
        traced = f"{tcti} {lasting_path(args.tpm_path) or ''}"
        environment = {**os.environ, "TPM2TOOLS_TCTI": tcti, "TPMWIRE_TPM_PATH": tcti, TRACED: traced}
        with running(args.program, env=environment) as child:
            relay.serve(child)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


@contextlib.contextmanager
def _open_output(args: Settings) -> Iterator[Callable[[bytes, bytes], None]]:
    """Yields a function that writes a command and its response to the output. Raises OSError if writing fails."""
    if args.html:
        with _html_page(args.html, args.program[0], secrets=args.secrets) as seen:
            yield seen
        return
    binary = args.format == "pcap"
    out: Any = sys.stderr
    if args.out:
        out = open(args.out, "wb" if binary else "w", encoding=None if binary else "utf-8")  # noqa: SIM115
    try:
        yield _capture_writer(out, secrets=args.secrets) if binary else _explainer(args, out)
    finally:
        if args.out:
            with contextlib.suppress(OSError):  # the failed write has already been reported
                out.close()


def _explainer(args: Settings, out: TextIO | None) -> Callable[[bytes, bytes], None]:
    """Returns a function that explains a command and its response, and writes the explanations to `out`."""
    if out is None:  # None if the parent process closed stderr; print would use stdout instead
        return lambda _command, _response: None
    as_lines = args.format == "jsonl"
    writer = JsonLinesWriter(secrets=args.secrets, file=out)
    show = writer.add if as_lines else printer(args.color, secrets=args.secrets, stream=out)

    def explain(command: bytes, response: bytes) -> None:
        for tree in (explain_command(command), explain_response(response, command)):
            show(tree)
            print(end="" if as_lines else "\n", file=out, flush=True)

    return explain


def _capture_writer(out: BinaryIO, *, secrets: bool) -> Callable[[bytes, bytes], None]:
    """Returns a function that writes a command and its response to a network capture."""
    builder = PcapBuilder()
    out.write(builder.begin(time.time()))

    def write(command: bytes, response: bytes) -> None:
        times = _time(command), _time(response)
        if not secrets:
            command, response = (
                blank_secrets(explain_command(command)),
                blank_secrets(explain_response(response, command)),
            )
        out.write(builder.exchange(command, response, *times))
        out.flush()

    return write


def _time(message: bytes) -> float:
    return message.time if isinstance(message, TimedMessage) else time.time()


@contextlib.contextmanager
def _html_page(path: str, title: str, *, secrets: bool) -> Iterator[Callable[[bytes, bytes], None]]:
    """Yields a function that stores a command and its response. The HTML page is written at the end."""
    writer = HtmlWriter(path, os.path.basename(title), secrets=secrets)
    # The messages may contain passwords. The file has no name, and others cannot open it.
    with tempfile.TemporaryFile() as stored:

        def store(command: bytes, response: bytes) -> None:
            head = struct.pack(">IIdd", len(command), len(response), _time(command), _time(response))
            stored.write(head + command + response)

        def exchanges() -> Iterator[tuple[bytes, bytes]]:
            stored.seek(0)
            while head := stored.read(24):
                command, response, start, end = struct.unpack(">IIdd", head)
                yield TimedMessage(stored.read(command), start), TimedMessage(stored.read(response), end)

        try:
            yield store
        finally:  # also after Ctrl-C
            with writer:
                for tree in explain_stream(exchanges(), (), (), writer.histories, knowledge=True):
                    writer.add(tree)


class Relay:
    """A relay from a Unix socket with swtpm's protocol to a TPM. A context manager.

    Each client has its own connection to the TPM, so that a resource manager separates the clients' handles.
    `seen` is called with each command and its response.
    """

    def __init__(
        self, path: str, connect: "Callable[[], Transport]", seen: Callable[[bytes, bytes], None]
    ) -> None:
        self._path = path
        self._connect = connect
        self._seen = seen
        self._deaf = False

    def __enter__(self) -> "Relay":
        self._selector = selectors.DefaultSelector()
        self._listen(self._path, self._accept)
        self._listen(f"{self._path}.ctrl", self._accept_control)
        return self

    def __exit__(self, *_: object) -> None:
        for key in list(self._selector.get_map().values()):
            self._disconnect(key)
        self._selector.close()

    def serve(self, child: "subprocess.Popen[bytes]") -> None:
        """Relays commands and responses until the program ends."""
        here, there = socket.socketpair()

        def wait() -> None:
            child.wait()
            there.close()

        threading.Thread(target=wait, daemon=True).start()
        with here:
            self._selector.register(here, 1, None)
            ended = False
            while not ended:
                for key, _ in self._selector.select():
                    if key.fileobj is here:
                        ended = True
                    else:
                        key.data(key)
            self._selector.unregister(here)

    def _listen(self, path: str, accept: Callable[[socket.socket], None]) -> None:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
        listener.listen()
        self._selector.register(listener, 1, lambda _: accept(listener.accept()[0]))

    def _accept(self, listener: socket.socket) -> None:
        try:
            client = Client(listener, self._connect())
        except TransportError as error:
            note(f"tpmwire: {error}")
            listener.close()
            return
        self._selector.register(client, 1, self._talk)

    def _talk(self, key: "selectors.SelectorKey") -> None:
        client = key.fileobj
        assert isinstance(client, Client)
        try:
            command = client.command()
            if command is None:
                return
            if command:
                command = TimedMessage(command, time.time())
                response = TimedMessage(client.tpm.transceive(command), time.time())
                self._show(command, response)
                client.socket.sendall(response)
                return
        except TransportError as error:
            note(f"tpmwire: {error}")
        except OSError:
            pass  # The program ended without waiting for the response.
        self._disconnect(key)

    def _show(self, command: bytes, response: bytes) -> None:
        """Passes a command and its response to `seen`. After a write error, `seen` is no longer called."""
        if self._deaf:
            return
        try:
            self._seen(command, response)
        except OSError as error:
            self._deaf = True
            note(f"tpmwire: cannot write more explanations: {error.strerror}; the program continues")

    def _accept_control(self, connection: socket.socket) -> None:
        self._selector.register(connection, 1, self._control)

    def _control(self, key: "selectors.SelectorKey") -> None:
        connection = key.fileobj
        assert isinstance(connection, socket.socket)
        try:
            request = connection.recv(64)
            if request:
                known = int.from_bytes(request[:4], "big") == SET_LOCALITY and not any(request[4:])
                connection.sendall(b"\0\0\0\0" if known else b"\0\0\0\x0a")  # TPM_BAD_ORDINAL, like swtpm
                return
        except OSError:
            pass
        self._disconnect(key)

    def _disconnect(self, key: "selectors.SelectorKey") -> None:
        self._selector.unregister(key.fileobj)
        key.fileobj.close()  # type: ignore[union-attr]


class Client:
    """A traced program's connection to the relay, with its own connection to the TPM."""

    def __init__(self, connection: socket.socket, tpm: "Transport") -> None:
        self.socket = connection
        self.tpm = tpm
        self._octets = b""

    def fileno(self) -> int:
        """Returns the socket's descriptor, for the selector."""
        return self.socket.fileno()

    def command(self) -> bytes | None:
        """Returns the next command; None if only a part has arrived, or b"" at the end of the connection.

        Raises OSError if the connection fails.
        """
        octets = self.socket.recv(LARGEST)
        if not octets:
            return b""
        self._octets += octets
        if len(self._octets) < HEADER_SIZE:
            return None
        size = int.from_bytes(self._octets[2:6], "big")
        if not HEADER_SIZE <= size <= LARGEST:
            note(f"tpmwire: the program sent a command with a size of {size} bytes; closing the connection")
            return b""
        if len(self._octets) < size:
            return None
        command, self._octets = self._octets[:size], self._octets[size:]
        return command

    def close(self) -> None:
        """Closes the connections to the program and to the TPM."""
        self.socket.close()
        self.tpm.close()
