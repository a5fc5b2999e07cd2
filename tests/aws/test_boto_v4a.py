"""boto3 by SigV4A with the key in a TPM: verified by a server without our code, and beside boto3 with awscrt."""

import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import boto3
import pytest
from botocore.compat import HAS_CRT
from botocore.config import Config
from botocore.exceptions import ClientError, UnsupportedSignatureVersionError

from sigv4.boto import session
from sigv4.boto_v4a import add_sigv4a
from sigv4.errors import RequestError
from sigv4.sigv4a import der_signature
from tests.support.held import HeldKey, no_settings
from tests.support.interposer import Interposer
from tests.support.programs import ROOT, Machine, machine
from tests.support.sts import USER, VerifyingSts
from tests.support.v4a import Sigv4aFront
from tpmwire.tpm import Tpm
from tpmwire.use.ecdsa import EcdsaKey

HANDLE = 0x81010010
ACCESS_POINT = "arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap"
PREFERRED = Config(auth_scheme_preference="sigv4a")
OF_S3 = Config(signature_version="s3v4a")


class HeldSignature:
    """ECDSA by the key at HANDLE; the TPM is opened for each call and closed again."""

    def __init__(self, relay: Interposer) -> None:
        self.relay = relay

    def __call__(self, digest: bytes) -> bytes:
        with Tpm.open(f"swtpm:path={self.relay.path}", 30) as tpm:
            return der_signature(*EcdsaKey(handle=HANDLE, protected=False).sign(tpm, digest))


class World:
    """An STS and S3 behind a server that verifies SigV4A, and sessions with their key."""

    def __init__(self, sts: VerifyingSts, front: Sigv4aFront, box: Machine, relay: Interposer) -> None:
        self.sts, self.front, self.relay = sts, front, relay
        words = ["import", "--out=hmac.pem", f"--sigv4a-handle={HANDLE:#x}", f"--tpm-path={box.swtpm.path}"]
        box.toolbox(*words, f"--aws-access-key-id={sts.access_key_id}", stdin=sts.secret_access_key)

    def held(self) -> boto3.Session:
        """A session with the TPM's keys."""
        plain = session(HeldKey(self.relay), self.sts.access_key_id, region_name="eu-central-1")
        return add_sigv4a(plain, HeldSignature(self.relay))

    def plain(self) -> boto3.Session:
        """A session with the secret in memory."""
        return boto3.Session(self.sts.access_key_id, self.sts.secret_access_key, region_name="eu-central-1")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch, VerifyingSts(actions=("sts:*", "s3:*")) as sts:
        no_settings(patch)
        secrets = {sts.access_key_id: sts.secret_access_key}
        with (
            machine(tmp_path_factory.mktemp("home"), sts.secret_access_key) as box,
            Interposer(box.swtpm.path) as relay,
            Sigv4aFront(sts.port, secrets) as front,
        ):
            yield World(sts, front, box, relay)


@pytest.fixture(autouse=True)
def fresh(world: World) -> None:
    world.front.verified.clear()
    world.relay.clear()


def test_sts_prefers_it_where_it_is_told_to(world: World) -> None:
    client = world.held().client("sts", endpoint_url=world.front.url, config=PREFERRED)
    assert client.get_caller_identity()["Arn"].endswith(f":user/{USER}")
    client.get_caller_identity()
    assert [each.regions for each in world.front.verified] == ["*", "*"]
    # Once per request, and no HMAC: no key of a day is here.
    assert world.relay.codes == ["Sign", "Sign"]


