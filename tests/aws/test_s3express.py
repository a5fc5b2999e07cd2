"""Directory buckets: sessions as botocore opens them, and `tpmwire curl` before a server that verifies them."""

import re
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import botocore.auth
import botocore.session
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError

from sigv4.request import Request
from sigv4.s3express import SessionSigner, bucket_of
from sigv4.signer import Signer, hmac_from_secret
from tests.support import keys
from tests.support.programs import TOOLBOX, Machine

KEY_ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
pytestmark = pytest.mark.box(SECRET)
SESSION = ("ASIASESSION00EXAMPLE", "a/session+secret", "the//session+token=")
BUCKET = "b--use1-az4--x-s3"
NOON = 1767225600 + 43200
URL = f"https://{BUCKET}.s3express-use1-az4.us-east-1.amazonaws.com/a%20key"


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_requests_of_a_session_are_botocores(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: datetime(2026, 1, 1, 12))
    theirs = AWSRequest(method, URL, {}, b"body" if method == "PUT" else b"")
    botocore.auth.S3ExpressAuth(Credentials(*SESSION), "s3express", "us-east-1", identity_cache={}).add_auth(
        theirs
    )
    signer = SessionSigner(SESSION[0], hmac_from_secret(SESSION[1]), SESSION[2])
    ours = signer.sign(Request(method, URL, (), theirs.data or None), "us-east-1", "s3express", NOON)
    assert {name.lower(): value for name, value in ours.headers} == {
        name.lower(): value for name, value in theirs.headers.items()
    }


def test_links_of_a_session_are_botocores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: datetime(2026, 1, 1, 12))
    theirs = AWSRequest("GET", URL)
    credentials = Credentials(*SESSION)
    botocore.auth.S3ExpressQueryAuth(
        credentials, "s3express", "us-east-1", identity_cache={}, expires=60
    ).add_auth(theirs)
    signer = SessionSigner(SESSION[0], hmac_from_secret(SESSION[1]), SESSION[2])
    ours = signer.presign(Request("GET", URL), "us-east-1", "s3express", NOON, 60)
    assert sorted(ours.split("&")) == sorted(theirs.url.split("&"))


