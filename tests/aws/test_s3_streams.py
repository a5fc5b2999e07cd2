"""Streams to S3 with a key in a TPM: chunked with a trailing checksum under TLS, in parts, in little memory."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3.crt
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

from sigv4.boto import session
from tests.support.certificates import Authority
from tests.support.held import KEY_ID, SECRET, HeldKey, held_key, no_settings, wrong_key
from tests.support.relay import TlsRelay
from tests.support.swift import REGION, SwiftS3

MIB = 1 << 20


class Place:
    """The server, its entrance with TLS, and the key."""

    def __init__(self, server: SwiftS3, relay: TlsRelay, authority: Authority, held: HeldKey) -> None:
        self.server, self.held = server, held
        self.endpoint = f"https://127.0.0.1:{relay.port}"
        self._bundle = str(authority.bundle)

    def client(self, key: Any = None, **config: Any) -> Any:
        aws = session(key or self.held, KEY_ID, region_name=REGION)
        settings = Config(signature_version="s3v4", retries={"total_max_attempts": 1}, **config)
        return aws.client("s3", endpoint_url=self.endpoint, verify=self._bundle, config=settings)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home = tmp_path_factory.mktemp("home")
    authority = Authority(home, "right")
    with (
        held_key(home) as held,
        SwiftS3(KEY_ID, SECRET) as server,
        TlsRelay(("127.0.0.1", server.port), authority.server_certificate("127.0.0.1")) as relay,
        pytest.MonkeyPatch.context() as patch,
    ):
        no_settings(patch)
        made = Place(server, relay, authority, held)
        made.client().create_bucket(Bucket="bucket")
        yield made


class Unseekable(io.RawIOBase):
    """A stream of zeros that knows neither its end nor the way back."""

    def __init__(self, size: int) -> None:
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = min(self._left, len(buffer))
        buffer[:size] = bytes(size)
        self._left -= size
        return size


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_a_stream_goes_in_chunks_with_its_checksum_behind(place: Place, algorithm: str) -> None:
    s3 = place.client()
    sent: list[str] = []

    def look(request: Any, **_more: object) -> None:
        sent.extend(request.headers[name].decode() for name in ("Content-Encoding", "X-Amz-Content-SHA256"))

    s3.meta.events.register("before-send.s3.PutObject", look)
    data = bytes(range(256)) * 4096
    s3.put_object(Bucket="bucket", Key="chunked", Body=io.BytesIO(data), ChecksumAlgorithm=algorithm)
    assert sent == ["aws-chunked", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"]
    assert s3.get_object(Bucket="bucket", Key="chunked")["Body"].read() == data


def test_a_wrong_key_streams_nothing(place: Place) -> None:
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        place.client(wrong_key).put_object(Bucket="bucket", Key="never", Body=io.BytesIO(b"data"))
    assert "Contents" not in place.client().list_objects_v2(Bucket="bucket", Prefix="never")


def test_a_stream_without_end_in_sight_goes_in_parts(place: Place) -> None:
    place.held.relay.clear()
    s3 = place.client()
    s3.upload_fileobj(Unseekable(21 * MIB), "bucket", "unseekable")  # by ten threads
    assert s3.head_object(Bucket="bucket", Key="unseekable")["ContentLength"] == 21 * MIB
    assert place.held.relay.codes == ["HMAC"] * len(set(place.held.days))


def test_a_large_object_needs_little_memory(place: Place, tmp_path: Path) -> None:
    size, s3 = 96 * MIB, place.client()
    with (tmp_path / "large").open("wb+") as file:
        file.truncate(size)
        before = new_peak()
        s3.put_object(Bucket="bucket", Key="large", Body=file)
        body = s3.get_object(Bucket="bucket", Key="large")["Body"]
        assert sum(len(piece) for piece in body.iter_chunks(MIB)) == size
    assert peak() - before < 16 * MIB


def test_transfers_by_awscrt_go_botos_own_way(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """On some machines boto3 gives transfers to awscrt, which would sign with the secret key by itself."""
    monkeypatch.setattr(boto3.crt, "CRT_S3_CLIENT", None)
    (tmp_path / "file").write_bytes(b"body")
    config = TransferConfig(preferred_transfer_client="crt")
    with caplog.at_level("DEBUG", "boto3"):
        place.client().upload_file(str(tmp_path / "file"), "bucket", "crt", Config=config)
    assert "Using default client. pid:" in caplog.text
    assert place.client().head_object(Bucket="bucket", Key="crt")["ContentLength"] == 4


def new_peak() -> int:
    """The most memory that this process has had (octets), counted from now on (man 5 proc, clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


def peak() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024
