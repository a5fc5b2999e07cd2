"""--profile: AWS profiles down to the one that runs our program, and the roles that the TPM's key then assumes."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import keys
from tests.support.front import Front
from tests.support.profiles import CHAIN, Run, config, run
from tests.support.programs import CREDENTIAL_PROCESS, ROOT, TOOLBOX, Machine, left_behind
from tests.support.sts import USER, VerifyingSts

__all__ = ["config", "run"]

ELSEWHERE = "arn:aws:iam::210987654321:role/elsewhere"
SERIAL = "arn:aws:iam::123456789012:mfa/me"


def test_each_role_has_its_own_profiles_settings(
    config: Callable[..., None], run: Run, front: Front, sts: VerifyingSts, box: Machine
) -> None:
    config(CHAIN)
    code, out, err = run("--profile=admin", "--mfa-process=echo 123456")
    assert (code, err) == (0, "")
    assert json.loads(out)["AccountId"] == "210987654321"
    first, second = (exchange.form() for exchange in front.seen)
    common = {"Action": "AssumeRole", "Version": "2011-06-15"}
    assert first == common | {
        "RoleArn": sts.role_arn,
        "RoleSessionName": "middle",
        "ExternalId": "middle-id",
        "DurationSeconds": "7200",
        "SerialNumber": SERIAL,
        "TokenCode": "123456",
    }
    assert second == common | {
        "RoleArn": ELSEWHERE,
        "RoleSessionName": "admin",
        "ExternalId": "admin-id",
        "DurationSeconds": "1800",
    }
    assert front.seen[0].signed_with() == sts.access_key_id
    assert f"<AccessKeyId>{front.seen[1].signed_with()}<" in front.seen[0].answer
    assert left_behind(box.swtpm.path) == []


def test_options_given_win_for_the_last_role(config: Callable[..., None], run: Run, front: Front) -> None:
    config(CHAIN)
    words = ["--external-id=given", "--duration=900", "--tag=a=b", "--aws-session-name=given"]
    assert run("--profile=admin", "--mfa-process=echo 123456", *words)[::2] == (0, "")
    first, second = (exchange.form() for exchange in front.seen)
    assert (first["ExternalId"], first["DurationSeconds"], first["RoleSessionName"]) == (
        "middle-id",
        "7200",
        "middle",
    )
    assert (second["ExternalId"], second["DurationSeconds"], second["RoleSessionName"]) == (
        "given",
        "900",
        "given",
    )
    assert second["Tags.member.1.Key"] == "a"


def test_roles_given_take_the_place_of_the_profiles(config: Callable[..., None], run: Run, front: Front) -> None:
    config(CHAIN)
    assert run("--profile=admin", "--mfa-process=echo 123456", f"--aws-arn={ELSEWHERE}")[::2] == (0, "")
    (form,) = (exchange.form() for exchange in front.seen)
    assert (form["RoleArn"], form["DurationSeconds"], form.get("ExternalId")) == (ELSEWHERE, "3600", None)


@pytest.mark.parametrize(
    ("words", "action"),
    [(["--assumeRole=false"], "GetSessionToken"), (["--federation-name=bob"], "GetFederationToken")],
)
def test_another_operation_than_the_profiles(
    config: Callable[..., None], run: Run, front: Front, words: list[str], action: str
) -> None:
    config(CHAIN.replace("mfa_serial", "ignored"))
    assert run("--profile=admin", *words)[::2] == (0, "")
    assert [exchange.form()["Action"] for exchange in front.seen] == [action]


def test_roles_of_the_programs_own_options_come_first(
    config: Callable[..., None], run: Run, front: Front, sts: VerifyingSts, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text("{}")
    config(
        f"[profile admin]\nrole_arn = {ELSEWHERE}\nsource_profile = tpm\n",
        f"--assumeRole --aws-arn={sts.role_arn} --external-id=own --duration=7200 --policy-file={policy}",
        "mfa_serial = " + SERIAL,
    )
    assert run("--profile=admin", "--mfa-process=echo 123456")[::2] == (0, "")
    first, second = (exchange.form() for exchange in front.seen)
    assert (first["RoleArn"], first["ExternalId"], first["DurationSeconds"]) == (sts.role_arn, "own", "7200")
    assert (first["Policy"], second.get("Policy")) == ("{}", None)
    # As other tools take it, the last profile's mfa_serial is that of its key.
    assert (first["SerialNumber"], second.get("SerialNumber")) == (SERIAL, None)
    assert (second["RoleArn"], second.get("ExternalId"), second["DurationSeconds"]) == (ELSEWHERE, None, "3600")


def test_a_program_that_names_another_profile(config: Callable[..., None], run: Run, front: Front) -> None:
    config(
        CHAIN.replace("mfa_serial", "ignored")
        + f"[profile sdk]\ncredential_process = {CREDENTIAL_PROCESS} --profile admin --duration=901\n"
    )
    assert run("--profile=sdk")[::2] == (0, "")
    assert [exchange.form()["DurationSeconds"] for exchange in front.seen] == ["7200", "901"]


SETTINGS = """
region = eu-south-1
services = mine
max_attempts = 1
[services mine]
sts =
  endpoint_url = {}
