"""Credentials for TPM2_ActivateCredential, created without a TPM (TPM2_MakeCredential; Part 1, §24).

A credential is a secret that only one TPM can decrypt, and only while an object with the given Name is loaded. A
CA uses it to prove that an attestation key is in the TPM with a known endorsement key.
"""

import base64
import binascii
import json
from typing import NamedTuple

from ..crypto.aes import cfb
from ..crypto.formulas import digest_size, hmac_digest, kdfa
from ..crypto.salt import seal_secret
from ..errors import EncodeError, KeyFileError
from ..keys.tools_files import MAGIC
from ..policy import strict_json
from ..secret import Secret
from ..spec.constants import TPM_ALG, TPMA_OBJECT
from ..spec.structures import TPMT_PUBLIC, TPMT_SYM_DEF_OBJECT

__all__ = ["Credential", "make_credential"]

_HEADER = MAGIC + b"\0\0\0\1"


class Credential(NamedTuple):
    """A credential: the parameters of TPM2_ActivateCredential, without their size fields.

    `blob` is the encrypted secret (TPMS_ID_OBJECT). `seed` is its seed, encrypted to the endorsement key.
    """

    blob: bytes
    seed: bytes

    def to_tss(self) -> bytes:
        """Returns TPM2B_ID_OBJECT followed by TPM2B_ENCRYPTED_SECRET."""
        return b"".join(len(part).to_bytes(2, "big") + part for part in self)

    def to_tools(self) -> bytes:
        """Returns the credential in the format of tpm2_makecredential."""
        return _HEADER + self.to_tss()

    def to_go(self) -> str:
        """Returns the credential as JSON of go-attestation's EncryptedCredential."""
        blob, seed = (base64.b64encode(len(part).to_bytes(2, "big") + part).decode() for part in self)
        return json.dumps({"Credential": blob, "Secret": seed}, indent=2)

    @classmethod
    def parse(cls, data: bytes) -> "Credential":
        """Parses a credential in the format of `to_tss`, `to_tools` or `to_go`.

        Raises KeyFileError if the data is not a credential.
        """
        if data.lstrip().startswith(b"{"):
            try:
                document = strict_json.loads(data)
                parts = [
                    binascii.a2b_base64(document[name], strict_mode=True) for name in ("Credential", "Secret")
                ]
            except (ValueError, KeyError, TypeError) as error:
                reason = strict_json.describe_error(error)
                raise KeyFileError(f"not a valid EncryptedCredential of go-attestation: {reason}") from error
            data = b"".join(parts)
        data = data.removeprefix(_HEADER)
        middle = 2 + int.from_bytes(data[:2], "big")
        seed = data[middle + 2 :]
        if len(data) < middle + 2 or int.from_bytes(data[middle : middle + 2], "big") != len(seed) or not seed:
            raise KeyFileError(
                "not a valid credential; expected a file of tpm2_makecredential, JSON of go-attestation, or "
                "TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET"
            )
        return cls(data[2:middle], seed)


def make_credential(ek: TPMT_PUBLIC, name: bytes, secret: Secret | bytes) -> Credential:
    """Returns a credential for the TPM with the endorsement key `ek` and the object with the Name `name`.

    `secret` is at most as long as a digest of the endorsement key's nameAlg. Raises EncodeError for a longer
    secret, and for a key that is not a restricted decryption key with AES-CFB; SessionError for a weak key.
    """
    value = secret.reveal() if isinstance(secret, Secret) else secret
    needed = TPMA_OBJECT.RESTRICTED | TPMA_OBJECT.DECRYPT
    symmetric = getattr(ek.parameters, "symmetric", None)
    if ek.object_attributes & needed != needed or not isinstance(symmetric, TPMT_SYM_DEF_OBJECT):
        raise EncodeError("not an endorsement key: expected a restricted decryption key")
    if symmetric.algorithm != TPM_ALG.AES or symmetric.mode != TPM_ALG.CFB or not symmetric.key_bits:
        raise EncodeError(f"unsupported endorsement key with {symmetric!r}; expected AES in CFB mode")
    size = digest_size(ek.name_alg)
    if len(value) > size:
        raise EncodeError(f"the secret is {len(value)} bytes long; a credential for this key holds at most {size}")
    seed, sealed = seal_secret(ek, b"IDENTITY")
    key = kdfa(ek.name_alg, seed.reveal(), b"STORAGE", name, b"", symmetric.key_bits)
    encrypted = cfb(key, bytes(16), len(value).to_bytes(2, "big") + value, True)
    integrity_key = kdfa(ek.name_alg, seed.reveal(), b"INTEGRITY", b"", b"", 8 * size)
    integrity = hmac_digest(ek.name_alg, integrity_key, encrypted, name)
    return Credential(size.to_bytes(2, "big") + integrity + encrypted, sealed)
