"""Whatever comes from outside ends in a value or in our own error, never in another exception."""

import os
import socket
import threading
import urllib.request
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sigv4.canonical import canonical_request
from sigv4.config import load_config
from sigv4.endpoints import resolve
from sigv4.errors import NetworkError, RequestError, ResponseError, SigV4Error
from sigv4.hosts import scope_of
from sigv4.http import HttpClient, Response
from sigv4.proxy import proxy_for
from sigv4.request import Request, split_url
from sigv4.signer import Signer, hmac_from_secret
from sigv4.sts import AssumeRole, GetSessionToken
from sigv4.times import is_rfc3339, parse_http_date
from sigv4.xml import MAX_SIZE, Document, parse_xml
from tests.support.scripted import STS_ANSWER, http

VALID = f"<?xml version='1.0' encoding='UTF-8'?>\n{STS_ANSWER}".encode()
SNIPPETS = [
    b"<",
    b">",
    b"&",
    b"&amp;",
    b"&#0;",
    b"&#x1F600;",
    b"&lol;",
    b"<![CDATA[x]]>",
    b"<!--",
    b"-->",
    b"<?xml version='1.0' encoding='utf-16'?>",
    b"<?xml version='1.0' encoding='idna'?>",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
    b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'>",
    b"\xff\xfe",
    b"\x00",
    b"\xed\xa0\x80",
    b"</Credentials>",
    b"<Credentials>",
    b" xmlns:a='b'",
    b"<a:b/>",
]


@st.composite
def mutated(draw: st.DrawFn, valid: bytes) -> bytes:
    """`valid` with a few places cut out, overwritten, or repeated."""
    data = valid
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 60)))
        put = draw(
            st.one_of(st.just(b""), st.sampled_from(SNIPPETS), st.binary(max_size=4), st.just(data[start:end] * 2))
        )
        data = data[:start] + put + data[end:]
    return data


@given(data=st.one_of(st.binary(max_size=200), mutated(VALID), st.lists(st.sampled_from(SNIPPETS)).map(b"".join)))
@example(data=b"")
@example(data=VALID.replace(b"UTF-8", b"utf-16"))
@example(data=b"<?xml version='1.0' encoding='\xff'?><a/>")
@example(data=b"<a>" * 100_000)
@example(data=b"<a/>" * 100_000)
@example(data=b"<a>" + b"<b/>" * 100_000 + b"</a>")
def test_xml_gives_credentials_or_a_response_error(data: bytes) -> None:
    try:
        credentials = GetSessionToken().result(parse_xml(data))
    except ResponseError:
        return
    assert credentials.access_key_id
    assert credentials.secret_access_key
    assert credentials.session_token
    assert is_rfc3339(credentials.expiration)


def test_the_valid_document_that_is_mutated_is_valid() -> None:
    assert GetSessionToken().result(parse_xml(VALID)).access_key_id == "ASIAMADEUPMADEUP0000"
    assert parse_xml(VALID).root == "GetSessionTokenResponse"


def test_xml_is_refused_by_size_before_it_is_parsed() -> None:
    with pytest.raises(ResponseError, match="more than the limit of 1048576"):
        parse_xml(b"<" * (MAX_SIZE + 1))


@pytest.mark.parametrize(
    "bomb",
    [
        b"<!DOCTYPE a [<!ENTITY b 'c'><!ENTITY d '&b;&b;'>]><a>&d;</a>",
        b"<!DOCTYPE a SYSTEM 'http://127.0.0.1:1/'><a/>",
        b"<!DOCTYPE a><a/>",
    ],
)
def test_xml_with_a_dtd_is_refused(bomb: bytes) -> None:
    with pytest.raises(ResponseError, match="DOCTYPE"):
        parse_xml(bomb)


text = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x10FFFF, exclude_categories=["Cs", "Cn"]), max_size=20
)


@given(values=st.lists(text, min_size=1, max_size=4))
def test_xml_texts_come_back(values: list[str]) -> None:
    from xml.sax.saxutils import escape

    body = "".join(f"<v{i}>{escape(value)}</v{i}>" for i, value in enumerate(values))
    document: Document = parse_xml(f"<r xmlns='urn:x'>{body}</r>".encode())
    for i, value in enumerate(values):
        assert document.first(f"r/v{i}") == value.strip()


class _Server:
    """Sends given bytes to whoever connects."""

    def __init__(self) -> None:
        self.data = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                client.recv(65536)
                client.sendall(self.data)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture(scope="module")
def server():
    running = _Server()
    yield running
    running.close()


ANSWER = http("200 OK", "<a/>", "Date: Tue, 24 Nov 2026 12:00:00 GMT", "Transfer-Encoding: x")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n<a/>\r\n0\r\nX: y\r\n\r\n"


