"""Attestation keys: the public keys that verify attestations, and the requirements for them."""

from typing import Any, NamedTuple

from ..crypto.formulas import name_of
from ..crypto.public_key_formats import area_of, from_cryptography
from ..crypto.public_keys import read_public_key
from ..crypto.spki import certified_key, public_key_of
from ..errors import AttestationError, EncodeError, SignatureError
from ..keys.signatures import verify_signature
from ..spec.constants import TPM_ALG, TPMA_OBJECT
from ..spec.structures import (
    TPMS_RSA_PARMS,
    TPMS_SIGNATURE_ECC,
    TPMS_SIGNATURE_HASH_MLDSA,
    TPMS_SIGNATURE_RSA,
    TPMT_PUBLIC,
    TPMT_SIGNATURE,
)

__all__ = ["AttestationKey", "certified_attestation_key", "read_attestation_key"]

_NEEDED = {
    "restricted": TPMA_OBJECT.RESTRICTED,
    "sign": TPMA_OBJECT.SIGN_ENCRYPT,
    "fixedTPM": TPMA_OBJECT.FIXED_TPM,
    "fixedParent": TPMA_OBJECT.FIXED_PARENT,
    "sensitiveDataOrigin": TPMA_OBJECT.SENSITIVE_DATA_ORIGIN,  # a key derived from an external seed lacks it
}
_LEAST_RSA_BITS = 2048

_HASHES = (
    TPM_ALG.SHA256,
    TPM_ALG.SHA384,
    TPM_ALG.SHA512,
    TPM_ALG.SHA3_256,
    TPM_ALG.SHA3_384,
    TPM_ALG.SHA3_512,
)
"""SHA-1 is not among them: two different messages can have the same SHA-1 digest, and so the same signature."""


class AttestationKey(NamedTuple):
    """A public key that verifies attestations.

    `has_attributes` is true if `area` is the key's own public area. A key from PEM or a certificate has no
    attributes, so it may also sign other data than attestations of its TPM. `accept_sha1` allows signatures over
    SHA-1 digests, as by keys that Windows creates.
    """

    area: TPMT_PUBLIC
    has_attributes: bool
    accept_sha1: bool = False

    @property
    def name(self) -> bytes | None:
        """The Name of the key, or None if the key's attributes are unknown."""
        return name_of(self.area) if self.has_attributes else None

    def check_attributes(self) -> None:
        """Raises AttestationError unless the key is restricted to attestations and exists only in its TPM.

        If the attributes are unknown, only the size of an RSA key is checked. An unrestricted key signs any bytes
        (Part 1, §25.1.2).
        """
        bits = self.area.parameters.key_bits if isinstance(self.area.parameters, TPMS_RSA_PARMS) else None
        if bits is not None and min(bits, 8 * len(self.area.unique)) < _LEAST_RSA_BITS:
            raise AttestationError("key", f"RSA with {bits} bits is too weak; use {_LEAST_RSA_BITS} bits or more")
        if not self.has_attributes:
            return
        attributes = self.area.object_attributes
        missing = [name for name, bit in _NEEDED.items() if not attributes & bit]
        if missing:
            raise AttestationError(
                "key",
                f"not an attestation key: without {' and '.join(missing)}, forged statements are possible; use a "
                "restricted signing key that the TPM created and that cannot be duplicated",
            )
        if attributes & TPMA_OBJECT.DECRYPT:
            raise AttestationError("key", "not an attestation key: decrypt is set; use a key that only signs")

    def check_signature(self, message: bytes, signature: TPMT_SIGNATURE) -> TPM_ALG:
        """Verifies the signature of a message, and returns the hash algorithm of the signature.

        Raises AttestationError if the signature is not valid or its hash is not accepted.
        """
        details = signature.signature
        if signature.sig_alg == TPM_ALG.MLDSA:
            hash_alg = self.area.name_alg  # ML-DSA has no hash; a quote then uses nameAlg
        elif isinstance(details, (TPMS_SIGNATURE_RSA, TPMS_SIGNATURE_ECC, TPMS_SIGNATURE_HASH_MLDSA)):
            hash_alg = details.hash
        else:
            raise AttestationError(
                "signature", f"{signature.sig_alg.name} signatures cannot be verified with a public key"
            )
        if hash_alg not in _HASHES and not (self.accept_sha1 and hash_alg == TPM_ALG.SHA1):
            raise AttestationError(
                "signature",
                f"the hash {hash_alg.name} is not accepted; use an attestation key with SHA-256"
                + (", or accept SHA-1 signatures" if hash_alg == TPM_ALG.SHA1 else ""),
            )
        try:
            verify_signature(self.area, signature, message)
        except (SignatureError, EncodeError) as error:
            raise AttestationError("signature", str(error)) from error
        return hash_alg


def read_attestation_key(key: Any) -> AttestationKey:
    """Returns an attestation key from a public area, a key or certificate of `cryptography`, or bytes.

    The bytes can be PEM, DER, a public area, a JWK, an OpenSSH key or a certificate. A certificate is not
    verified: use `certified_attestation_key`. Raises KeyFileError if the bytes have no key, EncodeError for an
    unsupported type of key.
    """
    if isinstance(key, AttestationKey):
        return key
    if isinstance(key, TPMT_PUBLIC):
        return AttestationKey(key, True)
    if isinstance(key, (bytes, str)):
        found = read_public_key(key.encode() if isinstance(key, str) else key)
        if found.public is not None:
            return AttestationKey(found.public, True)
        assert found.key is not None  # one of the two is always set
        return AttestationKey(area_of(found.key), False)
    return AttestationKey(from_cryptography(key), False)


def certified_attestation_key(
    certificate: bytes, authorities: bytes, public: TPMT_PUBLIC | None = None
) -> AttestationKey:
    """Verifies the certificate of an attestation key, and returns the key.

    `certificate` (PEM or DER) is followed by intermediate certificates, if any. `authorities` contains the trusted
    root certificates and further intermediates. If `public` is given, it must be the public area of the certified
    key. Raises CertificateError or UnusableCertificateError if the certificate is not trusted, AttestationError if
    `public` does not match.
    """
    # late: needs pyOpenSSL and asn1crypto, which keys without a certificate do not need
    from ..keys.certificates import AK_CERTIFICATE, Trust, load_certificates, load_chain, verify_chain

    trust = Trust(load_certificates(authorities, "the CA file").certificates)
    leaf, others = load_chain(certificate, "the certificate")
    verify_chain(leaf, trust, others, AK_CERTIFICATE)
    key, _ = certified_key(leaf.der)
    if public is None:
        return AttestationKey(area_of(key), False)
    if public_key_of(public) != key:
        raise AttestationError("key", "the certificate is for another key; give that key's public area")
    return AttestationKey(public, True)
