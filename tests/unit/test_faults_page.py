"""The rows of docs/faults.md are the faults that the tests try, with what the tests assert of each."""

import pytest

from tests.aws import (
    test_faults_answers,
    test_faults_clocks,
    test_faults_connections,
    test_faults_machine,
    test_faults_proxies,
    test_faults_signals,
    test_faults_tls,
)
from tests.support.faults import Fault
from tests.support.programs import ROOT

PAGE = (ROOT / "docs" / "faults.md").read_text()
TRIED: dict[str, dict[str, Fault]] = {
    "Answers": test_faults_answers.FAULTS,
    "Connections": test_faults_connections.FAULTS,
    "Certificates": test_faults_tls.FAULTS,
    "Proxies": test_faults_proxies.FAULTS,
    "The machine": test_faults_machine.FAULTS,
    "Signals": test_faults_signals.FAULTS,
    "Clocks": test_faults_clocks.FAULTS,
}


def _rows(heading: str) -> list[list[str]]:
    table = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n|---", 1)[1].split("\n\n", 1)[0]
    return [line.strip("| ").split(" | ") for line in table.splitlines()[1:]]


@pytest.mark.parametrize("heading", TRIED)
def test_the_rows_are_what_is_tried(heading: str) -> None:
    rows = _rows(heading)
    assert {len(row) for row in rows} == {6}
    told = {name: cells for name, *cells, _ in rows}
    assert len(told) == len(rows)
    assert told == {
        name: [
            str(fault.code),
            f"`{fault.says}`" if fault.says else "nothing",
            str(fault.requests),
            str(fault.hmacs),
        ]
        for name, fault in TRIED[heading].items()
    }


def test_every_heading_is_looked_at() -> None:
    headings = [line.removeprefix("## ") for line in PAGE.splitlines() if line.startswith("## ")]
    assert headings == [*TRIED, "tpmwire fetch", "Other tests"]
