"""AWS's SDKs find our credentials by themselves, each way there is, and a server that verifies takes them.

None is told where the credentials are but by the standard settings. rclone is a program of the SDK for Go; it
knows S3 only, for which the server has the role's permission and not the user's.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.keys import PLAIN_HANDLE
from tests.support.programs import CREDENTIAL_PROCESS, ROOT, Machine, left_behind, machine
from tests.support.serving import Serving
from tests.support.sts import VerifyingSts

WHO = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
RCLONE = ["rclone", "--config=", "--retries=1", "--low-level-retries=1", "--s3-provider=Other", "--s3-env-auth"]
SDKS = {
    "aws": ["aws", "sts", "get-caller-identity", "--query=Arn", "--output=text"],
    "boto3": [sys.executable, "-c", WHO],
    "javascript": ["node", "--no-warnings", str(ROOT / "tests" / "js" / "whoami.js")],
    "go": [*RCLONE, "lsf", ":s3:"],
}


@pytest.fixture(scope="module")
def at(sts: VerifyingSts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with machine(tmp_path_factory.mktemp("home"), sts.secret_access_key) as made:
        words = [
            f"--tpm-path={made.swtpm.path}",
            f"--aws-access-key-id={sts.access_key_id}",
            f"--persistentHandle={PLAIN_HANDLE:#x}",
            f"--assumeRole --aws-arn={sts.role_arn} --aws-session-name=sdk",
            f"--endpoint-url={sts.endpoint} --timeout=20s",
        ]
        config = made.home / ".aws" / "config"
        config.parent.mkdir()
        line = f"credential_process = {CREDENTIAL_PROCESS} {' '.join(words)}"
        config.write_text(f"[profile tpm]\n{line}\n[profile short]\n{line} --duration=900\n")
        done = run(made, sts, [*RCLONE, "mkdir", ":s3:bucket"], AWS_PROFILE="tpm")
        assert done.returncode == 0, done.stderr
        yield made


@pytest.fixture(scope="module")
def served(at: Machine) -> Iterator[Serving]:
    with Serving(at, "--profile=tpm") as running:
        yield running


@pytest.fixture(params=["credential_process", "container", "imds"])
def way(request: pytest.FixtureRequest) -> dict[str, str]:
    """What an SDK's environment needs to have."""
    if request.param == "credential_process":
        return {"AWS_PROFILE": "tpm"}
    found: dict[str, str] = getattr(request.getfixturevalue("served"), request.param)
    return found


def run(at: Machine, sts: VerifyingSts, command: list[str], **more: str) -> "subprocess.CompletedProcess[str]":
    if command[0] == "rclone":
        more["RCLONE_S3_ENDPOINT"] = sts.endpoint
    environment = settings(at, sts, **more)
    return subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=60)


def settings(at: Machine, sts: VerifyingSts, **more: str) -> dict[str, str]:
    region = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    return at.environment(AWS_ENDPOINT_URL=sts.endpoint, **region, **more)


@pytest.mark.parametrize("sdk", SDKS)
def test_the_sdk_is_the_role(at: Machine, sts: VerifyingSts, sdk: str, way: dict[str, str]) -> None:
    done = run(at, sts, SDKS[sdk], **way)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip().endswith("bucket/" if sdk == "go" else ":assumed-role/demo/sdk")
    assert left_behind(at.swtpm.path) == []


@pytest.mark.parametrize("sdk", SDKS)
def test_the_server_takes_no_other_secret_and_no_other_token(at: Machine, sts: VerifyingSts, sdk: str) -> None:
    """The control: the test above passes for no other reason than that credentials hold."""
    command = (at.home / ".aws" / "config").read_text().split("credential_process = ")[1].splitlines()[0]
    found = json.loads(run(at, sts, ["sh", "-c", command]).stdout)
    given = {
        "AWS_ACCESS_KEY_ID": found["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": found["SecretAccessKey"],
        "AWS_SESSION_TOKEN": found["SessionToken"],
    }
    assert run(at, sts, SDKS[sdk], **given).returncode == 0
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        done = run(at, sts, SDKS[sdk], **given | {name: given[name][:-1] + "#"})
        assert done.returncode != 0
        assert re.search("SignatureDoesNotMatch|InvalidClientTokenId|InvalidToken|InvalidAccessKeyId", done.stderr)


@pytest.mark.parametrize("sdk", SDKS)
def test_the_sdk_shows_what_is_wrong(at: Machine, sts: VerifyingSts, sdk: str) -> None:
    """A key that is not there: our line is in what the user sees.

    JavaScript's chain of providers only says that none of them had any; the one provider says why.
    """
    config = at.home / ".aws" / "config"
    broken = config.with_name("broken")
    broken.write_text(config.read_text().replace(f"{PLAIN_HANDLE:#x}", "0x81777777"))
    words = ["fromProcess"] if sdk == "javascript" else []
    done = run(at, sts, [*SDKS[sdk], *words], AWS_PROFILE="tpm", AWS_CONFIG_FILE=str(broken))
    assert done.returncode != 0
    assert "no object at this handle" in done.stderr


COPY = {"aws": ["aws", "s3", "cp"], "go": [*RCLONE, "copyto"]}


@pytest.mark.parametrize("sdk", COPY)
def test_files_go_to_s3_and_come_back(at: Machine, sts: VerifyingSts, sdk: str) -> None:
    """With temporary credentials, and in parts."""
    there, back = at.home / "there", at.home / f"back-{sdk}"
    there.write_bytes(bytes(range(256)) * (9 << 12))  # 9 MiB
    remote = f"{'s3://' if sdk == 'aws' else ':s3:'}bucket/a b+%20/ä"
    for source, target in ((str(there), remote), (remote, str(back))):
        done = run(at, sts, [*COPY[sdk], source, target], AWS_PROFILE="tpm")
        assert done.returncode == 0, done.stderr
    assert back.read_bytes() == there.read_bytes()


ASKS = """
import boto3, sys
aws = boto3.Session()
sts = aws.client("sts")
for _line in sys.stdin:
    arn = sts.get_caller_identity()["Arn"]
    print(aws.get_credentials().get_frozen_credentials().access_key, arn, flush=True)
"""


def test_serve_may_be_restarted_under_a_program(at: Machine, sts: VerifyingSts) -> None:
    """With credentials so short that boto3 asks for new ones each time; meanwhile it goes on with what it has."""
    with Serving(at, "--profile=short") as first:
        environment = settings(at, sts, **first.container)
        program = subprocess.Popen(
            [sys.executable, "-c", ASKS], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

        def ask() -> str:
            assert program.stdin is not None
            assert program.stdout is not None
            print(file=program.stdin, flush=True)
            return program.stdout.readline().strip()

        answers = [ask()]
    answers.append(ask())
    with Serving(at, "--profile=short", after=first):
        answers.append(ask())
        program.communicate(timeout=30)
    assert program.returncode == 0
    assert all(answer.endswith(":assumed-role/demo/sdk") for answer in answers)
    old, meanwhile, new = (answer.partition(" ")[0] for answer in answers)
    assert meanwhile == old != new