"""


def test_settings_of_the_named_profile(
    config: Callable[..., None], run: Run, front: Front, sts: VerifyingSts
) -> None:
    config("", "--profile=tpm", SETTINGS.format(front.url))
    unset = {"AWS_ENDPOINT_URL_STS": ""}
    assert run("--profile=tpm", **unset)[::2] == (0, "")
    assert "/eu-south-1/sts/" in front.seen[0].authorization
    # The environment wins over the profile, and an option over both.
    run("--profile=tpm", AWS_REGION="eu-west-3", **unset)
    assert "/eu-west-3/sts/" in front.seen[1].authorization
    run("--profile=tpm", "--aws-region=us-east-2", AWS_REGION="eu-west-3", **unset)
    assert "/us-east-2/sts/" in front.seen[2].authorization


def test_the_profiles_own_ca(config: Callable[..., None], run: Run, sts: VerifyingSts, box: Machine) -> None:
    url = sts.tls_endpoint()
    (box.home / "ca.pem").write_bytes(sts.authority().bundle.read_bytes())
    config("", settings=f"ca_bundle = ~/ca.pem\nendpoint_url = {url}\nregion = us-east-1")
    assert run("--profile=tpm", AWS_ENDPOINT_URL_STS="", HOME=str(box.home))[::2] == (0, "")
    config("", settings=f"ca_bundle = {sts.authority().bundle}\nendpoint_url = {url}\nregion = us-east-1")
    unset = {"AWS_ENDPOINT_URL_STS": ""}
    assert run("--profile=tpm", **unset)[::2] == (0, "")
    code, _, err = run("--profile=tpm", AWS_CA_BUNDLE=str(sts.authority("wrong").bundle), **unset)
    assert (code, "invalid certificate" in err) == (7, True)


def test_retries_of_the_profile(config: Callable[..., None], run: Run) -> None:
    config("", settings="max_attempts = none")
    code, _, err = run("--profile=tpm", "--tpm-path=/nonexistent")
    assert code == 2
    assert "max_attempts of profile tpm is 'none'" in err


def test_the_region_of_the_nearest_profile_below(config: Callable[..., None], run: Run, front: Front) -> None:
    config(CHAIN.replace("mfa_serial", "region = eu-west-2\nignored"), settings="region = eu-west-1")
    assert run("--profile=admin")[::2] == (0, "")
    assert "/eu-west-2/sts/" in front.seen[0].authorization


def test_a_profile_that_but_points_to_another_has_its_settings(
    config: Callable[..., None], run: Run, front: Front
) -> None:
    config(
        f"[profile sdk]\ncredential_process = {CREDENTIAL_PROCESS} --profile tpm\nregion = eu-west-3\n",
        settings=f"region = eu-west-1\nendpoint_url = {front.url}",
    )
    assert run("--profile=sdk", AWS_ENDPOINT_URL_STS="")[::2] == (0, "")
    assert "/eu-west-3/sts/" in front.seen[0].authorization


@pytest.mark.parametrize(
    "line",
    [
        "/usr/bin/env {name} {words}",
        "'/opt/my programs/{name}' {words}",
        "/opt/{name}.pyz {words}",
        "/usr/bin/python3 /usr/local/bin/tpmwire {name} {words}",
        "{name}\n    --timeout=20s\n    {words}",
        '"{name}" {words} --policy-arn="arn:aws:iam::aws:policy/with blank" --policy=\'{{"a%%": "\\"}}\'',
    ],
)
def test_lines_that_run_our_program(
    config: Callable[..., None], run: Run, sts: VerifyingSts, front: Front, box: Machine, line: str
) -> None:
    words = f"--aws-access-key-id={sts.access_key_id} --persistentHandle={keys.PLAIN_HANDLE:#x}"
    words += f" --tpm-path={box.swtpm.path} --assumeRole --aws-arn={sts.role_arn}"
    config(f"[profile a]\ncredential_process = {line.format(name=CREDENTIAL_PROCESS, words=words)}\n")
    assert run("--profile=a")[::2] == (0, "")
    (form,) = (exchange.form() for exchange in front.seen)
    if "--policy" in line:
        assert (form["PolicyArns.member.1.arn"], form["Policy"]) == (
            "arn:aws:iam::aws:policy/with blank",
            '{"a%%": "\\"}',
        )


def test_a_profile_that_is_its_own_source(config: Callable[..., None], run: Run, front: Front) -> None:
    config("", settings=f"role_arn = {ELSEWHERE}\nsource_profile = tpm")
    assert run("--profile=tpm")[::2] == (0, "")
    assert [exchange.form()["RoleArn"] for exchange in front.seen] == [ELSEWHERE]


@pytest.mark.parametrize("reverse", [False, True])
def test_another_key_than_the_profiles(
    config: Callable[..., None], run: Run, box: Machine, front: Front, reverse: bool
) -> None:
    """What belongs to the profile's key goes with it; what is given beside the other one stays."""
    config("", "--key-name=000b --keyPass=wrong")
    password = box.home / "password.txt"
    password.write_text(keys.PASSWORD)
    password.chmod(0o600)
    words = [f"--credential-file={box.home}/password.pem", f"--keyPass-file={password}", "--useEKParent=false"]
    assert run("--profile=tpm", *(words[::-1] if reverse else words))[::2] == (0, "")
    assert len(front.seen) == 1