class _Handler(BaseHTTPRequestHandler):
    """CreateSession by the long-term key; objects by the session's."""

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        """CreateSession, or an object."""
        self._answer(b"")

    def do_PUT(self) -> None:
        """An object."""
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body: bytes) -> None:
        server: Any = self.server
        opens = self.path == f"/{BUCKET}?session"
        direct = opens or server.direct
        token = self.headers.get("x-amz-s3session-token")
        right = self._verified(KEY_ID if direct else SESSION[0], SECRET if direct else SESSION[1], body)
        right = right and token == (None if direct else SESSION[2])
        server.seen.append((self.command, self.path, right))
        if not right or server.forbids:
            return self._say(403, b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
        if not opens:
            return self._say(200, b"object")
        ends = (datetime.now(UTC) + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._say(
            200,
            '<?xml version="1.0"?><CreateSessionResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Credentials>'
            f"<SessionToken>{SESSION[2]}</SessionToken><SecretAccessKey>{SESSION[1]}</SecretAccessKey>"
            f"<AccessKeyId>{SESSION[0]}</AccessKeyId><Expiration>{ends}</Expiration></Credentials>"
            "</CreateSessionResult>".encode(),
        )

    def _verified(self, key_id: str, secret: str, body: bytes) -> bool:
        found = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d{8}/([^/]+)/s3express/aws4_request, "
            r"SignedHeaders=([^,]+), Signature=([0-9a-f]{64})",
            self.headers["Authorization"] or "",
        )
        if found is None or found[1] != key_id:
            return False
        headers = {name: self.headers[name] for name in found[3].split(";")}
        request = AWSRequest(self.command, f"http://{self.headers['Host']}{self.path}", headers, body)
        request.context["timestamp"] = self.headers["X-Amz-Date"]
        auth = botocore.auth.S3SigV4Auth(Credentials(key_id, secret), "s3express", found[2])
        text = auth.string_to_sign(request, auth.canonical_request(request))
        return bool(auth.signature(text, request) == found[4])

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def server() -> Iterator[Any]:
    running: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    running.seen, running.direct, running.forbids = [], False, False
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


def _curl(box: Machine, server: Any, *words: str, **env: str) -> "subprocess.CompletedProcess[str]":
    key = [f"--aws-access-key-id={KEY_ID}", f"--persistentHandle={keys.PLAIN_HANDLE:#x}", "--region=us-east-1"]
    url = f"http://127.0.0.1:{server.server_port}"
    return box.run(
        *("curl", *key, f"--tpm-path={box.swtpm.path}", *words),
        program=box.bin / TOOLBOX,
        AWS_ENDPOINT_URL_S3=url,
        AWS_MAX_ATTEMPTS="1",
        **env,
    )


def test_an_object_goes_by_a_session(box: Machine, server: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"body")
    done = _curl(box, server, f"s3://{BUCKET}/a key")
    assert (done.returncode, done.stdout, done.stderr) == (0, "object", "")
    assert _curl(box, server, "-T", str(tmp_path / "file"), f"s3://{BUCKET}/new").stdout == "object"
    assert server.seen == [
        ("GET", f"/{BUCKET}?session", True),
        ("GET", f"/{BUCKET}/a%20key", True),
        ("GET", f"/{BUCKET}?session", True),
        ("PUT", f"/{BUCKET}/new", True),
    ]


def test_without_sessions_the_key_itself_signs(box: Machine, server: Any) -> None:
    server.direct = True
    done = _curl(box, server, f"s3://{BUCKET}/key", AWS_S3_DISABLE_EXPRESS_SESSION_AUTH="true")
    assert (done.returncode, done.stdout) == (0, "object")
    assert server.seen == [("GET", f"/{BUCKET}/key", True)]


def test_a_session_that_is_refused(box: Machine, server: Any) -> None:
    server.forbids = True
    done = _curl(box, server, f"s3://{BUCKET}/key")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (6, "", 1)
    assert "AccessDenied" in done.stderr
    assert len(server.seen) == 1


def test_a_session_is_asked_for_where_botocore_does(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Same server, same questions: CreateSession, then the object by it."""
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    session = botocore.session.Session()
    session.set_credentials(KEY_ID, SECRET)
    url = f"http://127.0.0.1:{server.server_port}"
    client = session.create_client("s3", region_name="us-east-1", endpoint_url=url)
    try:
        client.get_object(Bucket=BUCKET, Key="a key")
    except BotoCoreError as error:  # the object's checksum, if botocore wants one
        pytest.fail(str(error))
    assert server.seen == [("GET", f"/{BUCKET}?session", True), ("GET", f"/{BUCKET}/a%20key", True)]


HOST = f"https://{BUCKET}.s3express-use1-az4.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("method", "url", "headers", "bucket"),
    [
        ("GET", f"{HOST}/key", (), f"{HOST}/"),
        ("PUT", f"{HOST}/a/key?partNumber=1&uploadId=2", (), f"{HOST}/"),
        ("GET", f"{HOST}/?list-type=2", (), f"{HOST}/"),
        ("HEAD", f"{HOST}/key", (), f"{HOST}/"),
        ("HEAD", f"{HOST}/", (), None),
        ("GET", f"{HOST}/?session", (), None),
        ("PUT", f"{HOST}/key", [("X-Amz-Copy-Source", "/b/k")], None),
        ("GET", f"http://127.0.0.1:9/{BUCKET}/key", (), f"http://127.0.0.1:9/{BUCKET}"),
        ("HEAD", f"http://127.0.0.1:9/{BUCKET}", (), None),
        ("GET", f"https://s3express-control.us-east-1.amazonaws.com/{BUCKET}", (), None),
        ("GET", "https://bucket.s3.us-east-1.amazonaws.com/key", (), None),
        ("GET", "http://127.0.0.1:9/", (), None),
    ],
)
def test_which_requests_take_a_session(method: str, url: str, headers: Any, bucket: str | None) -> None:
    assert bucket_of(Request(method, url, headers)) == bucket


def test_a_session_token_of_sts_is_replaced() -> None:
    """What signed before is not sent along."""
    first = Signer(KEY_ID, hmac_from_secret(SECRET), "of-sts").sign(
        Request("GET", URL), "us-east-1", "s3express", NOON
    )
    again = SessionSigner(SESSION[0], hmac_from_secret(SESSION[1]), SESSION[2]).sign(
        first, "us-east-1", "s3express", NOON
    )
    assert again.header("X-Amz-Security-Token") is None
    assert again.header("X-Amz-S3session-Token") == SESSION[2]
