"""Flushes the sessions and objects that a key's use has opened."""

from ..tpm import Tpm
from .run import Run

__all__ = ["flush_run"]


def flush_run(tpm: Tpm, run: Run, *, keep: int | None = None) -> None:
    """Flushes the sessions and objects that a key's use has opened, except the object with handle `keep`."""
    sessions = [session.handle for session in (run.session, run.companion) if session is not None]
    for handle in [*sessions, *reversed(run.opened)]:
        if handle != keep and tpm.is_open(handle):
            tpm.flush(handle)
