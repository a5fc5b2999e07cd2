"""boto3 sessions whose requests are signed with an HMAC function, such as the HMAC of a key in a TPM.

Needs the extra `aws` (boto3). botocore does everything but the signature: canonical requests, checksums, chunked
trailers, presigned URLs and forms.
"""

import logging
from calendar import timegm
from collections.abc import Callable
from threading import Lock
from time import monotonic, strptime
from typing import Any

import boto3
import botocore.auth
import botocore.session
from botocore.auth import SIGV4_TIMESTAMP
from botocore.credentials import CredentialProvider, DeferredRefreshableCredentials
from botocore.exceptions import NoCredentialsError, UnsupportedSignatureVersionError

from .errors import RequestError, StsError
from .retry import CLOCK_TOLERANCE, may_be_about_time
from .signer import Signer
from .sts import Credentials
from .times import parse_http_date, timestamp

__all__ = ["METHOD", "credential_provider", "refreshing_session", "session"]

_LOGGER = logging.getLogger(__name__)
METHOD = "tpmwire"  # how botocore names the source of these credentials


def session(
    hmac_secret: Callable[[bytes], bytes],
    access_key_id: str,
    *,
    session_token: str | None = None,
    account_id: str | None = None,
    **options: Any,
) -> boto3.Session:
    """Returns a boto3 session that signs with `hmac_secret` (see Signer), which is called once per UTC day.

    `account_id` (12 digits) is for services whose endpoints contain the account. `options` are arguments of
    boto3.Session, such as region_name and profile_name. Errors of `hmac_secret` pass through the boto3 call. If an
    error shows a wrong clock, a warning is logged, and this and all later requests are signed with the server's
    time. A client that is created with its own keys signs with its own keys. If AWS prefers SigV4A but accepts
    SigV4, the session uses SigV4. Requests that require SigV4A, Signature Version 2 or 3, or S3's signature
    version from before 2014 raise botocore's UnsupportedSignatureVersionError. Raises RequestError for an invalid
    access key id or session token, and for a profile that assumes a role.
    """
    credentials = _SignerCredentials(_SharedSigner(access_key_id, hmac_secret, session_token), account_id)
    core = options.pop("botocore_session", None) or botocore.session.Session()
    core._credentials = credentials
    create_client = core.create_client

    def create_signing_client(*args: Any, **kwargs: Any) -> Any:
        client = create_client(*args, **kwargs)
        _use_signer_auths(client._request_signer)
        if client._get_credentials() is credentials:
            client.meta.events.register_first("choose-signer.s3", _keep_version)
            if not credentials.asymmetric:
                _prefer_symmetric(client)
            client.meta.events.register_first("needs-retry", credentials.signer.correct_clock)
        return client

    core.create_client = create_signing_client
    boto_session = boto3.Session(botocore_session=core, **options)
    if options.get("profile_name") and "role_arn" in core.get_scoped_config():
        raise RequestError(
            f"profile {options['profile_name']} assumes a role, but this session signs with the user's key; "
            "use refreshing_session for the role"
        )
    return boto_session


def credential_provider(fetch: Callable[[], Credentials]) -> Any:
    """Returns a botocore credential provider that gets temporary credentials from `fetch`, such as an STS call.

    botocore calls `fetch` for the first request, and again from 15 minutes before the credentials expire. If
    `fetch` returns credentials that are valid for less than 15 minutes, botocore calls it for each request. Errors
    of `fetch` pass through in the last 10 minutes before expiry. Earlier, botocore ignores them, and keeps using
    the old credentials.
    """
    return _Provider(fetch)


def refreshing_session(fetch: Callable[[], Credentials], **options: Any) -> boto3.Session:
    """Returns a boto3 session that uses only the credentials of `credential_provider(fetch)`.

    `options` are the arguments of boto3.Session.
    """
    core = options.pop("botocore_session", None) or botocore.session.Session()
    core.get_component("credential_provider").providers.insert(0, credential_provider(fetch))
    return boto3.Session(botocore_session=core, **options)


