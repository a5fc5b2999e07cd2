"""Renews served credentials ahead of time, until a signal ends the program."""

import contextlib
import gc
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from sigv4.errors import SigV4Error
from sigv4.times import rfc3339
from tpmwire.errors import TpmwireError

from ..terminal.messages import UsageError, note
from .notify import Notifier
from .store import Store

if TYPE_CHECKING:
    from .tokens import TokenFile

__all__ = ["log_failures", "outlook", "renew_until_signal"]

_LONGEST_REST = 60.0  # seconds until a resumed machine or a changed clock is noticed, at most


def renew_until_signal(program: str, store: Store, notifier: Notifier, token: "TokenFile | None" = None) -> None:
    """Renews the credentials when they are due or SIGHUP arrives, until another signal ends the program.

    Notifies systemd of the state, and sends its watchdog messages.
    """
    reload = _hangups(store.wake)
    _tell(store, notifier)
    while True:
        asked = reload()
        if asked:
            notifier.reloading()
            if token is not None:
                with log_failures(program, lambda: "the token was not changed"):
                    token.renew()
        if asked or time.time() >= store.due:
            with log_failures(program, lambda: outlook(store)):
                store.fetch()
            gc.collect()  # frees TLS contexts, whose few objects would not reach the collector's threshold
            _tell(store, notifier)
        notifier.send("WATCHDOG=1")
        store.rest(min(store.due - time.time(), _LONGEST_REST, notifier.watchdog or _LONGEST_REST))


def _hangups(wake: Callable[[], None]) -> Callable[[], bool]:
    """Installs a handler of SIGHUP that calls `wake`; returns a function that checks for SIGHUP.

    The function returns whether SIGHUP has arrived since its last call. The handler is not installed if the
    process has a terminal or ignores SIGHUP (nohup).
    """
    asked = [False]

    def hung_up(_number: int, _frame: object) -> None:
        asked[0] = True
        wake()

    def reload() -> bool:
        if not asked[0]:
            return False
        asked[0] = False  # a signal that arrives from here on requests another reload
        return True

    if not _has_terminal() and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, hung_up)
    return reload


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


@contextlib.contextmanager
def log_failures(program: str, consequence: Callable[[], str]) -> Iterator[None]:
    """Logs an error of the block, followed by the text that `outlook` returns, and suppresses the error.

    Only errors that may be temporary are suppressed.
    """
    try:
        yield
    except (TpmwireError, SigV4Error, UsageError, OSError) as error:
        note(f"tpmwire {program}: {' '.join(str(error).split())}; {consequence()}")


def outlook(store: Store) -> str:
    now = time.time()
    held = (
        f"the old credentials are valid until {_time(store.end)}"
        if store.end > now
        else "no credentials until then"
    )
    return f"trying again in {max(0, store.due - now):.0f} seconds; {held}"


def _tell(store: Store, notifier: Notifier) -> None:
    good = store.end > time.time()
    status = f"credentials until {_time(store.end)}" if good else "no credentials: see the log"
    notifier.send("READY=1", f"STATUS={status}")


def _time(seconds: float) -> str:
    return rfc3339(seconds)
