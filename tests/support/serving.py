"""`tpmwire serve` as a process, for SDKs and tests to ask."""

import json
import subprocess
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.programs import Machine

__all__ = ["Serving", "await_"]


class Serving:
    """A running `tpmwire serve`, also as a metadata service, with these words. A context manager.

    It has a port and a token file of its own, or those of the one `after` which it comes.
    `container` and `imds` are the environments in which an SDK finds it; `log` is what it wrote to stderr, `token`
    its token file, `process` it itself, without a terminal, as under systemd.
    """

    def __init__(self, at: Machine, *words: str, after: "Serving | None" = None, **environment: str) -> None:
        self._at = at
        self._after = after
        self.token: Path
        self.port: int
        self._words = words
        self._environment = environment

    def __enter__(self) -> Self:
        number = len(list(self._at.home.glob("serve-*.log")))
        self.token = self._after.token if self._after else self._at.home / f"token-{number}"
        self.log = self._at.home / f"serve-{number}.log"
        port = self._after.port if self._after else 0
        options = [f"--port={port}", f"--token-file={self.token}", "--imds"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(self._at.bin / "tpmwire"), "serve", *options, *self._words],
                env=self._at.environment(**self._environment),
                stdin=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        try:
            await_(lambda: "/credentials\n" in self.text or self.process.poll() is not None, lambda: self.text)
            if self.process.poll() is not None:
                raise RuntimeError(f"tpmwire serve did not start: {self.text}")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self.port = int(self.text.split("/credentials\n")[0].rpartition(":")[2])
        self.container = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{self.port}/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(self.token),
        }
        self.imds = {
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{self.port}/",
            "AWS_EC2_METADATA_DISABLED": "false",
        }
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    @property
    def text(self) -> str:
        """What the log holds so far."""
        return self.log.read_text()

    def logged(self, text: str) -> None:
        """Waits until the log has it."""
        await_(lambda: text in self.text, lambda: f"{text!r} in {self.text}")

    def ask(self) -> tuple[int, dict[str, str]]:
        """Status and JSON of /credentials, as with the token."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", "/credentials", headers={"Authorization": self.token.read_text()})
        answer = connection.getresponse()
        found = answer.status, json.loads(answer.read())
        connection.close()
        return found


def await_(reached: Callable[[], bool], what: Callable[[], str], seconds: float = 30) -> None:
    """Waits until `reached()`. Raises AssertionError with `what()` after so long."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, what()
        time.sleep(0.02)
