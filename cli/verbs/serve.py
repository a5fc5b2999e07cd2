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

With several profiles, each has its own path, /credentials/NAME; /credentials has the first one. If --token-file
names a directory, each profile has its own token there, in a file of its name:

  tpmwire serve --profile work --profile backup \\
      --token-file /run/user/1000/tokens --address 169.254.170.23

169.254.170.2, 169.254.170.23 and fd00:ec2::23 are the addresses of ECS and EKS Pod Identity. Without TLS, SDKs
accept these and loopback addresses only. Add them to the machine first, so that containers can reach the server.

With --process, unix sockets also serve the output of a credential_process, to programs of the same user without a
token. `tpmwire fetch`, as the credential_process of a profile, prints it in a fraction of the time of a run that
uses the TPM:

  tpmwire serve --profile work --process --socket /run/user/1000/tpmwire.sock
  aws configure set profile.fast.credential_process "tpmwire fetch"

serve creates a missing token file, readable by its owner only, and removes this file at the end; an existing file
is used unchanged. SIGTERM or Ctrl-C ends serve. On SIGHUP, serve reads the profile again, fetches new credentials
and renews the token. It accepts sockets from systemd, and reports its state to systemd; docs/serve.md describes
the units.
"""

import argparse
import contextlib
import copy
import os
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from sigv4.times import rfc3339

from ..credentials.passwords import Passwords
from ..requests.options import UseSettings, add_use_options, caller_of, lasting_settings, region_of
from ..serving import listen
from ..serving.connections import raise_descriptor_limit
from ..serving.handler import ProfileSource, Service
from ..serving.notify import Notifier, inherited_sockets
from ..serving.renewal import label_program, log_failures, outlook, renew_until_signal
from ..serving.senders import HOST_NAME
from ..serving.server import CredentialServer
from ..serving.store import Alarm, Store
from ..serving.tokens import Sessions, TokenFile
from ..terminal.messages import UsageError, note
from ..terminal.options import Once
from ..terminal.progress import activity

if TYPE_CHECKING:
    from sigv4.credentials import Credentials

__all__ = ["Settings", "configure", "run"]

_PORT = 8911


class Settings(UseSettings):
    """The verb's options."""

    profiles: list[str] | None
    token_file: str | None
    process: bool
    port: int | None
    address: list[str] | None
    allow_host: list[str] | None
    socket: str | None
    socket_mode: str | None
    imds: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    where = parser.add_argument_group("serving")
    where.add_argument(
        "--profile",
        action="append",
        dest="profiles",
        metavar="P",
        help="profile of ~/.aws/config whose credentials are served; repeatable; explicit options override the "
        "settings of all profiles",
    )
    where.add_argument(
        "--token-file",
        metavar="FILE",
        help="file with the authorization token for /credentials, created with mode 0600 if missing; or a "
        "directory, in which each profile has its own token file",
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
        "--address",
        action="append",
        metavar="IP",
        help="loopback address to serve on, 127.0.0.1 (default) or ::1; or for containers 169.254.170.2, "
        "169.254.170.23 or fd00:ec2::23; repeatable",
    )
    where.add_argument(
        "--allow-host",
        action="append",
        metavar="NAME",
        help="accept requests to this host name, NAME or NAME:PORT, such as the name of a TLS proxy; repeatable",
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
        help="also serve EC2's metadata service (IMDSv2) with the first profile; any local user can then request "
        "credentials",
    )
    add_use_options(parser, without=("--format", "--profile"))
    parser.set_defaults(profile=None)


def run(args: Settings) -> int:
    """Serves credentials until a signal arrives.

    Raises UsageError for invalid options, OSError if a socket or a token file cannot be created, and the error of
    the first fetch. With several profiles, it is raised only if all first fetches fail. With sockets from systemd,
    errors of the first fetch are only logged: clients may already be waiting, so they get an error response, and
    the server continues.
    """
    raise_descriptor_limit()
    inherited = inherited_sockets()
    _check_purpose(args, inherited)
    runs = _runs(args)
    if not inherited:
        for each in runs.values():
            lasting_settings(each)  # reports errors in the profile before anything is opened
    notifier = Notifier()
    tokens = _tokens(args, list(runs))
    files = [token for token in dict.fromkeys(tokens.values()) if token is not None]
    alarm, passwords = Alarm(), Passwords()
    stores = {name: Store(_fetcher(each, passwords), alarm=alarm) for name, each in runs.items()}
    with _listeners(args, inherited) as listeners, contextlib.ExitStack() as stack:
        notifier.send("STATUS=Fetching credentials")
        with activity("getting the first credentials"):
            _fetch_first(stores, tolerant=bool(inherited))
        for token in files:
            stack.callback(token.close)
            token.write()
        region = _region(next(iter(runs.values()))) if args.imds else None
        service = _service(args, region, {name: ProfileSource(stores[name], tokens[name]) for name in runs})
        server = stack.enter_context(CredentialServer(listeners, service))
        stack.callback(notifier.send, "STOPPING=1")
        os.register_at_fork(after_in_child=server.close_listeners)
        if len(runs) > 1:
            for name, each in runs.items():
                note(f"tpmwire serve: {_describe_profile(name, each, stores[name])}")
        note(f"tpmwire serve: {', '.join(_describe_listener(each, args) for each in listeners)}")
        renew_until_signal("serve", stores, notifier, [*(token.renew for token in files), passwords.forget])
    return 0


