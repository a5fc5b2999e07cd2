"""`tpmwire decode` explains files of tpm2-tools as what they are, never as commands."""

import json
import subprocess
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


@pytest.mark.parametrize(
    "command", ["xxd", "xxd -p", "xxd -i", "hexdump -C", "od -A x -t x1", "od -t x1", "od -t x1z", "base64"]
)
@pytest.mark.parametrize("name", ["key.pub", "quote.msg", "key.sig"])
def test_a_file_in_a_dump(tool: Tool, tmp_path: Path, name: str, command: str) -> None:
    data = bytes.fromhex(FILES[name])
    (tmp_path / name).write_bytes(data)
    dump = subprocess.run([*command.split(), name], cwd=tmp_path, check=True, capture_output=True).stdout
    done = tool("decode", "--json", "-", stdin=dump)
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out)[0]["octets"] == FILES[name]
    done = tool("explain", "--json", "-", stdin=dump)
    assert json.loads(done.out)[0]["trees"][0]["octets"] == FILES[name]
