"""docs/coverage.md says what there is."""

import subprocess
import sys
from pathlib import Path

from tpmwire.spec.command import command_class
from tpmwire.spec.constants import TPM_CC

ROOT = Path(__file__).parents[2]


def test_the_page_is_current() -> None:
    command = [sys.executable, str(ROOT / "tools" / "coverage.py"), "--check"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_command_is_declared() -> None:
    assert [code.name for code in TPM_CC if command_class(code) is None] == []
    page = (ROOT / "docs" / "coverage.md").read_text()
    assert all(f"| TPM2_{code.name} |" in page for code in TPM_CC)
