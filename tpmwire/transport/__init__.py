"""The only I/O of tpmwire: sends a command and receives the response within a timeout.

`open_transport` selects the transport by the path:

    /dev/tpmrm0, /dev/tpm0, device:PATH   a Linux device file
    HOST:PORT, swtpm:host=H,port=P        swtpm's TCP server
    SOCKET, swtpm:path=SOCKET             swtpm's Unix socket
    mssim:host=H,port=P                   the reference simulator
    soft:, soft:seed=WORD, soft:FILE      a soft TPM in this process (tpmwire.soft)

A subclass of `Transport` can connect to any other TPM. A program loads only the transport that it uses.
"""

import os
import stat

from ..errors import InvalidAddressError, TransportError
from .base import DescriptorTransport, Transport

__all__ = ["DEFAULT_PATHS", "DescriptorTransport", "Transport", "default_path", "open_transport"]

DEFAULT_PATHS = ("/dev/tpmrm0", "/dev/tpm0")

FORMS = (
    "DEVICE, SOCKET, HOST:PORT, swtpm:host=H,port=P, swtpm:path=SOCKET, mssim:host=H,port=P, device:PATH or "
    "soft:FILE"
)


def default_path() -> str:
    """Returns /dev/tpmrm0 if it exists, else /dev/tpm0."""
    first, second = DEFAULT_PATHS
    return first if os.path.exists(first) else second


def open_transport(path: str | None = None, timeout: float = 2.0) -> Transport:
    """Opens the TPM at `path`, and returns the connection to it; None means `default_path()`.

    The docstring of this module lists the possible paths. `timeout` (seconds) limits opening and each command.
    Raises TransportError or a subclass if the path is not valid or the TPM cannot be reached.
    """
    path = path or default_path()
    scheme, colon, rest = path.partition(":")
    if colon and scheme == "device" and rest:
        return _device(rest, timeout)
    if colon and scheme == "soft":
        return _soft(rest)
    if colon and scheme in ("swtpm", "mssim"):
        return _simulator(scheme, _options(path, rest), path, timeout)
    host, colon, port = path.rpartition(":")
    if colon and port.isdecimal() and "/" not in path:
        return _tcp("swtpm", host, port, path, timeout)
    return _file(path, timeout)


def _soft(rest: str) -> Transport:
    try:
        from ..soft.transport import open_soft  # late: a credential run must not load it
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("tpmwire."):
            raise
        raise TransportError(
            "the single-file tpmwire does not include the soft TPM; install tpmwire with pip"
        ) from None
    return open_soft(rest)


def _file(path: str, timeout: float) -> DescriptorTransport:
    try:
        is_socket = stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        is_socket = False  # the device transport reports the error
    if is_socket:
        from .sockets import SwtpmTransport

        return SwtpmTransport(path, path, timeout)
    if "/" not in path and not os.path.exists(path):
        raise InvalidAddressError(f"{path!r} is not a valid TPM address; use one of {FORMS}")
    return _device(path, timeout)


def _device(path: str, timeout: float) -> DescriptorTransport:
    from .device import DeviceTransport

    return DeviceTransport(path, timeout)


def _options(path: str, rest: str) -> dict[str, str]:
    options = {}
    for part in rest.split(","):
        name, equals, value = part.partition("=")
        if not equals or name not in ("host", "port", "path") or not value or name in options:
            raise InvalidAddressError(
                f"{path!r} is not a valid TPM address: {part!r} is not host=, port= or path=; use one of {FORMS}"
            )
        options[name] = value
    return options


def _simulator(scheme: str, options: dict[str, str], path: str, timeout: float) -> DescriptorTransport:
    if "path" in options:
        if scheme == "mssim" or len(options) > 1:
            raise InvalidAddressError(
                f"{path!r} is not a valid TPM address: path= requires swtpm: and "
                "cannot be combined with host= or port="
            )
        from .sockets import SwtpmTransport

        return SwtpmTransport(options["path"], path, timeout)
    return _tcp(scheme, options.get("host", "127.0.0.1"), options.get("port", "2321"), path, timeout)


def _tcp(scheme: str, host: str, port: str, path: str, timeout: float) -> DescriptorTransport:
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise InvalidAddressError(
            f"{path!r} is not a valid TPM address: {port!r} is not a valid port; use 1 to 65535"
        )
    from .sockets import MssimTransport, SwtpmTransport

    address = (host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port))
    return MssimTransport(address, path, timeout) if scheme == "mssim" else SwtpmTransport(address, path, timeout)
