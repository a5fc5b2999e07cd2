"""Follows the sessions of a recording: derives their keys, verifies HMACs and decrypts parameters.

The user gives salts and authValues in any order. The HMACs show which salt and authValues a session uses (Part 1,
§19.6).
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ..crypto.formulas import cp_hash, digest_size, equal, kdfa, parameter_cipher, rp_hash, trimmed
from ..errors import EncodeError, SessionError
from ..secret import EMPTY_AUTH, Secret
from ..sessions import authorization_hmac
from ..spec.commands.sessions import StartAuthSession
from ..spec.constants import TPM_CC, TPM_RH, TPM_SE, TPMA_SESSION
from ..spec.structures import TPMS_AUTH_COMMAND, TPMS_AUTH_RESPONSE
from .areas import MessageAreas
from .entities import Entities

__all__ = ["SessionAuth", "SessionKey", "TracedSession", "Verdict", "encrypting", "judge_hmacs"]


class SessionKey(NamedTuple):
    """A candidate for the session key, with the authValue and the salt that it is derived from."""

    session_key: Secret
    salted: bool = False
    bound: bool = False
    auth: Secret = EMPTY_AUTH
    salt: Secret = EMPTY_AUTH

    @property
    def formula(self) -> str:
        """The key's derivation in the standard's notation (Part 1, §19.6.8)."""
        if not self.salted and not self.bound:
            return "empty: the session is neither salted nor bound"
        parts = [word for word, used in (("authValue of bind", self.bound), ("salt", self.salted)) if used]
        return f'KDFa(authHash, {" || ".join(parts)}, "ATH", nonceTPM, nonceCaller, bits)'


class Verdict(NamedTuple):
    """The result of the verification of an authorization's HMACs in command and response.

    `command` and `response` are true if the respective HMAC is valid (None: not verified). `key` and `auth` are
    the session key and the authValue that were used. `with_auth` is true if the HMAC key includes the authValue.
    `reason` describes the HMAC key, or explains why the HMACs were not verified.
    """

    command: bool | None = None
    response: bool | None = None
    key: SessionKey | None = None
    auth: Secret = EMPTY_AUTH
    with_auth: bool = False
    reason: str = ""


class TracedSession:
    """A session of a recording: its nonces, candidate keys and policyDigest."""

    def __init__(
        self, start: StartAuthSession, nonce_tpm: bytes, salts: Sequence[Secret], entities: Entities
    ) -> None:
        self.start = start
        self.nonce_tpm = nonce_tpm
        self.wants_auth_value = False
        self.wants_password = False
        self.key_unknown = False  # several keys are possible, until an HMAC shows the right one
        size = digest_size(start.auth_hash)
        self.policy_digest: bytes | None = None if start.session_type == TPM_SE.HMAC else bytes(size)
        self.keys = list(self._keys(salts, entities, 8 * size))

    @property
    def salted(self) -> bool:
        """Returns whether the session has a salt, encrypted to a key of the TPM."""
        return bool(self.start.tpm_key != TPM_RH.NULL)

    @property
    def bound(self) -> bool:
        """Returns whether the session key includes the authValue of an entity."""
        return bool(self.start.bind != TPM_RH.NULL)

    def restart(self) -> None:
        """Resets the policy, as TPM2_PolicyRestart and each use of the session do."""
        self.wants_auth_value = self.wants_password = False
        if self.policy_digest is not None or self.start.session_type != TPM_SE.HMAC:
            self.policy_digest = bytes(digest_size(self.start.auth_hash))

    def _keys(self, salts: Sequence[Secret], entities: Entities, bits: int) -> Iterator[SessionKey]:
        start = self.start
        if not self.salted and not self.bound:
            yield SessionKey(EMPTY_AUTH)
            return
        for salt in salts if self.salted else [EMPTY_AUTH]:
            for auth in entities.auths(start.bind if self.bound else None):
                secret = trimmed(auth.reveal()) + salt.reveal()
                key = kdfa(start.auth_hash, secret, b"ATH", self.nonce_tpm, start.nonce_caller, bits)
                yield SessionKey(Secret(key), self.salted, self.bound, auth, salt)

    def cipher(self, key: Secret, auth: Secret, nonces: tuple[bytes, bytes], data: bytes) -> bytes | None:
        """Returns the plain bytes of an encrypted parameter (Part 1, §21); None for an unknown cipher.

        `key` is the session key, `auth` the authValue in the cipher's key. `nonces` are the newer and the older
        nonce.
        """
        symmetric = self.start.symmetric
        try:
            return parameter_cipher(
                symmetric.algorithm,
                self.start.auth_hash,
                symmetric.key_bits or 0,
                key.reveal() + trimmed(auth.reveal()),
                nonces,
                data,
                False,
            )
        except (EncodeError, SessionError, ValueError):  # the session has parameters that no TPM accepts
            return None


class SessionAuth(NamedTuple):
    """An authorization in a command, with the values that its HMACs depend on."""

    entity: int | None
    session: TracedSession
    sent: TPMS_AUTH_COMMAND
    answer: TPMS_AUTH_RESPONSE | None


def judge_hmacs(
    this: SessionAuth,
    code: TPM_CC,
    command: MessageAreas,
    response: MessageAreas | None,
    extra_nonces: Sequence[bytes],
    entities: Entities,
    auth_after: Any,
) -> Verdict:
    """Verifies an authorization's HMACs with each candidate key and authValue, and returns the best verdict.

    `auth_after(key, auth)` returns the authValue for the response's HMAC if the command changes the authValue,
    else None.
    """
    session, sent, answer = this.session, this.sent, this.answer
    if not session.keys:
        return Verdict(reason="not checked: the session is salted, and its salt is not known")
    policy = session.start.session_type == TPM_SE.POLICY
    if policy and session.wants_password and this.entity is not None:
        return Verdict(key=session.keys[0], auth=Secret(sent.hmac), reason="the password, in cleartext")
    if not sent.hmac and policy:
        return Verdict(key=session.keys[0], reason="not needed: the policy session has no key")
    names = [entities.name(handle) for handle in command.handles]
    alg, nonce_tpm = session.start.auth_hash, session.nonce_tpm
    hashed = None
    if None not in names:
        hashed = cp_hash(alg, code, [name for name in names if name is not None], command.parameters)
    found = Verdict()
    for key in session.keys:
        for auth, with_auth in _auths(this, entities, key):
            hmac_key = key.session_key.reveal() + (trimmed(auth.reveal()) if with_auth else b"")
            holds = replied = None
            if hashed is not None:
                nonces = (sent.nonce, nonce_tpm, *extra_nonces)
                ours = authorization_hmac(alg, hmac_key, hashed, nonces, sent.session_attributes)
                holds = equal(ours, sent.hmac)
            if answer is not None and response is not None:
                after = auth_after(key, auth) if with_auth else None
                if after is not None:
                    hmac_key = key.session_key.reveal() + trimmed(after.reveal())
                ours = authorization_hmac(
                    alg,
                    hmac_key,
                    rp_hash(alg, code, response.parameters),
                    (answer.nonce, sent.nonce),
                    answer.session_attributes,
                )
                replied = equal(ours, answer.hmac)
            tried = Verdict(holds, replied, key, auth, with_auth)
            if found.key is None or _score(tried) > _score(found):
                found = tried
            if False not in (holds, replied) and _score(tried):
                return _with_reason(tried, hashed is None)
    if _score(found) == 0:
        if found.command is None and found.response is None:
            return Verdict(reason="not checked: the Names of the command's handles are not in the recording")
        return Verdict(reason="not proven: no key derived from the given salts and authValues fits")
    return _with_reason(found, hashed is None)


def _auths(this: SessionAuth, entities: Entities, key: SessionKey) -> Iterator[tuple[Secret, bool]]:
    """Yields (authValue to try, whether the HMAC key includes the authValue) for an authorization.

    Source: Part 1, §19.6.8.
    """
    session = this.session
    policy = session.start.session_type == TPM_SE.POLICY
    without = this.entity is None or (policy and not session.wants_auth_value)
    if without:
        yield entities.auths(this.entity)[0], False
        return
    if session.bound and this.entity == session.start.bind:
        yield key.auth, False
    for auth in entities.auths(this.entity):
        yield auth, True


def _score(verdict: Verdict) -> int:
    return (verdict.command is True) + (verdict.response is True)


def _with_reason(verdict: Verdict, nameless: bool) -> Verdict:
    key = "sessionKey" if verdict.key is not None and verdict.key.session_key else ""
    parts = [part for part in (key, "authValue" if verdict.with_auth else "") if part]
    used = " || ".join(parts) or "the empty key"
    missing = "; the command's was not checked: some Names are not in the recording" if nameless else ""
    return verdict._replace(reason=f"with {used}{missing}")


def encrypting(message: MessageAreas, attribute: TPMA_SESSION) -> int | None:
    """Returns the index of the authorization whose session encrypts a parameter; None if there is none.

    `attribute` is DECRYPT for a command's parameter, ENCRYPT for a response's.
    """
    found = (i for i, auth in enumerate(message.authorizations) if auth.session_attributes & attribute)
    return next(found, None)
