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


def test_argparse_stays_at_the_border() -> None:
    """Verbs, files of options and the terminal read the command line; all else has typed settings."""
    border = {"toolbox", "credential_process"}
    importers = {path.relative_to(ROOT / "cli") for path in modules("cli") if "argparse" in imported(path)}
    below = {
        path
        for path in importers
        if path.parts[0] not in ("verbs", "terminal") and not path.stem.endswith("options") | (path.stem in border)
    }
    assert importers
    assert not below


def writes_into_settings(tree: ast.AST) -> list[str]:
    """The statements of functions that change settings which they are given."""
    found = []
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        given = {
            each.arg
            for each in (*function.args.args, *function.args.kwonlyargs)
            if each.annotation is not None and "Settings" in ast.unparse(each.annotation)
        }
        for node in ast.walk(function):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
                found += [ast.unparse(node)] if ast.unparse(node.value) in given else []
            elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("setattr", "delattr"):
                found += [ast.unparse(node)] if ast.unparse(node.args[0]) in given else []
    return found


def test_nobody_writes_into_settings() -> None:
    bad = "def f(args: Settings, more: X) -> None:\n    args.a = more.b = 1\n    setattr(args, 'c', 2)\n"
    assert writes_into_settings(ast.parse(bad)) == ["args.a", "setattr(args, 'c', 2)"]
    written = {path: writes_into_settings(ast.parse(path.read_text())) for path in modules("cli")}
    assert not {path: statements for path, statements in written.items() if statements}
