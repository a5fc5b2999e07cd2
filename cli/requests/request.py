"""Builds the request that a user describes with curl's options, and the scope of its signature."""

import contextlib
import os
import re
import stat
import sys
from collections.abc import Iterator
from shutil import copyfileobj
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast
from urllib.parse import quote, unquote_to_bytes

from sigv4.canonical import S3, credential_scope, rules_for
from sigv4.hosts import scope_of
from sigv4.request import FileBody, Request, split_url

from ..terminal.files import read_small
from ..terminal.messages import UsageError
from .options import BodySettings, Caller, RequestSettings, region_of, region_set_of

if TYPE_CHECKING:
    from sigv4.config import Profile  # most signatures need no AWS config file

__all__ = ["SigningScope", "check_ends", "open_request"]

_FORM = "application/x-www-form-urlencoded"
_IN_MEMORY = 1 << 23  # bytes of a piped body in memory; a longer body goes to an unnamed file
_URL_CHARACTERS = "%!#$&'()*+,/:;=?@[]~"


class SigningScope(NamedTuple):
    """The region and service that a signature is valid for; for SigV4A, `region_set` replaces the region.

    If `unsigned_payload` is True, the signature does not cover the body.
    """

    service: str
    region: str
    region_set: str | None
    unsigned_payload: bool

    @property
    def regions(self) -> str:
        """The region of a SigV4 signature, or the set of regions of a SigV4A signature."""
        return self.region if self.region_set is None else self.region_set


@contextlib.contextmanager
def open_request(
    args: RequestSettings, caller: Caller, body: BodySettings | None = None, *, method: str | None = None
) -> Iterator[tuple[Request, SigningScope]]:
    """Yields the unsigned request and the scope of its signature; closes the body's file when the block ends.

    `method` is used if the options contain no method and no body. Raises UsageError for invalid options,
    RequestError for an invalid URL or header.
    """
    service, region = args.service, args.region
    if args.url.startswith("s3://"):
        url, service, region = _bucket_url(args, caller)
    else:
        url = _address(args.url, service)
    headers = [pair for line in args.header or () for pair in _headers(line)]
    content, usual = _content(body, headers)
    try:
        # AWS supports only methods in capitals, which the signature covers.
        request = Request((args.request or method or usual).upper(), url, headers, content)
        unsigned = body is not None and body.unsigned_payload
        yield request, _signing_scope(args, caller, request, service, region, unsigned=unsigned)
    finally:
        if isinstance(content, FileBody):
            content.close()


def _content(body: BodySettings | None, headers: list[tuple[str, str]]) -> tuple[bytes | FileBody | None, str]:
    """Returns (body, default method); adds Content-Type to `headers` for a form.

    Raises UsageError if -d and -T are both given, or if a file cannot be read.
    """
    data, upload = (None, None) if body is None else (body.data, body.upload_file)
    if data and upload is not None:
        raise UsageError("-d and -T are both given; give one body")
    if data:
        content = _file_body(data[0][1:]) if len(data) == 1 and data[0].startswith("@") else _join_bodies(data)
        if not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("Content-Type", _FORM))
        return content, "POST"
    return (None, "GET") if upload is None else (_file_body(upload), "PUT")


def check_ends(request: "Request") -> None:
    """Raises UsageError for a Connection, Content-Length or Transfer-Encoding header, which the client sets."""
    ours = ("connection", "content-length", "transfer-encoding")
    if name := next((name for name, _ in request.headers if name.lower() in ours), None):
        raise UsageError(f"header {name} is derived from the body; remove it")


def _signing_scope(
    args: RequestSettings,
    caller: Caller,
    request: Request,
    service: str | None,
    region: str | None,
    *,
    unsigned: bool,
) -> SigningScope:
    """Returns the scope of a request's signature.

    Raises UsageError if the service or region is unknown, RequestError for invalid names.
    """
    found = scope_of(request.url)
    regions = region_set_of(args, found)
    service = service or found.service
    if not service:
        raise UsageError("cannot derive the service from the host; give --service, such as --service s3")
    region = region or found.region or (region_of(caller) if regions is None else "any")
    credential_scope("19700101T000000Z", region, service)
    return SigningScope(service, region, regions, _is_unsigned(caller, service, request, unsigned=unsigned))


def _is_unsigned(caller: Caller, service: str, request: Request, *, unsigned: bool) -> bool:
    """Returns whether to omit the body from the signature.

    Raises UsageError if --unsigned-payload is given but the service requires a signed body.
    """
    fit = rules_for(service).may_be_unsigned and request.url.startswith("https:")
    if unsigned and not fit:
        raise UsageError(
            "--unsigned-payload is only for S3 over HTTPS, and for uploads to EBS, Lex, MediaStore and "
            "HealthOmics; other requests need a signed body"
        )
    return unsigned or (fit and _is_unsigned_by_profile(caller.aws.profile, service))


def _is_unsigned_by_profile(profile: "Profile | None", service: str) -> bool:
    """Returns whether the s3 section of the profile disables payload signing."""
    if profile is None or rules_for(service) is not S3:
        return False
    return str(profile.section("s3").get("payload_signing_enabled", "")).lower() == "false"


