"""Enrolment: a CA proves that a signing key is in a TPM, before it issues a certificate for the key.

A host sends its endorsement key (EK), the public area of its signing key, and a certificate request (CSR). The CA
encrypts a fresh secret for the EK and the key's Name. Only a TPM that has both keys can decrypt the secret
(TPM 2.0 Part 1, §24). A key that this TPM created with fixedTPM and fixedParent exists nowhere else.

No TPM is needed in this module. Certificates of EKs are verified by `tpmwire.keys.certificates`.
"""

import binascii
import hashlib
import hmac
import json
import re
from base64 import b64encode
from collections.abc import Mapping
from secrets import token_bytes, token_hex
from typing import Any, NamedTuple

from ..crypto.formulas import digest_size, name_of
from ..crypto.spki import PublicKey, build_public_key_der, parse_public_key_der, public_key_of
from ..errors import AttestationError, DecodeError, EncodeError
from ..policy import strict_json
from ..spec.constants import TPM_ALG, TPMA_OBJECT
from ..spec.structures import TPMT_PUBLIC
from .credentials import Credential, make_credential

__all__ = [
    "Challenge",
    "ChallengeResponse",
    "EnrolmentRequest",
    "PendingEnrolment",
    "check_requested_key",
    "check_signing_key",
    "make_challenge",
]

_SECRET_SIZE = 32
_HASHES = (TPM_ALG.SHA256, TPM_ALG.SHA384, TPM_ALG.SHA512, TPM_ALG.SHA3_256, TPM_ALG.SHA3_384, TPM_ALG.SHA3_512)
_ORIGIN = {
    "fixedTPM": TPMA_OBJECT.FIXED_TPM,
    "fixedParent": TPMA_OBJECT.FIXED_PARENT,
    "sensitiveDataOrigin": TPMA_OBJECT.SENSITIVE_DATA_ORIGIN,
}
_ENDORSEMENT = {
    "fixedTPM": TPMA_OBJECT.FIXED_TPM,
    "fixedParent": TPMA_OBJECT.FIXED_PARENT,
    "restricted": TPMA_OBJECT.RESTRICTED,
    "decrypt": TPMA_OBJECT.DECRYPT,
}
_ID = re.compile("[0-9a-f]{32}")


