"""Refuses requests from web pages and proxies, which are recognized by their header fields."""

import ipaddress
import re
from collections.abc import Collection, Mapping

from .request import RefusedError

__all__ = ["CONTAINER_ADDRESSES", "HOST_NAME", "check_host", "check_sender"]

CONTAINER_ADDRESSES = frozenset(map(ipaddress.ip_address, ("169.254.170.2", "169.254.170.23", "fd00:ec2::23")))
"""Addresses of ECS's and EKS Pod Identity's agents. SDKs accept http for these and loopback addresses only."""

# Words in the names of fields that proxies, load balancers and CDNs add (RFC 9110 §7.6, RFC 7239, RFC 8586, RFC
# 9440, and vendors' own). No SDK sends such a field.
_FORWARDED = re.compile(
    r"via|max-forwards|cdn-loop|te|.*forward.*|.*prox(y|ied).*|(client|x-client)-cert.*|front-end-.*|surrogate-.*"
    # The client's address, name, port or protocol, as the proxy saw it.
    r"|.*(client|cluster|connect(ing|ion)?|external|original|origin|originating|peer|real|remote|socket|source|src|"
    r"true|user)[_-]?(ip|addr|address|host|port|proto|scheme|ur[il]).*"
    r"|.*[_-](ip|addr)|x-(host|scheme|proto|protocol|port|https|ssl|tls|method|http-method|cluster|rewrite|original|"
    r"real|cache|varnish|backend|server|country|geo|waf)([_-].*)?"
    r"|(x-)?(akamai|appengine|appgw|arr|azure|cdn|cf|cloudflare|cloudfront|edge|envoy|fastly|fly|gateway|haproxy|"
    r"incap|ingress|istio|kong|nf|nginx|sucuri|traefik|vercel|zeabur|amz-cf|ms-(fe|edge))-.*"
    r"|(x-)?(remote|auth-request|authenticated|authentik|webauth)-.*|(x-)?ssl-.*|x-amzn?-(oidc|tls|mtls)-.*"
)
_PAGE = re.compile(r"origin|referer|cookie|sec-(?!fetch-mode$).*")  # not Sec-Fetch-Mode, which Node's fetch sends
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]]+)(?::(\d{1,5}))?")

HOST_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?(?::[0-9]{1,5})?")
"""A host name with or without a port, as in a Host header."""


def check_sender(fields: Mapping[str, str]) -> None:
    """Raises RefusedError for a request from a proxy or a web page."""
    for name in fields:
        if _FORWARDED.fullmatch(name):
            raise RefusedError(403, "Forbidden", f"forwarded requests are refused ({name})")
        if _PAGE.fullmatch(name):
            raise RefusedError(403, "Forbidden", f"requests from web pages are refused ({name})")


def check_host(host: str | None, port: int | None, more: Collection[str] = ()) -> None:
    """Raises RefusedError unless the Host header `host` names localhost, or a loopback or container address.

    A port in `host` must equal `port`, unless `port` is None. `more` contains further lower-case names, each with
    or without a port. The check prevents DNS rebinding: if the name of a web page resolves to this machine, the
    browser sends that name as the Host.
    """
    text = (host or "").lower()
    if text and text in more:
        return
    found = _HOST.fullmatch(text)
    known = found is not None and (found[1] in more or _is_own(found[1]))
    if found is None or not known or (port and found[2] and int(found[2]) != port):
        raise RefusedError(403, "Forbidden", "the Host header does not name this server")


def _is_own(name: str) -> bool:
    if name.removesuffix(".") == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name.strip("[]"))
        return address.is_loopback or address in CONTAINER_ADDRESSES
    except ValueError:
        return False
