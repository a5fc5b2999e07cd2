"""Renews served credentials ahead of time, until a signal ends the program."""

import contextlib
import gc
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from sigv4.errors import SigV4Error
from sigv4.times import rfc3339
from tpmwire.errors import TpmwireError

from ..terminal.messages import UsageError, note
from .notify import Notifier
from .store import Store

__all__ = ["label_program", "log_failures", "outlook", "renew_until_signal"]

_LONGEST_REST = 60.0  # seconds until a resumed machine or a changed clock is noticed, at most


def renew_until_signal(
    program: str, stores: Mapping[str, Store], notifier: Notifier, reloads: Sequence[Callable[[], None]] = ()
) -> None:
    """Renews credentials when they are due or SIGHUP arrives, until another signal ends the program.

    `stores` are by profile name and share one alarm. SIGHUP also calls the functions `reloads`, which renew
    tokens. Notifies systemd of the state, and sends its watchdog messages.
    """
    alarm = next(iter(stores.values())).alarm
    reload = _hangups(alarm.wake)
    _tell(stores, notifier)
    while True:
        asked = reload()
        if asked:
            notifier.reloading()
            for each in reloads:
                with log_failures(program, lambda: "The token was not changed"):
                    each()
        due = [name for name, store in stores.items() if asked or time.time() >= store.due]
        for name in due:
            store = stores[name]
            with log_failures(label_program(program, name, stores), partial(outlook, store)):
                store.fetch()
            notifier.send("WATCHDOG=1")
        if due:
            gc.collect()  # frees TLS contexts, whose few objects would not reach the collector's threshold
            _tell(stores, notifier)
        notifier.send("WATCHDOG=1")
        next_due = min(store.due for store in stores.values())
        alarm.rest(min(next_due - time.time(), _LONGEST_REST, notifier.watchdog or _LONGEST_REST))


def label_program(program: str, name: str, stores: Mapping[str, Store]) -> str:
    """Returns the program's name for the log, followed by the profile's name if there are several `stores`."""
    return f"{program}: profile {name}" if len(stores) > 1 else program


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
    """Logs and suppresses an error of the block. The sentence that `consequence` returns follows the error.

    Suppresses only errors of tpmwire, sigv4 and the operating system.
    """
    try:
        yield
    except (TpmwireError, SigV4Error, UsageError, OSError) as error:
        note(f"tpmwire {program}: {' '.join(str(error).split())}. {consequence()}")


def outlook(store: Store) -> str:
    """Returns a sentence: the seconds to the next attempt, and when the old credentials expire."""
    now = time.time()
    held = (
        f"the old credentials are valid until {_time(store.end)}"
        if store.end > now
        else "no credentials until then"
    )
    return f"Trying again in {max(0, store.due - now):.0f} seconds; {held}"


def _tell(stores: Mapping[str, Store], notifier: Notifier) -> None:
    now = time.time()
    texts = {
        name: f"credentials until {_time(store.end)}" if store.end > now else "no credentials; see the log"
        for name, store in stores.items()
    }
    named = (f"{name}: {text}" if len(texts) > 1 else text for name, text in texts.items())
    notifier.send("READY=1", f"STATUS={'; '.join(named)}")


def _time(seconds: float) -> str:
    return rfc3339(seconds)
