"""Checks this machine: Python and packages, CA certificates, proxy, cache."""

import importlib
import importlib.util
import os
import sys
import time
from collections.abc import Iterator

from sigv4.authorities import Authorities
from sigv4.errors import RequestError
from sigv4.proxy import proxy_for

from ..credentials.cache.directory import entries
from ..credentials.cache.store import UnfitError, place
from ..credentials.settings import aws_of
from ..terminal.packages import FLOORS, package_name, version_numbers
from .finding import Finding
from .machine import Machine
from .registry import register

__all__ = ["check_ca_store", "check_cache", "check_packages", "check_proxy", "check_python"]

_LONG = 7 * 86400.0  # seconds

OPTIONAL = {
    "cryptography": "SigV4A, `wrap`, `duplicate` and `ek`",
    "OpenSSL": "`ek` and `wrap --ca`",
    "asn1crypto": "`ek` and `wrap --ca`",
    "rich": "colors",
    "boto3": "`sigv4.boto`",
}
"""Optional packages by module, each with the features that need it."""


@register
def check_python(_machine: Machine) -> Iterator[Finding]:
    """Checks that Python can load OpenSSL, and shows the versions of both."""
    text = f"Python {sys.version.split()[0]} ({sys.executable})"
    try:
        import ssl  # noqa: PLC0415 - a finding, if it cannot be loaded
    except ImportError as error:
        yield Finding.error(f"{text} cannot load OpenSSL ({error})", "check LD_LIBRARY_PATH, or reinstall Python")
    else:
        yield Finding.ok(f"{text}, {ssl.OPENSSL_VERSION}")


@register
def check_packages(_machine: Machine) -> Iterator[Finding]:
    """Checks that the required package construct and the installed optional packages have supported versions."""
    missing = [module for module in OPTIONAL if importlib.util.find_spec(module) is None]
    found = [_package(module) for module in ("construct", *OPTIONAL) if module not in missing]
    if good := [each.text for each in found if each.status == "ok"]:
        yield Finding.ok(", ".join(good))
    yield from (each for each in found if each.status != "ok")
    if missing:
        yield Finding.ok(
            f"not installed, and not needed for credentials: {', '.join(map(_name_optional, missing))}"
        )


def _name_optional(module: str) -> str:
    return f"{package_name(module)} (for {OPTIONAL[module]})"


def _package(module: str) -> Finding:
    name = package_name(module)
    try:
        version = str(getattr(importlib.import_module(module), "__version__", ""))
    except Exception as error:  # noqa: BLE001 - a package can fail in any way
        return Finding.warning(f"{name} cannot be imported ({type(error).__name__})", f"install {name} again")
    needed = FLOORS.get(module, ())
    if version_numbers(version) < needed and version[:1].isdigit():
        return Finding.warning(
            f"{name} {version} is too old", f"install {name} {'.'.join(map(str, needed))} or newer"
        )
    return Finding.ok(f"{name} {version}".rstrip())


@register
def check_ca_store(machine: Machine) -> Iterator[Finding]:
    """Checks that the CA certificates for AWS can be read: AWS_CA_BUNDLE, ca_bundle, or the system's."""
    environs = [os.environ, *(aws_of(each.settings).environ for each in machine.profile_keys if each.settings)]
    for authorities in {each.path: each for each in map(Authorities, environs)}.values():
        yield _authorities(authorities)


def _authorities(authorities: Authorities) -> Finding:
    import ssl  # noqa: PLC0415 - see check_python

    path = authorities.path
    if path and os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
        return Finding.ok(f"{path} is not a regular file, and was not read")
    try:
        authorities.load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    except RequestError as error:
        return Finding.failure(str(error), "correct AWS_CA_BUNDLE, ca_bundle or --ca-bundle")
    if authorities.missing:
        return Finding.error("this system has no CA certificates", "install ca-certificates, or set AWS_CA_BUNDLE")
    return Finding.ok(f"CA certificates: {path or 'from the system'}")


@register
def check_proxy(_machine: Machine) -> Iterator[Finding]:
    """Checks that the proxy for AWS, from HTTPS_PROXY and NO_PROXY, is usable. Shows no password."""
    try:
        proxy = proxy_for("https://sts.amazonaws.com/", os.environ)
    except RequestError as error:
        yield Finding.failure(str(error), "correct HTTPS_PROXY")
        return
    if proxy is None:
        yield Finding.ok("no proxy for AWS")
    else:
        password = " with a password" if proxy.authorization else ""
        yield Finding.ok(f"requests to AWS use the proxy {proxy.host}:{proxy.port}{password}")


@register
def check_cache(_machine: Machine) -> Iterator[Finding]:
    """Checks that the directory of cached credentials is private, and has no unreadable or old files."""
    try:
        path, exists = place(), os.path.lexists(place())
        found = entries()
    except UnfitError as error:
        yield Finding.failure(str(error), "set XDG_RUNTIME_DIR to a directory that you own")
        return
    damaged = sum(each.due is None for each in found)
    old = sum(each.due is not None and each.due < time.time() - _LONG for each in found)
    caches = f"{len(found)} cache{'' if len(found) == 1 else 's'} in {path}"
    if old:
        yield Finding.warning(f"{old} of {caches} expired more than a week ago", "run `tpmwire cache clear`")
    if damaged:
        yield Finding.warning(f"{damaged} of {caches} cannot be read", "run `tpmwire cache clear`")
    elif exists and not old:
        yield Finding.ok(caches)
    elif not exists:
        yield Finding.ok(f"nothing is cached; --cache would use {path}")
