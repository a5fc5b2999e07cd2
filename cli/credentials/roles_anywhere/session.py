"""Requests a session of Roles Anywhere: checks everything locally, signs in the TPM, closes it, calls AWS."""

from __future__ import annotations

import time
from collections.abc import Callable

from sigv4.roles_anywhere import CreateSession, RolesAnywhereSigner, check_arns, resolve_roles_anywhere

from ...terminal.messages import UsageError, note, warn
from ..settings import Aws, RunSettings, aws_of
from .certificate import CertificatePair, read_pair
from .key import certificate_key, sign_with
from .settings import RolesAnywhere

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sigv4.credentials import Credentials
    from sigv4.http import HttpClient
    from tpmwire.use.asymmetric import AsymmetricKey

__all__ = ["CertificateSession", "session_region"]


class CertificateSession:
    """A session to be requested: the certificate, its key in the TPM, and the request, all checked locally.

    `report` is called with warnings about the certificate, one line each. Raises UsageError, RequestError and
    KeyFileError for settings that AWS or the TPM would refuse.
    """

    def __init__(self, settings: RunSettings, report: Callable[[str], None] = warn) -> None:
        found = settings.roles_anywhere
        assert found is not None
        self.settings = settings
        self.role_arn = found.role_arn
        self.duration = _duration(settings, found)
        self.operation = CreateSession(
            found.profile_arn,
            found.role_arn,
            found.trust_anchor_arn,
            self.duration,
            role_session_name=found.session_name,
        )
        self.operation.check()
        self.pair: CertificatePair = read_pair(found.certificate, found.intermediates, report=report)
        self.key: AsymmetricKey = certificate_key(settings, self.pair.public_key, no_password=found.no_password)
        aws = aws_of(settings)
        self.endpoint = resolve_roles_anywhere(session_region(found), found.endpoint, aws.environ, aws.profile)

    def request(
        self,
        http: Callable[[float, Aws], HttpClient],
        sign: Callable[[bytes], bytes] | None = None,
    ) -> Credentials:
        """Returns the session's credentials. `http` makes an HTTP client of a timeout and settings for AWS.

        `sign` returns the signature of a byte string; None means by the key in the TPM, which is then closed.
        Raises the errors of `AsymmetricKey.sign_message` and `AwsClient.call`.
        """
        settings, pair = self.settings, self.pair
        aws = aws_of(settings)
        client = http(settings.timeout, aws)
        client.check(self.endpoint.url)
        signer = RolesAnywhereSigner(
            pair.leaf.der,
            [each.der for each in pair.chain],
            pair.leaf.serial,
            pair.algorithm,
            sign or (lambda text: sign_with(settings, self.key, pair.public_key, text)),
        )
        if settings.verbose:
            serial = pair.leaf.serial
            note(
                f"tpmwire: CreateSession at {self.endpoint.url}, signed for {self.endpoint.region}, with the "
                f"certificate {serial} (hex {serial:x}) and {len(pair.chain)} intermediate certificates"
            )
        from sigv4.retry import read_retry_policy  # noqa: PLC0415 - a run with cached credentials asks nobody
        from sigv4.roles_anywhere_client import RolesAnywhereClient  # noqa: PLC0415 - likewise

        policy = read_retry_policy(aws.environ, aws.profile)
        found = RolesAnywhereClient(signer, self.endpoint, client, policy=policy, warn=warn, clock=time.time).call(
            self.operation
        )
        if settings.verbose:
            note(f"tpmwire: the credentials expire at {found.expiration}")
        return found


def session_region(found: RolesAnywhere) -> str:
    """Returns the region of --region, else the trust anchor's. Raises RequestError for ARNs that do not match."""
    region = check_arns(found.profile_arn, found.role_arn, found.trust_anchor_arn)
    return found.region or region


def _duration(settings: RunSettings, found: RolesAnywhere) -> int:
    # --duration of other programs is that of the role; without a role, it is that of the session.
    text = found.duration if settings.assumeRole or not settings.duration else settings.duration
    number = text.removesuffix("s")
    if not (number.isdecimal() and number.isascii() and 900 <= int(number[:9]) <= 43200):
        raise UsageError(f"--session-duration {text!r} is not a number of seconds from 900 to 43200")
    return int(number)
