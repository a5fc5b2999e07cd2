"""`tpmwire doctor` on TPMs in many states: the state is found, and nothing in the TPM is changed."""

from pathlib import Path

import pytest

from tests.support.findings import findings, texts
from tests.support.handles import leave_things
from tests.support.interposer import Interposer
from tests.support.lacking import Lacking
from tests.support.programs import ROOT
from tests.support.swtpm import Swtpm, SwtpmError, tpm2
from tests.support.verbs import Tool, held
from tpmwire.spec.constants import TPM_ALG, TPM_CC

WITH_TPM = ("model", "algorithms", "lockout", "leftovers")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    return tmp_path


def test_a_new_tpm_has_no_fault(swtpm: Swtpm, tool: Tool) -> None:
    found = findings(tool, "--tpm-path", swtpm.path)
    for check in ("device", "permission", "response", *WITH_TPM):
        assert {each["status"] for each in found[check]} == {"ok"}, found[check]
    model = found["model"][0]["text"]
    assert model.startswith("IBM SWTPM, firmware ")
    assert "skipped" not in found
    text = tool("doctor", "--tpm-path", swtpm.path).out
    assert {line.split()[0] for line in text.splitlines()} == {"ok", "warning"}  # no profile uses the TPM


def test_only_capabilities_are_read(swtpm: Swtpm, tool: Tool) -> None:
    with Interposer(swtpm.path) as bus:
        findings(tool, "--tpm-path", bus.path)
        codes = {int.from_bytes(pair.command[6:10], "big") for pair in bus.dialogue}
    assert codes == {TPM_CC.GetCapability}


def test_wrong_passwords_are_counted_and_lock_the_tpm(
    swtpm: Swtpm, tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ("--tpm-path", swtpm.path)
    monkeypatch.setenv("TPM_KEY_AUTH", "right")
    assert tool("import", "--persistent-handle", "0x81010002", *where, stdin=b"x" * 40).code == 0
    tpm2(swtpm, "dictionarylockout", "-s", "-n", "2", "-t", "1000", "-l", "2000")
    for wanted, says in (
        ("ok", "no wrong passwords counted (2 lock the TPM); "),
        ("warning", "1 of 2 wrong passwords counted, one is forgiven every 1000 s; correct the"),
        ("error", "locked out, and refuses keys with a password: 2 of 2 wrong passwords counted"),
    ):
        # Twice: doctor itself adds nothing, also with a password in the environment.
        for _ in range(2):
            (text,) = texts(findings(tool, *where)["lockout"], wanted)
            assert says in text
        with pytest.raises(SwtpmError):
            tpm2(swtpm, "hmac", "-c", "0x81010002", "-p", "wrong", "/dev/null")


@pytest.mark.swtpm(state=ROOT / "fixtures" / "keys" / "swtpm-state")
def test_things_left_behind_are_counted(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    where = ("--tpm-path", swtpm.path)
    tool("persist", ROOT / "fixtures" / "keys" / "hmac.pem", "0x81010009", *where)
    leave_things(swtpm, tmp_path)
    before = held(swtpm)
    (text,) = texts(findings(tool, *where)["leftovers"], "warning")
    assert text.startswith("2 transient objects, 2 loaded sessions, 2 saved sessions left in the TPM; ")
    assert "`tpmwire flush`" in text
    tpm2(swtpm, "createprimary", "-c", tmp_path / "third.ctx")
    (text,) = texts(findings(tool, *where)["leftovers"], "error")
    assert "and no slot is free for objects; " in text
    assert held(swtpm) != before
    assert tool("flush", *where).code == 0
    assert texts(findings(tool, *where)["leftovers"], "ok") == ["no objects or sessions are left in the TPM; "]


@pytest.mark.parametrize(
    ("faults", "check", "status", "says"),
    [
        ("no-ecc", "algorithms", "warning", "no ECC P-256"),
        ("without=HMAC", "model", "ok", "no TPM2_HMAC; each run sends two more commands"),
        ("without=HMAC,HMAC_Start", "algorithms", "error", "neither TPM2_HMAC nor"),
    ],
)
def test_what_a_chip_lacks(tool: Tool, faults: str, check: str, status: str, says: str) -> None:
    found = findings(tool, "--tpm-path", f"soft:?{faults}")
    assert any(says in text for text in texts(found[check], status)), found


def test_a_chip_without_sha256(shared_swtpm: Swtpm, tool: Tool) -> None:
    with Interposer(shared_swtpm.path) as bus:
        found = findings(tool, "--tpm-path", Lacking(algorithms={TPM_ALG.SHA256}).before(bus).path)
    assert any("the TPM lacks SHA256" in text for text in texts(found["algorithms"], "error")), found


def test_a_frozen_tpm_ends_the_checks_of_the_tpm_only(swtpm: Swtpm, tool: Tool) -> None:
    swtpm.pause()
    try:
        found = findings(tool, "--tpm-path", swtpm.path, "--timeout", "200ms")
    finally:
        swtpm.resume()
    (text,) = texts(found["response"], "error")
    assert "did not respond in time" in text
    (text,) = texts(found["skipped"], "warning")
    assert all(check in text for check in WITH_TPM)
    assert found["python"][0]["status"] == "ok"


def test_a_server_that_is_not_a_tpm(tool: Tool) -> None:
    import http.server
    import threading

    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found = findings(tool, "--tpm-path", f"127.0.0.1:{server.server_port}", "--timeout", "1s")
        server.shutdown()
    assert len(texts(found["response"], "error")) == 1
    assert "skipped" in found


@pytest.mark.parametrize("variable", ["TPMWIRE_TPM_PATH", "TPM2TOOLS_TCTI"])
def test_the_source_of_the_path_is_named(
    swtpm: Swtpm, tool: Tool, monkeypatch: pytest.MonkeyPatch, home: Path, variable: str
) -> None:
    monkeypatch.setenv(variable, swtpm.path)
    line = "/bin/true/aws-tpm-process-credential --aws-access-key-id=AKIAMADEUP"
    (home / ".aws").mkdir()
    (home / ".aws" / "config").write_text(f"[default]\ncredential_process = {line}\n")
    found = findings(tool)
    assert f"({variable})" in found["device"][0]["text"]
    (text,) = texts(found["options"], "warning")
    assert text == f"profile default names no TPM, so all programs that use it need {variable}; add --tpm-path"
    assert "(--tpm-path)" in findings(tool, "--tpm-path", swtpm.path)["device"][0]["text"]


def test_an_invalid_variable_is_a_finding(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TPM2TOOLS_TCTI", "abrmd")
    found = findings(tool)
    (text,) = texts(found["device"], "error")
    assert "TPM2TOOLS_TCTI" in text
    assert "model" in found["skipped"][0]["text"]
