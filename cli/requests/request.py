"""The request that a user describes in curl's words, and what it is signed for."""

import argparse
import contextlib
import os
import re
import stat
import sys
from collections.abc import Iterator
from shutil import copyfileobj
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast
from urllib.parse import quote, unquote_to_bytes

from sigv4.canonical import S3, credential_scope, rules_for
from sigv4.hosts import scope_of
from sigv4.request import FileBody, Request, split_url

from ..credentials.sts import environ_of
from ..terminal.files import read_small
from ..terminal.messages import UsageError
from ..terminal.options import Untyped
from .options import add_sigv4a_use_options, region_of, region_set_of, use_args

__all__ = ["add_body_options", "add_request_options", "check_ends", "payload_unsigned", "place_of", "request_of"]

_FORM = "application/x-www-form-urlencoded"
_IN_MEMORY = 1 << 23  # octets of a body from a pipe; more goes to a file without a name
_URL_CHARACTERS = "%!#$&'()*+,/:;=?@[]~"


def add_request_options(parser: argparse.ArgumentParser) -> None:
    """URL, method, headers; service and region, or the set of regions and the key of SigV4A."""
    parser.add_argument(
        "url", metavar="URL", help="what is asked for, https://HOST/PATH?QUERY, or s3://BUCKET/KEY"
    )
    parser.add_argument(
        "-X", "--request", metavar="METHOD", help="GET, PUT, ... (default: GET, or what a body asks)"
    )
    parser.add_argument(
        "-H",
        "--header",
        action="append",
        metavar="LINE",
        help="a header, 'Name: value', or @FILE with one a line; repeatable; signed as AWS does",
    )
    parser.add_argument(
        "--service",
        metavar="NAME",
        help="the service's name in signatures, such as s3 (default: what the host says)",
    )
    parser.add_argument(
        "--region",
        metavar="REGION",
        help="the region to sign for (default: what the host says, else the profile's)",
    )
    add_sigv4a_use_options(parser)


def add_body_options(parser: argparse.ArgumentParser) -> None:
    """What is sent."""
    parser.add_argument(
        "-d",
        "--data",
        action="append",
        metavar="DATA",
        help="the body, or @FILE, or @- for stdin, octet by octet; POST, and a form unless -H has a Content-Type; "
        "given again, joined by &",
    )
    parser.add_argument("-T", "--upload-file", metavar="FILE", help="a file as the body (- for stdin); PUT")
    parser.add_argument(
        "--unsigned-payload",
        action="store_true",
        help="leave the body out of the signature (by https: S3, EBS, Lex, MediaStore, HealthOmics)",
    )


@contextlib.contextmanager
def request_of(args: Untyped) -> "Iterator[Request]":
    """The request, not signed; the file of its body is closed at the end. Raises UsageError, RequestError."""
    url = _bucket_url(args) if args.url.startswith("s3://") else _address(args.url, args.service)
    headers = [pair for line in args.header or () for pair in _headers(line)]
    body: bytes | FileBody | None = None
    data, upload = vars(args).get("data"), vars(args).get("upload_file")
    if data and upload is not None:
        raise UsageError("-d and -T are both given: a request has one body")
    if data:
        body = _file_body(data[0][1:]) if len(data) == 1 and data[0].startswith("@") else _joined(data)
        if not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("Content-Type", _FORM))
    elif upload is not None:
        body = _file_body(upload)
    usual = "POST" if data else "PUT" if upload is not None else "GET"
    try:
        # AWS knows methods in capitals only, and a signature is for one in capitals.
        yield Request((args.request or usual).upper(), url, headers, body)
    finally:
        if isinstance(body, FileBody):
            body.close()


def check_ends(request: "Request") -> None:
    """Raises UsageError for headers that say where the request ends, which its body says."""
    ours = ("connection", "content-length", "transfer-encoding")
    if name := next((name for name, _ in request.headers if name.lower() in ours), None):
        raise UsageError(f"header {name} is made from the body: leave it out")


def place_of(args: Untyped, request: "Request") -> tuple[str, str]:
    """Service and region, or set of regions, to sign for.

    Raises UsageError where nothing tells, RequestError for unfit names.
    """
    found = scope_of(request.url)
    regions = region_set_of(args, found)
    service = args.service or found.service
    if not service:
        raise UsageError("the host does not say which service it is: give --service, such as --service s3")
    region = args.region or found.region or (region_of(args) if regions is None else "any")
    credential_scope("19700101T000000Z", region, service)
    payload_unsigned(args, service, request)
    return service, region if regions is None else regions


