"""Explains a recording, with the values that depend on earlier messages.

recording = explain_recording([(command, response), ...], salts=[Secret(salt)], auths=[Secret(b"password")])
for tree in recording.trees:
    print(as_text(tree))

`explain_stream` does the same for a recording of any length, one message at a time.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from ..errors import EncodeError, WireError
from ..record import Record
from ..secret import EMPTY_AUTH, Secret
from ..spec.command import Command, command_class, role_of
from ..spec.commands.sessions import StartAuthSession
from ..spec.constants import TPM_CC, TPM_RH, TPM_SE, TPM_ST, TPMA_SESSION
from ..spec.structures import TPMS_AUTH_COMMAND, TPMS_AUTH_RESPONSE
from ..wire import first_parameter, parse_response
from .annotations import attach_digest, attach_key, attach_plain, attach_verdict
from .areas import MessageAreas, authorized_places, first_content, join_values, replace_first, split_message
from .bounds import SESSIONS, Recent
from .entities import Entities
from .facts import Fact, Knowledge
from .knowledge import Cipher, SessionUse, start_facts, use_facts
from .message import explain_command, explain_response
from .policies import policy_digest
from .readers.headers import duration
from .session_history import SessionHistory, Step
from .traced_session import SessionAuth, TracedSession, Verdict, encrypting, judge_hmacs
from .tree import Node

__all__ = ["Recording", "explain_recording", "explain_stream"]


class Recording:
    """An explained recording: the `trees` of its messages in order, and the `histories` of its sessions."""

    def __init__(self) -> None:
        self.trees: list[Node] = []
        self.histories: list[SessionHistory] = []


def explain_recording(
    exchanges: Iterable[tuple[bytes, bytes]], salts: Sequence[Secret] = (), auths: Sequence[Secret] = ()
) -> Recording:
    """Returns the explanation of commands with their responses. Never raises.

    A missing command or response is empty. `salts` contains the salts of the recording's sessions, and `auths` the
    authValues of its entities, both in any order, for decrypting parameters and verifying HMACs.
    """
    recording = Recording()
    recording.trees += explain_stream(exchanges, salts, auths, recording.histories)
    return recording


def explain_stream(
    exchanges: Iterable[tuple[bytes, bytes]],
    salts: Sequence[Secret] = (),
    auths: Sequence[Secret] = (),
    histories: list[SessionHistory] | None = None,
    place: int = 0,
    code: int | None = None,
    *,
    knowledge: bool = False,
) -> Iterator[Node]:
    """Yields the trees of commands and responses while it reads `exchanges`.

    Raises only the errors of `exchanges`. See `explain_recording` for `salts` and `auths`. `code` is the command
    code for responses without a command.

    The histories of the first 1,000 sessions are appended to `histories`. Histories refer to trees by index;
    `place` is the index of the first tree.

    With `knowledge`, the trees of messages that use sessions contain what each side of the session knows.

    Only the histories use memory that grows with the recording.
    """
    follower = _Follower(histories, salts, Entities(tuple(auths)), knowledge=knowledge)
    for command, response in exchanges:
        trees = follower.explain(command, response, place) if command else [explain_response(response, code)]
        trees[-1].seconds = duration(command, response)
        place += len(trees)
        yield from trees


class _Follower:
    def __init__(
        self,
        histories: list[SessionHistory] | None,
        salts: Sequence[Secret],
        entities: Entities,
        *,
        knowledge: bool = False,
    ) -> None:
        self._recorded, self._salts, self._entities = histories, salts, entities
        self.notes_knowledge = knowledge
        self._sessions: Recent[int, TracedSession] = Recent()
        self._histories: Recent[int, SessionHistory] = Recent()

    def explain(self, command: bytes, response: bytes, place: int) -> list[Node]:
        """Returns the trees of a command and its response, with the values that are derived from them.

        `place` is the index of the command's tree in the recording.
        """
        asked = explain_command(command)
        answered = explain_response(response, command) if response else None
        if not asked.error and (answered is None or not answered.error):
            with contextlib.suppress(WireError):
                _One(self, command, response, asked, answered, place).run()
        return [asked] if answered is None else [asked, answered]

    def history(self, handle: int, session: TracedSession | None) -> SessionHistory:
        """Returns the history of the session at a handle. Creates a history if the session has none."""
        history = self._histories.get(handle)
        if history is None:
            history = SessionHistory(handle, session.start if session is not None else None)
            self._histories[handle] = history
            if self._recorded is not None and len(self._recorded) < SESSIONS:
                self._recorded.append(history)
        return history

    def note(self, handle: int, step: Step) -> None:
        """Adds a step to the history of the session at a handle. The history must exist."""
        if self._recorded is not None:
            self._histories[handle].add(step)


_NO_SESSIONS = TPM_ST.NO_SESSIONS.to_bytes(2, "big")


@cache
def _refers_to_entities(kind: type[Command]) -> bool:
    """Returns whether the command or its response has a handle, which later commands may use."""
    if kind.code == TPM_CC.FlushContext:  # its handle is a parameter
        return True
    return any(role_of(annotation) for _, annotation in [*kind.fields(), *kind.Response.fields()])


class _One:
    """Explains one command and its response."""

    def __init__(
        self, follower: _Follower, command: bytes, response: bytes, asked: Node, answered: Node | None, place: int
    ) -> None:
        self._f = follower
        self._entities = follower._entities
        self._command, self._response = command, response
        self._asked, self._answered, self._place = asked, answered, place
        self._code = TPM_CC(int.from_bytes(command[6:10], "big"))
        self._ciphers: dict[TPMA_SESSION, tuple[int, Cipher]] = {}

    def run(self) -> None:
        kind = command_class(self._code)
        if kind is None or (self._command[:2] == _NO_SESSIONS and not _refers_to_entities(kind)):
            return
        sent = split_message(self._command, kind, TPMS_AUTH_COMMAND, command=True)
        succeeded = bool(self._response) and not any(self._response[6:10])
        got = (
            split_message(self._response, kind.Response, TPMS_AUTH_RESPONSE, command=False) if succeeded else None
        )
        verdicts = self._verdicts(kind, sent, got)
        plain_command = self._decrypt_parameters(kind, sent, TPMA_SESSION.DECRYPT, verdicts, self._asked, sent)
        plain_response = None
        if got is not None:
            plain_response = self._decrypt_parameters(
                kind.Response, got, TPMA_SESSION.ENCRYPT, verdicts, self._answered, sent, newer=got
            )
        if self._f.notes_knowledge:
            self._note_knowledge(kind, sent, got, verdicts)
        self._note_uses(kind, sent, got, verdicts)
        values = join_values(kind, sent.handles, plain_command)
        if values is None:
            return
        answer = None if got is None else join_values(kind.Response, got.handles, plain_response)
        if succeeded and answer is not None:
            self._entities.learn(values, answer)
            self._sessions_by(values, answer)
        if succeeded:
            self._policy(values)

    def _verdicts(self, kind: type[Command], sent: MessageAreas, got: MessageAreas | None) -> list[Verdict | None]:
        """Verifies the HMACs, and returns a verdict for each authorization of the command.

        The verdict is None for a password and for a session whose start was not recorded.
        """
        wanted = len(authorized_places(kind))
        verdicts: list[Verdict | None] = []
        for index, auth in enumerate(sent.authorizations):
            session = self._f._sessions.get(auth.session_handle)
            entity = self._entity(kind, sent, index) if index < wanted else None
            if auth.session_handle == TPM_RH.PW:
                if entity is not None and got is not None:
                    self._entities.auth_is(entity, Secret(auth.hmac))
                verdicts.append(None)
                continue
            if session is None:
                verdicts.append(None)
                continue
            answer = got.authorizations[index] if got is not None and index < len(got.authorizations) else None
            verdict = judge_hmacs(
                SessionAuth(entity, session, auth, answer),
                self._code,
                sent,
                got,
                self._extra_nonces(sent, index, wanted),
                self._entities,
                self._after(kind, sent, index, session),
            )
            attach_verdict(self._asked, self._answered, index, verdict, wants=session)
            if verdict.key is not None and (verdict.command or verdict.response):
                session.keys = [verdict.key]
                if entity is not None and verdict.with_auth:
                    self._entities.auth_is(entity, verdict.auth)
            elif session.wants_password and entity is not None and got is not None:
                self._entities.auth_is(entity, verdict.auth)
            verdicts.append(verdict)
        return verdicts

    @staticmethod
    def _entity(kind: type[Command], sent: MessageAreas, index: int) -> int:
        return sent.handles[authorized_places(kind)[index]]

    def _extra_nonces(self, sent: MessageAreas, index: int, wanted: int) -> list[bytes]:
        """Returns the TPM nonces of encrypting sessions, which the HMAC of the first authorization covers.

        Empty for other authorizations (Part 1, §19.6.5). `wanted` is the number of handles that need
        authorization.
        """
        if index or not wanted:
            return []
        places: list[int] = []
        for attribute in (TPMA_SESSION.DECRYPT, TPMA_SESSION.ENCRYPT):
            found = encrypting(sent, attribute)
            if found and found not in places:
                places.append(found)
        sessions = [self._f._sessions.get(sent.authorizations[place].session_handle) for place in places]
        return [session.nonce_tpm for session in sessions if session is not None]

    def _after(
        self, kind: type[Command], sent: MessageAreas, index: int, session: TracedSession
    ) -> Callable[..., Any]:
        """Returns a function of a session key and the old authValue that returns the new authValue.

        The function returns None if the command does not change the authValue.
        """

        def after(key: Any, auth: Secret) -> Secret | None:
            if index:
                return None
            parameters = sent.parameters
            if encrypting(sent, TPMA_SESSION.DECRYPT) == 0:
                sealed = sent.authorizations[0].nonce, session.nonce_tpm
                parameters = replace_first(
                    parameters, session.cipher(key.session_key, auth, sealed, first_content(parameters))
                )
            values = join_values(kind, sent.handles, parameters)
            field = None if values is None else values.auth_after
            return None if field is None else Secret(getattr(values, field) if field else b"")

        return after

    def _decrypt_parameters(
        self,
        kind: type[Record],
        message: MessageAreas,
        attribute: TPMA_SESSION,
        verdicts: list[Verdict | None],
        tree: Node | None,
        sent: MessageAreas,
        newer: MessageAreas | None = None,
    ) -> bytes | None:
        """Returns a message's parameters with the first one decrypted, or None if the session's key is unknown.

        `message` is the message to decrypt, either the command `sent` or its response. `newer` is the response, or
        None if `message` is the command. `attribute` is DECRYPT for a command, ENCRYPT for a response. Parameters
        without encryption are returned unchanged.
        """
        index = encrypting(message, attribute)
        if index is None or first_parameter(kind) is None:
            return message.parameters
        verdict = verdicts[index] if index < len(verdicts) else None
        session = self._f._sessions.get(sent.authorizations[index].session_handle)
        # A key that no HMAC has proven would yield noise that looks like a value.
        if verdict is None or verdict.key is None or session is None or tree is None:
            return None
        caller = sent.authorizations[index].nonce
        nonces = (caller, session.nonce_tpm) if newer is None else (newer.authorizations[index].nonce, caller)
        found, (auths, certain) = [], self._cipher_auths(sent, index, verdict, session)
        for auth in auths:
            plain = session.cipher(verdict.key.session_key, auth, nonces, first_content(message.parameters))
            if plain is None:
                return None
            found.append(replace_first(message.parameters, plain))
        parsing = [parameters for parameters in found if join_values(kind, (0,) * 8, parameters) is not None]
        parameters = (parsing or found)[0]
        size = 2 + len(first_content(parameters))
        self._ciphers[attribute] = index, Cipher(auths[found.index(parameters)], size - 2)
        attach_plain(tree, kind, message.offset, parameters[:size], session, 0 if certain else len(parsing))
        return parameters

    def _cipher_auths(
        self, sent: MessageAreas, index: int, verdict: Verdict, session: TracedSession
    ) -> tuple[list[Secret], bool]:
        """Returns candidates for the authValue in the cipher's key, and whether the first candidate is certain.

        `index` is the authorization that encrypts, `verdict` the result of its HMACs.
        """
        kind = command_class(self._code)
        assert kind is not None
        if index >= len(authorized_places(kind)):
            return [EMPTY_AUTH], True
        if verdict.with_auth or session.wants_password or session.start.session_type != TPM_SE.POLICY:
            return [verdict.auth], True
        entity = self._entity(kind, sent, index)
        certain = self._entities.knows(entity)
        return self._entities.auths(entity)[: 1 if certain else None], certain

    def _note_knowledge(
        self, kind: type[Command], sent: MessageAreas, got: MessageAreas | None, verdicts: list[Verdict | None]
    ) -> None:
        """Adds each side's knowledge of the command's sessions to the trees of command and response."""
        wanted = len(authorized_places(kind))
        names = [(handle, self._entities.name(handle)) for handle in sent.handles]
        before, after = [], []
        for index, (auth, verdict) in enumerate(zip(sent.authorizations, verdicts, strict=True)):
            session = self._f._sessions.get(auth.session_handle)
            if session is None or verdict is None:
                continue
            entity = self._entity(kind, sent, index) if index < wanted else None
            answer = got.authorizations[index] if got is not None and index < len(got.authorizations) else None
            extra = self._extra_nonces(sent, index, wanted)
            use = SessionUse(session, self._code, entity, auth, answer, session.nonce_tpm, verdict, extra, names)
            title = self._f.history(auth.session_handle, session).title
            place, cipher = self._ciphers.get(TPMA_SESSION.DECRYPT, (-1, None))
            before.append(Knowledge(title, use_facts(use, sent, None, cipher if place == index else None)))
            if got is not None:
                place, cipher = self._ciphers.get(TPMA_SESSION.ENCRYPT, (-1, None))
                after.append(Knowledge(title, use_facts(use, sent, got, cipher if place == index else None)))
        self._asked.knowledge = before
        if self._answered is not None:
            self._answered.knowledge = after

    def _note_uses(
        self, kind: type[Command], sent: MessageAreas, got: MessageAreas | None, verdicts: list[Verdict | None]
    ) -> None:
        """Updates the nonces of the command's sessions, and adds the command to the histories of the sessions."""
        wanted = len(authorized_places(kind))
        for index, auth in enumerate(sent.authorizations):
            handle = auth.session_handle
            if handle == TPM_RH.PW:
                continue
            entity = self._entity(kind, sent, index) if index < wanted else None
            session = self._f._sessions.get(handle)
            self._f.history(handle, session)
            step = Step.use(
                self._place, self._code, entity, auth.session_attributes, self._answered, verdicts[index]
            )
            step.ends = got is not None and not auth.session_attributes & TPMA_SESSION.CONTINUE_SESSION
            self._f.note(handle, step)
            if session is not None and got is not None and index < len(got.authorizations):
                session.nonce_tpm = got.authorizations[index].nonce
                if wanted and index < wanted:
                    session.restart()
            if step.ends:
                self._f._sessions.pop(handle, None)
                self._f._histories.pop(handle, None)

    def _sessions_by(self, command: Any, answer: Any) -> None:
        """Updates the session that the command starts, flushes, saves or loads."""
        if isinstance(command, StartAuthSession):
            handle = answer.session_handle
            self._f._sessions.pop(handle, None)
            self._f._histories.pop(handle, None)
            session = None
            with contextlib.suppress(EncodeError):  # the hash algorithm is unknown
                session = TracedSession(command, answer.nonce_tpm, self._f._salts, self._entities)
                self._f._sessions[handle] = session
                attach_key(self._answered, session)
            self._f.history(handle, session).start = command
            self._f.note(handle, Step(self._place, self._code, "starts the session", ok=True))
            if self._f.notes_knowledge and self._answered is not None:
                title = self._f.history(handle, session).title
                self._asked.knowledge = [Knowledge(title, start_facts(command, session, None))]
                self._answered.knowledge = [Knowledge(title, start_facts(command, session, answer.nonce_tpm))]
        elif self._code == TPM_CC.FlushContext and command.flush_handle in self._f._histories:
            handle = command.flush_handle
            self._f.note(handle, Step(self._place, self._code, "flushes the session", ok=True, ends=True))
            self._f._sessions.pop(handle, None)
            self._f._histories.pop(handle)
        elif self._code == TPM_CC.ContextSave and command.save_handle in self._f._histories:
            step = Step(self._place, self._code, "saves the session's context", ok=True)
            self._f.note(command.save_handle, step)
        elif self._code == TPM_CC.ContextLoad and answer.loaded_handle in self._f._histories:
            self._f.note(
                answer.loaded_handle, Step(self._place, self._code, "loads the session's context", ok=True)
            )

    def _policy(self, command: Any) -> None:
        """Computes policyDigest after a policy command, and adds it to the response and the session's history."""
        handle = getattr(command, "policy_session", getattr(command, "session_handle", None))
        session = self._f._sessions.get(handle) if isinstance(handle, int) else None
        if session is None or handle is None or session.start.session_type == TPM_SE.HMAC:
            return
        if isinstance(command, StartAuthSession):
            return
        formula = source = ""
        before = session.policy_digest
        if self._code == TPM_CC.PolicyGetDigest:
            if self._response and self._response[:2] == TPM_ST.NO_SESSIONS.to_bytes(2, "big"):
                told = parse_response(self._response, self._command).response
                session.policy_digest = getattr(told, "policy_digest", session.policy_digest)
                source = "as the TPM says"
        elif self._code == TPM_CC.PolicyRestart:
            session.restart()
            formula = "zeros: the policy starts again"
        else:
            session.policy_digest, formula = policy_digest(
                session.start.auth_hash, session.policy_digest, command, self._entities.name
            )
            session.wants_auth_value |= self._code == TPM_CC.PolicyAuthValue
            session.wants_password |= self._code == TPM_CC.PolicyPassword
            if self._code == TPM_CC.PolicyAuthValue:
                session.wants_password = False
            elif self._code == TPM_CC.PolicyPassword:
                session.wants_auth_value = False
        attach_digest(self._answered, session.policy_digest, formula)
        if self._f.notes_knowledge and self._answered is not None:
            title = self._f.history(handle, session).title
            text = formula or source or "not in this recording"
            old = Fact("policyDigest", before, "before the command", new=False)
            new = Fact("policyDigest", session.policy_digest, text)
            self._asked.knowledge = [*self._asked.knowledge, Knowledge(title, [old])]
            self._answered.knowledge = [*self._answered.knowledge, Knowledge(title, [new])]
        self._f.history(handle, session)
        self._f.note(
            handle, Step.policy(self._place, self._code, self._asked, session.policy_digest, formula or source)
        )
