"""A session whose key is held elsewhere sends exactly what boto3 sends with the plain secret."""

import datetime
import hmac
import io
import pickle
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import botocore.auth
import botocore.endpoint
import pytest
from botocore.config import Config
from botocore.exceptions import NoCredentialsError, UnsupportedSignatureVersionError
from hypothesis import given, settings
from hypothesis import strategies as st

from sigv4.boto import _AUTHS, session
from sigv4.errors import RequestError

pytestmark = pytest.mark.once

KEY_ID = "AKIATESTTESTTEST"
SECRET = "made/up+secret/for-tests"
MOMENT = {"now": datetime.datetime(2026, 11, 24, 12, 0, 0)}


class Holder:
    """The key's holder: counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def __call__(self, message: bytes) -> bytes:
        self.asked.append(message)
        return hmac.digest(b"AWS4" + SECRET.encode(), message, "sha256")


@pytest.fixture(autouse=True, scope="module")
def _world() -> Iterator[None]:
    """One time and one invocation id for both sessions; no settings of this machine."""
    with pytest.MonkeyPatch.context() as patch:
        # awscrt, where it is installed, signs in botocore's place, and by a clock of its own.
        for version in ("v4", "v4-query", "s3v4", "s3v4-query"):
            patch.setitem(botocore.auth.AUTH_TYPE_MAPS, version, _AUTHS[version].__bases__[1])
        patch.setattr(botocore.auth, "get_current_datetime", lambda *_: MOMENT["now"])
        patch.setattr(botocore.endpoint.uuid, "uuid4", lambda: uuid.UUID(int=7))
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            patch.setenv(name, "/nonexistent")
        for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"):
            patch.delenv(name, raising=False)
        yield


class _Stop(Exception):
    """Raised in place of sending."""


def _sent(client: Any, act: Callable[[Any], object]) -> list[tuple[object, ...]]:
    """What `act` would have put on the wire first: method, URL, headers and body.

    Less User-Agent, which names the source of the credentials and is not signed.
    """
    found: list[tuple[object, ...]] = []

    def stop(request: Any, **_kwargs: object) -> None:
        body = request.body
        if hasattr(body, "read"):
            body = body.read()
        headers = sorted(pair for pair in request.headers.items() if pair[0] != "User-Agent")
        found.append((request.method, request.url, headers, body))
        raise _Stop

    client.meta.events.register("before-send", stop, unique_id="stop")
    with pytest.raises(_Stop):
        act(client)
    client.meta.events.unregister("before-send", stop, unique_id="stop")
    return found


def _both(service: str, token: str | None = None, **options: Any) -> tuple[Any, Any]:
    ours = session(Holder(), KEY_ID, session_token=token, region_name="eu-central-1")
    theirs = boto3.Session(KEY_ID, SECRET, token, region_name="eu-central-1")
    return ours.client(service, **options), theirs.client(service, **options)


PUT = {"Bucket": "bucket", "Key": "a b/../ä+~"}
CALLS = [
    ("s3", lambda c: c.put_object(Body=b"body", **PUT)),
    ("s3", lambda c: c.put_object(Body=io.BytesIO(b"stream" * 50_000), **PUT)),
    ("s3", lambda c: c.put_object(Body=io.BytesIO(b"stream"), ChecksumAlgorithm="SHA256", **PUT)),
    (
        "s3",
        lambda c: c.put_object(
            Body=b"body", Metadata={"k": "  v  v "}, ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg==", **PUT
        ),
    ),
    ("s3", lambda c: c.get_object(Range="bytes=0-3", **PUT)),
    ("s3", lambda c: c.list_objects_v2(Bucket="bucket", Prefix="a=&b", Delimiter="/")),
    ("s3", lambda c: c.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": "k"}]})),
    ("s3", lambda c: c.upload_part(UploadId="u", PartNumber=1, Body=io.BytesIO(b"part"), **PUT)),
    ("dynamodb", lambda c: c.put_item(TableName="t", Item={"k": {"S": "ä"}})),
    ("sts", lambda c: c.get_caller_identity()),
    ("iam", lambda c: c.list_users(PathPrefix="/a b/")),
    ("sqs", lambda c: c.send_message(QueueUrl="https://sqs.eu-central-1.amazonaws.com/1/q", MessageBody="m")),
    (
        "lambda",
        lambda c: c.invoke(FunctionName="arn:aws:lambda:eu-central-1:123456789012:function:f", Payload=b"{}"),
    ),
    ("apigateway", lambda c: c.get_rest_apis(limit=5)),
    ("glacier", lambda c: c.upload_archive(vaultName="v", body=b"archive")),
    ("route53", lambda c: c.list_hosted_zones(MaxItems="1")),
    ("bedrock-runtime", lambda c: c.invoke_model(modelId="m:0", body=b"{}")),
]


@pytest.mark.parametrize("token", [None, "the/token+="])
@pytest.mark.parametrize(("service", "act"), CALLS)
def test_requests_are_boto3s(service: str, act: Callable[[Any], object], token: str | None) -> None:
    ours, theirs = (_sent(client, act) for client in _both(service, token))
    assert ours == theirs
    assert len(ours) == 1
    assert b"Signature=" in dict(ours[0][2])["Authorization"]


def test_streams_are_sent_with_a_trailer() -> None:
    """The case of test_requests_are_boto3s that it is about must be in it."""
    client, _ = _both("s3")
    [(_, _, headers, body)] = _sent(client, CALLS[1][1])
    assert dict(headers)["X-Amz-Content-SHA256"] == b"STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    assert b"x-amz-checksum-crc32" in body


@pytest.mark.parametrize(
    "options", [{}, {"endpoint_url": "http://127.0.0.1:9000"}, {"config": Config(signature_version="s3v4")}]
)
@pytest.mark.parametrize("method", ["get_object", "put_object"])
def test_presigned_urls_are_boto3s(options: dict[str, Any], method: str) -> None:
    options = {"config": Config(signature_version="s3v4")} | options
    for token in (None, "the/token+="):
        ours, theirs = (
            client.generate_presigned_url(method, PUT, ExpiresIn=60) for client in _both("s3", token, **options)
        )
        assert ours == theirs
        assert "X-Amz-Signature=" in ours


@pytest.mark.parametrize("region", ["us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "cn-north-1"])
def test_links_and_forms_are_sigv4s_in_old_regions_too(region: str) -> None:
    """There boto3 by itself signs as before 2014, for which the secret key itself is needed."""
    ours = session(Holder(), KEY_ID, region_name=region).client("s3")
    theirs = boto3.Session(KEY_ID, SECRET, region_name=region).client(
        "s3", config=Config(signature_version="s3v4")
    )
    links = [client.generate_presigned_url("get_object", PUT, ExpiresIn=60) for client in (ours, theirs)]
    assert links[0] == links[1]
    forms = [client.generate_presigned_post("bucket", "key") for client in (ours, theirs)]
    assert forms[0]["url"] == forms[1]["url"]
    assert forms[0]["fields"].keys() == forms[1]["fields"].keys()
    assert "x-amz-signature" in forms[0]["fields"]


def test_presigned_forms_are_boto3s() -> None:
    options = {"config": Config(signature_version="s3v4")}
    for token in (None, "the/token+="):
        ours, theirs = (
            client.generate_presigned_post("bucket", "key", Conditions=[["content-length-range", 1, 9]])
            for client in _both("s3", token, **options)
        )
        # The policy holds the end of its validity, by the real clock and to the second.
        assert ours["fields"].keys() == theirs["fields"].keys()
        if ours["fields"]["policy"] == theirs["fields"]["policy"]:
            assert ours == theirs


def test_database_tokens_are_boto3s() -> None:
    ours, theirs = (client.generate_db_auth_token("db.example", 5432, "me") for client in _both("rds"))
    assert ours == theirs
    assert "rds-db" in ours


names = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x2FF), min_size=1, max_size=12)
CLIENTS: dict[str, tuple[Any, Any]] = {}


@settings(max_examples=50)
@given(
    key=names,
    metadata=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=8),
    body=st.binary(max_size=99),
)
def test_any_object_is_put_as_boto3_does(key: str, metadata: str, body: bytes) -> None:
    def act(client: Any) -> object:
        return client.put_object(Bucket="bucket", Key=key, Body=body, Metadata={"m": metadata})

    if not CLIENTS:
        CLIENTS["s3"] = _both("s3")
    ours, theirs = (_sent(client, act) for client in CLIENTS["s3"])
    assert ours == theirs


_LIST: dict[str, Callable[[Any], object]] = {
    "s3": lambda client: client.list_buckets(),
    "sts": lambda client: client.get_caller_identity(),
    "dynamodb": lambda client: client.list_tables(),
}


def test_the_holder_is_asked_once_a_day_whatever_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    holder = Holder()
    held = session(holder, KEY_ID, region_name="eu-central-1")
    clients = [held.client(name) for name in ("s3", "sts", "dynamodb")] + [
        held.client("s3", region_name="us-west-2")
    ]
    for day in (24, 25, 26, 27):
        monkeypatch.setitem(MOMENT, "now", datetime.datetime(2026, 11, day, 23, 59))
        for client in clients:
            _sent(client, _LIST[client.meta.service_model.service_name])
    assert holder.asked == [b"20261124", b"20261125", b"20261126", b"20261127"]
    assert len(held.get_credentials().signer._day_keys) == 2


@pytest.mark.parametrize("version", ["s3", "v2", "v4a"])
def test_what_needs_the_secret_itself_is_refused(version: str) -> None:
    client = session(Holder(), KEY_ID, region_name="us-east-1").client(
        "s3", config=Config(signature_version=version)
    )
    with pytest.raises(UnsupportedSignatureVersionError, match=version):
        client.list_buckets()


OUTPOST = "arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-0123/accesspoint/point"
# What AWS takes SigV4A of by preference, and SigV4 too: by its endpoints, and by the services' models.
BOTH = [
    ("s3", {}, lambda c: c.get_object(Bucket=OUTPOST, Key="k")),
    ("s3", {}, lambda c: c.put_object(Bucket=OUTPOST, Key="k", Body=b"body")),
    ("sustainability", {}, lambda c: c.get_estimated_carbon_emissions(TimePeriod={"Start": 0, "End": 1})),
    ("partnercentral-channel", {}, lambda c: c.list_relationships(catalog="AWS")),
    (
        "partnercentral-channel",
        {"endpoint_url": "http://127.0.0.1:9"},
        lambda c: c.list_relationships(catalog="AWS"),
    ),
    ("sts", {"config": Config(auth_scheme_preference="sigv4a,sigv4")}, lambda c: c.get_caller_identity()),
]


@pytest.mark.parametrize(("service", "options", "act"), BOTH)
def test_the_next_scheme_is_taken_where_botocore_knows_sigv4a(
    service: str, options: dict[str, Any], act: Callable[[Any], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As boto3 takes it where it has no awscrt."""
    assert "v4a" in botocore.auth.AUTH_TYPE_MAPS
    ours = _sent(session(Holder(), KEY_ID, region_name="us-east-1").client(service, **options), act)
    assert b"AWS4-HMAC-SHA256 " in dict(ours[0][2])["Authorization"]
    for version in ("v4a", "v4a-query", "s3v4a", "s3v4a-query"):
        monkeypatch.delitem(botocore.auth.AUTH_TYPE_MAPS, version, raising=False)
    plain = boto3.Session(KEY_ID, SECRET, region_name="us-east-1").client(service, **options)
    assert ours == _sent(plain, act)


