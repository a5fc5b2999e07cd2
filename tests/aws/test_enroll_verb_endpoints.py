"""enroll and rotate write what they prove: the line asks the profile's STS, in whatever environment it runs."""

import shlex
import subprocess
from pathlib import Path

import boto3
import pytest

from cli.awsconfig.edit import get_setting
from cli.credentials.options import parse_run
from cli.credentials.role_chain import process_words
from cli.credentials.settings import aws_of
from cli.credentials.sts import endpoint_for
from sigv4.sts import GetCallerIdentity
from tests.support.home import files_with, make_home
from tests.support.sts import VerifyingSts
from tests.support.swtpm import Swtpm
from tests.support.verbs import Tool

pytestmark = pytest.mark.swtpm("tcp")

PROFILES = {
    "opt-in": "region = ap-east-1\n",
    "FIPS": "region = us-east-2\nuse_fips_endpoint = true\n",
    "dual-stack": "region = eu-west-1\nuse_dualstack_endpoint = true\n",
    "both": "region = us-east-1\nuse_fips_endpoint = true\nuse_dualstack_endpoint = true\n",
    "an endpoint": "region = eu-west-1\nendpoint_url = {sts}\n",
    "STS's own endpoint": "region = eu-west-1\nservices = s\n\n[services s]\nsts =\n  endpoint_url = {sts}\n",
}
PARTITIONS = ["us-gov-west-1", "cn-north-1", "us-iso-east-1", "eusc-de-east-1"]


def _home(path: Path, monkeypatch: pytest.MonkeyPatch, sts: VerifyingSts) -> Path:
    plain = f"aws_access_key_id = {sts.access_key_id}\naws_secret_access_key = {sts.secret_access_key}\n"
    made = make_home(path, monkeypatch, sts, "", f"[work]\n{plain}")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    return made


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sts: VerifyingSts) -> Path:
    return _home(tmp_path, monkeypatch, sts)


def _line(home: Path) -> str:
    line = get_setting((home / ".aws" / "config").read_text(), "profile work", "credential_process")
    assert line is not None
    return line


def _asked(home: Path) -> tuple[str, str]:
    """URL and region by which the written line asks STS, without the profile's settings."""
    args = parse_run(process_words(_line(home))[1])
    endpoint = endpoint_for(aws_of(args), GetCallerIdentity())
    return endpoint.url.rstrip("/"), endpoint.region


def _botocore() -> tuple[str, str]:
    """The same of botocore, for the profile."""
    client = boto3.Session(profile_name="work", aws_access_key_id="x", aws_secret_access_key="y").client("sts")
    return client.meta.endpoint_url.rstrip("/"), client.meta.region_name


@pytest.mark.parametrize("kind", PROFILES)
def test_the_line_asks_where_the_profile_says(
    home: Path, sts: VerifyingSts, shared_swtpm: Swtpm, tool: Tool, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (home / ".aws" / "config").write_text("[profile work]\n" + PROFILES[kind].format(sts=sts.endpoint))
    done = tool("enroll", "--profile", "work", "--tpm-path", shared_swtpm.path, "--remove-plaintext")
    assert done.code == 0, done.err
    assert ("the key was tested with AWS_ENDPOINT_URL of" in done.err) == ("endpoint_url" not in PROFILES[kind])
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert _asked(home) == _botocore()
    # Another region in the environment of a later run is for other things.
    monkeypatch.setenv("AWS_REGION", "sa-east-1")
    assert _asked(home)[1] in PROFILES[kind]


@pytest.mark.parametrize("region", PARTITIONS)
def test_a_key_of_another_partition(
    tmp_path: Path, shared_swtpm: Swtpm, tool: Tool, monkeypatch: pytest.MonkeyPatch, region: str
) -> None:
    """Without its region, nothing is changed; then it works and stays so."""
    words = ["enroll", "--profile", "work", "--tpm-path", shared_swtpm.path, "--remove-plaintext"]
    with VerifyingSts(region=region) as sts:
        home = _home(tmp_path, monkeypatch, sts)
        before = (home / ".aws" / "credentials").read_text()
        refused = tool(*words)
        assert refused.code == 6
        assert "--aws-region" in refused.err
        assert refused.err.count("\n") == 1
        assert (home / ".aws" / "credentials").read_text() == before
        assert (home / ".aws" / "config").read_text() == ""
        assert not (home / ".aws" / "tpmwire").exists()
        (home / ".aws" / "config").write_text(f"[profile work]\nregion = {region}\n")
        done = tool(*words)
        assert done.code == 0, done.err
        assert f"--aws-region={region}" in shlex.split(_line(home))
        assert sts.secret_access_key not in (home / ".aws" / "credentials").read_text()
        monkeypatch.delenv("AWS_ENDPOINT_URL")
        assert _asked(home) == _botocore()


def test_the_environment_that_the_key_was_proven_in(
    home: Path, shared_swtpm: Swtpm, tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "us-west-1")
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    done = tool("enroll", "--profile", "work", "--tpm-path", shared_swtpm.path, "--remove-plaintext")
    assert done.code == 0, done.err
    for name in ("AWS_REGION", "AWS_USE_FIPS_ENDPOINT", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name)
    assert _asked(home) == ("https://sts-fips.us-west-1.amazonaws.com", "us-west-1")


def test_the_profiles_cas_are_the_lines(
    home: Path, sts: VerifyingSts, shared_swtpm: Swtpm, tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    settings = f"[profile work]\nendpoint_url = {sts.tls_endpoint()}\nca_bundle = {sts.authority().bundle}\n"
    (home / ".aws" / "config").write_text(settings)
    done = tool("enroll", "--profile", "work", "--tpm-path", shared_swtpm.path, "--remove-plaintext")
    assert done.code == 0, done.err
    args = parse_run(process_words(_line(home))[1])
    assert aws_of(args).environ["AWS_CA_BUNDLE"] == str(sts.authority().bundle)
    # As an SDK runs it, with nothing of AWS in the environment.
    ran = subprocess.run(["sh", "-c", _line(home)], capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert "SecretAccessKey" in ran.stdout


def test_rotate_adds_what_an_older_line_lacks(
    home: Path, sts: VerifyingSts, shared_swtpm: Swtpm, tool: Tool
) -> None:
    (home / ".aws" / "config").write_text("[profile work]\nregion = us-west-2\n")
    done = tool("enroll", "--profile", "work", "--tpm-path", shared_swtpm.path, "--remove-plaintext")
    assert done.code == 0, done.err
    config = home / ".aws" / "config"
    config.write_text(config.read_text().replace(" --aws-region=us-west-2", ""))
    assert _asked(home)[1] == "us-east-1"
    done = tool("rotate", "--profile", "work")
    assert done.code == 0, done.err
    assert _asked(home)[1] == "us-west-2"
    assert files_with(home, sts.secret_access_key) == []
