"""The output of `tpmwire send`: explained messages, or only the values of the responses."""

import json
from collections.abc import Callable
from typing import Any

from tpmwire.explain import Node, explain_command, explain_response
from tpmwire.transport import Transport

from ..terminal.colors import printer
from ..terminal.messages import note
from ..terminal.progress import activity
from .shell import text
from .shell.entities import Listener
from .shell.values import Outcome
from .writers import JsonLinesWriter, JsonWriter, Writer

__all__ = ["SendListener", "SendWriter", "WaitingTransport", "send_writer"]


class WaitingTransport:
    """A transport that shows on the terminal that a command takes long."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def transceive(self, command: bytes) -> bytes:
        """Sends a command, and returns the response."""
        with activity("waiting for the TPM"):
            return self._transport.transceive(command)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _TextWriter(Writer):
    """A writer that prints each explanation (Node) as text, followed by an empty line."""

    def __init__(self, show: Callable[[Node], None]) -> None:
        super().__init__()
        self._show = show

    def write(self, tree: Node) -> None:
        """Prints an explanation and an empty line."""
        self._show(tree)
        print(flush=True)


class SendWriter:
    """Writes explanations of messages to a `Writer`. With `secrets`, secret values are written too."""

    def __init__(self, writer: Writer, *, secrets: bool) -> None:
        self._writer = writer
        self._secrets = secrets

    def __enter__(self) -> "SendWriter":
        self._writer.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._writer.__exit__(*error)

    @property
    def _is_text(self) -> bool:
        return isinstance(self._writer, _TextWriter)

    def add_command(self, data: bytes, comment: str = "") -> None:
        """Writes the explanation of a command."""
        self._add(explain_command(data), comment)

    def add_response(self, data: bytes, command: Any, comment: str = "") -> None:
        """Writes the explanation of a response."""
        self._add(explain_response(data, command), comment)

    def _add(self, tree: Node, comment: str) -> None:
        if comment and self._is_text:
            print(f"# {comment}:")
        elif comment:
            tree.type = f"{tree.type} without sessions"
        self._writer.add(tree)

    def add_outcome(self, outcome: Outcome, number: int, save: str) -> None:
        """Writes the secret values of a result that --secrets requests, each in one piece."""
        for name, value in outcome.named().items() if self._is_text and self._secrets else ():
            if isinstance(value, bytes) and value and outcome.is_secret(name):
                print(f"# ${save or number}.{name}: {value.hex(' ')}", end="\n\n", flush=True)

    def add_text(self, words: str) -> None:
        """Writes a text for the user."""
        if self._is_text and words:
            print(words, end="\n\n", flush=True)

    def add_salt(self, session: int, salt: bytes) -> None:
        """Writes the salt of a session."""
        self.add_note(f"salt of session 0x{session:08x}: {salt.hex()}")

    def add_note(self, words: str) -> None:
        """Writes a sentence: as a comment in text, else on stderr."""
        if self._is_text:
            print(f"# {words}", end="\n\n", flush=True)
        else:
            note(f"tpmwire: {words}")


class _ValuesWriter(SendWriter):
    """Writes only the results of commands: as text, or as a JSON list."""

    def __init__(self, *, secrets: bool, as_json: bool) -> None:
        super().__init__(Writer(), secrets=secrets)
        self._as_json = as_json
        self._found: list[dict[str, Any]] = []

    def __exit__(self, *error: Any) -> None:
        if self._as_json and (self._found or error[0] is None):
            print(json.dumps(self._found, indent=2))

    def _add(self, tree: Node, comment: str) -> None:
        pass

    def add_outcome(self, outcome: Outcome, number: int, save: str) -> None:
        if self._as_json:
            self._found.append(text.outcome_json(outcome, number, save, secrets=self._secrets))
        else:
            print(text.outcome_text(outcome, number, save, secrets=self._secrets), flush=True)

    def add_text(self, words: str) -> None:
        if words and not self._as_json:
            print(words, flush=True)


class SendListener(Listener):
    """Writes the messages of a script. With `show_salt`, also the salts of sessions."""

    def __init__(self, writer: SendWriter, *, show_salt: bool) -> None:
        self._writer = writer
        self._show_salt = show_salt
        self._ending = False
        self._last_words = ""
        self._failure: OSError | None = None

    def end(self, words: str) -> None:
        """Stops writing messages. `words` is a line to print before the next command, if one follows, or ""."""
        self._ending, self._last_words = True, words

    def command(self, data: bytes) -> None:
        """Writes a command."""
        if not self._ending:
            if self._failure is not None:
                raise self._failure
            self._writer.add_command(data)
        elif self._last_words:
            note(self._last_words)
            self._last_words = ""

    def response(self, data: bytes, command: bytes) -> None:
        """Writes a response.

        An error, such as a closed pipe, is raised at the next command: the Tpm must first record a new object, so
        that it is flushed.
        """
        if self._ending or self._failure is not None:
            return
        try:
            self._writer.add_response(data, command)
        except OSError as error:
            self._failure = error

    def clear_command(self, data: bytes) -> None:
        """Writes a command before its encryption."""
        name = explain_command(data).text.partition(":")[0]
        self._writer.add_command(data, f"{name} without its sessions, before its first parameter is encrypted")

    def clear_response(self, data: bytes, command: Any) -> None:
        """Writes a response after its decryption."""
        comment = "That response without its sessions, after its first parameter is decrypted"
        self._writer.add_response(data, command, comment)

    def swap(self, text: str) -> None:
        """Writes a sentence about a swap."""
        if not self._ending:
            self._writer.add_note(text)

    def salt(self, session: int, salt: bytes) -> None:
        """Writes the salt of a session."""
        if self._show_salt:
            self._writer.add_salt(session, salt)


def send_writer(args: Any) -> SendWriter:
    """Returns the writer for the settings --format, --color and --secrets."""
    if args.format.startswith("values"):
        return _ValuesWriter(secrets=args.secrets, as_json=args.format == "values-json")
    if args.format == "text":
        return SendWriter(_TextWriter(printer(args.color, secrets=args.secrets)), secrets=args.secrets)
    writer = (JsonWriter if args.format == "json" else JsonLinesWriter)(secrets=args.secrets)
    return SendWriter(writer, secrets=args.secrets)
