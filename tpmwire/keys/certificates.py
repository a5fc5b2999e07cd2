"""Certificates of endorsement keys (TCG EK Credential Profile, §3), read and verified by OpenSSL.

OpenSSL is used because manufacturers ship encodings that strict DER parsers refuse. Every accepted certificate
passes `openssl verify`, too. Two checks are added: an extended key usage must allow endorsement keys, and no
signature in the chain may be by MD5 or older. asn1crypto, which is equally tolerant, reads the fields.
"""

import binascii
import datetime
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple, Self

from asn1crypto import x509 as fields
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from OpenSSL import crypto

from ..crypto.spki import PublicKey, parse_public_key_der
from ..errors import CertificateError, DecodeError, KeyFileError, UnusableCertificateError
from .nv_certificate import without_padding

__all__ = [
    "AK_CERTIFICATE",
    "Bundle",
    "Certificate",
    "Description",
    "Trust",
    "describe",
    "load_certificates",
    "load_chain",
    "public_key",
    "verify_chain",
    "without_padding",
]

EK_CERTIFICATE, AK_CERTIFICATE = "2.23.133.8.1", "2.23.133.8.3"
"""tcg-kp-EKCertificate and tcg-kp-AIKCertificate: the extended key usages of an EK and an AK certificate."""

ANY_USAGE = "2.5.29.37.0"
_USAGES = {EK_CERTIFICATE: ("endorsement", "EK"), AK_CERTIFICATE: ("attestation", "AIK")}
TPM_ATTRIBUTES = {"2.23.133.2.1": "manufacturer", "2.23.133.2.2": "model", "2.23.133.2.3": "version"}

BROKEN_HASHES = (b"md2", b"md4", b"md5")
"""Hash functions with which a signature can be moved to a forged certificate."""

_STEPS = 100
"""Limit on the paths that are tried if several CAs share a name."""

_PEM = re.compile(
    rb"-----BEGIN (?P<label>(?:X509 |TRUSTED )?CERTIFICATE)-----"
    rb"(?P<body>.*?)(?:-----END (?P=label)-----|(?=-----BEGIN)|\Z)",
    re.DOTALL,
)

_SHORT = {
    "2.5.4.3": "CN",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "STREET",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
}
"""Names of attributes in RFC 4514, §3."""

# X509_V_ERR_… of openssl/x509_vfy.h
_UNSPECIFIED, _SIGNATURE, _NOT_YET_VALID, _EXPIRED = 1, 7, 9, 10
_NO_ISSUER = (2, 18, 19, 20, 21)


class Description(NamedTuple):
    """A certificate's description. `tpm` contains manufacturer, model and version; times are RFC 3339 text."""

    subject: str
    issuer: str
    serial: str
    not_before: str
    not_after: str
    tpm: dict[str, str]


class Name(NamedTuple):
    """A distinguished name as text (RFC 4514), with a key for the comparison of names (RFC 5280)."""

    text: str
    key: object


