"""Signature Version 4's canonical request and string to sign, as pure functions.

Source: "Create a signed AWS API request" in the AWS IAM User Guide; for details that the guide leaves open,
botocore. Known differences from botocore: a raw non-ASCII query is percent-encoded as the server does it;
non-ASCII spaces in a header are left unchanged.
"""

import re
from collections.abc import Callable, Iterable
from hashlib import sha256
from urllib.parse import quote

from .characters import DIGITS, LETTERS, has_only
from .errors import RequestError
from .request import FileBody, Request, host_header, split_url

__all__ = [
    "ALGORITHM",
    "GENERIC",
    "S3",
    "UNSIGNED_PAYLOAD",
    "Rules",
    "canonical_request",
    "credential_scope",
    "payload_hash",
    "rules_for",
    "signed_headers",
    "string_to_sign",
]

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"

# Hop-by-hop and client headers (botocore's list). Proxies change them, which would invalidate a signature.
_NEVER_SIGNED = frozenset(
    (
        "baggage",
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "traceparent",
        "tracestate",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-amzn-trace-id",
    )
)


class Rules:
    """The signing rules of a service.

    If True, `normalize_path` resolves "." and ".." segments of the path and merges repeated slashes, and
    `encode_path` percent-encodes the already encoded path again. `hash_header` adds and signs
    X-Amz-Content-SHA256. `presign_unsigned` omits the body from the signatures of presigned URLs.
    `may_be_unsigned` allows unsigned bodies over HTTPS, and `never_signed` omits all bodies from signatures.
    `sign_token` includes the session token in signatures. `headers` is a function that returns additional header
    fields for a request.
    """

    __slots__ = (
        "encode_path",
        "hash_header",
        "headers",
        "may_be_unsigned",
        "never_signed",
        "normalize_path",
        "presign_unsigned",
        "sign_token",
    )

    def __init__(
        self,
        *,
        normalize_path: bool = True,
        encode_path: bool = True,
        hash_header: bool = False,
        presign_unsigned: bool = False,
        may_be_unsigned: bool = False,
        never_signed: bool = False,
        sign_token: bool = True,
        headers: Callable[[Request], Iterable[tuple[str, str]]] | None = None,
    ) -> None:
        self.normalize_path = normalize_path
        self.encode_path = encode_path
        self.hash_header = hash_header
        self.presign_unsigned = presign_unsigned
        self.may_be_unsigned = may_be_unsigned
        self.never_signed = never_signed
        self.sign_token = sign_token
        self.headers = headers


def _glacier_headers(request: Request) -> Iterable[tuple[str, str]]:
    from .glacier import headers  # late: other services do not need it

    return headers(request)


GENERIC = Rules()
S3 = Rules(normalize_path=False, encode_path=False, hash_header=True, presign_unsigned=True, may_be_unsigned=True)
_STREAMING = Rules(may_be_unsigned=True)
# By signing name. Sources: botocore's auth.py, handlers.py and models (operations of auth type v4-unsigned-body);
# the developer guides of OpenSearch Serverless and VPC Lattice; "Connecting to AWS IoT Core by MQTT over WSS".
_RULES = {
    "aoss": Rules(hash_header=True),
    "ebs": _STREAMING,
    "glacier": Rules(hash_header=True, headers=_glacier_headers),
    "iotdevicegateway": Rules(sign_token=False),
    "lex": _STREAMING,
    "mediastore": _STREAMING,
    "omics": _STREAMING,
    "s3": S3,
    "s3-object-lambda": S3,
    "s3-outposts": S3,
    "s3express": S3,
    "vpc-lattice-svcs": Rules(presign_unsigned=True, never_signed=True),
}


def rules_for(service: str) -> Rules:
    """Returns the signing rules of the service with a signing name; the general rules for an unknown name."""
    return _RULES.get(service, GENERIC)


def _normalize(path: str) -> str:
    """Returns the path with dot segments resolved (RFC 3986 §5.2.4) and repeated slashes merged, as AWS does."""
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if segments:
                segments.pop()
        elif segment and segment != ".":
            segments.append(segment)
    return "/" + "/".join(segments) + ("/" if segments and path.endswith("/") else "")


def _canonical_path(path: str, rules: Rules) -> str:
    if rules.normalize_path:
        path = _normalize(path)
    if not rules.encode_path:
        return path
    return quote(path or "/", safe="/~")


def _canonical_query(query: str) -> str:
    if not query:
        return ""
    if not query.isascii():
        query = re.sub(r"[^\x00-\x7f]+", lambda match: quote(match[0]), query)
    pairs = sorted(pair.partition("=")[::2] for pair in query.split("&"))
    return "&".join(f"{key}={value}" for key, value in pairs)


def _signed_values(request: Request) -> dict[str, list[str]]:
    """Returns a mapping from lower-case name to values, for the headers that the signature covers.

    Whitespace at both ends of a value is removed, and any other whitespace is replaced by one space.
    """
    values: dict[str, list[str]] = {}
    for name, value in request.headers:
        if (key := name.lower()) not in _NEVER_SIGNED:
            # Only ASCII whitespace, as in AWS's own library.
            values.setdefault(key, []).append(b" ".join(value.encode("utf-8").split()).decode("utf-8"))
    if "host" not in values:
        values["host"] = [host_header(request.url)]
    return values


def signed_headers(request: Request) -> str:
    """Returns the names of the signed headers, such as "host;x-amz-date"."""
    return ";".join(sorted(_signed_values(request)))


def payload_hash(request: Request) -> str:
    """Returns the SHA-256 of the body in hex. A missing body is hashed as an empty one."""
    if isinstance(request.body, FileBody):
        return request.body.sha256()
    return sha256(request.body or b"").hexdigest()


def canonical_request(request: Request, rules: Rules = GENERIC, *, unsigned_payload: bool = False) -> str:
    """Returns the canonical request of `request`, which must already have the headers that signing adds.

    The payload hash is the value of an X-Amz-Content-SHA256 header. Without this header, it is UNSIGNED-PAYLOAD if
    `unsigned_payload` is True, and otherwise the hash of the body.
    """
    parts = split_url(request.url)
    headers = _signed_values(request)
    names = sorted(headers)
    payload = request.header("x-amz-content-sha256")
    if payload is None:
        payload = UNSIGNED_PAYLOAD if unsigned_payload else payload_hash(request)
    lines = [request.method.upper(), _canonical_path(parts.path, rules), _canonical_query(parts.query)]
    lines += [f"{name}:{','.join(headers[name])}" for name in names]
    lines += ["", ";".join(names), payload]
    return "\n".join(lines)


def credential_scope(stamp: str, region: str, service: str) -> str:
    """Returns the credential scope, such as 20150830/us-east-1/iam/aws4_request, for the day of a time stamp.

    Raises RequestError for an invalid region or service name.
    """
    for kind, name, example in (("region", region, "us-east-1"), ("service", service, "sts")):
        if not has_only(name, LETTERS + DIGITS + "._-"):
            raise RequestError(f"{name!r} is not a valid {kind} name; use e.g. {example}")
    return f"{stamp[:8]}/{region}/{service}/aws4_request"


def string_to_sign(canonical: str, stamp: str, region: str, service: str) -> str:
    """Returns the string to sign: algorithm, time stamp, scope, and SHA-256 of the canonical request."""
    digest = sha256(canonical.encode("utf-8")).hexdigest()
    return "\n".join((ALGORITHM, stamp, credential_scope(stamp, region, service), digest))
