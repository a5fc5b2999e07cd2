"""The rules of docs/architecture.md for settings: argparse stays at the border, and nothing changes settings."""

import ast
from pathlib import Path

import pytest

from tests.support.programs import ROOT
from tests.support.sources import imported, modules, tree_of

pytestmark = pytest.mark.once


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


def test_nobody_makes_a_namespace_below_the_border() -> None:
    names = {
        (path.relative_to(ROOT / "cli"), ast.unparse(node))
        for path in modules("cli")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node).endswith("Namespace")
    }
    # Actions, which argparse calls with its namespace.
    assert names == {(Path(f"{part}/options.py"), "argparse.Namespace") for part in ("terminal", "requests")}


CHANGES = {
    "append",
    "extend",
    "insert",
    "remove",
    "pop",
    "clear",
    "update",
    "setdefault",
    "add",
    "discard",
    "sort",
}


def owner(node: ast.AST) -> str:
    """Returns the name whose attributes or items an expression reads: `args` of `vars(args)` and `args.a[0].b`."""
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("vars", "setattr", "delattr") and node.args:
            node = node.args[0]
        else:
            return ""
    return node.id


def changes(node: ast.AST) -> bool:
    """Returns whether an expression changes an object: an assignment, `setattr`, or a method such as `append`."""
    if isinstance(node, ast.Attribute | ast.Subscript):
        return isinstance(node.ctx, ast.Store | ast.Del)
    if not isinstance(node, ast.Call):
        return False
    return ast.unparse(node.func) in ("setattr", "delattr") or (
        isinstance(node.func, ast.Attribute) and node.func.attr in CHANGES
    )


def writes_into_settings(tree: ast.AST) -> list[str]:
    """Returns the expressions of functions that change settings which are their parameters."""
    found = []
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            settings = {
                each.arg
                for each in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
                if each.annotation is not None and "Settings" in ast.unparse(each.annotation)
            }
            for node in filter(changes, ast.walk(function)):
                at = node.func if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else node
                found += [ast.unparse(node)] if owner(at) in settings else []
    return found


def test_nobody_writes_into_settings() -> None:
    bad = "def f(args: Settings, more: X) -> None:\n    args.a = more.b = 1\n    setattr(args, 'c', 2)\n"
    assert writes_into_settings(ast.parse(bad)) == ["args.a", "setattr(args, 'c', 2)"]
    bad = "async def f(args: Settings):\n vars(args)['a'] = 1\n args.__dict__.update(b=2)\n args.c.append(d)\n"
    assert len(writes_into_settings(ast.parse(bad))) == 3
    written = {path: writes_into_settings(tree_of(path)) for path in modules("cli")}
    assert not {path: statements for path, statements in written.items() if statements}
