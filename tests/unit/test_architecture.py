"""The doors of the house (docs/architecture.md): what may import what."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PURE = (
    "tpmwire/spec",
    "tpmwire/record.py",
    "tpmwire/wires.py",
    "tpmwire/wire.py",
    "tpmwire/exchange.py",
    "tpmwire/errors.py",
)
NO_IO = {"os", "socket", "ssl", "cryptography", "subprocess", "select"}


def imported(path: Path) -> set[str]:
    """Top-level names that a module imports, at its head or inside its functions."""
    package = path.relative_to(ROOT).parts[0]
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(package if node.level else (node.module or "").partition(".")[0])
    return names


def modules(*places: str) -> list[Path]:
    found = [
        path
        for place in places
        for path in ([ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"))
    ]
    assert found
    return found


@pytest.mark.parametrize("path", modules(*PURE), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_does_no_io_and_no_cryptography(path: Path) -> None:
    assert not imported(path) & NO_IO


@pytest.mark.parametrize(
    ("package", "closed"), [("tpmwire", {"sigv4", "cli", "boto3", "botocore"}), ("sigv4", {"tpmwire", "cli"})]
)
def test_imports_point_one_way(package: str, closed: set[str]) -> None:
    allowed = {"sigv4/boto.py", "sigv4/boto_v4a.py"}  # the modules of the extra
    for path in modules(package):
        assert not imported(path) & closed, path
        outside = (
            imported(path)
            - {package, "construct", "cryptography", "OpenSSL", "asn1crypto", "_typeshed"}
            - set(sys.stdlib_module_names)
        )
        assert not outside or str(path.relative_to(ROOT)) in allowed, (path, outside)


def test_construct_is_imported_in_one_place() -> None:
    importers = [path for path in modules("cli", "sigv4", "tpmwire") if "construct" in imported(path)]
    assert importers == [ROOT / "tpmwire/constructs.py"]
