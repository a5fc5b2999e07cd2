"""Checks the authorization area of a command (Part 1, §19; Part 3, §5.6).

The checks run in the order of the standard, which determines the response code of an invalid command.
"""

from ..crypto.formulas import cp_hash, digest, equal, kdfa, rp_hash, trimmed, xor_obfuscation
from ..crypto.pure.aes import BLOCK, cfb
from ..sessions import authorization_hmac
from ..spec.command import Command
from ..spec.constants import TPM_ALG, TPM_CC, TPM_HT, TPM_RH, TPM_SE, TPMA_SESSION
from ..spec.response_codes import TPM_RC
from ..spec.structures import TPMS_AUTH_COMMAND, TPMS_AUTH_RESPONSE
from .entities import Entity, KeyedObject, NvIndex
from .observer import (
    has_secrets,
    hidden,
    is_observed,
    joined,
    note,
    plain_or_hidden,
    show_code,
    show_handle,
)
from .policy_check import check_policy
from .refusal import Refusal
from .session import Authorization, SoftSession, binding_of
from .tpm_state import TpmState

__all__ = ["Authorizations"]

WRITES = (TPM_CC.NV_Write, TPM_CC.NV_Increment, TPM_CC.NV_SetBits, TPM_CC.NV_Extend, TPM_CC.NV_WriteLock)
"""Commands that write an NV index, so that its attributes AUTHWRITE and POLICYWRITE apply."""

USED_FOR = TPMA_SESSION.DECRYPT | TPMA_SESSION.ENCRYPT | TPMA_SESSION.AUDIT
"""Session attributes, one of which a session needs if it authorizes no entity."""


