"""Protects a process's memory, which holds secrets, from other processes of the same user."""

import contextlib

__all__ = ["protect_memory"]

_PR_SET_DUMPABLE = 4  # prctl(2)


def protect_memory() -> None:
    """Prevents core files, and access to this process's memory by debuggers and other processes of the user.

    Root keeps access. The protection lasts until a program is executed. If the kernel or a sandbox refuses the
    protection, only core files are disabled. Systems other than Unix, such as WebAssembly, have neither.
    """
    with contextlib.suppress(ModuleNotFoundError):
        _disable_core_files()
    # TypeError and AttributeError: ctypes of Windows has no function of this name.
    with contextlib.suppress(ImportError, OSError, MemoryError, TypeError, AttributeError):
        _prctl(_PR_SET_DUMPABLE, 0)


def _disable_core_files() -> None:
    """Limits the size of core files. Raises ModuleNotFoundError if Python lacks the module `resource`."""
    import resource  # noqa: PLC0415 - WebAssembly, Windows and Debian's python3-minimal lack it

    # The limit is 1 and not 0: the kernel ignores other limits for a core that it pipes to a handler (core(5)),
    # and 1 byte is too small for a core file.
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    limit = 1 if hard == resource.RLIM_INFINITY else min(1, hard)
    resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))


def _prctl(option: int, value: int) -> None:
    """Calls prctl(2); ignores errors."""
    try:
        # _ctypes instead of ctypes, whose import would add several milliseconds to each run.
        from _ctypes import call_function, dlopen, dlsym  # noqa: PLC0415 - not on every Python

        program = dlopen(None, 0)  # type: ignore[arg-type]
        call_function(dlsym(program, "prctl"), (option, value, 0, 0, 0))
    except (ImportError, AttributeError):
        import ctypes  # noqa: PLC0415 - takes several milliseconds

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
