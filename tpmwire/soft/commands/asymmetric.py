"""Soft TPM: asymmetric commands (Part 3, §14)."""

from typing import Any

from ...crypto.formulas import digest, digest_size, equal
from ...crypto.pure.curves import Curve, Point
from ...spec.commands.asymmetric import (
    Decapsulate,
    ECC_Decrypt,
    ECC_Encrypt,
    ECC_Parameters,
    ECDH_KeyGen,
    ECDH_ZGen,
    Encapsulate,
    RSA_Decrypt,
    RSA_Encrypt,
)
from ...spec.constants import TPM_ALG, TPM_ECC, TPMA_OBJECT
from ...spec.response_codes import TPM_RC
from ...spec.structures import (
    TPMS_ALGORITHM_DETAIL_ECC,
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_MLKEM_PARMS,
    TPMS_RSA_PARMS,
    TPMS_SCHEME_HASH,
    TPMT_ECC_SCHEME,
    TPMT_KDF_SCHEME,
    TPMT_RSA_DECRYPT,
)
from .. import dhkem, ecc, postquantum, rsa
from ..entities import KeyedObject
from ..interfaces import LIMITS
from ..objects import rsa_key
from ..refusal import Refusal, require
from ..registry import handles
from ..secrets import encapsulate
from ..tpm_state import TpmState

HASHES = {
    TPM_ECC.NIST_P384: TPM_ALG.SHA384,
    TPM_ECC.NIST_P521: TPM_ALG.SHA512,
    TPM_ECC.SM2_P256: TPM_ALG.SM3_256,
}
"""Hash algorithm of the key derivation of a curve; SHA-256 for the others."""


def _rsa(tpm: TpmState, handle: int) -> tuple[KeyedObject, TPMS_RSA_PARMS]:
    """Returns (key, its RSA parameters). Raises Refusal unless the object is an RSA decryption key."""
    key = tpm.key(handle)
    parameters = key.public.parameters
    if not isinstance(parameters, TPMS_RSA_PARMS):
        raise Refusal(TPM_RC.KEY, "key_handle")
    require(key.has(TPMA_OBJECT.DECRYPT), TPM_RC.ATTRIBUTES, "key_handle")
    return key, parameters


def _scheme(parameters: TPMS_RSA_PARMS, given: TPMT_RSA_DECRYPT) -> tuple[int, int]:
    """Returns (padding scheme, hash algorithm): those of the key, or those of the command if the key has none."""
    own: Any = parameters.scheme
    if own.scheme == TPM_ALG.NULL:
        return given.scheme, int(getattr(given.details, "hash_alg", TPM_ALG.NULL))
    require(
        given.scheme == TPM_ALG.NULL or given == TPMT_RSA_DECRYPT(own.scheme, own.details),
        TPM_RC.SCHEME,
        "in_scheme",
    )
    return own.scheme, int(getattr(own.details, "hash_alg", TPM_ALG.NULL))


def _check_label(label: bytes) -> None:
    """Raises Refusal unless a nonempty label ends with a zero byte."""
    require(not label or label[-1] == 0, TPM_RC.VALUE, "label")


@handles(RSA_Encrypt)
def rsa_encrypt(tpm: TpmState, command: RSA_Encrypt) -> RSA_Encrypt.Response:
    """Encrypts a message with a public RSA key (TPM2_RSA_Encrypt)."""
    key, parameters = _rsa(tpm, command.key_handle)
    _check_label(command.label)
    scheme, alg = _scheme(parameters, command.in_scheme)
    try:
        made = rsa.encrypt(rsa_key(key), scheme, alg, command.message, command.label, tpm.generator.bytes)
    except ValueError:
        raise Refusal(TPM_RC.VALUE, "message") from None
    return RSA_Encrypt.Response(made)


@handles(RSA_Decrypt)
def rsa_decrypt(tpm: TpmState, command: RSA_Decrypt) -> RSA_Decrypt.Response:
    """Decrypts a ciphertext with a private RSA key (TPM2_RSA_Decrypt)."""
    key, parameters = _rsa(tpm, command.key_handle)
    require(not key.has(TPMA_OBJECT.RESTRICTED), TPM_RC.ATTRIBUTES, "key_handle")
    _check_label(command.label)
    scheme, alg = _scheme(parameters, command.in_scheme)
    numbers = rsa_key(key)
    require(len(command.cipher_text) == numbers.size, TPM_RC.SIZE)
    require(int.from_bytes(command.cipher_text, "big") < numbers.modulus, TPM_RC.SIZE, "cipher_text")
    try:
        return RSA_Decrypt.Response(rsa.decrypt(numbers, scheme, alg, command.cipher_text, command.label))
    except ValueError:
        raise Refusal(TPM_RC.VALUE, "cipher_text") from None


def _ecc(tpm: TpmState, handle: int) -> tuple[KeyedObject, Curve, Point]:
    """Returns (key, curve, public point) of an ECC key. Raises Refusal for another object or an invalid point."""
    key = tpm.key(handle)
    parameters, unique = key.public.parameters, key.public.unique
    if not isinstance(parameters, TPMS_ECC_PARMS) or not isinstance(unique, TPMS_ECC_POINT):
        raise Refusal(TPM_RC.KEY, "key_handle")
    curve = ecc.CURVES[parameters.curve_id]
    point = ecc.to_point(curve, unique)
    if point is None:
        raise Refusal(TPM_RC.KEY, "key_handle")
    return key, curve, point


