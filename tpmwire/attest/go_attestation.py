"""AttestationParameters of go-attestation: an attestation key that certifies its own creation."""

import base64
import binascii
import json
from typing import NamedTuple

from ..errors import AttestationError, DecodeError
from ..policy import strict_json
from ..spec.structures import TPMS_CREATION_DATA, TPMT_PUBLIC, TPMT_SIGNATURE
from .attestation_key import AttestationKey
from .certifications import verify_creation

__all__ = ["AttestationParameters"]

_FIELDS = ("Public", "CreateData", "CreateAttestation", "CreateSignature")


class AttestationParameters(NamedTuple):
    """An attestation key, its creation data, and the key's attestation of its own creation."""

    public: TPMT_PUBLIC
    creation: TPMS_CREATION_DATA
    message: bytes
    signature: TPMT_SIGNATURE

    def verify(self, *, accept_sha1: bool = False) -> None:
        """Raises AttestationError unless the key is an attestation key that has certified its own creation.

        The attestation proves that the TPM with this key created it, but not which TPM this is. `accept_sha1`
        allows a signature over a SHA-1 digest.
        """
        key = AttestationKey(self.public, True, accept_sha1)
        verify_creation(self.message, self.signature, key, nonce=b"", item=self.public, creation=self.creation)

    def to_json(self) -> str:
        """Returns the JSON that go-attestation's attest.AttestationParameters reads."""
        parts = (self.public.build(), self.creation.build(), self.message, self.signature.build())
        encoded = (base64.b64encode(part).decode() for part in parts)
        return json.dumps({**dict(zip(_FIELDS, encoded, strict=True)), "UseTCSDActivationFormat": False}, indent=2)

    @classmethod
    def from_json(cls, data: bytes) -> "AttestationParameters":
        """Parses the JSON of `to_json`. Raises AttestationError if the JSON is not valid."""
        try:
            document = strict_json.loads(data)
            parts = [binascii.a2b_base64(document[name], strict_mode=True) for name in _FIELDS]
            return cls(
                TPMT_PUBLIC.parse(parts[0]),
                TPMS_CREATION_DATA.parse(parts[1]),
                parts[2],
                TPMT_SIGNATURE.parse(parts[3]),
            )
        except (ValueError, KeyError, TypeError, DecodeError) as error:
            raise AttestationError("format", f"not AttestationParameters of go-attestation ({error})") from error
