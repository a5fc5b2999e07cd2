"""Which proxy stands before a host: HTTPS_PROXY, HTTP_PROXY and NO_PROXY as urllib and botocore read them."""

from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from .errors import RequestError
from .request import split_url

__all__ = ["Proxy", "proxy_for"]


class Proxy:
    """An HTTP proxy: `host`, `port`, and `authorization`, the value of Proxy-Authorization or None (a secret)."""

    __slots__ = ("authorization", "host", "port")

    def __init__(self, host: str, port: int, authorization: str | None) -> None:
        self.host = host
        self.port = port
        self.authorization = authorization

    def __repr__(self) -> str:
        return f"<Proxy {self.host}:{self.port}{' with a password' if self.authorization else ''}>"


def proxy_for(url: str, environ: Mapping[str, str]) -> Proxy | None:
    """The proxy for `url`, None for a direct connection.

    Lower-case variables win over upper-case ones. Raises RequestError for a proxy that we cannot speak with;
    the message shows no part of its URL, which may hold a password.
    """
    parts = split_url(url)
    variable, text = _variable(environ, f"{parts.scheme}_proxy")
    if not text or _bypassed(parts.netloc.rpartition("@")[2], _variable(environ, "no_proxy")[1]):
        return None
    try:
        proxy = urlsplit(text if "://" in text else f"http://{text.lstrip('/')}")
        host, port = proxy.hostname, proxy.port or 80
    except ValueError:
        # Without its cause, which would show the URL.
        raise RequestError(f"{variable} is no URL; use http://[USER:PASSWORD@]HOST:PORT") from None
    if proxy.scheme == "http" and host and not (host.isascii() and host.isprintable() and " " not in host):
        raise RequestError(
            f"the host in {variable} has blanks or non-ASCII characters; write a name as IDNA has it"
        )
    if proxy.scheme != "http" or not host:
        raise RequestError(
            f"{variable} must be http://[USER:PASSWORD@]HOST:PORT; other kinds of proxy are not spoken"
        )
    return Proxy(host, port, _basic(proxy.username, proxy.password))


def _variable(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    if name in environ:
        return name, environ[name]
    # In a CGI program HTTP_PROXY is the client's "Proxy:" header (CVE-2016-1000110).
    if name == "http_proxy" and "REQUEST_METHOD" in environ:
        return name, ""
    return name.upper(), environ.get(name.upper(), "")


def _basic(user: str | None, password: str | None) -> str | None:
    if user is None:
        return None
    from base64 import b64encode

    pair = f"{unquote(user)}:{unquote(password or '')}"
    return "Basic " + b64encode(pair.encode("utf-8")).decode("ascii")


def _bypassed(netloc: str, no_proxy: str) -> bool:
    """urllib.request.proxy_bypass_environment, without importing it: names and suffixes, with port or without."""
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
