"""Takes over sockets from systemd (sd_listen_fds(3)), and reports the service's state to it (sd_notify(3))."""

import contextlib
import os
import socket
import time

from ..terminal.messages import UsageError

__all__ = ["Notifier", "inherited_sockets"]

_FIRST = 3  # SD_LISTEN_FDS_START
_MOST = 16


def inherited_sockets() -> list[socket.socket]:
    """Returns the sockets that systemd passed to this process, if any.

    Raises UsageError for unsupported sockets.
    """
    meant = os.environ.get("LISTEN_PID") == str(os.getpid())
    count = os.environ.get("LISTEN_FDS", "")
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    if not meant:
        return []
    if not (count.isascii() and count.isdecimal() and int(count) <= _MOST):
        raise UsageError(f"LISTEN_FDS={count!r} is not a number from 0 to {_MOST}; only systemd should set it")
    found = []
    for number in range(_FIRST, _FIRST + int(count)):
        try:
            os.set_inheritable(number, False)
            found.append(socket.socket(fileno=number))
        except OSError as error:
            raise UsageError(
                f"LISTEN_FDS={count} is set, but descriptor {number} is not a socket; only systemd should set it"
            ) from error
    return found


class Notifier:
    """Tells systemd the state of the service; does nothing if NOTIFY_SOCKET is not set."""

    def __init__(self) -> None:
        self._address = os.environ.pop("NOTIFY_SOCKET", None)
        if self._address and self._address.startswith("@"):
            self._address = "\0" + self._address[1:]
        limit = os.environ.pop("WATCHDOG_USEC", "")
        meant = os.environ.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog = int(limit) / 2e6 if meant and limit.isdecimal() and int(limit) else None
        """The seconds between two keep-alive messages; None if systemd needs none."""

    def send(self, *lines: str) -> None:
        """Sends lines such as READY=1; failures are ignored."""
        if not self._address:
            return
        # Also ignored if no descriptor is left, since clients may use all of them for a moment.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.settimeout(1)
            sock.sendto("\n".join(lines).encode(), self._address)

    def reloading(self) -> None:
        """Tells systemd that a reload begins, with the time stamp that Type=notify-reload needs.

        The reload ends with the next READY=1.
        """
        self.send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
