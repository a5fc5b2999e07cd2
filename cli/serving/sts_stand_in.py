"""A stand-in for STS on 127.0.0.1, for `tpmwire demo`: it verifies each signature as AWS does.

It computes signatures as the IAM User Guide says ("Create a signed AWS API request"), without `sigv4`, so that a
mistake in `sigv4` cannot make a wrong signature valid. It has one user and one role, and supports GetSessionToken,
AssumeRole and GetCallerIdentity.
"""

import hashlib
import hmac
import re
import secrets
import threading
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qsl

__all__ = ["StsStandIn"]

ACCOUNT = "123456789012"
NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
MAX_SKEW = timedelta(minutes=5)
MAX_BODY = 1 << 16  # bytes
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(\w+)/((\d{8})/([\w-]+)/sts/aws4_request), ?"
    r"SignedHeaders=([\w;-]+), ?Signature=([0-9a-f]{64})",
    re.ASCII,
)
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


class _Key(NamedTuple):
    """An access key: its secret, and the ARN and id of its owner. `token` is empty for a long-term key."""

    secret: str
    arn: str
    user_id: str
    token: str = ""
    expiration: datetime = datetime.max.replace(tzinfo=UTC)


class _Refused(Exception):
    """An error response: HTTP status, AWS's error code, and message."""


class StsStandIn:
    """A running stand-in for STS, and a context manager that ends it. Each request is served in a thread.

    `endpoint` is its URL, `access_key_id` and `secret_access_key` are the key of its user, `role_arn` is its role.
    """

    def __init__(self) -> None:
        self.access_key_id = _identifier("AKIA")
        self.secret_access_key = _new_secret()
        self.role_arn = f"arn:aws:iam::{ACCOUNT}:role/demo"
        user = _Key(self.secret_access_key, f"arn:aws:iam::{ACCOUNT}:user/device", _identifier("AIDA"))
        self._keys = {self.access_key_id: user}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "StsStandIn":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def respond(self, headers: Mapping[str, str], body: bytes) -> str:
        """Returns the XML response to a POST request, whose header names are in lower case.

        Raises _Refused unless the signature is valid.
        """
        caller = self._authenticate(headers, body)
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        action = form.get("Action", "")
        if action == "GetCallerIdentity":
            owner = f"<Arn>{caller.arn}</Arn><UserId>{caller.user_id}</UserId><Account>{ACCOUNT}</Account>"
            return _result(action, owner)
        if action == "GetSessionToken" and not caller.token:
            return _result(action, self._new_credentials(caller.arn, caller.user_id, form))
        if action == "AssumeRole":
            if form.get("RoleArn") != self.role_arn:
                raise _Refused(403, "AccessDenied", f"{caller.arn} is not allowed to assume this role")
            name = form.get("RoleSessionName", "")
            if not re.fullmatch(r"[\w+=,.@-]{2,64}", name, re.ASCII):
                raise _Refused(400, "ValidationError", "RoleSessionName is missing or not valid")
            arn, user = f"arn:aws:sts::{ACCOUNT}:assumed-role/demo/{name}", f"{_identifier('AROA')}:{name}"
            owner = f"<AssumedRoleUser><Arn>{arn}</Arn><AssumedRoleId>{user}</AssumedRoleId></AssumedRoleUser>"
            return _result(action, self._new_credentials(arn, user, form) + owner)
        raise _Refused(403, "AccessDenied", f"the stand-in does not allow {action or 'a request without Action'}")

    def _new_credentials(self, arn: str, user_id: str, form: Mapping[str, str]) -> str:
        seconds = form.get("DurationSeconds", "3600")
        if not seconds.isdecimal() or not 900 <= int(seconds) <= 129_600:
            raise _Refused(400, "ValidationError", "DurationSeconds is not valid")
        until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=int(seconds))
        key_id, token = _identifier("ASIA"), secrets.token_urlsafe(60)
        self._keys[key_id] = _Key(_new_secret(), arn, user_id, token, until)
        return (
            f"<Credentials><AccessKeyId>{key_id}</AccessKeyId>"
            f"<SecretAccessKey>{self._keys[key_id].secret}</SecretAccessKey><SessionToken>{token}</SessionToken>"
            f"<Expiration>{until:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials>"
        )

    def _authenticate(self, headers: Mapping[str, str], body: bytes) -> _Key:
        """Returns the key that signed a POST to /. Raises _Refused if the signature is not valid."""
        parts = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
        stamp = headers.get("x-amz-date", "")
        if parts is None or not re.fullmatch(r"\d{8}T\d{6}Z", stamp, re.ASCII):
            raise _Refused(403, "MissingAuthenticationToken", "the request is not signed by Signature Version 4")
        key_id, scope, day, region, names, signature = parts.groups()
        key = self._keys.get(key_id)
        if key is None or not _equal(key.token, headers.get("x-amz-security-token", "")):
            raise _Refused(403, "InvalidClientTokenId", "the access key id or the session token is not known")
        now = datetime.now(UTC)
        if key.expiration <= now:
            raise _Refused(403, "ExpiredToken", "the temporary credentials have expired")
        signed = names.split(";")
        needed = {"host", *(name for name in headers if name.startswith("x-amz-"))}
        values = [" ".join(headers.get(name, "").split()) for name in signed]
        lines = [f"{name}:{value}" for name, value in zip(signed, values, strict=True)]
        canonical = "\n".join(["POST", "/", "", *lines, "", names, hashlib.sha256(body).hexdigest()])
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        secret = b"AWS4" + key.secret.encode()
        for part in (day, region, "sts", "aws4_request"):
            secret = hmac.digest(secret, part.encode(), "sha256")
        expected = hmac.new(secret, text.encode(), "sha256").hexdigest()
        if not _equal(expected, signature) or not needed <= set(signed) or day != stamp[:8]:
            raise _Refused(403, "SignatureDoesNotMatch", "the signature does not match the request")
        if abs(now - datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)) > MAX_SKEW:
            raise _Refused(403, "SignatureDoesNotMatch", f"Signature expired: {stamp} is not the current time")
        return key


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _identifier(prefix: str) -> str:
    return prefix + "".join(secrets.choice(_LETTERS) for _ in range(16))


def _new_secret() -> str:
    """Returns a new secret access key: 40 characters, as AWS's."""
    return b64encode(secrets.token_bytes(30)).decode()


def _result(action: str, content: str) -> str:
    return (
        f'<{action}Response xmlns="{NAMESPACE}"><{action}Result>{content}</{action}Result>'
        f"<ResponseMetadata><RequestId>{secrets.token_hex(8)}</RequestId></ResponseMetadata></{action}Response>"
    )


def _handler_of(sts: StsStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Passes requests to the stand-in, and its responses to the client."""

        protocol_version = "HTTP/1.1"
        timeout = 30  # seconds

        def do_POST(self) -> None:
            """Responds to a request to STS."""
            size = self.headers.get("Content-Length", "0")
            body = self.rfile.read(min(int(size) if size.isdecimal() else 0, MAX_BODY))
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                if self.path != "/":
                    raise _Refused(404, "InvalidAction", "this STS stand-in serves only the path /")
                status, text = 200, sts.respond(headers, body)
            except _Refused as error:
                status, code, message = error.args
                text = (
                    f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>Sender</Type><Code>{code}</Code>'
                    f"<Message>{escape(message)}</Message></Error></ErrorResponse>"
                )
            self.send_response(status)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Prints nothing: stderr belongs to the programs of the demo."""

    return Handler
