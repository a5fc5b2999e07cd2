"""boto3 with a held key before a server that verifies signatures: S3, DynamoDB and STS.

moto with authentication on takes no presigned URLs; that ours are botocore's own is shown in tests/property.
"""

import hmac
import io
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sigv4.boto import METHOD, refreshing_session, session
from sigv4.client import StsClient
from sigv4.endpoints import resolve
from sigv4.http import HttpClient
from sigv4.signer import Signer, hmac_from_secret
from sigv4.sts import AssumeRole, Credentials
from tests.support.sts import VerifyingSts

REGION = "us-east-1"


@pytest.fixture(scope="module")
def server() -> Iterator[VerifyingSts]:
    with VerifyingSts(actions=("sts:*", "s3:*", "dynamodb:*")) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)


def _holder(secret: str) -> Callable[[bytes], bytes]:
    """The stand-in for a TPM: knows the key, gives HMACs."""
    key = b"AWS4" + secret.encode()
    return lambda message: hmac.digest(key, message, "sha256")


@pytest.fixture
def held(server: VerifyingSts) -> boto3.Session:
    return session(_holder(server.secret_access_key), server.access_key_id, region_name=REGION)


def _client(held: boto3.Session, server: VerifyingSts, service: str) -> Any:
    config = Config(s3={"addressing_style": "path"}, signature_version="s3v4" if service == "s3" else None)
    return held.client(service, endpoint_url=server.endpoint, config=config)


def test_objects_are_put_and_got(server: VerifyingSts, held: boto3.Session) -> None:
    s3 = _client(held, server, "s3")
    s3.create_bucket(Bucket="held")
    s3.put_object(Bucket="held", Key="a b/ä+~", Body=b"body", Metadata={"k": "v v"})
    got = s3.get_object(Bucket="held", Key="a b/ä+~")
    assert got["Body"].read() == b"body"
    assert got["Metadata"] == {"k": "v v"}
    assert [item["Key"] for item in s3.list_objects_v2(Bucket="held", Prefix="a b/")["Contents"]] == ["a b/ä+~"]


def test_streams_are_uploaded_in_parts(server: VerifyingSts, held: boto3.Session) -> None:
    s3 = _client(held, server, "s3")
    s3.create_bucket(Bucket="stream")
    data = bytes(range(256)) * 40_000  # 10 MB: above the threshold of multipart uploads
    s3.upload_fileobj(io.BytesIO(data), "stream", "big", ExtraArgs={"ChecksumAlgorithm": "SHA256"})
    back = io.BytesIO()
    s3.download_fileobj("stream", "big", back)
    assert back.getvalue() == data


def test_a_table_is_used(server: VerifyingSts, held: boto3.Session) -> None:
    resource = held.resource("dynamodb", endpoint_url=server.endpoint)
    table = resource.create_table(
        TableName="held",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    table.put_item(Item={"k": "ä", "n": 1})
    assert table.get_item(Key={"k": "ä"})["Item"] == {"k": "ä", "n": 1}


def test_the_caller_is_the_user(server: VerifyingSts, held: boto3.Session) -> None:
    assert _client(held, server, "sts").get_caller_identity()["Arn"].endswith(":user/device")


@pytest.mark.parametrize(
    ("service", "act"),
    [
        ("s3", lambda client: client.list_buckets()),
        ("dynamodb", lambda client: client.list_tables()),
        ("sts", lambda client: client.get_caller_identity()),
    ],
)
def test_a_wrong_key_is_refused(server: VerifyingSts, service: str, act: Callable[[Any], object]) -> None:
    wrong = session(_holder(server.secret_access_key + "x"), server.access_key_id, region_name=REGION)
    with pytest.raises(ClientError, match=r"SignatureDoesNotMatch|InvalidSignatureException"):
        act(_client(wrong, server, service))


class Fetcher:
    """Assumes the role, through our own STS client; counts."""

    def __init__(self, server: VerifyingSts) -> None:
        signer = Signer(server.access_key_id, hmac_from_secret(server.secret_access_key))
        self._client = StsClient(signer, resolve(REGION, server.endpoint), HttpClient(10))
        self._role = server.role_arn
        self.count = 0
        self.seconds: list[str] = []

    def __call__(self) -> Credentials:
        self.count += 1
        found = self._client.call(AssumeRole(self._role, f"session-{self.count}", 900))
        if self.seconds:
            found.expiration = self.seconds.pop()
        return found


def test_credentials_are_got_when_needed_and_kept(server: VerifyingSts) -> None:
    fetch = Fetcher(server)
    refreshing = refreshing_session(fetch, region_name=REGION)
    sts = _client(refreshing, server, "sts")
    assert fetch.count == 0
    fetch.seconds = ["2099-01-01T00:00:00Z"]
    for _ in range(3):
        assert sts.get_caller_identity()["Arn"].endswith(":assumed-role/demo/session-1")
    assert fetch.count == 1
    credentials = refreshing.get_credentials()
    assert credentials.method == METHOD
    assert credentials.get_frozen_credentials().account_id == "123456789012"


def test_credentials_that_end_are_refreshed_by_boto3_itself(server: VerifyingSts) -> None:
    fetch = Fetcher(server)
    sts = _client(refreshing_session(fetch, region_name=REGION), server, "sts")
    # 900 seconds are within botocore's 15 minutes from the start.
    arns = [sts.get_caller_identity()["Arn"].rpartition("/")[2] for _ in range(3)]
    assert len(set(arns)) == fetch.count > 1
