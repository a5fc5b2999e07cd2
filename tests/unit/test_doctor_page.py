"""docs/doctor.md describes each check and each quirk in the words of the code."""

from collections.abc import Iterator

import pytest

from cli.doctor import run
from cli.doctor.chip import QUIRKS
from cli.doctor.finding import Finding, NoTpmError
from cli.doctor.machine import Machine
from cli.doctor.registry import CHECKS, Check
from cli.doctor.run import all_checks
from tests.support.programs import ROOT

PAGE = (ROOT / "docs" / "doctor.md").read_text()


def test_the_table_has_each_check() -> None:
    rows = PAGE.split("|---|---|\n", 1)[1].split("\n\n", 1)[0].splitlines()
    assert rows == [f"| `{each.name}` | {each.description} |" for each in all_checks()]


def test_each_registered_check_runs_once() -> None:
    assert {each.name for each in all_checks()} == {each.name for each in CHECKS}
    assert len({each.name for each in CHECKS}) == len(CHECKS)


def test_each_quirk_is_described() -> None:
    for quirk in QUIRKS:
        assert quirk.text[1:] in PAGE
        assert quirk.step in PAGE


def test_a_check_that_fails_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_machine: Machine) -> Iterator[Finding]:
        yield Finding.ok("before")
        raise ZeroDivisionError

    def needs_the_tpm(_machine: Machine) -> Iterator[Finding]:
        yield Finding.ok("before")
        raise NoTpmError

    def passes(_machine: Machine) -> Iterator[Finding]:
        yield Finding.ok("after")

    checks = [Check(each.__name__, "", each) for each in (fails, needs_the_tpm, passes)]
    monkeypatch.setattr(run, "all_checks", lambda: checks)
    with Machine("/nonexistent/tpm") as machine:
        found = [*run.run_checks(machine)]
    assert [(each.check, each.status) for each in found] == [
        ("fails", "ok"),
        ("fails", "error"),
        ("needs_the_tpm", "ok"),
        ("passes", "ok"),
        ("skipped", "warning"),
    ]
    assert found[1].text.startswith("the check failed: internal error: ZeroDivisionError in ")
    assert "needs_the_tpm" in found[-1].text
