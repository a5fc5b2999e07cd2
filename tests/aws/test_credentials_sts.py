"""The other STS operations by option: what STS gets, who signed it, and what is refused before anyone is asked."""

import json
from pathlib import Path

import pytest

from tests.support import keys
from tests.support.front import Exchange, Front
from tests.support.programs import KEY_ID, Machine, left_behind
from tests.support.sts import VerifyingSts

HANDLE = f"--persistentHandle={keys.PLAIN_HANDLE:#x}"
ROLE = "arn:aws:iam::123456789012:role/a"
ELSEWHERE = "arn:aws:iam::210987654321:role/elsewhere"
POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'
MANAGED = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def _common(box: Machine, endpoint: str, key_id: str) -> list[str]:
    path = f"--tpm-path={box.swtpm.path}"
    return [path, f"--aws-access-key-id={key_id}", f"--endpoint-url={endpoint}", "--timeout=20s", HANDLE]


def _credentials(box: Machine, sts: VerifyingSts, front: Front, *words: str) -> dict[str, str]:
    done = box.run(*_common(box, front.url, sts.access_key_id), *words)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, str] = json.loads(done.stdout)
    return found


def _given(exchange: Exchange) -> str:
    """The access key id in an answer."""
    return exchange.answer.partition("<AccessKeyId>")[2].partition("<")[0]


@pytest.mark.parametrize("count", [2, 3])
def test_roles_assumed_by_roles(box: Machine, sts: VerifyingSts, front: Front, count: int) -> None:
    arns = [sts.role_arn] * (count - 1) + [ELSEWHERE]
    limits = ["--external-id=ab", "--tag=team=x", "--transitive-tag-key=team", "--source-identity=me"]
    words = ["--assumeRole", *(f"--aws-arn={arn}" for arn in arns), "--aws-session-name=me", "--duration=1000"]
    found = _credentials(box, sts, front, *words, *limits)
    signed_with = [exchange.signed_with() for exchange in front.seen]
    assert signed_with == [sts.access_key_id, *map(_given, front.seen[:-1])]
    assert len(set(signed_with)) == count
    assert (found["AccessKeyId"], found["AccountId"]) == (_given(front.seen[-1]), "210987654321")
    # What limits the session goes with the last role alone.
    common = {"Action": "AssumeRole", "Version": "2011-06-15", "RoleSessionName": "me", "DurationSeconds": "1000"}
    assert [exchange.form() for exchange in front.seen[:-1]] == [common | {"RoleArn": sts.role_arn}] * (count - 1)
    assert front.seen[-1].form() == common | {
        "RoleArn": ELSEWHERE,
        "ExternalId": "ab",
        "SourceIdentity": "me",
        "Tags.member.1.Key": "team",
        "Tags.member.1.Value": "x",
        "TransitiveTagKeys.member.1": "team",
    }
    assert left_behind(box.swtpm.path) == []


def test_a_role_with_all_its_limits(box: Machine, sts: VerifyingSts, front: Front) -> None:
    words = ["--assumeRole", f"--aws-arn={sts.role_arn}", f"--policy={POLICY}", f"--policy-arn={MANAGED}"]
    words += [f"--policy-arn={ELSEWHERE}", "--tag=a=1", "--tag=b=x=y", "--tag=empty=", "--external-id=a:/b"]
    _credentials(box, sts, front, *words, "--transitive-tag-key=a", "--transitive-tag-key=b", "--duration=43200")
    (exchange,) = front.seen
    form = exchange.form()
    assert form.pop("RoleSessionName").startswith("tpmwire-")
    assert form == {
        "Action": "AssumeRole",
        "Version": "2011-06-15",
        "RoleArn": sts.role_arn,
        "DurationSeconds": "43200",
        "ExternalId": "a:/b",
        "Policy": POLICY,
        "PolicyArns.member.1.arn": MANAGED,
        "PolicyArns.member.2.arn": ELSEWHERE,
        "Tags.member.1.Key": "a",
        "Tags.member.1.Value": "1",
        "Tags.member.2.Key": "b",
        "Tags.member.2.Value": "x=y",
        "Tags.member.3.Key": "empty",
        "Tags.member.3.Value": "",
        "TransitiveTagKeys.member.1": "a",
        "TransitiveTagKeys.member.2": "b",
    }


