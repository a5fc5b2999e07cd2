"""The credentials that are served: asked for once by however many want them, and again before they end."""

import datetime
import random
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sigv4.sts import Credentials

__all__ = ["Store", "expiry"]

# botocore refreshes in the last 15 minutes, and would come back for each request were it given less.
_AHEAD = 15 * 60  # seconds
_JITTER = 5 * 60  # seconds; machines that were started together do not ask together
_AGAIN = 10  # seconds between tries while what is held is still good; failures are not repeated faster either


class Store:
    """Credentials that `fetch` gives, kept until 15 to 20 minutes are left (or a third of what they had).

    For many threads: one of them asks, the others wait. While a refresh fails, what is held is given
    as long as it lasts; `failed` is told each failure. `clock` gives POSIX seconds.
    """

    def __init__(
        self,
        fetch: Callable[[], "Credentials"],
        failed: Callable[[Exception], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._fetch = fetch
        self._failed = failed
        self._clock = clock
        self._lock = threading.Lock()
        self._held: Credentials | None = None
        self._end = self._due = 0.0
        self._error: Exception | None = None
        self._blocked_until = 0.0

    def __repr__(self) -> str:
        return "<Store of credentials>"

    @property
    def due(self) -> float:
        """When the next refresh is due, POSIX seconds; in the past while nothing is held."""
        return max(self._due, self._blocked_until)

    def get(self) -> "Credentials":
        """Credentials that are good now. Raises what `fetch` does where there are none."""
        with self._lock:
            now = self._clock()
            if self._held is not None and now < self._due:
                return self._held
            if now < self._blocked_until:
                return self._otherwise(now)
            try:
                found = self._fetch()
                self._take(found, now)
            except Exception as error:  # noqa: BLE001 - told, kept, and raised where nothing is held
                self._error = error
                self._blocked_until = self._clock() + _AGAIN
                self._failed(error)
                return self._otherwise(self._clock())
            return found

    def _take(self, found: "Credentials", now: float) -> None:
        end = expiry(found.expiration)
        # A third, where they live so short that 15 minutes are most of it.
        ahead = min(_AHEAD + random.uniform(0, _JITTER), (end - now) / 3)  # noqa: S311
        self._held, self._end, self._due = found, end, end - ahead
        self._error, self._blocked_until = None, 0.0

    def _otherwise(self, now: float) -> "Credentials":
        if self._held is not None and now < self._end:
            return self._held
        assert self._error is not None
        raise self._error


def expiry(text: str) -> float:
    """POSIX seconds of an RFC 3339 time, as STS writes it."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
