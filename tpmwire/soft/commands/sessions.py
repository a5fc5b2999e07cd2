"""Soft TPM: session commands (Part 3, §11)."""

from ...crypto.formulas import digest_size, trimmed
from ...spec.commands.sessions import PolicyRestart, StartAuthSession
from ...spec.constants import TPM_ALG, TPM_HT, TPM_RH, TPM_SE, TPMA_OBJECT
from ...spec.response_codes import TPM_RC
from ..observer import derive, note, show_handle
from ..refusal import Refusal, require
from ..registry import handles
from ..secrets import decrypt_secret
from ..session import SoftSession, binding_of
from ..tpm_state import LOADED_MAX, SESSIONS_MAX, TpmState

LEAST_NONCE = 16


@handles(StartAuthSession)
def start_auth_session(tpm: TpmState, command: StartAuthSession) -> StartAuthSession.Response:
    """Starts a session (TPM2_StartAuthSession).

    The session key derives from the salt and the authValue of the bound entity (Part 1, §19.6.8).
    """
    size = digest_size(command.auth_hash)
    require(LEAST_NONCE <= len(command.nonce_caller) <= size, TPM_RC.SIZE, "nonce_caller")
    salt = b""
    if command.tpm_key == TPM_RH.NULL:
        require(not command.encrypted_salt, TPM_RC.VALUE, "encrypted_salt")
    else:
        key = tpm.key(command.tpm_key)
        require(key.sensitive is not None, TPM_RC.KEY, "tpm_key")
        require(key.public.type in (TPM_ALG.RSA, TPM_ALG.ECC, TPM_ALG.MLKEM), TPM_RC.KEY, "tpm_key")
        if key.public.type == TPM_ALG.MLKEM:
            require(key.has(TPMA_OBJECT.RESTRICTED), TPM_RC.KEY, "tpm_key")
        require(key.has(TPMA_OBJECT.DECRYPT), TPM_RC.ATTRIBUTES, "tpm_key")
        require(command.encrypted_salt, TPM_RC.VALUE, "encrypted_salt")
        try:
            salt = decrypt_secret(key, command.encrypted_salt, b"SECRET")
        except Refusal as error:
            raise Refusal(TPM_RC.VALUE, "encrypted_salt") from error
    if command.symmetric.algorithm == TPM_ALG.AES:
        require(command.symmetric.mode == TPM_ALG.CFB, TPM_RC.MODE, "symmetric")
    if len(tpm.sessions) >= LOADED_MAX:
        raise Refusal(TPM_RC.SESSION_MEMORY)
    if len(tpm.sessions) + len(tpm.saved_sessions) >= SESSIONS_MAX:
        raise Refusal(TPM_RC.SESSION_HANDLES)
    session = _open(tpm, command, salt)
    tpm.sessions[session.handle] = session
    return StartAuthSession.Response(session.handle, session.nonce_tpm)


def _open(tpm: TpmState, command: StartAuthSession, salt: bytes) -> SoftSession:
    kind = TPM_HT.HMAC_SESSION if command.session_type == TPM_SE.HMAC else TPM_HT.POLICY_SESSION
    used = {handle & 0xFFFFFF for handle in (*tpm.sessions, *tpm.saved_sessions)}
    handle = kind << 24 | next(number for number in range(SESSIONS_MAX) if number not in used)
    nonce = tpm.generator.bytes(len(command.nonce_caller))
    bound = tpm.entity(command.bind) if command.bind != TPM_RH.NULL else None
    secret = (trimmed(bound.auth) if bound is not None else b"") + salt
    key = b""
    if bound is not None or command.tpm_key != TPM_RH.NULL:
        bits = 8 * digest_size(command.auth_hash)
        parts = [f"authValue of {show_handle(bound.handle)}"] if bound is not None else []
        source = " || ".join([*parts, "salt"] if salt else parts)
        key = derive("sessionKey", source, command.auth_hash, secret, b"ATH", nonce, command.nonce_caller, bits)
    else:
        note("sessionKey", "empty: the session has neither a salt nor a bound entity")
    return SoftSession(
        handle,
        command.session_type,
        command.auth_hash,
        command.symmetric,
        key,
        nonce,
        binding_of(bound) if bound is not None and command.session_type == TPM_SE.HMAC else b"",
        bound is not None and bound.protected,
        command.bind == TPM_RH.LOCKOUT,
        tpm.time,
    )


@handles(PolicyRestart)
def policy_restart(tpm: TpmState, command: PolicyRestart) -> None:
    """Resets a policy session to its initial state (TPM2_PolicyRestart)."""
    tpm.sessions[command.session_handle].restart_policy()
