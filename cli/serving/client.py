"""The client of `tpmwire serve` for credential_process: one request to the server's unix socket.

`tpmwire fetch` loads only this module. Importing socket, json or argparse takes longer than the request.
"""

import errno
import os
import sys
from _socket import AF_UNIX, SO_PEERCRED, SOCK_STREAM, SOL_SOCKET, socket
from time import monotonic, sleep

__all__ = ["TIMEOUT", "default_socket", "fetch_and_print", "fetch_quickly"]

TIMEOUT = 30.0
"""Default limit in seconds for the whole request. The server itself waits at most 20 seconds for credentials."""

_REQUEST = b"GET /process%s HTTP/1.0\r\nHost: localhost\r\n\r\n"
_BEGINNING = b'{"Version": 1, '
_LONGEST = 65536  # bytes of a response
_NO_ANSWER = 7  # exit code, the same as for a network error
_WRONG_SERVER = 8
_BROKEN_PIPE = 128 + 13
_LOG = "see the server's log (journalctl --user -u tpmwire)"


class _FetchError(Exception):
    """A failure to fetch credentials, with the exit code of `tpmwire fetch`."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def default_socket() -> str:
    """Returns the path of the user's own socket, tpmwire.sock in $XDG_RUNTIME_DIR or /run/user/UID."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    return f"{runtime if runtime.startswith('/') else f'/run/user/{os.getuid()}'}/tpmwire.sock"


def fetch_quickly(arguments: list[str]) -> int | None:
    """Runs `tpmwire fetch` without argparse, and returns the exit code; None if the arguments need argparse."""
    profile = None
    if len(arguments) > 1 and arguments[0] == "--profile" and arguments[1]:
        profile, arguments = arguments[1], arguments[2:]
    if len(arguments) > 1 or any(not one or one.startswith("-") for one in arguments):
        return None
    return fetch_and_print(arguments[0] if arguments else default_socket(), TIMEOUT, profile)


def fetch_and_print(path: str, seconds: float, profile: str | None = None) -> int:
    """Prints the credentials of the server at `path`, and returns the exit code. Waits at most `seconds`.

    The credentials are those of the server's profile `profile`, or of its first one if None.

    On failure, prints one line on stderr. If the server could not get credentials, the exit code is the one in the
    server's response.
    """
    try:
        _write(_document(path, seconds, profile))
    except _FetchError as error:
        code, text = error.code, str(error)
    except BrokenPipeError:
        return _BROKEN_PIPE
    except OSError as error:
        code, text = 1, f"cannot write to standard output: {error.strerror}"
    else:
        return 0
    from ..terminal.messages import note  # noqa: PLC0415 - not for a success, which has nothing to say

    note(f"tpmwire: {text}")
    return code


def _document(path: str, seconds: float, profile: str | None) -> bytes:
    """Returns the server's credential_process document (JSON).

    `path` is the server's socket. Raises _FetchError if there is no valid response within `seconds`, or if the
    server belongs to another user or has no credentials.
    """
    deadline = monotonic() + seconds
    sock = socket(AF_UNIX, SOCK_STREAM)
    try:
        _connect(sock, path, deadline)
        _check_owner(sock, path)
        status, body = _exchange(sock, path, deadline, profile)
    except TimeoutError:
        raise _FetchError(_NO_ANSWER, f"{path}: no response within {seconds:g} seconds; {_LOG}") from None
    except OSError as error:
        raise _FetchError(_NO_ANSWER, _explain_error(path, error)) from None
    finally:
        sock.close()  # closed before anything is written: if stdout was closed, this socket has stdout's number
    if status != b"200":
        raise _refusal(path, status, body, profile)
    complete = body.startswith(_BEGINNING) and body.endswith(b"}")
    if not (complete and body.isascii() and body.decode().isprintable()):
        raise _FetchError(_NO_ANSWER, f"{path}: the response is not a credential_process document; {_LOG}")
    return body


