"""`tpmwire token eks`, `rds` and `codecommit` beside the aws command with the same key, and run by git."""

import base64
import io
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from cli.toolbox import main
from sigv4 import tokens
from sigv4.endpoints import resolve
from sigv4.signer import Signer, hmac_from_secret
from sigv4.times import parse_rfc3339
from tests.support import keys
from tests.support.programs import KEY_ID, SECRET, TOOLBOX, Machine, left_behind, machine
from tests.support.sts import VerifyingSts
from tests.support.verbs import Tool
from tpmwire import __version__

pytestmark = pytest.mark.box(SECRET)

HOST = "db.abc.eu-west-1.rds.amazonaws.com"
DSQL = "abc.dsql.us-east-2.on.aws"
GIT = "git-codecommit.eu-west-3.amazonaws.com"


def _key(box: Machine) -> list[str]:
    words = [f"--aws-access-key-id={KEY_ID}", f"--persistentHandle={keys.PLAIN_HANDLE:#x}"]
    return [*words, f"--tpm-path={box.swtpm.path}", "--timeout=20s"]


def _moment(url: str) -> float:
    stamp = parse_qs(urlsplit(url).query)["X-Amz-Date"][0]
    return _seconds(stamp)


def _seconds(stamp: str) -> float:
    return parse_rfc3339(f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:11]}:{stamp[11:13]}:{stamp[13:15]}Z")


PLAIN = Signer(KEY_ID, hmac_from_secret(SECRET))
"""As the aws command signs, which tests/aws/test_sigv4_tokens.py shows."""


def _url(token: str) -> str:
    text = token.removeprefix("k8s-aws-v1.")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()


@pytest.mark.parametrize(
    ("asked", "version"),
    [
        (None, "v1beta1"),
        ('{"apiVersion": "client.authentication.k8s.io/v1", "spec": {"interactive": true}}', "v1"),
        ('{"apiVersion": "client.authentication.k8s.io/v1alpha1"}', "v1alpha1"),
    ],
)
def test_an_eks_token(
    box: Machine,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    asked: str | None,
    version: str,
) -> None:
    if asked is not None:
        monkeypatch.setenv("KUBERNETES_EXEC_INFO", asked)
    assert main(["token", "eks", "--cluster-name=prod", "--region=eu-central-1", *_key(box)]) == 0
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert told.err == ""
    moment = _moment(_url(found["status"]["token"]))
    assert found["status"]["token"] == tokens.eks_token(PLAIN, resolve("eu-central-1"), "prod", moment)
    assert parse_rfc3339(found["status"]["expirationTimestamp"]) == moment + 840
    assert {k: v for k, v in found.items() if k != "status"} == {
        "kind": "ExecCredential",
        "apiVersion": f"client.authentication.k8s.io/{version}",
        "spec": {},
    }
    assert left_behind(box.swtpm.path) == []


