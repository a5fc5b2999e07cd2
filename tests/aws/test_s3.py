"""S3 by boto3 with a key in a TPM, before a server that verifies every signature and is not ours: Swift."""

import datetime
import io
import re
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError

import boto3
import botocore.auth
import pytest
from botocore.compat import get_current_datetime
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sigv4.boto import session
from tests.support.held import KEY_ID, SECRET, HeldKey, held_key, no_settings, wrong_key
from tests.support.swift import REGION, SwiftS3

MIB = 1 << 20


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeldKey]:
    with held_key(tmp_path_factory.mktemp("home")) as key:
        yield key


@pytest.fixture(scope="module")
def server() -> Iterator[SwiftS3]:
    with SwiftS3(KEY_ID, SECRET) as running, pytest.MonkeyPatch.context() as patch:
        no_settings(patch)
        yield running


@pytest.fixture(scope="module")
def aws(held: HeldKey) -> boto3.Session:
    return session(held, KEY_ID, region_name=REGION)


def client_of(aws: boto3.Session, server: SwiftS3, **more: Any) -> Any:
    config = Config(signature_version="s3v4", retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    return aws.client("s3", endpoint_url=server.endpoint, config=config, **more)


@pytest.fixture(scope="module")
def s3(aws: boto3.Session, server: SwiftS3) -> Any:
    client = client_of(aws, server)
    client.create_bucket(Bucket="bucket")
    return client


def test_the_days_work(s3: Any, held: HeldKey) -> None:
    """All of it after one HMAC of the TPM, which is closed all the while."""
    s3.put_object(Bucket="bucket", Key="one", Body=b"body", Metadata={"k": "v  v"}, ContentType="text/x-a")
    got = s3.get_object(Bucket="bucket", Key="one", Range="bytes=1-2")
    assert (got["Body"].read(), got["Metadata"], got["ContentType"]) == (b"od", {"k": "v  v"}, "text/x-a")
    s3.copy_object(Bucket="bucket", Key="two", CopySource={"Bucket": "bucket", "Key": "one"})
    assert s3.head_object(Bucket="bucket", Key="two")["ContentLength"] == 4
    listed = s3.list_objects_v2(Bucket="bucket", MaxKeys=1)
    assert listed["IsTruncated"]
    more = s3.list_objects_v2(Bucket="bucket", ContinuationToken=listed["NextContinuationToken"])
    assert [item["Key"] for item in listed["Contents"] + more["Contents"]] == ["one", "two"]
    gone = s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": "one"}, {"Key": "two"}]})
    assert len(gone["Deleted"]) == 2
    assert "Contents" not in s3.list_objects_v2(Bucket="bucket")
    assert held.relay.codes == ["HMAC"] * len(set(held.days))


def round_trip(s3: Any, key: str) -> None:
    s3.put_object(Bucket="bucket", Key=key, Body=key.encode())
    assert s3.get_object(Bucket="bucket", Key=key)["Body"].read() == key.encode()
    listed = s3.list_objects_v2(Bucket="bucket", Prefix=key)["Contents"]
    assert key in [item["Key"] for item in listed]
    url = s3.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": key})
    assert fetch(url) == key.encode()
    s3.copy_object(Bucket="bucket", Key="copy", CopySource={"Bucket": "bucket", "Key": key})
    assert s3.get_object(Bucket="bucket", Key="copy")["Body"].read() == key.encode()
    s3.delete_object(Bucket="bucket", Key=key)


@pytest.mark.parametrize(
    "key",
    [
        "a b",
        "a+b",
        "a%20b",
        "%",
        "a//b",
        "/a",
        "./a",
        "a/../b",
        "~!*'()",
        "äöü€😀",
        "?x=1&y#z",
        ";:@,$",
        "a/",
        "\x01",
        '[{<"`\\^>}]',
    ],
)
def test_odd_keys(s3: Any, key: str) -> None:
    round_trip(s3, key)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(key=st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_any_key(s3: Any, key: str) -> None:
    round_trip(s3, key)


def fetch(url: str, data: bytes | None = None, method: str = "GET") -> bytes:
    """What a program without any AWS code gets."""
    request = urllib.request.Request(url, data, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: bytes = answer.read()
    return found


def test_presigned_urls_work_for_whoever_has_them(s3: Any) -> None:
    where = {"Bucket": "bucket", "Key": "presigned +%/ä"}
    put = s3.generate_presigned_url("put_object", where, ExpiresIn=60)
    fetch(put, b"by urllib", "PUT")
    get = s3.generate_presigned_url("get_object", where, ExpiresIn=60)
    assert fetch(get) == b"by urllib"
    with pytest.raises(HTTPError, match="403"):
        fetch(get.replace("X-Amz-Expires=60", "X-Amz-Expires=61"))
    with pytest.raises(HTTPError, match="403"):
        fetch(get, method="DELETE")


def test_a_wrong_key_is_refused(server: SwiftS3, s3: Any) -> None:
    client = client_of(session(wrong_key, KEY_ID, region_name=REGION), server)
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client.list_objects_v2(Bucket="bucket")
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client.put_object(Bucket="bucket", Key="never", Body=b"body")
    with pytest.raises(HTTPError, match="403"):
        fetch(client.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "never"}))
    assert "Contents" not in s3.list_objects_v2(Bucket="bucket", Prefix="never")


def test_a_body_that_was_changed_on_its_way_is_refused(s3: Any) -> None:
    def change(request: Any, **_more: object) -> None:
        request.body = b"BODY"

    s3.meta.events.register("before-send.s3.PutObject", change, unique_id="change")
    try:
        with pytest.raises(ClientError, match=r"XAmzContentSHA256Mismatch|BadDigest"):
            s3.put_object(Bucket="bucket", Key="changed", Body=b"body")
    finally:
        s3.meta.events.unregister("before-send.s3.PutObject", unique_id="change")


def test_parts_are_signed_each(s3: Any) -> None:
    where = {"Bucket": "bucket", "Key": "parts"}
    upload = s3.create_multipart_upload(**where)["UploadId"]
    parts = []
    for number, body in enumerate((bytes(5 * MIB), b"the end"), 1):
        part = s3.upload_part(UploadId=upload, PartNumber=number, Body=io.BytesIO(body), **where)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    s3.complete_multipart_upload(UploadId=upload, MultipartUpload={"Parts": parts}, **where)
    got = s3.get_object(**where)
    assert (got["ContentLength"], got["Body"].read()[-9:]) == (5 * MIB + 7, b"\0\0the end")


@pytest.mark.parametrize(("hours", "where"), [(-1, "behind"), (1, "ahead of"), (25, "ahead of")])
def test_a_wrong_clock_is_corrected_once(
    held: HeldKey,
    server: SwiftS3,
    s3: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    hours: int,
    where: str,
) -> None:
    """The server takes five minutes of difference; what is refused is signed again with its time."""
    wrong, sent = datetime.timedelta(hours=hours), []
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_: get_current_datetime() + wrong)
    client = client_of(session(held, KEY_ID, region_name=REGION), server)
    client.meta.events.register("before-send", lambda request, **_: sent.append(request.method))
    client.put_object(Bucket="bucket", Key="clock", Body=io.BytesIO(b"body"))
    client.head_object(Bucket="bucket", Key="clock")
    assert sent == ["PUT", "PUT", "HEAD"]
    assert re.findall("your clock is [0-9]+ seconds (.*) AWS;", caplog.text) == [where]
    assert fetch(client.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "clock"})) == b"body"
    with pytest.raises(ClientError, match="NoSuchKey"):
        client.get_object(Bucket="bucket", Key="no such")
    client = client_of(session(held, KEY_ID, region_name=REGION), server)
    assert client.head_object(Bucket="bucket", Key="clock")["ContentLength"] == 4


def test_a_wrong_key_is_no_wrong_clock(server: SwiftS3, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong, sent = datetime.timedelta(hours=1), []
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_: get_current_datetime() + wrong)
    client = client_of(session(wrong_key, KEY_ID, region_name=REGION), server)
    client.meta.events.register("before-send", lambda request, **_: sent.append(request.method))
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client.list_buckets()
    assert sent == ["GET", "GET"]


def test_a_client_with_a_key_of_its_own_has_a_clock_of_its_own(
    aws: boto3.Session, server: SwiftS3, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong, sent = datetime.timedelta(hours=1), []
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_: get_current_datetime() + wrong)
    # awscrt, where it is installed, signs in its place, and by a clock of its own.
    monkeypatch.setitem(botocore.auth.AUTH_TYPE_MAPS, "s3v4", botocore.auth.S3SigV4Auth)
    client = client_of(aws, server, aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET)
    client.meta.events.register("before-send", lambda request, **_: sent.append(request.method))
    with pytest.raises(ClientError, match="RequestTimeTooSkewed"):
        client.list_buckets()
    assert sent == ["GET"]