def _runs(args: Settings) -> dict[str, Settings]:
    """Returns the options of each profile's run, by profile name; without --profile, one run with an empty name.

    Raises UsageError for a repeated or an empty name.
    """
    names = args.profiles or [""]
    if again := next((name for n, name in enumerate(names) if name in names[:n]), None):
        raise UsageError(f"--profile {again} is given twice; give it once")
    if args.profiles and "" in names:
        raise UsageError("--profile is empty; give the name of a profile")
    found = {}
    for name in names:
        found[name] = copy.copy(args)
        found[name].profile = name or None
    return found


def _tokens(args: Settings, names: list[str]) -> dict[str, TokenFile | None]:
    """Returns each profile's token: None without --token-file, one for all, or one of its own in the directory.

    Raises UsageError for an invalid token file, and with a directory also if there is no --profile, or if the name
    of a profile cannot be the name of a file.
    """
    if args.token_file is None:
        return dict.fromkeys(names)
    if not os.path.isdir(args.token_file):
        return dict.fromkeys(names, TokenFile(args.token_file))
    if "" in names:
        raise UsageError(
            f"--token-file {args.token_file} is a directory, in which each profile has a token file; add "
            "--profile, or give the path of a file"
        )
    if bad := next((name for name in names if "/" in name or name in (".", "..")), None):
        raise UsageError(
            f"profile {bad!r}: --token-file {args.token_file} cannot have a file of this name; use one token file "
            "for all profiles"
        )
    return {name: TokenFile(os.path.join(args.token_file, name)) for name in names}


def _fetcher(args: Settings, passwords: Passwords) -> Callable[[], "Credentials"]:
    return lambda: passwords.obtain(lasting_settings(args))


def _fetch_first(stores: Mapping[str, Store], *, tolerant: bool) -> None:
    """Fetches the first credentials of each store.

    Logs the error of a store, and goes on with the next one. Raises the error of the last store if no store has
    credentials, unless `tolerant`.
    """
    for number, (name, store) in enumerate(stores.items(), 1):
        served = tolerant or any(each.end for each in stores.values())
        consequence = partial(outlook, store) if served else lambda: "Trying the next profile"
        failures = log_failures(label_program("serve", name, stores), consequence)
        try:
            with failures if served or number < len(stores) else contextlib.nullcontext():
                store.fetch()
        except Exception as error:
            if number > 1:
                error.add_note(f"no profile has credentials; the error is that of the profile {name}")
            raise


def _service(args: Settings, region: str | None, sources: Mapping[str, ProfileSource]) -> Service:
    first, named = next(iter(sources.items()))[1], {name: each for name, each in sources.items() if name}
    hosts = frozenset(map(str.lower, args.allow_host or ()))
    options = args.imds, region, args.process
    return Service(first.store, first.token, Sessions(), *options, profiles=named, hosts=hosts)


def _check_purpose(args: Settings, inherited: list[socket.socket]) -> None:
    """Raises UsageError if the options give nothing to serve, in general or on one of the sockets."""
    if args.token_file is None and not args.process:
        raise UsageError("no --token-file and no --process; give at least one of them")
    has_socket = args.socket is not None or any(each.family == socket.AF_UNIX for each in inherited)
    ports = [each for each in inherited if _is_port(each)]
    has_port = args.port is not None or args.address is not None or bool(ports)
    if args.process and not has_socket:
        raise UsageError("--process needs a unix socket; give it with --socket, or use the socket unit")
    if args.token_file is None and not args.imds and has_port:
        raise UsageError("a port needs --token-file, since --process is for unix sockets only; add --token-file")
    addresses = (args.address or []) + [each.getsockname()[0] for each in ports]
    if args.imds and (other := next((each for each in addresses if listen.is_for_containers(each)), None)):
        raise UsageError(
            "--imds gives credentials to every client, so it is for loopback addresses only; remove --imds, or "
            f"{other}"
        )
    for name in args.allow_host or ():
        if not HOST_NAME.fullmatch(name):
            raise UsageError(f"--allow-host {name!r} is not a host name; use e.g. tokens.internal or NAME:PORT")


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
            for address in dict.fromkeys(args.address or ["127.0.0.1"]):
                found.append(stack.enter_context(listen.tcp_listener(address, port)))
        yield found


def _describe_listener(listener: socket.socket, args: Settings) -> str:
    if listener.family == socket.AF_UNIX:
        paths = ["/credentials"] * (args.token_file is not None) + ["/process"] * args.process
        return f"unix socket {listener.getsockname()}, path {' and '.join(paths)}"
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/credentials"


def _describe_profile(name: str, args: Settings, store: Store) -> str:
    until = f"valid until {rfc3339(store.end)}" if store.end > time.time() else "no credentials; see above"
    region = _region(args)
    path = f"{'/process' if args.token_file is None else '/credentials'}/{quote(name, safe='')}"
    return f"profile {name}: {path}, {f'region {region}, ' if region else ''}{until}"
