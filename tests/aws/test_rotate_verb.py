"""`tpmwire rotate`: a new key from IAM into the TPM; killed after each step, one key works, --resume ends it."""

import json
import re
import shlex
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import boto3
import pytest

from cli.awsconfig.edit import get_setting
from tests.support.front import Front, refusal
from tests.support.home import ROOT, arn_of, files_with, make_home
from tests.support.sts import VerifyingSts
from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Tool, held

pytestmark = pytest.mark.swtpm("tcp")

STEPS = [
    "begun",
    "answered",
    "created",
    "made",
    "put",
    "placed",
    "proven",
    "rewritten",
    "switched",
    "disabled",
    "inactive",
    "deleted",
    "cleared",
]
KILLED = """
import os, signal, sys
from cli.terminal.messages import guarded
from cli.terminal.options import Parser
from cli.verbs import rotate

def checkpoint(step):
    if step == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)

parser = Parser(prog="rotate")
rotate.configure(parser)
args = parser.parse_args(sys.argv[2:])
raise SystemExit(guarded("tpmwire", lambda: rotate.rotate(args, checkpoint)))
"""
HANDLE = 0x81010061
ALLOW = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["sts:*", "iam:*"], "Resource": "*"}],
}


class Device:
    """A user of its own with a key in the TPM, and the profile `work` that assumes a role with it."""

    def __init__(self, home: Path, sts: VerifyingSts, user: str, key: dict[str, str]) -> None:
        self.home = home
        self.user = user
        self.key_id = key["AccessKeyId"]
        self.secret = key["SecretAccessKey"]
        self._iam = admin(sts)

    def keys(self) -> dict[str, str]:
        """Statuses by access key id, as IAM has them."""
        found = self._iam.list_access_keys(UserName=self.user)["AccessKeyMetadata"]
        return {key["AccessKeyId"]: key["Status"] for key in found}

    def more(self) -> str:
        """A further key, as somebody else would make it."""
        return str(self._iam.create_access_key(UserName=self.user)["AccessKey"]["AccessKeyId"])

    def less(self, key_id: str) -> None:
        """Deletes a key."""
        self._iam.delete_access_key(UserName=self.user, AccessKeyId=key_id)

    @property
    def command(self) -> str:
        """The profile's credential_process."""
        text = (self.home / ".aws" / "config").read_text()
        return get_setting(text, "profile work", "credential_process") or ""

    def uses(self) -> str:
        """The key id that the profile has, after STS has taken a signature of its key."""
        done = subprocess.run(shlex.split(self.command), check=False, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["SessionToken"]
        found = re.search(r"--aws-access-key-id=(\w+)", self.command)
        assert found
        return found[1]

    @property
    def state(self) -> Path:
        return self.home / ".aws" / "tpmwire" / "rotate-work.json"


def admin(sts: VerifyingSts) -> Any:
    """IAM as the user that the server began with."""
    return boto3.client(
        "iam",
        region_name="us-east-1",
        endpoint_url=sts.endpoint,
        aws_access_key_id=sts.access_key_id,
        aws_secret_access_key=sts.secret_access_key,
    )


def make_device(
    home: Path, monkeypatch: pytest.MonkeyPatch, sts: VerifyingSts, swtpm: Swtpm, tool: Tool, options: list[str]
) -> Device:
    """Enrolls the key of a new user, with these options."""
    user = f"device-{uuid.uuid4()}"
    iam = admin(sts)
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="all", PolicyDocument=json.dumps(ALLOW))
    key = iam.create_access_key(UserName=user)["AccessKey"]
    plain = f"[work]\naws_access_key_id = {key['AccessKeyId']}\naws_secret_access_key = {key['SecretAccessKey']}\n"
    make_home(home, monkeypatch, sts, "# mine\n[default]\nregion = us-east-1\n", plain)
    done = tool("enroll", "--profile", "work", "--tpm-path", swtpm.path, "--remove-plaintext", *options)
    assert done.code == 0, done.err
    made = Device(home, sts, user, key)
    config = home / ".aws" / "config"
    role = f"{made.command} -assumeRole --aws-arn {sts.role_arn}"
    text = config.read_text().replace(made.command, role)
    config.write_text(f"{text}\n[profile more]\ncredential_process = {role}\n")
    return made


