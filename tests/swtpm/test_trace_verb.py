"""`tpmwire trace`: programs run beside a real TPM, and what they say explained."""

import json
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.swtpm import Swtpm
from tests.support.verbs import PROGRAM, Tool, shell

KINDS = pytest.mark.parametrize("swtpm", ["unix", "tcp"], indirect=True)


@KINDS
def test_tpm2_tools(swtpm: Swtpm, tool: Tool) -> None:
    ran = tool("trace", "--tpm-path", swtpm.path, "--", "tpm2_getrandom", "--hex", "6")
    assert ran.code == 0
    assert len(bytes.fromhex(ran.out)) == 6
    assert "TPM2_GetRandom" in ran.err
    # The octets that the program printed are those that were explained.
    assert bytes.fromhex(ran.out).hex(" ") in ran.err
    assert "bytesRequested: 6" in ran.err


@KINDS
def test_several_programs_and_a_file(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    out = tmp_path / "talk.txt"
    script = "tpm2_createprimary -Q -p secret -c p.ctx && tpm2_readpublic -Q -c p.ctx && tpm2_flushcontext -t"
    words = ["trace", "--tpm-path", swtpm.path, "--out", out]
    ran = tool(*words, "--", "sh", "-c", f"cd {tmp_path} && {script}")
    assert (ran.code, ran.err) == (0, "")
    told = out.read_text()
    for command in ("CreatePrimary", "ContextSave", "ContextLoad", "ReadPublic", "FlushContext"):
        assert f"TPM2_{command}" in told
    assert b"secret".hex(" ") not in told
    assert "not shown" in told
    assert tool(*words, "--secrets", "--", "sh", "-c", f"cd {tmp_path} && {script}").code == 0
    assert b"secret".hex(" ") in out.read_text()


@KINDS
def test_tpmwire_itself_two_connections_and_exit_codes(swtpm: Swtpm, tool: Tool) -> None:
    program = f"{PROGRAM[0]} -c '{PROGRAM[2]}'"
    listed = f"{program} pcr; exit 7"
    ran = tool("trace", "--tpm-path", swtpm.path, "--", "sh", "-c", listed)
    assert ran.code == 7
    assert "TPM2_PCR_Read" in ran.err
    assert "sha256" in ran.out
    assert tool("trace", "--tpm-path", swtpm.path, "--", "sh", "-c", "kill -9 $$").code == 137


@KINDS
def test_a_profile_has_the_tpm_and_not_the_relay(
    swtpm: Swtpm, tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("TPMWIRE_TPM_PATH", swtpm.path)
    words = ["import", "--persistent-handle=0x81010002", "--aws-access-key-id=AKIAMADEUP"]
    secret = "printf %s made/up+SecretAccessKeyOfFortyCharacters"
    line = f"{secret} | {' '.join(map(shlex.quote, [*PROGRAM, *words, '--write-profile=tpm']))}"
    ran = tool("trace", "--", "sh", "-c", line)
    assert ran.code == 0, ran.err
    assert "TPM2_EvictControl" in ran.err
    assert f" --tpm-path={swtpm.path} " in config.read_text()


@KINDS
def test_explanations_that_cannot_be_written_do_not_hurt_the_program(swtpm: Swtpm, tool: Tool) -> None:
    ran = tool("trace", "--tpm-path", swtpm.path, "--out", "/dev/full", "--", "tpm2_getrandom", "--hex", "6")
    assert (ran.code, len(bytes.fromhex(ran.out))) == (0, 6)
    assert "cannot write more explanations: No space left on device; the program continues" in ran.err
    assert ran.err.count("\n") == 1


@KINDS
def test_without_stderr_the_programs_output_stays_its_own(swtpm: Swtpm) -> None:
    ran = shell("trace", "--tpm-path", swtpm.path, "--", "tpm2_getrandom", "--hex", "6", before="exec 2>&-")
    assert (ran.code, len(bytes.fromhex(ran.out))) == (0, 6)


@KINDS
def test_a_refusal_is_explained(swtpm: Swtpm, tool: Tool) -> None:
    ran = tool("trace", "--tpm-path", swtpm.path, "--", "tpm2_readpublic", "-c", "0x81010099")
    assert ran.code == 1
    assert "TPM_RC_HANDLE" in ran.err


def test_mistakes(tool: Tool) -> None:
    ran = tool("trace", "--tpm-path", "/nowhere", "--", "true")
    assert (ran.code, ran.err.count("\n")) == (3, 1)
    ran = tool("trace", "--", "no-such-program")
    expected = "tpmwire: cannot find the program 'no-such-program'; check its name and PATH\n"
    assert (ran.code, ran.err) == (2, expected)
    assert tool("trace").code == 2


@KINDS
def test_nonsense_from_the_program_ends_its_connection(swtpm: Swtpm, tool: Tool) -> None:
    speaks = (
        "import os,socket; s=socket.socket(socket.AF_UNIX); s.settimeout(20);"
        "s.connect(os.environ['TPMWIRE_TPM_PATH'].partition('=')[2]);"
        "s.sendall(bytes(10)); print(s.recv(1))"
    )
    ran = tool("trace", "--tpm-path", swtpm.path, "--", PROGRAM[0], "-c", speaks)
    assert (ran.code, ran.out) == (0, "b''\n")
    assert "a size of 0 bytes" in ran.err


@KINDS
def test_a_signal_ends_the_program_too(swtpm: Swtpm, tmp_path: Path) -> None:
    main = "from cli import toolbox; toolbox.VERBS.setdefault('trace', ''); raise SystemExit(toolbox.main())"
    started = tmp_path / "pid"
    words = ["trace", "--tpm-path", swtpm.path, "--", "sh", "-c", f"echo $$ >{started}; exec sleep 60"]
    tracer = subprocess.Popen([sys.executable, "-c", main, *words], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 20
    while not (started.exists() and started.read_text().endswith("\n")) and time.monotonic() < deadline:
        time.sleep(0.01)
    program = int(started.read_text())
    tracer.terminate()
    _, said = tracer.communicate(timeout=20)
    assert (tracer.returncode, said) == (128 + signal.SIGTERM, "tpmwire: interrupted\n")
    # It was waited for as well: there is not even a zombie.
    assert not Path(f"/proc/{program}").exists()


def test_trace_colors_its_own_stream(tool: Tool, swtpm: Swtpm, tmp_path: Path) -> None:
    out = tmp_path / "talk"
    words = ["trace", "--tpm-path", swtpm.path, "--out", str(out)]
    shown = {}
    for choice in ("never", "always"):
        assert tool(*words, f"--color={choice}", "--", "tpm2_getrandom", "--hex", "8").code == 0
        shown[choice] = out.read_text()
    assert "\x1b[" in shown["always"]
    # The random bytes differ.
    assert len(re.sub(r"\x1b\[[0-9;]*m", "", shown["always"])) == len(shown["never"])
    assert tool(*words, "--format=jsonl", "--", "tpm2_getrandom", "--hex", "8").code == 0
    trees = [json.loads(line) for line in out.read_text().splitlines()]
    assert "TPM2_GetRandom" in [tree["name"] for tree in trees]


SCRIPT = "tpm2_createprimary -Q -p sesame -c p.ctx && tpm2_readpublic -Q -c p.ctx && tpm2_flushcontext -t"


def decoded(tool: Tool, path: Path) -> list[dict[str, Any]]:
    ran = tool("decode", "--format", "jsonl", path)
    assert ran.code == 0, ran.err
    return [json.loads(line) for line in ran.out.splitlines()]


@pytest.mark.parametrize("secrets", [False, True])
@pytest.mark.parametrize("form", ["text", "jsonl", "pcap"])
def test_decode_reads_each_format(
    shared_swtpm: Swtpm, tool: Tool, tmp_path: Path, form: str, secrets: bool
) -> None:
    out = tmp_path / "talk"
    words = ["trace", "--tpm-path", shared_swtpm.path, "--format", form, "--out", out, *["--secrets"] * secrets]
    ran = tool(*words, "--", "sh", "-c", f"cd {tmp_path} && {SCRIPT}")
    assert (ran.code, ran.err) == (0, "")
    trees = decoded(tool, out)
    names = [tree["name"] for tree in trees if tree["type"] == "command"]
    assert {"TPM2_CreatePrimary", "TPM2_ReadPublic", "TPM2_FlushContext"} <= set(names)
    assert len(trees) == 2 * len(names)
    assert not any("error" in tree for tree in trees)
    password = b"sesame".hex()
    assert any(password in tree["octets"] for tree in trees) == secrets
    assert (b"sesame" in out.read_bytes() or password in out.read_text("latin-1").replace(" ", "")) == secrets


@pytest.mark.parametrize("secrets", [False, True])
def test_a_page_of_the_traced_program(shared_swtpm: Swtpm, tool: Tool, tmp_path: Path, secrets: bool) -> None:
    page = tmp_path / "talk.html"
    words = ["trace", "--tpm-path", shared_swtpm.path, "--html", page, *["--secrets"] * secrets]
    ran = tool(*words, "--", "sh", "-c", f"cd {tmp_path} && {SCRIPT}; exit 5")
    assert (ran.code, ran.err) == (5, "")
    text = page.read_text()
    assert text.count("<section") >= 6
    assert "TPM2_CreatePrimary" in text
    octets = re.sub(r"<i>\w+</i>|<[^>]*>|\s", "", "".join(re.findall(r'<pre class="d">(.*?)</pre>', text, re.S)))
    assert (b"sesame".hex() in octets) == secrets
    assert ("··" * len("sesame") in octets) != secrets
    assert ("not shown" in text) != secrets


def test_outputs_that_exclude_each_other(tool: Tool, tmp_path: Path) -> None:
    ran = tool("trace", "--html", tmp_path / "a", "--out", tmp_path / "b", "--", "true")
    assert (ran.code, ran.err) == (2, "tpmwire: --html and --out cannot be combined; --html FILE writes to FILE\n")
    ran = tool("trace", "--format", "pcap", "--", "true")
    assert (ran.code, ran.err) == (2, "tpmwire: --format pcap needs --out FILE\n")
    assert list(tmp_path.iterdir()) == []
