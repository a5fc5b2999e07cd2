"""Where STS is: the endpoint of a region, and the region that its signatures name."""

import re
from collections.abc import Mapping

from .errors import RequestError
from .request import split_url

__all__ = ["GLOBAL_REGION", "Endpoint", "dns_suffix", "resolve"]

GLOBAL_REGION = "us-east-1"
# The pseudo region by which AWS's endpoint data name the global endpoint.
_GLOBAL_NAMES = ("aws-global",)

# Partitions by their regions' names, so that a region younger than this file resolves (botocore partitions.json).
_SUFFIXES = (
    (r"cn-\w+-\d+", "amazonaws.com.cn"),
    (r"eusc-de-\w+-\d+", "amazonaws.eu"),
    (r"us-iso-\w+-\d+", "c2s.ic.gov"),
    (r"us-isob-\w+-\d+", "sc2s.sgov.gov"),
    (r"eu-isoe-\w+-\d+", "cloud.adc-e.uk"),
    (r"us-isof-\w+-\d+", "csp.hci.ic.gov"),
)
_COMMERCIAL = "amazonaws.com"  # and GovCloud (us-gov-*)


class Endpoint:
    """`url` to send to, `region` to sign for."""

    __slots__ = ("region", "url")

    def __init__(self, url: str, region: str) -> None:
        self.url = url
        self.region = region

    def __repr__(self) -> str:
        return f"<Endpoint {self.url} signed for {self.region}>"


def dns_suffix(region: str) -> str:
    """The domain under which the services of `region` are; that of the partition aws if nothing fits better."""
    return next((suffix for names, suffix in _SUFFIXES if re.fullmatch(names, region)), _COMMERCIAL)


def resolve(
    region: str | None = None, endpoint_url: str | None = None, environ: Mapping[str, str] | None = None
) -> Endpoint:
    """The STS endpoint: `endpoint_url`, else AWS_ENDPOINT_URL_STS, else AWS_ENDPOINT_URL of `environ`, else
    the region's own, else (no region) the global one.

    Signatures name `region`, without one us-east-1. Raises RequestError for a region name that cannot be
    part of a host name, and for an unfit URL.
    """
    if region is not None and not re.fullmatch(r"(?!-)[a-zA-Z0-9-]{1,63}(?<!-)", region):
        raise RequestError(f"{region!r} is no region name; use one such as eu-central-1")
    if region in _GLOBAL_NAMES:
        region = None
    environ = environ or {}
    for source, url in (
        ("the endpoint", endpoint_url),
        ("AWS_ENDPOINT_URL_STS", environ.get("AWS_ENDPOINT_URL_STS")),
        ("AWS_ENDPOINT_URL", environ.get("AWS_ENDPOINT_URL")),
    ):
        if url:
            return Endpoint(_checked(source, url), region or GLOBAL_REGION)
    if region is None:
        return Endpoint(f"https://sts.{_COMMERCIAL}/", GLOBAL_REGION)
    return Endpoint(f"https://sts.{region}.{dns_suffix(region)}/", region)


def _checked(source: str, url: str) -> str:
    try:
        parts = split_url(url)
    except RequestError as error:
        raise RequestError(f"{source}: {error}") from error
    if parts.username is not None or parts.query or parts.fragment:
        raise RequestError(f"{source}: the URL must have no user name, query or fragment; use https://HOST[:PORT]")
    if not url.isascii() or " " in url:
        raise RequestError(f"{source}: the URL must be ASCII without blanks; percent-encode or use IDNA")
    return parts._replace(path=parts.path or "/").geturl()