@pytest.fixture(params=["file", "handle"])
def device(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sts: VerifyingSts,
    swtpm: Swtpm,
    tool: Tool,
) -> Device:
    place = [] if request.param == "file" else ["--persistent-handle", hex(HANDLE)]
    return make_device(tmp_path, monkeypatch, sts, swtpm, tool, place)


def persistent(swtpm: Swtpm) -> list[int]:
    return [int(word, 16) for word in re.findall(r"0x81\w+", tpm2(swtpm, "getcap", "handles-persistent").decode())]


def test_rotation_whole(device: Device, swtpm: Swtpm, tool: Tool) -> None:
    done = tool("rotate", "--profile", "work")
    assert done.code == 0, done.err
    statuses = device.keys()
    (new,) = set(statuses) - {device.key_id}
    assert statuses == {device.key_id: "Inactive", new: "Active"}
    assert device.uses() == new
    # The other profile that used the key goes along, and the rest of the file is as it was.
    config = (device.home / ".aws" / "config").read_text()
    assert device.key_id not in config
    assert get_setting(config, "profile more", "credential_process") == device.command
    assert config.startswith("# mine\n[default]\nregion = us-east-1\n")
    assert "assumed-role/demo/" in arn_of("more")

    again = tool("rotate", "--profile", "work")
    assert again.code == 2
    assert "--delete-old deletes it" in again.err
    last = tool("rotate", "--profile", "work", "--delete-old")
    assert last.code == 0, last.err
    assert device.keys() == {new: "Active"}
    assert not device.state.exists()
    assert HANDLE not in persistent(swtpm)
    assert not list((device.home / ".aws" / "tpmwire").glob(f"*{device.key_id}*"))
    assert held(swtpm) == ""

    third = tool("rotate", "--profile", "work", "--delete-old")
    assert third.code == 0, third.err
    statuses = device.keys()
    assert new not in statuses
    assert statuses == {device.uses(): "Active"}


@pytest.mark.parametrize("step", STEPS)
def test_killed_after_any_step_one_key_works_and_resume_ends_it(
    device: Device, swtpm: Swtpm, tool: Tool, step: str
) -> None:
    words = ["--profile", "work", "--delete-old"]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, step, *words], check=False, cwd=ROOT, capture_output=True, timeout=60
    )
    assert killed.returncode == -9, killed.stderr
    # What the kernel's resource manager does for a client that is gone.
    assert tool("flush", "--tpm-path", swtpm.path).code == 0
    assert device.keys()[device.uses()] == "Active"
    assert files_with(device.home, device.secret) == []
    assert set(json.loads(device.state.read_text())) <= {"profile", "stage", "old", "new", "before"}

    if step not in ("inactive", "deleted", "cleared"):
        unasked = tool("rotate", *words)
        assert unasked.code == 2
        assert "--resume" in unasked.err
    done = tool("rotate", *words, "--resume")
    if step == "answered":
        # Only here a key may be somebody else's: it is not deleted unasked.
        assert done.code == 2
        (orphan,) = set(device.keys()) - {device.key_id}
        assert f"--discard {orphan}" in done.err
        done = tool("rotate", *words, "--resume", "--discard", orphan)
    assert done.code == 0, done.err
    used = device.uses()
    assert used != device.key_id
    assert device.keys() == {used: "Active"}
    assert not device.state.exists()
    # One key in the TPM or on disk, and no litter.
    assert len(persistent(swtpm)) + len(list((device.home / ".aws" / "tpmwire").iterdir())) == 1
    assert held(swtpm) == ""


