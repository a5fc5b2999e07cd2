"""Runs commands of the TPM that are typed as text, and keeps their results as values. No terminal I/O.

>>> from tpmwire import Tpm
>>> from cli.inspect.script import Script
>>> with Tpm.open("soft:") as tpm, Script(tpm) as script:
...     script.run("key = CreatePrimary ecc:ecdsa-sha256").code
...     script.run("Sign $key text:hello").values["signature"].sig_alg
0
TPM_ALG.ECDSA
"""

import contextlib
import os
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

from tpmwire.crypto.formulas import digest
from tpmwire.errors import EncodeError, TpmError, TpmwireError
from tpmwire.explain.names import field_name
from tpmwire.record import Record
from tpmwire.sessions import SessionStart
from tpmwire.spec.commands.policies import PolicyGetDigest
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_SE
from tpmwire.tpm import Tpm
from tpmwire.wires import wire_of

from ..terminal.messages import UsageError
from .shell import outputs, steps, text
from .shell.authorize import ScriptAuthorizer
from .shell.defaults import CommandDefaults
from .shell.entities import ScriptEntities
from .shell.lines import parse_plan, split_line
from .shell.positions import PSEUDO, Plan, place_loose, python_name
from .shell.reader import Reader
from .shell.sources import DiskFiles, Files, parse_bytes, parse_credential
from .shell.values import UNKNOWN, Outcome, Values

__all__ = ["LineResult", "MessagePair", "Script"]


class MessagePair(NamedTuple):
    """A command and the response, as bytes."""

    command: bytes
    response: bytes


class LineResult(NamedTuple):
    """The result of a line: text to show, the values of its last command, and the TPM's response code.

    `values` has the fields of the response by the standard's names. `number` is N in `$N`, or 0 if no command
    succeeded. `exchanges` has every command and response that the line caused, including those of sessions.
    """

    text: str
    values: Mapping[str, Any]
    code: int = 0
    number: int = 0
    exchanges: tuple[MessagePair, ...] = ()


