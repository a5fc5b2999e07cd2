"""Creates a root file system that holds tpmwire and what it needs, and nothing else.

    python3 tools/rootfs.py DIRECTORY [--program dist/tpmwire.pyz]

It has the interpreter that runs this script, the part of its standard library that tpmwire imports (as bytecode),
the shared libraries of both, the single file, and the CA certificates. docs/images.md shows how containers and
initramfs images use it.
"""

import argparse
import modulefinder
import py_compile
import shlex
import shutil
import ssl
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

STDLIB = Path(sysconfig.get_path("stdlib"))

# The interpreter imports these by name; no import statement shows them.
_CODECS = ("ascii", "cp437", "idna", "latin_1", "utf_8", "utf_8_sig")
IMPLICIT = (*(f"encodings.{codec}" for codec in _CODECS), "site")

# Only debuggers and tests import these.
UNUSED = ("asyncio", "doctest", "pydoc", "test", "unittest")


class RootFileSystem:
    """A directory that becomes a root file system (`/`).

    `sysroot` is the directory that the files are copied from: `/`, or a directory with a distribution's unpacked
    packages. `ldd` is the command that lists the shared libraries of a file.
    """

    def __init__(self, directory: Path, sysroot: Path, ldd: Sequence[str]) -> None:
        self.directory = directory
        self._sysroot = sysroot
        self._ldd = ldd

    def inside(self, path: Path) -> Path:
        """Returns a sysroot file's path in the root file system, without the leading slash."""
        return path.relative_to(self._sysroot)

    def target(self, path: Path) -> Path:
        """Returns the path to copy a sysroot file to, and creates the parent directories."""
        target = self.directory / self.inside(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def copy(self, path: Path) -> None:
        """Copies a file of the sysroot to the same path, with its mode."""
        shutil.copy(path, self.target(path))

    def link(self, name: str, target: str) -> None:
        """Creates a symbolic link at `name`, a path without the leading slash."""
        link = self.directory / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target)

    def copy_binary(self, path: Path) -> bool:
        """Copies a program or an extension module, and the shared libraries that it needs.

        Returns False, and copies nothing, if one of the libraries is not in the sysroot.
        """
        libraries = self._libraries(path)
        if not all(library.is_relative_to(self._sysroot) for library in libraries.values()):
            return False
        for name, library in libraries.items():
            # The program contains the dynamic loader's path; the loader searches directories for the other
            # libraries.
            target = self.directory / name[1:] if name.startswith("/") else self.target(library)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, target)
        self.copy(path)
        return True

    def _libraries(self, path: Path) -> dict[str, Path]:
        """Returns the paths of a file's shared libraries and dynamic loader, keyed by their names in the file."""
        done = subprocess.run([*self._ldd, str(path)], check=True, capture_output=True, text=True)
        found = {}
        for line in done.stdout.splitlines():
            # "NAME => PATH (ADDRESS)", or "PATH (ADDRESS)" for the loader, or "NAME (ADDRESS)" for the kernel's.
            name, *rest = line.split()
            if rest[:1] == ["=>"]:
                found[name] = Path(rest[1])
            elif name.startswith("/"):
                found[name] = Path(name)
        return found


def imported_files(sources: Path, scripts: Iterable[Path]) -> list[Path]:
    """Returns the files of the standard library that `scripts` and the modules in `sources` may import.

    Each import statement counts, also those inside functions.
    """
    paths = [str(sources), *(path for path in sys.path if path.startswith(str(STDLIB)))]
    finder = modulefinder.ModuleFinder(paths, excludes=UNUSED)
    for script in scripts:
        finder.run_script(str(script))
    for path in sorted(sources.rglob("*.py")):
        name = ".".join(path.relative_to(sources).with_suffix("").parts).removesuffix(".__init__")
        if name != "__main__":
            finder.import_hook(name)
    for name in IMPLICIT:
        finder.import_hook(name)
    files = (getattr(module, "__file__", None) for module in finder.modules.values())
    return sorted(Path(file) for file in files if file and file.startswith(str(STDLIB)))


