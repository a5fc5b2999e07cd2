"""A warning begins with the program that runs and "warning:", whatever module it comes from."""

from pathlib import Path

import pytest

from cli.credential_process import PROGRAM
from cli.terminal.messages import guarded, warn

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("program", ["tpmwire", PROGRAM])
def test_the_program_that_runs_is_named(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(program, lambda: warn("the disk is nearly full") or 0) == 0  # type: ignore[func-returns-value]
    assert capsys.readouterr().err == f"{program}: warning: the disk is nearly full\n"


def test_one_function_writes_the_prefix() -> None:
    texts = [path for path in (ROOT / "cli").rglob("*.py") if "warning: " in path.read_text()]
    assert texts == [ROOT / "cli/terminal/messages.py"]
