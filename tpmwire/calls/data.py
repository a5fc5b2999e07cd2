"""Random numbers, and hashes, HMACs and symmetric encryption of data of any length."""

from collections.abc import Sequence

from ..errors import DecodeError, TpmError
from ..keys.template_names import parse_hash
from ..secret import EMPTY_AUTH
from ..sessions import Password, Use
from ..spec.codes import TPM_RC_COMMAND_CODE
from ..spec.commands.random import GetRandom
from ..spec.commands.sequences import HashSequenceStart, HMAC_Start, SequenceComplete, SequenceUpdate
from ..spec.commands.symmetric import HMAC, EncryptDecrypt, EncryptDecrypt2, Hash
from ..spec.constants import TPM_ALG, TPM_RH, TPMA_SESSION
from ..spec.structures import TPMT_TK_HASHCHECK
from ..tpm import Tpm
from .arguments import NOBODY, Item, reach

__all__ = ["decrypt", "encrypt", "hash", "hash_with_ticket", "hmac", "random"]

PIECE = 1024
"""Data bytes per command, supported by every TPM (TPM_PT_INPUT_BUFFER is at least 1024)."""

_ONLY_RESPONSE = TPMA_SESSION.ENCRYPT | TPMA_SESSION.CONTINUE_SESSION


def random(tpm: Tpm, count: int, *companions: Use) -> bytes:
    """Returns `count` random bytes from the TPM (TPM2_GetRandom; Part 3, §16.1).

    Raises ValueError for a negative count.
    """
    if count < 0:
        raise ValueError(f"{count} is not a valid number of bytes")
    found = b""
    while len(found) < count:
        # A TPM returns at most the size of its largest digest.
        piece = tpm.execute(GetRandom(min(count - len(found), 0xFFFF)), *companions).random_bytes
        if not piece:
            raise DecodeError("the TPM returned no random bytes", 10, 0, ("randomBytes",))
        found += piece
    return found[:count]


def hash(tpm: Tpm, data: bytes, alg: TPM_ALG | str = TPM_ALG.SHA256) -> bytes:
    """Returns the digest of data of any length, computed by the TPM (Part 3, §15.4 and §17.4).

    `alg` may be a name such as `sha384`. Raises EncodeError for an unknown name.
    """
    return hash_with_ticket(tpm, data, alg, TPM_RH.NULL)[0]


def hash_with_ticket(
    tpm: Tpm, data: bytes, alg: TPM_ALG | str = TPM_ALG.SHA256, hierarchy: int = TPM_RH.OWNER
) -> tuple[bytes, TPMT_TK_HASHCHECK]:
    """Returns (digest of `data`, ticket that proves that the TPM computed the digest).

    A restricted key of the same hierarchy signs only digests with such a ticket (Part 3, §15.4, §17.4).
    """
    hash_alg = parse_hash(alg) if isinstance(alg, str) else alg
    if len(data) <= PIECE:
        response = tpm.execute(Hash(data, hash_alg, hierarchy))
        return response.out_hash, response.validation
    sequence = tpm.execute(HashSequenceStart(b"", hash_alg)).sequence_handle
    return _complete(tpm, sequence, data, hierarchy)


def hmac(
    tpm: Tpm, key: Item, data: bytes, *, by: Password | Use = NOBODY, companions: Sequence[Use] = ()
) -> bytes:
    """Returns the HMAC of data of any length (TPM2_HMAC or TPM2_HMAC_Start; Part 3, §15.5 and §17.2).

    The hash algorithm is the key's.
    """
    with reach(tpm, key, by) as (handle, authorization):
        if len(data) <= PIECE:
            try:
                return tpm.execute(HMAC(handle, data), authorization, *companions).out_hmac
            except TpmError as error:
                if error.code != TPM_RC_COMMAND_CODE:
                    raise  # some TPMs have sequences only; they checked no session
        protection = [use for use in (authorization, *companions) if isinstance(use, Use) and _protects(use)]
        first = (_without_encryption(authorization), *_without_response(companions))
        sequence = tpm.execute(HMAC_Start(handle), *first).sequence_handle
        return _complete(tpm, sequence, data, TPM_RH.NULL, protection)[0]


