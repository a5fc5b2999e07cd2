"""The authorizations of a command: password, HMAC session, policy session (TPM 2.0 Part 1, §19).

A `Session` has the state that host and TPM keep between commands. A `Use` is the use of a session in one command,
with the authValue of the entity and the session attributes. `exchange` computes the HMACs.
"""

from .crypto.formulas import digest_size, handle_name, hmac_digest, kdfa, parameter_cipher, random_bytes, trimmed
from .errors import SessionError
from .secret import EMPTY_AUTH, Secret
from .spec.commands.sessions import StartAuthSession
from .spec.constants import TPM_ALG, TPM_RH, TPM_SE, TPMA_SESSION
from .spec.structures import TPMT_SYM_DEF

__all__ = ["NO_CIPHER", "Password", "Session", "SessionStart", "Use", "plain_response"]

NO_CIPHER = TPMT_SYM_DEF(TPM_ALG.NULL)


class Password:
    """Authorization by the authValue, which crosses the bus in cleartext (TPM_RS_PW; Part 1, §19.4)."""

    __slots__ = ("auth",)

    def __init__(self, auth: Secret | bytes = EMPTY_AUTH) -> None:
        self.auth = auth if isinstance(auth, Secret) else Secret(auth)

    def __repr__(self) -> str:
        return "Password(<secret>)"


class Session:
    """A session of the TPM: its handle, key and rolling nonces.

    `bound_to` identifies the entity that the session is bound to (see `bind_mark`); None for an unbound session.
    """

    def __init__(
        self,
        handle: int,
        kind: TPM_SE,
        auth_hash: TPM_ALG,
        symmetric: TPMT_SYM_DEF,
        session_key: Secret,
        nonce_tpm: bytes,
        bound_to: Secret | None = None,
    ) -> None:
        self.handle = handle
        self.kind = kind
        self.auth_hash = auth_hash
        self.symmetric = symmetric
        self.session_key = session_key
        self.nonce_tpm = nonce_tpm
        self.bound_to = bound_to
        # Set as soon as a policy session has executed TPM2_PolicyAuthValue or TPM2_PolicyPassword.
        self.wants_auth_value = False
        self.wants_password = False

    def __repr__(self) -> str:
        return f"<Session 0x{self.handle:08x} {self.kind.name}>"

    def use(
        self,
        auth: Secret | bytes = EMPTY_AUTH,
        *,
        keep: bool = True,
        decrypt: bool = False,
        encrypt: bool = False,
        audit: bool = False,
        audit_exclusive: bool = False,
        audit_reset: bool = False,
    ) -> "Use":
        """Returns a use of the session for one command.

        `auth` is the authValue of the authorized entity.

        Without `keep`, the TPM flushes the session after the command. `decrypt` encrypts the command's first
        parameter, `encrypt` the response's first parameter. Part 1, §17 defines the audit attributes. Raises
        SessionError if parameters are to be encrypted, but the session has no cipher.
        """
        attributes = TPMA_SESSION(0)
        for requested, bit in (
            (keep, TPMA_SESSION.CONTINUE_SESSION),
            (decrypt, TPMA_SESSION.DECRYPT),
            (encrypt, TPMA_SESSION.ENCRYPT),
            (audit, TPMA_SESSION.AUDIT),
            (audit_exclusive, TPMA_SESSION.AUDIT | TPMA_SESSION.AUDIT_EXCLUSIVE),
            (audit_reset, TPMA_SESSION.AUDIT | TPMA_SESSION.AUDIT_RESET),
        ):
            if requested:
                attributes |= bit
        if (decrypt or encrypt) and self.symmetric.algorithm == TPM_ALG.NULL:
            raise SessionError(
                "this session was started without a cipher, so it cannot encrypt parameters; "
                "use protected_sessions()"
            )
        return Use(self, auth if isinstance(auth, Secret) else Secret(auth), attributes)


