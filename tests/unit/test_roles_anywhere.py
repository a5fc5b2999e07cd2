"""CreateSession against requests that AWS's own helper sent, and a server's check against faulty requests."""

import base64
import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sigv4.canonical import GENERIC, canonical_request
from sigv4.client import read_error
from sigv4.credentials import Credentials
from sigv4.endpoints import Endpoint, resolve_service
from sigv4.errors import RequestError, ResponseError, StsError
from sigv4.http import Response
from sigv4.partitions import LEGACY_GLOBAL
from sigv4.request import Request
from sigv4.roles_anywhere import (
    ECDSA,
    RSA,
    CreateSession,
    RolesAnywhereSigner,
    check_arns,
    resolve_roles_anywhere,
)
from sigv4.roles_anywhere_client import RolesAnywhereClient
from sigv4.times import parse_rfc3339
from tests.support.roles_anywhere import ANCHOR, PROFILE, ROLE, RefusedError, check_request

FIXTURES = Path(__file__).parents[2] / "fixtures" / "rolesanywhere"
SPECIAL = ("helper-sign-string", "verifier-cases")
VECTORS = {
    path.stem: json.loads(path.read_text()) for path in sorted(FIXTURES.glob("*.json")) if path.stem not in SPECIAL
}
CASES: list[dict[str, Any]] = json.loads((FIXTURES / "verifier-cases.json").read_text())


def request_of(vector: dict[str, Any]) -> Request:
    """The request as sent, without its Authorization."""
    raw = base64.b64decode(vector["raw_request_base64"])
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    pairs = [tuple(line.split(": ", 1)) for line in lines]
    target = first.split(" ")[1]
    host = next(value for name, value in pairs if name.lower() == "host")
    signed = [(name, value) for name, value in pairs if name.lower() in vector["signed_headers"].split(";")]
    return Request("POST", f"https://{host}{target}", signed, body)


def signer_of(vector: dict[str, Any]) -> RolesAnywhereSigner:
    def sign(text: bytes) -> bytes:
        if not vector.get("private_key_pem"):
            return bytes.fromhex(vector["signature_hex"])  # the TPM of the capture has the key
        key = load_pem_private_key(vector["private_key_pem"].encode(), None)
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(text, padding.PKCS1v15(), hashes.SHA256())
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key.sign(text, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))

    chain = [base64.b64decode(each) for each in vector.get("chain_der_base64") or ()]
    leaf = base64.b64decode(vector["certificate_der_base64"])
    return RolesAnywhereSigner(leaf, chain, int(vector["serial_number_decimal"]), vector["algorithm"], sign)


@pytest.mark.parametrize("name", VECTORS)
def test_a_captured_request_is_signed_alike(name: str) -> None:
    vector = VECTORS[name]
    signer, request = signer_of(vector), request_of(vector)
    region, stamp = vector["credential"].split("/")[2], vector["string_to_sign"].split("\n")[1]
    assert canonical_request(request, GENERIC) == vector["canonical_request"]
    assert (
        signer.string_to_sign(vector["canonical_request"], stamp, region, "rolesanywhere")
        == (vector["string_to_sign"])
    )
    moment = parse_rfc3339(f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:11]}:{stamp[11:13]}:{stamp[13:]}")
    unsigned = request.replace_headers(drop=("X-Amz-Date", "X-Amz-X509", "X-Amz-X509-Chain", "Host"))
    signed = signer.sign(unsigned, region, "rolesanywhere", moment)
    value = signed.header("Authorization") or ""
    sent = f"{vector['algorithm']} Credential={vector['credential']}, SignedHeaders={vector['signed_headers']}, "
    assert value.startswith(sent + "Signature=")
    if name.startswith(("derived", "rsa", "tpm")):  # reproducible, or taken from the capture
        assert value == f"{sent}Signature={vector['signature_hex']}"
    assert len(value) < 1500


def test_there_are_vectors_of_each_kind() -> None:
    assert {"derived-p256-body", "p256-nochain", "rsa2048-chain2", "tpm-rsa2048-tss2"} <= set(VECTORS)
    assert {case["expected"] for case in CASES} == {"accepted", "refused"}


