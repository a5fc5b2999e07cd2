"""Caches the credentials of Roles Anywhere sessions, sealed by a key that is lost at a TPM reset.

A signing key cannot seal: ECDSA signatures differ each time. Anyone who can use the TPM can open this cache.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..key import key_from, opened_tpm
from ..options import RunSettings
from ..roles_anywhere.key import sign_in
from ..roles_anywhere.session import CertificateSession
from .boot_key import BootKey
from .content import CachedCredentials
from .purpose import cache_purpose
from .run import Fetched, cached_from

if TYPE_CHECKING:
    from sigv4.credentials import Credentials

__all__ = ["cached_session"]


class _CertificateSource:
    """A source of credentials for a certificate; `ask(sign)` sends the request, which `sign` signs."""

    def __init__(
        self,
        settings: RunSettings,
        session: CertificateSession,
        ask: "Callable[[Callable[[bytes], bytes]], Credentials]",
    ) -> None:
        found = settings.roles_anywhere
        assert found is not None
        role = settings.aws_arn[-1] if settings.assumeRole and settings.aws_arn else found.role_arn
        self.settings = settings
        self.about = f"certificate {session.pair.leaf.serial:x} {role} {session.endpoint.region}"
        self._session = session
        self._ask = ask
        self._opener = BootKey(key_from(settings), None)

    def root(self, label: bytes) -> bytes:
        """Returns the TPM's secret for `label`."""
        with opened_tpm(self.settings) as tpm:
            return self._opener.hmac(tpm, label)

    def fetch(self, label: bytes | None, _held: CachedCredentials | None) -> Fetched:
        """Returns new credentials and, unless `label` is None, its root. The TPM is opened once."""
        root: bytes | None = None

        def sign(text: bytes) -> bytes:
            nonlocal root
            with opened_tpm(self.settings, for_one_use=label is None) as tpm:
                signature = sign_in(tpm, self._session.key, self._session.pair.public_key, text)
                if label is not None and root is None:
                    root = self._opener.hmac(tpm, label)
            return signature

        return Fetched(self._ask(sign), None, root)


def cached_session(
    settings: RunSettings,
    session: CertificateSession,
    ask: "Callable[[Callable[[bytes], bytes]], Credentials]",
) -> "Credentials":
    """Returns the cached credentials of a session, or else calls `ask(sign)` and caches the result.

    The cache depends on the certificate, the key, the ARNs and all options. Raises the errors of `ask` and of the
    TPM.
    """
    use = cache_purpose(settings, session.key.file, session.pair.leaf.der)
    return cached_from(_CertificateSource(settings, session, ask), use)
