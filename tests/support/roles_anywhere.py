"""A local Roles Anywhere that verifies CreateSession by `cryptography`, and certificates for TPM keys."""

import base64
import datetime
import hashlib
import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, quote

import boto3
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support.sts import VerifyingSts

ANCHOR = "arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor/66666666-7777-4888-8999-000000000000"
PROFILE = "arn:aws:rolesanywhere:eu-central-1:123456789012:profile/11111111-2222-4333-8444-555555555555"
ROLE = "arn:aws:iam::123456789012:role/reader"
REGION = "eu-central-1"

_SKEW = datetime.timedelta(minutes=5)
_KINDS = {"AWS4-X509-RSA-SHA256": rsa.RSAPublicKey, "AWS4-X509-ECDSA-SHA256": ec.EllipticCurvePublicKey}
_AUTHORIZATION = re.compile(
    r"(\S+) Credential=([0-9]+)/([0-9]{8})/([a-z0-9-]+)/rolesanywhere/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]+)"
)


class RefusedError(Exception):
    """A request that Roles Anywhere would not accept; the message says why."""


def _certificate(text: str) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(base64.b64decode(text, validate=True))
    except ValueError as error:
        raise RefusedError(f"not base64 of DER: {error}") from None


def _anything(*_: object) -> None:
    return None


def _check_usage(_policy: object, _certificate: object, usage: x509.KeyUsage) -> None:
    if not usage.digital_signature:
        raise ValueError("Insufficient certificate: keyUsage lacks digitalSignature")


def _check_no_ca(_policy: object, _certificate: object, constraints: x509.BasicConstraints | None) -> None:
    if constraints is not None and constraints.ca:
        raise ValueError("Insufficient certificate: CA:TRUE")


def _verifier(anchors: list[x509.Certificate], now: datetime.datetime) -> verification.ClientVerifier:
    agnostic = verification.Criticality.AGNOSTIC
    leaf = verification.ExtensionPolicy.permit_all().require_present(x509.KeyUsage, agnostic, _check_usage)
    leaf = leaf.may_be_present(x509.BasicConstraints, agnostic, _check_no_ca)
    ca = verification.ExtensionPolicy.webpki_defaults_ca()
    ca = ca.may_be_present(x509.AuthorityKeyIdentifier, agnostic, _anything)
    ca = ca.may_be_present(x509.SubjectKeyIdentifier, agnostic, _anything)
    builder = verification.PolicyBuilder().store(verification.Store(anchors)).time(now)
    return builder.extension_policies(ee_policy=leaf, ca_policy=ca).build_client_verifier()