def test_s3_in_headers_and_links(world: World) -> None:
    client = world.held().client("s3", endpoint_url=world.front.url, config=OF_S3)
    client.create_bucket(Bucket="held", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    client.put_object(Bucket="held", Key="a b/ä.txt", Body=b"hello")
    assert client.get_object(Bucket="held", Key="a b/ä.txt")["Body"].read() == b"hello"
    link = client.generate_presigned_url("get_object", {"Bucket": "held", "Key": "a b/ä.txt"})
    with urllib.request.urlopen(link) as answer:
        assert answer.read() == b"hello"
    assert [each.presigned for each in world.front.verified] == [False, False, False, True]
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(link.replace("a%20b", "a%20c"))
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(link.replace("X-Amz-Expires=3600", "X-Amz-Expires=3601"))


def test_what_is_not_for_it_is_signed_as_before(world: World) -> None:
    client = world.held().client("sts", endpoint_url=world.sts.endpoint)
    assert client.get_caller_identity()["Arn"].endswith(f":user/{USER}")
    assert (world.relay.codes, world.front.verified) == (["HMAC"], [])


def test_a_multi_region_access_point_as_awscrt_signs_for_it(world: World) -> None:
    """The link has all of the request: less the signature, it is that of boto3 with the plain secret."""
    links = []
    for each in (world.held(), world.plain()):
        link = each.client("s3").generate_presigned_url("get_object", {"Bucket": ACCESS_POINT, "Key": "a b/k"})
        parts = urlsplit(link)
        fields = dict(parse_qsl(parts.query))
        assert (fields.pop("X-Amz-Signature")[:2], len(fields.pop("X-Amz-Date"))) == ("30", 16)
        links.append((parts.netloc, parts.path, fields))
    assert HAS_CRT
    assert links[0] == links[1]
    assert links[0][2]["X-Amz-Region-Set"] == "*"


def test_the_page_runs(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "sigv4a.md").read_text()
    [block] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    for told, ours in (
        ('"/dev/tpmrm0"', repr(f"swtpm:path={world.relay.path}")),
        ("AKIA...", world.sts.access_key_id),
        ("0x81010021", f"{HANDLE:#x}"),
    ):
        assert block.count(told) == 1
        block = block.replace(told, ours)
    exec(block, {})
    assert "X-Amz-Region-Set=%2A&X-Amz-Signature=30" in capsys.readouterr().out
    assert world.relay.codes == ["Sign"]


def test_headers_as_awscrt_has_them(world: World) -> None:
    found = []
    for each in (world.held(), world.plain()):
        client = each.client("s3", endpoint_url=world.front.url, config=OF_S3)
        world.front.verified.clear()
        client.list_buckets()
        found += world.front.verified
    assert found[0] == found[1]
    assert not found[0].presigned


def test_a_refusal_is_the_clients_error(world: World) -> None:
    client = world.held().client("s3", endpoint_url=world.front.url, region_name="us-east-1", config=OF_S3)
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client.list_buckets()


def test_only_sessions_whose_key_is_held_are_added_to(world: World) -> None:
    with pytest.raises(RequestError, match=r"with sigv4\.boto\.session"):
        add_sigv4a(world.plain(), HeldSignature(world.relay))
    without = session(HeldKey(world.relay), world.sts.access_key_id, region_name="eu-central-1")
    with pytest.raises(UnsupportedSignatureVersionError):
        without.client("s3", endpoint_url=world.front.url, config=OF_S3).list_buckets()


def test_without_awscrt(world: World) -> None:
    """In a process of its own, where botocore finds none: the held key, and plain keys beside it."""
    code = """
import sys, boto3
from botocore.compat import HAS_CRT
from botocore.config import Config
from sigv4.boto import session
from sigv4.boto_v4a import add_sigv4a
from tests.aws.test_boto_v4a import ACCESS_POINT, OF_S3, PREFERRED, HeldSignature
from types import SimpleNamespace
assert not HAS_CRT
url, key_id, path = sys.argv[1:]
secret = sys.stdin.read()
def no_hmac(_message): raise SystemExit("asked for an HMAC")
held = add_sigv4a(session(no_hmac, key_id, region_name="eu-central-1"), HeldSignature(SimpleNamespace(path=path)))
for each in (held, boto3.Session(key_id, secret, region_name="eu-central-1")):
    print(each.client("sts", endpoint_url=url, config=PREFERRED).get_caller_identity()["Arn"])
    each.client("s3", endpoint_url=url, config=OF_S3).list_buckets()
    each.client("s3").generate_presigned_url("get_object", {"Bucket": ACCESS_POINT, "Key": "k"})
"""
    done = subprocess.run(
        [sys.executable, "-c", code, world.front.url, world.sts.access_key_id, world.relay.path],
        env={**os.environ, "BOTO_DISABLE_CRT": "true", "PYTHONPATH": str(ROOT), "AWS_CONFIG_FILE": os.devnull},
        check=False,
        input=world.sts.secret_access_key,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f":user/{USER}\n") == 2
    assert len(world.front.verified) == 4
    assert world.relay.codes == ["Sign", "Sign", "Sign"]
