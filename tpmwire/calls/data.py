"""Random numbers, hashes, HMACs and ciphers, of data of any length."""

from collections.abc import Sequence

from ..errors import DecodeError
from ..sessions import Password, Use
from ..spec.commands.random import GetRandom
from ..spec.commands.sequences import HashSequenceStart, HMAC_Start, SequenceComplete, SequenceUpdate
from ..spec.commands.symmetric import HMAC, EncryptDecrypt2, Hash
from ..spec.constants import TPM_ALG, TPM_RH
from ..spec.structures import TPMT_TK_HASHCHECK
from ..tpm import Tpm
from .arguments import NOBODY, Item, reach

__all__ = ["decrypt", "encrypt", "hash", "hash_with_ticket", "hmac", "random"]

PIECE = 1024
"""Bytes for one command, which every TPM accepts (TPM_PT_INPUT_BUFFER is at least 1024)."""


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


def hash(tpm: Tpm, data: bytes, alg: TPM_ALG = TPM_ALG.SHA256) -> bytes:
    """Returns the digest of data of any length, computed by the TPM (Part 3, §15.4 and §17.4)."""
    return hash_with_ticket(tpm, data, alg, TPM_RH.NULL)[0]


def hash_with_ticket(
    tpm: Tpm, data: bytes, alg: TPM_ALG = TPM_ALG.SHA256, hierarchy: int = TPM_RH.OWNER
) -> tuple[bytes, TPMT_TK_HASHCHECK]:
    """Returns the digest of `data`, and the TPM's proof that it computed the digest.

    A restricted key of the same hierarchy signs only digests with such a proof (Part 3, §15.4, §17.4).
    """
    if len(data) <= PIECE:
        response = tpm.execute(Hash(data, alg, hierarchy))
        return response.out_hash, response.validation
    sequence = tpm.execute(HashSequenceStart(b"", alg)).sequence_handle
    return _complete(tpm, sequence, data, hierarchy)


def hmac(
    tpm: Tpm, key: Item, data: bytes, *, by: Password | Use = NOBODY, companions: Sequence[Use] = ()
) -> bytes:
    """Returns the HMAC of data of any length (TPM2_HMAC or TPM2_HMAC_Start; Part 3, §15.5 and §17.2).

    The hash algorithm is the key's.
    """
    with reach(tpm, key, by) as (handle, authorization):
        if len(data) <= PIECE:
            return tpm.execute(HMAC(handle, data), authorization, *companions).out_hmac
        sequence = tpm.execute(HMAC_Start(handle), authorization, *companions).sequence_handle
        return _complete(tpm, sequence, data, TPM_RH.NULL)[0]


def _complete(tpm: Tpm, sequence: int, data: bytes, hierarchy: int) -> tuple[bytes, TPMT_TK_HASHCHECK]:
    """Adds all data to a sequence, and returns its result and ticket. Flushes the sequence after an error."""
    try:
        last = (len(data) - 1) // PIECE * PIECE
        for start in range(0, last, PIECE):
            tpm.execute(SequenceUpdate(sequence, data[start : start + PIECE]))
        response = tpm.execute(SequenceComplete(sequence, data[last:], hierarchy))
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

    `mode` is needed if the key has none. CBC and ECB need whole blocks. There is no integrity check.
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
    found = b""
    with reach(tpm, key, by) as (handle, authorization):
        for start in range(0, len(data), PIECE):
            piece = data[start : start + PIECE]
            response = tpm.execute(EncryptDecrypt2(handle, piece, inverse, mode, iv), authorization, *companions)
            found, iv = found + response.out_data, response.iv_out
    return found