def test_without_it_no_config_file_is_read(
    config: Callable[..., None], run: Run, sts: VerifyingSts, box: Machine
) -> None:
    config("[broken")
    words = [f"--aws-access-key-id={sts.access_key_id}", f"--persistentHandle={keys.PLAIN_HANDLE:#x}"]
    assert run(*words, f"--tpm-path={box.swtpm.path}", AWS_PROFILE="missing")[::2] == (0, "")


def test_a_cache_is_for_the_role_that_the_profile_has_now(
    config: Callable[..., None], run: Run, tmp_path: Path, front: Front
) -> None:
    found = []
    for name in ("one", "two", "two"):
        config(f"[profile admin]\nrole_arn = arn:aws:iam::210987654321:role/{name}\nsource_profile = tpm\n")
        code, out, err = run("--profile=admin", "--cache", XDG_RUNTIME_DIR=str(tmp_path))
        assert (code, err) == (0, "")
        found.append(json.loads(out)["AccessKeyId"])
    assert found[0] != found[1] == found[2]
    assert len(front.seen) == 2


def test_the_toolbox(config: Callable[..., None], run: Run) -> None:
    config(CHAIN.replace("mfa_serial", "ignored"))
    who = ["aws", "whoami"]
    code, out, err = run(*who, "--profile=admin", program=TOOLBOX)
    assert (code, err, ":assumed-role/elsewhere/admin" in out) == (0, "", True)
    # Whose key it is; and a profile by variable, as long as no key is given.
    code, out, _ = run(*who, "--assumeRole=false", program=TOOLBOX, AWS_PROFILE="admin")
    assert (code, f":user/{USER}" in out) == (0, True)
    code, out, _ = run("exec", "--profile=admin", "--duration=900", "--", "/usr/bin/env", program=TOOLBOX)
    assert (code, "AWS_ACCOUNT_ID=210987654321" in out) == (0, True)