class Use:
    """One use of a session: the session and its attributes for one command."""

    __slots__ = ("attributes", "auth", "nonce_caller", "session")

    def __init__(self, session: Session, auth: Secret, attributes: TPMA_SESSION) -> None:
        self.session = session
        self.auth = auth
        self.attributes = attributes
        self.nonce_caller = b""

    def __repr__(self) -> str:
        return f"<Use of {self.session!r}: {self.attributes.described()}>"

    @property
    def keyless(self) -> bool:
        """Returns whether the authorization has no HMAC, as in policy sessions without a key (Part 1, §19.6.6)."""
        session = self.session
        password = session.wants_auth_value and trimmed(self.auth.reveal())
        return session.kind == TPM_SE.POLICY and not session.session_key and not password

    def hmac_key(self, entity: bytes | None, auth: Secret | None = None) -> bytes:
        """Returns the HMAC key for the entity with the Name `entity` (Part 1, §19.6.8).

        For a companion session, `entity` is None. `auth` is the entity's new authValue if the command has changed
        it.
        """
        session, auth = self.session, self.auth if auth is None else auth
        key = session.session_key.reveal()
        # Whether the session is bound depends on the authValue before the command, even if the command changes it.
        if entity is None or (session.bound_to is not None and session.bound_to == bind_mark(entity, self.auth)):
            return key
        if session.kind == TPM_SE.POLICY and not session.wants_auth_value:
            return key
        return key + trimmed(auth.reveal())

    def cipher(self, data: bytes, nonces: tuple[bytes, bytes], *, authorizing: bool, encrypting: bool) -> bytes:
        """Encrypts or decrypts a parameter with the session's cipher; `nonces` are the newer and the older nonce.

        If the session authorizes an entity (`authorizing`), the key includes the entity's authValue (Part 1,
        §21.2).
        """
        session = self.session
        key = session.session_key.reveal() + (trimmed(self.auth.reveal()) if authorizing else b"")
        return parameter_cipher(
            session.symmetric.algorithm,
            session.auth_hash,
            session.symmetric.key_bits or 0,
            key,
            nonces,
            data,
            encrypting,
        )


def bind_mark(name: bytes, auth: Secret) -> Secret:
    """Returns a value that identifies the entity to which a session is bound: its Name and authValue.

    If the Name or the authValue changes, the session is no longer bound.
    """
    return Secret(name + b"\0" + trimmed(auth.reveal()))


class SessionStart:
    """The start of a session. `command` is for the TPM; `finish` returns the `Session` for the TPM's response.

    `encrypted_salt` is `salt` encrypted to the key at `tpm_key` (see `crypto.salt`). Without a salt the session is
    unsalted. `bind`, `bind_name` and `bind_auth` are the handle, Name and authValue of the entity that the session
    is bound to. The session key is derived from authValue and salt by KDFa (Part 1, §19.6.8). `nonce_caller` is
    random by default.
    """

    def __init__(
        self,
        kind: TPM_SE = TPM_SE.HMAC,
        auth_hash: TPM_ALG = TPM_ALG.SHA256,
        symmetric: TPMT_SYM_DEF = NO_CIPHER,
        *,
        tpm_key: int = TPM_RH.NULL,
        salt: Secret = EMPTY_AUTH,
        encrypted_salt: bytes = b"",
        bind: int = TPM_RH.NULL,
        bind_name: bytes | None = None,
        bind_auth: Secret = EMPTY_AUTH,
        nonce_caller: bytes = b"",
    ) -> None:
        self._kind, self._auth_hash, self._symmetric = kind, auth_hash, symmetric
        self._salt, self._bind_auth = salt, bind_auth
        self._bind_name = handle_name(bind) if bind_name is None and bind != TPM_RH.NULL else bind_name
        self._bound = bind != TPM_RH.NULL
        self._nonce_caller = nonce_caller or random_bytes(digest_size(auth_hash))
        self.command = StartAuthSession(
            tpm_key=tpm_key,
            bind=bind,
            nonce_caller=self._nonce_caller,
            encrypted_salt=encrypted_salt,
            session_type=kind,
            symmetric=symmetric,
            auth_hash=auth_hash,
        )

    def finish(self, response: StartAuthSession.Response) -> Session:
        """Returns the session that the TPM's response opens, with its session key.

        Raises SessionError if the TPM's nonce is too short.
        """
        if len(response.nonce_tpm) < 16:
            raise SessionError("the TPM's nonce is shorter than 16 bytes; do not trust this TPM")
        key = Secret(b"")
        secret = (trimmed(self._bind_auth.reveal()) if self._bound else b"") + self._salt.reveal()
        # An unsalted, unbound session has an empty key (§19.6.8).
        if self._bound or self._salt:
            bits = 8 * digest_size(self._auth_hash)
            key = Secret(kdfa(self._auth_hash, secret, b"ATH", response.nonce_tpm, self._nonce_caller, bits))
        mark = bind_mark(self._bind_name, self._bind_auth) if self._bind_name is not None else None
        return Session(
            response.session_handle, self._kind, self._auth_hash, self._symmetric, key, response.nonce_tpm, mark
        )


def authorization_hmac(alg: int, key: bytes, p_hash: bytes, nonces: tuple[bytes, ...], attributes: int) -> bytes:
    """Returns the HMAC of a command or response (Part 1, §19.6.5).

    `p_hash` is cpHash or rpHash. `nonces` are the newer, the older and any extra nonces.
    """
    return hmac_digest(alg, key, p_hash, *nonces, bytes([attributes]))


def plain_response(use: Password | Use) -> Password | Use:
    """Returns `use` without the `encrypt` attribute, which is cleared in place.

    The first parameter of TPM2_Sign's response is not a TPM2B, so it cannot be encrypted (Part 1, §21.1).
    """
    if isinstance(use, Use):
        use.attributes = TPMA_SESSION(use.attributes & ~TPMA_SESSION.ENCRYPT)
    return use
