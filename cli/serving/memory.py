"""A process that lives long with credentials in its memory: nobody of the same user may read that."""

import contextlib

__all__ = ["seal_memory"]

_PR_SET_DUMPABLE = 4  # prctl(2)


def seal_memory() -> None:
    """Neither core files nor other processes of this user get at our memory (PR_SET_DUMPABLE); root still can.

    Where the kernel or a sandbox says no, the core file's limit, which holds for every run, is what is left.
    """
    # ctypes makes a trampoline when it is loaded, which MemoryDenyWriteExecute= can forbid.
    with contextlib.suppress(ImportError, OSError, MemoryError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
