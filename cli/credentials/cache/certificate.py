"""Caches the credentials of Roles Anywhere sessions, sealed by a key that is lost at a TPM reset.

A signing key cannot seal: ECDSA signatures differ each time. Anyone who can use the TPM can open this cache.
"""

from __future__ import annotations

from collections.abc import Callable

from ...terminal.files import read_small
from ..key import key_from, opened_tpm
from ..settings import RunSettings
from .boot_key import BootKey
from .content import CachedCredentials
from .purpose import cache_purpose
from .run import Fetched, cached_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sigv4.credentials import Credentials

    from ..roles_anywhere.session import CertificateSession

__all__ = ["cached_session"]


class _CertificateSource:
    """A source of credentials for a certificate; `ask(session, sign)` sends the request, which `sign` signs."""

    def __init__(
        self,
        settings: RunSettings,
        ask: Callable[[CertificateSession, Callable[[bytes], bytes]], Credentials],
    ) -> None:
        self.settings = settings
        self.about = ""
        self._ask = ask
        self._opener = BootKey(key_from(settings), None)

    def root(self, label: bytes) -> bytes:
        """Returns the TPM's secret for `label`."""
        with opened_tpm(self.settings) as tpm:
            return self._opener.hmac(tpm, label)

    def fetch(self, label: bytes | None, _held: CachedCredentials | None) -> Fetched:
        """Returns new credentials, and the root of `label` unless it is None. The TPM is opened once."""
        from ..roles_anywhere.key import sign_in  # noqa: PLC0415 - cached credentials need no signature
        from ..roles_anywhere.session import CertificateSession  # noqa: PLC0415 - likewise

        settings = self.settings
        session = CertificateSession(settings)
        role = settings.aws_arn[-1] if settings.assumeRole and settings.aws_arn else session.role_arn
        self.about = f"certificate {session.pair.leaf.serial:x} {role} {session.endpoint.region}"
        root: bytes | None = None

        def sign(text: bytes) -> bytes:
            nonlocal root
            with opened_tpm(settings, for_one_use=label is None) as tpm:
                signature = sign_in(tpm, session.key, session.pair.public_key, text)
                if label is not None and root is None:
                    root = self._opener.hmac(tpm, label)
            return signature

        return Fetched(self._ask(session, sign), None, root)


def cached_session(
    settings: RunSettings, ask: Callable[[CertificateSession, Callable[[bytes], bytes]], Credentials]
) -> Credentials:
    """Returns the cached credentials of a session, or else calls `ask(session, sign)` and caches the result.

    The cache depends on the content of the certificate and of the key file, on the ARNs and on all options. Raises
    UsageError if a file cannot be read, and the errors of `ask` and of the TPM.
    """
    assert settings.roles_anywhere is not None
    files = [settings.roles_anywhere.certificate, settings.credential_file]
    content = b"".join(read_small(path) for path in files if path)
    return cached_from(_CertificateSource(settings, ask), cache_purpose(settings, None, content))
