"""`tpmwire doctor` on the way to the TPM: missing devices, permissions, and the processes that hold a file."""

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.doctor import access
from cli.doctor.access import check_device, check_permission, find_holders
from cli.doctor.machine import Machine
from tests.support.findings import findings, texts
from tests.support.people import People, people
from tests.support.programs import TOOLBOX
from tests.support.verbs import Tool

NONE = "/dev/no-such-tpm"


@pytest.fixture(scope="module")
def crowd() -> Iterator[People]:
    with people() as made:
        yield made


def test_a_missing_device(tool: Tool) -> None:
    found = findings(tool, "--tpm-path", NONE)
    assert texts(found["device"], "error") == [
        f"{NONE} (--tpm-path) does not exist; correct --tpm-path, or start the TPM simulator"
    ]
    assert "response" not in found
    assert len(found["skipped"]) == 1


@pytest.mark.parametrize("kind", ["directory", "file"])
def test_what_is_no_device_is_told_once(tmp_path: Path, tool: Tool, kind: str) -> None:
    path = tmp_path / "tpm"
    path.mkdir() if kind == "directory" else path.touch()
    found = findings(tool, "--tpm-path", str(path))
    assert texts(found["device"], "error")[0].startswith(f"{path} (--tpm-path) is not a device and not a socket")
    assert not {"permission", "response"} & set(found)


@pytest.mark.parametrize(
    ("version", "says"),
    [
        (None, "the kernel has found no TPM: neither /dev/no-such-tpmrm0 nor /dev/no-such-tpm exists"),
        ("1", "the TPM of this machine is a TPM 1.2"),
        ("2", "tpm0), but /dev/no-such-tpm does not exist"),
    ],
)
def test_what_the_kernel_knows_of_a_missing_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str | None, says: str
) -> None:
    """In a directory as Linux has it in /sys: this machine's kernel may know a TPM, or not."""
    monkeypatch.setattr(access, "SYSTEM", str(tmp_path))
    monkeypatch.setattr(access, "DEFAULT_PATHS", ("/dev/no-such-tpmrm0", NONE))
    if version:
        (tmp_path / "tpm0").mkdir()
        (tmp_path / "tpm0" / "tpm_version_major").write_text(f"{version}\n")
    (found,) = check_device(Machine(NONE))
    assert found.status == "error"
    assert says in found.text


def test_a_path_with_a_line_end_is_shown_on_one_line(tool: Tool) -> None:
    ran = tool("doctor", "--tpm-path", "/nonexistent/a\nok       b")
    assert "error    device: /nonexistent/a\\nok       b (--tpm-path) does not exist" in ran.out


def test_an_empty_path_of_a_socket_is_refused(tool: Tool) -> None:
    found = findings(tool, "--tpm-path", "swtpm:path=")
    assert texts(found["response"], "error")[0].startswith("'swtpm:path=' is not a valid TPM address")


def test_permissions_of_a_device_that_is_not_a_tpm_are_not_changed(tool: Tool) -> None:
    found = findings(tool, "--tpm-path", "/dev/null")
    assert "permission" not in found
    assert texts(found["response"], "error")[0].startswith("/dev/null is not a TPM")


@pytest.mark.parametrize("kind", ["file", "broken link", "directory"])
def test_a_path_that_is_not_a_device(tmp_path: Path, tool: Tool, kind: str) -> None:
    path = tmp_path / "tpm"
    if kind == "file":
        path.touch()
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "gone")
    found = findings(tool, "--tpm-path", path)
    assert len(texts(found["device"], "error")) == 1
    assert "skipped" in found


def test_a_directory_that_the_user_cannot_enter_is_not_a_missing_tpm(crowd: People) -> None:
    if not crowd.separate:
        pytest.skip("only root can be another user")
    closed = crowd.directory / "closed"
    closed.mkdir(mode=0o700)
    done = crowd.person(of_group=False).run(TOOLBOX, "doctor", "--tpm-path", closed / "socket")
    text = (
        f"error    device: cannot reach {closed}/socket (--tpm-path): Permission denied; check the permissions of"
    )
    assert text in done.stdout
    assert "does not exist" not in done.stdout.splitlines()[0]


def test_a_user_outside_the_group_is_told_which_group(crowd: People) -> None:
    if not crowd.separate:
        pytest.skip("only root can be another user")
    person = crowd.person(of_group=False)
    path = crowd.directory / "device"
    try:
        os.mknod(path, 0o660 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("this root cannot create devices")
    crowd.share(path, 0o660)
    done = person.run(TOOLBOX, "doctor", "--tpm-path", path)
    assert done.returncode == 1
    assert done.stderr == ""
    (line,) = [line for line in done.stdout.splitlines() if " permission: " in line]
    assert line == (
        f"error    permission: no permission to open {path} (crw-rw----, group {crowd.group}); "
        f"run `sudo usermod -aG {crowd.group} {person.uid}`, then log out and in again"
    )
    crowd.share(path, 0o600)
    os.chown(path, 0, 0)
    done = person.run(TOOLBOX, "doctor", "--tpm-path", path)
    assert "install tpm-udev" in done.stdout


def test_a_device_for_everybody_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "tpm0"
    os.mknod(path, stat.S_IFCHR | 0o600, os.stat("/dev/null").st_rdev)
    path.chmod(0o666)
    (found,) = check_permission(Machine(str(path)))
    assert found.status == "warning"
    assert f"every user can open {path} (crw-rw-rw-)" in found.text


def test_the_process_that_has_a_file_open_is_named(tmp_path: Path) -> None:
    path = tmp_path / "device"
    path.touch()
    assert find_holders(str(path)) == []
    with path.open() as held, subprocess.Popen(["sleep", "60"], stdin=held) as process:
        assert find_holders(str(path)) == [f"sleep (process {process.pid})"]
        process.kill()