def _protects(use: Use) -> bool:
    return bool(use.attributes & (TPMA_SESSION.ENCRYPT | TPMA_SESSION.DECRYPT | TPMA_SESSION.AUDIT))


def _without_encryption(use: Password | Use) -> Password | Use:
    """Returns an authorization with the same session, for a command whose response has nothing to encrypt.

    A session that protects later commands of the sequence stays open.
    """
    if isinstance(use, Password) or not _protects(use):
        return use
    kept = TPMA_SESSION(use.attributes & ~TPMA_SESSION.ENCRYPT | TPMA_SESSION.CONTINUE_SESSION)
    return Use(use.session, use.auth, kept)


def _without_response(companions: Sequence[Use]) -> list[Password | Use]:
    """Returns the companion sessions for a command whose response has nothing to encrypt."""
    # A companion session without a purpose is refused.
    return [_without_encryption(use) for use in companions if use.attributes & ~_ONLY_RESPONSE]


def _complete(
    tpm: Tpm, sequence: int, data: bytes, hierarchy: int, protection: Sequence[Use] = ()
) -> tuple[bytes, TPMT_TK_HASHCHECK]:
    """Adds all data to a sequence, and returns (result, ticket). Flushes the sequence after an error.

    `protection` contains the sessions that encrypt or audit each command.
    """
    tpm.trust_name(sequence, b"")  # a sequence has no public area, so its Name is empty (Part 1, §16)
    companions = [Use(use.session, EMPTY_AUTH, use.attributes) for use in protection]
    updates = _without_response(companions)
    try:
        last = (len(data) - 1) // PIECE * PIECE
        for start in range(0, last, PIECE):
            tpm.execute(SequenceUpdate(sequence, data[start : start + PIECE]), NOBODY, *updates)
        command = SequenceComplete(sequence, data[last:], hierarchy)
        response = tpm.execute(command, NOBODY, *companions)
    except BaseException:
        tpm.flush(sequence)
        raise
    return response.result, response.validation


def encrypt(
    tpm: Tpm,
    key: Item,
    data: bytes,
    iv: bytes = bytes(16),
    mode: TPM_ALG = TPM_ALG.NULL,
    *,
    by: Password | Use = NOBODY,
    companions: Sequence[Use] = (),
) -> bytes:
    """Encrypts data of any length with a symmetric key (TPM2_EncryptDecrypt2; Part 3, §15.3).

    Falls back to TPM2_EncryptDecrypt. `mode` is required if the key has no mode. CBC and ECB require whole blocks.
    The ciphertext has no integrity check. A policy session authorizes only the first 1,024 bytes.
    """
    return _cipher(tpm, key, data, iv, mode, False, by, companions)


def decrypt(
    tpm: Tpm,
    key: Item,
    data: bytes,
    iv: bytes = bytes(16),
    mode: TPM_ALG = TPM_ALG.NULL,
    *,
    by: Password | Use = NOBODY,
    companions: Sequence[Use] = (),
) -> bytes:
    """Decrypts the result of `encrypt` (TPM2_EncryptDecrypt2; Part 3, §15.3)."""
    return _cipher(tpm, key, data, iv, mode, True, by, companions)


def _cipher(
    tpm: Tpm,
    key: Item,
    data: bytes,
    iv: bytes,
    mode: TPM_ALG,
    inverse: bool,
    by: Password | Use,
    companions: Sequence[Use],
) -> bytes:
    found, older = b"", False
    with reach(tpm, key, by) as (handle, authorization):
        uses = (authorization, *companions)
        for start in range(0, len(data), PIECE):
            piece = data[start : start + PIECE]
            if not older:
                try:
                    newer = tpm.execute(EncryptDecrypt2(handle, piece, inverse, mode, iv), *uses)
                    found, iv = found + newer.out_data, newer.iv_out
                    continue
                except TpmError as error:
                    if error.code != TPM_RC_COMMAND_CODE:
                        raise
                    older = True
            response = tpm.execute(EncryptDecrypt(handle, inverse, mode, iv, piece), *uses)
            found, iv = found + response.out_data, response.iv_out
    return found
