"""Loads the CA certificates for verifying servers."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping

from .errors import RequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

__all__ = ["Authorities"]

# CA bundles of distributions, for a Python whose OpenSSL was built for a different one. Go has the same list.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # Alpine's OpenSSL, BSD
)


class Authorities:
    """The CA certificates for verifying servers: from AWS_CA_BUNDLE, else REQUESTS_CA_BUNDLE, else the system's.

    Each variable names a PEM file, or a directory hashed by `openssl rehash`; botocore uses the same order. `path`
    is the variable's value, or None if neither is set. After `load`, `missing` is True if the system has no CA
    certificates.
    """

    __slots__ = ("_variable", "missing", "path")

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._variable = "AWS_CA_BUNDLE" if environ.get("AWS_CA_BUNDLE") else "REQUESTS_CA_BUNDLE"
        self.path = environ.get(self._variable) or None
        self.missing = False

    def load(self, context: ssl.SSLContext) -> None:
        """Adds the CA certificates to the TLS context.

        Raises RequestError if AWS_CA_BUNDLE or REQUESTS_CA_BUNDLE names a file or directory without CA
        certificates or in an unknown home directory, or if SSL_CERT_FILE is a pipe.
        """
        if self.path is not None:
            # A shell does not expand ~ in a config file's value, so it is done here, as botocore's urllib3 does.
            path = os.path.expanduser(self.path)
            if path.startswith("~"):
                raise RequestError(f"{self._variable}: cannot resolve {path}: no such home directory; set HOME")
            self._load_named(context, path)
        else:
            self.missing = not _load_system(context)

    def advice(self) -> str:
        """Returns the next step for an error about a server certificate that no known CA issued."""
        if self.path is not None:
            return (
                f"the CA is not in {self._variable} ({self.path}); "
                "if a proxy inspects TLS, add the proxy's CA certificate"
            )
        if self.missing:
            return "this system has no CA certificates; install ca-certificates, or set AWS_CA_BUNDLE"
        return "if the CA is private, set AWS_CA_BUNDLE to its PEM file"

    def _load_named(self, context: ssl.SSLContext, path: str) -> None:
        try:
            if os.path.isfile(path):
                context.load_verify_locations(cafile=path)
                return
            if not os.path.isdir(path):
                context.load_verify_locations(cadata=_read_pipe(path))
                return
            hashed = any(map(_is_hashed, _list_directory(path)))
        except OSError as error:  # includes ssl.SSLError
            reason = error.strerror if error.filename or error.errno == 2 else None
            raise RequestError(
                f"{self._variable}: {path} has no CA certificates that can be read ({reason or 'not PEM'}); "
                "give a PEM file"
            ) from error
        if not hashed:
            raise RequestError(
                f"{self._variable}: directory {path} has no hashed CA certificates; "
                f"run 'openssl rehash {path}', or give a PEM file"
            )
        context.load_verify_locations(capath=path)


def _read_pipe(path: str) -> str:
    """Returns the text of a pipe within a time limit; OpenSSL would wait without limit.

    Raises OSError if reading fails or times out.
    """
    from .files import open_input  # late: a credential run without a CA bundle in a pipe does not need it

    with open_input(path) as file:
        return file.read(1 << 24).decode("ascii", "ignore") or "\n"


def _load_system(context: ssl.SSLContext) -> bool:
    """Loads the CAs of the system, or of SSL_CERT_FILE and SSL_CERT_DIR; returns False if none is found.

    Raises RequestError if SSL_CERT_FILE is a pipe, because OpenSSL would wait for the pipe without limit.
    """
    import ssl  # late: a run without TLS does not need it

    places = ssl.get_default_verify_paths()
    names = _list_directory(places.capath) if places.capath else []
    hashed = any(map(_is_hashed, names))
    if places.capath and hashed and _covers(names, places.cafile, places.openssl_cafile):
        # From a hashed directory, OpenSSL reads only the CA that it needs; a whole bundle takes 18 ms of CPU.
        context.load_verify_locations(capath=places.capath)
        return True
    bundle_path = os.environ.get(places.openssl_cafile_env, "")
    if os.path.exists(bundle_path) and stat.S_ISFIFO(os.stat(bundle_path).st_mode):
        raise RequestError(f"{places.openssl_cafile_env}: {bundle_path} is not a regular file; use a PEM file")
    context.load_default_certs()
    directories = os.environ.get(places.openssl_capath_env, "")
    if places.cafile or hashed or os.pathsep in directories:
        return True
    if directories or os.environ.get(places.openssl_cafile_env):
        return False
    bundle = next(filter(os.path.isfile, _BUNDLES), None)
    if bundle is not None:
        context.load_verify_locations(cafile=bundle)
    return bundle is not None


def _covers(names: Iterable[str], bundle: str | None, default: str) -> bool:
    """Returns whether a hashed directory, with files `names`, can replace the CA file `bundle`.

    If `bundle` is not None, it must be the file `default`, with no more certificates than the directory.
    """
    if bundle is None:
        return True
    if os.path.realpath(bundle) != os.path.realpath(default):
        return False
    try:
        with open(bundle, "rb") as file:
            return sum(map(_is_hashed, names)) >= file.read().count(b"-----BEGIN ")
    except OSError:
        return True


def _list_directory(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except PermissionError:  # the directory need not be readable, since OpenSSL opens files by name
        return []


def _is_hashed(name: str) -> bool:
    """Returns whether `name` is one that `openssl rehash` gives: 8 hex digits, a dot and a number."""
    return len(name) > 9 and name[8] == "." and name[9:].isdigit()