@pytest.mark.parametrize("name", [name for name in VECTORS if not name.startswith("derived")])
def test_the_target_and_the_body_are_those_of_the_helper(name: str) -> None:
    vector = VECTORS[name]
    options = vector["options"]

    def option(word: str) -> str | None:
        return options[options.index(word) + 1] if word in options else None

    operation = CreateSession(
        option("--profile-arn") or "",
        option("--role-arn") or "",
        option("--trust-anchor-arn") or "",
        int(option("--session-duration") or 3600),
        role_session_name=option("--role-session-name"),
    )
    operation.check()
    request = operation.request("https://127.0.0.1/")
    assert request.url == "https://127.0.0.1" + vector["target"]
    assert request.body == vector["body"].encode()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_test_server_accepts_and_refuses(case: dict[str, Any]) -> None:
    """The server of tests/aws verifies: each of these requests has one fault, or none."""
    anchors = [
        x509.load_der_x509_certificate(base64.b64decode(case[name]))
        for name in ("trust_anchor_der_base64", "trust_anchor_rsa_der_base64")
    ]
    raw, now = base64.b64decode(case["raw_request_base64"]), datetime.datetime.fromisoformat(case["now"])
    host = "rolesanywhere.eu-central-1.amazonaws.com"
    try:
        check_request(raw, anchors, "eu-central-1", host, now)
        outcome = "accepted"
    except RefusedError:
        outcome = "refused"
    assert outcome == case["expected"]


@pytest.mark.parametrize("fips", [False, True])
@pytest.mark.parametrize("dual_stack", [False, True])
def test_endpoints_equal_those_of_the_table(fips: bool, dual_stack: bool) -> None:
    environ = {"AWS_USE_FIPS_ENDPOINT": str(fips), "AWS_USE_DUALSTACK_ENDPOINT": str(dual_stack)}
    for region in (*LEGACY_GLOBAL, "cn-north-1", "us-gov-west-1", "eusc-de-east-1", "us-iso-east-1"):
        found = resolve_roles_anywhere(region, None, environ)
        expected = resolve_service("rolesanywhere", region, None, environ)
        assert (found.url, found.region, found.service) == (expected.url, region, "rolesanywhere")


def test_a_pseudo_region_and_a_configured_endpoint() -> None:
    assert (
        resolve_roles_anywhere("us-gov-west-1-fips").url
        == "https://rolesanywhere-fips.us-gov-west-1.amazonaws.com/"
    )
    assert resolve_roles_anywhere("us-gov-west-1-fips").region == "us-gov-west-1"
    environ = {"AWS_ENDPOINT_URL_ROLESANYWHERE": "https://proxy.example/base"}
    endpoint = resolve_roles_anywhere("eu-west-1", None, environ)
    request = CreateSession(PROFILE, ROLE, ANCHOR).request(endpoint.url)
    assert request.url.startswith("https://proxy.example/base/sessions?profileArn=arn%3Aaws%3A")
    assert request.body == b"{}"


def test_alias_arns_are_accepted() -> None:
    profile = PROFILE.replace(":profile/", ":alias/profile/")
    assert check_arns(profile, ROLE, ANCHOR.replace(":trust-anchor/", ":alias/trust-anchor/")) == "eu-central-1"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda p, r, a: (p.replace("central", "west"), r, a), "profile's region is eu-west-1"),
        (lambda p, r, a: (p.replace("123456789012", "210987654321"), r, a), "profile's account is 210987654321"),
        (lambda p, r, a: (p, r.replace("123456789012", "210987654321"), a), "role's account is 210987654321"),
        (lambda p, r, a: (p, r.replace("aws", "aws-cn"), a), "different partitions"),
        (lambda p, r, a: (a, r, p), "is not the ARN of a trust anchor"),
        (lambda p, r, a: (a, r, a), "is not the ARN of a profile"),
        (lambda p, r, a: (p, "arn:aws:iam::123456789012:user/me", a), "is not the ARN of a role"),
        (lambda p, r, a: (p, r, a.replace("eu-central-1", "")), "has no region"),
    ],
)
def test_arns_that_do_not_match(change: Callable[[str, str, str], tuple[str, str, str]], text: str) -> None:
    with pytest.raises(RequestError, match=text):
        CreateSession(*change(PROFILE, ROLE, ANCHOR), 3600).check()


@pytest.mark.parametrize("seconds", [0, 899, 43201])
def test_a_duration_out_of_range(seconds: int) -> None:
    with pytest.raises(RequestError, match="900 to 43200 seconds"):
        CreateSession(PROFILE, ROLE, ANCHOR, seconds).check()


def test_a_session_name_with_other_characters() -> None:
    with pytest.raises(RequestError, match="roleSessionName"):
        CreateSession(PROFILE, ROLE, ANCHOR, role_session_name="a b/é").check()


def _error(status: int, headers: dict[str, str], body: bytes) -> StsError:
    return read_error(Response(status, tuple(headers.items()), body), "https://x/", 0.0)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"x-amzn-ErrorType": "AccessDeniedException"}, b'{"message":"no"}'),
        ({"X-Amzn-Errortype": "AccessDeniedException:http://internal.amazon.com/x#y"}, b'{"message":"no"}'),
        ({"x-amzn-ErrorType": "ns#AccessDeniedException"}, b'{"message":"no","__type":"Other"}'),
        ({}, b'{"__type":"com.amazon#AccessDeniedException","Message":"no"}'),
        ({}, b'{"code":"AccessDeniedException","message":"no"}'),
    ],
)
def test_errors_of_rest_json(headers: dict[str, str], body: bytes) -> None:
    error = _error(403, {**headers, "x-amzn-RequestId": "r-1"}, body)
    assert (error.code, error.message, error.request_id) == ("AccessDeniedException", "no", "r-1")


