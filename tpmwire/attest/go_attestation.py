"""JSON of go-attestation: keys, with attestations that a TPM created them or has them loaded."""

import base64
import binascii
import json
from typing import NamedTuple

from ..errors import AttestationError, DecodeError
from ..policy import strict_json
from ..spec.constants import TPM_ALG
from ..spec.structures import TPMS_CREATION_DATA, TPMT_PUBLIC, TPMT_SIGNATURE
from .attestation_key import AttestationKey
from .certifications import verify_creation

__all__ = ["AttestationParameters", "CertificationParameters", "require_go_scheme"]

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
        """Returns the JSON that go-attestation's attest.AttestationParameters reads.

        Raises AttestationError for a signature scheme that go-attestation does not support.
        """
        require_go_scheme(self.signature.sig_alg)
        parts = (self.public.build(), self.creation.build(), self.message, self.signature.build())
        encoded = (base64.b64encode(part).decode() for part in parts)
        return json.dumps({**dict(zip(_FIELDS, encoded, strict=True)), "UseTCSDActivationFormat": False}, indent=2)

    @classmethod
    def from_json(cls, data: bytes) -> "AttestationParameters":
        """Parses the JSON of `to_json`. Raises AttestationError if the JSON is not valid."""
        parts = _parse_fields(data, "AttestationParameters", _FIELDS)
        try:
            return cls(
                TPMT_PUBLIC.parse(parts[0]),
                TPMS_CREATION_DATA.parse(parts[1]),
                parts[2],
                TPMT_SIGNATURE.parse(parts[3]),
            )
        except DecodeError as error:
            raise _format_error("AttestationParameters", error) from error


class CertificationParameters(NamedTuple):
    """An application key, and an attestation of TPM2_Certify, which `verify_certified` verifies."""

    public: TPMT_PUBLIC
    message: bytes
    signature: TPMT_SIGNATURE

    def to_json(self) -> str:
        """Returns the JSON that go-attestation's attest.CertificationParameters reads.

        Raises AttestationError for a signature scheme that go-attestation does not support.
        """
        require_go_scheme(self.signature.sig_alg)
        parts = (self.public.build(), b"", self.message, self.signature.build())
        encoded = (base64.b64encode(part).decode() or None for part in parts)
        return json.dumps(dict(zip(_FIELDS, encoded, strict=True)), indent=2)

    @classmethod
    def from_json(cls, data: bytes) -> "CertificationParameters":
        """Parses the JSON of `to_json`. Raises AttestationError if the JSON is not valid."""
        public, message, signature = _parse_fields(data, "CertificationParameters", (_FIELDS[0], *_FIELDS[2:]))
        try:
            return cls(TPMT_PUBLIC.parse(public), message, TPMT_SIGNATURE.parse(signature))
        except DecodeError as error:
            raise _format_error("CertificationParameters", error) from error


def require_go_scheme(scheme: TPM_ALG) -> None:
    """Raises AttestationError unless go-attestation verifies signatures of this scheme: RSASSA or ECDSA."""
    if scheme not in (TPM_ALG.RSASSA, TPM_ALG.ECDSA):
        raise AttestationError(
            "format", f"go-attestation does not verify {scheme.name}; use a key with RSASSA or ECDSA"
        )


def _parse_fields(data: bytes, kind: str, fields: tuple[str, ...]) -> list[bytes]:
    """Returns the decoded fields of a JSON object. Raises AttestationError if the JSON is not valid."""
    try:
        document = strict_json.loads(data)
        return [binascii.a2b_base64(document[name], strict_mode=True) for name in fields]
    except (ValueError, KeyError, TypeError) as error:
        raise _format_error(kind, error) from error


def _format_error(kind: str, error: Exception) -> AttestationError:
    reason = strict_json.describe_error(error)
    return AttestationError("format", f"not valid {kind} JSON of go-attestation: {reason}")
