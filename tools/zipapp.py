"""Builds the single file dist/tpmwire.pyz, which needs only a python3 (3.11 or newer).

It has the packages of this project and construct: as source, and as bytecode for each supported Python that this
machine has (python3.11 and so on, on PATH) or that --python names. With another Python, it works from the source.

The same sources and the same Pythons result in the same bytes: names are sorted, modes are fixed, and every time
is SOURCE_DATE_EPOCH (seconds since 1970, reproducible-builds.org) or 1980.
"""

import argparse
import ast
import importlib.metadata
import importlib.util
import io
import marshal
import os
import re
import struct
import subprocess
import sys
import tarfile
import time
import tomllib
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
TOOLS = ROOT / "tools"
sys.path.insert(0, str(ROOT))

from tools.zipapp_modules import group_modules  # noqa: E402

PACKAGES = ("cli", "sigv4", "tpmwire")
PROGRAMS = "tpmwire_programs.py"
LIBRARY = "construct"
DEBIAN = Path("/")
# The first lines of the file start Python by a shell, because busybox lacks `env -S`. -E ignores PYTHONPATH and
# the like, which the caller sets. -S skips installed packages until one is needed. -c runs code that loads the
# bytecode at PLACES: to start a zip archive, Python loads runpy and zipimport, and compiles a module, which takes
# 3 ms. With -c, the first folder of sys.path is the caller's working directory: nothing is imported from there.
START = b"""#!/bin/sh
exec python3 -E -S -c '
import sys
del sys.argv[0]
sys.path[0] = file = sys.argv[0]
from marshal import loads
from _frozen_importlib_external import MAGIC_NUMBER
offset, size = {PLACES}.get(sys.implementation.cache_tag, (0, 0))
found = None
try:
    with open(file, "rb") as archive:
        archive.seek(offset)
        found = loads(archive.read(size)) if size else None
except OSError as error:
    sys.exit("%s: %s; start the program by its path" % (file, error.strerror))
except (EOFError, TypeError, ValueError):
    pass
if type(found) is tuple and found[0] == MAGIC_NUMBER:
    codes = loads(found[2][0])
    start = {"__name__": "tpmwire_start"}
    exec(codes["tpmwire_start"], start)
    start["main"](file, found, codes)
else:
    from runpy import run_path
    from zipimport import ZipImportError, zipimporter
    try:
        zipimporter(file)
    except ZipImportError:
        sys.exit("%s: the file is damaged; install it again" % file)
    run_path(file, run_name="__main__")
' "$0" "$@"
"""
PLACES = b"{PLACES}"
# These are zip members, uncompressed. Before they have sorted sys.path, a caller's module named zlib would be
# imported.
STORED = ("__main__.py", "cli/__init__.py", PROGRAMS, "tpmwire_start.py")
SOURCES = "sources.tar"
ZIP_EPOCH = 315532800  # 1980-01-01, the earliest time in a zip archive
# Modules, and the files that they read: not backups, copies and notes beside them.
MODULE = re.compile(r"(\w+/)+[A-Za-z_]\w*\.py", re.ASCII)
# The soft TPM, and what runs with it: these take pip. The file must stay small.
LEFT_OUT = (
    "tpmwire/soft/",
    "cli/lessons/",
    "cli/serving/demo_steps.py",
    "cli/serving/demo_tpm.py",
    "cli/serving/sts_stand_in.py",
    "cli/verbs/demo.py",
    "cli/verbs/soft.py",
)
DATA = re.compile(r"cli/completions/[a-z-]+\.(bash|fish|zsh)|\w+/py\.typed", re.ASCII)


def members() -> dict[str, bytes]:
    """Returns the content of each source, data file and licence in the single file, sorted by name.

    Raises SystemExit if construct is not installed, or has no licence.
    """
    found = {
        "__main__.py": (TOOLS / "zipapp_main.py").read_bytes(),
        "tpmwire_start.py": (TOOLS / "zipapp_start.py").read_bytes(),
    }
    for name in ("LICENSE", PROGRAMS):
        found[name] = (ROOT / name).read_bytes()
    for package in PACKAGES:
        found.update((name, data) for name, data in _package(ROOT / package) if not name.startswith(LEFT_OUT))
    found.update(_library())
    return dict(sorted(found.items()))