def test_a_federated_user(box: Machine, sts: VerifyingSts, front: Front, tmp_path: Path) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text(POLICY + "\n")
    words = ["--federation-name=bob", f"--policy-file={policy}", f"--policy-arn={MANAGED}", "--tag=a=b"]
    found = _credentials(box, sts, front, *words)
    assert found["AccountId"] == "123456789012"
    assert front.seen[0].form() == {
        "Action": "GetFederationToken",
        "Version": "2011-06-15",
        "Name": "bob",
        "DurationSeconds": "3600",
        "Policy": POLICY,
        "PolicyArns.member.1.arn": MANAGED,
        "Tags.member.1.Key": "a",
        "Tags.member.1.Value": "b",
    }


def test_a_member_accounts_root(box: Machine, sts: VerifyingSts, front: Front) -> None:
    task = "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"
    words = ["--root-of=210987654321", f"--task-policy-arn={task}", "--aws-region=us-east-1"]
    assert _credentials(box, sts, front, *words)["AccountId"] == "210987654321"
    assert front.seen[0].form() == {
        "Action": "AssumeRoot",
        "Version": "2011-06-15",
        "TargetPrincipal": "210987654321",
        "TaskPolicyArn.arn": task,
        "DurationSeconds": "900",
    }


ROOT = ["--root-of=123456789012", "--task-policy-arn=arn:aws:iam::aws:policy/root-task/S3UnlockBucketPolicy"]
REFUSED = {
    "short external id": (["--assumeRole", f"--aws-arn={ROLE}", "--external-id=a"], "ExternalId"),
    "different operations": (
        ["--assumeRole", f"--aws-arn={ROLE}", "--federation-name=bob"],
        "different operations",
    ),
    "a limit that would not limit": (["--policy={}"], "--policy needs "),
    "tag without value": (["--federation-name=bob", "--tag=a"], "KEY=VALUE"),
    "tag twice": (["--federation-name=bob", "--tag=a=1", "--tag=a=2"], "given twice"),
    "tags of one name": (
        ["--federation-name=bob", "--tag=a=1", "--tag=A=2"],
        "tags 'a' and 'A' differ only in case",
    ),
    "a tag of AWS's own": (["--federation-name=bob", "--tag=aws:a=1"], "begins with aws:"),
    "a transitive tag that is none": (
        ["--assumeRole", f"--aws-arn={ROLE}", "--tag=a=1", "--transitive-tag-key=b"],
        "--tag b=VALUE",
    ),
    "too much of policies": (
        ["--federation-name=bob", "--policy=" + "x" * 2000, f"--policy-arn={'y' * 49}"],
        "2049",
    ),
    "root without task": (["--root-of=123456789012"], "--task-policy-arn"),
    "root for long": ([*ROOT, "--aws-region=us-east-1", "--duration=901"], "DurationSeconds"),
    "root at the global endpoint": ([*ROOT, "--endpoint-url="], "give --aws-region"),
    "long chain": (["--assumeRole", f"--aws-arn={ROLE}", f"--aws-arn={ROLE}", "--duration=3601"], "3600"),
    "a wrong role within a chain": (["--assumeRole", "--aws-arn=a", f"--aws-arn={ROLE}"], "RoleArn"),
    "no role": (["--assumeRole"], "--aws-arn"),
    "an id of temporary credentials": (
        ["--aws-access-key-id=ASIAABCDEFGHIJKLMNOP"],
        "--aws-access-key-id is the id of temporary credentials",
    ),
    "no number": (["--duration=1h"], "is not a number of seconds"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_the_tpm_is_asked(box: Machine, case: str) -> None:
    words, text = REFUSED[case]
    # No TPM is there, and no server: neither is asked.
    done = box.run(*_common(box, "http://127.0.0.1:9", KEY_ID), "--tpm-path=/nonexistent", *words)
    assert done.returncode == 2
    assert text in done.stderr
    assert done.stderr.count("\n") == 1
