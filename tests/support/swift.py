"""An S3 server that verifies Signature Version 4 and is not ours: OpenStack Swift with its S3 API."""

import contextlib
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.programs import ROOT

__all__ = ["REGION", "SwiftS3"]

REGION = "us-east-1"


class SwiftS3:
    """A running server on loopback, alive inside `with`, that knows one access key.

    Attributes: `endpoint` (http URL), `port`. It checks the signature of every request and of presigned URLs, and
    that the body is the signed one; session tokens mean nothing to it. Its files are in a directory of its own.
    """

    def __init__(self, access_key_id: str, secret_access_key: str) -> None:
        self._pair = (access_key_id, secret_access_key)

    def __enter__(self) -> Self:
        # Swift keeps metadata in extended attributes, which not every file system has.
        self._directory = tempfile.TemporaryDirectory(prefix="swift-s3-", ignore_cleanup_errors=True)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self.port = port
        self.endpoint = f"http://127.0.0.1:{port}"
        self._log = Path(self._directory.name, "log")
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "tests.support.swift_server",
            self._directory.name,
            str(port),
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write("\n".join((*self._pair, "")))
            self._process.stdin.flush()
        if self._process.stdout.readline() != "listening\n":
            log_text = self._log.read_text(errors="replace")
            self.__exit__(None, None, None)
            raise RuntimeError(f"Swift did not start: {log_text}")
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGKILL)  # nothing of it outlives its directory
        self._process.communicate()
        self._directory.cleanup()
