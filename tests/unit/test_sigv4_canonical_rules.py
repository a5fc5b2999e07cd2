"""Services with signing rules of their own, beside botocore's models, handlers and signers."""

import io
from datetime import datetime
from typing import Any

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.loaders import Loader
from botocore.utils import calculate_tree_hash

from sigv4.canonical import _RULES, rules_for
from sigv4.glacier import tree_hash
from sigv4.request import FileBody, Request
from sigv4.signer import Signer, hmac_from_secret

pytestmark = pytest.mark.once

LOADER = Loader()
NOON = 1767225600 + 43200
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
SIGNER = Signer("AKIATEST", hmac_from_secret("made-up"))


def _signed(service: str, method: str, url: str, body: bytes | None = None, *headers: tuple[str, str]) -> Request:
    return SIGNER.sign(Request(method, url, headers, body), "us-east-1", service, NOON)


def _names(request: Request) -> list[str]:
    found = (request.header("Authorization") or "").partition("SignedHeaders=")[2].partition(",")[0]
    return found.split(";")


def test_opensearch_serverless_has_a_signed_hash() -> None:
    signed = _signed("aoss", "GET", "https://abc.us-east-1.aoss.amazonaws.com/_cat/indices")
    assert signed.header("x-amz-content-sha256") == EMPTY
    assert _names(signed) == ["host", "x-amz-content-sha256", "x-amz-date"]
    assert _names(_signed("es", "GET", "https://a.us-east-1.es.amazonaws.com/")) == ["host", "x-amz-date"]


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_vpc_lattice_takes_no_signed_body(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside botocore as Lattice's guide has it used."""
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: datetime(2026, 1, 1, 12))
    url = f"{scheme}://svc-1.7d67968.vpc-lattice-svcs.us-east-1.on.aws/a%20b?c=d"
    signed = _signed("vpc-lattice-svcs", "POST", url, b"data", ("Content-Type", "text/plain"))
    theirs = AWSRequest(
        "POST", url, {"Content-Type": "text/plain", "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}, b"data"
    )
    theirs.context["payload_signing_enabled"] = False
    SigV4Auth(Credentials("AKIATEST", "made-up"), "vpc-lattice-svcs", "us-east-1").add_auth(theirs)
    assert signed.header("x-amz-content-sha256") == "UNSIGNED-PAYLOAD"
    assert signed.header("Authorization") == theirs.headers["Authorization"]


def test_an_iot_websocket_has_its_session_token_after_the_signature() -> None:
    key, url = hmac_from_secret("made-up"), "https://a1b2-ats.iot.us-east-1.amazonaws.com/mqtt"
    request = Request("GET", url)
    made = Signer("AKIATEST", key, "token").presign(request, "us-east-1", "iotdevicegateway", NOON)
    bare = Signer("AKIATEST", key).presign(request, "us-east-1", "iotdevicegateway", NOON)
    start, _, signature = bare.rpartition("&")
    assert made == f"{start}&X-Amz-Security-Token=token&{signature}"
    messages = Signer("AKIATEST", key, "token").sign(request, "us-east-1", "iotdata", NOON)
    assert "x-amz-security-token" in _names(messages)


def test_services_whose_uploads_may_be_unsigned_are_those_of_the_models() -> None:
    theirs = set()
    for name in LOADER.list_available_services("service-2"):
        model = LOADER.load_service_model(name, "service-2")
        for operation in model["operations"].values():
            if operation.get("unsignedPayload") or operation.get("authtype") == "v4-unsigned-body":
                theirs.add(model["metadata"].get("signingName", model["metadata"]["endpointPrefix"]))
    ours = {name for name, rules in _RULES.items() if rules.may_be_unsigned}
    # S3's relatives sign as it does.
    assert ours - {"s3-object-lambda", "s3-outposts", "s3express"} == theirs


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20, (5 << 20) + 7])
def test_the_tree_hash_is_botocores(size: int) -> None:
    body = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    expected = calculate_tree_hash(io.BytesIO(body))
    if size:
        assert tree_hash(body) == expected
    assert tree_hash(FileBody(io.BytesIO(body))) == (expected or EMPTY)


class _Sent(Exception):
    """Raised in place of sending."""


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("list_vaults", {}),
        ("upload_archive", {"vaultName": "v", "body": b"archive" * 300_000}),
        ("upload_multipart_part", {"vaultName": "v", "uploadId": "u", "range": "bytes 0-3/*", "body": b"part"}),
        ("initiate_job", {"vaultName": "v", "jobParameters": {"Type": "inventory-retrieval"}}),
    ],
)
def test_glaciers_headers_are_botocores(operation: str, arguments: dict[str, Any]) -> None:
    session = botocore.session.Session()
    session.set_credentials("AKIATEST", "made-up")
    client = session.create_client("glacier", region_name="us-east-1")

    def stop(request: Any, **_: object) -> None:
        raise _Sent(request)

    client.meta.events.register("before-send.glacier", stop)
    with pytest.raises(_Sent) as caught:
        getattr(client, operation)(**arguments)
    theirs = caught.value.args[0]
    body = theirs.body.read() if hasattr(theirs.body, "read") else theirs.body
    signed = _signed("glacier", theirs.method, theirs.url, body)
    for name in ("x-amz-glacier-version", "x-amz-sha256-tree-hash"):
        told = theirs.headers.get(name)
        assert signed.header(name) == (told.decode() if isinstance(told, bytes) else told)
    assert {"x-amz-glacier-version", "x-amz-content-sha256"} <= set(_names(signed))
    assert (
        _signed("glacier", "GET", theirs.url, None, ("X-Amz-Glacier-Version", "x")).header("x-amz-glacier-version")
        == "x"
    )


def test_most_services_have_the_general_rules() -> None:
    assert rules_for("kms") is rules_for("es") is rules_for("iotdata") is rules_for("execute-api")
