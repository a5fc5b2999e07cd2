"""Starts a software TPM for `tpmwire demo`: swtpm, or the TPM in Python."""

import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator

from ..terminal.messages import UsageError
from .listen import unix_listener

__all__ = ["software_tpm"]

START_SECONDS = 60
OWNER_ONLY = 0o600
CMD_SHUTDOWN = 3  # of swtpm's control channel


@contextlib.contextmanager
def software_tpm(directory: str, *, soft: bool) -> Iterator[str]:
    """Runs a software TPM while the context is open, and yields its --tpm-path, a Unix socket in `directory`.

    `soft` selects the TPM in Python instead of swtpm. Raises UsageError if swtpm does not start.
    """
    path = os.path.join(directory, "tpm.sock")
    with _serve_soft(path) if soft else _run_swtpm(directory, path):
        yield f"swtpm:path={path}"


@contextlib.contextmanager
def _serve_soft(path: str) -> Iterator[None]:
    from tpmwire.soft import SoftTransport  # noqa: PLC0415 - the single file does not have it
    from tpmwire.soft.server import serve  # noqa: PLC0415 - likewise

    with unix_listener(path, OWNER_ONLY) as commands, unix_listener(f"{path}.ctrl", OWNER_ONLY) as control:
        thread = threading.Thread(target=serve, args=(SoftTransport(), commands, control))
        thread.start()
        try:
            yield
        finally:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(f"{path}.ctrl")
                client.sendall(CMD_SHUTDOWN.to_bytes(4, "big"))
            thread.join()


@contextlib.contextmanager
def _run_swtpm(directory: str, path: str) -> Iterator[None]:
    command = [
        "swtpm",
        "socket",
        "--tpm2",
        "--tpmstate",
        f"dir={directory}",
        "--server",
        f"type=unixio,path={path}",
    ]
    command += ["--ctrl", f"type=unixio,path={path}.ctrl", "--flags", "not-need-init,startup-clear"]
    # A session of its own: Ctrl-C must not end the TPM before the demo has cleaned up.
    with subprocess.Popen(  # noqa: S603 - a fixed program
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            _wait_for(f"{path}.ctrl", process)
            yield
        finally:
            process.terminate()


def _wait_for(path: str, process: "subprocess.Popen[bytes]") -> None:
    """Waits until the program listens on the socket. Raises UsageError if it does not start."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
            client.connect(path)
            return
        time.sleep(0.01)
    raise UsageError("swtpm does not start; use --soft")