def test_an_error_without_a_document() -> None:
    error = _error(403, {"x-amzn-ErrorType": "AccessDeniedException"}, b"<html>")
    assert (error.code, error.http_status) == ("AccessDeniedException", 403)
    assert "no AWS error document" in _error(502, {}, b'{"error": 1}').message


@pytest.mark.parametrize(
    ("code", "message", "hint"),
    [
        ("AccessDeniedException", "Untrusted certificate. Insufficient certificate", "digitalSignature"),
        ("AccessDeniedException", "Untrusted signing certificate", "--intermediates"),
        ("AccessDeniedException", "Untrusted Signing Certificate", "--intermediates"),
        ("AccessDeniedException", "Not authorized to set roleSessionName", "--accept-role-session-name"),
        ("AccessDeniedException", "Unable to assume role for arn:aws:iam::1:role/x", "sts:SetSourceIdentity"),
        (
            "AccessDeniedException",
            "Unable to assume role for arn:x The requested DurationSeconds exceeds the MaxSessionDuration set",
            "--session-duration",
        ),
        ("AccessDenied", "User x is not authorized to perform: sts:AssumeRole", "trust policy"),
        ("AccessDeniedException", "Trust anchor is disabled", "enable-trust-anchor"),
        ("AccessDeniedException", "", "belongs to the certificate"),
        ("ResourceNotFoundException", "no such trust anchor", "region, account"),
        ("ThrottlingException", "Rate exceeded", "10 sessions per second"),
    ],
)
def test_hints(code: str, message: str, hint: str) -> None:
    response = Response(403, (("x-amzn-ErrorType", code),), json.dumps({"message": message}).encode())
    client = RolesAnywhereClient(
        signer_of(VECTORS["p256-nochain"]),
        Endpoint("https://x/", "eu-central-1", "rolesanywhere"),
        None,  # type: ignore[arg-type]
    )
    assert hint in client.explain(response, 0.0).hint
    assert "clock" not in client.explain(response, 10.0).hint
    assert "your clock is 600 seconds behind" in client.explain(response, 600.0).hint


GOOD = {
    "credentialSet": [
        {
            "assumedRoleUser": {
                "arn": "arn:aws:sts::123456789012:assumed-role/reader/7b07",
                "assumedRoleId": "A:7b",
            },
            "credentials": {
                "accessKeyId": "ASIAX",
                "secretAccessKey": "s/+",
                "sessionToken": "t==",
                "expiration": "2026-11-28T09:20:55Z",
            },
        }
    ],
    "subjectArn": "arn:x",
}


def test_a_response() -> None:
    found = CreateSession(PROFILE, ROLE, ANCHOR).read(json.dumps(GOOD).encode())
    assert isinstance(found, Credentials)
    assert (found.access_key_id, found.secret_access_key, found.session_token) == ("ASIAX", "s/+", "t==")
    assert (found.expiration, found.account_id) == ("2026-11-28T09:20:55Z", "123456789012")


@pytest.mark.parametrize("field", ["accessKeyId", "secretAccessKey", "sessionToken", "expiration"])
@pytest.mark.parametrize("value", [None, "", 7, "a b", "x\n"])
def test_a_response_without_a_value(field: str, value: object) -> None:
    broken = json.loads(json.dumps(GOOD))
    broken["credentialSet"][0]["credentials"][field] = value
    with pytest.raises(ResponseError, match=field if field != "expiration" or value != "x" else "time"):
        CreateSession(PROFILE, ROLE, ANCHOR).read(json.dumps(broken).encode())


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"credentialSet":[]}', b'{"credentialSet":[{}]}', b"\xff"])
def test_a_response_that_is_not_one(body: bytes) -> None:
    with pytest.raises(ResponseError, match="credentialSet"):
        CreateSession(PROFILE, ROLE, ANCHOR).read(body)


def test_a_signer_refuses_what_aws_would_refuse() -> None:
    with pytest.raises(RequestError, match="allows 5"):
        RolesAnywhereSigner(b"", [b""] * 6, 1, RSA, bytes)
    with pytest.raises(RequestError, match="invalid algorithm"):
        RolesAnywhereSigner(b"", [], 1, "AWS4-HMAC-SHA256", bytes)
    signer = RolesAnywhereSigner(b"", [], 1, ECDSA, bytes)
    with pytest.raises(RequestError, match="presigned"):
        signer.presign(Request("GET", "https://x/"), "eu-central-1", "rolesanywhere", 0.0)
