"""`make demo` does what it shows, and says so when it does not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.serving.demo_steps import demo_steps
from cli.verbs.demo import follow_steps
from tests.support.programs import ROOT

DEMO = ROOT / "tools" / "demo.py"


def test_the_demo() -> None:
    done = subprocess.run([sys.executable, DEMO], check=False, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = done.stdout
    assert '"Arn": "arn:aws:sts::123456789012:assumed-role/demo/demo"' in shown
    assert "TPM2_HMAC: " in shown
    for _, command in demo_steps(aws=True, soft=False):
        assert f"\n$ {command}\n" in shown
    assert "\nnot found\n" in shown
    assert done.stderr == ""
    # Nothing stays: neither the TPM's directory nor its process.
    directory = Path(shown.split("$ export TPMWIRE_TPM_PATH=swtpm:path=")[1].split("\n")[0]).parent
    assert directory.name.startswith("tpmwire-tpm-")
    assert not directory.exists()


def test_a_step_that_fails_ends_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    steps = [("", "echo one"), ("", "false | cat"), ("", "echo three")]
    assert follow_steps(steps, os.environ, str(tmp_path)) == 1
    out, err = capfd.readouterr()
    assert "\none\n" in out
    assert "three" not in out
    assert "that step failed (exit code 1)" in err


def test_the_demo_of_roles_anywhere() -> None:
    words = [sys.executable, str(DEMO), "--roles-anywhere"]
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=180)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "\n$ tpmwire roles-anywhere create-key --persistent-handle $HANDLE\n" in done.stdout
    assert "\n$ tpmwire roles-anywhere csr --private-key handle:$HANDLE " in done.stdout
    assert "arn:aws:sts::123456789012:assumed-role/demo/7b07\n" in done.stdout
    assert "TPM2_Sign: " in done.stdout
    assert "belong together" in done.stdout
