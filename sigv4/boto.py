"""boto3 with a key that somebody else holds: every request is signed through the given HMAC.

Needs the extra `aws` (boto3), and is imported only by those who ask for it. What is signed stays botocore's own
work (canonical requests, checksums, chunked trailers, presigned URLs and forms); only the signature comes
from the key's holder.
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
    """A boto3 session that signs through `hmac_secret`, which Signer describes: one call per UTC day.

    `account_id` (12 digits) is for services whose endpoints have it in their names. `options` are
    boto3.Session's own: region_name, profile_name, botocore_session and so on. What `hmac_secret` raises
    comes out of the boto3 call at hand. Where a refusal shows that the clock is wrong, the request is signed
    once more with the server's time, and so is all that follows; a warning is logged. Clients that are given
    other keys sign with those. Where AWS prefers SigV4A and takes SigV4 too, it is SigV4, awscrt or not. What
    takes SigV4A only, signature versions 2 and 3, and S3's own of before 2014 end in botocore's
    UnsupportedSignatureVersionError. Raises RequestError for an unfit access key id or session token, and for a
    `profile_name` whose profile assumes a role.
    """
    held = _HeldCredentials(_SharedSigner(access_key_id, hmac_secret, session_token), account_id)
    core = options.pop("botocore_session", None) or botocore.session.Session()
    core._credentials = held
    create_client = core.create_client

    def create_held_client(*args: Any, **kwargs: Any) -> Any:
        client = create_client(*args, **kwargs)
        _hold(client._request_signer)
        if client._get_credentials() is held:
            client.meta.events.register_first("choose-signer.s3", _keep_version)
            if not held.asymmetric:
                _take_next_scheme(client)
            client.meta.events.register_first("needs-retry", held.signer.correct_clock)
        return client

    core.create_client = create_held_client
    made = boto3.Session(botocore_session=core, **options)
    if options.get("profile_name") and "role_arn" in core.get_scoped_config():
        raise RequestError(
            f"profile {options['profile_name']} assumes a role, and this session signs with the key itself; "
            "take the role by refreshing_session"
        )
    return made


def credential_provider(fetch: Callable[[], Credentials]) -> Any:
    """A botocore credential provider over `fetch`, which gets new temporary credentials (an STS call).

    It is asked when they are first needed, and by botocore itself again before they expire: from 15 minutes
    before the end on, or each time where they last for less. Errors of it pass through while the old ones
    hold for less than 10 minutes; before that botocore goes on with the old ones.
    """
    return _Provider(fetch)


def refreshing_session(fetch: Callable[[], Credentials], **options: Any) -> boto3.Session:
    """A boto3 session with the credentials of `credential_provider(fetch)`, before any others that it would find.

    `options` are boto3.Session's own.
    """
    core = options.pop("botocore_session", None) or botocore.session.Session()
    core.get_component("credential_provider").providers.insert(0, credential_provider(fetch))
    return boto3.Session(botocore_session=core, **options)


class _SharedSigner(Signer):
    """A Signer for many threads and many days: the holder is asked once at a time, old days are forgotten.

    `offset` is what the servers' clock is ahead of ours (seconds), as far as it mattered.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._lock = Lock()
        self._stamp = ""  # botocore's time of the last signature, of whatever thread
        self._stamped = 0.0  # and when that was, by the clock that only runs
        self.offset = 0

    def correct_clock(self, response: Any = None, **_more: object) -> int | None:
        """botocore's question whether to send again: 0 for at once, None for no opinion."""
        if response is None or response[0].status_code < 400:
            return None
        answer, parsed = response
        error = parsed.get("Error", {})
        refusal = StsError(error.get("Code", ""), error.get("Message", ""), "", answer.status_code)
        date = parse_http_date(answer.headers.get("Date", ""))
        # The answer to HEAD has no text: its code is the status.
        if date is None or not (may_be_about_time(refusal) or refusal.code == "403"):
            return None
        # An upload may have taken minutes since.
        now = timegm(strptime(self._stamp, SIGV4_TIMESTAMP)) + monotonic() - self._stamped
        offset = round(date - now)
        if abs(offset - self.offset) <= CLOCK_TOLERANCE:
            return None
        self.offset = offset
        where = "behind" if offset > 0 else "ahead of"
        _LOGGER.warning("your clock is %d seconds %s AWS; signing with AWS's time instead", abs(offset), where)
        return 0

    def corrected(self, stamp: str) -> str:
        """A signature's time by the servers' clock, of botocore's by ours."""
        self._stamp, self._stamped = stamp, monotonic()
        return timestamp(timegm(strptime(stamp, SIGV4_TIMESTAMP)) + self.offset) if self.offset else stamp

    def _day_key(self, date: str) -> bytes:
        with self._lock:
            key = super()._day_key(date)
            for old in sorted(self._day_keys)[:-2]:
                del self._day_keys[old]
            return key


class _NotHereError(RequestError, NoCredentialsError):  # type: ignore[misc]
    """There is no secret key. By botocore's name too: boto3's transfers by awscrt then fall back to its own."""

    def __init__(self, message: str) -> None:
        Exception.__init__(self, message)
        self.kwargs = {"message": message}  # what botocore makes it from again in another process


