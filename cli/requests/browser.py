"""Opens the user's browser at a secret URL."""

import contextlib
import os
import subprocess
import tempfile
import time
from html import escape

__all__ = ["show"]

_READING = 5.0  # seconds until the page is removed


def show(url: str, program: str) -> bool:
    """Opens a secret URL in the user's browser; returns whether this succeeded.

    `program`, such as xdg-open, opens a temporary page that redirects to the URL. Only the user can read the page,
    whereas all users could read the URL in a command line. After five seconds, the page is removed. Without a
    graphical session, returns False: xdg-open would start a text browser, which has no terminal here. Raises
    OSError if the page cannot be written or the program cannot be started.
    """
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False

    # The user's own directory is preferred, because some browsers cannot read /tmp.
    own = os.environ.get("XDG_RUNTIME_DIR", "")
    descriptor, path = tempfile.mkstemp(
        ".html", "tpmwire-", own if os.path.isabs(own) and os.access(own, os.W_OK) else None
    )
    try:
        with open(descriptor, "w") as file:
            file.write(
                '<!doctype html><meta name="referrer" content="no-referrer">'
                f'<meta http-equiv="refresh" content="0;url={escape(url)}">\n'
            )
        end = time.monotonic() + _READING
        null = subprocess.DEVNULL
        # In its own session, so that a foreground browser survives this process.
        started = subprocess.Popen(  # noqa: S603
            [program, path], stdin=null, stdout=null, stderr=null, start_new_session=True
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            if started.wait(_READING) != 0:
                return False
        time.sleep(max(0.0, end - time.monotonic()))
        return True
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