def _bucket_url(args: RequestSettings, caller: Caller) -> tuple[str, str, str | None]:
    """Returns (URL, service, region) for a URL argument s3://BUCKET/KEY, in which KEY is not percent-encoded.

    The region is None for a multi-region access point.
    """
    from sigv4.s3 import locate, read_s3_settings, split_bucket_key  # noqa: PLC0415 - for s3:// only

    bucket, key = split_bucket_key(args.url.removeprefix("s3://"))
    region = _client_region(caller, bucket, args.region)
    found = locate(bucket, region, read_s3_settings(caller.aws.environ, caller.aws.profile))
    url = f"{found.url}/{quote(key, safe='/-._~')}"
    return url, args.service or found.service, None if found.multi_region else found.region


def _client_region(caller: Caller, bucket: str, given: str | None) -> str:
    """Returns the region from `given`, the settings, or the ARN of an access point, in this order.

    Raises UsageError if no region is found.
    """
    from sigv4.s3 import arn_region  # noqa: PLC0415 - for s3:// only

    try:
        return region_of(caller, given)
    except UsageError:
        if (own := arn_region(bucket)) is None:
            raise
        return own


def _address(url: str, service: str | None) -> str:
    """Returns the URL of the request, percent-encoded for the service.

    `service` is the signing name; by default, the host name determines the service. Raises UsageError for a URL
    with a user name, a fragment or a non-ASCII host.
    """
    parts = split_url(url)
    if parts.username is not None:
        raise UsageError("the URL contains a user name, which a signed request cannot have; remove it")
    if parts.fragment or url.endswith("#"):
        raise UsageError("the URL contains a # with a fragment, which is not sent; write %23 for a # in a name")
    if not parts.netloc.isascii():
        raise UsageError("the URL's host is not ASCII; write it in IDNA (xn--...)")
    place, question, query = quote(url, safe=_URL_CHARACTERS).partition("?")
    if rules_for(service or scope_of(url).service or "") is S3:
        place = _object_url(place)
    return f"{place}{question}{_query(query)}"


def _query(query: str) -> str:
    """Returns the query with each character percent-encoded in the same way as servers do for the signature.

    Servers compute the signature with a%2Fb for a/b, and with a%20b for a+b.
    """
    pairs = (piece.partition("=") for piece in query.replace("+", "%20").split("&") if piece)
    return "&".join(f"{_encode(name)}{sign}{_encode(value)}" for name, sign, value in pairs)


def _encode(text: str) -> str:
    return quote(unquote_to_bytes(text), safe="-._~")


def _object_url(url: str) -> str:
    """Returns an S3 URL with its path percent-encoded in the same way as S3 does for the signature."""
    parts = split_url(url)
    # Encoded dots stay encoded, since clients and proxies would resolve `.` and `..`.
    segments = [
        part if part.lower().replace("%2e", ".") in (".", "..") else _encode(part)
        for part in parts.path.replace("%2F", "/").replace("%2f", "/").split("/")
    ]
    return parts._replace(path="/".join(segments) or "/").geturl()


def _headers(line: str) -> list[tuple[str, str]]:
    if not line.startswith("@"):
        return [_header(line)]

    try:
        text = read_small(line[1:]).decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{line[1:]} is not UTF-8; save it as UTF-8") from None
    return [_header(one) for one in text.split("\n") if one.strip()]


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    # The message omits the header, which may contain a key (SSE-C).
    if not colon or not name.strip():
        raise UsageError("invalid header (-H); use 'Name: value', or @FILE")
    if not value.strip():
        raise UsageError(f"header {name.strip()!r} has no value; add a value, or remove the header")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError(f"header {name.strip()!r} is not UTF-8; save it as UTF-8, or percent-encode it") from None
    # A folded value is signed with one space for each fold (RFC 9110 §5.5).
    return name.strip(), re.sub(r"\s*\n[ \t]+", " ", value.strip())


def _join_bodies(pieces: list[str]) -> bytes:
    return b"&".join(
        read_small(piece[1:]) if piece.startswith("@") else piece.encode("utf-8", "surrogateescape")
        for piece in pieces
    )


def _file_body(path: str) -> "FileBody":
    """Opens a file, or standard input for -, as a request body. Raises UsageError if the file cannot be opened."""
    if not path:
        raise UsageError("the file name of the body is empty; give a file, or - for standard input")
    if path == "-" and sys.stdin is None:  # None if the parent process closed it
        raise UsageError("cannot read the body: standard input is closed; redirect it, or give a file")
    from sigv4.files import open_input  # noqa: PLC0415 - most requests have no body

    source: BinaryIO
    try:
        source = sys.stdin.buffer if path == "-" else open_input(path, silence=None)
        if stat.S_ISREG(os.fstat(source.fileno()).st_mode):
            return FileBody(source)
        with contextlib.ExitStack() as failed, source:
            # A pipe has to be read twice: to be signed, and to be sent.
            spooled = failed.enter_context(SpooledTemporaryFile(_IN_MEMORY))
            copyfileobj(source, spooled)
            failed.pop_all()
        spooled.seek(0)
        return FileBody(cast("BinaryIO", spooled))
    except OSError as error:
        raise UsageError(f"{'stdin' if path == '-' else path}: {error.strerror}") from error
