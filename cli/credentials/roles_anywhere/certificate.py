"""Reads and checks the certificate of a Roles Anywhere session, before the TPM is used."""

from __future__ import annotations

import time
from collections.abc import Callable

from sigv4.errors import RequestError
from sigv4.roles_anywhere import ECDSA, MAX_CHAIN, RSA
from sigv4.times import rfc3339
from tpmwire.crypto.spki import PublicKey
from tpmwire.errors import DecodeError, UnusableCertificateError
from tpmwire.keys.x509 import (
    ANY_EXTENDED_USAGE,
    CLIENT_AUTH,
    X509Certificate,
    name_text,
    order_chain,
    read_x509_certificates,
)
from tpmwire.spec.constants import TPM_ECC
from tpmwire.typed import NamedTuple

from ...terminal.files import read_small
from ...terminal.messages import UsageError, warn

__all__ = [
    "CertificatePair",
    "check_chain",
    "check_leaf",
    "check_validity",
    "moment_text",
    "read_certificate",
    "read_pair",
]

_CURVES = (TPM_ECC.NIST_P256, TPM_ECC.NIST_P384, TPM_ECC.NIST_P521)
_DAY = 86400


class CertificatePair(NamedTuple):
    """A certificate and its intermediate CA certificates, beginning with its issuer."""

    leaf: X509Certificate
    chain: list[X509Certificate]
    public_key: PublicKey

    @property
    def algorithm(self) -> str:
        """The name of the signature algorithm for the certificate's key."""
        return RSA if self.leaf.is_rsa else ECDSA


def read_pair(
    certificate: str, intermediates: str | None, *, report: Callable[[str], None] = warn
) -> CertificatePair:
    """Returns the certificate in a file, with its chain from both files.

    Raises UsageError for a certificate that Roles Anywhere would refuse, and for an incomplete chain. Calls
    `report` with a warning if the certificate expires soon.
    """
    leaf, *others = read_certificate(certificate)
    moment = time.time()
    key = check_leaf(leaf, certificate, moment, report)
    further = [*others, *(read_certificate(intermediates) if intermediates else [])]
    chain, unused = order_chain(leaf, further)
    check_chain(leaf, chain, unused, intermediates or certificate, moment)
    return CertificatePair(leaf, chain, key)


def read_certificate(path: str) -> list[X509Certificate]:
    """Returns the certificates in a file. Raises UsageError if it has none, or a damaged one."""
    if path.startswith("pkcs11:"):
        raise UsageError(f"{path}: PKCS #11 tokens are not supported; give the certificate as a file")
    data = read_small(path)
    if data[:1] == b"\x30" and b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07" in data[:40]:
        raise UsageError(
            f"{path}: PKCS #12 and PKCS #7 files are not supported; extract the certificate as PEM, with `openssl "
            "pkcs12 -nokeys`"
        )
    try:
        return read_x509_certificates(data)
    except UnusableCertificateError as error:
        raise UsageError(f"{path}: {error}") from None


def check_leaf(leaf: X509Certificate, path: str, now: float, report: Callable[[str], None] = warn) -> PublicKey:
    """Returns the certificate's public key. Raises UsageError for a certificate that Roles Anywhere would refuse.

    Source: "Signature verification" and "Certificates" in the IAM Roles Anywhere User Guide.
    """
    try:
        key = leaf.public_key
    except DecodeError as error:
        raise UsageError(f"{path}: unsupported key: {error}; use an RSA, P-256 or P-384 key") from None
    if (isinstance(key[0], TPM_ECC) and key[0] not in _CURVES) or not isinstance(key[0], TPM_ECC | bytes):
        raise UsageError(f"{path}: unsupported key {leaf.key_text}; use an RSA, P-256 or P-384 key")
    faults = (
        (leaf.version != 3, f"the certificate has version {leaf.version}; Roles Anywhere requires version 3"),
        (leaf.is_ca, "the certificate is a CA certificate (CA:TRUE); give the one of the private key"),
        (
            "digitalSignature" not in (leaf.key_usage or ()),
            "keyUsage lacks digitalSignature, which Roles Anywhere requires; have the certificate issued again",
        ),
        (
            bool(leaf.weak_hash),
            f"the certificate is signed with {leaf.weak_hash}; Roles Anywhere requires SHA-256",
        ),
        (len(leaf.subject) <= 2, "the certificate's subject is empty; Roles Anywhere requires a subject"),
    )
    if (found := next((text for wrong, text in faults if wrong), None)) is not None:
        raise UsageError(f"{path}: {found}")
    check_validity(leaf, path, "the certificate", now)
    if leaf.extended_key_usage is not None and not {CLIENT_AUTH, ANY_EXTENDED_USAGE} & {*leaf.extended_key_usage}:
        report(f"{path}: extendedKeyUsage lacks clientAuth; Roles Anywhere may refuse the certificate")
    left, lifetime = leaf.not_after - now, leaf.not_after - leaf.not_before
    if left < lifetime / 3:
        report(
            f"{path}: the certificate expires in {_time_left(left)}, at {moment_text(leaf.not_after)}; renew it"
        )
    return key


def _time_left(left: float) -> str:
    """Returns a time in seconds as text, in days, hours or minutes."""
    for size, unit in ((_DAY, "day"), (3600, "hour")):
        if left >= 1.5 * size:
            return f"{left / size:.0f} {unit}s"
    minutes = max(1, round(left / 60))
    return "1 minute" if minutes == 1 else f"{minutes} minutes"


def check_validity(certificate: X509Certificate, path: str, what: str, now: float) -> None:
    """Raises UsageError if a certificate, `what` in the message, has expired, or is not valid yet."""
    if certificate.not_after < now:
        raise UsageError(
            f"{path}: {what} expired at {moment_text(certificate.not_after)}; renew it, or check the clock"
        )
    if certificate.not_before > now:
        raise UsageError(
            f"{path}: {what} is not valid before {moment_text(certificate.not_before)}; check the clock "
            "(timedatectl)"
        )


def moment_text(seconds: float) -> str:
    """Returns a time in POSIX seconds as RFC 3339 text, for messages."""
    try:
        return rfc3339(seconds)
    except RequestError:
        return "a time before 1970"


def check_chain(
    leaf: X509Certificate, chain: list[X509Certificate], unused: list[X509Certificate], path: str, now: float
) -> None:
    """Raises UsageError for a chain that is too long, incomplete, not valid now, or not of CA certificates."""
    if unused:
        last = chain[-1] if chain else leaf
        raise UsageError(
            f"{path}: no certificate of the issuer {name_text(last.issuer)!r} of {name_text(last.subject)!r}; add "
            "it, or remove the certificates of other CAs"
            if not chain
            else f"{path}: the certificate of {name_text(unused[0].subject)!r} is not in the chain of "
            f"{name_text(leaf.subject)!r}: the issuer {name_text(last.issuer)!r} is missing; add it, or remove "
            "the other certificate"
        )
    if len(chain) > MAX_CHAIN:
        raise UsageError(
            f"{path}: {len(chain)} intermediate certificates, but Roles Anywhere allows at most {MAX_CHAIN}; "
            "remove the ones that are not needed"
        )
    for each in chain:
        what = f"the CA certificate of {name_text(each.subject)!r}"
        if not each.is_ca or (each.key_usage is not None and "keyCertSign" not in each.key_usage):
            raise UsageError(f"{path}: {what} is not for a CA (CA:TRUE and keyCertSign); check the file")
        if each.weak_hash:
            raise UsageError(f"{path}: {what} is signed with {each.weak_hash}; Roles Anywhere requires SHA-256")
        check_validity(each, path, what, now)
