"""Sessions of S3's directory buckets: temporary credentials for one bucket, valid for five minutes.

Source: CreateSession in the Amazon S3 API Reference, and botocore's S3ExpressAuth.
"""

import re
from typing import TYPE_CHECKING

from .client import AwsClient
from .credentials import Credentials
from .endpoints import Endpoint
from .errors import ResponseError
from .operation import Operation
from .request import Request, split_url
from .signer import Signer, hmac_from_secret
from .times import is_rfc3339
from .xml import Document

if TYPE_CHECKING:
    from collections.abc import Callable

    from .http import HttpClient
    from .retry import RetryPolicy

__all__ = ["CreateSession", "SessionSigner", "bucket_of", "create_session_signer"]

_SERVICE = "s3express"
_BUCKET = re.compile(r"[^./]+--xa?-s3")


class SessionSigner(Signer):
    """A signer with the temporary credentials of an S3 Express session."""

    session_field = "X-Amz-S3session-Token"


class CreateSession(Operation[Credentials]):
    """Creates a session with all permissions that the caller has for the bucket: read and write, or read only."""

    def request(self, url: str) -> Request:
        """Returns the unsigned request to the bucket at `url`."""
        return Request("GET", url)

    def result(self, document: Document) -> Credentials:
        path = f"{document.root}/Credentials/"
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
        key_id, secret, token, expiration = (document.one(path + name) for name in names)
        if not (re.fullmatch(r"[A-Za-z0-9_]+", key_id) and re.fullmatch(r"[!-~]+", secret + token)):
            raise ResponseError("the response has no valid session credentials; check the endpoint")
        if not is_rfc3339(expiration):
            raise ResponseError("the response's Expiration is not a valid RFC 3339 time; check the endpoint")
        return Credentials(key_id, secret, token, expiration)


def bucket_of(request: Request) -> str | None:
    """Returns the URL of the directory bucket whose session signs a request; None if no session is needed.

    Requests about buckets (s3express-control, HeadBucket), CreateSession and copies need no session.
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
    creates_session = re.search(r"(^|&)session(=|&|$)", parts.query)
    if creates_session or (request.method == "HEAD" and not key):
        return None
    return parts._replace(path=base, query="", fragment="").geturl()


def create_session_signer(
    signer: Signer,
    bucket: str,
    region: str,
    http: "HttpClient",
    policy: "RetryPolicy | None" = None,
    warn: "Callable[[str], None] | None" = None,
) -> SessionSigner:
    """Creates a session with `signer`, and returns the session's signer.

    `bucket` is the URL of the directory bucket. Raises the errors of `AwsClient.call`.
    """
    endpoint = Endpoint(f"{bucket}?session", region, _SERVICE)
    session = AwsClient(signer, endpoint, http, policy=policy, warn=warn).call(CreateSession())
    return SessionSigner(session.access_key_id, hmac_from_secret(session.secret_access_key), session.session_token)
