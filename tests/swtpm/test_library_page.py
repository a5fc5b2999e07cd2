"""docs/library.md: each of its blocks runs as it stands, one after the other, on a TPM of its own."""

import re

import pytest

from tests.support.programs import ROOT
from tests.support.swtpm import Swtpm
from tests.support.verbs import held

PAGE = (ROOT / "docs" / "library.md").read_text()
DEVICE = '"/dev/tpmrm0"'


def test_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == PAGE.count("```") // 2
    assert blocks[0].count(DEVICE) == PAGE.count(DEVICE) == 1
    names: dict[str, object] = {}
    with Swtpm() as swtpm:
        for number, block in enumerate(blocks, 1):
            exec(compile(block.replace(DEVICE, repr(swtpm.path)), f"block {number}", "exec"), names)
            assert held(swtpm) == "", f"block {number} left something in the TPM"
    printed = capsys.readouterr().out
    assert "b'IBM\\x00'" in printed
    assert "TPM_RC_HANDLE" in printed
    assert "TPM_RC_INITIALIZE" in printed
    assert "bytesRequested: 8" in printed
