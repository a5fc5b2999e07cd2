"""`make demo` does what it shows, and says so when it does not."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.programs import ROOT

DEMO = ROOT / "tools" / "demo.py"


def _demo() -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo", DEMO)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_demo() -> None:
    done = subprocess.run([sys.executable, DEMO], check=False, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = done.stdout
    assert '"Arn": "arn:aws:sts::123456789012:assumed-role/demo/demo"' in shown
    assert "TPM2_HMAC: " in shown
    for _, command in _demo().STEPS:
        assert f"\n$ {command}\n" in shown
    assert "\nnot found\n" in shown
    assert done.stderr == ""
    # Nothing stays: neither the TPM's directory nor its process.
    directory = Path(shown.split("$ export TPMWIRE_TPM_PATH=swtpm:path=")[1].split("\n")[0]).parent
    assert directory.name.startswith("swtpm-")
    assert not directory.exists()


def test_a_step_that_fails_ends_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    steps = [("", "echo one"), ("", "false | cat"), ("", "echo three")]
    assert _demo().follow(steps, os.environ, tmp_path) == 1
    out, err = capfd.readouterr()
    assert "\none\n" in out
    assert "three" not in out
    assert "that step failed (exit code 1)" in err


def test_a_machine_without_the_programs_it_needs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, DEMO],
        env={"PATH": str(tmp_path)},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "swtpm" in done.stderr
    assert done.stderr.endswith("`make demo` installs what it needs\n")
    assert "Traceback" not in done.stderr
