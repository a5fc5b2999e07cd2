"""A server that verifies SigV4A: botocore's canonical request, and keys and signatures by `cryptography`.

Nothing of ours takes part. What it has verified it signs anew, by botocore's SigV4, and asks the server behind
it, whose answer it gives. So a verifying STS stands behind a signature that holds in several regions.
"""

import fnmatch
import http.client
import re
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode

from tests.support.front import refusal
from tests.support.local_http import LocalHttp

__all__ = ["Sigv4aFront", "Verified", "public_key"]

_ALGORITHM = "AWS4-ECDSA-P256-SHA256"


class Verified(NamedTuple):
    """A request whose signature held: who signed, for which set of regions, and the fields under the signature."""

    key_id: str
    regions: str
    signed_headers: str
    presigned: bool


def public_key(key_id: str, secret: str) -> ec.EllipticCurvePublicKey:
    """The key that AWS derives (NIST SP 800-108 in counter mode); the first counter all but always fits."""
    kdf = KBKDFHMAC(
        algorithm=hashes.SHA256(),
        mode=Mode.CounterMode,
        length=32,
        rlen=4,
        llen=4,
        location=CounterLocation.BeforeFixed,
        label=_ALGORITHM.encode(),
        context=key_id.encode() + b"\x01",
        fixed=None,
    )
    value = int.from_bytes(kdf.derive(b"AWS4A" + secret.encode()), "big") + 1
    return ec.derive_private_key(value, ec.SECP256R1()).public_key()


class _Theirs(botocore.auth.SigV4Auth):  # type: ignore[misc]  # botocore has no types
    """botocore's canonical request over the headers that the client says it has signed."""

    def __init__(self, names: str, *, s3: bool) -> None:
        super().__init__(None, "", "")
        self._names, self._s3 = names.split(";"), s3

    def headers_to_sign(self, request: AWSRequest) -> object:
        found = botocore.auth.HTTPHeaders()
        for name, value in request.headers.items():
            if name.lower() in self._names:
                found[name.lower()] = value
        return found

    def _normalize_url_path(self, path: str) -> str:
        return path if self._s3 else str(super()._normalize_url_path(path))


class Sigv4aFront(LocalHttp):
    """Verifies, and passes on to the server at `port`. A context manager; `url` is where it listens.

    `secrets` has the secret of each access key id, `region` is the region where it stands. `verified` has what
    was let through. A request by SigV4 is the other server's to verify; what keys it issues are known here, too.
    """

    def __init__(self, port: int, secrets: Mapping[str, str], region: str = "eu-central-1") -> None:
        self.verified: list[Verified] = []
        self._port, self._secrets, self._region = port, dict(secrets), region
        front = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, answer = front._answered(self.command, self.path, list(self.headers.items()), body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_PUT = do_POST

        super().__init__(Handler)

    def _answered(
        self, method: str, target: str, headers: list[tuple[str, str]], body: bytes
    ) -> tuple[int, bytes]:
        request = AWSRequest(method, self.url + target, data=body)
        for name, value in headers:
            request.headers[name] = value
        if str(request.headers["Authorization"]).startswith("AWS4-HMAC-SHA256 "):
            return self._left_to_the_other(method, target, dict(headers), body)
        try:
            found, service = self._verify(request, body)
        except (InvalidSignature, ValueError, KeyError) as error:
            return refusal(f"SignatureDoesNotMatch {error!r}")
        self.verified.append(found)
        return self._passed_on(request, found, service, body)

    def _left_to_the_other(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, bytes]:
        # With the Host that was signed.
        status, answer = _ask(self._port, method, target, headers, body)
        issued = [re.search(f"<{name}>([^<]+)<", answer.decode()) for name in ("AccessKeyId", "SecretAccessKey")]
        if issued[0] and issued[1]:
            self._secrets[issued[0][1]] = issued[1][1]
        return status, answer

    def _verify(self, request: AWSRequest, body: bytes) -> tuple[Verified, str]:
        """Raises InvalidSignature, ValueError, KeyError for a request that is not as it should be."""
        parts = urlsplit(request.url)
        query = parse_qsl(parts.query, keep_blank_values=True)
        fields = {key: value for key, value in query if key.startswith("X-Amz-")}
        presigned = "X-Amz-Signature" in fields
        if presigned:
            signature = fields.pop("X-Amz-Signature")
            algorithm, credential = fields["X-Amz-Algorithm"], fields["X-Amz-Credential"]
            names, regions = fields["X-Amz-SignedHeaders"], fields["X-Amz-Region-Set"]
            stamp = fields["X-Amz-Date"]
            kept = [pair for pair in parts.query.split("&") if not pair.startswith("X-Amz-Signature=")]
            request.url = urlunsplit(parts._replace(query="&".join(kept)))
        else:
            algorithm, _, rest = request.headers["Authorization"].partition(" ")
            credential, names, signature = (part.partition("=")[2] for part in rest.split(", "))
            regions, stamp = request.headers["X-Amz-Region-Set"], request.headers["X-Amz-Date"]
            if not {"host", "x-amz-date", "x-amz-region-set"} <= set(names.split(";")):
                raise ValueError("not signed: host, date or region set")
        if algorithm != _ALGORITHM:
            raise ValueError(algorithm)
        if not any(fnmatch.fnmatchcase(self._region, pattern) for pattern in regions.split(",")):
            raise ValueError(f"{regions} is not {self._region}")
        key_id, day, service, end = credential.split("/")
        if (day, end) != (stamp[:8], "aws4_request"):
            raise ValueError(credential)
        theirs = _Theirs(names, s3=service == "s3")
        if presigned and service == "s3":
            theirs.payload = lambda _request: "UNSIGNED-PAYLOAD"
        digest = hashes.Hash(hashes.SHA256())
        digest.update(theirs.canonical_request(request).encode())
        text = f"{_ALGORITHM}\n{stamp}\n{day}/{service}/aws4_request\n{digest.finalize().hex()}"
        public = public_key(key_id, self._secrets[key_id])
        public.verify(bytes.fromhex(signature), text.encode(), ec.ECDSA(hashes.SHA256()))
        hashed = request.headers.get("X-Amz-Content-SHA256")
        if hashed not in (None, "UNSIGNED-PAYLOAD") and hashed != _sha256(body):
            raise ValueError("X-Amz-Content-SHA256 is not that of the body")
        return Verified(key_id, regions, names, presigned), service

    def _passed_on(self, request: AWSRequest, found: Verified, service: str, body: bytes) -> tuple[int, bytes]:
        parts = urlsplit(request.url)
        query = [
            pair for pair in parse_qsl(parts.query, keep_blank_values=True) if not pair[0].startswith("X-Amz-")
        ]
        target = parts.path + (f"?{urlencode(query)}" if query else "")
        anew = AWSRequest(request.method, f"http://127.0.0.1:{self._port}{target}", data=body)
        for name, value in request.headers.items():
            if name.lower() not in ("authorization", "host", "connection") and "x-amz-" not in name.lower():
                anew.headers[name] = value
        token = request.headers.get("X-Amz-Security-Token")
        plain = Credentials(found.key_id, self._secrets[found.key_id], token)
        auth = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
        auth(plain, service, self._region).add_auth(anew)
        return _ask(self._port, anew.method, target, dict(anew.headers.items()), body)


def _ask(port: int, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
    server = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        server.request(method, target, body, dict(headers))
        answer = server.getresponse()
        return answer.status, answer.read()
    finally:
        server.close()


def _sha256(body: bytes) -> str:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(body)
    return digest.finalize().hex()
