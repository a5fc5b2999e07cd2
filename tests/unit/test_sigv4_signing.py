"""Signatures worked out by hand, and what the signer owes to the key's holder."""

import hashlib
import hmac

import pytest
from botocore.auth import SIGNED_HEADERS_BLACKLIST

from sigv4.canonical import GENERIC, S3, Rules, canonical_request, credential_scope, rules_for, string_to_sign
from sigv4.errors import RequestError
from sigv4.request import Request, host_header
from sigv4.signer import Signer, hmac_from_secret
from sigv4.times import timestamp

SECRET = "made-up/secret+of-this-test"
MIDNIGHT = 1767225600  # 2026-01-01T00:00:00Z
EMPTY = hashlib.sha256(b"").hexdigest()


class Holder:
    """The key's holder: counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def __call__(self, message: bytes) -> bytes:
        self.asked.append(message)
        return hmac.digest(b"AWS4" + SECRET.encode(), message, "sha256")


def _by_hand(text: str, *scope: str) -> str:
    key = b"AWS4" + SECRET.encode()
    for part in (*scope, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def test_a_post_to_sts() -> None:
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    request = Request("POST", "https://sts.eu-central-1.amazonaws.com/", [("Content-Type", "text/x")], body)
    signer = Signer("AKIATEST", hmac_from_secret(SECRET), "tok/en=")
    signed = signer.sign(request, "eu-central-1", "sts", MIDNIGHT)
    canonical = (
        "POST\n/\n\ncontent-type:text/x\nhost:sts.eu-central-1.amazonaws.com\nx-amz-date:20260101T000000Z\n"
        "x-amz-security-token:tok/en=\n\ncontent-type;host;x-amz-date;x-amz-security-token\n"
        + hashlib.sha256(body).hexdigest()
    )
    text = (
        "AWS4-HMAC-SHA256\n20260101T000000Z\n20260101/eu-central-1/sts/aws4_request\n"
        + hashlib.sha256(canonical.encode()).hexdigest()
    )
    assert canonical_request(signed.replace_headers(drop=["Authorization"])) == canonical
    assert string_to_sign(canonical, "20260101T000000Z", "eu-central-1", "sts") == text
    assert signed.header("authorization") == (
        "AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/eu-central-1/sts/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, "
        f"Signature={_by_hand(text, '20260101', 'eu-central-1', 'sts')}"
    )
    assert signed.body == body
    assert request.headers == (("Content-Type", "text/x"),)


def test_a_presigned_url_keeps_repeated_keys_and_hashes_a_body() -> None:
    """botocore drops all values but the first, and cannot presign a body."""
    request = Request("PUT", "https://h.example/p?a=2&a=1&b=&c=%C3%A4", (), b"body")
    url = Signer("AKIATEST", hmac_from_secret(SECRET)).presign(request, "us-east-1", "sts", MIDNIGHT, 60)
    own = (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIATEST%2F20260101%2Fus-east-1%2Fsts%2Faws4_request"
        "&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host"
    )
    canonical = (
        f"PUT\n/p\n{own}&a=1&a=2&b=&c=%C3%A4\nhost:h.example\n\nhost\n{hashlib.sha256(b'body').hexdigest()}"
    )
    text = string_to_sign(canonical, "20260101T000000Z", "us-east-1", "sts")
    signature = _by_hand(text, "20260101", "us-east-1", "sts")
    assert url == f"https://h.example/p?a=2&a=1&b=&c=%C3%A4&{own}&X-Amz-Signature={signature}"


def test_a_session_token_may_stay_outside_the_signature() -> None:
    """As AWS IoT wants it."""
    request = Request("GET", "https://h.example/")
    key = hmac_from_secret(SECRET)
    bare = Signer("AKIATEST", key)
    signer = Signer("AKIATEST", key, "token")
    signed = signer.sign(request, "us-east-1", "iotdata", MIDNIGHT, sign_token=False)
    assert signed.header("Authorization") == bare.sign(request, "us-east-1", "iotdata", MIDNIGHT).header(
        "Authorization"
    )
    assert signed.header("X-Amz-Security-Token") == "token"
    url = signer.presign(request, "us-east-1", "iotdata", MIDNIGHT, 60, sign_token=False)
    start, _, signature = bare.presign(request, "us-east-1", "iotdata", MIDNIGHT, 60).rpartition("&")
    assert url == f"{start}&X-Amz-Security-Token=token&{signature}"


@pytest.mark.parametrize(
    ("path", "general", "not_normalized", "s3"),
    [
        ("", "/", "/", ""),
        ("/", "/", "/", "/"),
        ("//", "/", "//", "//"),
        ("/./a/../b/", "/b/", "/./a/../b/", "/./a/../b/"),
        ("/../../a", "/a", "/../../a", "/../../a"),
        ("/a/..", "/", "/a/..", "/a/.."),
        ("/%41~/+", "/%2541~/%2B", "/%2541~/%2B", "/%41~/+"),
        ("/ä", "/%C3%A4", "/%C3%A4", "/ä"),
    ],
)
def test_paths(path: str, general: str, not_normalized: str, s3: str) -> None:
    request = Request("GET", f"https://h.example{path}")
    variants = (GENERIC, Rules(normalize_path=False), S3)
    lines = [canonical_request(request, rules).split("\n")[1] for rules in variants]
    assert lines == [general, not_normalized, s3]


@pytest.mark.parametrize(
    ("query", "canonical"),
    [
        ("b=1&a=2", "a=2&b=1"),
        ("a=2&a=10&a=1", "a=1&a=10&a=2"),
        ("a", "a="),
        ("=v", "=v"),
        ("a=b=c", "a=b=c"),
        ("A=1&a=2&%41=3", "%41=3&A=1&a=2"),
        ("&", "=&="),
        ("ሴ=ü", "%E1%88%B4=%C3%BC"),
    ],
)
def test_queries(query: str, canonical: str) -> None:
    assert canonical_request(Request("GET", f"https://h.example/?{query}")).split("\n")[2] == canonical


def test_headers_are_trimmed_folded_and_joined() -> None:
    headers = [
        ("B", "  x   y\t"),
        ("a", "1"),
        ("b", "folded\r\n   value"),
        ("User-Agent", "me"),
        ("HOST", "Other"),
    ]
    lines = canonical_request(Request("GET", "https://h.example/", headers)).split("\n")
    assert lines[3:8] == ["a:1", "b:x y,folded value", "host:Other", "", "a;b;host"]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://H.Example:443/", "h.example"),
        ("https://h.example:80/", "h.example:80"),
        ("http://h.example:80/", "h.example"),
        ("https://[FE80::1]:8443/", "[fe80::1]:8443"),
        ("https://user:pw@h.example/", "h.example"),
        ("HTTPS://h.example", "h.example"),
    ],
)
def test_host_header(url: str, host: str) -> None:
    assert host_header(url) == host


def test_s3_says_what_it_signs() -> None:
    signer = Signer("AKIATEST", hmac_from_secret(SECRET))
    request = Request("PUT", "https://b.s3.amazonaws.com/k", [("X-Amz-Content-SHA256", "stale")], b"x")
    signed = signer.sign(request, "us-east-1", "s3", MIDNIGHT)
    assert signed.header("x-amz-content-sha256") == hashlib.sha256(b"x").hexdigest()
    unsigned = signer.sign(request, "us-east-1", "s3", MIDNIGHT, unsigned_payload=True)
    assert unsigned.header("x-amz-content-sha256") == "UNSIGNED-PAYLOAD"
    assert rules_for("s3") is rules_for("s3express") is S3
    assert rules_for("sts") is GENERIC


def test_the_holder_is_asked_once_a_day() -> None:
    holder = Holder()
    signer = Signer("AKIATEST", holder)
    signer.prime("20260101")
    assert holder.asked == [b"20260101"]
    request = Request("GET", "https://h.example/")
    for region in ("us-east-1", "eu-central-1"):
        signer.sign(request, region, "sts", MIDNIGHT + 5)
        signer.presign(request, region, "s3", MIDNIGHT + 86399)
    assert holder.asked == [b"20260101"]
    signer.sign(request, "us-east-1", "sts", MIDNIGHT + 86400)
    assert holder.asked == [b"20260101", b"20260102"]


@pytest.mark.parametrize(
    ("after", "stamp"),
    [(-1, "20260101T235959Z"), (0, "20260101T235959Z"), (239, "20260101T235959Z"), (241, "20260102T000401Z")],
)
def test_just_after_midnight_the_day_before_still_signs(after: int, stamp: str) -> None:
    signer = Signer("AKIATEST", Holder())
    signer.prime("20260101")
    assert timestamp(signer.signing_time(MIDNIGHT + 86400 + after)) == stamp


def test_without_a_primed_day_the_time_is_now() -> None:
    signer = Signer("AKIATEST", Holder())
    assert signer.signing_time(MIDNIGHT + 1) == MIDNIGHT + 1
    signer.prime("20260101")
    assert signer.signing_time(MIDNIGHT + 1) == MIDNIGHT + 1


def test_the_holders_own_error_passes_through() -> None:
    def refuse(_message: bytes) -> bytes:
        raise LookupError("no such key")

    with pytest.raises(LookupError, match="no such key"):
        Signer("AKIATEST", refuse).prime("20260101")


@pytest.mark.parametrize("size", [0, 20, 31, 33])
def test_an_hmac_of_a_wrong_size_is_refused(size: int) -> None:
    with pytest.raises(RequestError, match=f"expected 32 bytes, got {size}"):
        Signer("AKIATEST", lambda _: b"x" * size).prime("20260101")


def test_no_repr_shows_a_secret() -> None:
    key = hmac_from_secret(SECRET)
    signer = Signer("AKIATEST", key, "the-token")
    signer.prime("20260101")
    signed = signer.sign(Request("GET", "https://h.example/?q=the-token"), "us-east-1", "sts", MIDNIGHT)
    day_key = key(b"20260101")
    shown = repr(signer) + repr(key) + repr(signed) + repr(vars(signer))
    for secret in (SECRET, "the-token", day_key.hex(), repr(day_key)):
        assert secret not in shown
    assert "AKIATEST" in repr(signer)


@pytest.mark.parametrize(
    ("act", "pattern"),
    [
        (lambda: Request("GET", "https://h/", [("A", "b\r\nX: y")]), "header A contains a line end"),
        (lambda: Request("GET", "https://h/", [("A", "b\n")]), "header A contains a line end"),
        (lambda: Request("GET", "https://h/", [("A", "b\rc")]), "header A contains a line end"),
        (lambda: Request("GET", "https://h/", [("A", "\0")]), "header A contains a line end"),
        (lambda: Request("GET", "https://h/", [("A:", "b")]), "'A:' is not a valid HTTP header name"),
        (lambda: Request("GET", "https://h/", [("", "b")]), "is not a valid HTTP header name"),
        (lambda: Request("G T", "https://h/"), "'G T' is not a valid HTTP method"),
        (lambda: Request("GET", "https://h/\n"), "control character"),
        (lambda: Request("GET", "ftp://h/"), "must start with https://HOST"),
        (lambda: Request("GET", "https:///p"), "must start with https://HOST"),
        (lambda: Request("GET", "h.example"), "must start with https://HOST"),
        (lambda: Request("GET", "https://h:99999/"), "invalid URL"),
        (lambda: Request("GET", "https://[::1/"), "invalid URL"),
        (lambda: Request("GET", "https://h/\udc80"), "invalid URL"),
        (lambda: Signer("", Holder()), "invalid access key id"),
        (lambda: Signer("AKIA/TEST", Holder()), "invalid access key id"),
        (lambda: Signer("AKIATEST\n", Holder()), "invalid access key id"),
        (lambda: Signer("AKIATEST", Holder(), ""), "invalid session token"),
        (lambda: Signer("AKIATEST", Holder(), "a\r\nb"), "invalid session token"),
        (lambda: Signer("AKIATEST", Holder()).prime("2026"), "'2026' is not a valid date"),
        (lambda: credential_scope("20260101T000000Z", "us/east", "sts"), "'us/east' is not a valid region name"),
        (lambda: credential_scope("20260101T000000Z", "us-east-1", ""), "'' is not a valid service name"),
        (lambda: timestamp(-1), "set the clock"),
        (lambda: timestamp(253402300800), "set the clock"),
        (lambda: timestamp(float("nan")), "set the clock"),
        *(
            (
                lambda expires=expires: Signer("AKIATEST", Holder()).presign(
                    Request("GET", "https://h/"), "us-east-1", "s3", MIDNIGHT, expires
                ),
                "1 to 604800 seconds",
            )
            for expires in (0, -1, 604801)
        ),
    ],
)
def test_unfit_values_are_refused_in_one_line(act, pattern: str) -> None:
    with pytest.raises(RequestError, match=pattern) as caught:
        act()
    assert "\n" not in str(caught.value)


def test_a_request_cannot_be_changed() -> None:
    request = Request("GET", "https://h.example/", [("A", "b")])
    with pytest.raises(AttributeError, match="immutable"):
        request.url = "https://other.example/"
    with pytest.raises(AttributeError, match="immutable"):
        del request.headers
    assert request == Request("GET", "https://h.example/", (("A", "b"),))
    assert hash(request) == hash(Request("GET", "https://h.example/", (("A", "b"),)))
    assert request != Request("GET", "https://h.example/", (("A", "c"),))
    assert request.replace_headers(("a", "c")).headers == (("a", "c"),)


def test_only_ascii_has_blanks() -> None:
    """As awscrt signs it: a no-break space is two octets of the value, not a blank."""
    signed = canonical_request(Request("GET", "https://a/", [("X-A", " a\u00a0b \t\u2003c ")]))
    assert "\nx-a:a\u00a0b \u2003c\n" in signed


@pytest.mark.parametrize("name", sorted(SIGNED_HEADERS_BLACKLIST))
def test_headers_that_proxies_and_clients_change_are_not_signed(name: str) -> None:
    """botocore's list, in any case of letters."""
    request = Request("GET", "https://sts.amazonaws.com/", [(name.title(), "x"), ("X-Other", "y")])
    signed = Signer("AKIATEST", hmac_from_secret(SECRET)).sign(request, "us-east-1", "sts", MIDNIGHT)
    authorization = signed.header("authorization") or ""
    assert "SignedHeaders=host;x-amz-date;x-other," in authorization
    assert signed.header(name) == "x"