def _connect(sock: socket, path: str, deadline: float) -> None:
    while True:
        _limit(sock, deadline)
        try:
            sock.connect(path)
        except BlockingIOError:  # the queue of the listening socket is full
            sleep(0.02)
        else:
            return


def _limit(sock: socket, deadline: float) -> None:
    """Sets the timeout of the socket's next operation. Raises TimeoutError if the deadline has passed."""
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError
    sock.settimeout(left)


def _check_owner(sock: socket, path: str) -> None:
    """Raises _FetchError unless the process that listens on the socket belongs to the user or to root."""
    user = int.from_bytes(sock.getsockopt(SOL_SOCKET, SO_PEERCRED, 12)[4:8], sys.byteorder)
    if user not in (0, os.geteuid()):
        raise _FetchError(
            _WRONG_SERVER,
            f"{path}: the server runs as the user {user}; expected your own user or root; choose another socket",
        )


def _exchange(sock: socket, path: str, deadline: float, profile: str | None) -> tuple[bytes, bytes]:
    """Sends the request; returns (status code, body) of the response.

    Raises OSError if the connection fails or times out, _FetchError if the response is not valid.
    """
    _limit(sock, deadline)
    name = "" if profile is None else "/" + "".join(f"%{byte:02x}" for byte in os.fsencode(profile))
    sock.sendall(_REQUEST % name.encode())
    data = b""
    while len(data) <= _LONGEST:
        head, end, body = data.partition(b"\r\n\r\n")
        length = _length(head) if end else None
        if end and length is not None and len(body) == length and head.startswith(b"HTTP/1."):
            return head[9:12], body
        _limit(sock, deadline)
        more = sock.recv(_LONGEST)
        if not more:
            got = f"truncated after {len(data)} bytes" if data else "the server closed the connection"
            raise _FetchError(_NO_ANSWER, f"{path}: no valid response: {got}; {_LOG}")
        data += more
    raise _FetchError(_NO_ANSWER, f"{path}: invalid response: longer than {_LONGEST} bytes; choose another socket")


def _length(head: bytes) -> int | None:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length" and value.strip().isdigit() and len(value) < 10:
            return int(value)
    return None


def _refusal(path: str, status: bytes, body: bytes, profile: str | None) -> _FetchError:
    """Returns an exception with the message and exit code of the server's error response."""
    import json  # noqa: PLC0415 - for a refusal only

    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if status == b"404" and profile is not None and b"profile" in body:
        return _FetchError(
            _NO_ANSWER,
            f"{path}: the server has no profile {profile!r}; start tpmwire serve with this --profile, too",
        )
    if status == b"404" or not isinstance(found, dict) or not isinstance(found.get("Message"), str):
        said = status.decode("ascii", "replace")
        return _FetchError(
            _NO_ANSWER,
            f"{path}: HTTP status {said}: not a socket of `tpmwire serve --process`; choose another socket",
        )
    code = found.get("ExitCode")
    text = " ".join(found["Message"].split())[:2000]
    return _FetchError(code if type(code) is int and 0 < code < 126 else _NO_ANSWER, text)


def _explain_error(path: str, error: OSError) -> str:
    if error.errno in (errno.ENOENT, errno.ECONNREFUSED):
        reason = "no such file" if error.errno == errno.ENOENT else "no server listens"
        return f"cannot connect to {path}: {reason}; run `systemctl --user start tpmwire.socket` (docs/serve.md)"
    if error.errno in (errno.ECONNRESET, errno.EPIPE):
        return f"{path}: the server closed the connection; {_LOG}"
    hint = "; only its owner and its group can connect" if error.errno == errno.EACCES else ""
    return f"cannot connect to {path}: {(error.strerror or str(error)).lower()}{hint}"


def _write(document: bytes) -> None:
    left = document + b"\n"
    while left:
        left = left[os.write(1, left) :]