class _HeldCredentials:
    """What botocore takes for credentials, frozen ones included, without a secret key."""

    method = METHOD

    def __init__(self, signer: "_SharedSigner", account_id: str | None) -> None:
        self.signer = signer
        self.access_key = signer.access_key_id
        self.token = signer.session_token
        self.account_id = account_id
        self.asymmetric = False  # whether there is a key of SigV4A too

    def __repr__(self) -> str:
        return f"<held credentials of {self.access_key}>"

    def __reduce__(self) -> str:
        """Raises TypeError: a pickle would hold the day's key."""
        raise TypeError(
            f"the credentials of {self.access_key} cannot be copied or pickled; make a session in each process"
        )

    @property
    def secret_key(self) -> str:
        """Raises RequestError: whoever asks would compute with it."""
        raise _NotHereError(
            f"the secret key of {self.access_key} stays with its holder; sign through this session instead"
        )

    def get_frozen_credentials(self) -> "_HeldCredentials":
        """Itself: nothing in it changes."""
        return self

    def get_deferred_property(self, name: str) -> Callable[[], Any]:
        """A function that gets property `name`."""
        return lambda: getattr(self, name, None)


def _hold(request_signer: Any) -> None:
    """Makes a client's request signer take held credentials to the auth classes below."""
    theirs = request_signer.get_auth_instance

    def get_auth_instance(
        signing_name: str,
        region_name: str,
        signature_version: str | None = None,
        request_credentials: Any = None,
        **options: Any,
    ) -> Any:
        version = signature_version or request_signer.signature_version
        credentials = request_credentials or request_signer._credentials
        # S3 Express and bearer tokens bring what they sign with themselves.
        if isinstance(credentials, _HeldCredentials) and "s3express" not in version and version != "bearer":
            if version not in _AUTHS:
                raise UnsupportedSignatureVersionError(signature_version=version)
            return _AUTHS[version](credentials, signing_name, region_name, **options)
        return theirs(signing_name, region_name, signature_version, request_credentials, **options)

    request_signer.get_auth_instance = request_signer.get_auth = get_auth_instance


def _take_next_scheme(client: Any) -> None:
    """Passes SigV4A over where SigV4 is offered too. With awscrt botocore would choose the first of them."""
    resolver, config = client._ruleset_resolver, client.meta.config
    theirs = resolver.auth_schemes_to_signing_ctx

    def auth_schemes_to_signing_ctx(schemes: list[dict[str, Any]]) -> Any:
        return theirs([scheme for scheme in schemes if scheme["name"] != "sigv4a"] or schemes)

    resolver.auth_schemes_to_signing_ctx = auth_schemes_to_signing_ctx
    client.meta.events.register_first("choose-signer", _take_symmetric)
    if preferred := config.auth_scheme_preference:
        fit = ",".join(name for name in preferred.split(",") if name.strip() != "sigv4a")
        config.auth_scheme_preference = resolver._auth_scheme_preference = type(preferred)(fit) if fit else None


def _take_symmetric(context: dict[str, Any], **_more: object) -> None:
    """The same where no endpoint rule says how to sign ("signing"), but the service's model."""
    offered = context.get("auth_options") or ()
    if context.get("auth_type") == "v4a" and "signing" not in context and "aws.auth#sigv4" in offered:
        context["auth_type"] = "v4"


# The endpoint rules say v4 of S3, whose own variant is meant.
_PRESIGN = {
    f"{version}{kind}": f"s3v4{kind}" for version in ("v4", "s3v4") for kind in ("-query", "-presign-post")
}


def _keep_version(signature_version: str, **_more: object) -> str | None:
    """Before a handler of botocore's, which by default presigns as before 2014 in the regions of that time."""
    return _PRESIGN.get(signature_version)


class _Held:
    """Before one of botocore's auth classes: the signature comes from the credentials' signer."""

    credentials: _HeldCredentials
    _region_name: str
    _service_name: str

    def _modify_request_before_signing(self, request: Any) -> None:
        request.context["timestamp"] = self.credentials.signer.corrected(request.context["timestamp"])
        super()._modify_request_before_signing(request)  # type: ignore[misc]

    def signature(self, string_to_sign: str, request: Any) -> str:
        date = request.context["timestamp"][:8]
        return self.credentials.signer.signature(string_to_sign, date, self._region_name, self._service_name)


# By botocore's signature versions. Its AUTH_TYPE_MAPS may hold classes of awscrt, which sign by themselves.
_AUTHS = {
    version: type(f"Held{base.__name__}", (_Held, base), {})
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
        """Credentials that are got when first used."""
        return DeferredRefreshableCredentials(refresh_using=self._refresh, method=METHOD)

    def _refresh(self) -> dict[str, str | None]:
        found = self._fetch()
        return {
            "access_key": found.access_key_id,
            "secret_key": found.secret_access_key,
            "token": found.session_token,
            "expiry_time": found.expiration,
            "account_id": found.account_id,
        }
