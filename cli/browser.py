"""The user's browser, shown a URL that is a secret."""

__all__ = ["show"]

_READING = 5.0  # seconds that a browser has to read a page of a few lines


def show(url: str, program: str) -> bool:
    """Has `program` (xdg-open) show it, by a page that only the user can read; whether that worked.

    On a command line all users could read the URL. Takes five seconds; the page is gone after it.
    """
    import contextlib
    import os
    import subprocess
    import tempfile
    import time
    from html import escape

    # A directory of the user's own where there is one: some browsers may not read /tmp.
    descriptor, path = tempfile.mkstemp(".html", "tpmwire-", os.environ.get("XDG_RUNTIME_DIR"))
    try:
        with open(descriptor, "w") as file:
            file.write(
                '<!doctype html><meta name="referrer" content="no-referrer">'
                f'<meta http-equiv="refresh" content="0;url={escape(url)}">\n'
            )
        null = subprocess.DEVNULL
        done = subprocess.run([program, path], check=False, stdout=null, stderr=null)  # noqa: S603
        if done.returncode != 0:
            return False
        time.sleep(_READING)
        return True
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