def check_request(
    raw: bytes, anchors: list[x509.Certificate], region: str, host: str, now: datetime.datetime
) -> tuple[x509.Certificate, dict[str, Any]]:
    """The end-entity certificate and the parameters of a CreateSession request. Raises RefusedError."""
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    fields: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields.setdefault(name.lower(), []).append(value.strip())
    path, _, query = target.partition("?")
    if (method, path) != ("POST", "/sessions"):
        raise RefusedError("not POST /sessions")
    found = _AUTHORIZATION.fullmatch(fields.get("authorization", [""])[0])
    if found is None or found[1] not in _KINDS:
        raise RefusedError("no valid Authorization")
    algorithm, serial, day, scope_region, signed, signature = found.groups()
    names, date = signed.split(";"), fields.get("x-amz-date", [""])[0]
    if names != sorted(names) or not {"host", "x-amz-date", "x-amz-x509"} <= set(names):
        raise RefusedError("a header that must be signed is not")
    if "x-amz-x509-chain" in fields and "x-amz-x509-chain" not in names:
        raise RefusedError("the chain is not signed")
    if not date.startswith(day + "T") or scope_region != region or fields["host"][0] != host:
        raise RefusedError("another scope, date or host")
    leaf = _certificate(fields["x-amz-x509"][0])
    chain = [_certificate(each) for each in fields.get("x-amz-x509-chain", [""])[0].split(",") if each]
    if len(chain) > 5 or leaf.serial_number != int(serial):
        raise RefusedError("the chain is too long, or the serial number differs")
    if leaf.version is not x509.Version.v3 or not list(leaf.subject):
        raise RefusedError("not version 3, or an empty subject")
    key = leaf.public_key()
    if not isinstance(key, _KINDS[algorithm]):
        raise RefusedError("algorithm and key do not match")
    pairs = sorted((quote(a, safe="-_.~"), quote(b, safe="-_.~")) for a, b in parse_qsl(query, True))
    canonical = "\n".join(
        (
            method,
            path,
            "&".join(f"{a}={b}" for a, b in pairs),
            *(f"{name}:{','.join(' '.join(each.split()) for each in fields.get(name, []))}" for name in names),
            "",
            signed,
            hashlib.sha256(body).hexdigest(),
        )
    )
    scope = f"{day}/{region}/rolesanywhere/aws4_request"
    text = "\n".join((algorithm, date, scope, hashlib.sha256(canonical.encode()).hexdigest())).encode()
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(bytes.fromhex(signature), text, padding.PKCS1v15(), hashes.SHA256())
        else:
            assert isinstance(key, ec.EllipticCurvePublicKey)
            key.verify(bytes.fromhex(signature), text, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise RefusedError("the signature does not match the request") from None
    parameters = {**json.loads(body or b"{}"), **dict(parse_qsl(query))}
    if not {"profileArn", "roleArn", "trustAnchorArn"} <= set(parameters):
        raise RefusedError("a parameter is missing")
    at = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    if abs(at - now) > _SKEW:
        raise RefusedError("Signature expired")
    try:
        _verifier(anchors, now).verify(leaf, chain)
    except (verification.VerificationError, ValueError) as error:
        text_of = str(error)
        known = "Insufficient certificate" in text_of
        raise RefusedError(
            f"Untrusted certificate. {text_of}" if known else "Untrusted signing certificate"
        ) from None
    return leaf, parameters


class Authority:
    """A private CA with one intermediate CA, which issues certificates for public keys."""

    def __init__(self, name: str = "Example") -> None:
        self._root_key = ec.generate_private_key(ec.SECP256R1())
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.root = self._issue(
            self._root_key.public_key(), f"{name} Root CA", f"{name} Root CA", self._root_key, ca=1
        )
        self.intermediate = self._issue(
            self._key.public_key(), f"{name} Issuing CA", f"{name} Root CA", self._root_key, ca=0
        )
        self._name = f"{name} Issuing CA"

    def issue(self, public_key: Any, subject: str = "host-1.example.com", **changes: Any) -> x509.Certificate:
        """A certificate of the intermediate CA.

        `changes` are days, start (days ago), usage, eku, ca, serial, names (subjectAltName).
        """
        return self._issue(public_key, subject, self._name, self._key, **changes)

    def _issue(
        self,
        public_key: Any,
        subject: str,
        issuer: str,
        key: ec.EllipticCurvePrivateKey,
        *,
        ca: int | None = None,
        days: float = 30,
        start: float = 1,
        usage: bool = True,
        eku: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.CLIENT_AUTH,
        serial: int | None = None,
        names: x509.SubjectAlternativeName | None = None,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        name = [x509.NameAttribute(NameOID.COMMON_NAME, subject)] if subject else []
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name(name))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(public_key)
            .serial_number(serial or x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=start))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca is not None, ca), critical=True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=usage,
                    key_cert_sign=ca is not None,
                    crl_sign=ca is not None,
                    key_encipherment=not usage,
                    **dict.fromkeys(
                        (
                            "content_commitment",
                            "data_encipherment",
                            "key_agreement",
                            "encipher_only",
                            "decipher_only",
                        ),
                        False,
                    ),
                ),
                critical=True,
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        )
        if ca is not None:
            builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        elif eku is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([eku]), critical=False)
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        return builder.sign(key, hashes.SHA256())


def pem(*certificates: x509.Certificate) -> bytes:
    """The certificates in PEM, one after another."""
    return b"".join(each.public_bytes(Encoding.PEM) for each in certificates)


