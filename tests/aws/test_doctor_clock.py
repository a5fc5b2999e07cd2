"""`tpmwire doctor --network` compares the clock with that of STS; without the option it sends nothing."""

import time
from email.utils import formatdate
from pathlib import Path

import pytest

from tests.support.findings import findings, texts
from tests.support.scripted import ScriptedServer, http, say
from tests.support.sts import VerifyingSts
from tests.support.verbs import Tool

WHERE = "--tpm-path=/nonexistent/tpm"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("offset", "status", "says"),
    [
        (0, "ok", "this clock agrees with"),
        (-100, "warning", "seconds ahead of"),
        (100, "warning", "seconds behind"),
        (-3600, "error", "which refuses signatures after 300; set the clock"),
        (3600, "error", "which refuses signatures after 300; set the clock"),
    ],
)
def test_the_clock(tool: Tool, monkeypatch: pytest.MonkeyPatch, offset: int, status: str, says: str) -> None:
    answer = http("302 Found", "", f"Date: {formatdate(time.time() + offset, usegmt=True)}")
    with ScriptedServer(say(answer)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{server.port}")
        found = findings(tool, WHERE)
        assert len(server.requests) == 0
        assert found["clock"][0]["status"] == "ok"
        found = findings(tool, WHERE, "--network")
    assert len(server.requests) == 1
    assert b"Authorization" not in server.requests[0]
    assert any(says in text for text in texts(found["clock"], status)), found["clock"]


def test_each_endpoint_of_the_profiles_with_its_own_authorities(home: Path, sts: VerifyingSts, tool: Tool) -> None:
    line = "credential_process = /x/aws-tpm-process-credential --aws-access-key-id=AKIAMADEUP"
    right, wrong = (sts.authority(name).bundle for name in ("right", "wrong"))
    url = sts.tls_endpoint()
    (home / ".aws").mkdir()
    (home / ".aws" / "config").write_text(
        f"[profile a]\n{line} --endpoint-url={url} --ca-bundle={right}\n"
        f"[profile b]\n{line} --endpoint-url={url}/ --ca-bundle={wrong}\n"
        f"[profile c]\n{line} --endpoint-url=http://127.0.0.1:1\n"
    )
    found = findings(tool, WHERE, "--network")["clock"]
    assert [each["status"] for each in found] == ["ok", "error", "error"], found
    assert "invalid certificate" in found[1]["text"]
    assert "127.0.0.1:1" in found[2]["text"]


def test_a_server_that_never_responds(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(lambda client, _request: time.sleep(3)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{server.port}")
        found = findings(tool, WHERE, "--network", "--timeout=200ms")
    assert any("within 0.2 s" in text for text in texts(found["clock"], "error"))


def test_a_clock_that_cannot_be_right(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 9.0)
    assert texts(findings(tool, WHERE)["clock"], "error") == [
        "the clock shows 1970-01-01; set the clock (timedatectl set-ntp true)"
    ]
