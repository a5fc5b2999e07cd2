"""Serves temporary credentials to AWS SDKs on this machine, and renews them ahead of time.

  tpmwire serve --profile work --token-file /run/user/1000/tpmwire.token

Programs then read them as in an ECS container:

  AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:8911/credentials
  AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/run/user/1000/tpmwire.token

or, with --imds, as on EC2 (IMDSv2 only; any local user can then request credentials):

  AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:8911/

SDKs do not support unix sockets; curl --unix-socket does, and so do proxies that forward one into a container:

  tpmwire serve --profile work --token-file /run/tpmwire/token \\
      --socket /run/tpmwire/socket

With --process, unix sockets also serve the output of a credential_process, to programs of the same user without a
token. `tpmwire fetch` prints it in a fraction of the time of a run that uses the TPM:

  tpmwire serve --profile work --process --socket /run/user/1000/tpmwire.sock
  credential_process = tpmwire fetch

serve creates the token file, readable by its owner only, and removes it at the end; an existing file is used
unchanged. SIGTERM or Ctrl-C ends it. SIGHUP makes it read the profile again, fetch new credentials and renew the
token. It accepts sockets from systemd, and reports its state to systemd; docs/serve.md describes its units.
"""

import argparse
import contextlib
import os
import re
import socket
from collections.abc import Iterator

from ..credentials.sts import obtain
from ..requests.options import UseSettings, add_use_options, caller_of, lasting_settings, region_of
from ..serving import listen
from ..serving.connections import raise_descriptor_limit
from ..serving.handler import Service
from ..serving.notify import Notifier, inherited_sockets
from ..serving.renewal import log_failures, outlook, renew_until_signal
from ..serving.server import CredentialServer
from ..serving.store import Store
from ..serving.tokens import Sessions, TokenFile
from ..terminal.messages import UsageError, note
from ..terminal.options import Once
from ..terminal.progress import activity

__all__ = ["Settings", "configure", "run"]

_PORT = 8911


class Settings(UseSettings):
    """The verb's options."""

    token_file: str | None
    process: bool
    port: int | None
    address: str | None
    socket: str | None
    socket_mode: str | None
    imds: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    add_use_options(parser, without=("--format",))
    where = parser.add_argument_group("serving")
    where.add_argument(
        "--token-file",
        metavar="FILE",
        help="file with the authorization token for /credentials; created with mode 0600 if missing",
    )
    where.add_argument(
        "--process",
        action="store_true",
        help="serve /process, the output of a credential_process, on unix sockets; needs no token",
    )
    where.add_argument(
        "--port",
        action=Once,
        type=int,
        metavar="PORT",
        help=f"TCP port to serve on (default: {_PORT}; 0 chooses a free port)",
    )
    where.add_argument(
        "--address", action=Once, metavar="IP", help="loopback address to serve on: 127.0.0.1 (default) or ::1"
    )
    where.add_argument(
        "--socket",
        action=Once,
        metavar="PATH",
        help="path of a unix socket to serve on, instead of TCP; with --port or --address, in addition to TCP",
    )
    where.add_argument(
        "--socket-mode",
        metavar="MODE",
        help="file mode of the unix socket: 0600 (default), or 0660 to admit its group; needs --socket",
    )
    where.add_argument(
        "--imds",
        action="store_true",
        help="also serve EC2's metadata service (IMDSv2); any local user can then request credentials",
    )


def run(args: Settings) -> int:
    """Serves credentials until a signal arrives.

    Raises UsageError for invalid options, OSError if a socket or the token file cannot be created, and the error
    of the first fetch. With sockets from systemd, an error of the first fetch is only logged: clients may already
    be waiting, so they get an error response, and the server continues.
    """
    raise_descriptor_limit()
    inherited = inherited_sockets()
    _check_purpose(args, inherited)
    if not inherited:
        lasting_settings(args)  # reports errors in the profile before anything is opened
    notifier = Notifier()
    token = None if args.token_file is None else TokenFile(args.token_file)
    store = Store(lambda: obtain(lasting_settings(args)))
    with _listeners(args, inherited) as listeners, contextlib.ExitStack() as stack:
        notifier.send("STATUS=Fetching credentials")
        failures = log_failures("serve", lambda: outlook(store)) if inherited else contextlib.nullcontext()
        with failures, activity("getting the first credentials"):
            store.fetch()
        if token is not None:
            stack.callback(token.close)
            token.write()
        region = _region(args) if args.imds else None
        service = Service(store, token, Sessions(), args.imds, region, args.process)
        server = stack.enter_context(CredentialServer(listeners, service))
        stack.callback(notifier.send, "STOPPING=1")
        os.register_at_fork(after_in_child=server.close_listeners)
        note(f"tpmwire serve: {', '.join(_describe_listener(each, args) for each in listeners)}")
        renew_until_signal("serve", store, notifier, token)
    return 0


def _check_purpose(args: Settings, inherited: list[socket.socket]) -> None:
    """Raises UsageError if the options give nothing to serve, in general or on one of the sockets."""
    if args.token_file is None and not args.process:
        raise UsageError("no --token-file and no --process: give at least one of them")
    has_socket = args.socket is not None or any(each.family == socket.AF_UNIX for each in inherited)
    has_port = args.port is not None or args.address is not None or any(_is_port(each) for each in inherited)
    if args.process and not has_socket:
        raise UsageError("--process needs a unix socket; give it with --socket, or use the socket unit")
    if args.token_file is None and not args.imds and has_port:
        raise UsageError("a port needs --token-file, since --process is for unix sockets only; add --token-file")


def _is_port(listener: socket.socket) -> bool:
    return listener.family != socket.AF_UNIX


def _region(args: Settings) -> str | None:
    try:
        return region_of(caller_of(args))
    except UsageError:
        return None


@contextlib.contextmanager
def _listeners(args: Settings, inherited: list[socket.socket]) -> Iterator[list[socket.socket]]:
    """Yields the listening sockets: from systemd, or as the options request.

    At the end, the file of the unix socket from the options is removed. Raises UsageError for conflicting options
    or an invalid mode, and if no socket can be created.
    """
    mode = args.socket_mode
    if mode is not None and not args.socket:
        raise UsageError("--socket-mode needs --socket")
    if mode is not None and not re.fullmatch("0?[0-7]{3}", mode):
        raise UsageError(f"--socket-mode {mode}: invalid mode; use e.g. 0600 or 0660")
    places = {"address": args.address, "port": args.port, "socket": args.socket}
    own = [name for name, value in places.items() if value is not None]
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(sock) for sock in inherited]
        if found and own:
            raise UsageError(f"systemd already passed sockets; remove --{own[0]}, or disable the socket unit")
        for sock in found:
            listen.check_inherited(sock)
        if args.socket is not None:
            sock = stack.enter_context(listen.unix_listener(args.socket, int(mode or "600", 8)))
            stack.callback(listen.unlink_socket, args.socket, listen.identity(args.socket))
            found.append(sock)
        if not found or args.port is not None or args.address is not None:
            port = _PORT if args.port is None else args.port
            found.append(stack.enter_context(listen.tcp_listener(args.address or "127.0.0.1", port)))
        yield found


def _describe_listener(listener: socket.socket, args: Settings) -> str:
    if listener.family == socket.AF_UNIX:
        paths = ["/credentials"] * (args.token_file is not None) + ["/process"] * args.process
        return f"unix socket {listener.getsockname()}, path {' and '.join(paths)}"
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/credentials"
