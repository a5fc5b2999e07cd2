"""One command under its sessions, without I/O: builds the command's bytes and verifies the response.

Only this module changes nonces (TPM 2.0 Part 1, §19.6). If the TPM asks for a command again, the same bytes are
sent, because the TPM has not consumed the nonces.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .crypto.formulas import cp_hash, equal, random_bytes, rp_hash
from .errors import DecodeError, SessionError, TpmError
from .record import Record
from .secret import Secret
from .sessions import Password, Use, authorization_hmac
from .spec.command import Answered, Command
from .spec.constants import TPM_CC, TPM_ST, TPMA_SESSION
from .spec.structures import TPMS_AUTH_COMMAND, TPMS_AUTH_RESPONSE
from .typed import Generic, TypeVar
from .wire import Area, authorizations, build_command, first_parameter, join, opened, read_handles, split

__all__ = ["CIPHER_CHANGED", "Exchange"]

CIPHER_CHANGED = (
    "cannot decrypt a parameter: an attacker between tpmwire and the TPM changed the session's cipher; "
    "do not trust this connection"
)

R = TypeVar("R")


class Exchange(Generic[R]):
    """One command with its authorizations: one for each handle that needs it, followed by companion sessions.

    `name_of` returns the Name of a handle. `name_of` is called only if a session's HMAC covers the command.
    """

    def __init__(
        self,
        command: Answered[R],
        authorizations: Sequence[Password | Use] = (),
        name_of: Callable[[int], bytes] | None = None,
    ) -> None:
        if not isinstance(command, Command):
            raise TypeError(f"{command!r} is not a command")
        self._command: Command = command
        self._response: type[Record] = command.Response
        self._authorizations: tuple[Password | Use, ...] = tuple(authorizations)
        self._name_of: Callable[[int], bytes] | None = name_of
        self._handles: tuple[int, ...] = ()
        # The number of handles that need authorization; further authorizations are companion sessions.
        self._needed: int = sum(role.authorized for _, role in self._command.handle_fields())
        self._names: list[bytes] = []

    @property
    def code(self) -> TPM_CC:
        """The command code."""
        return self._command.code

    def _uses(self) -> list[tuple[int, Use]]:
        return [(i, a) for i, a in enumerate(self._authorizations) if isinstance(a, Use)]

    def _find_use(self, attribute: TPMA_SESSION) -> tuple[int, Use] | None:
        return next(((i, use) for i, use in self._uses() if use.attributes & attribute), None)

    def begin(self) -> bytes:
        """Returns the command's bytes.

        Raises EncodeError for an invalid value, SessionError for missing authorizations or Names.
        """
        area = split(self._command)
        self._handles = area.handles
        if len(self._authorizations) < self._needed:
            plural = "s" if self._needed > 1 else ""
            raise SessionError(
                f"{type(self._command).__name__} needs {self._needed} authorization{plural}, "
                f"got {len(self._authorizations)}"
            )
        if any(not use.keyless for _, use in self._uses()):
            self._names = [self._name(handle) for handle in area.handles]
        for _, use in self._uses():
            use.nonce_caller = random_bytes(len(use.session.nonce_tpm))
        if (encrypting := self._find_use(TPMA_SESSION.DECRYPT)) is not None:
            area = Area(area.handles, self._encrypt(area.parameters, *encrypting))
        sent = [self._authorization(i, area) for i in range(len(self._authorizations))]
        return build_command(self.code, area, sent)

    def _name(self, handle: int) -> bytes:
        if self._name_of is None:
            raise SessionError("cannot compute the session HMAC: the Names of the command's handles are unknown")
        return self._name_of(handle)

    def _entity(self, index: int) -> bytes | None:
        """Returns the Name of the entity that authorization `index` is for; None for a companion session."""
        return self._names[index] if index < self._needed and self._names else None

    def _encrypt(self, parameters: bytes, index: int, use: Use) -> bytes:
        wire = first_parameter(type(self._command))
        if wire is None:
            raise SessionError(f"{type(self._command).__name__} has no parameter that can be encrypted")
        size = int.from_bytes(parameters[:2], "big")
        sealed = use.cipher(
            parameters[2 : 2 + size],
            (use.nonce_caller, use.session.nonce_tpm),
            authorizing=index < self._needed,
            encrypting=True,
        )
        return parameters[:2] + sealed + parameters[2 + size :]

    def _authorization(self, index: int, area: Area) -> TPMS_AUTH_COMMAND:
        given = self._authorizations[index]
        if isinstance(given, Password):
            return TPMS_AUTH_COMMAND(hmac=given.auth.reveal())
        session = given.session
        if session.wants_password and index < self._needed:
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
        """Returns the nonces of encrypting sessions, which the first HMAC covers too; empty for other HMACs.

        Without these nonces, an attacker could remove an encrypting session, and the authorization would stay
        valid (Part 1, §19.6.5).
        """
        if index or not self._needed:
            return []
        extra: dict[int, bytes] = {}
        for attribute in (TPMA_SESSION.DECRYPT, TPMA_SESSION.ENCRYPT):
            found = self._find_use(attribute)
            if found is not None and found[0] != 0:
                extra.setdefault(found[0], found[1].session.nonce_tpm)
        return list(extra.values())

    def finish(self, data: bytes) -> R:
        """Verifies every HMAC of a response, and returns its values.

        Raises TpmError if the TPM refuses the command; the sessions then stay unchanged. Raises DecodeError if the
        bytes are not a response, SessionError if the response is not authentic.
        """
        tag, rc, stream = opened(data)
        if rc:
            raise TpmError(rc, self.code, self._handles)
        expected = TPM_ST.SESSIONS if self._authorizations else TPM_ST.NO_SESSIONS
        if tag != expected:
            raise SessionError(
                f"invalid response tag: expected {expected!r}, got {tag!r}; "
                "the response was modified in transit, or the TPM is faulty"
            )
        handles = read_handles(self._response, stream)
        size = int.from_bytes(stream.read(4), "big") if self._authorizations else len(data) - stream.tell()
        offset = stream.tell()
        if offset + size > len(data):
            raise DecodeError(f"invalid size of the parameters: {size} bytes", offset - 4, len(data) - offset)
        parameters = stream.read(size)
        received = authorizations(TPMS_AUTH_RESPONSE, stream, len(data))
        if len(received) != len(self._authorizations):
            raise SessionError(
                f"invalid response: expected {len(self._authorizations)} authorizations, got {len(received)}"
            )
        for index, authorization in enumerate(received):
            self._verify(index, authorization, parameters)
        for index, use in self._uses():
            use.session.nonce_tpm = received[index].nonce
            if use.attributes & TPMA_SESSION.AUDIT:
                use.session.bound_to = None  # an audit session is not bound
        encrypting = self._find_use(TPMA_SESSION.ENCRYPT)
        if encrypting is None:
            return join(self._response, handles, parameters, offset)  # type: ignore[no-any-return]
        try:
            return join(  # type: ignore[no-any-return]
                self._response, handles, self._decrypt(parameters, *encrypting), offset
            )
        except DecodeError as error:
            # The HMAC is valid, so the TPM sent this response, but with a different cipher than requested: no HMAC
            # covers the parameters of TPM2_StartAuthSession.
            raise SessionError(f"the response to {type(self._command).__name__}: {CIPHER_CHANGED}") from error

    def _verify(self, index: int, received: TPMS_AUTH_RESPONSE, parameters: bytes) -> None:
        given = self._authorizations[index]
        if isinstance(given, Password):
            if received.nonce or received.hmac:
                raise self._invalid(index, "expected an empty nonce and HMAC for a password authorization")
            return
        session = given.session
        watched = TPMA_SESSION.CONTINUE_SESSION | TPMA_SESSION.DECRYPT | TPMA_SESSION.ENCRYPT | TPMA_SESSION.AUDIT
        if (received.session_attributes ^ given.attributes) & watched:
            raise self._invalid(index, "the session attributes differ from those that were sent")
        if given.keyless or (session.wants_password and index < self._needed):
            if received.hmac:
                raise self._invalid(index, "expected no HMAC")
            return
        if len(received.nonce) != len(session.nonce_tpm):
            raise self._invalid(
                index, f"expected a nonce of {len(session.nonce_tpm)} bytes, got {len(received.nonce)}"
            )
        key = given.hmac_key(self._entity(index), self._auth_after(index, given))
        ours = authorization_hmac(
            session.auth_hash,
            key,
            rp_hash(session.auth_hash, self.code, parameters),
            (received.nonce, given.nonce_caller),
            received.session_attributes,
        )
        if not equal(ours, received.hmac):
            name = type(self._command).__name__
            raise SessionError(
                f"{name}: invalid response HMAC (session {index + 1}): modified in transit, or not from this TPM"
            )

    def _invalid(self, index: int, reason: str) -> SessionError:
        return SessionError(f"{type(self._command).__name__}: invalid response (session {index + 1}): {reason}")

    def _auth_after(self, index: int, given: Use) -> Secret:
        """Returns the authValue for the HMAC of the response. The command may have changed the authValue.

        `index` is the authorization, `given` its use in the command.
        """
        field = self._command.auth_after
        if field is None or index:
            return given.auth
        return Secret(getattr(self._command, field) if field else b"")

    def _decrypt(self, parameters: bytes, index: int, use: Use) -> bytes:
        if first_parameter(self._response) is None:
            raise SessionError(
                f"the response to {type(self._command).__name__} has no parameter that can be encrypted"
            )
        size = int.from_bytes(parameters[:2], "big")
        plain = use.cipher(
            parameters[2 : 2 + size],
            (use.session.nonce_tpm, use.nonce_caller),
            authorizing=index < self._needed,
            encrypting=False,
        )
        return parameters[:2] + plain + parameters[2 + size :]
