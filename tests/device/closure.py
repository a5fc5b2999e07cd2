"""Which files of the standard library a program needs: run by the image's own interpreter, not by the test's.

    python3.11 closure.py DIRECTORY SCRIPT

follows every import statement, also those inside functions, from SCRIPT and from all modules under DIRECTORY, and
prints the files of the standard library so found, one a line; those in Python stand compiled next to their source.
"""

import modulefinder
import py_compile
import sys
import sysconfig
from pathlib import Path

# What the interpreter asks for by name at run time, where no import statement shows it.
_CODECS = ("ascii", "cp437", "idna", "latin_1", "utf_8", "utf_8_sig")
IMPLICIT = (*(f"encodings.{codec}" for codec in _CODECS), "site")

# Reached from construct.debug through pdb, and by nothing that a user runs.
UNUSED = ("asyncio", "doctest", "multiprocessing", "pydoc", "test", "unittest")

INSTALLED = "/usr/lib/python3.11"
"""Where the image has them, for tracebacks."""


def closure(directory: str, script: str) -> list[str]:
    """Paths of the standard library's files."""
    library = sysconfig.get_path("stdlib")
    finder = modulefinder.ModuleFinder(
        [directory, *(path for path in sys.path if path.startswith(library))], excludes=UNUSED
    )
    finder.run_script(script)
    for path in sorted(Path(directory).rglob("*.py")):
        name = ".".join(path.relative_to(directory).with_suffix("").parts).removesuffix(".__init__")
        if name != "__main__":
            finder.import_hook(name)
    for name in IMPLICIT:
        finder.import_hook(name)
    files = [getattr(module, "__file__", None) for module in finder.modules.values()]
    return sorted(file for file in files if file and file.startswith(library))


def main() -> None:
    library = sysconfig.get_path("stdlib")
    for file in closure(*sys.argv[1:]):
        if not file.endswith(".py"):
            print(file)
            continue
        # Unchecked: there is no source in the image to check against, which halves its size.
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        compiled, shown = file + "c", INSTALLED + file.removeprefix(library)
        py_compile.compile(file, cfile=compiled, dfile=shown, doraise=True, invalidation_mode=mode)
        print(compiled)


if __name__ == "__main__":
    main()
