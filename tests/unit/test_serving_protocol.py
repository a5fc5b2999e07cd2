"""The server's words: who gets credentials, who gets which refusal, and that nothing that is sent upsets it."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.serving.handler import LONGEST_HEAD
from sigv4.times import rfc3339
from tests.support.credential_server import TOKEN, Running

LIST = "/latest/meta-data/iam/security-credentials/"
TTL = "X-aws-ec2-metadata-token-ttl-seconds"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    made = Running(tmp_path_factory.mktemp("serving"), imds=True)
    with made.server:
        yield made


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path, imds=False)
    with made.server:
        yield made


OPEN = f"Authorization: {TOKEN}"


def test_the_container_endpoint(running: Running) -> None:
    status, head, body = running.ask("GET /credentials", OPEN)
    assert status == 200
    assert json.loads(body).keys() == {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"}
    assert "Server: tpmwire\r\n" in head
    assert "Cache-Control: no-store" in head
    assert "Python" not in head


def test_the_metadata_service(running: Running) -> None:
    for seconds in ("1", "21600"):
        status, head, token = running.ask("PUT /latest/api/token", f"{TTL}: {seconds}")
        assert status == 200
        assert f"{TTL}: {seconds}" in head
    opened = f"X-aws-ec2-metadata-token: {token}"
    assert running.ask(f"GET {LIST}", opened)[::2] == (200, "tpmwire")
    assert running.ask("GET /latest/meta-data/placement/region", opened)[::2] == (200, "eu-central-1")
    status, _, body = running.ask(f"GET {LIST}tpmwire", opened)
    found = json.loads(body)
    assert (status, found["Code"], found["Type"]) == (200, "Success", "AWS-HMAC")
    assert found["LastUpdated"] <= rfc3339(time.time()) < found["Expiration"]
    assert running.ask(f"GET {LIST}other", opened)[0] == 404
    # One door's token does not open the other.
    assert running.ask("GET /credentials", f"Authorization: {token}")[0] == 401
    assert running.ask(f"GET {LIST}tpmwire", f"X-aws-ec2-metadata-token: {TOKEN}")[0] == 401


@pytest.mark.parametrize("seconds", ["", "0", "21601", "-1", "1.5", "1e3", "\u00b2", "999999999999", "6 0"])
def test_lifetimes_that_amazon_refuses(running: Running, seconds: str) -> None:
    assert running.ask("PUT /latest/api/token", f"{TTL}: {seconds}")[0] == 400


REFUSED = {
    "no token": (401, "GET /credentials", ()),
    "wrong token": (401, "GET /credentials", (f"Authorization: {TOKEN}x",)),
    "token in another header": (401, "GET /credentials", (f"X-Authorization: {TOKEN}",)),
    "Bearer": (401, "GET /credentials", (f"Authorization: Bearer {TOKEN}",)),
    "IMDSv1": (401, f"GET {LIST}", ()),
    "IMDSv1, role": (401, f"GET {LIST}tpmwire", ()),
    "no lifetime": (400, "PUT /latest/api/token", ()),
    "forwarded, behind a line that hides it": (
        *(400, "GET /credentials"),
        (OPEN, "A: header", "no header", "X-Forwarded-For: 10.0.0.1"),
    ),
    "forwarded, in a form that proxies may read": (400, "GET /credentials", (OPEN, "X-Forwarded-For : 10.0.0.1")),
    "forwarded": (403, "GET /credentials", (OPEN, "X-Forwarded-For: 10.0.0.1")),
    "forwarded PUT": (403, "PUT /latest/api/token", (f"{TTL}: 60", "x-forwarded-for: 10.0.0.1")),
    "RFC 7239": (403, "GET /credentials", (OPEN, "Forwarded: for=10.0.0.1")),
    "a page": (403, "GET /credentials", (OPEN, "Origin: https://evil.example")),
    "a page's PUT": (403, "PUT /latest/api/token", (f"{TTL}: 60", "Sec-Fetch-Site: cross-site")),
    "two hosts": (403, "GET /credentials", (OPEN, "Host: localhost")),
    "a body": (413, "GET /credentials", (OPEN, "Content-Length: 5")),
    "chunks": (413, "GET /credentials", (OPEN, "Transfer-Encoding: chunked")),
    "HEAD": (405, "HEAD /credentials", (OPEN,)),
    "POST": (405, "POST /credentials", (OPEN,)),
    "preflight": (405, "OPTIONS /credentials", (OPEN,)),
    "DELETE": (405, "DELETE /latest/api/token", ()),
    "PUT elsewhere": (404, "PUT /credentials", (OPEN,)),
    "as to a proxy": (401, "GET http://127.0.0.1/credentials", (OPEN,)),
    "up": (401, "GET /latest/../credentials", (OPEN,)),
    "long line": (431, f"GET /{'x' * LONGEST_HEAD}", (OPEN,)),
    "long header": (431, "GET /credentials", (OPEN, f"X: {'x' * LONGEST_HEAD}")),
    "many headers": (431, "GET /credentials", (OPEN, *["X: x"] * 150)),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_refused(running: Running, name: str, unix: bool) -> None:
    wanted, line, headers = REFUSED[name]
    status, head, body = running.ask(line, *headers, unix=unix)
    assert status == wanted, body
    assert "made-up" not in head + body
    assert "Access-Control" not in head
    if not line.startswith("HEAD"):
        assert set(json.loads(body)) == {"Code", "Message"}


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example", "", "169.254.169.254", "[::1]"]
)
def test_hosts_of_others(running: Running, host: str) -> None:
    head = f"GET /credentials HTTP/1.1\r\nHost: {host}\r\n{OPEN}\r\n\r\n"
    assert running.send(head.encode()).split()[1] == b"403"


def test_hosts_of_ours(running: Running) -> None:
    for host in ("127.0.0.1", "localhost", "LOCALHOST", "[::1]"):
        assert running.ask("GET /credentials", OPEN, host=f"{host}:{running.port}")[0] == 200
        assert running.ask("GET /credentials", OPEN, host=host, unix=True)[0] == 200
    assert running.ask("GET /credentials", OPEN, host="evil.example:80", unix=True)[0] == 403


@pytest.mark.parametrize("version", ["", " HTTP/0.9", " HTTP/2.0", " HTTP/x", " HTTPS/1.1"])
def test_other_versions_of_http(running: Running, version: str) -> None:
    answer = running.send(f"GET /credentials{version}\r\nHost: {running.host}\r\n{OPEN}\r\n\r\n".encode())
    assert answer.split()[1] in (b"400", b"505")
    assert b"html" not in answer.lower()


def test_without_imds_there_is_no_metadata_service(plain: Running) -> None:
    assert plain.ask("PUT /latest/api/token", f"{TTL}: 60")[0] == 404
    assert plain.ask(f"GET {LIST}")[0] == 404
    assert plain.ask("GET /credentials", OPEN)[0] == 200