class Certificate:
    """A certificate, parsed by OpenSSL. Raises UnusableCertificateError, which names `where`, if unreadable."""

    def __init__(self, der: bytes, where: str = "") -> None:
        self.der = der
        self.where = where
        try:
            self.x509 = crypto.load_certificate(crypto.FILETYPE_ASN1, der)
        except crypto.Error as error:
            raise self._make_error(_read_reason(error)) from error

    @classmethod
    def of(cls, x509: crypto.X509) -> Self:
        """Returns a Certificate for a certificate that OpenSSL has already parsed."""
        made = cls.__new__(cls)
        made.where, made.x509 = "", x509
        return made

    @cached_property
    def der(self) -> bytes:
        """The certificate in DER."""
        return crypto.dump_certificate(crypto.FILETYPE_ASN1, self.x509)

    def _make_error(self, reason: str) -> UnusableCertificateError:
        return UnusableCertificateError(f"{self.where or 'the certificate'} cannot be read ({reason})")

    @cached_property
    def fields(self) -> Any:
        """The TBSCertificate, as asn1crypto parses it."""
        with self._catch_errors():
            return fields.Certificate.load(self.der)["tbs_certificate"]

    @cached_property
    def subject(self) -> "Name":
        """The subject's name."""
        with self._catch_errors():
            return _name(self.fields["subject"])

    @cached_property
    def issuer(self) -> "Name":
        """The issuer's name."""
        with self._catch_errors():
            return _name(self.fields["issuer"])

    @cached_property
    def usages(self) -> set[str] | None:
        """The extended key usages as OIDs; None if the extension is missing."""
        with self._catch_errors():
            usages = self._extension("2.5.29.37")
            return None if usages is None else {one.dotted for one in usages}

    @cached_property
    def is_authority(self) -> bool:
        """Returns whether this is a readable certificate of a CA (RFC 5280, §4.2.1.9)."""
        with suppress(UnusableCertificateError), self._catch_errors():
            constraints = self._extension("2.5.29.19")
            return constraints is not None and bool(constraints["ca"].native)
        return False

    @cached_property
    def tpm(self) -> dict[str, str]:
        """The manufacturer, model and version in the subjectAltName (§3.2.9); empty if they cannot be read."""
        with suppress(UnusableCertificateError), self._catch_errors():
            return {
                TPM_ATTRIBUTES[attribute["type"].dotted]: str(attribute["value"].native)
                for name in self._extension("2.5.29.17") or ()
                if name.name == "directory_name"
                for relative in name.chosen.chosen
                for attribute in relative
                if attribute["type"].dotted in TPM_ATTRIBUTES
            }
        return {}

    def _extension(self, oid: str) -> Any:
        for one in self.fields["extensions"] or ():
            if one["extn_id"].dotted == oid:
                return one["extn_value"].parsed
        return None

    def read(self) -> None:
        """Raises UnusableCertificateError if a field that the verification of a chain needs cannot be read."""
        assert self.subject
        assert self.issuer

    @contextmanager
    def _catch_errors(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError) as error:
            raise self._make_error(" ".join(str(error).split())) from error


class Bundle(NamedTuple):
    """The readable certificates of a file, and the errors of the unreadable ones."""

    certificates: list[Certificate]
    unread: list[str]


class Trust:
    """CA certificates: roots, which are self-issued, and intermediates, which are valid only below a root.

    Trust can be pickled. Raises UnusableCertificateError if none of the certificates is a root.
    """

    def __init__(self, certificates: Sequence[Certificate]) -> None:
        if not any(one.subject.key == one.issuer.key for one in certificates):
            reason = "no root among the CA certificates; add the manufacturer's self-signed certificate"
            raise UnusableCertificateError(reason)
        self.certificates = list(certificates)
        self.store = _store(certificates)

    def __reduce__(self) -> tuple[Any, ...]:
        return _trust, ([one.der for one in self.certificates],)


def _trust(ders: list[bytes]) -> Trust:
    return Trust([Certificate(der) for der in ders])


def load_certificates(data: bytes, where: str) -> Bundle:
    """Returns the readable certificates of a PEM file, or of a file with DER certificates one after the other.

    `where` names the file in error messages. Raises UnusableCertificateError if no certificate can be read.
    """
    found = _parse_blocks(_blocks(data), where)
    if not found.certificates:
        raise UnusableCertificateError(
            f"{where} contains no readable certificate: {found.unread[0]}"
            if found.unread
            else f"{where} contains no certificate in PEM or DER"
        )
    return found


def load_chain(data: bytes, where: str) -> tuple[Certificate, list[Certificate]]:
    """Returns an EK certificate and its intermediates. `where` names the data in error messages.

    The EK certificate is the first in a file or NV index, and intermediates may follow. Raises
    UnusableCertificateError if the EK certificate cannot be read. Unreadable intermediates are omitted.
    """
    blocks = _blocks(data)
    leaf = next(blocks, None)
    if leaf is None:
        raise UnusableCertificateError(f"{where} contains no certificate in PEM or DER")
    return Certificate(leaf, where), _parse_blocks(blocks, where).certificates