def _package(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yields (name, content) of each module and data file in a package and its subpackages."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder.parent).as_posix()
        in_package = all(
            (folder / parent / "__init__.py").is_file() for parent in path.relative_to(folder).parents
        )
        if DATA.fullmatch(name) or (MODULE.fullmatch(name) and in_package):
            yield name, path.read_bytes()


def _library() -> Iterator[tuple[str, bytes]]:
    spec = importlib.util.find_spec(LIBRARY)
    try:
        distribution = importlib.metadata.distribution(LIBRARY)
    except importlib.metadata.PackageNotFoundError:
        spec = None
    if spec is None or spec.origin is None:
        raise SystemExit(
            f"zipapp: {LIBRARY} is not installed for {sys.executable}: run `make zipapp`, or install {LIBRARY} "
            f"with pip or as python3-{LIBRARY}"
        )
    yield from _package(Path(spec.origin).parent)
    # The licence of construct requires METADATA and LICENSE beside the code.
    about = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    licence = distribution.read_text("LICENSE") or distribution.read_text("licenses/LICENSE")
    packaged = DEBIAN / f"usr/share/doc/python3-{LIBRARY}/copyright"
    if licence is None and Path(spec.origin).is_relative_to(DEBIAN / "usr/lib/python3") and packaged.exists():
        licence = packaged.read_text()
    if licence is None:
        raise SystemExit(f"zipapp: the installed {LIBRARY} has no licence file: reinstall it from its wheel")
    for name, text in (("METADATA", about), ("LICENSE", licence)):
        yield f"{LIBRARY}-{distribution.version}.dist-info/{name}", text.encode()


def supported() -> list[str]:
    """Returns the versions of Python that pyproject.toml names, such as 3.11."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return re.findall(r":: (3\.\d+)\b", "\n".join(project["classifiers"]))


def pythons(named: list[str]) -> dict[str, tuple[str, str]]:
    """Returns (program, full version) of an interpreter for each supported version of Python on the machine.

    Interpreters that the user named have priority; each of them must exist and be supported.
    """
    found: dict[str, tuple[str, str]] = {}
    for program in [*named, sys.executable, *(f"python{version}" for version in supported())]:
        version = _version_of(program)
        short = ".".join(version.split(".")[:2])
        if short in supported():
            found.setdefault(short, (program, version))
        elif program in named:
            raise SystemExit(f"zipapp: {program} is not a CPython {', '.join(supported())}")
    return dict(sorted(found.items()))


def _version_of(program: str) -> str:
    """Returns the full version of a CPython interpreter.

    Returns an empty string for another program, or if it does not run, as pyenv's shims without a version.
    """
    code = "import platform, sys; print(sys.implementation.name, platform.python_version())"
    try:
        done = subprocess.run([program, "-E", "-S", "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    name, _, version = done.stdout.strip().partition(" ")
    return version if done.returncode == 0 and name == "cpython" else ""


def strip_docstrings(name: str, source: bytes) -> bytes:
    """Returns the source of a module without docstrings that are never printed; line numbers do not change.

    These are a tenth of the file: all docstrings of construct, and those of functions except checks of `tpmwire
    doctor`, which prints them.
    """
    if not name.endswith(".py") or name.startswith("cli/doctor/"):
        return source
    kinds: tuple[type[ast.AST], ...] = (ast.FunctionDef, ast.AsyncFunctionDef)
    if name.startswith(f"{LIBRARY}/"):
        kinds += (ast.ClassDef, ast.Module)
    lines = source.split(b"\n")
    for node in ast.walk(ast.parse(source)):
        first = next(iter(getattr(node, "body", [])), None) if isinstance(node, kinds) else None
        if not isinstance(first, ast.Expr) or not isinstance(first.value, ast.Constant):
            continue
        text = first.value
        if isinstance(text.value, str) and text.end_lineno is not None:
            start, end = text.lineno - 1, text.end_lineno - 1
            after = lines[end][text.end_col_offset :]
            lines[start : end + 1] = [lines[start][: text.col_offset] + b'""' + after, *[b""] * (end - start)]
    return b"\n".join(lines)


def list_used(sources: dict[str, bytes]) -> list[str]:
    """Returns the names of construct that modules of the project use, each written there as `construct.NAME`."""
    texts = [text for name, text in sources.items() if not name.startswith(LIBRARY)]
    return sorted({name.decode() for text in texts for name in re.findall(rb"\bconstruct\.([A-Za-z_]\w*)", text)})


def bytecode(python: str, sources: dict[str, bytes]) -> bytes:
    """Returns the bytecode that the interpreter `python` compiles: magic number, table of modules, groups."""
    files = {name.removesuffix(".py").removesuffix("/__init__").replace("/", "."): name for name in sources}
    modules = {module: sources[file].decode() for module, file in files.items() if file.endswith(".py")}
    groups = [[(name, files[name], sources[files[name]]) for name in group] for group in group_modules(modules)]
    # Line numbers stay in tracebacks, columns do not.
    command = [python, "-E", "-S", "-X", "no_debug_ranges", str(TOOLS / "zipapp_bytecode.py")]
    done = subprocess.run(
        command, input=marshal.dumps((groups, list_used(sources)), 2), stdout=subprocess.PIPE, check=True
    )
    magic, (first, *others) = marshal.loads(done.stdout)
    table = {
        module: (number, file.endswith("/__init__.py"))
        for number, group in enumerate(groups)
        for module, file, _ in group
    }
    return marshal.dumps((magic, table, (first, *(zlib.compress(data, 9) for data in others))), 2)


def pack_sources(sources: dict[str, bytes]) -> bytes:
    """Returns a tar archive of the sources of modules.

    It is compressed as a whole: as zip members, the modules would take a third more.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in sources.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def build(included: dict[str, tuple[str, str]]) -> bytes:
    """Returns the content of the single file: a shell line that starts Python, followed by a zip archive.

    The zip archive has bytecode for each Python, a tar archive of the sources, data files and licences. `included`
    has the interpreters whose bytecode is included, as returned by `pythons`.
    """
    sources = members()
    contents = {name: strip_docstrings(name, data) for name, data in sources.items()}
    modules = [name for name in contents if MODULE.fullmatch(name) and name not in STORED]
    contents[SOURCES] = pack_sources({name: contents.pop(name) for name in modules})
    for version, (program, _) in included.items():
        contents[f"bytecode/cpython-{version.replace('.', '')}"] = bytecode(program, sources)
    tags = [f"cpython-{version.replace('.', '')}" for version in included]
    # The offsets depend on the size of START, so the archive is written twice.
    first = _archive(contents, dict.fromkeys(tags, (0, 0)))
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        places = {tag: _place(first, archive.getinfo(f"bytecode/{tag}")) for tag in tags}
    return _archive(contents, places)


def _archive(contents: dict[str, bytes], places: dict[str, tuple[int, int]]) -> bytes:
    """Returns START and a zip archive of `contents`.

    `places` maps the tag of each Python with bytecode to the (offset, size) of its bytecode in the result.
    """
    table = ", ".join(f'"{tag}": ({offset:8}, {size:8})' for tag, (offset, size) in places.items())
    epoch = max(int(os.environ.get("SOURCE_DATE_EPOCH", ZIP_EPOCH)), ZIP_EPOCH)
    moment = time.gmtime(epoch)[:6]
    buffer = io.BytesIO(START.replace(PLACES, f"{{{table}}}".encode()))
    buffer.seek(0, io.SEEK_END)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in sorted(contents.items()):
            info = zipfile.ZipInfo(name, moment)
            info.external_attr = 0o100644 << 16
            info.create_system = 3  # always Unix, so that the file modes count
            stored = name in STORED or name.startswith("bytecode/")
            info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return buffer.getvalue()


def _place(data: bytes, member: zipfile.ZipInfo) -> tuple[int, int]:
    """Returns (offset, size) of the content of an uncompressed member of the zip archive `data`."""
    name, extra = struct.unpack_from("<HH", data, member.header_offset + 26)
    return member.header_offset + 30 + name + extra, member.file_size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("output", nargs="?", type=Path, default=Path("dist", "tpmwire.pyz"))
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="FILE",
        help="include bytecode of this interpreter; repeatable",
    )
    parser.add_argument(
        "--all", action="store_true", help="fail unless bytecode for each supported Python is included"
    )
    arguments = parser.parse_args()
    output: Path = arguments.output
    included = pythons(arguments.python)
    missing = [version for version in supported() if version not in included]
    if missing and arguments.all:
        raise SystemExit(f"zipapp: no Python {', '.join(missing)} on this machine; name each with --python FILE")
    output.parent.mkdir(parents=True, exist_ok=True)
    # Replaced atomically, since the old file may be running.
    draft = output.with_name(f".{output.name}.{os.urandom(8).hex()}")
    draft.write_bytes(build(included))
    draft.chmod(0o755)
    draft.replace(output)
    full = ", ".join(version for _, version in included.values())
    print(f"{output}: {output.stat().st_size:,} bytes, with bytecode for Python {full or 'none'}")
    if missing:
        print(f"{output}: starts slowly on Python {', '.join(missing)}, which this machine does not have")


if __name__ == "__main__":
    main()