def test_a_role_by_its_arn_alone(config: Callable[..., None], run: Run, sts: VerifyingSts, box: Machine) -> None:
    """Verbs take it for the role that is meant; the program keeps to what the Go program does, and says so."""
    words = [f"--aws-access-key-id={sts.access_key_id}", f"--persistentHandle={keys.PLAIN_HANDLE:#x}"]
    words += [f"--tpm-path={box.swtpm.path}", f"--aws-arn={sts.role_arn}"]
    code, out, err = run("aws", "whoami", *words, program=TOOLBOX)
    assert (code, err, ":assumed-role/" in out) == (0, "", True)
    code, out, _ = run("aws", "whoami", *words, "--assumeRole=false", program=TOOLBOX)
    assert (code, f":user/{USER}" in out) == (0, True)
    code, out, err = run(*words)
    assert (code, "AccountId" in out) == (0, False)
    assert err == (
        f"{CREDENTIAL_PROCESS}: warning: --aws-arn has no effect without --assumeRole: the credentials are not "
        "for the role\n"
    )


COUNTED = """
import sys
seen = []
sys.addaudithook(lambda event, words: seen.append(1) if event == "open" and words[0] == {path!r} else None)
from cli.toolbox import main
code = main(sys.argv[1:])
print(len(seen), file=sys.stderr)
raise SystemExit(code)
"""


@pytest.mark.parametrize(
    "words",
    [
        ["aws", "whoami"],
        ["presign", "https://sqs.eu-west-1.amazonaws.com/", "--service=sqs"],
        ["token", "eks", "--cluster-name=c"],
    ],
)
def test_a_verb_reads_the_config_file_once(
    config: Callable[..., None], run: Run, tmp_path: Path, words: list[str]
) -> None:
    config("", settings="region = eu-west-1")
    program = [sys.executable, "-c", COUNTED.format(path=str(tmp_path / "config"))]
    code, out, err = run(*program[1:], *words, "--profile=tpm", program=program[0], PYTHONPATH=str(ROOT))
    assert (code, err) == (0, "1\n")
    assert out


