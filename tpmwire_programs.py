"""Entry points of the programs, which pip's scripts and the single file call.

An SDK starts a credential_process in its own environment, in which PYTHONPATH may contain a module of any name.
Therefore this module has a name that no other project uses, and first moves the caller's folders to the end of
sys.path. Python's own modules and the modules of this project then come first. Until then, only modules that are
built into Python may be imported. Any Python 3 can run this module up to the import of `cli`, which refuses old
versions.
"""

import gc
import os
import sys
from _frozen_importlib_external import PathFinder
from _signal import SIGINT, default_int_handler, getsignal, signal  # type: ignore[import-not-found]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

__all__ = ["credential_process", "signing_helper", "toolbox"]

_GARBAGE = 100_000
"""New objects before Python looks for garbage: more than a short run has, a moment's worth for a long one."""


def credential_process(words: "list[str] | None" = None) -> None:
    """Runs `aws-tpm-process-credential`, and ends the process with its exit code."""
    _run("aws-tpm-process-credential", "cli.credential_process", words)


def signing_helper(words: "list[str] | None" = None) -> None:
    """Runs `tpmwire roles-anywhere` as `aws_signing_helper`, and ends the process with its exit code."""
    chosen = sys.argv[1:] if words is None else words
    version = chosen[:1] in (["version"], ["-version"], ["--version"])
    _run("aws_signing_helper", "cli.toolbox", chosen[:1] if version else ["roles-anywhere", *chosen])


def toolbox(words: "list[str] | None" = None) -> None:
    """Runs `tpmwire`, and ends the process with its exit code."""
    chosen = sys.argv[1:] if words is None else words
    if words is None and os.path.basename(sys.argv[0]) == "aws_signing_helper":  # a link to `tpmwire`
        signing_helper()
    if chosen[:1] == ["fetch"]:
        from cli.serving.client import fetch_quickly  # noqa: PLC0415 - a run loads only what it needs

        code = fetch_quickly(chosen[1:])
        if code is not None:
            os._exit(code)
    _run("tpmwire", "cli.toolbox", chosen)


def _run(program: str, module: str, words: "list[str] | None") -> None:
    from importlib import import_module  # noqa: PLC0415 - `fetch` does not load it

    from cli.terminal.messages import guarded  # noqa: PLC0415 - `fetch` does not load it

    chosen = sys.argv[1:] if words is None else words
    code = guarded(program, lambda: import_module(module).run(chosen))
    # All output is flushed. The kernel frees memory at once; Python would take several milliseconds.
    os._exit(code)


def _caller_last() -> None:
    """Sorts sys.path: Python's library, this project, other packages, and last the caller's directories."""
    library = os.path.dirname(os.__file__)
    # The standard library first, even if the directory is missing.
    archive = f"/python{sys.version_info.major}{sys.version_info.minor}.zip"
    own = next((at for at, path in enumerate(sys.path) if path.endswith(archive)), 0)
    standard = [path for path in sys.path if path == library or path.endswith((archive, "/lib-dynload"))]
    home = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = dict.fromkeys([*standard, home, *sys.path[own:], *sys.path[:own]])
    _Library.folders = standard
    sys.meta_path.insert(sys.meta_path.index(PathFinder), _Library)


class _Library:
    """A finder that searches standard library modules only in Python's own directories.

    On every system, Python tries to import some modules that exist on few systems, such as _wmi. The search for
    such a module must not reach other directories.

    Modules in `lazy` are loaded at first use. urllib.parse imports ipaddress, which takes 1.5 ms, for hosts in
    brackets.
    """

    lazy = ("ipaddress",)

    folders: "list[str]"

    @classmethod
    def find_spec(
        cls, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        if path is not None or name not in getattr(sys, "stdlib_module_names", ()):  # new in Python 3.10
            return None
        spec = PathFinder.find_spec(name, cls.folders)
        if spec is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        if name in cls.lazy and spec.loader is not None:
            from importlib.util import LazyLoader  # noqa: PLC0415 - a run without it loads less

            spec.loader = LazyLoader(spec.loader)
        return spec


def _interrupted(_number: int, _frame: object) -> None:
    """Ends the process after Ctrl-C during imports, when no clean-up is needed yet."""
    try:
        os.write(2, f"{os.path.basename(sys.argv[0])}: interrupted\n".encode(errors="replace"))
    finally:
        os._exit(128 + SIGINT)


if getsignal(SIGINT) is default_int_handler:  # the caller ignores SIGINT, as a shell does for a background job
    signal(SIGINT, _interrupted)
_caller_last()
gc.set_threshold(_GARBAGE)

if __name__ == "__main__":
    toolbox()