@given(data=st.one_of(st.binary(max_size=100), mutated(ANSWER), mutated(CHUNKED)))
@example(data=b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n<a/>")
@example(data=b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n")
@example(data=b"HTTP/1.1 999999 OK\r\n\r\n")
@example(data=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n")
@example(data=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n")
@example(data=b"HTTP/9.9 200 OK\r\n\r\n")
@example(data=b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nabc")
def test_http_gives_a_response_or_our_error(server: _Server, data: bytes) -> None:
    server.data = data
    outcome: Response | SigV4Error
    try:
        outcome = HttpClient(5).send(Request("POST", server.url, (), b"x"))
    except (NetworkError, ResponseError) as error:
        outcome = error
    if isinstance(outcome, Response):
        assert 100 <= outcome.status <= 999
    else:
        assert str(outcome).isprintable()


names = st.sampled_from(
    ["example.com", ".example.com", "EXAMPLE.com", "h.example.com", "xexample.com", "127.0.0.1", "*"]
)
odd_names = st.sampled_from(["h.example.com:8080", "[::1]", " ", "", ".", "com"])
entries = st.lists(names | odd_names, max_size=3)
hosts = st.sampled_from(
    ["example.com", "h.example.com", "xexample.com", "H.Example.Com:8080", "127.0.0.1:80", "[::1]:8080"]
)


@given(
    host=hosts,
    lower=st.none() | entries.map(", ".join),
    upper=st.none() | entries.map(",".join),
    proxies=st.dictionaries(
        st.sampled_from(["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"]),
        st.sampled_from(["", "http://p:3128"]),
    ),
    scheme=st.sampled_from(["http", "https"]),
    cgi=st.booleans(),
)
def test_proxies_are_chosen_as_urllib_does(host, lower, upper, proxies, scheme, cgi) -> None:
    environ = dict(proxies)
    for name, value in (("no_proxy", lower), ("NO_PROXY", upper)):
        if value is not None:
            environ[name] = value
    if cgi:
        environ["REQUEST_METHOD"] = "GET"
    with patch.dict(os.environ, environ, clear=True):
        found = urllib.request.getproxies_environment()
        bypassed = urllib.request.proxy_bypass_environment(host)
    expected = None if bypassed else found.get(scheme)
    ours = proxy_for(f"{scheme}://{host}/", environ)
    assert (ours is not None) == (expected is not None)


@given(url=st.one_of(st.text(max_size=40), st.text(max_size=40).map("https://".__add__)))
def test_a_url_is_taken_or_refused(url: str) -> None:
    try:
        parts = split_url(url)
    except RequestError:
        return
    assert parts.hostname
    signed = Signer("AKIATEST", hmac_from_secret("x")).sign(Request("GET", url), "us-east-1", "sts", 0)
    canonical_request(signed).encode()


@given(values=st.tuples(st.text(), st.text(), st.integers(), st.text() | st.none(), st.text() | st.none()))
def test_parameters_are_sent_or_refused(values) -> None:
    arn, name, duration, external, policy = values
    operation = AssumeRole(arn, name, duration, external_id=external, policy=policy)
    try:
        operation.check()
    except RequestError:
        return
    assert operation.form().isascii()


CONFIG = b"""[default]
region = eu-west-1
[profile a]
role_arn: r
source_profile = b
s3 =
  addressing_style = path
[services x]
sts =
  endpoint_url = http://sts.example
"""
LINES = [
    b"[",
    b"]",
    b"=",
    b"key",
    b"  nested",
    b"[profile a]",
    b"[a]",
    b"key =",
    b"%(x)s",
    b"#",
    b";",
    b":",
    b"\0",
    b"\r",
]


@pytest.fixture(scope="module")
def config_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("aws") / "config"


def _is_one_line(error: RequestError) -> None:
    assert "\n" not in str(error)


@given(data=st.one_of(st.binary(max_size=100), mutated(CONFIG), st.lists(st.sampled_from(LINES)).map(b"\n".join)))
@example(data=b"[a]\nkey\n  nested\n")
@example(data=b"\xef\xbb\xbf[a]\n")
@example(data=b"[profile 'a]\n")
@example(data=b"[default]\nservices = a\n  b\n")
@example(data=b"[default]\nrole_arn = r\nsource_profile = a\n  b\n")
@example(data=b"[default]\nendpoint_url = http://a\n  b\n")
def test_a_config_file_gives_profiles_or_a_request_error(config_file: Path, data: bytes) -> None:
    config_file.write_bytes(data)
    files = {"AWS_CONFIG_FILE": str(config_file), "AWS_SHARED_CREDENTIALS_FILE": str(config_file)}
    try:
        loaded = load_config(files)
    except RequestError as error:
        _is_one_line(error)
        return
    for name in loaded:
        profile = loaded.profile(name)
        assert profile.get("role_arn") is None or not profile.section("role_arn")
        try:
            assert loaded.chain(name)[0].name == name
            assert isinstance(resolve("eu-west-1", None, {}, profile).url, str)
        except RequestError as error:
            _is_one_line(error)


@given(
    tags=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
    texts=st.lists(st.text(max_size=30), max_size=3),
)
def test_lists_are_sent_or_refused(tags: dict[str, str], texts: list[str]) -> None:
    operation = AssumeRole(
        "arn:aws:iam::1:role/demo",
        "name",
        policy_arns=texts,
        provided_contexts=[(text, text) for text in texts],
        tags=tags,
        transitive_tag_keys=tags,
    )
    try:
        operation.check()
    except RequestError as error:
        _is_one_line(error)
        return
    assert operation.form().isascii()


@given(
    url=st.one_of(
        st.text(max_size=40), st.from_regex(r"https://[a-z0-9.-]{1,20}\.amazonaws\.com/", fullmatch=True)
    )
)
def test_a_scope_is_derived_or_not(url: str) -> None:
    try:
        scope = scope_of(url)
    except RequestError:
        return
    assert scope.region is None or scope.service is not None


@given(region=st.text(max_size=20), url=st.none() | st.text(max_size=40))
def test_an_endpoint_is_resolved_or_refused(region: str, url: str | None) -> None:
    try:
        endpoint = resolve(region, url)
    except SigV4Error:
        return
    assert split_url(endpoint.url).hostname


@given(
    text=st.one_of(
        st.text(max_size=40), st.from_regex(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")
    )
)
def test_dates_are_read_or_not(text: str) -> None:
    moment = parse_http_date(text)
    assert moment is None or moment >= 0