ROLE = f"role_arn = {ELSEWHERE}\n"
REFUSED = {
    "a profile that is not there": ("", "profile 'a' not found"),
    "a source that is not there": (f"[profile a]\n{ROLE}source_profile = b\n", "source_profile = 'b'"),
    "a circle": (
        f"[profile a]\n{ROLE}source_profile = b\n[profile b]\n{ROLE}source_profile = a\n",
        "has a loop",
    ),
    "programs in a circle": (
        f"[profile a]\ncredential_process = {CREDENTIAL_PROCESS} --profile b\n"
        f"[profile b]\ncredential_process = {CREDENTIAL_PROCESS} --profile a\n",
        "profile a: source_profile loop",
    ),
    "no process": ("[profile a]\nregion = eu-west-1\n", "profile a has no credential_process"),
    "a plaintext key": ("[profile a]\naws_access_key_id = AKIA\n", "has a static access key (aws_access_key_id)"),
    "SSO": ("[profile a]\nsso_session = s\n", "has SSO (sso_session) instead of a key in the TPM; end the chain"),
    "aws login": ("[profile a]\nlogin_session = arn:x\n", "has a session of `aws login` (login_session)"),
    "a role without a source": (f"[profile a]\n{ROLE}", "has role_arn but no source_profile"),
    "a role without a source, below": (
        f"[profile a]\n{ROLE}source_profile = b\n[profile b]\n{ROLE}sso_session = s\n",
        "profile b has role_arn but no source_profile",
    ),
    "two sources": (
        f"[profile a]\n{ROLE}source_profile = tpm\ncredential_source = Environment\n",
        "profile a has both source_profile and credential_source",
    ),
    "a role of the machine's own": (
        f"[profile a]\n{ROLE}credential_source = Ec2InstanceMetadata\n",
        "profile a has credential_source = 'Ec2InstanceMetadata'",
    ),
    "a web identity": (
        f"[profile a]\n{ROLE}web_identity_token_file = /x\n",
        "has a web identity (web_identity_token_file)",
    ),
    "plain keys": (
        f"[profile a]\n{ROLE}source_profile = a\naws_access_key_id = AKIA\naws_secret_access_key = 1\n",
        "has a static access key (aws_access_key_id)",
    ),
    "a shell around it": (
        f"[profile a]\ncredential_process = sh -c '{CREDENTIAL_PROCESS} -x'\n",
        "not through a script or a shell",
    ),
    "variables": (
        f"[profile a]\ncredential_process = env TPM_KEY_AUTH=made-up-password {CREDENTIAL_PROCESS} --x\n",
        "profile a sets TPM_KEY_AUTH, which --profile ignores",
    ),
    "another's process": ("[profile a]\ncredential_process = other --x\n", "must run"),
    "quotes that do not end": ("[profile a]\ncredential_process = 'x\n", "is not a valid command line"),
    "a program's wrong option": (f"[profile a]\ncredential_process = {CREDENTIAL_PROCESS} --wrong=1\n", "--wrong"),
    "a role of nobody": (
        f"[profile a]\n{ROLE}credential_process = {CREDENTIAL_PROCESS} --aws-access-key-id=A\n",
        "profile a has role_arn but no source_profile",
    ),
    "MFA beyond the first role": (
        f"[profile a]\n{ROLE}source_profile = b\nmfa_serial = {SERIAL}\n[profile b]\n{ROLE}source_profile = tpm\n",
        "profile a has mfa_serial",
    ),
    "a long session beyond the first role": (
        f"[profile a]\n{ROLE}source_profile = b\nduration_seconds = 3601\n"
        f"[profile b]\n{ROLE}source_profile = tpm\n",
        "3600 seconds at most",
    ),
    "a tag in the place of an inherited one": (
        f"[profile a]\ncredential_process = {CREDENTIAL_PROCESS} --profile b --tag=K=2\n"
        f"[profile b]\n{ROLE}source_profile = c\n"
        f"[profile c]\ncredential_process = {CREDENTIAL_PROCESS} --aws-access-key-id={'A' * 16} --assumeRole "
        f"--aws-arn={ELSEWHERE} --tag=k=1 --transitive-tag-key=K\n",
        "--tag k: an earlier role",
    ),
    "no number": (f"[profile a]\n{ROLE}source_profile = tpm\nduration_seconds = 1h\n", "duration_seconds"),
    "a role of a federated user": (
        f"[profile a]\n{ROLE}source_profile = b\n"
        f"[profile b]\ncredential_process = {CREDENTIAL_PROCESS} --federation-name=bob\n",
        "which cannot assume roles",
    ),
    "services that are not there": (
        f"[profile a]\n{ROLE}source_profile = tpm\nservices = none\n",
        "no such [services ...] section, or an empty one",
    ),
    "a wrong role": ("[profile a]\nrole_arn = short\nsource_profile = tpm\n", "RoleArn"),
    "no file of that kind": ("[profile a\n", "not a valid AWS config file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_the_tpm_is_asked(config: Callable[..., None], run: Run, front: Front, case: str) -> None:
    text, told = REFUSED[case]
    config(text)
    code, out, err = run("--profile=a", "--tpm-path=/nonexistent", AWS_ENDPOINT_URL_STS="")
    assert (code, out) == (2, "")
    assert "made-up-password" not in err
    assert told in err
    assert err.count("\n") == 1
    assert front.seen == []


def test_the_profiles_region_is_printed_for_a_shell(config: Callable[..., None], run: Run) -> None:
    config("[profile work]\nrole_arn = {role}\nsource_profile = tpm\nregion = eu-west-3\n")
    code, out, err = run("--profile=work", "--format=env")
    assert (code, err) == (0, "")
    assert out.endswith("\nAWS_REGION=eu-west-3\nAWS_DEFAULT_REGION=eu-west-3\n")
    assert "eu-west-3" not in run("--profile=work", "--format=json")[1]
