"""Compiles modules for the Python that runs this file. tools/zipapp.py runs it with each Python version.

Reads from stdin groups of (module, file, source), and the names that the project uses of construct. Writes the
magic number and each group's bytecode to stdout. Input and output use marshal. The bytecode omits annotations of
functions, imports for type checkers, `__all__`, and docstrings, except docstrings of modules and classes in
PRINTED. Qualified names of functions are short. In modules of WITHOUT_LINES, a function has one line number.
"""

import __future__

import ast
import marshal
import re
import sys
from collections.abc import Collection, Iterable, Mapping, Set
from importlib.util import MAGIC_NUMBER
from types import CodeType

WITHOUT_LINES = ("construct.", "tpmwire.spec.")
LIBRARY = ("construct.core", "construct.lib.binary", "construct.lib.bitstream", "construct.lib.hex")
"""Modules of construct that are reduced to what the project needs; the first one uses the others."""

COMPILER = re.compile("_emit|_compile|(compile|benchmark|export_ksy)$").match
"""Matches the names of these methods of construct."""

EXPORTING = ("tpmwire.spec.properties",)
"""Modules whose `__all__` another module reads."""

PRINTED = ("cli.verbs.", "tpmwire.policy.", "tpmwire.spec.")


class Trimmer(ast.NodeTransformer):
    """Removes function annotations, function docstrings and, unless `printed`, docstrings of modules and classes.

    Also removes imports for type checkers. Line numbers do not change.
    """

    def __init__(self, *, printed: bool) -> None:
        self._printed = printed

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Removes the docstring and the annotations of a function, and the docstrings inside the function."""
        given = node.args
        for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg):
            if argument is not None:
                argument.annotation = None
        node.returns = None
        return self._remove_docstring(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Removes the docstrings inside a class and, unless they are printed, the docstring of the class."""
        return self.generic_visit(node) if self._printed else self._remove_docstring(node)

    def visit_If(self, node: ast.If) -> ast.AST:
        """Removes the statements of `if TYPE_CHECKING:`, which never run."""
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = [ast.copy_location(ast.Pass(), node)]
        return self.generic_visit(node)

    def visit_Module(self, node: ast.Module) -> ast.AST:
        """Removes the docstrings inside a module and, unless they are printed, the docstring of the module."""
        return self.generic_visit(node) if self._printed else self._remove_docstring(node)

    def _remove_docstring(self, node: ast.FunctionDef | ast.ClassDef | ast.Module) -> ast.AST:
        self.generic_visit(node)
        if ast.get_docstring(node, clean=False) is not None:
            rest = node.body[1:]
            node.body = rest or ([] if isinstance(node, ast.Module) else [ast.copy_location(ast.Pass(), node)])
        return node


def compiled(module: str, file: str, source: bytes, used: Collection[str] = ()) -> CodeType:
    """Returns the code of a module as Python compiles it from the single file, but without unneeded parts.

    `used` has the names that the project uses of construct: construct's modules have only these, and what they
    need (`list_needed`).
    """
    tree = ast.parse(source, file)
    if source.count(b"__all__") == 1 and module not in EXPORTING:
        tree.body = [one for one in tree.body if not ast.unparse(one).startswith("__all__ = [")]
    if module.startswith("construct."):
        _remove_compiler(tree.body)
    if module in LIBRARY:
        tree.body = _select_used(tree.body, used)
    flags = _remove_future(tree)
    Trimmer(printed=f"{module}.".startswith(PRINTED)).visit(tree)
    code = compile(tree, f"tpmwire.pyz/{file}", "exec", flags, dont_inherit=True)
    return _shrink(code, merge_lines=f"{module}.".startswith(WITHOUT_LINES))


def list_needed(sources: Mapping[str, str | bytes], used: Iterable[str]) -> set[str]:
    """Returns the names of construct that are needed if a program uses only those in `used`.

    `sources` maps modules to sources.
    """
    needed = {*used}
    for module, source in sources.items():
        if module.partition(".")[0] == "construct":
            body = ast.parse(source).body
            _remove_compiler(body)
            kept = _select_used(body, needed) if module == LIBRARY[0] else body if module not in LIBRARY else []
            needed |= {node.id for statement in kept for node in ast.walk(statement) if isinstance(node, ast.Name)}
    return needed


def _remove_future(tree: ast.Module) -> int:
    """Removes `from __future__ import annotations`, and returns its flag for `compile`, or 0.

    At run time, this statement only loads a module.
    """
    rest = [one for one in tree.body if ast.unparse(one) != "from __future__ import annotations"]
    removed = len(rest) < len(tree.body)
    tree.body = rest
    return __future__.annotations.compiler_flag if removed else 0


def _remove_compiler(body: Iterable[ast.stmt]) -> None:
    """Removes construct's methods `compile`, `benchmark` and `export_ksy`, which the project does not use."""
    for one in body:
        if isinstance(one, ast.ClassDef):
            kept = [each for each in one.body if not (isinstance(each, ast.FunctionDef) and COMPILER(each.name))]
            one.body = kept or [ast.copy_location(ast.Pass(), one)]


def _select_used(body: list[ast.stmt], used: Iterable[str]) -> list[ast.stmt]:
    """Returns the statements of a module without definitions that `used` does not need, directly or indirectly."""
    names = [_list_defined(statement) for statement in body]
    needed = {*used}
    count = 0
    while count < len(needed):
        count = len(needed)
        for statement, defined in zip(body, names, strict=True):
            if not defined or needed & defined:
                needed |= {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
    kept = [one for one, defined in zip(body, names, strict=True) if not defined or needed & defined]
    needed.update(node.id for one in kept for node in ast.walk(one) if isinstance(node, ast.Name))
    return [each for one in kept if (each := _select_imports(one, needed))]


def _select_imports(statement: ast.stmt, needed: Set[str]) -> ast.stmt | None:
    """Returns the statement; an `import` only with modules whose names are needed, or None if there are none."""
    if isinstance(statement, ast.Import):
        statement.names = [one for one in statement.names if one.name.partition(".")[0] in needed]
        return statement if statement.names else None
    return statement


def _list_defined(statement: ast.stmt) -> set[str]:
    """Returns the names that a definition or an assignment defines; an empty set for other statements."""
    if isinstance(statement, ast.ClassDef | ast.FunctionDef):
        return {statement.name}
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _shrink(code: CodeType, *, merge_lines: bool) -> CodeType:
    """Returns the code with short qualified names of functions, which only reports of internal errors print.

    With `merge_lines`, each function has one line number: that of its first line. The table of line numbers has an
    entry for each 8 code units: code 13 (no column), and line delta 0 (CPython, Objects/locations.md).
    """
    units = len(code.co_code) // 2
    table = b"".join(bytes((0x80 | 13 << 3 | min(8, units - at) - 1, 0)) for at in range(0, units, 8))
    return code.replace(
        co_consts=tuple(
            _shrink(each, merge_lines=merge_lines) if isinstance(each, CodeType) else each
            for each in code.co_consts
        ),
        co_linetable=table if merge_lines else code.co_linetable,
        co_qualname=code.co_name,
    )


def main() -> None:
    groups, used = marshal.loads(sys.stdin.buffer.read())
    needed = list_needed({name: source for one in groups for name, _, source in one}, used)
    bytecode = [
        marshal.dumps({name: compiled(name, file, source, needed) for name, file, source in one}) for one in groups
    ]
    # Version 2 of the format can be read by each Python 3.
    sys.stdout.buffer.write(marshal.dumps((MAGIC_NUMBER, bytecode), 2))


if __name__ == "__main__":
    main()