@pytest.mark.parametrize("device", ["file"], indirect=True)
def test_the_steps_are_all_and_the_new_secret_is_on_no_disk(
    device: Device, tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cli.terminal.options import Parser
    from cli.verbs import rotate
    from sigv4 import iam

    secrets: list[str] = []
    build = iam.NewAccessKey.__init__

    def spy(self: iam.NewAccessKey, access_key_id: str, secret_access_key: str) -> None:
        secrets.append(secret_access_key)
        build(self, access_key_id, secret_access_key)

    monkeypatch.setattr(iam.NewAccessKey, "__init__", spy)
    parser = Parser(prog="rotate")
    rotate.configure(parser)
    seen: list[str] = []

    def checkpoint(step: str) -> None:
        seen.append(step)
        assert not [path for secret in secrets for path in files_with(device.home, secret)]

    assert rotate.rotate(parser.parse_args(["--profile", "work", "--delete-old"]), checkpoint) == 0
    assert seen == STEPS
    assert len(secrets) == 1


def test_a_key_that_finds_no_place_is_left_nowhere(device: Device, swtpm: Swtpm, tool: Tool) -> None:
    refused = tool("rotate", "--profile", "work", "--out", device.home / ".aws" / "config" / "new.pem")
    assert refused.code == 1
    assert "whose secret was lost" in refused.err
    assert device.keys() == {device.key_id: "Active"}
    assert not device.state.exists()
    assert device.uses() == device.key_id
    assert held(swtpm) == ""


@pytest.mark.parametrize("device", ["file"], indirect=True)
def test_two_keys_are_one_too_many(device: Device, tool: Tool) -> None:
    other = device.more()
    refused = tool("rotate", "--profile", "work")
    assert refused.code == 2
    assert other in refused.err
    assert refused.err.count("\n") == 1
    assert not device.state.exists()
    device.less(other)
    assert tool("rotate", "--profile", "work").code == 0


@pytest.mark.parametrize("device", ["file"], indirect=True)
def test_a_key_that_is_also_in_clear_is_not_rotated_away(device: Device, tool: Tool) -> None:
    (device.home / ".aws" / "credentials").write_text(f"[old]\naws_access_key_id = {device.key_id}\n")
    refused = tool("rotate", "--profile", "work")
    assert refused.code == 2
    assert "in [old] of" in refused.err
    assert "enroll --profile old --remove-plaintext" in refused.err
    assert device.keys() == {device.key_id: "Active"}


@pytest.mark.parametrize("device", ["file"], indirect=True)
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--profile", "work", "--resume"], "to resume"),
        (["--profile", "nobody"], "profile 'nobody' not found"),
        (["--profile", "work", "--discard", "AKIA"], "to resume"),
    ],
)
def test_words_that_do_not_fit(device: Device, tool: Tool, words: list[str], says: str) -> None:
    refused = tool("rotate", *words)
    assert refused.code == 2
    assert says in refused.err
    assert refused.err.count("\n") == 1


