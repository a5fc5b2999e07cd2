"""systemd's side of a service: sockets that it opened, and messages to it (sd_listen_fds(3), sd_notify(3))."""

import os
import socket

from ..messages import UsageError

__all__ = ["Notifier", "inherited_socket"]

_FIRST = 3  # SD_LISTEN_FDS_START


def inherited_socket() -> socket.socket | None:
    """The socket that systemd passed on; None where it passed none. Raises UsageError for more than one."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    count = os.environ.get("LISTEN_FDS", "0")
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    if count == "0":
        return None
    if count != "1":
        raise UsageError("the socket unit passes several sockets: give each a service of its own")
    os.set_inheritable(_FIRST, False)
    try:
        found = socket.socket(fileno=_FIRST)
    except OSError as error:
        raise UsageError("LISTEN_FDS is set, but descriptor 3 is no socket") from error
    if found.type != socket.SOCK_STREAM:
        raise UsageError("the socket unit's socket is no stream: use ListenStream=")
    return found


class Notifier:
    """Tells systemd how the service is; does nothing where NOTIFY_SOCKET is not set."""

    def __init__(self) -> None:
        self._address = os.environ.pop("NOTIFY_SOCKET", None)
        if self._address and self._address.startswith("@"):
            self._address = "\0" + self._address[1:]
        limit = os.environ.pop("WATCHDOG_USEC", "")
        meant = os.environ.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog = int(limit) / 2e6 if meant and limit.isdecimal() and int(limit) else None
        """Seconds between two signs of life that systemd is to get; None where it wants none."""

    def send(self, *lines: str) -> None:
        """Sends lines such as READY=1; whether somebody hears them changes nothing for us."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.settimeout(1)
            try:
                sock.sendto("\n".join(lines).encode(), self._address)
            except OSError:
                return
