"""Start of the single file (its `__main__`): finds bytecode for the running Python, then selects the program.

Any Python 3 can run this module up to the import of `tpmwire_programs`. Until that has sorted sys.path, the only
imports are modules that Python has already loaded.
"""

import os
import sys
from _frozen_importlib_external import MAGIC_NUMBER, PathFinder
from importlib.machinery import ModuleSpec
from marshal import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from zipimport import zipimporter

    __loader__: zipimporter

PROGRAM = "aws-tpm-process-credential"
HELPER = "aws_signing_helper"


class Bytecode:
    """Finds and loads the modules whose bytecode is in the single file. Other modules come from its sources."""

    def __init__(self, archive: str, modules: "dict[str, tuple[int, bool]]", groups: "tuple[bytes, ...]") -> None:
        self.archive = archive
        self.modules = modules
        self.groups = groups
        self.codes = loads(groups[0])

    def find_spec(self, name: str, path: object = None, target: object = None) -> "ModuleSpec | None":
        if name not in self.modules:
            return None
        is_package = self.modules[name][1]
        origin = os.path.join(self.archive, *name.split(".")) + ("/__init__.py" if is_package else ".py")
        spec = ModuleSpec(name, self, origin=origin, is_package=is_package)  # type: ignore[arg-type]
        spec.has_location = True
        if is_package:
            spec.submodule_search_locations = [os.path.dirname(origin)]
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """Returns None, so that Python creates the module."""

    def exec_module(self, module: "ModuleType") -> None:
        name = module.__name__
        if name not in self.codes:
            # The first group is not compressed: it sorts sys.path, and until then zlib may be the caller's.
            from zlib import decompress

            self.codes.update(loads(decompress(self.groups[self.modules[name][0]])))
        exec(self.codes.pop(name), module.__dict__)

    def get_data(self, path: str) -> bytes:
        """Returns the content of the file `path` in the single file, such as a data file beside a module."""
        return __loader__.get_data(os.path.relpath(path, self.archive))


class InstalledPackages:
    """Finds installed packages. The single file starts Python without them (-S), because most runs need none."""

    @classmethod
    def find_spec(cls, name: str, path: object = None, target: object = None) -> "ModuleSpec | None":
        if path is not None or name == "org":  # pickle tries to import org.python, of Jython
            return None
        sys.meta_path.remove(cls)
        import site

        site.main()
        return PathFinder.find_spec(name)


def add_finders() -> None:
    """Adds to sys.meta_path the finders that this Python and its options require."""
    try:
        data = __loader__.get_data(f"bytecode/{sys.implementation.cache_tag}")
    except OSError:
        pass  # this Python was not available when the file was built
    else:
        magic, modules, groups = loads(data)
        if magic == MAGIC_NUMBER:
            sys.meta_path.insert(0, Bytecode(os.path.abspath(__loader__.archive), modules, groups))
    if sys.flags.no_site and not sys.flags.isolated:
        sys.meta_path.append(InstalledPackages)


def main() -> None:
    """Runs the program that `argv[0]` or the first argument names."""
    add_finders()
    from tpmwire_programs import credential_process, signing_helper, toolbox

    name = os.path.basename(sys.argv[0])
    arguments = sys.argv[1:]
    named = next((each for each in (PROGRAM, HELPER) if name in (each, each + ".pyz")), None)
    if named is not None:
        chosen = named
    elif arguments and arguments[0] in (PROGRAM, HELPER, "tpmwire"):
        chosen = arguments.pop(0)
    else:
        chosen = "tpmwire"
    if chosen == PROGRAM:
        credential_process(arguments)
    elif chosen == HELPER:
        signing_helper(arguments)
    else:
        toolbox(arguments)


main()