class Authorizations:
    """The authorizations of one command.

    `kind` is the command's class, `handles` are its handles, and `names` are the Names of the entities.
    """

    def __init__(
        self, tpm: TpmState, kind: type[Command], handles: tuple[int, ...], sent: list[TPMS_AUTH_COMMAND]
    ) -> None:
        self._tpm = tpm
        self._kind = kind
        self._handles = handles
        self.names = [self._name(handle) for handle in handles]
        self.all = [Authorization(n, auth, self._session(n, auth)) for n, auth in enumerate(sent, 1)]
        self._check_attributes()
        self._assign()

    def _name(self, handle: int) -> bytes:
        if handle >> 24 in (TPM_HT.HMAC_SESSION, TPM_HT.POLICY_SESSION):
            return handle.to_bytes(4, "big")
        return self._tpm.entity(handle).name

    def _session(self, number: int, sent: TPMS_AUTH_COMMAND) -> SoftSession | None:
        handle = sent.session_handle
        if handle == TPM_RH.PW:
            if sent.nonce:
                raise Refusal(TPM_RC.NONCE, session=number)
            if sent.session_attributes & ~TPMA_SESSION.CONTINUE_SESSION:
                raise Refusal(TPM_RC.ATTRIBUTES, session=number)
            return None
        if handle >> 24 not in (TPM_HT.HMAC_SESSION, TPM_HT.POLICY_SESSION):
            raise Refusal(TPM_RC.VALUE, session=number)
        session = self._tpm.sessions.get(handle)
        if session is None:
            raise Refusal(TPM_RC(TPM_RC.REFERENCE_S0 + number - 1))
        return session

    def _check_attributes(self) -> None:
        """Raises Refusal if the sessions or their attributes are not valid together (Part 2, §8.4).

        No session may appear twice, reserved bits must be clear, auditExclusive and auditReset need audit, and
        only one session may have each of decrypt, encrypt and audit.
        """
        seen: set[int] = set()
        for one in self.all:
            if one.session is None:
                continue
            if one.session.handle in seen:
                raise one.refused(TPM_RC.HANDLE)
            seen.add(one.session.handle)
            if one.attributes & TPMA_SESSION(0x18):
                raise one.refused(TPM_RC.RESERVED_BITS)
            if not one.attributes & TPMA_SESSION.AUDIT and one.attributes & (
                TPMA_SESSION.AUDIT_EXCLUSIVE | TPMA_SESSION.AUDIT_RESET
            ):
                raise one.refused(TPM_RC.ATTRIBUTES)
        for attribute in (TPMA_SESSION.DECRYPT, TPMA_SESSION.ENCRYPT, TPMA_SESSION.AUDIT):
            users = [one for one in self.all if one.attributes & attribute]
            if len(users) > 1:
                raise users[1].refused(TPM_RC.ATTRIBUTES)

    def _assign(self) -> None:
        roles = [role for _, role in self._kind.handle_fields()]
        needed = [(h, role) for h, role in zip(self._handles, roles, strict=True) if role.authorized]
        if len(self.all) < len(needed):
            raise Refusal(TPM_RC.AUTH_MISSING)
        for one, (handle, role) in zip(self.all, needed, strict=False):
            one.entity, one.role = self._tpm.entity(handle), role

    def find(self, attribute: TPMA_SESSION) -> Authorization | None:
        """Returns the authorization whose session has `attribute` set, or None."""
        return next((one for one in self.all if one.session is not None and one.attributes & attribute), None)

    def check(self, parameters: bytes) -> None:
        """Raises Refusal for the first authorization that is not valid. `parameters` are those that were sent."""
        self._check_exclusive()
        for one in self.all:
            self._check_bound(one)
            if one.entity is not None:
                self._check_entity(one, one.entity, parameters)
            elif one.session is None:
                raise one.refused(TPM_RC.HANDLE)
            elif not one.attributes & USED_FOR:
                raise one.refused(TPM_RC.ATTRIBUTES)
            else:
                self._check_hmac(one, parameters)

    def _check_bound(self, one: Authorization) -> None:
        """Raises Refusal for a trial session, or in lockout for a session bound to a protected entity."""
        if one.session is None:
            return
        if one.session.trial:
            raise one.refused(TPM_RC.ATTRIBUTES)
        lockout = self._tpm.lockout
        lockout.heal(self._tpm.time // 1000)
        locked = lockout.failed >= lockout.max_tries if not one.session.lockout_bind else not lockout.enabled
        if one.session.protected_bind and locked:
            raise Refusal(TPM_RC.LOCKOUT)

    def _check_exclusive(self) -> None:
        """Raises Refusal if auditExclusive is set and the audit session is not exclusive.

        Source: Part 1, §32.
        """
        one = self.find(TPMA_SESSION.AUDIT)
        if one is None or one.session is None or not one.attributes & TPMA_SESSION.AUDIT_EXCLUSIVE:
            return
        begins = not one.session.audit_digest or one.attributes & TPMA_SESSION.AUDIT_RESET
        if not begins and self._tpm.exclusive_session != one.session.handle:
            raise Refusal(TPM_RC.EXCLUSIVE)

    def _check_entity(self, one: Authorization, entity: Entity, parameters: bytes) -> None:
        if self._kind.code == TPM_CC.PP_Commands:  # The soft TPM has no physical presence.
            raise one.refused(TPM_RC.PP)
        writes = self._kind.code in WRITES
        policy = one.session is not None and one.session.kind != TPM_SE.HMAC
        uses_auth = _uses_auth(one, entity)
        if uses_auth:
            self._check_lockout(entity)
        if not policy:
            if entity.needs_policy(one.role):
                raise Refusal(TPM_RC.AUTH_TYPE)
            if not entity.takes_auth(one.role, writes):
                raise Refusal(TPM_RC.AUTH_UNAVAILABLE)
        elif not entity.takes_policy(one.role, writes):
            raise Refusal(TPM_RC.AUTH_UNAVAILABLE)
        if one.session is None:
            self._check_password(one, entity)
        else:
            if policy:
                hashed = self.cp_hash(one.session, parameters)
                check_policy(self._tpm, one, entity, self._kind, self._handles, hashed)
            self._check_hmac(one, parameters)
        if uses_auth:
            self._count_use(entity)

    def _check_password(self, one: Authorization, entity: Entity) -> None:
        """Raises Refusal unless the password in the command is the entity's authValue."""
        right = equal(trimmed(one.sent.hmac), trimmed(entity.auth))
        of = f"authValue of {show_handle(entity.handle)} {hidden(trimmed(entity.auth))}"
        note("password", f"{hidden(trimmed(one.sent.hmac))} {'equals' if right else 'differs from'} the {of}")
        if not right:
            raise self._failed(one, entity)

    def _count_use(self, entity: Entity) -> None:
        if isinstance(entity, NvIndex):
            entity.count_use(right=True)

    def _check_lockout(self, entity: Entity) -> None:
        """Raises Refusal if the TPM is in lockout and the entity has dictionary attack protection.

        Source: Part 1, §19.8.
        """
        lockout = self._tpm.lockout
        lockout.heal(self._tpm.time // 1000)
        if entity.handle == TPM_RH.LOCKOUT:
            if not lockout.enabled:
                raise Refusal(TPM_RC.LOCKOUT)
        elif entity.protected:
            if lockout.failed >= lockout.max_tries:
                raise Refusal(TPM_RC.LOCKOUT)
            # Without another TPM2_Shutdown, the next start counts as a failure.
            self._tpm.da_used, self._tpm.orderly = True, None

    def _failed(self, one: Authorization, entity: Entity | None) -> Refusal:
        """Counts an authorization failure unless the entity has noDA, and returns the Refusal to raise."""
        if isinstance(entity, NvIndex):
            entity.count_use(right=False)
        bound = one.session is not None and one.session.protected_bind
        if not ((entity is not None and entity.protected) or bound):
            note("dictionary attack", "the entity has noDA: the failure does not count")
            return one.refused(TPM_RC.BAD_AUTH)
        if entity is not None and entity.handle == TPM_RH.LOCKOUT:
            self._tpm.lockout.enabled = False
            self._tpm.lockout.disabled_at = self._tpm.time // 1000
        else:
            self._tpm.lockout.fail(self._tpm.time // 1000)
        return one.refused(TPM_RC.AUTH_FAIL)

    def cp_hash(self, session: SoftSession, parameters: bytes) -> bytes:
        """Returns the command's cpHash, computed with the session's hash algorithm."""
        return cp_hash(session.auth_hash, self._kind.code, self.names, parameters)

    def _hmac_key(self, one: Authorization, auth: bytes) -> bytes:
        """Returns the HMAC key: sessionKey || authValue, without the authValue in a session bound to the entity.

        Source: Part 1, §19.6.
        """
        session = one.session
        assert session is not None
        if one.entity is None:
            return self._report_key(session.key, b"", "the session authorizes no entity")
        if not one.includes_auth:
            reason = "session bound to the entity" if session.kind == TPM_SE.HMAC else "the policy needs none"
            return self._report_key(session.key, b"", reason)
        return self._report_key(session.key, trimmed(auth), f"authValue of {show_handle(one.entity.handle)}")

    def _report_key(self, key: bytes, auth: bytes, reason: str) -> bytes:
        """Returns the HMAC key, and reports its parts. `reason` explains its authValue."""
        note("HMAC key", f"sessionKey {hidden(key)} || authValue {hidden(auth)} ({reason})")
        return key + auth

    def _check_hmac(self, one: Authorization, parameters: bytes) -> None:
        session = one.session
        assert session is not None
        if session.policy.password and one.entity is not None:
            self._check_password(one, one.entity)
            return
        if one.entity is not None:
            one.includes_auth = _uses_auth(one, one.entity)
        key = self._hmac_key(one, one.entity.auth if one.entity is not None else b"")
        # A policy session without a key needs no HMAC, and a caller may leave it out (Part 1, §19.6.6).
        if session.kind != TPM_SE.HMAC and not key and not one.sent.hmac:
            note("HMAC", "not needed: the policy session has no key")
            return
        nonces = (one.sent.nonce, session.nonce_tpm, *self._extra_nonces(one))
        hashed = self.cp_hash(session, parameters)
        ours = authorization_hmac(session.auth_hash, key, hashed, nonces, one.attributes)
        self._report_cp_hash(one, parameters, hashed)
        right = equal(ours, one.sent.hmac)
        verdict = "equals that of the command" if right else "differs from that of the command"
        shown = f"cpHash || nonceCaller {nonces[0].hex() or 'empty'} || nonceTPM {joined(nonces[1:])} || "
        shown += f"sessionAttributes {one.attributes:02x}"
        value = plain_or_hidden(ours, secret=not right)
        note("HMAC", f"HMAC-{TPM_ALG(session.auth_hash).name}(key, {shown}) = {value}: {verdict}")
        if not right:
            raise self._failed(one, one.entity)

    def _report_cp_hash(self, one: Authorization, parameters: bytes, hashed: bytes) -> None:
        if not is_observed() or one.session is None:
            return
        secret = has_secrets(self._kind) and self.find(TPMA_SESSION.DECRYPT) is None
        shown = plain_or_hidden(parameters, secret=secret)
        names = f"Names {joined(self.names)}" if self.names else "no Names"
        inputs = f"commandCode {show_code(self._kind.code)} || {names} || parameters {shown}"
        note("cpHash", f"{TPM_ALG(one.session.auth_hash).name}({inputs}) = {hashed.hex()}")

    def _extra_nonces(self, one: Authorization) -> list[bytes]:
        """Returns the nonceTPM values of the decrypt and encrypt sessions, for the HMAC of the first session.

        Source: Part 1, §19.6.5.
        """
        if one.number != 1 or one.entity is None:
            return []
        extra: dict[int, bytes] = {}
        for attribute in (TPMA_SESSION.DECRYPT, TPMA_SESSION.ENCRYPT):
            found = self.find(attribute)
            if found is not None and found is not one and found.session is not None:
                extra.setdefault(found.number, found.session.nonce_tpm)
        return list(extra.values())

    def decrypted(self, parameters: bytes) -> bytes:
        """Returns the parameters, with the first one decrypted if a session encrypted it (Part 1, §21)."""
        one = self.find(TPMA_SESSION.DECRYPT)
        if one is None or one.session is None:
            return parameters
        if len(parameters) < 2:
            raise Refusal(TPM_RC.INSUFFICIENT)
        size = int.from_bytes(parameters[:2], "big")
        if size > len(parameters) - 2:
            raise Refusal(TPM_RC.SIZE)
        note("decryption", f"first parameter ({size} bytes) with {self._describe_cipher(one)}")
        plain = self._cipher(one, parameters[2 : 2 + size], (one.sent.nonce, one.session.nonce_tpm), False)
        return parameters[:2] + plain + parameters[2 + size :]

    def _describe_cipher(self, one: Authorization) -> str:
        session = one.session
        assert session is not None
        auth = f" || authValue {hidden(trimmed(one.entity.auth))}" if one.entity is not None else ""
        cipher = session.symmetric
        xor = cipher.algorithm == TPM_ALG.XOR
        name = "XOR" if xor else f"{cipher.algorithm.name}-{cipher.key_bits}-CFB"
        key = f"sessionKey {hidden(session.key)}{auth}"
        return f"session 0x{session.handle:08x}, {name}, key from {key} and both nonces"

    def _cipher(self, one: Authorization, data: bytes, nonces: tuple[bytes, bytes], encrypting: bool) -> bytes:
        session = one.session
        assert session is not None
        key = session.key + (trimmed(one.entity.auth) if one.entity is not None else b"")
        symmetric = session.symmetric
        if symmetric.algorithm == TPM_ALG.XOR:
            return xor_obfuscation(session.auth_hash, key, *nonces, data)
        size = (symmetric.key_bits or 0) // 8
        derived = kdfa(session.auth_hash, key, b"CFB", *nonces, 8 * (size + BLOCK))
        return cfb(derived[:size], derived[size:], data, encrypting)

    def answer(self, parameters: bytes) -> tuple[bytes, list[TPMS_AUTH_RESPONSE]]:
        """Returns (response parameters, response authorizations), with the first parameter encrypted on request.

        Replaces nonceTPM of each session. Ends each session without continueSession. Resets each policy session.
        """
        for one in self.all:
            if one.session is not None:
                before = one.session.nonce_tpm
                one.session.nonce_tpm = self._tpm.generator.bytes(len(before))
                shown = f"session 0x{one.session.handle:08x}: {before.hex()} -> {one.session.nonce_tpm.hex()}"
                note("nonceTPM", shown)
        encrypting = self.find(TPMA_SESSION.ENCRYPT)
        if encrypting is not None and encrypting.session is not None:
            size = int.from_bytes(parameters[:2], "big")
            nonces = (encrypting.session.nonce_tpm, encrypting.sent.nonce)
            note("encryption", f"first parameter ({size} bytes) with {self._describe_cipher(encrypting)}")
            sealed = self._cipher(encrypting, parameters[2 : 2 + size], nonces, True)
            parameters = parameters[:2] + sealed + parameters[2 + size :]
        return parameters, [self._answer_one(one, parameters) for one in self.all]

    def _answer_one(self, one: Authorization, parameters: bytes) -> TPMS_AUTH_RESPONSE:
        session = one.session
        if session is None:
            return TPMS_AUTH_RESPONSE(b"", TPMA_SESSION.CONTINUE_SESSION, b"")
        attributes = one.attributes
        if attributes & TPMA_SESSION.AUDIT:
            attributes = self._audit(one, parameters)
        auth = b"" if one.entity is None else self._current(one.entity).auth
        key = self._hmac_key(one, auth)
        unkeyed = not key and not one.sent.hmac
        if session.kind != TPM_SE.HMAC and (unkeyed or (session.policy.password and one.entity is not None)):
            hmac = b""
        else:
            hashed = rp_hash(session.auth_hash, self._kind.code, parameters)
            nonces = (session.nonce_tpm, one.sent.nonce)
            hmac = authorization_hmac(session.auth_hash, key, hashed, nonces, attributes)
            if self._kind.code in self._tpm.faults.wrong_hmac:
                hmac = hmac[:-1] + bytes([hmac[-1] ^ 1])
            self._report_response(session, parameters, hashed, nonces, attributes, hmac)
        if not attributes & TPMA_SESSION.CONTINUE_SESSION:
            note("session", f"0x{session.handle:08x} ends, because continueSession is clear")
            del self._tpm.sessions[session.handle]
        elif one.entity is not None and session.kind == TPM_SE.POLICY:
            note("policyDigest", f"{session.policy.digest.hex()} -> zero, because the session has been used")
            session.restart_policy()
        return TPMS_AUTH_RESPONSE(session.nonce_tpm, attributes, hmac)

    def _report_response(
        self,
        session: SoftSession,
        parameters: bytes,
        hashed: bytes,
        nonces: tuple[bytes, bytes],
        attributes: TPMA_SESSION,
        hmac: bytes,
    ) -> None:
        if not is_observed():
            return
        alg = TPM_ALG(session.auth_hash).name
        secret = has_secrets(self._kind.Response) and self.find(TPMA_SESSION.ENCRYPT) is None
        shown = plain_or_hidden(parameters, secret=secret)
        code = show_code(self._kind.code)
        note("rpHash", f"{alg}(responseCode 00000000 || {code} || parameters {shown}) = {hashed.hex()}")
        inputs = f"rpHash || nonceTPM {nonces[0].hex()} || nonceCaller {nonces[1].hex() or 'empty'} || "
        inputs += f"sessionAttributes {attributes:02x}"
        note("response HMAC", f"HMAC-{alg}(key, {inputs}) = {hmac.hex()}")

    def _audit(self, one: Authorization, parameters: bytes) -> TPMA_SESSION:
        session = one.session
        assert session is not None
        if not session.audit_digest or one.attributes & TPMA_SESSION.AUDIT_RESET:
            session.audit_digest = bytes(len(session.policy.digest))
            session.bound = b""  # an audit session is not bound
            self._tpm.exclusive_session = session.handle
        parts = session.audit_digest, self.audited, rp_hash(session.auth_hash, self._kind.code, parameters)
        session.audit_digest = digest(session.auth_hash, *parts)
        formula = f"{TPM_ALG(session.auth_hash).name}(audit digest || cpHash || rpHash)"
        note("audit digest", f"{session.audit_digest.hex()} = {formula} = H({joined(parts)})")
        exclusive = self._tpm.exclusive_session == session.handle
        return one.attributes | TPMA_SESSION.AUDIT_EXCLUSIVE if exclusive else one.attributes

    audited = b""
    """cpHash of the command, for the audit session; set by the frame before the command runs."""

    def _current(self, entity: Entity) -> Entity:
        """Returns the entity after the command, which may have changed the authValue or removed the entity."""
        if isinstance(entity, (NvIndex, KeyedObject)):
            return entity
        return self._tpm.hierarchies.get(entity.handle, entity)


def _uses_auth(one: Authorization, entity: Entity) -> bool:
    """Returns whether the authorization needs the entity's authValue.

    A session that is bound to the entity does not need it; a policy session does after TPM2_PolicyAuthValue and
    TPM2_PolicyPassword. Source: Part 1, §19.6.
    """
    session = one.session
    if session is None:
        return True
    if session.kind == TPM_SE.HMAC:
        return not session.bound or session.bound != binding_of(entity)
    return session.policy.auth_value or session.policy.password
