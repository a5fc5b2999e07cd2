"""docs/attestation.md: its program runs as it stands."""

import re

import pytest

from tests.support.programs import ROOT
from tests.support.swtpm import Swtpm
from tests.support.verbs import held

PAGE = (ROOT / "docs" / "attestation.md").read_text()


def test_the_program_runs(swtpm: Swtpm, monkeypatch: pytest.MonkeyPatch) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert program.count("Tpm.open()") == 1
    assert len([line for line in program.splitlines() if line]) <= 12
    names: dict[str, object] = {}
    exec(compile(program.replace("Tpm.open()", f"Tpm.open({swtpm.path!r})"), "the program", "exec"), names)
    assert held(swtpm) == ""