class VerifyingRolesAnywhere:
    """A server on loopback that issues `credentials` to requests that AWS would accept. A context manager.

    After the start: `endpoint`, `seen` (certificate and parameters of each accepted request), `refusals`, the
    reasons. `credentials(seconds)` makes the credentials of a response. `before(handler)` may answer instead.
    """

    def __init__(
        self,
        anchors: list[x509.Certificate],
        credentials: Callable[[int], dict[str, str]] | None = None,
        region: str = REGION,
        address: str = "127.0.0.1",
    ) -> None:
        self.anchors = anchors
        self.credentials = credentials or sample_credentials
        self.region = region
        self.seen: list[tuple[x509.Certificate, dict[str, Any]]] = []
        self.refusals: list[str] = []
        self.before: Callable[[BaseHTTPRequestHandler], bool] = lambda _handler: False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                outer._answer(self)

            def log_message(self, *_: object) -> None:
                """Prints nothing."""

        self._server = ThreadingHTTPServer((address, 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> "VerifyingRolesAnywhere":
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        if self.before(handler):
            return
        lines = [f"{name}: {value}" for name, value in handler.headers.items()]
        raw = "\r\n".join([handler.requestline, *lines]).encode("latin-1") + b"\r\n\r\n" + body
        now = datetime.datetime.now(datetime.UTC)
        try:
            found = check_request(raw, self.anchors, self.region, handler.headers["Host"], now)
        except RefusedError as error:
            self.refusals.append(str(error))
            send_json(handler, 403, {"message": str(error)}, "AccessDeniedException:http://internal.amazon.com/")
            return
        self.seen.append(found)
        send_json(
            handler, 201, _session(found[1], self.credentials(found[1].get("durationSeconds", 3600)), found[0])
        )


def sample_credentials(seconds: int) -> dict[str, str]:
    """Credentials of a response that no AWS service accepts, valid for `seconds`."""
    expiration = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
    return {
        "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
        "secretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY",
        "sessionToken": "made//up+token=",
        "expiration": expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def role_credentials(sts: VerifyingSts) -> Callable[[int], dict[str, str]]:
    """Credentials of the STS's role, which the STS and other services accept."""
    client = boto3.client(
        "sts",
        endpoint_url=sts.endpoint,
        region_name="us-east-1",
        aws_access_key_id=sts.access_key_id,
        aws_secret_access_key=sts.secret_access_key,
    )

    def obtain(seconds: int) -> dict[str, str]:
        answer = client.assume_role(RoleArn=sts.role_arn, RoleSessionName="7b07", DurationSeconds=seconds)
        found = answer["Credentials"]
        return {
            "accessKeyId": found["AccessKeyId"],
            "secretAccessKey": found["SecretAccessKey"],
            "sessionToken": found["SessionToken"],
            "expiration": found["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    return obtain


def _session(
    parameters: dict[str, Any], credentials: dict[str, str], certificate: x509.Certificate
) -> dict[str, object]:
    role = parameters["roleArn"].rpartition("/")[2]
    name = parameters.get("roleSessionName") or f"{certificate.serial_number:x}"
    user = {"arn": f"arn:aws:sts::123456789012:assumed-role/{role}/{name}", "assumedRoleId": f"AROAEXAMPLE:{name}"}
    session = {
        "assumedRoleUser": user,
        "credentials": credentials,
        "packedPolicySize": 10,
        "roleArn": parameters["roleArn"],
        "sourceIdentity": "CN=host-1.example.com",
    }
    return {"credentialSet": [session], "subjectArn": "arn:aws:rolesanywhere:eu-central-1:123456789012:subject/x"}


def send_json(handler: BaseHTTPRequestHandler, status: int, value: object, error_type: str | None = None) -> None:
    """Sends a JSON response, as an AWS error if `error_type` is given."""
    body = json.dumps(value).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.send_header("x-amzn-RequestId", "11111111-2222-4333-8444-555555555555")
    if error_type is not None:
        handler.send_header("x-amzn-ErrorType", error_type)
    handler.end_headers()
    handler.wfile.write(body)
