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


def test_each_version_is_counted() -> None:
    page = (ROOT / "docs" / "coverage.md").read_text()
    table = page.partition("| version |")[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    assert [row[0] for row in rows] == ["1.59", "1.83 and 1.84", "1.85"]
    assert sum(int(row[1]) for row in rows) == sum(int(row[2]) for row in rows) == len(TPM_CC)
    assert rows[2][1:3] == ["8", "8"]
