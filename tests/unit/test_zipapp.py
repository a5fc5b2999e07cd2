"""The single file: the same bytes twice, small, with bytecode for each Python, on a Python without packages."""

import ast
import base64
import dis
import io
import json
import marshal
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import pytest

from tools.zipapp import PACKAGES, list_used, members, pythons
from tools.zipapp_bytecode import PRINTED, compiled, list_needed
from tools.zipapp_modules import FIRST, OMITTED, ROOTS, group_modules
from tpmwire import __version__

ROOT = Path(__file__).parents[2]
PROGRAM = "aws-tpm-process-credential"
PROGRAMS = [([PROGRAM], f"{PROGRAM} "), (["tpmwire"], "tpmwire "), ([], "tpmwire ")]
TAG = sys.implementation.cache_tag
LIMIT = 2_500_000


def build(output: Path, root: Path = ROOT, **environment: str) -> bytes:
    command = [sys.executable, str(root / "tools" / "zipapp.py"), str(output)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, **environment})
    return output.read_bytes()


def bare(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run where neither this checkout nor site-packages can help."""
    clean = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **environment}
    return subprocess.run([*map(str, command)], check=False, capture_output=True, text=True, cwd="/", env=clean)


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dist") / "tpmwire.pyz"
    build(path)
    return path


Bytecode = tuple[bytes, dict[str, tuple[int, bool]], tuple[bytes, ...]]


def bytecode_of(pyz: Path) -> dict[str, Bytecode]:
    """The bytecode in a single file, by the tag of its Python."""
    with zipfile.ZipFile(pyz) as archive:
        names = [name for name in archive.namelist() if name.startswith("bytecode/")]
        return {name.removeprefix("bytecode/"): marshal.loads(archive.read(name)) for name in names}


def changed(pyz: Path, output: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """A copy whose members are `change(name, content)`; those for which it is None are left out."""
    with zipfile.ZipFile(pyz) as old, zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return output


def test_twice_built_it_is_the_same(pyz: Path, tmp_path: Path) -> None:
    umask = os.umask(0o077)
    try:
        again = build(tmp_path / "again.pyz", TZ="Pacific/Auckland", PYTHONHASHSEED="1")
    finally:
        os.umask(umask)
    assert again == pyz.read_bytes()
    assert (tmp_path / "again.pyz").stat().st_mode & 0o777 == 0o755


def test_source_date_epoch_dates_every_member(tmp_path: Path) -> None:
    build(tmp_path / "dated.pyz", SOURCE_DATE_EPOCH="1764000000", TZ="Pacific/Auckland")
    with zipfile.ZipFile(tmp_path / "dated.pyz") as archive:
        assert {info.date_time for info in archive.infolist()} == {(2025, 11, 24, 16, 0, 0)}


def test_it_is_small_with_bytecode_for_each_supported_python(pyz: Path) -> None:
    with zipfile.ZipFile(pyz) as archive:
        sizes = [info.compress_size for info in archive.infolist() if info.filename.startswith("bytecode/")]
    # This machine may have one Python only: the others' bytecode is as large, that of 3.14 is a ninth larger.
    usual = max(sizes) / (1.11 if "cpython-314" in bytecode_of(pyz) else 1)
    assert pyz.stat().st_size - sum(sizes) + (3 + 1.11) * usual < LIMIT


def test_it_has_sources_licences_and_bytecode_only(pyz: Path) -> None:
    with zipfile.ZipFile(pyz) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
        with tarfile.open(fileobj=io.BytesIO(archive.read("sources.tar"))) as sources:
            names += sources.getnames()
            assert names == sorted(archive.namelist()) + sorted(sources.getnames())
            assert {(file.mode, file.mtime, file.uid, file.uname) for file in sources} == {(0o644, 0, 0, "")}
    assert {"cli/credential_process.py", "cli/toolbox.py", "construct/core.py", "tpmwire/wire.py"} <= set(names)
    assert [name for name in names if name.endswith("LICENSE")] != ["LICENSE"]
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {
        *(
            "LICENSE",
            "__main__.py",
            "bytecode",
            "cli",
            "construct",
            "sigv4",
            "sources.tar",
            "tpmwire",
            "tpmwire_programs.py",
            "tpmwire_start.py",
        ),
    }
    assert not [name for name in names if name.endswith((".pyc", ".so", ".pth"))]


STRAYS = (
    *(
        "cli/verbs/list.py~",
        "cli/verbs/.#list.py",
        "cli/verbs/#list.py#",
        "cli/verbs/.list.py.swp",
        "cli/list.py.orig",
    ),
    *(
        "cli/list copy.py",
        "cli/list.bak.py",
        "cli/2list.py",
        "cli/notes.txt",
        "cli/.DS_Store",
        "tpmwire/core.1234",
    ),
    *("sigv4/__pycache__/http.cpython-311.pyc", "cli/verbs/.mypy_cache/cache.py", "cli/drafts/list.py"),
    *("cli/completions/tpmwire.bash~", "cli/completions/list.py"),
    *("tpmwire/build/lib/tpmwire/__init__.py", "tpmwire/secret.pyc", "tpmwire/a-b/__init__.py"),
)


def test_backups_and_strays_are_left_out(pyz: Path, tmp_path: Path) -> None:
    for name in (*PACKAGES, "tools"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("LICENSE", "pyproject.toml", "tpmwire_programs.py"):
        shutil.copy(ROOT / name, tmp_path)
    for name in STRAYS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("a secret note\n")
    other = tmp_path / "dist" / "tpmwire.pyz"
    build(other, tmp_path)
    assert zipfile.ZipFile(other).namelist() == zipfile.ZipFile(pyz).namelist()
    assert other.read_bytes() == pyz.read_bytes()


# Bytecode


def test_it_has_bytecode_for_the_pythons_of_this_machine(pyz: Path) -> None:
    programs = pythons([])
    found = bytecode_of(pyz)
    assert {f"cpython-{version.replace('.', '')}" for version in programs} == set(found)
    assert found[TAG][0] == MAGIC_NUMBER
    for tag, (program, _) in zip(found, programs.values(), strict=True):
        code = "import importlib.util; print(importlib.util.MAGIC_NUMBER.hex())"
        done = subprocess.run([program, "-c", code], check=True, capture_output=True, text=True)
        assert found[tag][0].hex() == done.stdout.strip()


# Runs the file; what it compiles is in the file `compiled`. Only `compile` says so: bytecode has no such event.
WATCH = """
import os, runpy, sys
out = os.open({out!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def note(event, arguments):
    if event == "compile" and arguments[1] is not None:
        os.write(out, os.fsencode(arguments[1]) + b"\\n")
sys.addaudithook(note)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def compiled_by(tmp_path: Path, python: str, pyz: Path, *words: str) -> set[str]:
    """Files of the archive whose source the run compiles."""
    out = tmp_path / "compiled"
    out.unlink(missing_ok=True)
    done = bare(python, "-E", "-S", "-c", WATCH.format(out=str(out)), pyz, *words)
    assert done.returncode in (0, 3), done.stderr
    return {line.split(f"{pyz.name}/")[1] for line in out.read_text().splitlines() if f"{pyz.name}/" in line}


RUNS = (
    [PROGRAM, "--version"],
    [PROGRAM, "--tpm-path=/nonexistent", "--aws-access-key-id=AKIAMADEUP"],
    ["--version"],
)


@pytest.mark.parametrize("words", RUNS)
def test_each_python_uses_its_bytecode(pyz: Path, tmp_path: Path, words: list[str]) -> None:
    for program, _ in pythons([]).values():
        assert compiled_by(tmp_path, program, pyz, *words) == {"__main__.py"}


@pytest.mark.parametrize("gap", ["none for this Python", "another magic number"])
def test_without_bytecode_of_its_own_python_runs_the_sources(pyz: Path, tmp_path: Path, gap: str) -> None:
    """A Python between releases has the tag of its release, and another magic number."""

    def without(name: str, content: bytes) -> bytes | None:
        if name != f"bytecode/{TAG}":
            return content
        _, table, groups = marshal.loads(content)
        return None if gap.startswith("none") else marshal.dumps((b"\xff\0\r\n", table, groups), 2)

    other = changed(pyz, tmp_path / "other.pyz", without)
    assert {"__main__.py", "cli/credential_process.py", "tpmwire_programs.py"} <= compiled_by(
        tmp_path, sys.executable, other, *RUNS[0]
    )


def test_bytecode_is_that_of_the_sources(pyz: Path) -> None:
    """Each group's modules, and each module's code."""
    _, table, groups = bytecode_of(pyz)[TAG]
    sources = members()
    used = list_needed(modules_of(sources), list_used(sources))
    codes = {}
    for number, data in enumerate(groups):
        group = marshal.loads(zlib.decompress(data) if number else data)
        assert all(table[name][0] == number for name in group)
        codes.update(group)
    assert codes.keys() == table.keys()
    for name, code in codes.items():
        file = name.replace(".", "/") + ("/__init__.py" if table[name][1] else ".py")
        # Without debug ranges in the file, and with them here: the code is the same, its table of lines is not.
        again = compiled(name, file, sources[file], used)
        assert code.co_code == again.co_code
        assert code.co_filename == f"tpmwire.pyz/{file}"
        assert code.co_names == again.co_names


def test_docstrings_are_printed_of_these_packages_only() -> None:
    """A new use of __doc__ may need another package in PRINTED (tools/zipapp_bytecode.py)."""
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    assert {path.relative_to(ROOT).as_posix() for path in paths if "__doc__" in path.read_text()} == {
        "cli/toolbox.py",  # a verb's module
        "cli/doctor/registry.py",  # a check, of a module without bytecode
        "cli/tpm/verbose.py",  # a command
        "cli/verbs/show.py",  # a policy statement
        "tpmwire/spec/names.py",  # a command or a structure
    }
    assert PRINTED == ("cli.verbs.", "tpmwire.policy.", "tpmwire.spec.")
    assert not [name for group in group_modules(modules_of(members())) for name in group if "doctor" in name]


def test_bytecode_has_what_is_used_of_construct(pyz: Path) -> None:
    """Each name of construct in the sources, also in another module than those that have bytecode."""
    sources = members()
    nodes = [
        node
        for name, text in sources.items()
        if name.endswith(".py") and not name.startswith("construct/")
        for node in ast.walk(ast.parse(text))
    ]
    used = {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "construct"
    }
    assert "Struct" in used <= {*list_used(sources)}
    imported = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    assert not [module for module in imported if module and module.split(".")[0] == "construct"]
    _, table, groups = bytecode_of(pyz)[TAG]
    code = marshal.loads(zlib.decompress(groups[table["construct.core"][0]]))["construct.core"]
    stored = {step.argval for step in dis.get_instructions(code) if step.opname == "STORE_NAME"}
    assert used <= stored
    assert "Lazy" not in stored


def modules_of(files: dict[str, bytes]) -> dict[str, str]:
    """Sources by the name of their module."""
    return {
        name.removesuffix(".py").removesuffix("/__init__").replace("/", "."): content.decode()
        for name, content in files.items()
        if name.endswith(".py")
    }


def test_roots_of_bytecode_are_modules() -> None:
    sources = modules_of(members())
    roots = [root for roots, _ in ROOTS for root in roots.split()]
    assert {root for root in (*FIRST, *OMITTED, *roots) if root not in sources} == set()
    groups = group_modules(sources)
    assert all(groups)
    assert len({name for group in groups for name in group}) == sum(map(len, groups))


def test_an_internal_error_has_its_line(pyz: Path, tmp_path: Path) -> None:
    def broken(name: str, content: bytes) -> bytes:
        if name == f"bytecode/{TAG}":
            magic, table, groups = marshal.loads(content)
            number, _ = table["cli.credential_process"]
            codes = marshal.loads(zlib.decompress(groups[number]))
            fault = b"def run(words):\n    raise ZeroDivisionError\n"
            codes["cli.credential_process"] = compiled(
                "cli.credential_process", "cli/credential_process.py", fault
            )
            groups = (*groups[:number], zlib.compress(marshal.dumps(codes)), *groups[number + 1 :])
            return marshal.dumps((magic, table, groups), 2)
        return content

    done = bare(sys.executable, changed(pyz, tmp_path / "other.pyz", broken), PROGRAM)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "ZeroDivisionError in tpmwire.pyz/cli/credential_process.py, line 2" in done.stderr


# Start


def watched_python(directory: Path) -> Path:
    """A folder with a python3 that prints what it imports."""
    program = directory / "bin" / "python3"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -X importtime "$@"\n')
    program.chmod(0o755)
    return program.parent


def start(pyz: Path, python: Path, cwd: Path) -> set[str]:
    """Runs the file as a program; returns the modules that Python imported."""
    environment = {"PATH": f"{python}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    command = [pyz, PROGRAM, "--version"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=cwd, env=environment)
    assert done.stdout == f"{PROGRAM} {__version__}\n"
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    assert len(lines) == done.stderr.count("\n"), done.stderr
    return {line.rpartition("|")[2].strip() for line in lines}


def test_it_starts_from_its_bytecode_and_imports_nothing_of_the_callers(pyz: Path, tmp_path: Path) -> None:
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    for name in ("argparse", "cli", "contextlib", "gc", "marshal", "runpy", "tpmwire_start", "zlib"):
        (hostile / f"{name}.py").write_text("raise SystemExit('from the working directory')\n")
    loaded = start(pyz, watched_python(tmp_path), hostile)
    assert "cli.credential_process" in loaded
    assert not loaded & {"dataclasses", "gettext", "runpy"}


def test_a_damaged_file_says_so(pyz: Path, tmp_path: Path) -> None:
    content = pyz.read_bytes()
    file = tmp_path / "damaged.pyz"
    for size in (content.index(b"PK") + 100, len(content) - 100_000):
        file.write_bytes(content[:size])
        file.chmod(0o755)
        done = bare(file, "explain", "0x101")
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert f"{file}: the file is damaged" in done.stderr
    file.write_bytes(content.replace(b"#!/bin/sh\n", b"#!/bin/sh\n# a comment moves the bytecode\n", 1))
    assert bare(file, "--version").stdout == f"tpmwire {__version__}\n"


@pytest.mark.parametrize("gap", ["none for this Python", "another magic number"])
def test_it_starts_as_any_archive_without_bytecode_for_its_python(pyz: Path, tmp_path: Path, gap: str) -> None:
    content = pyz.read_bytes()
    other = f'"{TAG[:-2]}xx"'.encode()
    old, new = (f'"{TAG}"'.encode(), other) if gap.startswith("none") else (MAGIC_NUMBER, b"\xff\0\r\n")
    assert content.count(old) == 1
    (tmp_path / "other.pyz").write_bytes(content.replace(old, new))
    (tmp_path / "other.pyz").chmod(0o755)
    assert "runpy" in start(tmp_path / "other.pyz", watched_python(tmp_path), tmp_path)


@pytest.mark.parametrize("with_bytecode", [True, False])
def test_an_unpacked_file_runs(pyz: Path, tmp_path: Path, *, with_bytecode: bool) -> None:
    with zipfile.ZipFile(pyz) as archive:
        archive.extractall(tmp_path)
    if not with_bytecode:
        shutil.rmtree(tmp_path / "bytecode")
    done = bare(sys.executable, "-I", "-S", "-B", tmp_path, "decode", "80010000000c000001440000")
    assert (done.returncode, done.stderr) == (0, "")
    assert "TPM2_Startup" in done.stdout


@pytest.mark.parametrize(("argument", "starts"), PROGRAMS)
def test_the_first_argument_picks_the_program(pyz: Path, argument: list[str], starts: str) -> None:
    done = bare(sys.executable, "-I", "-S", pyz, *argument, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(starts)


@pytest.mark.parametrize("name", ["aws_signing_helper", "aws_signing_helper.pyz"])
def test_the_name_of_awss_helper_selects_roles_anywhere(pyz: Path, tmp_path: Path, name: str) -> None:
    link = tmp_path / name
    link.symlink_to(pyz)
    signed = json.loads((ROOT / "fixtures/rolesanywhere/helper-sign-string.json").read_text())
    certificate = tmp_path / "certificate.der"
    certificate.write_bytes(base64.b64decode(signed["certificate_der_base64"]))
    words = ("read-certificate-data", "--certificate", certificate)
    for start in ([link], [sys.executable, "-I", "-S", pyz, "aws_signing_helper"]):
        done = bare(*start, *words)
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout) == signed["read_certificate_data"]
    done = bare(link, "credential-process", "--certificate", certificate)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("aws_signing_helper: --private-key, --role-arn")
    for word in ("version", "--version"):
        done = bare(link, word)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"tpmwire {__version__}\n", "")
    done = bare(link, "help")
    assert (done.returncode, done.stdout, done.stderr) == (0, bare(link, "--help").stdout, "")


@pytest.mark.parametrize("name", [PROGRAM, f"{PROGRAM}.pyz", "tpmwire"])
def test_the_name_it_runs_under_picks_the_program(pyz: Path, tmp_path: Path, name: str) -> None:
    link = tmp_path / name
    link.symlink_to(pyz)
    done = bare(link, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{name.removesuffix('.pyz')} ")


def test_a_users_mistake_is_one_line_and_status_2(pyz: Path) -> None:
    done = bare(sys.executable, "-I", "-S", pyz, PROGRAM, "--no-such-option")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert "--no-such-option" in done.stderr


def test_installed_packages_are_found_when_needed(pyz: Path, tmp_path: Path) -> None:
    """The file starts without `site`; an option that needs a package loads it. -I -S have none."""
    python = tmp_path / "python3"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')  # a link would be no part of its environment
    python.chmod(0o755)
    done = bare(
        pyz, "decode", "--color=always", "80010000000c000001440000", PATH=f"{tmp_path}:{os.environ['PATH']}"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b[" in done.stdout
    done = bare(sys.executable, "-I", "-S", pyz, "decode", "--color=always", "80010000000c000001440000")
    assert "needs the package rich" in done.stderr