class Script(ScriptEntities):
    """Commands, run one after the other on an open TPM, and their results.

    `files` reads and writes the files that commands name. `public` means that other users can read the lines, as
    on a command line: secrets are then accepted as @FILE only. `session` is one of `shell.authorize.SESSIONS`.
    With `secrets`, texts show secret values. With `keep`, `close` leaves the objects and sessions of the commands
    in the TPM. `report(command, response)` is called for each exchange.
    """

    def __init__(
        self,
        tpm: Tpm,
        *,
        files: Files | None = None,
        public: bool = False,
        session: str = "none",
        secrets: bool = False,
        keep: bool = False,
        report: Callable[[bytes, bytes], None] | None = None,
    ) -> None:
        super().__init__(tpm, self._record)
        self.files: Files = files or DiskFiles()
        self.public = public
        self.secrets = secrets
        self.keep = keep
        self.values = Values()
        self.exchanges: list[MessagePair] = []
        self.on_exchange = report
        self.authorizer = ScriptAuthorizer(self, session)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _record(self, command: bytes, response: bytes) -> None:
        self.exchanges.append(MessagePair(command, response))
        if self.on_exchange is not None:
            self.on_exchange(command, response)

    # Lines

    def run(self, line: str) -> LineResult:
        """Runs a line: commands separated by `+`. Stops at the first command that the TPM refuses.

        Raises UsageError for a mistake in the line, SessionError and TransportError for faults of the TPM.
        """
        commands = split_line(line) if line.strip() else []
        start = len(self.exchanges)
        shown: list[str] = []
        entry: Outcome | None = None
        plans = [parse_plan(words) for words in commands]
        for plan in plans:
            try:
                entry = self.send(plan)
            except TpmError as error:
                shown.append(str(error))
                return LineResult("\n".join(shown), {}, error.rc, 0, tuple(self.exchanges[start:]))
            shown.append(text.entry_text(entry, len(self.values.entries), plan.save, secrets=self.secrets))
        values = entry.named() if entry is not None else {}
        number = len(self.values.entries) if entry is not None else 0
        return LineResult("\n".join(shown), values, 0, number, tuple(self.exchanges[start:]))

    # Commands

    def send(self, plan: Plan, fixed: Mapping[str, Any] | None = None) -> Outcome:
        """Sends a command, and records its result. `fixed` has values of fields, by their Python names.

        Commands of policies, which have fixed fields, are not recorded as results. Raises UsageError, TpmError.
        """
        before = self.keep_loaded()
        try:
            command = self.build(plan, fixed)
            entry = self._execute(command, plan)
        finally:
            self.flush_loaded(before)
        if fixed is None:
            self.values.add(entry, plan.save)
            outputs.write(self, entry, plan)
        return entry

    def build(self, plan: Plan, fixed: Mapping[str, Any] | None = None) -> Any:
        """Builds the command of a plan, with the defaults of missing fields. Raises UsageError."""
        values, message = place_loose(plan, self)
        kind = plan.kind
        for name, value in (fixed or {}).items():
            values[field_name(name)] = int(value)
        self._expand(plan, values, message)
        command = Reader(self).command(kind, values)
        try:
            if UNKNOWN not in vars(command).values():
                command.build()
        except EncodeError as error:
            raise UsageError(f"{plan.label}: {error}") from error
        return command

    def _expand(self, plan: Plan, values: dict[str, Any], message: Any) -> None:
        """Sets the fields that other words stand for: the digest of a message, the parts of a credential."""
        if message is None:
            return
        if (plan.kind.code.name, "message") in PSEUDO:
            data = self._message(message, f"{plan.label}.message")
            values["digest"] = "hex:" + digest(self._hash_for(plan, values), data).hex()
            return
        where = f"{plan.label}.credentialFile"
        blob, secret = parse_credential(parse_bytes(self.files, str(message), where), where)
        values["credentialBlob"], values["secret"] = "hex:" + blob.hex(), "hex:" + secret.hex()

    def _message(self, message: str, where: str) -> bytes:
        if message.startswith("$"):
            found = self.values.find(message, where)
            data = found.build() if isinstance(found, Record) else found
            if not isinstance(data, bytes):
                raise UsageError(f"{where}: {message} is not bytes")
            return data
        return parse_bytes(self.files, message, where)

    def _hash_for(self, plan: Plan, values: dict[str, Any]) -> TPM_ALG:
        """Returns the hash of a message to sign or verify: the scheme's, the key's, or SHA-256."""
        kind, reader = plan.kind, Reader(self)
        defaults = CommandDefaults(kind, self)
        found: dict[str, Any] = {}
        for name in ("keyHandle", "inScheme", "signature"):
            try:
                wire = dict(kind.fields())[python_name(kind, name)]
            except StopIteration:
                continue
            given = values.get(name, defaults.of(python_name(kind, name), found))
            if given is not None:
                found[python_name(kind, name)] = (
                    given if isinstance(given, Record | int) else reader.value(wire_of(wire), given, name, found)
                )
        public = self.public_of(found.get("key_handle", 0))
        own = getattr(getattr(public, "parameters", None), "scheme", None)
        for record in (found.get("in_scheme"), found.get("signature"), own):
            details = getattr(record, "details", None) or getattr(record, "signature", None)
            alg = getattr(details, "hash_alg", None) or getattr(details, "hash", None)
            if alg is not None:
                return TPM_ALG(alg)
        return TPM_ALG.SHA256

    def _execute(self, command: Any, plan: Plan) -> Outcome:
        used: list[Any] = []
        session = None
        if plan.kind.code == TPM_CC.StartAuthSession:
            entry, session = self._start_session(command, plan)
        else:
            used = self.authorizer.of(command, plan)
            entry = Outcome(command, self.tpm.execute(command, *used))
        self.authorizer.after_use(used)
        policy_session = getattr(command, "policy_session", getattr(command, "session_handle", 0))
        self.authorizer.note(command.code, policy_session)
        self._note_handles(entry, command)
        if session is not None:
            self.authorizer.own[session.handle] = session
        return entry

    def _start_session(self, command: Any, plan: Plan) -> tuple[Outcome, Any]:
        start, salt = self.authorizer.start(command, plan)
        response = self.tpm.execute(start.command)
        session = start.finish(response)
        entry = Outcome(start.command, response)
        if salt:
            entry.more["salt"] = salt
        if session.session_key:
            entry.more["sessionKey"] = session.session_key.reveal()
        entry.secret_names = set(entry.more)
        return entry, session

    def _note_handles(self, entry: Outcome, command: Any) -> None:
        """Records the handle that a command opened, and forgets the one that it flushed."""
        if entry.handle:
            self.add(entry.handle, entry.public)
        for name in (command.flushes, "flush_handle"):
            handle = getattr(command, name, 0) if name else 0
            if handle and not self.tpm.is_open(handle):
                self.authorizer.forget(handle)
                self.forget(handle)

    def close(self) -> None:
        """Flushes the objects and sessions that the commands opened, unless they are to be kept.

        The TPM stays open. A second call has no effect.
        """
        if not self.is_recording:
            return
        try:
            # Without the TPM, or with handles that it has flushed by itself, nothing remains to be done.
            with self.unreported(), contextlib.suppress(TpmwireError):
                self.authorizer.close()
                for handle, is_result in reversed(self.opened.items()):
                    if self.tpm.is_open(handle) and not (self.keep and is_result):
                        self.tpm.flush(handle)
        finally:
            self.stop()

    # What readers and authorizers ask for

    def password(self, given: Any) -> bytes:
        """Returns the password that `given` states: @FILE, env:NAME, or text:WORDS and hex if nobody can read it.

        Raises UsageError.
        """
        word = str(given)
        if word.startswith("@"):
            return self.files.read_secret(word[1:])
        if word.startswith("env:"):
            if word[4:] not in os.environ:
                raise UsageError(f"the environment variable {word[4:]} of --auth-env is not set")
            return os.environb[word[4:].encode()]
        if word.startswith("$"):
            return self._message(word, "auth")
        if self.public:
            raise UsageError("a password on the command line can be seen by other users; give auth=@FILE")
        return parse_bytes(self.files, word, "a password")

    def policy_digest(self, text: str, where: str) -> Any:
        """Returns the policy digest of policy steps such as `pcr:sha256:7`; None if the text is no step.

        Several steps are separated by semicolons. The digest is computed in a trial session.
        """
        parts = [part.strip() for part in text.split(";")]
        if not all(steps.is_step(part) for part in parts):
            return None
        session = self.tpm.start_session(SessionStart(TPM_SE.TRIAL))
        self.opened[session.handle] = False
        try:
            self.authorizer.run_steps(list(parts), session.handle, None)
            return self.tpm.execute(PolicyGetDigest(session.handle)).policy_digest
        finally:
            self.flush(session.handle)