class EnrolmentRequest(NamedTuple):
    """A host's request to the CA: the EK's public area and certificates, the key's public area, and the CSR.

    `ek_certificates` are in DER; the EK's certificate is the first, and intermediates may follow. `csr` is in DER.
    """

    ek: TPMT_PUBLIC
    ek_certificates: tuple[bytes, ...]
    key: TPMT_PUBLIC
    csr: bytes

    def to_json(self) -> str:
        """Returns the request as one line of JSON."""
        return _build_line(
            "request",
            {
                "name": name_of(self.key).hex(),
                "ek": _to_base64(self.ek.build()),
                "ek_certificates": [_to_base64(each) for each in self.ek_certificates],
                "key": _to_base64(self.key.build()),
                "csr": _to_base64(self.csr),
            },
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> "EnrolmentRequest":
        """Parses the JSON of `to_json`. Raises AttestationError if the JSON is not valid."""
        document = _parse_line(text, "request")
        try:
            certificates = document["ek_certificates"]
            if not isinstance(certificates, list):
                raise ValueError("ek_certificates is not a list")
            return cls(
                TPMT_PUBLIC.parse(_from_base64(document["ek"])),
                tuple(map(_from_base64, certificates)),
                TPMT_PUBLIC.parse(_from_base64(document["key"])),
                _from_base64(document["csr"]),
            )
        except (ValueError, KeyError, TypeError, DecodeError) as error:
            raise _format_error("request", error) from error

    def check(self) -> str:
        """Verifies the request, except the EK's certificates, and returns the CSR's subject (RFC 4514).

        Raises AttestationError if the EK's attributes are not those of an endorsement key, if the signing key's
        attributes do not prove that a TPM created the key, or if the CSR is not signed by the signing key. Raises
        ModuleNotFoundError if `cryptography` is not installed.
        """
        _check_endorsement_key(self.ek)
        return check_requested_key(self.key, self.csr)

    def check_ek_key(self, certified: PublicKey) -> None:
        """Raises AttestationError unless `certified`, the public key in the EK's certificate, is the EK's."""
        try:
            same = build_public_key_der(certified) == build_public_key_der(public_key_of(self.ek))
        except EncodeError as error:
            raise AttestationError("EK", f"not an endorsement key: {error}") from error
        if not same:
            raise AttestationError("EK", "the EK's certificate has a different public key")


class Challenge(NamedTuple):
    """The CA's challenge to a host: an encrypted secret for the key with the Name `name`."""

    id: str
    name: bytes
    credential: Credential

    def to_json(self) -> str:
        """Returns the challenge as one line of JSON."""
        credential = _to_base64(self.credential.to_tss())
        return _build_line("challenge", {"id": self.id, "name": self.name.hex(), "credential": credential})

    @classmethod
    def from_json(cls, text: str | bytes) -> "Challenge":
        """Parses the JSON of `to_json`. Raises AttestationError or KeyFileError if the JSON is not valid."""
        document = _parse_line(text, "challenge")
        try:
            credential = Credential.parse(_from_base64(document["credential"]))
            return cls(_read_id(document), bytes.fromhex(document["name"]), credential)
        except (ValueError, KeyError, TypeError) as error:
            raise _format_error("challenge", error) from error


class ChallengeResponse(NamedTuple):
    """A host's response to the CA: the decrypted secret of a challenge."""

    id: str
    secret: bytes

    def __repr__(self) -> str:
        return f"<ChallengeResponse {self.id}>"

    def to_json(self) -> str:
        """Returns the response as one line of JSON."""
        return _build_line("response", {"id": self.id, "secret": self.secret.hex()})

    @classmethod
    def from_json(cls, text: str | bytes) -> "ChallengeResponse":
        """Parses the JSON of `to_json`. Raises AttestationError if the JSON is not valid."""
        document = _parse_line(text, "response")
        try:
            return cls(_read_id(document), bytes.fromhex(document["secret"]))
        except (ValueError, KeyError, TypeError):
            # The error of Python could contain the secret.
            raise AttestationError("format", "not a valid enrolment response: invalid id or secret") from None


class PendingEnrolment(NamedTuple):
    """The CA's state of a challenge: the secret's SHA-256 digest, the CSR, and when the challenge expires.

    `expires` is in POSIX seconds. `ek_verified` is whether the EK's certificate from its manufacturer was
    verified.
    """

    id: str
    name: bytes
    ek_name: bytes
    ek_verified: bool
    subject: str
    csr: bytes
    digest: bytes
    expires: int

    def to_json(self) -> str:
        """Returns the state as one line of JSON."""
        encoded = {
            "name": self.name.hex(),
            "ek_name": self.ek_name.hex(),
            "csr": _to_base64(self.csr),
            "digest": self.digest.hex(),
        }
        return _build_line("state", self._asdict() | encoded)

    @classmethod
    def from_json(cls, text: str | bytes) -> "PendingEnrolment":
        """Parses the JSON of `to_json`. Raises AttestationError if the JSON is not valid."""
        document = _parse_line(text, "state")
        try:
            return cls(
                _read_id(document),
                bytes.fromhex(document["name"]),
                bytes.fromhex(document["ek_name"]),
                document["ek_verified"] is True,
                str(document["subject"]),
                _from_base64(document["csr"]),
                bytes.fromhex(document["digest"]),
                int(document["expires"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise _format_error("state", error) from error

    def check(self, response: ChallengeResponse, now: float) -> None:
        """Raises AttestationError if the response does not contain the secret, or if the challenge has expired.

        The caller must remove the state first, so that no response is accepted twice. `now` is in POSIX seconds.
        """
        if now >= self.expires:
            raise AttestationError("expiry", "the challenge has expired; create a new one for the same request")
        digest = hashlib.sha256(response.secret).digest()
        if response.id != self.id or not hmac.compare_digest(digest, self.digest):
            raise AttestationError("secret", "the response does not contain the secret of the challenge")


def check_signing_key(public: TPMT_PUBLIC) -> PublicKey:
    """Returns the public key of a signing key.

    Raises AttestationError if the key may exist outside its TPM, or is not only a signing key.
    """
    if missing := _list_missing(public, _ORIGIN):
        reason = f"the key lacks {missing}, so it may exist outside the TPM; create the key in the TPM"
        raise AttestationError("attributes", reason)
    if not public.object_attributes & TPMA_OBJECT.SIGN_ENCRYPT or public.object_attributes & TPMA_OBJECT.DECRYPT:
        raise AttestationError(
            "attributes", "the key is not a signing key: expected the attribute sign, without decrypt"
        )
    if public.type not in (TPM_ALG.RSA, TPM_ALG.ECC):
        raise AttestationError("key", f"unsupported key of type {public.type.name}; expected RSA or ECC")
    _check_name_alg(public, "key")
    return public_key_of(public)


def check_requested_key(public: TPMT_PUBLIC, csr: bytes) -> str:
    """Returns the subject (RFC 4514) of a CSR in DER for the key with this public area.

    Raises AttestationError if the key's attributes do not prove that a TPM created it, or if the CSR is not signed
    by it. Raises ModuleNotFoundError if `cryptography` is not installed.
    """
    return _check_csr(csr, check_signing_key(public))


def make_challenge(
    request: EnrolmentRequest, subject: str, expires: float, *, ek_verified: bool
) -> tuple[Challenge, PendingEnrolment]:
    """Returns (challenge for the host, state that the CA keeps) for a checked request.

    `subject` is the result of `EnrolmentRequest.check`, `expires` is in POSIX seconds, and `ek_verified` is
    whether the EK's certificate was verified. Raises EncodeError or SessionError for an unsupported EK.
    """
    secret, name, number = token_bytes(_SECRET_SIZE), name_of(request.key), token_hex(16)
    credential = make_credential(request.ek, name, secret)
    digest = hashlib.sha256(secret).digest()
    state = PendingEnrolment(
        number, name, name_of(request.ek), ek_verified, subject, request.csr, digest, int(expires)
    )
    return Challenge(number, name, credential), state


def _check_endorsement_key(public: TPMT_PUBLIC) -> None:
    if missing := _list_missing(public, _ENDORSEMENT):
        raise AttestationError("EK", f"not an endorsement key: it lacks {missing}")
    if public.object_attributes & TPMA_OBJECT.SIGN_ENCRYPT:
        raise AttestationError("EK", "not an endorsement key: it can sign")
    _check_name_alg(public, "EK")


def _list_missing(public: TPMT_PUBLIC, needed: Mapping[str, TPMA_OBJECT]) -> str:
    return ", ".join(name for name, bit in needed.items() if not public.object_attributes & bit)


def _check_name_alg(public: TPMT_PUBLIC, what: str) -> None:
    if public.name_alg not in _HASHES or digest_size(public.name_alg) < _SECRET_SIZE:
        reason = f"the {what}'s nameAlg is {public.name_alg.name}; expected SHA256 or stronger"
        raise AttestationError(what, reason)


def _check_csr(data: bytes, expected: PublicKey) -> str:
    from cryptography import x509  # late: optional
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    try:
        csr = x509.load_der_x509_csr(data)
        der = csr.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        same = build_public_key_der(parse_public_key_der(der)) == build_public_key_der(expected)
        algorithm = csr.signature_hash_algorithm
        valid = csr.is_signature_valid
        subject = csr.subject.rfc4514_string()
    except (ValueError, TypeError, DecodeError, EncodeError, UnsupportedAlgorithm) as error:
        raise AttestationError("CSR", f"not a valid certificate request: {error}") from error
    if not same:
        raise AttestationError("CSR", "the certificate request is for a different key")
    if algorithm is None or algorithm.digest_size < _SECRET_SIZE:
        raise AttestationError("CSR", "the certificate request uses a hash weaker than SHA-256; use SHA-256")
    if not valid:
        raise AttestationError("CSR", "the signature of the certificate request is not valid")
    return subject


def _build_line(kind: str, values: Mapping[str, Any]) -> str:
    return json.dumps({"tpmwire_enrol": kind, "version": 1, **values}, separators=(",", ":"))


def _parse_line(text: str | bytes, kind: str) -> dict[str, Any]:
    try:
        document = strict_json.loads(text)
    except ValueError as error:
        raise AttestationError("format", f"not valid JSON: {error}") from None
    got = document.get("tpmwire_enrol") if isinstance(document, dict) else None
    if not isinstance(document, dict) or got != kind or document.get("version") != 1:
        other = got if got in ("request", "challenge", "response", "state") else "other JSON"
        raise AttestationError("format", f"expected an enrolment {kind} of version 1, got {other}")
    return document


def _format_error(kind: str, error: Exception) -> AttestationError:
    return AttestationError("format", f"not a valid enrolment {kind}: {strict_json.describe_error(error)}")


def _read_id(document: Mapping[str, Any]) -> str:
    if not isinstance(document["id"], str) or not _ID.fullmatch(document["id"]):
        raise ValueError("invalid id")
    return document["id"]


def _to_base64(data: bytes) -> str:
    return b64encode(data).decode()


def _from_base64(text: str) -> bytes:
    return binascii.a2b_base64(text, strict_mode=True)
