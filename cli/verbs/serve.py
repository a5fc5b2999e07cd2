"""Serves temporary credentials to AWS SDKs on this machine, refreshed ahead of time.

  tpmwire serve --profile work --token-file /run/user/1000/tpmwire.token

Programs then take them as in a container of ECS:

  AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:8911/credentials
  AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/run/user/1000/tpmwire.token

or as on EC2 (version 2 of the metadata service only; any local user can ask there, so it must be allowed):

  AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:8911/

The token is new at each start; its file is readable by its owner only. Ends by SIGTERM or Ctrl-C. Takes a socket
from systemd, and tells it when it is ready.
"""

import argparse
import os
import socket
from typing import TYPE_CHECKING

from ..messages import UsageError, note
from ..using import add_use_options, temporary, use_args

if TYPE_CHECKING:
    from ..serving.notify import Notifier
    from ..serving.store import Store

__all__ = ["HELP", "configure", "run"]

HELP = "serve temporary credentials to AWS SDKs on this machine"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    add_use_options(parser)
    parser.add_argument("--token-file", required=True, metavar="FILE", help="where the token is written (0600)")
    parser.add_argument("--port", type=int, default=8911, metavar="PORT", help="on 127.0.0.1 (default: 8911)")
    parser.add_argument("--imds", action="store_true", help="also as EC2's metadata service, to any local user")


def run(args: argparse.Namespace) -> int:
    """Serves until a signal. Raises UsageError, OSError, and what the first question for credentials raises."""
    import secrets
    import threading

    from ..files import write_whole
    from ..serving.notify import Notifier
    from ..serving.server import CredentialServer
    from ..serving.store import Store

    use_args(args)  # a wrong profile is told before anything is opened
    notifier = Notifier()
    listener = _listener(args.port)
    store = Store(lambda: temporary(args), lambda error: note(f"tpmwire serve: {' '.join(str(error).split())}"))
    token = secrets.token_urlsafe(32)
    with CredentialServer(listener, store, token, imds=args.imds) as server:
        store.get()
        write_whole(args.token_file, token.encode(), force=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        note(f"tpmwire serve: http://127.0.0.1:{listener.getsockname()[1]}/credentials")
        notifier.send("READY=1", "STATUS=Serving credentials")
        try:
            _keep(store, notifier)
        finally:
            notifier.send("STOPPING=1")
            os.unlink(args.token_file)
            server.shutdown()
    return 0


def _keep(store: "Store", notifier: "Notifier") -> None:
    """Refreshes when it is due, and gives signs of life, until a signal raises."""
    import contextlib
    import time

    while True:
        wait = max(1.0, min(store.due - time.time(), 60.0, notifier.watchdog or 60.0))
        time.sleep(wait)
        if store.due <= time.time():
            with contextlib.suppress(Exception):  # the store has told it
                store.get()
        notifier.send("WATCHDOG=1")


def _listener(port: int) -> socket.socket:
    """systemd's socket, or one of our own on loopback."""
    import ipaddress

    from ..serving.notify import inherited_socket

    found = inherited_socket()
    if found is None:
        if not 0 <= port < 65536:
            raise UsageError(f"--port {port} is none; use 0 to 65535")
        return socket.create_server(("127.0.0.1", port))
    if found.family not in (socket.AF_INET, socket.AF_INET6):
        raise UsageError("the socket unit's socket is not TCP: use ListenStream=127.0.0.1:8911")
    if not ipaddress.ip_address(found.getsockname()[0]).is_loopback:
        raise UsageError("the socket unit listens beyond loopback: use ListenStream=127.0.0.1:8911")
    return found
