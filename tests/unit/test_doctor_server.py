"""`tpmwire doctor` on profiles that run `tpmwire fetch`, and the error when such a profile is to have a key."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.credentials.role_chain import fetch_arguments
from tests.support.findings import findings, texts
from tests.support.verbs import Tool


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's directory for sockets, without one in it."""
    (tmp_path / ".aws").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def listening(runtime: Path) -> Iterator[Path]:
    path = runtime / "tpmwire.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.setblocking(False)
        yield path
        with pytest.raises(BlockingIOError):
            listener.accept()  # a connection would start the server


def profile(home: Path, line: str) -> None:
    (home / ".aws" / "config").write_text(f"[profile work]\ncredential_process = {line}\n")


def examined(tool: Tool) -> list[dict[str, str]]:
    return findings(tool, "--tpm-path=/nonexistent/tpm").get("server", [])


def test_a_socket_that_exists(runtime: Path, listening: Path, tool: Tool) -> None:
    for line in ("/usr/bin/tpmwire fetch", f"/opt/tpmwire.pyz fetch {listening} --timeout=2s"):
        profile(runtime, line)
        assert examined(tool) == [
            {"check": "server", "status": "ok", "text": f"{listening} exists (profile work)", "step": ""}
        ]


def test_no_socket(runtime: Path, tool: Tool) -> None:
    profile(runtime, "tpmwire fetch")
    (found,) = texts(examined(tool), "error")
    assert f"profile work: {runtime}/tpmwire.sock: no such file or directory; run `systemctl --user" in found


def test_a_file_that_is_no_socket(runtime: Path, tool: Tool) -> None:
    profile(runtime, "tpmwire fetch /etc/hostname")
    assert "/etc/hostname is not a socket" in texts(examined(tool), "error")[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's socket needs root")
def test_a_socket_of_another_user(runtime: Path, listening: Path, tool: Tool) -> None:
    profile(runtime, "tpmwire fetch")
    os.chown(listening, 61001, -1)
    assert "belongs to a different user" in texts(examined(tool), "error")[0]


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ("tpmwire fetch", []),
        ("/usr/bin/tpmwire fetch --timeout 2s", ["--timeout", "2s"]),
        ("python3 /opt/tpmwire.pyz tpmwire fetch /run/s", ["/run/s"]),
        ("'/opt/my tools/tpmwire' fetch '/run/my socket'", ["/run/my socket"]),
        ("aws-tpm-process-credential --profile=fetch", None),
        ("tpmwire", None),
        ("tpmwire serve fetch", None),
        ("fetch tpmwire", None),
        ("tpmwire 'fetch", None),
    ],
)
def test_the_arguments_of_a_line(line: str, arguments: list[str] | None) -> None:
    assert fetch_arguments(line) == arguments


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        ("--tpm-path=/dev/tpm0", "error", "profile work: unrecognized arguments: --tpm-path"),
        ("--help", "error", "profile work: unrecognized arguments: --help"),
        ("--timeout=soon", "error", "profile work: argument --timeout: "),
        ("one two", "error", "profile work: unrecognized arguments: two"),
        ("tpmwire.sock", "warning", "profile work: 'tpmwire.sock' depends on the working directory"),
    ],
)
def test_options_that_fetch_refuses(runtime: Path, tool: Tool, arguments: str, status: str, says: str) -> None:
    profile(runtime, f"/usr/bin/tpmwire fetch {arguments}")
    found = findings(tool, "--tpm-path=/nonexistent/tpm")
    assert texts(found["options"], status)[0].startswith(says), found["options"]
    assert not texts(found["options"], "ok")


def test_it_is_no_profile_of_a_key(runtime: Path, tool: Tool) -> None:
    profile(runtime, "tpmwire fetch")
    done = tool("serve", "--process", f"--socket={runtime}/s", "--profile=work")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "runs `tpmwire fetch`, which reads from a server and has no key; give the profile whose key" in done.err
