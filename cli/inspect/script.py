"""Runs TPM commands that are typed as text, and keeps their results as values. No terminal I/O.

>>> from tpmwire import Tpm
>>> from cli.inspect.script import Script
>>> with Tpm.open("soft:") as tpm, Script(tpm) as script:
...     script.run("key = CreatePrimary ecc:ecdsa-sha256").code
...     script.run("Sign $key text:hello").values["signature"].sig_alg
0
TPM_ALG.ECDSA
"""

import contextlib
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

from tpmwire.crypto.formulas import random_bytes
from tpmwire.errors import EncodeError, TpmError, TpmwireError
from tpmwire.sessions import Session, SessionStart, Use
from tpmwire.spec.commands.context import ContextLoad, ContextSave
from tpmwire.spec.commands.policies import PolicyGetDigest
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_SE, TPMA_SESSION
from tpmwire.spec.response_codes import TPM_RC
from tpmwire.tpm import Tpm
from tpmwire.wire import CommandMessage, ResponseMessage

from ..terminal.messages import UsageError
from .shell import directives, outputs, steps, text
from .shell.authorize import ScriptAuthorizer
from .shell.build import build_planned, read_message
from .shell.entities import Listener, ScriptEntities
from .shell.lines import parse_plan, split_line
from .shell.positions import Plan
from .shell.recording import MessagePair, ScriptRecording
from .shell.rehearsal import rehearse
from .shell.saved import SavedResults
from .shell.sources import DiskFiles, Files, parse_password
from .shell.values import Outcome, Values

__all__ = ["LineResult", "MessagePair", "Script"]


