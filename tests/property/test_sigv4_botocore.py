"""Differential: exactly botocore's bytes, for header signing and presigning, general and S3."""

import calendar
import datetime
from collections.abc import Iterator
from urllib.parse import unquote

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from sigv4.canonical import GENERIC, S3, canonical_request, string_to_sign
from sigv4.request import Request
from sigv4.signer import Signer, hmac_from_secret
from sigv4.times import timestamp

SECRET = "made/up+secret/for-tests"
KEY_ID = "AKIATESTTESTTEST"

printable = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
path_part = st.one_of(
    st.sampled_from([".", "..", "", "%2F", "%20", "~", "a b", "+", "%7e", "ä", "ሴ"]),
    st.text(printable.filter(lambda c: c not in "/?#[]\\"), max_size=6),
)
query_text = st.text(printable.filter(lambda c: c not in "#[]"), max_size=30)
query_pairs = st.lists(
    st.tuples(
        st.sampled_from(["", "a", "A", "b", "a%20b", "x-y_z.~", "prefix", "%E1%88%B4"]),
        st.text(printable, max_size=4),
    ),
    max_size=5,
)
host = st.sampled_from(
    [
        "sts.amazonaws.com",
        "Bucket.S3.amazonaws.com",
        "sts.amazonaws.com:443",
        "sts.amazonaws.com:80",
        "localhost:4566",
        "127.0.0.1:80",
        "[::1]",
        "[::1]:8443",
        "user:pw@example.com",
    ]
)
header_name = st.one_of(
    st.sampled_from(
        [*botocore.auth.SIGNED_HEADERS_BLACKLIST, "Host", "Content-Type", "User-Agent", "X-Amzn-Trace-Id"]
    ),
    st.sampled_from(
        ["My-Header", "my-header", "MY-HEADER", "X-Amz-Meta-A", "x-amz-meta-a", "Content-MD5", "A_b", "a-b"]
    ),
)
header_value = st.one_of(
    st.sampled_from(["", "  a   b  ", "a\r\n  b", "\t\ttab", '"a   b   c"', "ünï cödé"]),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20),
)
headers = st.lists(st.tuples(header_name, header_value), max_size=6)
time = st.integers(0, 4102444800)
region = st.sampled_from(["us-east-1", "cn-north-1", "us-gov-west-1"])
service = st.sampled_from(["sts", "execute-api", "iam"])
token = st.none() | st.sampled_from(["FwoGZXIvYXdz//+=", "t"])


@st.composite
def url(draw: st.DrawFn) -> str:
    parts = draw(st.lists(path_part, max_size=5))
    scheme = draw(st.sampled_from(["https", "http"]))
    path = "".join("/" + part for part in parts)
    return f"{scheme}://{draw(host)}{path}"


@st.composite
def signable(draw: st.DrawFn) -> Request:
    query = draw(st.one_of(st.just(""), query_text, query_pairs.map(lambda p: "&".join(f"{k}={v}" for k, v in p))))
    query = "".join(c for c in query if c not in "#")
    target = draw(url()) + (f"?{query}" if query else "")
    method = draw(st.sampled_from(["GET", "post", "PUT", "DELETE"]))
    return Request(method, target, draw(headers), draw(st.none() | st.binary(max_size=40)))


class Theirs:
    """A botocore signer at a fixed time, with its intermediate steps."""

    def __init__(
        self, kind: type, request: Request, region: str, service: str, token: str | None, **options: int
    ) -> None:
        self.auth = kind(Credentials(KEY_ID, SECRET, token), service, region, **options)
        self.request = AWSRequest(method=request.method, url=request.url, data=request.body or b"")
        for name, value in request.headers:
            self.request.headers[name] = value

    def add_auth(self) -> None:
        for step in ("canonical_request", "string_to_sign"):
            method = getattr(self.auth, step)

            def keep(*args: object, step: str = step, method: object = method) -> str:
                text: str = method(*args)  # type: ignore[operator]
                setattr(self, step, text)
                return text

            setattr(self.auth, step, keep)
        self.auth.add_auth(self.request)


_now = {"time": 0}


