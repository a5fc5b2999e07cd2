"""Determines what each side of a session knows after a message: nonces, keys, hashes, HMACs and policyDigest.

The sides are the program, the TPM, and anyone who can read the bus between them.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..crypto.formulas import cp_hash, kdfa, rp_hash, trimmed
from ..errors import EncodeError
from ..secret import EMPTY_AUTH, Secret
from ..spec.commands.sessions import StartAuthSession
from ..spec.constants import TPM_ALG, TPM_CC, TPM_RH
from ..spec.structures import TPMS_AUTH_COMMAND, TPMS_AUTH_RESPONSE
from .areas import MessageAreas
from .facts import ALL, ENDS, Fact
from .meanings import command_name
from .session_history import cipher_name
from .traced_session import SessionKey, TracedSession, Verdict

__all__ = ["Cipher", "SessionUse", "start_facts", "use_facts"]


class Cipher(NamedTuple):
    """The encryption of a parameter: the authValue in the cipher's key, and the size of the parameter in bytes."""

    auth: Secret
    size: int


class SessionUse(NamedTuple):
    """The use of a session in a command. `older` is nonceTPM before the command, `extra` the nonces of other
    sessions in the HMAC, `names` the Names of the command's handles (None if unknown).

    `entity` is the handle that the session authorizes, or None.
    """

    session: TracedSession
    code: TPM_CC
    entity: int | None
    sent: TPMS_AUTH_COMMAND
    answer: TPMS_AUTH_RESPONSE | None
    older: bytes
    verdict: Verdict
    extra: Sequence[bytes]
    names: Sequence[tuple[int, bytes | None]]


def start_facts(start: StartAuthSession, session: TracedSession | None, nonce_tpm: bytes | None) -> list[Fact]:
    """Returns the facts of a session that TPM2_StartAuthSession opens.

    `session` is None if its hash algorithm is unknown. `nonce_tpm` is None after the command, before the response.
    """
    return list(_start(start, session, nonce_tpm))


def _start(start: StartAuthSession, session: TracedSession | None, nonce_tpm: bytes | None) -> Iterator[Fact]:
    first = nonce_tpm is None
    key = session.keys[0] if session is not None and len(session.keys) == 1 else None
    yield Fact("nonceCaller", start.nonce_caller, "chosen by the program", new=first)
    if start.tpm_key != TPM_RH.NULL:
        text = f"chosen by the program, encrypted to the key 0x{start.tpm_key:08x}, which only the TPM has"
        yield Fact("salt", key.salt.reveal() if key else None, text, ENDS, secret=True, new=first)
        yield Fact("encryptedSalt", start.encrypted_salt, "the salt, encrypted", new=first)
    if start.bind != TPM_RH.NULL:
        text = f"authValue of bind, 0x{start.bind:08x}"
        yield Fact("authValue", key.auth.reveal() if key else None, text, ENDS, secret=True, new=first)
    if nonce_tpm is not None:
        yield Fact("nonceTPM", nonce_tpm, "chosen by the TPM")
        if session is not None:
            yield _session_key(session, key, new=True)


def _session_key(session: TracedSession, key: SessionKey | None, *, new: bool) -> Fact:
    secret = session.salted or session.bound
    value = key.session_key.reveal() if key else None
    text = SessionKey(EMPTY_AUTH, session.salted, session.bound).formula
    return Fact("sessionKey", value, text, ENDS if secret else ALL, secret=secret, new=new)


def use_facts(
    use: SessionUse, command: MessageAreas, response: MessageAreas | None = None, cipher: Cipher | None = None
) -> list[Fact]:
    """Returns the facts after a command that uses the session, or after its response if `response` is given.

    `cipher` describes the encryption of that message by this session; None without encryption.
    """
    try:
        return list(_use(use, command, response, cipher))
    except EncodeError:  # the session has parameters that no TPM accepts
        return []


