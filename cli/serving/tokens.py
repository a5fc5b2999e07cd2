"""The authorization tokens of clients: the token in the token file, and tokens of the metadata service."""

import contextlib
import fcntl
import hmac
import os
import re
import secrets
import stat
import time

from ..terminal.files import write_whole
from ..terminal.messages import UsageError

__all__ = ["RandomToken", "Sessions", "TokenFile"]

_GRACE = 60.0  # seconds for which a replaced token stays valid, for clients that have just read it
_FORM = re.compile(rb"[\x21-\x7e]{16,1024}")  # characters: fits into an Authorization header, cannot be guessed


class RandomToken:
    """A random authorization token without a file. The repr hides `text`, the token."""

    def __init__(self) -> None:
        self.text = secrets.token_urlsafe(32)

    def __repr__(self) -> str:
        return "<RandomToken>"

    def opens(self, given: str) -> bool:
        """Returns whether `given` is the token; compares in constant time."""
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.text.encode())


class TokenFile:
    """The authorization token in the file at `path`. The repr hides the token.

    `write` creates a missing file. If this process created the file, `renew` replaces it and `close` removes it. A
    file that existed before is not changed. A created file is locked, because no other server may depend on it.
    Raises UsageError for a file that others can read or write, that another running server created, that has no
    valid token, or that cannot be created.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._token = b""
        self._before = b""
        self._before_until = 0.0
        self._lock = -1
        self.made = _must_create(path)
        if not self.made:
            self._token = _read(path)

    def __repr__(self) -> str:
        return f"<TokenFile {self._path}>"

    def write(self) -> None:
        """Creates the token file if it was missing.

        Raises UsageError if another program has created the file, OSError if it cannot be written.
        """
        if self.made and not self._token:
            token = secrets.token_urlsafe(32).encode()
            # Fails if another program has created the file in the meantime.
            write_whole(self._path, token)
            self._token = token
            self._lock_file()

    def renew(self) -> None:
        """Replaces the token if this process created the file, or else reads the user's file again.

        The old token stays valid for one minute. Raises UsageError if the user's file is not valid, OSError if
        this process's file cannot be written.
        """
        new = secrets.token_urlsafe(32).encode() if self.made else _read(self._path)
        if hmac.compare_digest(new, self._token):
            return
        was = self._before, self._before_until, self._token
        # The token is accepted before it is in the file, whose readers may use it at once.
        self._before, self._before_until, self._token = self._token, time.monotonic() + _GRACE, new
        if self.made:
            try:
                write_whole(self._path, new, force=True)
            except BaseException:
                # The file still contains the old token, which must stay valid.
                self._before, self._before_until, self._token = was
                raise
            self._lock_file()

    def close(self) -> None:
        """Removes the token file, if this process created it and no other file has replaced it."""
        if not (self.made and self._token):
            return
        self._unlock_file()
        try:
            if _read(self._path) == self._token:
                os.unlink(self._path)
        except (OSError, UsageError):
            return

    def _lock_file(self) -> None:
        """Locks the created file until `close`, or until the process ends."""
        self._unlock_file()
        with contextlib.suppress(OSError):
            self._lock = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock_file(self) -> None:
        if self._lock >= 0:
            with contextlib.suppress(OSError):
                fcntl.flock(self._lock, fcntl.LOCK_UN)  # a forked process may have the descriptor, too
            os.close(self._lock)
            self._lock = -1

    def opens(self, given: str) -> bool:
        """Returns whether `given` is the current token, or the previous one within a minute of its replacement.

        Compares in constant time.
        """
        word = given.encode("utf-8", "replace")
        now = bool(self._token) and hmac.compare_digest(word, self._token)
        before = bool(self._before) and hmac.compare_digest(word, self._before)
        return now or (before and time.monotonic() < self._before_until)


def _must_create(path: str) -> bool:
    """Returns whether the token file is missing. Raises UsageError if the missing file cannot be created."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        directory = os.path.dirname(path) or "."
        if not os.path.isdir(directory):
            raise UsageError(f"--token-file {path}: the directory {directory} does not exist; create it") from None
        if not os.access(directory, os.W_OK | os.X_OK):
            raise UsageError(
                f"cannot create --token-file {path}; choose a path in a directory that you own, such as "
                "$XDG_RUNTIME_DIR, or create the file as root"
            ) from None
        return True
    except OSError as error:
        raise UsageError(f"cannot read --token-file {path}: {error.strerror}") from error
    return False


def _read(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(f"cannot read --token-file {path}: {error.strerror}") from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise UsageError(f"--token-file {path} is not a regular file; choose another path")
        if found.st_uid not in (os.geteuid(), 0):
            raise UsageError(
                f"--token-file {path} belongs to another user, who knows the token; choose another file"
            )
        # The group can read, so that services can share a token; only the owner can write.
        if found.st_mode & 0o027:
            raise UsageError(
                f"--token-file {path} can be read or changed by others (mode {found.st_mode & 0o777:04o}); "
                "run chmod 600 on it, or delete the file to create a new token"
            )
        _check_lock(descriptor, path)
        token = os.read(descriptor, 2048)
    finally:
        os.close(descriptor)
    if token.endswith((b"\n", b"\r")):
        raise UsageError(
            f"--token-file {path} ends with a newline, which SDKs refuse; write the token with printf %s"
        )
    if not _FORM.fullmatch(token):
        raise UsageError(
            f"--token-file {path}: invalid token: expected 16 to 1024 printable ASCII characters; delete the file "
            "to create a new token"
        )
    return token


def _check_lock(descriptor: int, path: str) -> None:
    """Raises UsageError if a running server created the file, since it replaces and removes the file."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(
            f"--token-file {path} belongs to another running `tpmwire serve`, which removes it at its end; choose "
            "another path, or create a file with a token that both use, before you start them"
        ) from None
    except OSError:  # a file system without locks
        return


class Sessions:
    """Issues and checks the session tokens of the metadata service (IMDSv2).

    A token contains its expiry and a MAC. Tokens are not stored, so a flood of requests cannot displace another
    client's token. Tokens become invalid when the process ends.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def __repr__(self) -> str:
        return "<Sessions>"

    def open(self, seconds: int) -> str:
        """Returns a new session token that is valid for `seconds`."""
        end = time.monotonic_ns() + seconds * 10**9
        said = f"{end}.{secrets.token_urlsafe(8)}"
        return f"{said}.{self._mac(said)}"

    def has(self, token: str) -> bool:
        """Returns whether this process issued `token` and it has not expired; compares in constant time."""
        said, _, mac = token.rpartition(".")
        ours = hmac.compare_digest(mac.encode("utf-8", "replace"), self._mac(said).encode())
        return ours and int(said.partition(".")[0]) > time.monotonic_ns()

    def _mac(self, said: str) -> str:
        return hmac.digest(self._key, said.encode("utf-8", "replace"), "sha256").hex()
