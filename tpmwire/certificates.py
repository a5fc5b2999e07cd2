"""Certificates of endorsement keys (TCG EK Credential Profile, §3): read, verified by `cryptography`, described.

The path validation is `cryptography`'s own. What differs from the web's rules is told to it: an EK certificate has
an empty subject or any, names the TPM in a directoryName of its subjectAltName, and is for 2.23.133.8.1.
"""

from typing import TYPE_CHECKING, NamedTuple

from .errors import CertificateError
from .spki import PublicKey
from .spki import parse as parse_public_key

if TYPE_CHECKING:
    import datetime

    from cryptography import x509
    from cryptography.x509.verification import ExtensionPolicy, Policy

__all__ = ["Description", "described", "load", "public_key", "verified", "without_padding"]

EK_CERTIFICATE = "2.23.133.8.1"
"""tcg-kp-EKCertificate: the extended key usage of an EK certificate."""

ANY_USAGE = "2.5.29.37.0"
TPM_ATTRIBUTES = {"2.23.133.2.1": "manufacturer", "2.23.133.2.2": "model", "2.23.133.2.3": "version"}

NEEDED = "certificates need the Python package `cryptography`, version 45 or newer"


class Description(NamedTuple):
    """A certificate in words. `tpm` has the manufacturer, model and version that it names; times are RFC 3339."""

    subject: str
    issuer: str
    serial: str
    not_before: str
    not_after: str
    tpm: dict[str, str]


def without_padding(data: bytes) -> bytes:
    """The DER value that an NV index begins with: some TPMs fill the index up, with zeros or with 0xff.

    Raises CertificateError where there is none, or one that is cut off.
    """
    if len(data) < 2 or data[0] != 0x30 or data[1] == 0x80:
        raise CertificateError("there is no certificate in there: it does not begin as DER does")
    head, size = 2, data[1]
    if size >= 0x80:
        head += size & 0x7F
        size = int.from_bytes(data[2:head], "big")
    if head > 6 or head + size > len(data):
        raise CertificateError(f"the certificate is cut off: {head + size} octets are due, {len(data)} are there")
    return data[: head + size]


def load(data: bytes, where: str) -> "list[x509.Certificate]":
    """The certificates of a PEM file, or of DER ones that follow each other. Raises CertificateError."""
    try:
        from cryptography import x509
    except ImportError as error:
        raise CertificateError(NEEDED) from error
    try:
        if b"-----BEGIN" in data:
            found = x509.load_pem_x509_certificates(data)
        else:
            found = []
            while data and data[0] == 0x30:
                one = without_padding(data)
                found.append(x509.load_der_x509_certificate(one))
                data = data[len(one) :]
        for certificate in found:
            described(certificate)  # `cryptography` parses late, and then raises what it likes
    except (ValueError, KeyError, TypeError, x509.InvalidVersion, CertificateError) as error:
        said = " ".join(str(error).split())
        raise CertificateError(f"{where} holds no certificate that can be read ({said})") from error
    if not found:
        raise CertificateError(f"{where} holds no certificate, neither in PEM nor in DER")
    return found


def public_key(certificate: "x509.Certificate") -> PublicKey:
    """The key that a certificate vouches for. Raises CertificateError for one that cannot be an EK's here."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    from .errors import KeyFileError

    try:
        key = certificate.public_key()
        return parse_public_key(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    except (ValueError, UnsupportedAlgorithm, KeyFileError) as error:
        raise CertificateError(f"the certificate's public key is none that is known here ({error})") from error


def verified(
    certificate: "x509.Certificate",
    trusted: "list[x509.Certificate]",
    untrusted: "list[x509.Certificate]",
) -> "list[x509.Certificate]":
    """The chain from the certificate to a root, as `cryptography` finds and verifies it.

    Roots are the self-issued ones of `trusted`; the others, and `untrusted` (what the TPM itself stores), may only
    stand in between. Raises CertificateError, which says what is wrong.
    """
    try:
        from cryptography.x509 import verification
        from cryptography.x509.verification import ExtensionPolicy
    except ImportError as error:
        raise CertificateError(NEEDED) from error
    roots = [one for one in trusted if one.issuer == one.subject]
    if not roots:
        raise CertificateError(
            "there is no root among the CA certificates; give the maker's self-signed one as well"
        )
    between = [one for one in trusted if one.issuer != one.subject] + untrusted
    policy = verification.PolicyBuilder().store(verification.Store(roots))
    policy = policy.extension_policies(
        ee_policy=_relaxed(ExtensionPolicy.webpki_defaults_ee()),
        ca_policy=_relaxed(ExtensionPolicy.webpki_defaults_ca()),
    )
    try:
        return policy.build_client_verifier().verify(certificate, between).chain
    except (verification.VerificationError, ValueError) as error:
        raise CertificateError(_reason(certificate, [*roots, *between], error)) from error


def _relaxed(policy: "ExtensionPolicy") -> "ExtensionPolicy":
    """The web's rules for extensions, with the TCG's in their place where the two differ."""
    from cryptography import x509
    from cryptography.x509.verification import Criticality

    for extension in (
        x509.SubjectAlternativeName,  # critical where the subject is empty; names a TPM, not a host
        x509.AuthorityKeyIdentifier,
        x509.SubjectKeyIdentifier,
    ):
        policy = policy.may_be_present(extension, Criticality.AGNOSTIC, None)
    return policy.may_be_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, _for_endorsement)


def _for_endorsement(
    _policy: "Policy", _certificate: "x509.Certificate", usage: "x509.ExtendedKeyUsage | None"
) -> None:
    if usage is not None and not {EK_CERTIFICATE, ANY_USAGE} & {one.dotted_string for one in usage}:
        raise ValueError("it is for another use than certifying endorsement keys (extended key usage)")


def _reason(certificate: "x509.Certificate", known: "list[x509.Certificate]", error: Exception) -> str:
    """Why a verification failed. It has failed already: this only looks for the words that help."""
    import datetime

    now = datetime.datetime.now(datetime.UTC)
    if now > certificate.not_valid_after_utc:
        return f"the certificate expired on {_time(certificate.not_valid_after_utc)}"
    if now < certificate.not_valid_before_utc:
        return f"the certificate is valid from {_time(certificate.not_valid_before_utc)} on; is the clock right?"
    if all(one.subject != certificate.issuer for one in known):
        return (
            f"the certificate was issued by {certificate.issuer.rfc4514_string()!r}, which is not among the CA "
            "certificates given; get them from the TPM's maker"
        )
    said = str(error).partition(" (encountered processing")[0].removeprefix("validation failed: ")
    return f"the certificate is not trusted: {said}"


def described(certificate: "x509.Certificate") -> Description:
    """What a certificate says of itself and of its TPM."""
    return Description(
        certificate.subject.rfc4514_string(),
        certificate.issuer.rfc4514_string(),
        f"{certificate.serial_number:x}",
        _time(certificate.not_valid_before_utc),
        _time(certificate.not_valid_after_utc),
        _tpm_named(certificate),
    )


def _time(value: "datetime.datetime") -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ")


def _tpm_named(certificate: "x509.Certificate") -> dict[str, str]:
    """Manufacturer, model and version from the subjectAltName (§3.2.9), as far as they are there."""
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return {}
    return {
        TPM_ATTRIBUTES[attribute.oid.dotted_string]: str(attribute.value)
        for name in names.get_values_for_type(x509.DirectoryName)
        for attribute in name
        if attribute.oid.dotted_string in TPM_ATTRIBUTES
    }