def payload_unsigned(args: Untyped, service: str, request: "Request") -> bool:
    """Whether the body stays out of the signature. Raises UsageError where the service takes no such request."""
    fit = rules_for(service).may_be_unsigned and request.url.startswith("https:")
    unsigned = bool(vars(args).get("unsigned_payload"))
    if unsigned and not fit:
        raise UsageError(
            "--unsigned-payload is for S3 by https, and for uploads to EBS, Lex, MediaStore and HealthOmics; "
            "other requests need a signed body"
        )
    return unsigned or (fit and _unsigned_by_profile(args, service))


def _unsigned_by_profile(args: Untyped, service: str) -> bool:
    """Whether the s3 section of the profile says so."""
    profile = use_args(args).settings
    if profile is None or rules_for(service) is not S3:
        return False
    return str(profile.section("s3").get("payload_signing_enabled", "")).lower() == "false"


def _bucket_url(args: Untyped) -> str:
    """Where s3://BUCKET/KEY is, the key as it is called, not percent-encoded. Notes service and region."""
    from sigv4.s3 import locate, read_s3_settings, split_bucket_key  # late: for s3:// only

    bucket, key = split_bucket_key(args.url.removeprefix("s3://"))
    used = use_args(args)
    found = locate(bucket, _client_region(args, bucket), read_s3_settings(environ_of(used), used.settings))
    args.service = args.service or found.service
    args.region = None if found.multi_region else found.region
    return f"{found.url}/{quote(key, safe='/-._~')}"


def _client_region(args: Untyped, bucket: str) -> str:
    """The region that is asked from: where nobody says it, that of an access point's ARN. Raises UsageError."""
    from sigv4.s3 import arn_region  # late: for s3:// only

    try:
        return region_of(args, args.region)
    except UsageError:
        if (own := arn_region(bucket)) is None:
            raise
        return own


def _address(url: str, service: str | None) -> str:
    """The URL as it goes over the wire, for the service of that name, or the one that the host says."""
    parts = split_url(url)
    if parts.username is not None:
        raise UsageError("the URL has a user name; a signed request has none: remove it")
    if parts.fragment or url.endswith("#"):
        raise UsageError("the URL has a #, and what follows is not sent; write %23 for a # in a name")
    if not parts.netloc.isascii():
        raise UsageError("the URL's host is not ASCII: write it in IDNA, xn--...")
    place, question, query = quote(url, safe=_URL_CHARACTERS).partition("?")
    if rules_for(service or scope_of(url).service or "") is S3:
        place = _object_url(place)
    return f"{place}{question}{_query(query)}"


def _query(query: str) -> str:
    """A query as a server that checks its signature has it again after decoding: each octet in its one form.

    As typed, a/b or a+b would be sent as signed, and the server would reckon with a%2Fb and a%20b.
    """
    pairs = (piece.partition("=") for piece in query.replace("+", "%20").split("&") if piece)
    return "&".join(f"{_encoded(name)}{sign}{_encoded(value)}" for name, sign, value in pairs)


def _encoded(text: str) -> str:
    return quote(unquote_to_bytes(text), safe="-._~")


def _object_url(url: str) -> str:
    """The URL with its path in the one form by which S3 reckons; other services take the path as it comes."""
    parts = split_url(url)
    # Dots that are encoded stay so: a client or a proxy would take them for directories.
    segments = [
        part if part.lower().replace("%2e", ".") in (".", "..") else _encoded(part)
        for part in parts.path.replace("%2F", "/").replace("%2f", "/").split("/")
    ]
    return parts._replace(path="/".join(segments) or "/").geturl()


def _headers(line: str) -> list[tuple[str, str]]:
    if not line.startswith("@"):
        return [_header(line)]

    try:
        text = read_small(line[1:]).decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{line[1:]} is not UTF-8: save it as such") from None
    return [_header(one) for one in text.split("\n") if one.strip()]


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    # Without the line, which may hold a key (SSE-C).
    if not colon or not name.strip():
        raise UsageError("a header (-H) is written 'Name: value', or @FILE")
    if not value.strip():
        raise UsageError(f"header {name.strip()!r} has no value: give one, or leave it out")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError(f"header {name.strip()!r} is not UTF-8: write it so, or percent-encoded") from None
    # Folding is one blank (RFC 9110 §5.5), and so is it signed.
    return name.strip(), re.sub(r"\s*\n[ \t]+", " ", value.strip())


def _joined(pieces: list[str]) -> bytes:
    return b"&".join(
        read_small(piece[1:]) if piece.startswith("@") else piece.encode("utf-8", "surrogateescape")
        for piece in pieces
    )


def _file_body(path: str) -> "FileBody":
    """The content of a file, or of stdin. Raises UsageError."""
    if not path:
        raise UsageError("the name of the file with the body is empty; give a file, or - for stdin")
    if path == "-" and sys.stdin is None:  # as it is where somebody closed it
        raise UsageError("standard input is closed, and the body was to come from there")
    from sigv4.files import open_input  # late: most requests have no body

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
