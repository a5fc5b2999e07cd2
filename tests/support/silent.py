"""A port at which packets seem to get lost: connections are neither taken nor refused."""

import contextlib
import socket
import time
from collections.abc import Iterator

__all__ = ["silent_port"]


@contextlib.contextmanager
def silent_port(host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """Listens with a full queue, so that the kernel lets further SYNs fall. Gives the port; 0 picks one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener, socket.socket(family) as first, socket.socket(family) as second:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(0)
        for other in (first, second):
            other.setblocking(False)
            other.connect_ex(listener.getsockname())
        time.sleep(0.05)  # until the kernel has put them into the queue
        yield listener.getsockname()[1]