def add_interpreter(root: RootFileSystem, library: Iterable[Path]) -> None:
    """Copies the interpreter that runs this script, and the files `library` of its standard library."""
    interpreter = Path(sys.executable).resolve()
    root.copy_binary(interpreter)
    if interpreter.name != "python3":
        root.link("usr/bin/python3", "/" + str(root.inside(interpreter)))
    for file in library:
        if file.suffix != ".py":
            root.copy_binary(file)
            continue
        # Bytecode instead of source halves the size. On a read-only root, Python could not write its own bytecode.
        py_compile.compile(
            str(file),
            cfile=str(root.target(file)) + "c",
            dfile="/" + str(root.inside(file)),
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )


def add_program(root: RootFileSystem, program: Path) -> None:
    """Copies the single file `program`, and creates a link to it with the name of the second program.

    The copy starts the interpreter itself, since there may be no shell.
    """
    target = root.directory / "usr/bin/tpmwire"
    target.parent.mkdir(parents=True, exist_ok=True)
    content = program.read_bytes()
    # Offsets in the zip archive count from the start of the file, so its length must not change.
    start = content.index(b"PK\3\4")
    target.write_bytes(b"#!/usr/bin/python3 -ES".ljust(start, b"\n") + content[start:])
    target.chmod(0o755)
    root.link("usr/bin/aws-tpm-process-credential", "tpmwire")


def add_certificates(root: RootFileSystem) -> None:
    """Copies this machine's CA certificates to the directory that the interpreter's OpenSSL reads.

    A directory with one file for each CA, named by the hash of the CA's name, costs a run 18 ms less than a
    bundle.
    """
    places = ssl.get_default_verify_paths()
    target = root.directory / places.openssl_capath.lstrip("/")
    target.mkdir(parents=True, exist_ok=True)
    hashed = sorted(Path(places.openssl_capath).glob("*.[0-9]"))
    for path in hashed:
        shutil.copy(path, target)
    if not hashed and places.cafile:
        shutil.copy(places.cafile, root.directory / places.openssl_cafile.lstrip("/"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("directory", type=Path, metavar="DIRECTORY", help="new directory to create it in")
    parser.add_argument(
        "--program",
        type=Path,
        default=Path("dist/tpmwire.pyz"),
        metavar="FILE",
        help="the single file (default: dist/tpmwire.pyz)",
    )
    parser.add_argument(
        "--script",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="another Python program of the image, whose imports are included too; may be repeated",
    )
    parser.add_argument(
        "--sysroot",
        type=Path,
        default=Path("/"),
        metavar="DIRECTORY",
        help="where the files of this interpreter's distribution are, if they are not installed (default: /)",
    )
    parser.add_argument(
        "--ldd", default="ldd", metavar="COMMAND", help="lists the shared libraries of a file (default: ldd)"
    )
    arguments = parser.parse_args()
    if not arguments.program.is_file():
        parser.error(f"{arguments.program} does not exist; run `make zipapp`, or name another --program")
    if arguments.directory.exists():
        parser.error(f"{arguments.directory} exists already; name a new directory")
    root = RootFileSystem(arguments.directory, arguments.sysroot, shlex.split(arguments.ldd))
    with tempfile.TemporaryDirectory() as sources:
        with zipfile.ZipFile(arguments.program) as archive:
            archive.extractall(sources)
        shutil.unpack_archive(Path(sources, "sources.tar"), sources)
        library = imported_files(Path(sources), arguments.script)
    add_interpreter(root, library)
    add_program(root, arguments.program)
    if arguments.sysroot == Path("/"):
        add_certificates(root)
    size = sum(path.stat().st_size for path in arguments.directory.rglob("*") if not path.is_symlink())
    print(f"{arguments.directory}: {len(library)} files of the standard library, {size:,} bytes in all")


if __name__ == "__main__":
    main()
