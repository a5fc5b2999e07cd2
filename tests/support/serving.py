"""`tpmwire serve` as a process, for SDKs to ask."""

import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.programs import Machine

__all__ = ["Serving"]

_START_SECONDS = 30


class Serving:
    """A running `tpmwire serve`, also as a metadata service, with these words. A context manager.

    `container` and `imds` are the environments in which an SDK finds it.
    """

    def __init__(self, at: Machine, *words: str, **environment: str) -> None:
        self._at = at
        self._words = words
        self._environment = environment

    def __enter__(self) -> Self:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        token = self._at.home / f"token-{self.port}"
        command = [
            str(self._at.bin / "tpmwire"),
            "serve",
            f"--port={self.port}",
            f"--token-file={token}",
            "--imds",
        ]
        self.log = self._at.home / f"serve-{self.port}.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, *self._words], env=self._at.environment(**self._environment), stderr=log
            )
        self.container = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{self.port}/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token),
        }
        self.imds = {
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{self.port}/",
            "AWS_EC2_METADATA_DISABLED": "false",
        }
        self._await(token)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(30)

    def _await(self, token: Path) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not token.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__(None, None, None)
                raise RuntimeError(f"tpmwire serve did not start: {self.log.read_text()}")
            time.sleep(0.02)
