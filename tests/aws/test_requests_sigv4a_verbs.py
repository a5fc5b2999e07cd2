"""`tpmwire sign`, `presign` and `curl` with --sigv4a: S3 before a server that verifies, in headers and links."""

import http.client
import json
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from cli.toolbox import main
from tests.support.held import no_settings
from tests.support.programs import TOOLBOX, Machine, machine
from tests.support.sts import VerifyingSts
from tests.support.v4a import Sigv4aFront

HANDLE = "0x81010010"
ACCESS_POINT = "https://mfzwi23gnjvgw.mrap.accesspoint.s3-global.amazonaws.com/report.pdf"


class World:
    """S3 behind a server that verifies SigV4A, with an object in it, and a machine with the key."""

    def __init__(self, box: Machine, sts: VerifyingSts, front: Sigv4aFront) -> None:
        self.box, self.front = box, front
        self.key = [f"--aws-access-key-id={sts.access_key_id}", f"--tpm-path={box.swtpm.path}", "--timeout=20s"]
        words = ["import", "--out=hmac.pem", f"--sigv4a-handle={HANDLE}", "--sigv4a-out=v4a.pem", *self.key]
        box.toolbox(*words, stdin=sts.secret_access_key)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch, VerifyingSts(actions=("sts:*", "s3:*")) as sts:
        no_settings(patch)
        secrets = {sts.access_key_id: sts.secret_access_key}
        with (
            machine(tmp_path_factory.mktemp("home"), sts.secret_access_key) as box,
            Sigv4aFront(sts.port, secrets, "us-east-1") as front,
        ):
            yield World(box, sts, front)


@pytest.fixture(autouse=True)
def fresh(world: World) -> None:
    world.front.verified.clear()


def sent(world: World, method: str, path: str, body: bytes, *words: str) -> tuple[int, bytes]:
    """The request as `tpmwire sign` says, sent by somebody else."""
    name = world.box.home / "body"
    name.write_bytes(body)
    out = subprocess.run(
        [
            world.box.bin / TOOLBOX,
            "sign",
            f"{world.front.url}{path}",
            *("-X", method, "--service", "s3", "-T", name, "--output", "json"),
            *words,
            *world.key,
        ],
        env=world.box.environment(),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert out.returncode == 0, out.stderr
    signed = json.loads(out.stdout)
    connection = http.client.HTTPConnection(urlsplit(world.front.url).netloc, timeout=20)
    try:
        connection.request(method, path, body, signed["headers"])
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("place", [HANDLE, "v4a.pem"])
def test_sign_and_presign(world: World, capsys: pytest.CaptureFixture[str], place: str) -> None:
    key = f"--sigv4a={place if place == HANDLE else world.box.home / place}"
    everywhere = (key, "--region-set=*")
    assert sent(world, "PUT", "/bucket", b"", *everywhere)[0] == 200
    assert sent(world, "PUT", "/bucket/a%20b", b"hello", *everywhere)[0] == 200
    assert sent(world, "PUT", "/bucket/a%20b", b"hello", key, "--region-set=eu-*")[0] == 403
    words = ["presign", f"{world.front.url}/bucket/a%20b", "--service=s3", *everywhere, *world.key]
    assert main(words) == 0
    link = capsys.readouterr().out.strip()
    with urllib.request.urlopen(link) as answer:
        assert answer.read() == b"hello"
    assert [(each.regions, each.presigned) for each in world.front.verified] == [
        ("*", False),
        ("*", False),
        ("*", True),
    ]


def test_curl(world: World, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["--service=s3", f"--sigv4a={HANDLE}", "--region-set=us-*", "--fail", *world.key]
    (tmp_path / "body").write_bytes(bytes(100_000))
    assert main(["curl", "-X", "PUT", f"{world.front.url}/curled", *words]) == 0
    assert main(["curl", "-T", str(tmp_path / "body"), f"{world.front.url}/curled/zeros", *words]) == 0
    assert main(["curl", "-o", str(tmp_path / "back"), f"{world.front.url}/curled/zeros", *words]) == 0
    assert (tmp_path / "back").read_bytes() == bytes(100_000)
    assert [each.regions for each in world.front.verified] == ["us-*"] * 3
    capfd.readouterr()
    others = [word.replace("us-*", "eu-*") for word in words]
    assert main(["curl", f"{world.front.url}/curled/zeros", *others]) == 6
    assert capfd.readouterr().out == ""


def test_one_region_without_a_set(world: World) -> None:
    assert sent(world, "PUT", "/one", b"", f"--sigv4a={HANDLE}", "--region=us-east-1")[0] == 200
    assert [each.regions for each in world.front.verified] == ["us-east-1"]


def test_a_multi_region_access_point(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Its host says service and set of regions, and that SigV4 will not do."""
    for url in (ACCESS_POINT, "s3://arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap/report.pdf"):
        assert main(["presign", url, f"--sigv4a={HANDLE}", *world.key]) == 0
        link = capsys.readouterr().out.strip()
        assert link.startswith(f"{ACCESS_POINT}?")
        fields = dict(parse_qsl(urlsplit(link).query))
        assert fields["X-Amz-Region-Set"] == "*"
        assert fields["X-Amz-Credential"].endswith("/s3/aws4_request")
    assert main(["presign", ACCESS_POINT, *world.key]) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert "accepts SigV4A only; use --sigv4a KEY" in told.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--region-set=us east"], "'us east' is not a valid set of regions"),
        (["--region-set="], "'' is not a valid set of regions"),
        (["--region-set=*", "--service=s/3"], "'s/3' is not a valid service name"),
        (
            ["--region-set=*", "--assumeRole=true", "--aws-arn=arn:aws:iam::123456789012:role/x"],
            "remove --sigv4a or the role options",
        ),
    ],
)
def test_mistakes(world: World, capsys: pytest.CaptureFixture[str], words: list[str], told: str) -> None:
    service = [] if any(word.startswith("--service") for word in words) else ["--service=s3"]
    assert main(["sign", "https://h.example/", *service, f"--sigv4a={HANDLE}", *words, *world.key]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert told in said.err


def test_a_key_of_another_kind(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Which of the two keys it is that the TPM does not sign with."""
    elsewhere = [word for word in world.key if not word.startswith("--timeout")]
    words = ["import", "--persistent-handle=0x81010011", *elsewhere]
    done = subprocess.run(
        [world.box.bin / TOOLBOX, *words],
        env=world.box.environment(),
        check=False,
        input=b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert (
        main(["sign", "https://h.example/", "--service=s3", "--sigv4a=0x81010011", *world.key, "--region-set=*"])
        == 4
    )
    said = capsys.readouterr().err
    assert "TPM_RC_SCHEME" in said
    assert "; the key of --sigv4a is not a SigV4A key" in said