class LineResult(NamedTuple):
    """The result of a line: text to show, the values of its last command, and the TPM's response code.

    `values` contains the fields of the response by the standard's names. `number` is N in `$N`, or 0 if no command
    succeeded. `exchanges` contains every command and response that the line caused, including those of sessions.
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
    in the TPM. `listener` receives each command and response. `saved` contains results of earlier runs.
    """

    dry = False

    def __init__(
        self,
        tpm: Tpm,
        *,
        files: Files | None = None,
        public: bool = False,
        session: str = "none",
        secrets: bool = False,
        keep: bool = False,
        listener: Listener | None = None,
        saved: SavedResults | None = None,
    ) -> None:
        self.recording = ScriptRecording(listener or Listener())
        super().__init__(tpm, self.recording)
        self.files: Files = files or DiskFiles()
        self.public = public
        self.secrets = secrets
        self.keep = keep
        self.swapper.enabled = not keep  # what was saved outside of the TPM cannot stay in it
        self.saved = saved
        self._lasting: dict[str, Outcome] = {}  # sessions that are saved at the end
        self.values = Values()
        self.values.restore = self._restore
        self.authorizer = ScriptAuthorizer(self, session)
        self.sent: tuple[MessagePair, ...] = ()
        """The commands and responses of the last line."""
        self.line_starts: list[int] = [0]
        """0, and the position in the recording at which each line with commands began."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def exchanges(self) -> list[MessagePair]:
        """Every command that was sent so far, with its response."""
        return self.recording.exchanges

    def run(self, line: str) -> LineResult:
        """Runs a line: commands separated by `+`, or a directive such as `explain last` (see `help`).

        Stops at the first command that the TPM refuses. An empty line and a comment do nothing. Raises UsageError
        for a mistake in the line, before anything is sent; SessionError and TransportError for faults of the TPM.
        """
        plans = self.plans(line)
        if plans:
            return self.run_plans(plans)
        commands = split_line(line)
        directive = directives.find(commands) if commands else None
        return LineResult("" if directive is None else directive(self, commands[0][1:]), {})

    def plans(self, line: str) -> list[Plan] | None:
        """Returns the commands in a line, which are checked; None if it has a directive or nothing.

        Raises UsageError for a mistake.
        """
        commands = split_line(line)
        if not commands or directives.find(commands) is not None:
            return None
        plans = [parse_plan(words) for words in commands]
        rehearse(plans, self)
        return plans

    def start_line(self) -> None:
        """Records that a line with commands begins, for `explanations`."""
        self.line_starts.append(self.recording.position)

    def run_plans(self, plans: Sequence[Plan]) -> LineResult:
        """Sends commands in order; stops at the first one that the TPM refuses."""
        start = len(self.exchanges)
        self.start_line()
        shown: list[str] = []
        outcome: Outcome | None = None
        code = 0
        for plan in plans:
            self.recording.swaps.clear()
            try:
                outcome = self.send(plan)
            except TpmError as error:
                shown += [*self.recording.swaps, f"{error}{self._advice(error)}"]
                outcome, code = None, error.rc
                break
            shown += self.recording.swaps
            shown.append(text.outcome_text(outcome, len(self.values.outcomes), plan.save, secrets=self.secrets))
        self.sent = sent = tuple(self.exchanges[start:])
        if outcome is None:
            return LineResult("\n".join(shown), {}, code, 0, sent)
        return LineResult("\n".join(shown), outcome.named(), 0, len(self.values.outcomes), sent)

    def _advice(self, error: TpmError) -> str:
        """Returns what to do if the TPM has no free slot for an object or a session."""
        if error.code not in (TPM_RC.OBJECT_MEMORY, TPM_RC.SESSION_MEMORY, TPM_RC.SESSION_HANDLES):
            return ""
        advice = "; `values` lists what this script has opened, and FlushContext $NAME frees a slot"
        swaps = self.swapper.enabled or error.code == TPM_RC.SESSION_HANDLES
        return advice if swaps else f"{advice}; {'omit --keep' if self.keep else '`swap on`'} to swap contexts"

    def send(self, plan: Plan, fixed: Mapping[str, Any] | None = None) -> Outcome:
        """Sends a command, and records its result. `fixed` contains values of fields, by their Python names.

        Commands of policies, which have fixed fields, are not recorded as results. Raises UsageError for an
        invalid field, TpmError if the TPM refuses.
        """
        before = self.keep_loaded()
        try:
            outcome = self._execute(build_planned(plan, self, fixed), plan)
        finally:
            self.flush_loaded(before)
        if fixed is None:
            self.values.add(outcome, plan.save)
            outputs.write(self, outcome, plan)
        return outcome

    def _execute(self, command: Any, plan: Plan) -> Outcome:
        if plan.kind.code == TPM_CC.StartAuthSession:
            if not command.encrypted_salt:
                return self._start_session(command, plan)
            if not command.nonce_caller:
                # At least 16 bytes, and at most as many as a digest has (Part 3, §11.1.1).
                command = command.replace(nonce_caller=random_bytes(16))
        used = self.authorizer.of(command, plan)
        attributes = [use.attributes for use in used if isinstance(use, Use)]
        if any(bits & TPMA_SESSION.DECRYPT for bits in attributes):
            self.recording.clear_command(CommandMessage(command.code, command).build())
        response: Any = self.tpm.execute(command, *used)
        if any(bits & TPMA_SESSION.ENCRYPT for bits in attributes):
            self.recording.clear_response(ResponseMessage(0, command.code, response).build(), command)
        self.authorizer.after_use(used)
        self.authorizer.note(command)
        outcome = Outcome(command, response)
        self._note_handles(outcome, command)
        return outcome

    def _start_session(self, command: Any, plan: Plan) -> Outcome:
        start, salt = self.authorizer.start(command, plan)
        outcome = Outcome(start.command, self.tpm.execute(start.command))
        session = start.finish(outcome.response)  # type: ignore[arg-type]
        if salt:
            outcome.more["salt"] = salt
            self.recording.salt(session.handle, salt)
        if session.session_key:
            outcome.more["sessionKey"] = session.session_key.reveal()
        self._note_handles(outcome, command)
        self.authorizer.own[session.handle] = session
        return outcome

    def _note_handles(self, outcome: Outcome, command: Any) -> None:
        """Records the handle that a command opened, and forgets the one that it flushed."""
        if outcome.handle:
            self.authorizer.forget(outcome.handle)
            self.add(outcome.handle, outcome.public)
        for name in (command.flushes, "flush_handle"):
            handle = getattr(command, name, 0) if name else 0
            if handle and not self.tpm.is_open(handle):
                self.authorizer.forget(handle)
                self.forget(handle)

    def _restore(self, name: str) -> Outcome | None:
        """Returns the saved result of an earlier run, with its object or session loaded; None if there is none."""
        found = None if self.saved is None else self.saved.read(name)
        if found is None or found.context is None:
            return None if found is None else found.outcome
        outcome = found.outcome
        try:
            with self.unreported():
                outcome.set_handle(self.tpm.execute(ContextLoad(found.context)).loaded_handle)
        except TpmError as error:
            raise UsageError(
                f"${name} cannot be loaded: {error}; saved objects are valid until the TPM is reset or cleared: "
                f"create it again, or remove it with `tpmwire send --forget {name}`"
            ) from error
        self.add(outcome.handle, outcome.public)
        self.opened[outcome.handle] = False
        if found.nonce_tpm:
            self.authorizer.own[outcome.handle] = found.session()
            self._lasting[name] = outcome
        return outcome

    def save_result(self, name: str, outcome: Outcome) -> str:
        """Saves a result for later runs; sessions are saved at the end. Returns what could not be saved, or ""."""
        session = self.authorizer.own.get(outcome.handle)
        if session is not None and session.session_key:
            return f"${name} is not saved for later runs: a salted or bound session has a secret key"
        if session is not None:
            self._lasting[name] = outcome
            return ""
        return self._write_result(name, outcome, None)

    def _write_result(self, name: str, outcome: Outcome, session: Session | None) -> str:
        assert self.saved is not None
        context = None
        if outcome.has_handle and self.tpm.is_open(outcome.handle):
            with self.unreported():
                context = self.tpm.execute(ContextSave(outcome.handle)).context
        try:
            secret = self.saved.write(name, outcome, context, session)
        except (OSError, EncodeError) as error:
            why = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else error
            return f"${name} is not saved for later runs: {why}"
        return f"${name} is saved without {', '.join(secret)}, which is secret" if secret else ""

    def _save_sessions(self) -> None:
        """Saves the sessions that later runs can use, and which are then no longer in the TPM's memory."""
        for name, outcome in self._lasting.items():
            session = self.authorizer.own.get(outcome.handle)
            if session is None or not self.tpm.is_open(outcome.handle):
                assert self.saved is not None
                self.saved.forget(name)
                continue
            if not self._write_result(name, outcome, session):
                self.tpm.disown(outcome.handle)

    def close(self) -> None:
        """Flushes the objects and sessions that the commands opened, unless they are to be kept.

        The TPM stays open. A second call has no effect.
        """
        if not self.is_recording:
            return
        try:
            # Without the TPM, or with handles that it has flushed by itself, nothing remains to be done.
            with contextlib.suppress(TpmwireError, OSError):
                self._save_sessions()
                self.authorizer.close()
                for handle, is_result in reversed(self.opened.items()):
                    if self.tpm.is_open(handle) and not (self.keep and is_result):
                        self.tpm.flush(handle)
        finally:
            self.stop()

    def password(self, given: Any) -> bytes:
        """Returns the password that `given` states: @FILE, env:NAME, $VALUE, or text:WORDS and hex.

        Raises UsageError if `given` is not valid, and for text:WORDS and hex on a command line.
        """
        word = str(given)
        if word.startswith("$"):
            found: bytes = read_message(self, word, "auth")
            return found
        return parse_password(self.files, word, public=self.public)

    def policy_digest(self, given: str, where: str) -> Any:
        """Returns the policy digest of policy steps such as `pcr:sha256:7`; None if the text is not one.

        Several steps are separated by semicolons. The digest is computed in a trial session.
        """
        parts = [part.strip() for part in given.split(";")]
        if not all(steps.is_step(part) for part in parts):
            return None
        session = self.tpm.start_session(SessionStart(TPM_SE.TRIAL))
        self.opened[session.handle] = False
        try:
            self.authorizer.run_steps(steps.expand_steps(parts, TPM_ALG.SHA256), session.handle, None)
            return self.tpm.execute(PolicyGetDigest(session.handle)).policy_digest
        finally:
            self.flush(session.handle)

    def explanations(self, number: int = -1) -> list[tuple[str, Any]]:
        """Returns (comment, tree) of each message of a line, by default the last one with commands.

        Raises UsageError if there is no such line.
        """
        starts = [*self.line_starts[1:], self.recording.position]
        count = len(starts) - 1
        if not count:
            raise UsageError("no command was sent yet; explain needs a command")
        if number == 0 or not -count <= number <= count:
            raise UsageError(f"explain: no line {number}; lines with commands so far: 1 to {count}")
        place = number - 1 if number > 0 else count + number
        return self.recording.trees(starts[place], starts[place + 1])
