"""Private keys of the package `cryptography` as TPM objects, for TPM2_Import and TPM2_LoadExternal."""

from typing import Any

from ..crypto.public_key_formats import from_cryptography
from ..errors import EncodeError
from ..secret import EMPTY_AUTH, Secret
from ..spec.constants import TPM_ALG, TPMA_OBJECT
from ..spec.structures import TPMS_ECC_POINT, TPMT_PUBLIC, TPMT_SENSITIVE

__all__ = ["private_areas"]

_CREATED = TPMA_OBJECT.FIXED_TPM | TPMA_OBJECT.FIXED_PARENT | TPMA_OBJECT.SENSITIVE_DATA_ORIGIN


def private_areas(
    key: Any, template: TPMT_PUBLIC | None = None, *, auth: Secret = EMPTY_AUTH
) -> tuple[TPMT_PUBLIC, TPMT_SENSITIVE]:
    """Returns (public area, sensitive area) of an RSA or ECC private key of the package `cryptography`.

    The public area has the attributes of `template` except fixedTPM, fixedParent and sensitiveDataOrigin, because
    the TPM did not create the key. `auth` is the object's authValue. Raises EncodeError for another type of key,
    for a key that is itself in a TPM, and for a key that does not match the template.
    """
    public = from_cryptography(key, template)
    public = public.replace(object_attributes=TPMA_OBJECT(public.object_attributes & ~_CREATED))
    numbers = _read_numbers(key)
    if isinstance(public.unique, TPMS_ECC_POINT):
        value = numbers.private_value.to_bytes(len(public.unique.x), "big")
        return public, TPMT_SENSITIVE(TPM_ALG.ECC, auth.reveal(), b"", value)
    prime = numbers.p.to_bytes((numbers.p.bit_length() + 7) // 8, "big")
    return public, TPMT_SENSITIVE(TPM_ALG.RSA, auth.reveal(), b"", prime)


def _read_numbers(key: Any) -> Any:
    if not hasattr(key, "private_numbers"):
        raise EncodeError(f"{type(key).__name__} is not a private key; load one with load_pem_private_key")
    return key.private_numbers()