def test_what_takes_sigv4a_only_is_refused() -> None:
    client = session(Holder(), KEY_ID, region_name="us-east-1").client("s3")
    with pytest.raises(UnsupportedSignatureVersionError, match="v4a"):
        client.get_object(Bucket="arn:aws:s3::123456789012:accesspoint/alias.mrap", Key="k")


def test_nothing_has_the_secret() -> None:
    held = session(Holder(), KEY_ID, session_token="the-token", account_id="123456789012", region_name="us-east-1")
    credentials = held.get_credentials()
    assert (credentials.access_key, credentials.token) == (KEY_ID, "the-token")
    assert credentials.get_frozen_credentials().account_id == "123456789012"
    assert credentials.get_deferred_property("account_id")() == "123456789012"
    for kind in (RequestError, NoCredentialsError):
        with pytest.raises(kind, match=f"the secret key of {KEY_ID} is not available") as raised:
            _ = credentials.secret_key
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)
    assert "the-token" not in repr(credentials)


def test_a_client_with_a_key_of_its_own_signs_with_it() -> None:
    holder = Holder()
    other = {"aws_access_key_id": "AKIAOTHEROTHER", "aws_secret_access_key": "another"}
    ours = session(holder, KEY_ID, region_name="us-east-1").client("sts", **other)
    theirs = boto3.Session(region_name="us-east-1").client("sts", **other)
    assert _sent(ours, lambda c: c.get_caller_identity()) == _sent(theirs, lambda c: c.get_caller_identity())
    link = [
        client.generate_presigned_url("get_object", PUT)
        for client in (
            session(holder, KEY_ID, region_name="us-east-1").client("s3", **other),
            boto3.Session(region_name="us-east-1").client("s3", **other),
        )
    ]
    assert link[0].partition("Signature=")[0] == link[1].partition("Signature=")[0]  # boto3's old ones
    assert holder.asked == []


def test_the_holders_error_comes_out_of_the_call() -> None:
    def refuse(_message: bytes) -> bytes:
        raise LookupError("no such key")

    with pytest.raises(LookupError, match="no such key"):
        session(refuse, KEY_ID, region_name="us-east-1").client("sts").get_caller_identity()
