"""Parts of construct work after its import without the modules that they need, which others get as they are."""

import platform
import subprocess
import sys

import pytest

from tests.support.programs import ROOT

DEFERRED = ("inspect", "pdb", "pickle", "platform", "traceback")


def _lines(code: str) -> list[str]:
    program = f"import sys\nfrom tpmwire.constructs import construct\n{code}"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT)
    return done.stdout.splitlines()


def test_they_are_not_loaded() -> None:
    assert _lines(f"print(set(sys.modules) & set({DEFERRED}))") == ["set()"]


@pytest.mark.parametrize("name", DEFERRED)
def test_the_next_importer_gets_the_module_itself(name: str) -> None:
    assert _lines(f"import {name}\nprint({name}.__file__.endswith('{name}.py'), vars({name})['__name__'])") == [
        f"True {name}"
    ]


def test_pickled_values_and_the_platform() -> None:
    assert _lines(
        "wire = construct.Pickled\nprint(wire.parse(wire.build([1])))\n"
        "from construct.lib import py3compat\nprint(py3compat.ONWINDOWS, py3compat.platform.python_version())"
    ) == ["[1]", f"False {platform.python_version()}"]


def test_probe_finds_its_caller() -> None:
    assert any(
        "'n': 7" in line or "n = 7" in line
        for line in _lines("construct.Struct('n' / construct.Byte, construct.Probe()).parse(bytes([7]))")
    )


def test_debugger_shows_the_traceback_and_starts_pdb() -> None:
    lines = _lines(
        "import pdb\npdb.post_mortem = lambda where: print('post mortem')\n"
        "try:\n    construct.Debugger(construct.Byte).parse(b'')\n"
        "except construct.StreamError:\n    print('raised')"
    )
    assert "post mortem" in lines
    assert any("StreamError" in line for line in lines)