class _SharedSigner(Signer):
    """A Signer that several threads can use over several days.

    It computes one HMAC at a time, and keeps the date keys of the latest two days only. `offset` is the servers'
    time minus the local time in seconds, as of the last correction.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._lock = Lock()
        self._stamp = ""  # botocore's time of the last signature, in any thread
        self._stamped = 0.0  # the monotonic time of that signature
        self.offset = 0

    def correct_clock(self, response: Any = None, **_more: object) -> int | None:
        """Adopts the server's time after an error that a wrong clock can cause.

        Handles botocore's needs-retry event: returns 0 to retry with the server's time, or None to leave the
        decision to botocore. `response` is the pair of HTTP response and parsed response, or None.
        """
        if response is None or response[0].status_code < 400:
            return None
        http_response, parsed = response
        error = parsed.get("Error", {})
        failure = StsError(error.get("Code", ""), error.get("Message", ""), "", http_response.status_code)
        date = parse_http_date(http_response.headers.get("Date", ""))
        # A response to HEAD has no body, so botocore uses the status as the code.
        if date is None or not (may_be_about_time(failure) or failure.code == "403"):
            return None
        # An upload may have taken minutes since the signature.
        now = timegm(strptime(self._stamp, SIGV4_TIMESTAMP)) + monotonic() - self._stamped
        offset = round(date - now)
        if abs(offset - self.offset) <= CLOCK_TOLERANCE:
            return None
        self.offset = offset
        where = "behind" if offset > 0 else "ahead of"
        _LOGGER.warning("your clock is %d seconds %s AWS; signing with AWS's time instead", abs(offset), where)
        return 0

    def correct_stamp(self, stamp: str) -> str:
        """Returns botocore's time stamp of a signature, corrected to the servers' clock."""
        self._stamp, self._stamped = stamp, monotonic()
        return timestamp(timegm(strptime(stamp, SIGV4_TIMESTAMP)) + self.offset) if self.offset else stamp

    def _day_key(self, date: str) -> bytes:
        with self._lock:
            key = super()._day_key(date)
            for old in sorted(self._day_keys)[:-2]:
                del self._day_keys[old]
            return key


class _NoSecretKeyError(RequestError, NoCredentialsError):  # type: ignore[misc]
    """Raised when a program reads the secret key, which the session does not have.

    As a subclass of NoCredentialsError, this error makes boto3's awscrt transfers fall back to botocore.
    """

    def __init__(self, message: str) -> None:
        Exception.__init__(self, message)
        self.kwargs = {"message": message}  # botocore uses it to recreate the error in another process


class _SignerCredentials:
    """Credentials for botocore with a signer instead of a secret key; also used as frozen credentials."""

    method = METHOD

    def __init__(self, signer: "_SharedSigner", account_id: str | None) -> None:
        self.signer = signer
        self.access_key = signer.access_key_id
        self.token = signer.session_token
        self.account_id = account_id
        self.asymmetric = False  # True if the session also has a SigV4A key

    def __repr__(self) -> str:
        return f"<credentials of {self.access_key} without secret key>"

    def __reduce__(self) -> str:
        """Raises TypeError, because a pickle would contain the date key (kDate)."""
        raise TypeError(
            f"the credentials of {self.access_key} cannot be copied or pickled; create a session in each process"
        )

    @property
    def secret_key(self) -> str:
        """Always raises RequestError, because the secret key is not available."""
        raise _NoSecretKeyError(
            f"the secret key of {self.access_key} is not available; sign with a client of this boto3 session"
        )

    def get_frozen_credentials(self) -> "_SignerCredentials":
        """Returns the object itself, because these credentials never change."""
        return self

    def get_deferred_property(self, name: str) -> Callable[[], Any]:
        """Returns a function that returns the current value of the property `name`."""
        return lambda: getattr(self, name, None)


def _use_signer_auths(request_signer: Any) -> None:
    """Makes a client's request signer use this module's auth classes for requests with _SignerCredentials."""
    original = request_signer.get_auth_instance

    def get_auth_instance(
        signing_name: str,
        region_name: str,
        signature_version: str | None = None,
        request_credentials: Any = None,
        **options: Any,
    ) -> Any:
        version = signature_version or request_signer.signature_version
        credentials = request_credentials or request_signer._credentials
        # S3 Express and bearer tokens use credentials of their own, and botocore's classes.
        if isinstance(credentials, _SignerCredentials) and "s3express" not in version and version != "bearer":
            if version not in _AUTHS:
                raise UnsupportedSignatureVersionError(signature_version=version)
            return _AUTHS[version](credentials, signing_name, region_name, **options)
        return original(signing_name, region_name, signature_version, request_credentials, **options)

    request_signer.get_auth_instance = request_signer.get_auth = get_auth_instance


def _prefer_symmetric(client: Any) -> None:
    """Makes a client prefer SigV4 over SigV4A; with awscrt, botocore would use the first scheme in the list."""
    resolver, config = client._ruleset_resolver, client.meta.config
    original = resolver.auth_schemes_to_signing_ctx

    def auth_schemes_to_signing_ctx(schemes: list[dict[str, Any]]) -> Any:
        return original([scheme for scheme in schemes if scheme["name"] != "sigv4a"] or schemes)

    resolver.auth_schemes_to_signing_ctx = auth_schemes_to_signing_ctx
    client.meta.events.register_first("choose-signer", _choose_symmetric)
    if preferred := config.auth_scheme_preference:
        schemes = ",".join(name for name in preferred.split(",") if name.strip() != "sigv4a")
        config.auth_scheme_preference = resolver._auth_scheme_preference = (
            type(preferred)(schemes) if schemes else None
        )


def _choose_symmetric(context: dict[str, Any], **_more: object) -> None:
    """Selects SigV4 for an operation that offers SigV4 and SigV4A, unless an endpoint rule requires SigV4A.

    A handler of botocore's choose-signer event.
    """
    offered = context.get("auth_options") or ()
    if context.get("auth_type") == "v4a" and "signing" not in context and "aws.auth#sigv4" in offered:
        context["auth_type"] = "v4"


# For S3, the endpoint rules say v4 but mean S3's own variant.
_PRESIGN = {
    f"{version}{kind}": f"s3v4{kind}" for version in ("v4", "s3v4") for kind in ("-query", "-presign-post")
}


def _keep_version(signature_version: str, **_more: object) -> str | None:
    """Returns S3's SigV4 variant of a signature version for presigning, such as s3v4-query for v4-query.

    For other versions, returns None. botocore's own handler would select the version from before 2014.
    """
    return _PRESIGN.get(signature_version)


class _SignerAuth:
    """A mixin for botocore's auth classes that takes the signature from the signer of the credentials."""

    credentials: _SignerCredentials
    _region_name: str
    _service_name: str

    def _modify_request_before_signing(self, request: Any) -> None:
        request.context["timestamp"] = self.credentials.signer.correct_stamp(request.context["timestamp"])
        super()._modify_request_before_signing(request)  # type: ignore[misc]

    def signature(self, string_to_sign: str, request: Any) -> str:
        date = request.context["timestamp"][:8]
        return self.credentials.signer.signature(string_to_sign, date, self._region_name, self._service_name)


