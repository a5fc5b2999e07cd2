"""Parts of the single file that its build takes from the sources: construct, and printed docstrings."""

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tools.zipapp import members
from tools.zipapp_bytecode import compiled


def test_construct_is_taken_from_debians_package_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which has no list of its files and no licence file beside its metadata."""
    import construct

    import tools.zipapp

    packages = tmp_path / "usr/lib/python3/dist-packages"
    shutil.copytree(Path(construct.__file__).parent, packages / "construct")
    (packages / "construct-2.10.68.egg-info").mkdir()
    (packages / "construct-2.10.68.egg-info" / "PKG-INFO").write_text("Name: construct\nVersion: 2.10.68\n")
    monkeypatch.delitem(sys.modules, "construct")
    monkeypatch.setattr(sys, "path", [str(packages), *(path for path in sys.path if "packages" not in path)])
    with pytest.raises(SystemExit, match="no licence file"):
        members()
    copyright = tmp_path / "usr/share/doc/python3-construct/copyright"
    copyright.parent.mkdir(parents=True)
    copyright.write_text("Expat\n")
    monkeypatch.setattr(tools.zipapp, "DEBIAN", tmp_path)
    found = members()
    assert found["construct-2.10.68.dist-info/LICENSE"] == b"Expat\n"
    assert found["construct/core.py"] == Path(construct.core.__file__).read_bytes()


def test_docstrings_that_programs_print_stay() -> None:
    source = b'"""A module."""\nclass C:\n    """A class."""\n    def f(self):\n        """A function."""\n'
    for module, expected in (
        ("tpmwire.spec", ("A module.", "A class.", None)),
        ("cli.verbs.list", ("A module.", "A class.", None)),
        ("construct.expr", (None, None, None)),
        ("sigv4.http", (None, None, None)),
    ):
        names: dict[str, Any] = {}
        exec(compiled(module, "f.py", source), names)
        kind = names["C"]
        assert (names.get("__doc__"), kind.__doc__, kind.f.__doc__) == expected
