"""Opens the user's browser at a secret URL."""

import contextlib
import os
import subprocess
import tempfile
import time
from html import escape

__all__ = ["show"]

_READING = 5.0  # seconds that a browser has to read a page of a few lines


def show(url: str, program: str) -> bool:
    """Has `program` (xdg-open) show it, with a page that only the user can read; tells whether that worked.

    On a command line all users could read the URL. Takes five seconds, after which the page is removed. Without a
    graphical session nothing is tried: xdg-open would start a browser for terminals, which has none here.
    """
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False

    # A directory of the user's own where there is one: some browsers may not read /tmp.
    own = os.environ.get("XDG_RUNTIME_DIR", "")
    descriptor, path = tempfile.mkstemp(".html", "tpmwire-", own if os.access(own, os.W_OK) else None)
    try:
        with open(descriptor, "w") as file:
            file.write(
                '<!doctype html><meta name="referrer" content="no-referrer">'
                f'<meta http-equiv="refresh" content="0;url={escape(url)}">\n'
            )
        end = time.monotonic() + _READING
        null = subprocess.DEVNULL
        # In a session of its own: a browser that runs in the foreground stays when we end, or are interrupted.
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
