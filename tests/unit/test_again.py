"""CI's second try: what it forgives, and what it does not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs import ROOT

pytestmark = pytest.mark.once

FLAKY = """
from pathlib import Path
import pytest

@pytest.mark.parametrize("name", ["a b", "::"])
def test_second_time(name):
    seen = Path(__file__).with_name(f"seen {name}".replace(":", "-"))
    first = not seen.exists()
    seen.touch()
    assert not first

def test_good():
    pass
"""
ALWAYS = "def test_bad():\n    assert False\n"


def _run(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    # No settings of ours: the folder has none, and no conftest.
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.support.again", *words],
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("words", [(), ("-n", "2")])
def test_what_passes_alone_is_listed_and_forgiven(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "test_it.py").write_text(FLAKY)
    done = _run(tmp_path, *words)
    assert done.returncode == 0, done.stdout
    assert "= FLAKY =" in done.stdout
    listed = sorted(line for line in done.stdout.splitlines() if line.startswith("FLAKY "))
    assert [line.partition(" (Python")[0] for line in listed] == [
        "FLAKY test_it.py::test_second_time[::]",
        "FLAKY test_it.py::test_second_time[a b]",
    ]


def test_what_fails_again_is_not(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(FLAKY + ALWAYS)
    done = _run(tmp_path)
    assert done.returncode == 1
    assert "FLAKY test_it.py::test_second_time[a b]" in done.stdout
    assert "FLAKY test_it.py::test_bad" not in done.stdout


def test_a_module_that_cannot_be_imported_is_not(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(FLAKY)
    (tmp_path / "test_worse.py").write_text("import no_such_module\n")
    for words in ((), ("-n", "2"), ("--continue-on-collection-errors",)):
        done = _run(tmp_path, *words)
        assert done.returncode != 0, words
        assert "FLAKY" not in done.stdout


def test_many_failures_have_one_cause(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import pytest\nfrom pathlib import Path\n"
        "@pytest.mark.parametrize('n', range(11))\n"
        "def test_second_time(n):\n"
        "    seen = Path(__file__).with_name(f'seen{n}')\n"
        "    first = not seen.exists()\n"
        "    seen.touch()\n"
        "    assert not first\n"
    )
    done = _run(tmp_path)
    assert done.returncode == 1
    assert "FLAKY" not in done.stdout