@pytest.mark.parametrize("asked", ["{", "[]", '{"apiVersion": "v9"}', '{"apiVersion": ["v1"]}', "[" * 100_000])
def test_a_version_that_is_not_known(
    box: Machine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    monkeypatch.setenv("KUBERNETES_EXEC_INFO", asked)
    assert main(["token", "eks", "--cluster-id=1-2", "--region=eu-central-1", *_key(box)]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["apiVersion"].endswith("/v1beta1")
    assert told.err.count("\n") == 1
    assert "KUBERNETES_EXEC_INFO" in told.err


def test_a_database_password(box: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """Its region is what the host says, whatever the profile's."""
    words = [f"--hostname={HOST}", "--port=5432", "--username=m/e ü", "--aws-region=us-east-1"]
    assert main(["token", "rds", *words, *_key(box)]) == 0
    ours = capsys.readouterr().out.removesuffix("\n")
    moment = _moment(f"https://{ours}")
    assert ours == tokens.rds_token(PLAIN, HOST, 5432, "m/e ü", "eu-west-1", moment)
    words = ["--hostname=db.example", "--port=3306", "--username=me", "--region=us-west-1"]
    assert main(["token", "rds", *words, *_key(box)]) == 0
    assert "%2Fus-west-1%2Frds-db%2F" in capsys.readouterr().out


@pytest.mark.parametrize("user", ["admin", "me"])
def test_a_dsql_password(box: Machine, capsys: pytest.CaptureFixture[str], user: str) -> None:
    assert main(["token", "rds", f"--hostname={DSQL}", f"--username={user}", *_key(box)]) == 0
    ours = capsys.readouterr().out.removesuffix("\n")
    moment = _moment(f"https://{ours}")
    assert ours == tokens.dsql_token(PLAIN, DSQL, "us-east-2", moment, admin=user == "admin")


def test_git_asks(box: Machine, tmp_path: Path) -> None:
    """Git itself runs the helper, for one host and with the path."""
    helper = "!" + shlex.join([str(box.bin / TOOLBOX), "token", "codecommit", *_key(box)])
    config = tmp_path / "gitconfig"
    for name, value in (("helper", helper), ("useHttpPath", "true")):
        subprocess.run(["git", "config", "--file", config, f"credential.{name}", value], check=True)
    environ = box.environment(GIT_CONFIG_GLOBAL=str(config), GIT_CONFIG_NOSYSTEM="1", GIT_TERMINAL_PROMPT="0")

    def fill(host: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["git", "credential", "fill"],
            check=False,
            env=environ,
            input=f"protocol=https\nhost={host}\npath=v1/repos/app\n\n",
            capture_output=True,
            text=True,
            timeout=60,
        )

    filled = fill(GIT)
    assert filled.returncode == 0, filled.stderr
    answer = dict(line.split("=", 1) for line in filled.stdout.splitlines())
    moment = _seconds(answer["password"][:15])
    url = f"https://{GIT}/v1/repos/app"
    assert (answer["username"], answer["password"]) == tokens.codecommit_password(PLAIN, url, "eu-west-3", moment)
    stored = subprocess.run(
        ["git", "credential", "approve"], check=False, env=environ, input=filled.stdout, text=True, timeout=60
    )
    assert stored.returncode == 0
    foreign = fill(f"{GIT}.example")
    assert (foreign.returncode, "password" in foreign.stdout) == (128, False)


@pytest.mark.parametrize(
    ("asked", "words", "code", "says"),
    [
        (f"protocol=https\nhost={GIT}.evil.example\npath=p\n", [], 0, ""),
        (f"protocol=http\nhost={GIT}\npath=p\n", [], 0, ""),
        ("", [], 0, ""),
        (f"protocol=https\nhost={GIT}\n", [], 2, "useHttpPath true"),
        ("protocol=https\nhost=git.example\npath=p\n", ["--ignore-host-check"], 2, "the region is not known"),
        ("path=p\n", ["--ignore-host-check"], 2, "has no host"),
    ],
)
def test_what_git_is_not_told(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    asked: str,
    words: list[str],
    code: int,
    says: str,
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(asked.encode())))
    # There is no TPM.
    assert (
        main(["token", "codecommit", *words, "get", f"--aws-access-key-id={KEY_ID}", "--tpm-path=/nonexistent"])
        == code
    )
    told = capsys.readouterr()
    assert told.out == ""
    assert says in told.err


def test_a_role_signs(box: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with VerifyingSts() as sts, machine(tmp_path, sts.secret_access_key) as at:
        key = [f"--aws-access-key-id={sts.access_key_id}", f"--persistentHandle={keys.PLAIN_HANDLE:#x}"]
        words = [*key, f"--tpm-path={at.swtpm.path}", "--timeout=20s", "--assumeRole=true"]
        words += [f"--aws-arn={sts.role_arn}", f"--endpoint-url={sts.endpoint}", "--region=eu-west-1"]
        assert main(["token", "rds", "--hostname=db.example", "--port=1", "--username=me", *words]) == 0
        assert "X-Amz-Security-Token=" in capsys.readouterr().out
        link = ["presign", "https://iam.amazonaws.com/", *words]
        assert main([*link, "--expires=60"]) == 0
        assert capsys.readouterr().err == ""
        assert main([*link, "--expires=86400"]) == 0
        assert "the URL expires at 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["elasticache", "--cache-name=sessions", "--username=me", "--serverless"],
            lambda at: tokens.cache_token(
                PLAIN, "elasticache", "sessions", "me", "eu-west-1", at, serverless=True
            ),
        ),
        (
            ["memorydb", "--cluster-name=orders", "--username=me"],
            lambda at: tokens.cache_token(PLAIN, "memorydb", "orders", "me", "eu-west-1", at),
        ),
        (["msk"], lambda at: tokens.msk_token(PLAIN, "eu-west-1", at, f"tpmwire/{__version__}")),
        (["bedrock"], lambda at: tokens.bedrock_key(PLAIN, "eu-west-1", at)),
        (["bedrock", "--expires=5400"], lambda at: tokens.bedrock_key(PLAIN, "eu-west-1", at, 5400)),
    ],
)
def test_a_token_is_that_of_the_function(
    words: list[str], expected: Callable[[float], str], box: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    """The function's tokens are those of AWS's libraries: tests/aws/test_sigv4_tokens.py."""
    first = int(time.time())
    assert main(["token", *words, "--region=eu-west-1", *_key(box)]) == 0
    told = capsys.readouterr()
    assert told.out.removesuffix("\n") in [expected(at) for at in range(first - 1, int(time.time()) + 2)]
    assert told.err == ""


REFUSED = {
    "a cluster that is none": (
        ["token", "eks", "--cluster-name=a b", "--region=us-east-1"],
        "'a b' is not a valid EKS cluster",
    ),
    "two clusters": (["token", "eks", "--cluster-name=a", "--cluster-id=b"], "not allowed with"),
    "no region": (["token", "eks", "--cluster-name=a"], "the region is not known"),
    "no port": (["token", "rds", f"--hostname={HOST}", "--username=a"], "--port is required"),
    "a port that is none": (["token", "rds", f"--hostname={HOST}", "--username=a", "--port=0"], "invalid port 0"),
    "a host that is none": (
        ["token", "rds", "--hostname=a/b", "--username=a", "--port=1", "--region=a"],
        "'a/b' is no",
    ),
    "no user": (["token", "rds", f"--hostname={HOST}", "--username=", "--port=1"], "missing database user"),
    "a host for a cache": (
        ["token", "elasticache", "--cache-name=a.cache.amazonaws.com", "--username=a", "--region=eu-west-1"],
        "'a.cache.amazonaws.com' is not a valid cache name",
    ),
    "a mistyped region": (["token", "msk", "--region=eu-wst-1"], "eu-west-1"),
    "an API key for a day": (
        ["token", "bedrock", "--region=us-east-1", "--expires=86400"],
        "expected 1 to 43200 seconds",
    ),
    "a user in Latin-1": (
        ["token", "rds", f"--hostname={HOST}", "--username=\udcff", "--port=1"],
        "is not valid UTF-8",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_the_tpm_is_asked(case: str, without_tpm: Tool) -> None:
    words, says = REFUSED[case]
    told = without_tpm(*words)
    assert says in told.err
    assert (told.code, told.out, told.err.count("\n")) == (2, "", 1)