def _use(
    use: SessionUse, command: MessageAreas, response: MessageAreas | None, cipher: Cipher | None
) -> Iterator[Fact]:
    session, verdict = use.session, use.verdict
    key = verdict.key
    newer, older = (use.sent.nonce, use.older)
    yield _session_key(session, key, new=False)
    if response is None:
        yield Fact("nonceTPM", use.older, "from the previous response", new=False)
        yield Fact("nonceCaller", use.sent.nonce, "chosen by the program for this command")
        yield from _command_hash(use, command)
    else:
        newer, older = (b"" if use.answer is None else use.answer.nonce), use.sent.nonce
        yield Fact("nonceCaller", use.sent.nonce, "from the command", new=False)
        yield Fact("nonceTPM", newer, "chosen by the TPM for the next command")
        hashed = rp_hash(session.start.auth_hash, use.code, response.parameters)
        text = f"{session.start.auth_hash.name}(responseCode || {command_name(use.code)} || parameters)"
        yield Fact("rpHash", hashed, text)
    yield from _hmac(use, answered=response is not None)
    if cipher is not None and key is not None:
        yield from _cipher(use, key, cipher, (newer, older))


def _command_hash(use: SessionUse, command: MessageAreas) -> Iterator[Fact]:
    alg = use.session.start.auth_hash
    for handle, name in use.names:
        if name is None or name != handle.to_bytes(4, "big"):
            text = "nameAlg and the hash of the public area" if name else "not in the recording"
            yield Fact(f"Name of 0x{handle:08x}", name, text)
    names = [name for _, name in use.names if name is not None]
    value = cp_hash(alg, use.code, names, command.parameters) if len(names) == len(use.names) else None
    parts = [command_name(use.code), *(f"Name of 0x{handle:08x}" for handle, _ in use.names), "parameters"]
    yield Fact("cpHash", value, f"{alg.name}({' || '.join(parts)})")


def _hmac(use: SessionUse, *, answered: bool) -> Iterator[Fact]:
    session, verdict, key = use.session, use.verdict, use.verdict.key
    secret = session.salted or session.bound or bool(verdict.with_auth and verdict.auth)
    if verdict.with_auth and not answered and use.entity is not None:
        text = f"authValue of 0x{use.entity:08x}"
        yield Fact("authValue", verdict.auth.reveal(), text, ENDS, secret=True, new=False)
    auth = use.answer if answered else use.sent
    valid = verdict.response if answered else verdict.command
    if auth is None or not auth.hmac:
        return
    if not answered and key is not None and valid is not None:
        value = key.session_key.reveal() + (trimmed(verdict.auth.reveal()) if verdict.with_auth else b"")
        text = "sessionKey || authValue" if verdict.with_auth else "sessionKey"
        yield Fact("HMAC key", value, text, ENDS if secret else ALL, secret=secret)
    parts = ["rpHash", "nonceTPM", "nonceCaller"] if answered else ["cpHash", "nonceCaller", "nonceTPM"]
    parts += ["nonceTPM of the encrypting session"] * (0 if answered else len(use.extra))
    said = {None: "not checked", True: "valid", False: "NOT VALID"}[valid]
    text = f"{said}: HMAC(key, {' || '.join([*parts, 'sessionAttributes'])})"
    yield Fact("hmac", auth.hmac, text, wrong=valid is False)


def _cipher(use: SessionUse, key: SessionKey, cipher: Cipher, nonces: tuple[bytes, bytes]) -> Iterator[Fact]:
    """Yields the key and the IV of the cipher, or the mask of XOR (Part 1, §21)."""
    start = use.session.start
    if start.symmetric.algorithm not in (TPM_ALG.XOR, TPM_ALG.AES):
        return
    secret = use.session.salted or use.session.bound or bool(cipher.auth)
    sides = ENDS if secret else ALL
    value = key.session_key.reveal() + trimmed(cipher.auth.reveal())
    used = "sessionKey || authValue" if cipher.auth else "sessionKey"
    if start.symmetric.algorithm == TPM_ALG.XOR:
        mask = kdfa(start.auth_hash, value, b"XOR", *nonces, 8 * cipher.size)
        yield Fact("mask", mask, f'KDFa({used}, "XOR", newer nonce, older nonce, bits)', sides, secret=secret)
        return
    size = (start.symmetric.key_bits or 0) // 8
    derived = kdfa(start.auth_hash, value, b"CFB", *nonces, 8 * size + 128)
    text = f'KDFa({used}, "CFB", newer nonce, older nonce, bits)'
    yield Fact(f"{cipher_name(start.symmetric)} key", derived[:size], text, sides, secret=secret)
    yield Fact("IV", derived[size:], f"the last 16 bytes of {text}", sides, secret=secret)
