"""The project's Python sources as trees of nodes, for tests of the architecture."""

import ast
from functools import cache
from pathlib import Path

from .programs import ROOT

__all__ = ["imported", "modules", "tree_of"]


@cache
def tree_of(path: Path) -> ast.Module:
    """Returns a module's syntax tree."""
    return ast.parse(path.read_text())


@cache
def imported(path: Path) -> set[str]:
    """Returns the top-level names that a module imports, at its head or inside its functions."""
    package = path.relative_to(ROOT).parts[0]
    names: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(package if node.level else (node.module or "").partition(".")[0])
    return names


def modules(*places: str) -> list[Path]:
    """Returns the modules at places such as `cli` or `tpmwire/wires.py`. At least one must exist."""
    found = [
        path
        for place in places
        for path in ([ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"))
    ]
    assert found
    return found
