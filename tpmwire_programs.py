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
from _thread import RLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

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
    _import_argparse()
    from cli.terminal.messages import guarded  # noqa: PLC0415 - `fetch` does not load it

    chosen = sys.argv[1:] if words is None else words

    def run() -> int:
        __import__(module)  # importlib would take 0.3 ms
        return sys.modules[module].run(chosen)  # type: ignore[no-any-return]

    code = guarded(program, run)
    # All output is flushed. The kernel frees memory at once; Python would take several milliseconds.
    os._exit(code)


def _import_argparse() -> None:
    """Imports argparse without gettext, which takes a millisecond: messages are in English."""
    untranslated = type(sys)("gettext")
    untranslated.__dict__.update(gettext=str, ngettext=lambda one, many, count: one if count == 1 else many)
    if sys.modules.setdefault("gettext", untranslated) is untranslated:
        import argparse  # noqa: F401, PLC0415 - `fetch` does not load it

        # Other importers get the real module.
        del sys.modules["gettext"]


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
    brackets. (importlib.util.LazyLoader would do the same, but importlib.util takes a part of that time.)
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
        if name in cls.lazy:
            spec.loader = _LazyLoader(spec.loader)  # type: ignore[assignment]
        return spec


class _LazyLoader:
    """Loads a module when one of its attributes is first used."""

    def __init__(self, loader: "Any") -> None:
        self.loader = loader

    def create_module(self, spec: "ModuleSpec") -> None:
        """Returns None, so that Python creates the module. It reads attributes before it calls `exec_module`."""

    def exec_module(self, module: "ModuleType") -> None:
        module.__class__ = _LazyModule


class _LazyModule(type(sys)):  # type: ignore[misc]
    """A module that is not loaded yet."""

    _lock = RLock()

    def __getattr__(self, name: str) -> "Any":
        with self._lock:
            spec = self.__spec__
            if isinstance(spec.loader, _LazyLoader):
                self.__loader__ = spec.loader = spec.loader.loader
                spec.loader.exec_module(self)
                self.__class__ = type(sys)  # type: ignore[assignment]
        return type(sys).__getattribute__(self, name)


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