# Keyed by botocore's signature version. botocore's AUTH_TYPE_MAPS may have classes of awscrt, which sign by
# themselves.
_AUTHS = {
    version: type(f"Signer{base.__name__}", (_SignerAuth, base), {})
    for version, base in (
        ("v4", botocore.auth.SigV4Auth),
        ("v4-query", botocore.auth.SigV4QueryAuth),
        ("s3v4", botocore.auth.S3SigV4Auth),
        ("s3v4-query", botocore.auth.S3SigV4QueryAuth),
        ("s3v4-presign-post", botocore.auth.S3SigV4PostAuth),
    )
}


class _Provider(CredentialProvider):  # type: ignore[misc]  # botocore has no types
    METHOD = METHOD
    CANONICAL_NAME = None

    def __init__(self, fetch: Callable[[], Credentials]) -> None:
        super().__init__()
        self._fetch = fetch

    def load(self) -> Any:
        """Returns botocore credentials that are fetched at first use."""
        return DeferredRefreshableCredentials(refresh_using=self._refresh, method=METHOD)

    def _refresh(self) -> dict[str, str | None]:
        credentials = self._fetch()
        return {
            "access_key": credentials.access_key_id,
            "secret_key": credentials.secret_access_key,
            "token": credentials.session_token,
            "expiry_time": credentials.expiration,
            "account_id": credentials.account_id,
        }