def _parse_blocks(blocks: Iterator[bytes], where: str) -> Bundle:
    found = Bundle([], [])
    for number, block in enumerate(blocks, 1):
        try:
            one = Certificate(block, f"certificate {number} of {where}")
            one.read()
        except UnusableCertificateError as error:
            found.unread.append(str(error))
        else:
            found.certificates.append(one)
    return found


def _blocks(data: bytes) -> Iterator[bytes]:
    """Yields each certificate of PEM or concatenated DER data, in DER.

    A damaged certificate in DER is yielded unchanged, a damaged PEM block as no bytes.
    """
    if b"-----BEGIN" in data:
        for block in _PEM.finditer(data.replace(b"\\n", b"\n").replace(b"\\r", b"\n")):
            try:
                yield binascii.a2b_base64(block["body"])
            except binascii.Error:
                yield b""
        return
    while (data := data.lstrip(b"\0\xff")) and data[0] in (0x30, 0x10, 0x04):
        try:
            one = without_padding(data)
        except UnusableCertificateError:
            one = data
        yield one
        data = data[data.index(one) + len(one) :]


def public_key(certificate: Certificate) -> PublicKey:
    """Returns the public key of a certificate.

    Raises UnusableCertificateError for an algorithm that no EK uses.
    """
    # OpenSSL reads the key, because makers encode keys in as many ways as certificates.
    try:
        key: Any = certificate.x509.get_pubkey().to_cryptography_key()
        if isinstance(key, ec.EllipticCurvePublicKey):
            # Older versions of cryptography keep a point compressed.
            key = key.public_numbers().public_key()
        return parse_public_key_der(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    except (crypto.Error, ValueError, TypeError, UnsupportedAlgorithm, DecodeError, KeyFileError) as error:
        reason = f"unsupported public key in the certificate ({_read_reason(error)})"
        raise UnusableCertificateError(reason) from error


def verify_chain(
    certificate: Certificate, trust: Trust, untrusted: Sequence[Certificate] = (), usage: str = EK_CERTIFICATE
) -> list[Certificate]:
    """Returns the chain from the certificate to a root certificate of `trust`, verified by OpenSSL.

    `untrusted` certificates, such as the TPM's own, are used only as intermediates. If the certificate has
    extended key usages, they must include `usage`. Raises CertificateError with the reason.
    """
    if certificate.usages is not None and not certificate.usages & {usage, ANY_USAGE}:
        kind, name = _USAGES[usage]
        reason = f"the extended key usage does not include tcg-kp-{name}Certificate"
        raise CertificateError(f"not an {kind} key certificate: {reason}")
    chain = _chain(certificate, trust, untrusted)
    for one in chain[:-1]:  # the signature of a root is never checked
        algorithm = one.get_signature_algorithm()
        if algorithm.lower().startswith(BROKEN_HASHES):
            raise CertificateError(
                f"the certificate is not trusted: its chain has a forgeable signature ({algorithm.decode()})"
            )
    return [Certificate.of(one) for one in chain]


def _chain(certificate: Certificate, trust: Trust, untrusted: Sequence[Certificate]) -> list[crypto.X509]:
    try:
        return _by_openssl(trust.store, certificate, untrusted)
    except crypto.X509StoreContextError as error:
        known = [*trust.certificates, *untrusted]
        if error.errors[0] == _SIGNATURE:
            # If several CAs share a name and have no key identifier, OpenSSL tries only one.
            for path in islice(_paths(certificate, trust.certificates, untrusted), _STEPS):
                if path:
                    with suppress(crypto.X509StoreContextError):
                        return _by_openssl(_store(path[-1:]), certificate, path[:-1])
        raise _explain_refusal(certificate, known, error) from error


def _by_openssl(
    store: crypto.X509Store, certificate: Certificate, untrusted: Sequence[Certificate]
) -> list[crypto.X509]:
    context = crypto.X509StoreContext(store, certificate.x509, [one.x509 for one in untrusted])
    return context.get_verified_chain()


def _store(certificates: Sequence[Certificate]) -> crypto.X509Store:
    store = crypto.X509Store()
    for one in certificates:
        store.add_cert(one.x509)
    return store


def _paths(
    certificate: Certificate,
    trusted: Sequence[Certificate],
    untrusted: Sequence[Certificate],
    below: tuple[Certificate, ...] = (),
) -> Iterator[tuple[Certificate, ...]]:
    """Yields paths from a certificate to a root of `trusted`, matched by name.

    A path begins with `below` and ends with the root. Also yields an empty path for each step of the search, so
    that the caller can limit the number of steps.
    """
    for issuer in (*trusted, *untrusted):
        if issuer.subject.key != certificate.issuer.key or issuer in below:
            continue
        if issuer.subject.key != issuer.issuer.key:
            yield ()
            yield from _paths(issuer, trusted, untrusted, (*below, issuer))
        elif issuer in trusted:
            yield (*below, issuer)


def _explain_refusal(
    certificate: Certificate, known: list[Certificate], error: crypto.X509StoreContextError
) -> CertificateError:
    """Returns the error for a failed verification, with a message that names the most likely reason."""
    code, depth, said = error.errors
    if code == _UNSPECIFIED:
        public_key(certificate)  # the usual cause is an algorithm that OpenSSL does not know
    if code not in (_SIGNATURE, _NOT_YET_VALID, _EXPIRED, *_NO_ISSUER):
        where = f" (at depth {depth} of its chain)" if depth else ""
        return CertificateError(f"the certificate is not trusted: {said}{where}")
    at = Certificate.of(error.certificate) if depth else certificate
    what = "the certificate" if not depth else f"the CA certificate {at.subject.text!r}"
    if code == _EXPIRED:
        return UnusableCertificateError(f"{what} expired on {describe(at).not_after}; check the clock")
    if code == _NOT_YET_VALID:
        return UnusableCertificateError(f"{what} is not valid before {describe(at).not_before}; check the clock")
    if all(one.subject.key != at.issuer.key for one in known):
        return UnusableCertificateError(
            f"{what} was issued by {at.issuer.text!r}, which is not among the given CA certificates; get them "
            "from the TPM's maker"
        )
    return CertificateError(
        f"{what} is not trusted: the given CA certificate {at.issuer.text!r} has its issuer's name, but did not "
        f"issue it ({said})"
    )


def describe(certificate: Certificate) -> Description:
    """Returns a certificate's description. Raises UnusableCertificateError for unreadable fields."""
    with certificate._catch_errors():
        validity = certificate.fields["validity"]
        return Description(
            certificate.subject.text,
            certificate.issuer.text,
            f"{certificate.fields['serial_number'].native:x}",
            _time(validity["not_before"].native),
            _time(validity["not_after"].native),
            certificate.tpm,
        )


def _name(name: Any) -> Name:
    try:
        text = ",".join(
            "+".join(
                f"{_SHORT.get(one['type'].dotted, one['type'].dotted)}={_escape(str(one['value'].native))}"
                for one in relative
            )
            for relative in reversed(name.chosen)
        )
        return Name(text, name.hashable)
    except (ValueError, TypeError):  # a string has an invalid type or invalid characters
        return Name("#" + name.dump().hex(), name.dump())


def _escape(value: str) -> str:
    value = re.sub(r'([,+"\\<>;])', r"\\\1", value).replace("\0", "\\00")
    if value.startswith((" ", "#")):
        value = "\\" + value
    return value[:-1] + "\\ " if value.endswith(" ") else value


def _time(value: datetime.datetime) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ")


def _read_reason(error: Exception) -> str:
    """Returns the reason text of an OpenSSL error, whose argument is a list of (library, function, reason)."""
    found = error.args[0] if error.args else ""
    if isinstance(found, list):
        return next((reason for *_, reason in found if reason), "unknown reason")
    return " ".join(str(error).split())
