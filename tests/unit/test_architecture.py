"""The rules of docs/architecture.md: which module may import which, where I/O is, how large things are."""

import ast
import os.path
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from pathlib import Path

import pytest

from tests.support.programs import ROOT
from tests.support.sources import imported, modules, tree_of

pytestmark = pytest.mark.once

PURE = (
    "tpmwire/spec",
    "tpmwire/record.py",
    "tpmwire/wires.py",
    "tpmwire/wire.py",
    "tpmwire/exchange.py",
    "tpmwire/errors.py",
)
NO_IO = {"os", "socket", "ssl", "cryptography", "subprocess", "select"}


@pytest.mark.parametrize("path", modules(*PURE), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_does_no_io_and_no_cryptography(path: Path) -> None:
    assert not imported(path) & NO_IO


@pytest.mark.parametrize(
    ("package", "closed"), [("tpmwire", {"sigv4", "cli", "boto3", "botocore"}), ("sigv4", {"tpmwire", "cli"})]
)
def test_imports_point_one_way(package: str, closed: set[str]) -> None:
    allowed = {"sigv4/boto.py", "sigv4/boto_v4a.py", "tpmwire/soft/postquantum.py"}  # modules of extras
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


def _targets(node: ast.AST, module: str, is_package: bool, known: Mapping[str, Path]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in known)
    elif isinstance(node, ast.ImportFrom):
        base = module.split(".")[: None if is_package else -1]
        start = base[: len(base) - node.level + 1] if node.level else []
        name = ".".join([*start, *filter(None, [node.module])])
        for alias in node.names:
            target = f"{name}.{alias.name}" if f"{name}.{alias.name}" in known else name
            if target in known and target != module:
                yield target


def _without_annotations(tree: ast.Module) -> ast.Module:
    """Returns a module without what only a type checker imports."""
    body = [
        node for node in tree.body if not isinstance(node, ast.If) or ast.unparse(node.test) != "TYPE_CHECKING"
    ]
    return ast.Module(body, [])


@cache
def arrows(*, annotations: bool = True) -> dict[str, set[str]]:
    """Returns for each module those that it imports, at its head, inside functions, or for annotations."""
    known = {}
    for path in modules("tpmwire", "sigv4", "cli"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        known[".".join(parts[:-1] if path.stem == "__init__" else parts)] = path
    found: dict[str, set[str]] = {}
    for module, path in known.items():
        tree = tree_of(path)
        nodes = ast.walk(tree if annotations else _without_annotations(tree))
        found[module] = {
            target for node in nodes for target in _targets(node, module, path.stem == "__init__", known)
        }
    return found


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """Returns the modules of a circle of imports, if there is one."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def room(module: str) -> str:
    """Returns the part of a package that a module belongs to: "cli.terminal"."""
    return ".".join(module.split(".")[:2])


def rooms(package: str) -> set[str]:
    return {room(module) for module in arrows() if module.startswith(f"{package}.")}


def reached(module: str, graph: Mapping[str, set[str]]) -> set[str]:
    """Returns every module that is loaded with this one."""
    seen: set[str] = set()
    waiting = {module}
    while waiting:
        seen |= waiting
        waiting = set(chain.from_iterable(graph[each] for each in waiting)) - seen
    return seen - {module}


def test_imports_have_no_circle() -> None:
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"b"}})) == {"b", "c"}
    assert circle(arrows()) == []


def package_arrows(package: str, graph: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Returns for each part of a package the other parts that it imports."""
    found: dict[str, set[str]] = {}
    for module, targets in graph.items():
        inside = {room(target) for target in targets if target.startswith(f"{package}.")}
        if module.startswith(f"{package}."):
            found.setdefault(room(module), set()).update(inside - {room(module)})
    return found


def test_parts_of_tpmwire_have_no_circle() -> None:
    bad = {"a.b.x": {"a.c.y"}, "a.c.z": {"a.b.y"}, "a.b.y": {"d.e"}, "a.c.y": set[str]()}
    assert package_arrows("a", bad) == {"a.b": {"a.c"}, "a.c": {"a.b"}}
    parts = package_arrows("tpmwire", arrows(annotations=False))
    assert parts.pop("tpmwire.errors") == {"tpmwire.constructs", "tpmwire.spec"}  # texts of codes, for messages
    assert circle(parts) == []


CLI_LAYERS = (
    {"terminal"},
    {"awsconfig", "inspect", "serving", "tpm"},
    {"credentials", "keys", "lessons"},
    {"lifecycle", "requests"},
    {"doctor"},
    {"verbs"},
    {"toolbox", "credential_process"},
)
"""A part of cli imports only from those in the lines above its own."""


def test_cli_imports_downward() -> None:
    layer = {f"cli.{name}": number for number, names in enumerate(CLI_LAYERS) for name in names}
    assert set(layer) == rooms("cli")
    upward = [
        (module, target)
        for module, targets in arrows().items()
        for target in targets
        if room(module) in layer and room(target) in layer and room(module) != room(target)
        if layer[room(module)] <= layer[room(target)]
    ]
    assert upward == []


def test_the_standard_as_data_needs_only_records() -> None:
    used = {
        room(target)
        for module, targets in arrows().items()
        if room(module) == "tpmwire.spec"
        for target in targets
    }
    assert used == {f"tpmwire.{name}" for name in ("errors", "record", "spec", "typed", "wires")}


@pytest.mark.parametrize("name", ["crypto", "policy", "keys", "attest", "explain"])
def test_no_tpm_is_needed_by(name: str) -> None:
    graph = arrows(annotations=False)
    with_tpm = {f"tpmwire.{each}" for each in ("transport", "tpm", "primary", "channel", "state", "use", "calls")}
    assert room("tpmwire.use.hmac") in with_tpm & {room(each) for each in reached("tpmwire.use.hmac", graph)}
    inside = [module for module in graph if room(module) == f"tpmwire.{name}"]
    assert inside
    needed = {module: {each for each in reached(module, graph) if room(each) in with_tpm} for module in inside}
    assert {module: each for module, each in needed.items() if each} == {}


NETWORK = {
    "tpmwire/transport",
    "sigv4/http.py",
    "sigv4/sockets.py",
    "sigv4/transfer.py",  # bodies of any size
    "tpmwire/soft/server.py",  # a TPM for other programs
    "cli/serving",
    "cli/verbs/serve.py",  # sockets that systemd passes on
    "cli/verbs/trace.py",  # a program's connection to the TPM
    "cli/verbs/export_public.py",  # the name of this host
}


def opens_sockets(path: Path) -> bool:
    client = re.search(r"(import|from) (http\.client|urllib\.request|urllib import request)", path.read_text())
    return bool(client or imported(path) & {"socket", "asyncio", "socketserver"})


def test_named_tuples_without_typing_have_annotations_as_strings() -> None:
    """From Python 3.14 on, the body of a class has its annotations only then."""
    using = [
        path
        for path in modules("tpmwire", "sigv4", "cli")
        if re.search(r"typed import .*\bNamedTuple\b", path.read_text())
    ]
    assert using
    assert [path for path in using if "from __future__ import annotations" not in path.read_text()] == []


def test_sockets_are_in_few_places() -> None:
    users = {str(path.relative_to(ROOT)) for path in modules("tpmwire", "sigv4", "cli") if opens_sockets(path)}
    assert "sigv4/http.py" in users
    assert {path for path in users if not any(path.startswith(place) for place in NETWORK)} == set()


IO = {
    "tpmwire/transport",
    "tpmwire/soft/server.py",
    "tpmwire/soft/state_file.py",
    "sigv4/http.py",
    "sigv4/sockets.py",
    "sigv4/transfer.py",
    "sigv4/authorities.py",  # certificates of authorities
    "sigv4/files.py",  # ~/.aws/config and tokens
}
IO_MODULES = {"asyncio", "fcntl", "mmap", "pathlib", "select", "shutil", "socket", "ssl", "subprocess", "tempfile"}
NO_IO_OF_OS = {"os.urandom", "os.strerror", "os.uname", "os.fspath", "os.environ.get"}


def io_of(tree: ast.AST, imports: set[str]) -> set[str]:
    """Returns the modules and calls by which a module of a library does I/O."""
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return (imports & IO_MODULES) | {
        call for call in calls - NO_IO_OF_OS if call in ("open", "io.open", "print") or call.startswith("os.")
    }


def test_libraries_do_io_in_few_places() -> None:
    assert io_of(ast.parse("import mmap\nopen(os.path.join('a'))\nos.urandom(4)"), {"mmap", "os"}) == {
        *("mmap", "open", "os.path.join")
    }
    doing = {
        str(path.relative_to(ROOT)): io_of(tree_of(path), imported(path)) for path in modules("tpmwire", "sigv4")
    }
    shown = "tpmwire/soft/transport.py"  # prints the soft TPM's steps on stderr
    assert doing.pop(shown) == {"print"}
    elsewhere = {path: io for path, io in doing.items() if not any(path.startswith(place) for place in IO)}
    assert {path: io for path, io in elsewhere.items() if io} == {}


def test_packages_have_few_parts() -> None:
    """docs/architecture.md explains these numbers."""
    assert len(rooms("cli")) <= 14
    assert len(rooms("tpmwire")) <= 24


HOMONYMS = {
    "CreateSession": "of Roles Anywhere, and of S3 Express",
    "Request": "HTTP: sent in sigv4, received in cli.serving",
    "Role": "of IAM in cli, of an authorization in tpmwire",
    "Settings": "of each verb",
    "cfb": "AES by `cryptography` in tpmwire.crypto.aes, in Python in tpmwire.crypto.pure",
    "configure": "of each verb",
    "create_primary": "tpmwire.calls has the function for programs, with plain values",
    "duplicate": "by the TPM in tpmwire.calls, in software in tpmwire.keys",
    "encrypt": "by a symmetric key of the TPM in tpmwire.calls, OAEP in tpmwire.crypto",
    "evict": "tpmwire.calls has the function for programs, cli the verb's",
    "main": "of each program",
    "prepare": "of each lesson",
    "private_key": "a key of the TPM for `cryptography` in tpmwire, derived from a secret in sigv4",
    "run": "of each verb and program",
    "verify_signature": "of a public area in tpmwire, of a SigV4A key in sigv4",
}
"""Public functions and classes that several modules may define, besides the statements of policies."""


def homonyms(trees: Mapping[str, ast.Module]) -> dict[str, list[str]]:
    """Returns the public functions and classes that several modules define, with these modules."""
    found: dict[str, list[str]] = {}
    for module, tree in trees.items():
        names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        for name in names:
            found.setdefault(name, []).append(module)
    return {name: where for name, where in found.items() if len(where) > 1 and not name.startswith("_")}


def test_a_public_name_means_one_thing() -> None:
    code = {
        "a": "def f(): ...\ndef _g(): ...\nx = 1",
        "b": "class f: ...\ndef _g(): ...\nx = 1",
        "c": "def h(): f()",
    }
    assert homonyms({module: ast.parse(text) for module, text in code.items()}) == {"f": ["a", "b"]}
    # The soft TPM does at the other end of the wire what the client does, under the same names.
    paths = [path for path in modules("tpmwire", "sigv4", "cli") if "tpmwire/soft" not in str(path)]
    found = homonyms({str(path.relative_to(ROOT)): tree_of(path) for path in paths})
    policies = ["tpmwire/policy", "tpmwire/spec/commands"]  # a statement has the name of its command
    statements = {name for name, where in found.items() if sorted(map(os.path.dirname, where)) == policies}
    assert "PolicyPCR" in statements
    assert {name: where for name, where in found.items() if name not in HOMONYMS.keys() | statements} == {}
    assert HOMONYMS.keys() <= found.keys()


TABLES = {"tpmwire/spec/constants.py", "tpmwire/spec/structures.py", "sigv4/services.py", "sigv4/host_names.py"}


def test_files_are_short() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in modules("tpmwire", "sigv4", "cli", "tests", "tools", "examples", "fixtures")
        if "node_modules" not in path.parts
    }
    assert {path for path, length in lengths.items() if length > 450} == TABLES


def test_functions_are_short() -> None:
    trees = [tree_of(path) for path in modules("tpmwire", "sigv4", "cli")]
    functions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    lengths = sorted(node.end_lineno - node.lineno + 1 for node in functions if node.end_lineno)
    assert lengths[len(lengths) * 95 // 100] <= 30


def late_imports(tree: ast.AST) -> list[ast.AST]:
    """Returns the imports inside functions."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    inside = {id(node): node for function in functions for node in ast.walk(function)}
    return [node for node in inside.values() if isinstance(node, ast.Import | ast.ImportFrom)]


def test_few_imports_are_inside_functions() -> None:
    assert len(late_imports(ast.parse("import a\ndef f():\n    import b\n    def g():\n        import c"))) == 2
    late = sum(len(late_imports(tree_of(path))) for path in modules("cli"))
    lines = sum(len(path.read_text().splitlines()) for path in modules("cli"))
    assert late * 1000 <= 10 * lines


def test_an_import_inside_a_function_has_its_reason() -> None:
    lines = [line for path in modules("cli") for line in path.read_text().splitlines() if "PLC0415" in line]
    assert lines
    assert [line for line in lines if not re.search(r"# noqa: .*PLC0415 - \S+", line)] == []


def test_the_map_has_every_part() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text().partition("## The map")[2].partition("\n## ")[0]
    for name in (*rooms("tpmwire"), *rooms("cli")):
        place = ROOT / name.replace(".", "/")
        entry = f"{place.name}/" if place.is_dir() else f"{place.name}.py"
        assert f"\n  {entry} " in page, name
