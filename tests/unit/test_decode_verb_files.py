"""`tpmwire decode` explains files of tpm2-tools as what they are, never as commands."""

import json
from pathlib import Path

import pytest

from tests.support.programs import ROOT
from tests.support.verbs import Tool

FILES = json.loads((ROOT / "fixtures" / "files" / "tpm2-tools.json").read_text())


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file(tool: Tool, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(bytes.fromhex(FILES[name]))
    done = tool("decode", str(tmp_path / name))
    assert (done.code, done.err) == (0, "")
    assert "[command]" not in done.out
    assert done.out
