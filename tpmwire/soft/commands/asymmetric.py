"""Part 3, §14: asymmetric primitives."""

from typing import Any

from ...crypto.pure.curves import Curve, Point
from ...spec.commands.asymmetric import ECC_Parameters, ECDH_KeyGen, ECDH_ZGen, RSA_Decrypt, RSA_Encrypt
from ...spec.constants import TPM_ALG, TPM_ECC, TPMA_OBJECT
from ...spec.response_codes import TPM_RC
from ...spec.structures import (
    TPMS_ALGORITHM_DETAIL_ECC,
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_RSA_PARMS,
    TPMS_SCHEME_HASH,
    TPMT_ECC_SCHEME,
    TPMT_KDF_SCHEME,
    TPMT_RSA_DECRYPT,
)
from .. import ecc, rsa
from ..entities import KeyedObject
from ..objects import rsa_key
from ..refusal import Refusal, require
from ..registry import handles
from ..tpm_state import TpmState

HASHES = {32: TPM_ALG.SHA256, 48: TPM_ALG.SHA384, 66: TPM_ALG.SHA512}
"""{size of a coordinate in bytes: hash algorithm of the key derivation}."""


def _rsa(tpm: TpmState, handle: int) -> tuple[KeyedObject, TPMS_RSA_PARMS]:
    """Returns (key, its RSA parameters). Raises Refusal for any object but an unrestricted RSA decryption key."""
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
        TPM_RC.VALUE,
        "in_scheme",
    )
    return own.scheme, int(getattr(own.details, "hash_alg", TPM_ALG.NULL))


def _check_label(label: bytes, scheme: int) -> None:
    """Raises Refusal unless a nonempty label ends with a zero byte and the padding scheme is OAEP."""
    if label and scheme == TPM_ALG.OAEP:
        require(label[-1] == 0, TPM_RC.VALUE, "label")


@handles(RSA_Encrypt)
def rsa_encrypt(tpm: TpmState, command: RSA_Encrypt) -> RSA_Encrypt.Response:
    """Encrypts a message with a public RSA key (TPM2_RSA_Encrypt)."""
    key, parameters = _rsa(tpm, command.key_handle)
    scheme, alg = _scheme(parameters, command.in_scheme)
    _check_label(command.label, scheme)
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
    scheme, alg = _scheme(parameters, command.in_scheme)
    _check_label(command.label, scheme)
    numbers = rsa_key(key)
    require(len(command.cipher_text) == numbers.size, TPM_RC.SIZE, "cipher_text")
    require(int.from_bytes(command.cipher_text, "big") < numbers.modulus, TPM_RC.SIZE, "cipher_text")
    try:
        return RSA_Decrypt.Response(rsa.decrypt(numbers, scheme, alg, command.cipher_text, command.label))
    except ValueError:
        raise Refusal(TPM_RC.VALUE, "cipher_text") from None


def _ecc(tpm: TpmState, handle: int) -> tuple[KeyedObject, Curve, Point]:
    """Returns (key, curve, public point) of an ECC key. Raises Refusal for a handle of another type of object."""
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
    """Returns the parameters of a curve."""
    curve = ecc.CURVES.get(command.curve_id)
    if curve is None:
        raise Refusal(TPM_RC.CURVE, "curve_id")

    def number(value: int) -> bytes:
        return value.to_bytes(curve.size, "big")

    return ECC_Parameters.Response(
        TPMS_ALGORITHM_DETAIL_ECC(
            TPM_ECC(command.curve_id),
            curve.p.bit_length(),
            TPMT_KDF_SCHEME(TPM_ALG.KDF1_SP800_56A, TPMS_SCHEME_HASH(HASHES[curve.size])),
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