@handles(ECDH_KeyGen)
def ecdh_key_gen(tpm: TpmState, command: ECDH_KeyGen) -> ECDH_KeyGen.Response:
    """Returns an ephemeral public point and the ECDH shared point with the key (TPM2_ECDH_KeyGen)."""
    _, curve, point = _ecc(tpm, command.key_handle)
    scalar = ecc.derive_scalar(curve, tpm.generator.bytes)
    own, shared = curve.multiply(scalar, curve.g), curve.multiply(scalar, point)
    return ECDH_KeyGen.Response(ecc.point_of(curve, shared), ecc.point_of(curve, own))


@handles(ECDH_ZGen)
def ecdh_z_gen(tpm: TpmState, command: ECDH_ZGen) -> ECDH_ZGen.Response:
    """Returns the ECDH shared point of the private key and the command's public point (TPM2_ECDH_ZGen)."""
    key, curve, _ = _ecc(tpm, command.key_handle)
    usable = key.has(TPMA_OBJECT.DECRYPT) and not key.has(TPMA_OBJECT.RESTRICTED)
    require(usable, TPM_RC.ATTRIBUTES, "key_handle")
    scheme: Any = getattr(key.public.parameters, "scheme", None)
    require(scheme.scheme in (TPM_ALG.NULL, TPM_ALG.ECDH), TPM_RC.SCHEME, "key_handle")
    point = ecc.to_point(curve, command.in_point) if command.in_point is not None else None
    if point is None:
        raise Refusal(TPM_RC.ECC_POINT, "in_point")
    assert key.sensitive is not None
    shared = curve.multiply(int.from_bytes(key.sensitive.sensitive, "big"), point)
    return ECDH_ZGen.Response(ecc.point_of(curve, shared))


@handles(ECC_Parameters)
def ecc_parameters(tpm: TpmState, command: ECC_Parameters) -> ECC_Parameters.Response:
    """Returns the parameters of a curve (TPM2_ECC_Parameters)."""
    curve = ecc.CURVES.get(command.curve_id)
    if curve is None:
        raise Refusal(TPM_RC.CURVE, "curve_id")

    def number(value: int) -> bytes:
        return value.to_bytes(curve.size, "big")

    return ECC_Parameters.Response(
        TPMS_ALGORITHM_DETAIL_ECC(
            TPM_ECC(command.curve_id),
            curve.p.bit_length(),
            TPMT_KDF_SCHEME(
                TPM_ALG.KDF1_SP800_56A, TPMS_SCHEME_HASH(HASHES.get(command.curve_id, TPM_ALG.SHA256))
            ),
            TPMT_ECC_SCHEME(TPM_ALG.NULL),
            number(curve.p),
            number(curve.p - 3),
            number(curve.b),
            number(curve.g[0]),
            number(curve.g[1]),
            number(curve.n),
            b"\x01",
        )
    )


def _obfuscating_hash(key: KeyedObject, given: TPMT_KDF_SCHEME) -> int:
    """Returns the hash algorithm for TPM2_ECC_Encrypt and TPM2_ECC_Decrypt.

    The scheme is that of the key, or `given` if the key has none. Raises Refusal if both have a scheme and differ,
    for another scheme than KDF2, and for a key that is restricted or not an ECC key.
    """
    parameters = key.public.parameters
    if not isinstance(parameters, TPMS_ECC_PARMS):
        raise Refusal(TPM_RC.KEY, "key_handle")
    require(not key.has(TPMA_OBJECT.RESTRICTED), TPM_RC.ATTRIBUTES, "key_handle")
    scheme = given if parameters.kdf.scheme == TPM_ALG.NULL else parameters.kdf
    conflicts = given.scheme != TPM_ALG.NULL and given != scheme
    if conflicts or scheme.scheme != TPM_ALG.KDF2 or scheme.details is None:
        raise Refusal(TPM_RC.SCHEME, "in_scheme")
    return int(scheme.details.hash_alg)


