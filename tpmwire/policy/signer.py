"""Signers of policies: their keys, and the public areas by which a TPM identifies them.

A policy identifies its signer by the Name of a public area, which depends on attributes and nameAlg. Programs
choose attributes and nameAlg differently (`public_areas`), so `is_same_key` compares the public keys themselves.
"""

from collections.abc import Iterator
from typing import Any

from ..crypto.ml_keys import MlKey
from ..crypto.spki import PublicKey, parse_public_key_der
from ..errors import DecodeError, KeyFileError, PolicyError
from ..spec.constants import TPM_ALG, TPMA_OBJECT
from ..spec.structures import (
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_RSA_PARMS,
    TPMT_PUBLIC,
)

__all__ = ["is_same_key", "load_signing_key", "public_area", "public_areas", "signer_area"]

_ATTRIBUTES = TPMA_OBJECT.USER_WITH_AUTH | TPMA_OBJECT.SIGN_ENCRYPT


def load_signing_key(pem: bytes, password: bytes | None = None) -> Any:
    """Loads a private key in PEM, or a public key if the text has no private key.

    Raises PolicyError if the text has neither key, or for a wrong password.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        if b"PUBLIC KEY-----" in pem and b"PRIVATE KEY-----" not in pem:
            return serialization.load_pem_public_key(pem)
        return serialization.load_pem_private_key(pem, password)
    except TypeError as error:
        raise PolicyError("missing or unexpected password for the signing key") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PolicyError("not a signing key; expected an RSA or NIST-curve key in PEM") from error


def public_area(key: Any) -> TPMT_PUBLIC:
    """Returns the public area of a key that `load_signing_key` has loaded.

    The nameAlg is SHA-256. Raises PolicyError for an unsupported key.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = key.public_key() if hasattr(key, "public_key") else key
    try:
        return _area(parse_public_key_der(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)))
    except DecodeError as error:
        raise PolicyError("unsupported signing key; expected RSA, or ECC on P-256, P-384 or P-521") from error


def _area(key: PublicKey) -> TPMT_PUBLIC:
    if isinstance(key, MlKey):
        raise PolicyError(f"unsupported {key.kind.name} key; expected RSA, or ECC on P-256, P-384 or P-521")
    kind, value = key
    if not isinstance(value, TPMS_ECC_POINT) and isinstance(kind, bytes) and len(kind) not in (256, 384, 512):
        raise PolicyError(f"unsupported RSA key of {8 * len(kind)} bits; expected 2048, 3072 or 4096")
    from ..crypto.public_key_formats import area_of  # late: a credential run must not load it

    return area_of(key, attributes=_ATTRIBUTES)


def signer_area(data: bytes) -> TPMT_PUBLIC:
    """Returns the public area of a policy signer: a private key in PEM, or a public key in any supported format.

    A public area is returned unchanged. A key without attributes gets the attributes of `public_area`. Raises
    PolicyError if the key cannot be read.
    """
    from ..crypto.public_keys import read_public_key  # late: a credential run must not load it

    if b"PRIVATE KEY-----" in data:
        return public_area(load_signing_key(data))
    try:
        found = read_public_key(data)
    except KeyFileError as error:
        raise PolicyError(f"not a signing key: {error}") from error
    if found.public is not None:
        return found.public
    assert found.key is not None  # one of the two is always set
    return _area(found.key)


def is_same_key(public: TPMT_PUBLIC, key: Any) -> bool:
    """Returns whether a public area contains the public key of `key`. Attributes, hash and scheme are ignored."""
    return _numbers(public) == _numbers(public_area(key)) != ()


def _numbers(public: TPMT_PUBLIC) -> tuple[int, ...]:
    """Returns a public key as numbers: RSA modulus and exponent, or curve and point; () for other keys."""
    unique, parameters = public.unique, public.parameters
    if isinstance(unique, TPMS_ECC_POINT) and isinstance(parameters, TPMS_ECC_PARMS):
        return parameters.curve_id, int.from_bytes(unique.x, "big"), int.from_bytes(unique.y, "big")
    if isinstance(unique, bytes) and isinstance(parameters, TPMS_RSA_PARMS):
        return parameters.exponent or 65537, int.from_bytes(unique, "big")
    return ()


def public_areas(key: Any) -> Iterator[TPMT_PUBLIC]:
    """Yields the public areas that programs use for a key, `public_area` first.

    Raises PolicyError for an unsupported key.
    """
    ours = public_area(key)
    for name_alg in (TPM_ALG.SHA256, TPM_ALG.SHA384, TPM_ALG.SHA512, TPM_ALG.SHA1):
        for user in (TPMA_OBJECT.USER_WITH_AUTH, TPMA_OBJECT(0)):
            for decrypt in (TPMA_OBJECT(0), TPMA_OBJECT.DECRYPT):
                for no_da in (TPMA_OBJECT(0), TPMA_OBJECT.NO_DA):
                    attributes = TPMA_OBJECT.SIGN_ENCRYPT | user | decrypt | no_da
                    yield ours.replace(name_alg=name_alg, object_attributes=attributes)
