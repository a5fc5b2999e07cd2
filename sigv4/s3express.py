"""Sessions of S3's directory buckets: credentials for one bucket, valid for five minutes.

Source: CreateSession in the Amazon S3 API Reference, and botocore's S3ExpressAuth.
"""

import re
from typing import TYPE_CHECKING, Any

from .client import StsClient
from .credentials import Credentials
from .endpoints import Endpoint
from .errors import ResponseError
from .request import Request, split_url
from .signer import Signer, hmac_from_secret
from .sts import Operation
from .times import is_rfc3339
from .xml import Document

if TYPE_CHECKING:
    from collections.abc import Callable

    from .http import HttpClient
    from .retry import Policy

__all__ = ["CreateSession", "SessionSigner", "bucket_of", "session_signer"]

_SERVICE = "s3express"
_BUCKET = re.compile(r"[^./]+--xa?-s3")


class SessionSigner(Signer):
    """Signs with the credentials of a session."""

    session_field = "X-Amz-S3session-Token"


class CreateSession(Operation[Credentials]):
    """Opens a session with the most that the caller may do: reading and writing, else reading."""

    def result(self, document: Document) -> Credentials:
        path = f"{document.root}/Credentials/"
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
        key_id, secret, token, expiration = (document.one(path + name) for name in names)
        if not (re.fullmatch(r"[A-Za-z0-9_]+", key_id) and re.fullmatch(r"[!-~]+", secret + token)):
            raise ResponseError("the response has no credentials of a session; check the endpoint")
        if not is_rfc3339(expiration):
            raise ResponseError("the response's Expiration is not a valid RFC 3339 time; check the endpoint")
        return Credentials(key_id, secret, token, expiration)


class _SessionClient(StsClient):
    def _request(self, operation: Operation[Any]) -> Request:
        return Request("GET", self._endpoint.url)

    def _signed(self, request: Request) -> Request:
        moment = self._signer.signing_time(self._clock() + self._offset)
        return self._signer.sign(request, self._endpoint.region, _SERVICE, moment)


def bucket_of(request: Request) -> str | None:
    """The URL of the directory bucket whose session a request takes; None for a request that takes none.

    Those of buckets themselves (s3express-control, HeadBucket), CreateSession and copies take none.
    """
    parts = split_url(request.url)
    host, path = parts.hostname or "", parts.path
    if host.startswith("s3express-control") or request.header("x-amz-copy-source") is not None:
        return None
    if _BUCKET.fullmatch(host.partition(".")[0]):
        base, key = "/", path.removeprefix("/")
    elif (segments := path.split("/", 2)) and len(segments) > 1 and _BUCKET.fullmatch(segments[1]):
        base, key = f"/{segments[1]}", segments[2] if len(segments) > 2 else ""
    else:
        return None
    opens = re.search(r"(^|&)session(=|&|$)", parts.query)
    if opens or (request.method == "HEAD" and not key):
        return None
    return parts._replace(path=base, query="", fragment="").geturl()


def session_signer(
    signer: Signer,
    bucket: str,
    region: str,
    http: "HttpClient",
    policy: "Policy | None" = None,
    warn: "Callable[[str], None] | None" = None,
) -> SessionSigner:
    """Signs for the directory bucket at URL `bucket`, by a session that `signer` opens.

    Raises what `StsClient.call` does.
    """
    endpoint = Endpoint(f"{bucket}?session", region, _SERVICE)
    found = _SessionClient(signer, endpoint, http, policy=policy, warn=warn).call(CreateSession())
    return SessionSigner(found.access_key_id, hmac_from_secret(found.secret_access_key), found.session_token)