def _obfuscate(curve: Curve, alg: int, shared: Point, data: bytes) -> bytes:
    """Returns the data XOR a mask, which KDF2 derives from the shared point (Part 1, Annex C.8)."""
    z = b"".join(part.to_bytes(curve.size, "big") for part in shared)
    count = -(-len(data) // digest_size(alg))
    mask = b"".join(digest(alg, z, number.to_bytes(4, "big")) for number in range(1, count + 1))
    return bytes(a ^ b for a, b in zip(data, mask, strict=False))


def _check_value(curve: Curve, alg: int, shared: Point, plain: bytes) -> bytes:
    x, y = (part.to_bytes(curve.size, "big") for part in shared)
    return digest(alg, x, plain, y)


@handles(ECC_Encrypt)
def ecc_encrypt(tpm: TpmState, command: ECC_Encrypt) -> ECC_Encrypt.Response:
    """Returns an ephemeral point C1, the encrypted data C2 and their check value C3 (TPM2_ECC_Encrypt)."""
    alg = _obfuscating_hash(tpm.key(command.key_handle), command.in_scheme)
    require(len(command.plain_text) <= LIMITS["TPM2B_MAX_BUFFER"], TPM_RC.SIZE, "plain_text")
    _, curve, point = _ecc(tpm, command.key_handle)
    scalar = ecc.derive_scalar(curve, tpm.generator.bytes)
    shared = curve.multiply(scalar, point)
    return ECC_Encrypt.Response(
        ecc.point_of(curve, curve.multiply(scalar, curve.g)),
        _obfuscate(curve, alg, shared, command.plain_text),
        _check_value(curve, alg, shared, command.plain_text),
    )


@handles(ECC_Decrypt)
def ecc_decrypt(tpm: TpmState, command: ECC_Decrypt) -> ECC_Decrypt.Response:
    """Returns the data that TPM2_ECC_Encrypt encrypted to the key (TPM2_ECC_Decrypt)."""
    alg = _obfuscating_hash(tpm.key(command.key_handle), command.in_scheme)
    key, curve, _ = _ecc(tpm, command.key_handle)
    require(key.has(TPMA_OBJECT.DECRYPT), TPM_RC.ATTRIBUTES, "key_handle")
    assert key.sensitive is not None
    point = ecc.to_point(curve, command.c1) if isinstance(command.c1, TPMS_ECC_POINT) else None
    if point is None:
        raise Refusal(TPM_RC.ECC_POINT, "c1")
    shared = curve.multiply(int.from_bytes(key.sensitive.sensitive, "big"), point)
    plain = _obfuscate(curve, alg, shared, command.c2)
    if not equal(_check_value(curve, alg, shared, plain), command.c3):
        raise Refusal(TPM_RC.VALUE)
    return ECC_Decrypt.Response(plain)


def _find_kem(key: KeyedObject) -> tuple[int, int]:
    """Returns (hash algorithm, KEM identifier) of an ECC key. Raises Refusal unless its KDF is HKDF."""
    parameters = key.public.parameters
    if isinstance(parameters, TPMS_ECC_PARMS) and parameters.kdf.scheme == TPM_ALG.HKDF:
        details = parameters.kdf.details
        assert details is not None
        if kem := dhkem.KEMS.get((parameters.curve_id, details.hash_alg)):
            return details.hash_alg, kem
    raise Refusal(TPM_RC.KEY, "key_handle")


@handles(Encapsulate)
def encapsulate_key(tpm: TpmState, command: Encapsulate) -> Encapsulate.Response:
    """Returns a new shared secret and its ciphertext for an ML-KEM or ECC key (TPM2_Encapsulate)."""
    key = tpm.key(command.key_handle)
    if isinstance(key.public.parameters, TPMS_MLKEM_PARMS):
        return Encapsulate.Response(*encapsulate(key, tpm.generator.bytes))
    alg, kem = _find_kem(key)
    _, curve, point = _ecc(tpm, command.key_handle)
    scalar = ecc.derive_scalar(curve, tpm.generator.bytes)
    sent = dhkem.to_octets(curve, curve.multiply(scalar, curve.g))
    shared = curve.multiply(scalar, point)[0].to_bytes(curve.size, "big")
    secret = dhkem.derive_shared_secret(alg, kem, shared, sent + dhkem.to_octets(curve, point))
    return Encapsulate.Response(secret, sent)


@handles(Decapsulate)
def decapsulate_key(tpm: TpmState, command: Decapsulate) -> Decapsulate.Response:
    """Returns the shared secret in a ciphertext for an ML-KEM or ECC key (TPM2_Decapsulate)."""
    key, ciphertext = tpm.key(command.key_handle), command.ciphertext
    parameters = key.public.parameters
    alg, kem = (0, 0) if isinstance(parameters, TPMS_MLKEM_PARMS) else _find_kem(key)
    usable = key.has(TPMA_OBJECT.DECRYPT) and not key.has(TPMA_OBJECT.RESTRICTED)
    require(usable, TPM_RC.ATTRIBUTES, "key_handle")
    assert key.sensitive is not None
    if isinstance(parameters, TPMS_MLKEM_PARMS):
        require(len(ciphertext) == postquantum.ciphertext_size(parameters), TPM_RC.SIZE, "ciphertext")
        return Decapsulate.Response(postquantum.decapsulate(parameters, key.sensitive.sensitive, ciphertext))
    _, curve, own = _ecc(tpm, command.key_handle)
    require(len(ciphertext) == 1 + 2 * curve.size, TPM_RC.SIZE, "ciphertext")
    point = dhkem.from_octets(curve, ciphertext)
    if point is None:
        raise Refusal(TPM_RC.ECC_POINT, "ciphertext")
    scalar = int.from_bytes(key.sensitive.sensitive, "big")
    shared = curve.multiply(scalar, point)[0].to_bytes(curve.size, "big")
    context = ciphertext + dhkem.to_octets(curve, own)
    return Decapsulate.Response(dhkem.derive_shared_secret(alg, kem, shared, context))
