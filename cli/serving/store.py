"""Stores the served credentials: fetches them once for all clients, and renews them before they expire."""

import contextlib
import os
import random
import select
import signal
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from sigv4.times import parse_rfc3339
from tpmwire.errors import TpmError
from tpmwire.spec.codes import TPM_RC_AUTH_FAIL

from ..terminal.messages import UsageError, explain_error

if TYPE_CHECKING:
    from sigv4.credentials import Credentials

__all__ = ["Alarm", "Store", "UnavailableError"]

# botocore refreshes credentials in their last 15 minutes, so with fewer left it would ask for each request.
_AHEAD = 15 * 60  # seconds
_JITTER = 5 * 60  # seconds; spreads the requests of machines that were started together
_AGAIN = 10.0  # seconds to the next try after a failure; doubled after each further failure
_AT_MOST = 120.0  # seconds between two tries, at most
# Seconds to the next try after a wrong password: the TPM counts failures, and a lockout affects all keys.
_DISTRUSTED = 24 * 3600.0
_UNCHANGED = 60.0  # seconds to the next try if the cache returned the same credentials
_CLOCK_STEP = 5.0  # seconds; a clock that goes back more than this was set, not slowed down
_PATIENCE = 20.0  # seconds that a client waits for a fetch


class UnavailableError(Exception):
    """No credentials are available at present; the log of `tpmwire serve` has the reason."""


class _Held(NamedTuple):
    credentials: "Credentials"
    fetched: float
    end: float

    def __repr__(self) -> str:
        return f"<Held {self.credentials!r}>"


class Alarm:
    """Lets the main thread rest until another thread or a signal wakes it."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def __del__(self) -> None:
        os.close(self._read)
        os.close(self._write)

    def wake(self) -> None:
        """Ends the wait of `rest`."""
        with contextlib.suppress(BlockingIOError):  # a full pipe also ends the wait
            os.write(self._write, b"\0")

    def rest(self, seconds: float) -> None:
        """Waits until `wake` is called or a signal arrives, but at most `seconds`; only in the main thread."""
        waiting = select.poll()
        waiting.register(self._read, select.POLLIN)
        # Without the pipe, a signal that arrives just before the wait would be handled only after it.
        before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        try:
            if waiting.poll(max(seconds, 0.0) * 1000):
                os.read(self._read, 65536)
        finally:
            signal.set_wakeup_fd(before)


class Store:
    """Stores the credentials from `fetch`, and schedules their renewal.

    A renewal is due when 15 to 20 minutes are left, or a third of the lifetime if that is less. `get` can be
    called in any thread. Only the main thread fetches, so that a signal interrupts the fetch and the TPM is left
    clean. `clock` returns POSIX seconds. `alarm` wakes the main thread; several stores can share it.
    """

    def __init__(
        self,
        fetch: Callable[[], "Credentials"],
        clock: Callable[[], float] = time.time,
        alarm: Alarm | None = None,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._changed = threading.Condition()
        self.alarm = alarm or Alarm()
        self._held: _Held | None = None
        self._due = self._set_at = 0.0
        self._failures = 0
        self.failure: tuple[int, str] | None = None
        """Exit code and message of the last fetch's error; None if it succeeded."""
        self._rounds = 0
        self._closed = False

    def __repr__(self) -> str:
        return f"<Store {self._held!r}>"

    @property
    def end(self) -> float:
        """The expiration of the credentials in POSIX seconds; 0 if there are no credentials."""
        return self._held.end if self._held else 0.0

    @property
    def fetched(self) -> float:
        """The time of the last fetch in POSIX seconds; 0 if there are no credentials."""
        return self._held.fetched if self._held else 0.0

    @property
    def due(self) -> float:
        """The time of the next fetch in POSIX seconds, later after a failure; 0 if the clock was set back."""
        # With a clock that was set back by hours, the wait would be hours too long.
        return self._due if self._clock() > self._set_at - _CLOCK_STEP else 0.0

    def get(self) -> "Credentials":
        """Returns valid credentials; waits for a fetch if the stored credentials have expired or are missing.

        Raises UnavailableError if the last fetch failed, if none ends within 20 seconds, or after `close`.
        """
        if found := self._get_valid():
            return found
        with self._changed:
            if self._clock() < self.due or self._closed:
                raise UnavailableError
            before = self._rounds
            self.alarm.wake()
            self._changed.wait_for(lambda: self._rounds != before or self._closed, _PATIENCE)
            found = self._get_valid()
        if found is None:
            raise UnavailableError
        return found

    def fetch(self) -> None:
        """Fetches new credentials; call only in the main thread. After an error, the old credentials remain.

        Raises the errors of the function `fetch`. Raises UsageError if the new credentials are already expired by
        this machine's clock: SDKs on this machine would send requests without end.
        """
        try:
            found = self._fetch()
            now = self._clock()
            # Converted to this machine's clock: with a clock an hour slow, expired credentials would be served for
            # an hour.
            end = parse_rfc3339(found.expiration) - found.clock_offset
            if end <= now:
                raise UsageError(
                    f"AWS's new credentials expired at {found.expiration} by this machine's clock; set the clock"
                )
        except Exception as error:
            self._failures += 1
            self.failure = explain_error(error)
            wait = min(_AGAIN * 2 ** min(self._failures - 1, 8), _AT_MOST)
            if isinstance(error, TpmError) and error.code == TPM_RC_AUTH_FAIL:
                wait = _DISTRUSTED
            self._finish(self._held, self._clock() + wait)
            raise
        self._failures, self.failure = 0, None
        held = self._held
        if held is not None and found.access_key_id == held.credentials.access_key_id:
            due = min(now + _UNCHANGED, end)
        else:
            # Renewed when a third of their lifetime is left, if that is less than 15 minutes.
            due = max(end - min(_AHEAD + random.uniform(0, _JITTER), (end - now) / 3), now + 1)  # noqa: S311
        self._finish(_Held(found, now, end), due)

    def close(self) -> None:
        """Stops serving: `get` no longer waits for a fetch, and waiting clients get an error."""
        # A signal may have interrupted this thread inside `with`; the clients' timeout then ends their wait.
        if self._changed.acquire(timeout=1):
            self._closed = True
            self._changed.notify_all()
            self._changed.release()

    def _get_valid(self) -> "Credentials | None":
        held = self._held
        return held.credentials if held is not None and self._clock() < held.end else None

    def _finish(self, held: _Held | None, due: float) -> None:
        with self._changed:
            self._held, self._due, self._set_at = held, due, self._clock()
            self._rounds += 1
            self._changed.notify_all()
