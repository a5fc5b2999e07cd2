"""One command under its sessions, sans-io: `begin()` gives the octets to send, `finish()` takes the answer.

The only place where nonces move (TPM 2.0 Part 1, §19.6). A command that the TPM asks to be sent again is sent as
the same octets: it has not consumed the nonces.
"""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from .crypto.formulas import cp_hash, equal, random_bytes, rp_hash
from .errors import DecodeError, SessionError, TpmError
from .record import Record
from .secret import Secret
from .sessions import Password, Use, authorization_hmac
from .spec.command import Answered, Command
from .spec.constants import TPM_CC, TPM_ST, TPMA_SESSION
from .spec.structures import TPMS_AUTH_COMMAND, TPMS_AUTH_RESPONSE
from .wire import Area, authorizations, build_command, first_parameter, join, opened, read_handles, split

__all__ = ["CIPHER_CHANGED", "Exchange"]

CIPHER_CHANGED = "cannot decrypt a parameter: somebody between tpmwire and the TPM changed the session's cipher"

R = TypeVar("R")


class Exchange(Generic[R]):
    """`command` with its authorizations: one for each handle that wants one, then any companions.

    `name_of` gives the Name of a handle; it is asked only where a session covers the command.
    """

    def __init__(
        self,
        command: Answered[R],
        authorizations: Sequence[Password | Use] = (),
        name_of: Callable[[int], bytes] | None = None,
    ) -> None:
        if not isinstance(command, Command):
            raise TypeError(f"{command!r} is no command")
        self._command: Command = command
        self._answer: type[Record] = command.Response
        self._authorizations: tuple[Password | Use, ...] = tuple(authorizations)
        self._name_of: Callable[[int], bytes] | None = name_of
        self._handles: tuple[int, ...] = ()
        # The first so many authorize the handles, in order; the rest are companions.
        self._wanted: int = sum(role.authorized for _, role in self._command.handle_fields())
        self._names: list[bytes] = []

    @property
    def code(self) -> TPM_CC:
        """The command code."""
        return self._command.code

    def _uses(self) -> list[tuple[int, Use]]:
        return [(i, a) for i, a in enumerate(self._authorizations) if isinstance(a, Use)]

    def _with(self, attribute: TPMA_SESSION) -> tuple[int, Use] | None:
        return next(((i, use) for i, use in self._uses() if use.attributes & attribute), None)

    def begin(self) -> bytes:
        """The command's octets. Raises EncodeError, SessionError."""
        area = split(self._command)
        self._handles = area.handles
        if len(self._authorizations) < self._wanted:
            raise SessionError(f"{type(self._command).__name__} wants {self._wanted} authorizations")
        if any(not use.keyless for _, use in self._uses()):
            self._names = [self._learned(handle) for handle in area.handles]
        for _, use in self._uses():
            use.nonce_caller = random_bytes(len(use.session.nonce_tpm))
        if (encrypting := self._with(TPMA_SESSION.DECRYPT)) is not None:
            area = Area(area.handles, self._enciphered(area.parameters, *encrypting))
        sent = [self._authorization(i, area) for i in range(len(self._authorizations))]
        return build_command(self.code, area, sent)

    def _learned(self, handle: int) -> bytes:
        if self._name_of is None:
            raise SessionError("a session covers the Names of the command's handles, and none is known")
        return self._name_of(handle)

    def _entity(self, index: int) -> bytes | None:
        """The Name of what an authorization is for; None for a companion."""
        return self._names[index] if index < self._wanted and self._names else None

    def _enciphered(self, parameters: bytes, index: int, use: Use) -> bytes:
        wire = first_parameter(type(self._command))
        if wire is None:
            raise SessionError(f"{type(self._command).__name__} has no parameter that can be encrypted")
        size = int.from_bytes(parameters[:2], "big")
        sealed = use.cipher(
            parameters[2 : 2 + size],
            (use.nonce_caller, use.session.nonce_tpm),
            authorizing=index < self._wanted,
            encrypting=True,
        )
        return parameters[:2] + sealed + parameters[2 + size :]

    def _authorization(self, index: int, area: Area) -> TPMS_AUTH_COMMAND:
        given = self._authorizations[index]
        if isinstance(given, Password):
            return TPMS_AUTH_COMMAND(hmac=given.auth.reveal())
        session = given.session
        if session.wants_password and index < self._wanted:
            hmac = given.auth.reveal()
        elif given.keyless:
            hmac = b""
        else:
            hmac = authorization_hmac(
                session.auth_hash,
                given.hmac_key(self._entity(index)),
                cp_hash(session.auth_hash, self.code, self._names, area.parameters),
                (given.nonce_caller, session.nonce_tpm, *self._extra_nonces(index)),
                given.attributes,
            )
        return TPMS_AUTH_COMMAND(session.handle, given.nonce_caller, given.attributes, hmac)

    def _extra_nonces(self, index: int) -> list[bytes]:
        """The first authorization also covers the nonces of sessions that only encrypt (Part 1, §19.6.5).

        Without that, an attacker could take such a session away without the authorization noticing.
        """
        if index or not self._wanted:
            return []
        extra: dict[int, bytes] = {}
        for attribute in (TPMA_SESSION.DECRYPT, TPMA_SESSION.ENCRYPT):
            found = self._with(attribute)
            if found is not None and found[0] != 0:
                extra.setdefault(found[0], found[1].session.nonce_tpm)
        return list(extra.values())

    def finish(self, data: bytes) -> R:
        """The response's values. Nothing in it is used before every HMAC holds.

        Raises TpmError where the TPM refuses (the sessions stay as they were), DecodeError for what is no
        response, SessionError for a response that is not authentic.
        """
        tag, rc, stream = opened(data)
        if rc:
            raise TpmError(rc, self.code, self._handles)
        expected = TPM_ST.SESSIONS if self._authorizations else TPM_ST.NO_SESSIONS
        if tag != expected:
            raise SessionError(f"the answer has the tag {tag!r} where {expected!r} is due: it lost its sessions")
        handles = read_handles(self._answer, stream)
        size = int.from_bytes(stream.read(4), "big") if self._authorizations else len(data) - stream.tell()
        offset = stream.tell()
        if offset + size > len(data):
            raise DecodeError(f"parameters of {size} octets do not fit", offset - 4, len(data) - offset)
        parameters = stream.read(size)
        answers = authorizations(TPMS_AUTH_RESPONSE, stream, len(data))
        if len(answers) != len(self._authorizations):
            raise SessionError(f"the answer has {len(answers)} authorizations, not {len(self._authorizations)}")
        for index, answer in enumerate(answers):
            self._verify(index, answer, parameters)
        for (_, use), answer in zip(self._uses(), [answers[i] for i, _ in self._uses()], strict=True):
            use.session.nonce_tpm = answer.nonce
        encrypting = self._with(TPMA_SESSION.ENCRYPT)
        if encrypting is None:
            return join(self._answer, handles, parameters, offset)  # type: ignore[no-any-return]
        try:
            return join(  # type: ignore[no-any-return]
                self._answer, handles, self._deciphered(parameters, *encrypting), offset
            )
        except DecodeError as error:
            # The HMAC holds, so the TPM has sent this, under another cipher than was asked for: no HMAC covers
            # the parameters of TPM2_StartAuthSession.
            raise SessionError(f"the response to {type(self._command).__name__}: {CIPHER_CHANGED}") from error

    def _verify(self, index: int, answer: TPMS_AUTH_RESPONSE, parameters: bytes) -> None:
        given = self._authorizations[index]
        if isinstance(given, Password):
            if answer.nonce or answer.hmac:
                raise SessionError(f"authorization {index + 1} of the answer is not the password's")
            return
        session = given.session
        watched = TPMA_SESSION.CONTINUE_SESSION | TPMA_SESSION.DECRYPT | TPMA_SESSION.ENCRYPT | TPMA_SESSION.AUDIT
        if (answer.session_attributes ^ given.attributes) & watched:
            raise SessionError(f"session {index + 1} of the answer has other attributes than were sent")
        if given.keyless or (session.wants_password and index < self._wanted):
            if answer.hmac:
                raise SessionError(f"session {index + 1} of the answer has an HMAC where none is due")
            return
        if len(answer.nonce) != len(session.nonce_tpm):
            raise SessionError(f"session {index + 1} of the answer has a nonce of another size")
        key = given.hmac_key(self._entity(index), self._auth_after(index, given))
        ours = authorization_hmac(
            session.auth_hash,
            key,
            rp_hash(session.auth_hash, self.code, parameters),
            (answer.nonce, given.nonce_caller),
            answer.session_attributes,
        )
        if not equal(ours, answer.hmac):
            raise SessionError(
                f"the HMAC of session {index + 1} of the answer to {type(self._command).__name__} does not hold: "
                "it was changed on its way, or does not come from this TPM"
            )

    def _auth_after(self, index: int, given: Use) -> Secret:
        """The authValue that the response's HMAC is made with: a command may have just changed it."""
        field = self._command.auth_after
        if field is None or index:
            return given.auth
        return Secret(getattr(self._command, field) if field else b"")

    def _deciphered(self, parameters: bytes, index: int, use: Use) -> bytes:
        if first_parameter(self._answer) is None:
            raise SessionError(f"the answer to {type(self._command).__name__} has nothing that can be encrypted")
        size = int.from_bytes(parameters[:2], "big")
        plain = use.cipher(
            parameters[2 : 2 + size],
            (use.session.nonce_tpm, use.nonce_caller),
            authorizing=index < self._wanted,
            encrypting=False,
        )
        return parameters[:2] + plain + parameters[2 + size :]
