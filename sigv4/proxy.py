"""Selects the proxy by HTTPS_PROXY, HTTP_PROXY and NO_PROXY, as urllib and botocore do."""

from binascii import b2a_base64
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from .errors import RequestError
from .request import split_url

__all__ = ["Proxy", "proxy_for"]


class Proxy:
    """An HTTP proxy: `host`, `port`, and `authorization`.

    `authorization` is the value of the Proxy-Authorization header (a secret), or None.
    """

    __slots__ = ("authorization", "host", "port")

    def __init__(self, host: str, port: int, authorization: str | None) -> None:
        self.host = host
        self.port = port
        self.authorization = authorization

    def __repr__(self) -> str:
        return f"<Proxy {self.host}:{self.port}{' with a password' if self.authorization else ''}>"


def proxy_for(url: str, environ: Mapping[str, str]) -> Proxy | None:
    """Returns the proxy for `url`; None for a direct connection.

    Lower-case variables take precedence over upper-case ones. Raises RequestError for an unsupported proxy; the
    message shows no part of its URL, which may contain a password.
    """
    parts = split_url(url)
    variable, text = _read_variable(environ, f"{parts.scheme}_proxy")
    if not text or _is_bypassed(parts.netloc.rpartition("@")[2], _read_variable(environ, "no_proxy")[1]):
        return None
    try:
        proxy = urlsplit(text if "://" in text else f"http://{text.lstrip('/')}")
        host, port = proxy.hostname, proxy.port or 80
    except ValueError:
        # Not chained: the cause quotes the URL, which may contain a password.
        raise RequestError(f"{variable} is not a valid URL; use http://[USER:PASSWORD@]HOST:PORT") from None
    if proxy.scheme == "http" and host and not (host.isascii() and host.isprintable() and " " not in host):
        raise RequestError(
            f"the host in {variable} has spaces or non-ASCII characters; use the IDNA form of its name"
        )
    if proxy.scheme != "http" or not host:
        raise RequestError(f"{variable}: unsupported proxy URL; use http://[USER:PASSWORD@]HOST:PORT")
    return Proxy(host, port, _basic_authorization(proxy.username, proxy.password))


def _read_variable(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    if name in environ:
        return name, environ[name]
    # In a CGI program, HTTP_PROXY may come from the client's "Proxy:" header (CVE-2016-1000110).
    if name == "http_proxy" and "REQUEST_METHOD" in environ:
        return name, ""
    return name.upper(), environ.get(name.upper(), "")


def _basic_authorization(user: str | None, password: str | None) -> str | None:
    if user is None:
        return None
    pair = f"{unquote(user)}:{unquote(password or '')}"
    return "Basic " + b2a_base64(pair.encode("utf-8"), newline=False).decode("ascii")


def _is_bypassed(netloc: str, no_proxy: str) -> bool:
    """Returns whether no_proxy contains a host by name or suffix, with or without port, as in urllib.request."""
    if no_proxy == "*":
        return True
    host = netloc.lower()
    bare, colon, port = host.rpartition(":")
    hosts = (host, bare) if colon and port.isascii() and port.isdigit() else (host,)
    for entry in no_proxy.split(","):
        name = entry.strip().lower().lstrip(".")
        if name and any(h == name or h.endswith("." + name) for h in hosts):
            return True
    return False
