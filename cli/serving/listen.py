"""Opens the listening socket: a loopback port, a unix socket, or a socket from systemd."""

import contextlib
import errno
import ipaddress
import os
import socket
import stat
import sys

from ..terminal.messages import UsageError, warn
from .senders import CONTAINER_ADDRESSES

__all__ = [
    "admits_others",
    "check_inherited",
    "identity",
    "is_for_containers",
    "peer_user",
    "tcp_listener",
    "tpm_listener",
    "unix_listener",
    "unlink_socket",
]

_BACKLOG = 4096  # pending connections; the kernel's limit is net.core.somaxconn
_LONGEST_PATH = 107  # bytes of a unix socket's path (unix(7))


def tcp_listener(address: str, port: int, hop_limit: int | None = None) -> socket.socket:
    """Returns a listener on a loopback or container address, whose responses have an IPv4 hop limit, if given.

    Raises UsageError if the port is not available, or an argument is not valid.
    """
    if hop_limit is not None and not 1 <= hop_limit <= 255:
        raise UsageError(f"--hop-limit {hop_limit} is not a number from 1 to 255")
    if not 0 <= port < 65536:
        raise UsageError(f"--port {port} is not valid; use 0 to 65535, where 0 chooses a free port")
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        raise UsageError(f"--address {address!r} is not an IP address; use 127.0.0.1 or ::1") from None
    if not (_is_loopback(parsed) or parsed in CONTAINER_ADDRESSES):
        raise UsageError(
            f"--address {address} is reachable from other machines, which could read the credentials "
            "unencrypted; use 127.0.0.1 or ::1, or for containers 169.254.170.23 or fd00:ec2::23"
        )
    family = socket.AF_INET if parsed.version == 4 else socket.AF_INET6
    try:
        listener = socket.create_server((address, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        hint = "give another --port"
        if error.errno == errno.EADDRNOTAVAIL:
            bits = 32 if parsed.version == 4 else 128
            hint = f"add the address to this machine first: ip address add {address}/{bits} dev lo"
        elif error.errno == errno.EACCES:
            hint = "ports below 1024 need root, or systemd's socket unit; give another --port"
        reason = os.strerror(error.errno or 0)
        raise UsageError(f"cannot listen on {address}, port {port}: {reason}; {hint}") from error
    if hop_limit is not None:
        listener.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hop_limit)
    return listener


def tpm_listener(address: str, port: int) -> socket.socket:
    """Returns a listener for clients of a soft TPM, on any IP address of this machine.

    Warns if the address is reachable from other machines. Raises UsageError if the port is not available.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        raise UsageError(f"--listen {address!r} is not an IP address; use e.g. 127.0.0.1:2321") from None
    if not _is_loopback(parsed):
        warn(f"every machine that can reach {address}, port {port} can use this TPM")
    family = socket.AF_INET if parsed.version == 4 else socket.AF_INET6
    try:
        return socket.create_server((address, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise UsageError(f"cannot listen on {address}, port {port}: {reason}; use another port") from error


def is_for_containers(address: str) -> bool:
    """Returns whether `address` is one of the addresses of ECS's and EKS Pod Identity's agents."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(address) in CONTAINER_ADDRESSES
    return False


def unix_listener(path: str, mode: int) -> socket.socket:
    """Returns a listener on a unix socket at `path` with permissions `mode`.

    A socket on which no program listens is replaced. Raises UsageError if another program listens on the socket,
    or if the path is not a socket.
    """
    if not path or len(os.fsencode(path)) > _LONGEST_PATH:
        raise UsageError(f"--socket {path!r}: expected a path of 1 to {_LONGEST_PATH} bytes; choose another path")
    _make_way(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # bind() creates the file with mode 0777 minus the umask; a later chmod would leave a gap.
    before = os.umask(0o777 & ~mode)
    try:
        listener.bind(path)
    except OSError as error:
        listener.close()
        raise UsageError(f"cannot create --socket {path}: {error.strerror}; choose another path") from error
    finally:
        os.umask(before)
    os.chmod(path, mode)
    listener.listen(_BACKLOG)
    return listener


def identity(path: str) -> tuple[int, int]:
    """Returns the (device, inode) of a file, without following a symbolic link.

    Raises OSError if the file does not exist.
    """
    found = os.lstat(path)
    return found.st_dev, found.st_ino


def unlink_socket(path: str, bound: tuple[int, int]) -> None:
    """Removes the socket's file, unless another file has replaced it.

    `bound` is the `identity` of the file that this process created.
    """
    with contextlib.suppress(OSError):
        if identity(path) == bound:
            os.unlink(path)


def admits_others(listener: socket.socket) -> bool:
    """Returns whether the mode of a unix socket's file allows its group or other users to connect."""
    path = listener.getsockname()
    if not isinstance(path, str) or not path:  # an abstract socket, which any user can connect to
        return False
    try:
        return bool(os.lstat(path).st_mode & 0o022)
    except OSError:
        return False


def peer_user(sock: socket.socket) -> int:
    """Returns the user id of the process that connected to a unix socket."""
    return int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[4:8], sys.byteorder)


def check_inherited(found: socket.socket) -> None:
    """Raises UsageError if a socket from systemd is unsuitable; the message names the unit's correct setting."""
    if found.type != socket.SOCK_STREAM or not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise UsageError(
            "the socket unit passes a socket that does not listen for streams; use ListenStream=, Accept=no"
        )
    if found.family == socket.AF_UNIX:
        return
    if found.family not in (socket.AF_INET, socket.AF_INET6):
        raise UsageError(
            "the socket unit passes a socket that is not TCP or unix; use ListenStream=127.0.0.1:8911"
        )
    address = found.getsockname()[0]
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if not (_is_loopback(parsed) or parsed in CONTAINER_ADDRESSES):
        raise UsageError(
            f"the socket unit listens on {address}, which other machines can reach; use "
            "ListenStream=127.0.0.1:8911"
        )


def _is_loopback(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    # ::ffff:127.0.0.1 is refused, since SDKs write its Host header in several ways.
    return address.is_loopback and not getattr(address, "ipv4_mapped", None)


def _make_way(path: str) -> None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"cannot create --socket {path}: {error.strerror}; choose another path") from error
    if not stat.S_ISSOCK(found.st_mode):
        raise UsageError(f"--socket {path} exists and is not a socket; choose another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            # The socket of a process that could not clean up.
            os.unlink(path)
        except OSError as error:
            reason = error.strerror or "no response"
            raise UsageError(
                f"--socket {path}: cannot connect to the existing socket: {reason}; "
                "remove the socket, or choose another path"
            ) from error
        else:
            raise UsageError(
                f"--socket {path}: in use by another program; stop that program, or choose another path"
            )
