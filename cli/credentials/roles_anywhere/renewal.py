"""Renews a certificate: asks a CA for a new one for the same key, checks it, and replaces the file atomically."""

import contextlib
import fcntl
import os
import shlex
import signal
import subprocess
from base64 import encodebytes
from collections.abc import Iterator, Mapping, Sequence

from tpmwire.crypto.spki import PublicKey
from tpmwire.errors import DecodeError, UnusableCertificateError
from tpmwire.keys.x509 import X509Certificate, name_text, order_chain, read_x509_certificates

from ...terminal.files import check_regular, temporary_beside
from ...terminal.messages import UsageError, warn
from ...terminal.programs import running
from ...terminal.progress import activity
from ...tpm.options import VARIABLES
from .certificate import check_chain, check_leaf

__all__ = [
    "ask_ca",
    "certificate_pem",
    "check_issued",
    "due_time",
    "is_for",
    "lock_directory",
    "parse_ca_command",
    "replace_certificate",
]

_LARGEST = 1 << 20
"""Bytes of the CA program's output."""


def due_time(certificate: X509Certificate) -> float:
    """Returns when a certificate is due for renewal, in POSIX seconds: after two thirds of its lifetime."""
    return certificate.not_before + (certificate.not_after - certificate.not_before) * 2 / 3


def parse_ca_command(text: str) -> list[str]:
    """Returns the program and its arguments in --ca-command. Raises UsageError for an unclosed quotation."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"--ca-command: {error}") from None


@contextlib.contextmanager
def lock_directory(path: str) -> Iterator[None]:
    """Holds a lock on the directory of `path` during a block, so that only one renewal at a time asks the CA.

    Raises OSError if the directory does not exist.
    """
    descriptor = os.open(os.path.dirname(os.path.realpath(path)), os.O_RDONLY | os.O_CLOEXEC)
    try:
        # On a file system without locks, replacing the file is still atomic.
        with activity("waiting for another renewal"), contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def ask_ca(
    words: Sequence[str],
    request: str,
    timeout: float,
    *,
    kept: str = "the old certificate is unchanged",
    variables: Mapping[str, str] | None = None,
) -> list[X509Certificate]:
    """Runs a program with a request in PEM on its standard input, and returns the certificates that it prints.

    The program does not get the passwords of the TPM; it gets `variables` in its environment. Raises UsageError if
    it fails, takes longer than `timeout` seconds, or prints no certificate. The message ends with `kept`.
    """
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES.values()}
    environment |= variables or {}
    try:
        with (
            activity("waiting for the CA"),
            running(
                words, end=signal.SIGKILL, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
            ) as program,
        ):
            said, _ = program.communicate(request.encode(), timeout)
    except subprocess.TimeoutExpired:
        raise UsageError(f"--ca-command took longer than {timeout:g} seconds; {kept}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot run {words[0]} of --ca-command: {reason}; {kept}") from None
    if program.returncode:
        raise UsageError(f"--ca-command failed with exit code {program.returncode}; {kept}")
    try:
        return read_x509_certificates(said[:_LARGEST])
    except UnusableCertificateError as error:
        raise UsageError(f"--ca-command: {error}; {kept}") from None


def check_issued(
    issued: Sequence[X509Certificate],
    expected: PublicKey,
    old: Sequence[X509Certificate],
    now: float,
) -> list[X509Certificate]:
    """Returns the new certificate of the key `expected`, and its chain.

    `issued` are the certificates that the CA returned, in any order. `old` is the old certificate with its chain,
    which completes the new one. Raises UsageError for a certificate that is not new, not of this key, or that
    Roles Anywhere would refuse.
    """
    where, kept = "--ca-command", "the old certificate is unchanged"
    leaf = next((each for each in issued if is_for(each, expected)), None)
    if leaf is None:
        raise UsageError(f"{where}: the CA returned no certificate with the public key of the request; {kept}")
    if leaf.der == old[0].der:
        raise UsageError(f"{where}: the CA returned the old certificate again; it must issue a new one")
    check_leaf(leaf, where, now)
    others = [each for each in issued if each is not leaf]
    chain, unused = order_chain(leaf, others)
    if not unused:
        chain, _ = order_chain(leaf, [*others, *old[1:]])
    check_chain(leaf, chain, unused, where, now)
    if leaf.subject != old[0].subject:
        warn(
            f"the new certificate's subject is {name_text(leaf.subject)!r}, not {name_text(old[0].subject)!r}; "
            "trust policies may refuse it"
        )
    return [leaf, *chain]


def is_for(certificate: X509Certificate, expected: PublicKey) -> bool:
    """Returns whether a certificate has the public key `expected`."""
    try:
        return certificate.public_key == expected
    except DecodeError:
        return False


def replace_certificate(path: str, certificates: Sequence[X509Certificate]) -> None:
    """Replaces a certificate file atomically, with the same permissions, and the same owner if possible.

    A symbolic link continues to refer to its file. Raises OSError if the file cannot be written; it is unchanged
    then.
    """
    target = os.path.realpath(path)
    check_regular(target)
    old, temporary = os.stat(target), temporary_beside(target)
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:
            file.writelines(map(certificate_pem, certificates))
            file.flush()
            if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                with contextlib.suppress(PermissionError):
                    os.fchown(descriptor, old.st_uid, old.st_gid)
            os.fchmod(descriptor, old.st_mode & 0o777)
            os.fsync(descriptor)
        os.replace(temporary, target)
    except OSError as error:
        error.filename = path
        raise
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def certificate_pem(certificate: X509Certificate) -> str:
    """Returns a certificate as PEM."""
    text = encodebytes(certificate.der).decode().replace("\n", "")
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"
