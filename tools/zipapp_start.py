"""Second module of the single file, tpmwire_start: finds the modules in the file, then selects the program.

Any Python 3 can run this module up to the import of `tpmwire_programs`. Until that has sorted sys.path, the only
imports are modules that Python has already loaded.
"""

import os
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import PathFinder
from marshal import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, ModuleType

    Bytecode = tuple[bytes, dict[str, tuple[int, bool]], tuple[bytes, ...]]

PROGRAM = "aws-tpm-process-credential"
HELPER = "aws_signing_helper"
PACKAGES = ("cli", "construct", "sigv4", "tpmwire")


class Modules:
    """Finds and loads the modules in the single file, from bytecode if it has their bytecode for this Python.

    Bytecode is in groups: a run loads all modules of a group or none. The sources are one tar archive: as members
    of the zip archive, they would be larger, and Python would list them at each start.
    """

    def __init__(self, folder: str, bytecode: "Bytecode", codes: "dict[str, CodeType]") -> None:
        self.member_folder = folder
        self.folder = os.path.abspath(folder)
        _, self.modules, self.groups = bytecode
        self.codes = codes
        self.sources = b""
        self.files: dict[str, tuple[int, int]] = {}

    def read_member(self, name: str) -> bytes:
        """Returns the content of a file in the single file. Raises OSError if there is none."""
        if os.path.isdir(self.member_folder):  # unpacked
            with open(os.path.join(self.member_folder, name), "rb") as file:
                return file.read()
        from zipimport import zipimporter

        try:
            archive = zipimporter(self.member_folder)
        except ImportError as error:
            raise SystemExit(self.explain_damage(error)) from None
        return archive.get_data(name)

    def explain_damage(self, error: Exception) -> str:
        return f"{self.member_folder}: the file is damaged ({error}); install it again"

    def find_spec(self, name: str, path: object = None, target: object = None) -> "ModuleSpec | None":
        file = name.replace(".", "/")
        if name in self.modules:
            is_package = self.modules[name][1]
        elif name.partition(".")[0] not in PACKAGES or name == "cli":  # cli itself is a member
            return None
        else:
            self.list_sources()
            is_package = f"{file}/__init__.py" in self.files
            if not is_package and f"{file}.py" not in self.files:
                return None
        origin = os.path.join(self.folder, file + ("/__init__.py" if is_package else ".py"))
        spec = ModuleSpec(name, self, origin=origin, is_package=is_package)  # type: ignore[arg-type]
        spec.has_location = True
        if is_package:
            spec.submodule_search_locations = [os.path.dirname(origin)]
        return spec

    def list_sources(self) -> None:
        """Reads the archive of sources, once.

        In it, a header of 512 bytes precedes each file, which is padded to a multiple of 512 bytes (POSIX, ustar).
        """
        if self.files:
            return
        self.sources = data = self.read_member("sources.tar")
        start = 512
        while data[start - 512]:
            name, size = data[start - 512 : start - 412], int(data[start - 388 : start - 377], 8)
            self.files[name.rstrip(b"\0").decode()] = start, start + size
            start += (size + 511 & -512) + 512

    def create_module(self, spec: ModuleSpec) -> None:
        """Returns None, so that Python creates the module."""

    def exec_module(self, module: "ModuleType") -> None:
        name = module.__name__
        if name not in self.modules:
            origin = str(module.__file__)
            start, end = self.files[origin[len(self.folder) + 1 :]]
            # Help texts are docstrings, which -OO would remove.
            code = compile(self.sources[start:end], origin, "exec", dont_inherit=True, optimize=0)
            exec(code, module.__dict__)
            return
        if name not in self.codes:
            # The first group is not compressed: it sorts sys.path, and until then zlib may be the caller's.
            from zlib import decompress, error

            try:
                self.codes.update(loads(decompress(self.groups[self.modules[name][0]])))
            except (EOFError, TypeError, ValueError, error) as fault:
                raise SystemExit(self.explain_damage(fault)) from None
        exec(self.codes.pop(name), module.__dict__)

    def get_data(self, path: str) -> bytes:
        """Returns the content of the file `path` in the single file, such as a data file beside a module."""
        return self.read_member(os.path.relpath(path, self.folder))


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


def main(folder: str, bytecode: "Bytecode", codes: "dict[str, CodeType]") -> None:
    """Runs the program that `argv[0]` or the first argument names.

    `folder` is the path of the single file. `bytecode` is (magic number, modules, groups): `modules` maps the name
    of each module with bytecode to (number of its group, whether it is a package), `groups` has their bytecode.
    `codes` has the code of the modules in the first group.
    """
    sys.meta_path.insert(0, Modules(folder, bytecode, codes))
    if sys.flags.no_site and not sys.flags.isolated:
        sys.meta_path.append(InstalledPackages)
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
