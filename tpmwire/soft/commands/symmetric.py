"""Soft TPM: symmetric commands (Part 3, §15)."""

from ...crypto.formulas import digest, hmac_digest
from ...crypto.pure.aes import BLOCK, crypt
from ...spec.commands.symmetric import HMAC, EncryptDecrypt, EncryptDecrypt2, Hash
from ...spec.constants import TPM_ALG, TPMA_OBJECT
from ...spec.response_codes import TPM_RC
from ...spec.structures import TPMS_KEYEDHASH_PARMS, TPMS_SYMCIPHER_PARMS
from ..entities import KeyedObject
from ..interfaces import HASHES
from ..refusal import Refusal, require
from ..registry import handles
from ..tickets import hash_ticket
from ..tpm_state import TpmState

GENERATED = bytes.fromhex("ff544347")
"""TPM_GENERATED_VALUE, the first bytes of every attestation."""


def is_external(data: bytes) -> bool:
    """Returns whether `data`, the start of a message, is known not to begin with TPM_GENERATED_VALUE.

    Returns False for fewer bytes than TPM_GENERATED_VALUE has.
    """
    return len(data) >= len(GENERATED) and not data.startswith(GENERATED)


@handles(Hash)
def hash_data(tpm: TpmState, command: Hash) -> Hash.Response:
    """Hashes data (TPM2_Hash). Returns a ticket if a restricted key may sign the digest."""
    found = digest(command.hash_alg, command.data)
    external = not command.data.startswith(GENERATED)
    return Hash.Response(found, hash_ticket(tpm, command.hierarchy, command.hash_alg, found, external))


def hmac_algorithm(key: KeyedObject, hash_alg: int, field: str) -> int:
    """Returns the algorithm of a MAC (a hash algorithm or CMAC): the key's, or `hash_alg` if the key has none.

    `field` is the name of the key's handle in the command. Raises Refusal if the key or `hash_alg` is not valid.
    """
    parameters = key.public.parameters
    if isinstance(parameters, TPMS_SYMCIPHER_PARMS):
        own = parameters.sym.mode
        valid: tuple[int, ...] = (TPM_ALG.CMAC,)
    elif isinstance(parameters, TPMS_KEYEDHASH_PARMS):
        own = getattr(parameters.scheme.details, "hash_alg", TPM_ALG.NULL)
        valid = HASHES
    else:
        raise Refusal(TPM_RC.TYPE, field)
    found = int(own if own not in (None, TPM_ALG.NULL) else hash_alg)
    require(found != TPM_ALG.NULL and hash_alg in (TPM_ALG.NULL, found), TPM_RC.VALUE, "hash_alg")
    require(found in valid, TPM_RC.SCHEME, "hash_alg")
    require(not key.has(TPMA_OBJECT.RESTRICTED), TPM_RC.ATTRIBUTES, field)
    require(key.has(TPMA_OBJECT.SIGN_ENCRYPT), TPM_RC.KEY, field)
    return found


@handles(HMAC)
def hmac_data(tpm: TpmState, command: HMAC) -> HMAC.Response:
    """Returns the HMAC or CMAC of data with a loaded key (TPM2_HMAC, TPM2_MAC)."""
    key = tpm.key(command.handle)
    alg = hmac_algorithm(key, command.hash_alg, "handle")
    assert key.sensitive is not None
    return HMAC.Response(compute_mac(alg, key.sensitive.sensitive, command.buffer))


def compute_mac(alg: int, key: bytes, data: bytes) -> bytes:
    """Returns the HMAC of data with a hash algorithm, or the AES-CMAC for TPM_ALG_CMAC (SP 800-38B)."""
    if alg != TPM_ALG.CMAC:
        return hmac_digest(alg, key, data)

    def double(block: bytes) -> bytes:
        number = int.from_bytes(block, "big") << 1
        return (number ^ (1 << 128 | 0x87) if number >> 128 else number).to_bytes(BLOCK, "big")

    subkey = double(crypt(TPM_ALG.ECB, key, b"", bytes(BLOCK), True)[0])
    start = max(0, (len(data) - 1) // BLOCK) * BLOCK
    last = data[start:]
    if len(last) < BLOCK:
        subkey, last = double(subkey), (last + b"\x80").ljust(BLOCK, b"\0")
    last = bytes(a ^ b for a, b in zip(last, subkey, strict=True))
    return crypt(TPM_ALG.CBC, key, bytes(BLOCK), data[:start] + last, True)[0][-BLOCK:]


@handles(EncryptDecrypt)
def encrypt_decrypt(tpm: TpmState, command: EncryptDecrypt) -> EncryptDecrypt.Response:
    """Encrypts or decrypts data with a symmetric key (TPM2_EncryptDecrypt)."""
    return EncryptDecrypt.Response(*_crypt(tpm, command))


@handles(EncryptDecrypt2)
def encrypt_decrypt_2(tpm: TpmState, command: EncryptDecrypt2) -> EncryptDecrypt2.Response:
    """Encrypts or decrypts data with a symmetric key (TPM2_EncryptDecrypt2).

    The data is the first parameter, so that parameter encryption can protect it.
    """
    return EncryptDecrypt2.Response(*_crypt(tpm, command))


def _crypt(tpm: TpmState, command: EncryptDecrypt | EncryptDecrypt2) -> tuple[bytes, bytes]:
    key = tpm.key(command.key_handle)
    parameters = key.public.parameters
    if not isinstance(parameters, TPMS_SYMCIPHER_PARMS):
        raise Refusal(TPM_RC.KEY, "key_handle")
    require(not key.has(TPMA_OBJECT.RESTRICTED), TPM_RC.ATTRIBUTES, "key_handle")
    needed = TPMA_OBJECT.DECRYPT if command.decrypt else TPMA_OBJECT.SIGN_ENCRYPT
    require(key.has(needed), TPM_RC.ATTRIBUTES, "key_handle")
    mode = parameters.sym.mode or TPM_ALG.NULL
    require(mode != TPM_ALG.CMAC, TPM_RC.MODE, "key_handle")
    if mode == TPM_ALG.NULL:
        require(command.mode != TPM_ALG.NULL, TPM_RC.MODE, "mode")
        mode = command.mode
    else:
        require(command.mode in (TPM_ALG.NULL, mode), TPM_RC.MODE, "mode")
    require(len(command.iv_in) == (0 if mode == TPM_ALG.ECB else BLOCK), TPM_RC.SIZE, "iv_in")
    if mode in (TPM_ALG.ECB, TPM_ALG.CBC):
        require(len(command.in_data) % BLOCK == 0, TPM_RC.SIZE, "in_data")
    assert key.sensitive is not None
    return crypt(mode, key.sensitive.sensitive, command.iv_in, command.in_data, not command.decrypt)
