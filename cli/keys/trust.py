"""Reads CA and EK certificates from files."""

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tpmwire.errors import UnusableCertificateError
from tpmwire.policy import strict_json

from ..terminal.files import read_small
from ..terminal.messages import UsageError, warn

if TYPE_CHECKING:
    from tpmwire.keys.certificates import Certificate, Trust

__all__ = ["read_chain", "read_trust"]

LARGEST_BUNDLE = 16 << 20
"""Maximum size in bytes; all makers' certificates together have about 2 million."""


def read_trust(paths: "Sequence[str]") -> "Trust | None":
    """Reads the CA certificates in the files of --ca; returns None if there are no files.

    Warns of a certificate that cannot be read.

    Raises UsageError if the files contain no root certificate.
    """
    if not paths:
        return None

    from tpmwire.keys.certificates import Trust, load_certificates  # noqa: PLC0415 - needs optional packages

    trusted: list[Certificate] = []
    unread: list[str] = []
    for path in paths:
        try:
            found = load_certificates(read_small(path, LARGEST_BUNDLE), path)
        except UnusableCertificateError as error:
            unread.append(str(error))
        else:
            trusted += found.certificates
            unread += found.unread
    try:
        trust = Trust(trusted)
    except UnusableCertificateError as error:
        raise UsageError("; ".join([*unread, str(error)])) from error
    for reason in unread:
        warn(f"{reason}; using the other certificates")
    return trust


def read_chain(path: str) -> "tuple[Certificate, list[Certificate]]":
    """Returns (EK certificate, intermediate certificates) from a file.

    Raises UsageError if the file contains no certificate.
    """
    from tpmwire.keys.certificates import describe, load_chain  # noqa: PLC0415 - needs optional packages

    try:
        leaf, others = load_chain(_extract_certificate(read_small(path)), path)
        describe(leaf)
    except UnusableCertificateError as error:
        raise UsageError(str(error)) from error
    return leaf, others


def _extract_certificate(data: bytes) -> bytes:
    """Returns the certificate in a response of Intel's EK server (JSON, base64url), or other data unchanged."""
    if data.lstrip()[:1] != b"{" or b"-----BEGIN" in data:
        return data
    try:
        text = str(strict_json.loads(data)["certificate"])
        return base64.urlsafe_b64decode(unquote(text).rstrip("=") + "==")
    except (ValueError, KeyError, TypeError):
        return data