@pytest.mark.parametrize("device", ["file"], indirect=True)
def test_a_new_key_that_aws_does_not_know_yet_is_waited_for(
    device: Device, sts: VerifyingSts, tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[str] = []

    def unknown(authorization: str, body: str) -> tuple[int, bytes] | None:
        action = body.split("&", maxsplit=1)[0]
        if device.key_id in authorization or action in refused:
            return None
        refused.append(action)
        return refusal("InvalidClientTokenId")

    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    with Front(sts.port, instead=unknown) as front:
        monkeypatch.setenv("AWS_ENDPOINT_URL", front.url)
        done = tool("rotate", "--profile", "work", "--delete-old")
    assert done.code == 0, done.err
    # STS and IAM each learn of the key in their own time.
    assert refused == ["Action=GetCallerIdentity", "Action=UpdateAccessKey", "Action=DeleteAccessKey"]
    monkeypatch.setenv("AWS_ENDPOINT_URL", sts.endpoint)
    assert device.keys() == {device.uses(): "Active"}


@pytest.mark.parametrize("device", ["file"], indirect=True)
def test_a_lost_answer_is_not_asked_for_again(
    device: Device, sts: VerifyingSts, tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []

    def lose(body: str) -> bool:
        sent.append(body)
        return "CreateAccessKey" in body

    with Front(sts.port, lose=lose) as front:
        monkeypatch.setenv("AWS_ENDPOINT_URL", front.url)
        lost = tool("rotate", "--profile", "work")
    assert lost.code == 7
    # A second one would have met AWS's limit of two, which looks as if no key had been made.
    assert [body for body in sent if "CreateAccessKey" in body] == ["Action=CreateAccessKey&Version=2010-05-08"]
    (orphan,) = set(device.keys()) - {device.key_id}
    monkeypatch.setenv("AWS_ENDPOINT_URL", sts.endpoint)
    assert device.uses() == device.key_id
    done = tool("rotate", "--profile", "work", "--resume", "--discard", orphan, "--delete-old")
    assert done.code == 0, done.err
    assert device.keys() == {device.uses(): "Active"}


@pytest.mark.parametrize("device", ["file"], indirect=True)
def test_a_refusal_leaves_nothing_to_resume(
    device: Device, sts: VerifyingSts, tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(_authorization: str, body: str) -> tuple[int, bytes] | None:
        return refusal("AccessDenied") if "CreateAccessKey" in body else None

    with Front(sts.port, instead=denied) as front:
        monkeypatch.setenv("AWS_ENDPOINT_URL", front.url)
        refused = tool("rotate", "--profile", "work")
    assert refused.code == 6
    assert "AccessDenied" in refused.err
    assert not device.state.exists()
    assert device.keys() == {device.key_id: "Active"}


@pytest.mark.parametrize("device", ["file"], indirect=True)
def test_a_new_key_that_is_of_no_use_can_be_given_up(
    device: Device, sts: VerifyingSts, tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Front(sts.port, lose=lambda body: "GetCallerIdentity" in body) as front:
        monkeypatch.setenv("AWS_ENDPOINT_URL", front.url)
        monkeypatch.setattr("time.sleep", lambda _seconds: None)
        unproven = tool("rotate", "--profile", "work")
    assert unproven.code == 7
    (useless,) = set(device.keys()) - {device.key_id}
    monkeypatch.setenv("AWS_ENDPOINT_URL", sts.endpoint)
    assert device.uses() == device.key_id
    done = tool("rotate", "--profile", "work", "--resume", "--discard", useless, "--delete-old")
    assert done.code == 0, done.err
    assert useless not in device.command
    assert device.keys() == {device.uses(): "Active"}


@pytest.mark.parametrize("device", ["file"], indirect=True)
def test_one_at_a_time(device: Device, tool: Tool) -> None:
    from cli.lifecycle.state import rotation_lock

    with rotation_lock():
        second = tool("rotate", "--profile", "work")
    assert second.code == 2
    assert "is running" in second.err
    assert tool("rotate", "--profile", "work").code == 0


@pytest.mark.parametrize("where", ["file", "handle"])
def test_password_and_pcrs_go_over_to_the_new_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sts: VerifyingSts, swtpm: Swtpm, tool: Tool, where: str
) -> None:
    password = tmp_path / "password"
    password.write_text("mellon\n")
    password.chmod(0o600)
    place = [] if where == "file" else ["--persistent-handle", hex(HANDLE)]
    options = [*place, "--pcrs", "23", "--key-auth-file", str(password)]
    device = make_device(tmp_path, monkeypatch, sts, swtpm, tool, options)
    if where == "file":
        # The profile does not name the PCRs of a key file, and at a handle nothing else would.
        refused = tool("rotate", "--profile", "work", "--persistent-handle", hex(HANDLE))
        assert refused.code == 2
        assert "give --out" in refused.err
        assert device.keys() == {device.key_id: "Active"}
    done = tool("rotate", "--profile", "work", "--delete-old")
    assert done.code == 0, done.err
    assert device.uses() != device.key_id
    assert "mellon" not in device.command
    password.write_text("friend\n")
    words = shlex.split(device.command)
    assert subprocess.run(words, check=False, capture_output=True, timeout=60).returncode == 4
    password.write_text("mellon\n")
    assert subprocess.run(words, check=False, capture_output=True, timeout=60).returncode == 0
    tpm2(swtpm, "pcrextend", f"23:sha256={'11' * 32}")
    assert subprocess.run(words, check=False, capture_output=True, timeout=60).returncode == 4


@pytest.mark.parametrize("device", ["handle"], indirect=True)
def test_what_somebody_else_put_at_the_new_place_meanwhile_is_left_alone(
    device: Device, swtpm: Swtpm, tool: Tool
) -> None:
    words = [sys.executable, "-c", KILLED, "made", "--profile", "work"]
    assert subprocess.run(words, check=False, cwd=ROOT, capture_output=True, timeout=60).returncode == -9
    assert tool("flush", "--tpm-path", swtpm.path).code == 0
    theirs = hex(HANDLE + 1)
    other = tool("import", "--tpm-path", swtpm.path, "--persistent-handle", theirs, stdin=b"s" * 40)
    assert other.code == 0, other.err
    name = tool("name", theirs, "--tpm-path", swtpm.path).out
    done = tool("rotate", "--profile", "work", "--resume", "--delete-old")
    assert done.code == 0, done.err
    assert device.keys() == {device.uses(): "Active"}
    assert f"--persistentHandle={HANDLE + 2:#x}" in device.command
    assert tool("name", theirs, "--tpm-path", swtpm.path).out == name
    assert re.search(r"000b[0-9a-f]{64}", name)
