"""The single file in an appliance: Debian's kernel, its TPM driver and both device files, nothing else there."""

import json
from datetime import UTC, datetime

import pytest

from tests.device.appliance import KEYS, PATHS, Appliance, Report, credentials

pytestmark = pytest.mark.device


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("key", KEYS)
def test_sts_knows_the_credentials_as_the_role(appliance: Appliance, path: str, key: str) -> None:
    report = appliance.the("credentials", path=path, key=key)
    document = credentials(report)
    print(f"\n{path}, key in its {key}: {report['seconds']} s from start to JSON", end="")
    print(f", {report['since_boot']} s after the kernel's start")
    caller = appliance.caller(document)
    assert ":assumed-role/demo/" in caller["Arn"]
    assert datetime.fromisoformat(document["Expiration"]) > datetime.now(UTC)


@pytest.mark.parametrize("path", PATHS)
def test_the_secret_went_in_and_is_not_repeated(appliance: Appliance, path: str) -> None:
    report = appliance.the("import", path=path)
    assert report["code"] == 0, report["err"]
    assert appliance.sts.secret_access_key not in "\n".join(appliance.console)


@pytest.mark.parametrize("path", PATHS)
def test_http_to_another_machine_is_warned_of_in_one_line(appliance: Appliance, path: str) -> None:
    (line,) = appliance.the("credentials", path=path, key="handle")["err"].splitlines()
    assert "warning" in line
    assert "http" in line


def test_a_device_in_use_is_named_with_the_way_out_within_the_timeout(appliance: Appliance) -> None:
    report = appliance.the("busy")
    assert report["code"] == 3
    assert report["out"] == ""
    (line,) = report["err"].splitlines()
    assert "/dev/tpm0 is in use by another process" in line
    assert "/dev/tpmrm0" in line
    start = appliance.the("credentials", path="/dev/tpm0", key="handle")["seconds"]
    # Emulated, on a machine with other work: the same start may take a multiple of the time it took before.
    assert 1 <= report["seconds"] < 1 + 4 * start


def test_the_resource_manager_serves_a_user_of_its_group_beside_it(appliance: Appliance) -> None:
    assert credentials(appliance.the("beside"))["Version"] == 1


def test_a_user_outside_the_group_is_told_of_it(appliance: Appliance) -> None:
    report = appliance.the("not in the group")
    assert (report["code"], report["out"]) == (3, "")
    (line,) = report["err"].splitlines()
    assert "cannot open /dev/tpmrm0: permission denied; add the user to its group (usually tss)" in line


def findings(report: Report) -> dict[str, list[dict[str, str]]]:
    """Returns what doctor found, by check."""
    assert report["err"] == ""
    found: dict[str, list[dict[str, str]]] = {}
    for each in json.loads(report["out"])["checks"]:
        found.setdefault(each["check"], []).append(each)
    return found


@pytest.mark.parametrize("path", PATHS)
def test_doctor_finds_both_keys(appliance: Appliance, path: str) -> None:
    found = findings(appliance.the("doctor", path=path))
    assert [each["status"] for each in found["keys"]] == ["ok", "ok"]
    assert found["device"][0]["status"] == ("warning" if path == "/dev/tpm0" else "ok")
    for check in ("permission", "response", "algorithms", "lockout", "leftovers", "python"):
        assert [each["status"] for each in found[check]] == ["ok"], found[check]
    assert ("resource manager" in found["leftovers"][0]["text"]) is (path == "/dev/tpmrm0")


def test_doctor_names_the_holder_of_the_device(appliance: Appliance) -> None:
    report = appliance.the("doctor, busy")
    (found,) = findings(report)["response"]
    assert found["status"] == "error"
    assert f"(process {report['pid']})" in found["text"]
    assert report["code"] == 1


def test_doctor_tells_a_user_outside_the_group(appliance: Appliance) -> None:
    report = appliance.the("doctor, not in the group")
    (found,) = findings(report)["permission"]
    assert found["status"] == "error"
    assert "no permission to open /dev/tpmrm0 (crw-rw----, group " in found["text"]
    assert "usermod -aG" in found["step"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("key", KEYS)
def test_a_tpm_that_hangs_ends_the_run_within_the_timeout(appliance: Appliance, path: str, key: str) -> None:
    report = appliance.the("frozen", path=path, key=key)
    assert report["code"] == 3
    assert report["out"] == ""
    (line,) = report["err"].splitlines()
    assert f"{path}: the TPM did not respond in time" in line
    start = appliance.the("credentials", path=path, key=key)["seconds"]
    assert 2 <= report["seconds"] < 2 + 4 * start


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("key", KEYS)
def test_back_again_it_serves_the_next_run(appliance: Appliance, path: str, key: str) -> None:
    assert credentials(appliance.the("thawed", path=path, key=key))["Version"] == 1


def test_nothing_is_left_in_the_tpm(appliance: Appliance) -> None:
    left = appliance.the("left behind")
    assert left == {"report": "left behind", "transient": [], "loaded session": [], "saved session": []}


@pytest.mark.parametrize(
    ("step", "key", "count"), [("credentials", "handle", 16), ("in clear", "pem", 16), ("credentials", "pem", 25)]
)
def test_what_the_resource_manager_makes_of_a_run(appliance: Appliance, step: str, key: str, count: int) -> None:
    """It loads and saves a program's objects around each command (tests/swtpm/test_device_resource_manager.py)."""
    commands = appliance.the(step, path="/dev/tpmrm0", key=key)["commands"]
    asked = [name for name in commands if name != "GetRandom"]
    print(f"\n/dev/tpmrm0, {step}, key in its {key}: {len(asked)} commands at the chip: {' '.join(asked)}")
    assert len(asked) == count
