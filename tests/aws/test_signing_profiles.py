"""The signing verbs by --profile: the key itself, or the role that the profile says."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import pytest

from cli.toolbox import VERBS, main
from tests.support import keys
from tests.support.home import make_home
from tests.support.programs import Machine
from tests.support.sts import VerifyingSts

CONFIG = """
[profile tpm]
credential_process = aws-tpm-process-credential {key} --tpm-path={path}
region = eu-north-1

[profile role]
role_arn = {role}
source_profile = tpm
region = eu-south-1
"""
S3_SECTION = """
[profile path]
credential_process = aws-tpm-process-credential {key} --tpm-path={path}
region = eu-north-1
s3 =
  addressing_style = path
  payload_signing_enabled = false

[profile fast]
credential_process = aws-tpm-process-credential {key} --tpm-path={path}
region = eu-north-1
s3 =
  use_accelerate_endpoint = true
  use_dualstack_endpoint = true
"""
VERBS_OF_SIGNING = [
    "sign",
    "presign",
    "curl",
    "console",
    *(f"token {kind}" for kind in ("eks", "rds", "ecr", "codecommit")),
]


@pytest.fixture
def profiles(box: Machine, tmp_path: Path, sts: VerifyingSts, monkeypatch: pytest.MonkeyPatch) -> None:
    config = (CONFIG + S3_SECTION).format(
        key=f"--aws-access-key-id={sts.access_key_id} --persistentHandle={keys.PLAIN_HANDLE:#x}",
        path=box.swtpm.path,
        role=sts.role_arn,
    )
    make_home(tmp_path, monkeypatch, sts, config, "")
    monkeypatch.delenv("AWS_DEFAULT_REGION")


@pytest.mark.usefixtures("profiles")
def test_by_profile(
    sts: VerifyingSts, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The region is the profile's; the signature holds at an STS that verifies it."""
    words = ["--service=sts", "-d", "Action=GetCallerIdentity&Version=2011-06-15", f"{sts.endpoint}/"]
    for profile, region, who in (("tpm", "eu-north-1", ":user/device"), ("role", "eu-south-1", ":assumed-role/")):
        assert main(["sign", "--profile", profile, "--timeout=20s", *words]) == 0
        lines = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
        assert f"/{region}/sts/aws4_request" in lines["Authorization"]
        with urlopen(Request(words[3], words[2].encode(), lines), timeout=20) as answer:
            assert who in answer.read().decode()
        # The same by AWS_PROFILE.
        monkeypatch.setenv("AWS_PROFILE", profile)
        assert main(["token", "rds", "--hostname=db", "--port=1", "--username=me", "--timeout=20s"]) == 0
        query = parse_qs(urlsplit("https://" + capsys.readouterr().out).query)
        assert f"/{region}/rds-db/" in query["X-Amz-Credential"][0]
        assert ("X-Amz-Security-Token" in query) == (profile == "role")
        monkeypatch.delenv("AWS_PROFILE")


@pytest.mark.usefixtures("profiles")
def test_the_environments_region_wins(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "ap-south-2")
    assert main(["token", "eks", "--profile=tpm", "--cluster-name=a", "--timeout=20s"]) == 0
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert main(["presign", "--profile=tpm", "s3://my.bucket/k", "--timeout=20s"]) == 0
    link = capsys.readouterr().out.splitlines()[1]
    assert link.startswith("https://s3.ap-south-2.amazonaws.com/my.bucket/k?")
    assert main(["presign", "--profile=tpm", "s3://bucket/k", "--timeout=20s"]) == 0
    assert capsys.readouterr().out.startswith("https://bucket.s3.ap-south-2.amazonaws.com/k?")


@pytest.mark.usefixtures("profiles")
def test_the_s3_section_of_a_profile_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    for profile, host in (
        ("path", "s3.eu-north-1.amazonaws.com/bucket"),
        ("fast", "bucket.s3-accelerate.dualstack.amazonaws.com"),
    ):
        assert main(["presign", f"--profile={profile}", "s3://bucket/k", "--timeout=20s"]) == 0
        link = capsys.readouterr().out
        assert link.startswith(f"https://{host}/k?")
        assert "%2Feu-north-1%2Fs3%2F" in link
    (tmp_path / "body").write_bytes(b"body")
    for profile, unsigned in (("path", True), ("tpm", False)):
        words = ["sign", f"--profile={profile}", "-T", str(tmp_path / "body"), "s3://bucket/k", "--timeout=20s"]
        assert main(words) == 0
        assert ("UNSIGNED-PAYLOAD" in capsys.readouterr().out) == unsigned


@pytest.mark.parametrize("verb", VERBS_OF_SIGNING)
def test_help_teaches_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([*verb.split(), "--help"])
    out = capsys.readouterr().out
    assert end.value.code == 0
    assert f"tpmwire {verb} --profile" in out
    assert "--tpm-path" in out
    assert max(map(len, out.splitlines())) <= 120
    assert main(["--help"]) == 0
    assert f" {verb} {VERBS[verb]} " in " ".join(capsys.readouterr().out.split())
