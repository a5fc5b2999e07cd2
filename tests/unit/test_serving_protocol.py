"""The server's words: who gets credentials, who gets which refusal, and that nothing that is sent upsets it."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.serving.request import LONGEST_HEAD
from sigv4.times import rfc3339
from tests.support.credential_server import TOKEN, Running

LIST = "/latest/meta-data/iam/security-credentials/"
TTL = "X-aws-ec2-metadata-token-ttl-seconds"


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
    # A token of one service is not valid for the other.
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
    "two hosts": (400, "GET /credentials", (OPEN, "Host: localhost")),
    "a body": (413, "GET /credentials", (OPEN, "Content-Length: 5")),
    "chunks": (413, "GET /credentials", (OPEN, "Transfer-Encoding: chunked")),
    "HEAD": (401, "HEAD /credentials", ()),
    "a header twice": (400, "GET /credentials", (OPEN, "Content-Length: 0", "Content-Length: 0")),
    "a folded header": (400, "GET /credentials", (OPEN, "X: y", " Origin: z")),
    "a NUL": (400, "GET /credentials", (OPEN, "X: \0")),
    "a length that is not just 0": (413, "GET /credentials", (OPEN, "Content-Length: +0")),
    "an empty name": (400, "GET /credentials", (OPEN, ": x")),
    "two blanks": (400, "GET  /credentials", (OPEN,)),
    "a fragment": (400, "GET /credentials#x", (OPEN,)),
    "CONNECT": (400, "CONNECT 127.0.0.1:80", (OPEN,)),
    "another path": (404, "GET /credentialsx", (OPEN,)),
    "POST": (405, "POST /credentials", (OPEN,)),
    "preflight": (405, "OPTIONS /credentials", (OPEN,)),
    "DELETE": (405, "DELETE /latest/api/token", ()),
    "PUT elsewhere": (404, "PUT /credentials", (OPEN,)),
    "as to a proxy": (400, "GET http://127.0.0.1/credentials", (OPEN,)),
    "up": (401, "GET /latest/../credentials", (OPEN,)),
    "long line": (431, f"GET /{'x' * LONGEST_HEAD}", (OPEN,)),
    "long header": (431, "GET /credentials", (OPEN, f"X: {'x' * LONGEST_HEAD}")),
    "many headers": (431, "GET /credentials", (OPEN, *[f"X{n}: x" for n in range(150)])),
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
    "host",
    [
        *(
            "evil.example",
            "127.0.0.1:1",
            "localhost.evil.example",
            "",
            "169.254.169.254",
            "127.0.0.1.evil.example",
        ),
        *(
            "evil.example:{port}",
            "user@127.0.0.1",
            "127.0.0.1:",
            "127.0.0.1:{port}0",
            "0.0.0.0",
            "[::]",
            "[::1",
            "127.1",
        ),
    ],
)
def test_hosts_of_others(running: Running, host: str) -> None:
    head = f"GET /credentials HTTP/1.1\r\nHost: {host.format(port=running.port)}\r\n{OPEN}\r\n\r\n"
    assert running.send(head.encode()).split()[1] == b"403"


def test_hosts_of_ours(running: Running) -> None:
    for host in ("127.0.0.1", "localhost", "LOCALHOST", "[::1]", "localhost."):
        # AWS's CRT sends none of a port.
        assert running.ask("GET /credentials", OPEN, host=host)[0] == 200
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


FORWARDED = [
    *(
        "Via",
        "Forwarded",
        "Max-Forwards",
        "CDN-Loop",
        "Client-Cert",
        "TE",
        "Proxy-Authorization",
        "Proxy-Connection",
    ),
    *(
        "X-Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Port",
        "Forwarded-For",
    ),
    *(
        "X-Forwarded-Server",
        "X-Forwarded-Prefix",
        "X-Forwarded-Client-Cert",
        "X-Original-Forwarded-For",
        "X-Real-IP",
    ),
    *(
        "X-Client-IP",
        "X-ClientIP",
        "True-Client-IP",
        "CF-Connecting-IP",
        "CF-Ray",
        "Fastly-Client-IP",
        "X-Remote-Addr",
    ),
    *("X-Cluster-Client-IP", "X-Originating-IP", "X-Remote-IP", "X-ProxyUser-Ip", "WL-Proxy-Client-IP", "X-Host"),
    *("X-Envoy-External-Address", "X-Azure-ClientIP", "X-Azure-SocketIP", "X-AppEngine-User-IP", "Fly-Client-IP"),
    *(
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Amz-Cf-Id",
        "CloudFront-Viewer-Address",
        "X-Akamai-Edgescape",
        "X-Scheme",
    ),
    *(
        "X-ARR-LOG-ID",
        "Front-End-Https",
        "X-Nginx-Proxy",
        "X-SSL-Client-Cert",
        "Surrogate-Capability",
        "X-Varnish",
    ),
    *("X-Amzn-Oidc-Data", "X-Amzn-Mtls-Clientcert", "Ali-CDN-Real-IP", "X-NF-Client-Connection-IP", "X-Real-Port"),
]


@pytest.mark.parametrize("name", FORWARDED)
def test_every_sign_of_a_proxy_is_refused(running: Running, name: str) -> None:
    status, _, body = running.ask("GET /credentials", OPEN, f"{name}: 10.0.0.1")
    assert (status, "forwarded" in body) == (403, True)
    assert running.ask("PUT /latest/api/token", f"{TTL}: 60", f"{name.lower()}: x")[0] == 403


@pytest.mark.parametrize(
    "name", ["Origin", "Referer", "Cookie", "Sec-Fetch-Site", "Sec-CH-UA", "Sec-WebSocket-Key"]
)
def test_web_pages_are_refused(running: Running, name: str) -> None:
    assert running.ask("GET /credentials", OPEN, f"{name}: x")[0] == 403


SENT_BY_SDKS = [
    *("User-Agent", "Accept", "Accept-Encoding", "Accept-Language", "Accept-Charset", "Connection", "Keep-Alive"),
    *("Cache-Control", "Pragma", "Content-Type", "Date", "Expect", "Upgrade", "HTTP2-Settings", "Sec-Fetch-Mode"),
    *(
        "amz-sdk-invocation-id",
        "amz-sdk-request",
        "X-Amz-User-Agent",
        "X-Amz-Date",
        "X-Amzn-Trace-Id",
        "X-Request-Id",
    ),
    *("traceparent", "tracestate", "baggage", "sentry-trace", "b3", "X-B3-TraceId", "uber-trace-id", "newrelic"),
    *("x-datadog-trace-id", "x-datadog-origin", "x-datadog-parent-id", "X-Cloud-Trace-Context", "Request-Id"),
    *("elastic-apm-traceparent", "Correlation-Context", "X-INSTANA-T", "x-dynatrace", "X-aws-ec2-metadata-token"),
]


@pytest.mark.parametrize("name", SENT_BY_SDKS)
def test_what_sdks_and_tracing_send_is_accepted(running: Running, name: str) -> None:
    assert running.ask("GET /credentials", OPEN, f"{name}: x")[0] == 200


def test_a_head_request_is_answered_without_its_body(running: Running) -> None:
    got, head = (running.ask(f"{method} /credentials", OPEN) for method in ("GET", "HEAD"))
    assert (head[0], head[2]) == (200, "")
    assert f"Content-Length: {len(got[2])}" in head[1]


def test_a_query_changes_nothing(running: Running) -> None:
    assert running.ask("GET /credentials?x=1&y=%20?", OPEN)[0] == 200
    assert running.ask("GET /credentials/?", OPEN)[0] == 200


def test_the_place_of_the_machine_in_every_form(running: Running) -> None:
    """botocore and the aws command take the zone without its letter; Java and .NET read the document."""
    opened = f"X-aws-ec2-metadata-token: {running.ask('PUT /latest/api/token', f'{TTL}: 60')[2]}"
    for end in ("", "/"):
        answer = running.ask(f"GET /latest/meta-data/placement/availability-zone{end}", opened)
        assert answer[::2] == (200, "eu-central-1a")
    status, _, body = running.ask("GET /latest/dynamic/instance-identity/document", opened)
    assert (status, json.loads(body)["region"], json.loads(body)["availabilityZone"]) == (
        *(200, "eu-central-1"),
        "eu-central-1a",
    )
    assert running.ask("GET /latest/meta-data/placement/availability-zone")[0] == 401


@pytest.mark.parametrize("end", ["\n", "\r", "\n\r"])
def test_lines_that_end_otherwise(running: Running, end: str) -> None:
    lines = ["GET /credentials HTTP/1.1", f"Host: {running.host}", OPEN, "", ""]
    assert running.send(end.join(lines).encode()).split()[1] == b"400"
    assert running.send(("\r\n".join(lines[:2]) + end + "\r\n".join(lines[2:])).encode()).split()[1] == b"400"