@pytest.fixture(autouse=True, scope="module")
def _clock() -> Iterator[None]:
    """botocore signs at the time of `_now`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            botocore.auth,
            "get_current_datetime",
            lambda *_: datetime.datetime.fromtimestamp(_now["time"], datetime.UTC).replace(tzinfo=None),
        )
        yield


def _signer(token: str | None) -> Signer:
    return Signer(KEY_ID, hmac_from_secret(SECRET), token)


def _same_header_signature(
    kind: type,
    request: Request,
    *,
    t: int,
    region: str,
    service: str,
    token: str | None,
    unsigned: bool,
) -> None:
    _now["time"] = t
    theirs = Theirs(kind, request, region, service, token)
    if unsigned:
        theirs.request.context["payload_signing_enabled"] = False
        theirs.request.context["client_config"] = type("Config", (), {"s3": {"payload_signing_enabled": False}})
    theirs.add_auth()
    rules = S3 if service == "s3" else GENERIC
    signer = _signer(token)
    ours = signer.sign(request, region, service, t, unsigned_payload=unsigned)
    canonical = canonical_request(signer.prepare(request, t, rules, unsigned_payload=unsigned), rules)
    assert canonical == theirs.canonical_request
    assert string_to_sign(canonical, timestamp(t), region, service) == theirs.string_to_sign
    assert ours.header("Authorization") == theirs.request.headers["Authorization"]
    for name in ("X-Amz-Date", "Date", "X-Amz-Security-Token", "X-Amz-Content-SHA256"):
        assert ours.header(name) == theirs.request.headers.get(name)


@given(
    request=signable(),
    t=time,
    region=region,
    service=service,
    token=token,
    unsigned=st.booleans(),
    date=st.booleans(),
)
def test_header_signing_is_botocores(*, request, t, region, service, token, unsigned, date):
    if date:
        request = request.replace_headers(("Date", "Thu, 01 Jan 1970 00:00:00 GMT"))
    _same_header_signature(
        botocore.auth.SigV4Auth, request, t=t, region=region, service=service, token=token, unsigned=unsigned
    )


@given(request=signable(), t=time, region=region, token=token, unsigned=st.booleans())
def test_s3_header_signing_is_botocores(*, request, t, region, token, unsigned):
    _same_header_signature(
        botocore.auth.S3SigV4Auth, request, t=t, region=region, service="s3", token=token, unsigned=unsigned
    )


@given(request=signable(), t=time, region=region, token=token, expires=st.integers(1, 604800), s3=st.booleans())
def test_presigned_url_is_botocores(*, request, t, region, token, expires, s3):
    # botocore takes a body's fields into the query, keeps one of several values of a key, and writes U+FFFD for
    # octets that are no UTF-8: none is a faithful presigning of this request, so they are left out here and have
    # vectors of their own.
    address, _, query = request.url.partition("?")
    once = dict(pair.partition("=")[::2] for pair in query.split("&")) if query else {}
    names = {botocore.auth.unquote(key.replace("+", " ")) for key in once}
    if len(names) != len(once) or "\ufffd" in unquote(query):
        once = {}
    target = address + ("?" + "&".join(f"{k}={v}" for k, v in once.items()) if once else "")
    request = Request(request.method, target, request.headers)
    _now["time"] = t
    kind = botocore.auth.S3SigV4QueryAuth if s3 else botocore.auth.SigV4QueryAuth
    service = "s3" if s3 else "sts"
    theirs = Theirs(kind, request, region, service, token, expires=expires)
    theirs.add_auth()
    assert _signer(token).presign(request, region, service, t, expires) == theirs.request.url


def test_the_clock_of_the_comparison_moves():
    """The fixture above must reach botocore, or all comparisons would be of one moment."""
    request = Request("GET", "https://sts.amazonaws.com/")
    stamps = []
    for moment in ((2015, 8, 30, 12, 36, 0), (2030, 1, 1, 0, 0, 0)):
        _now["time"] = calendar.timegm(moment)
        theirs = Theirs(botocore.auth.SigV4Auth, request, "us-east-1", "sts", None)
        theirs.add_auth()
        stamps.append(theirs.request.headers["X-Amz-Date"])
    assert stamps == ["20150830T123600Z", "20300101T000000Z"]
