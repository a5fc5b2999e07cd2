"""The built site, and the site on a server of this machine."""

import fcntl
import functools
import http.server
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import ROOT

PYTHON = ROOT / ".venv-site" / "bin" / "python"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """The site, built once for all processes of a test run."""
    if not PYTHON.exists():
        pytest.skip("mkdocs is not installed; run make setup")
    base = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        base = base.parent
    place, finished = base / "site", base / "site.done"
    with open(base / "site.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            done = subprocess.run(
                [PYTHON, "-m", "mkdocs", "build", "--quiet", "--site-dir", place],
                cwd=ROOT,
                env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
                capture_output=True,
                text=True,
                check=False,
            )
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
            finished.touch()
    return place


class Server(http.server.ThreadingHTTPServer):
    """A server for static files only, which stores the paths of the requests."""

    def __init__(self, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), functools.partial(_Handler, directory=str(directory)))
        self.requests: list[str] = []

    @property
    def url(self) -> str:
        """The URL of the site's root."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.SimpleHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        self.server.requests.append(self.requestline)


@pytest.fixture(scope="session")
def server(site: Path) -> Iterator[Server]:
    """The site on a server."""
    with Server(site) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
