"""Where a service is: the endpoint of a region, and the region that signatures for it name.

Equal to botocore's resolver, by a table made from its data (partitions.py, services.py), but for this: without
a region, FIPS and dual-stack mean those endpoints of us-east-1, where botocore makes a host name that is none.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .errors import RequestError
from .partitions import LEGACY_GLOBAL, PARTITIONS
from .request import split_url

if TYPE_CHECKING:
    from .config import Profile

__all__ = [
    "GLOBAL_REGION",
    "Endpoint",
    "configured_url",
    "dns_suffix",
    "guess",
    "is_enabled",
    "partition",
    "resolve",
    "resolve_service",
]

GLOBAL_REGION = "us-east-1"
# The pseudo region by which AWS's endpoint data name the global endpoint.
_GLOBAL_NAMES = ("aws-global",)
# By FIPS and dual-stack, as services.PLACES calls them.
_VARIANTS = {(False, False): "-", (True, False): "f", (False, True): "d", (True, True): "b"}
_GLOBAL_URL = "https://sts.amazonaws.com/"


class Endpoint:
    """`url` to send to, `region` to sign for, `service`: the name of the service in signatures."""

    __slots__ = ("region", "service", "url")

    def __init__(self, url: str, region: str, service: str = "sts") -> None:
        self.url = url
        self.region = region
        self.service = service

    def __repr__(self) -> str:
        return f"<Endpoint {self.url} signed for {self.region}>"

    @property
    def is_global(self) -> bool:
        """Whether this is STS's global endpoint, which lacks some operations."""
        return self.url == _GLOBAL_URL


def partition(region: str) -> tuple[str, str, str, str, str]:
    """The row of PARTITIONS that `region` is in, known or younger than the table; aws if nothing fits better."""
    for row in PARTITIONS:
        if re.fullmatch(row[1], region) or region == f"{row[0]}-global":
            return row
    return PARTITIONS[0]


def dns_suffix(region: str) -> str:
    """The domain under which the services of `region` are."""
    return partition(region)[2]


def resolve(
    region: str | None = None,
    endpoint_url: str | None = None,
    environ: Mapping[str, str] | None = None,
    profile: "Profile | None" = None,
) -> Endpoint:
    """The STS endpoint: a configured URL (see `configured_url`), else the region's own, else the global one.

    Signatures name `region`, without one us-east-1. AWS_STS_REGIONAL_ENDPOINTS, AWS_USE_FIPS_ENDPOINT and
    AWS_USE_DUALSTACK_ENDPOINT of `environ`, then of `profile`, choose among the region's own; where one of them is
    given, `region` is by default that of `environ` or `profile`. A configured URL wins over all three. Raises
    RequestError for a region name that cannot be part of a host name, and for unfit settings.
    """
    environ = environ or {}
    mode = _setting("AWS_STS_REGIONAL_ENDPOINTS", environ, profile)
    if mode and mode not in ("regional", "legacy"):
        raise RequestError(f"AWS_STS_REGIONAL_ENDPOINTS is {mode!r}; use regional or legacy")
    fips = is_enabled("AWS_USE_FIPS_ENDPOINT", environ, profile)
    dual_stack = is_enabled("AWS_USE_DUALSTACK_ENDPOINT", environ, profile)
    if region is None and (mode or fips or dual_stack):
        from .config import configured_region

        region = configured_region(environ, profile)
    region, pseudo_fips = _checked_region(region)
    fips = fips or pseudo_fips
    if url := configured_url("sts", endpoint_url, environ, profile):
        return Endpoint(url, region or GLOBAL_REGION)
    if not (fips or dual_stack) and (region is None or (mode == "legacy" and region in LEGACY_GLOBAL)):
        return Endpoint(_GLOBAL_URL, GLOBAL_REGION)
    region = region or GLOBAL_REGION
    name, _, suffix, dual_suffix, _ = partition(region)
    # GovCloud's usual STS endpoints are the FIPS ones.
    start = "sts-fips" if fips and (dual_stack or name != "aws-us-gov") else "sts"
    return Endpoint(f"https://{start}.{region}.{dual_suffix if dual_stack else suffix}/", region)


def resolve_service(
    name: str,
    region: str,
    endpoint_url: str | None = None,
    environ: Mapping[str, str] | None = None,
    profile: "Profile | None" = None,
) -> Endpoint:
    """The endpoint of any service by the name that the aws command line gives it, and its signing name.

    Services whose host name needs more than a region (an account, a bucket) get the usual pattern. Raises
    RequestError, also where AWS has no such endpoint.
    """
    if name == "sts":
        return resolve(region, endpoint_url, environ, profile)
    from .services import PLACES, PREFIXES, SIGNING_NAMES

    environ = environ or {}
    found, pseudo_fips = _checked_region(region)
    region = found or GLOBAL_REGION
    if not re.fullmatch(r"[a-z0-9-]{1,63}", name):
        raise RequestError(f"{name!r} is no service name; use one such as s3 or dynamodb")
    signing_name = SIGNING_NAMES.get(name, name)
    if url := configured_url(name, endpoint_url, environ, profile):
        return Endpoint(url, region, signing_name)
    fips = pseudo_fips or is_enabled("AWS_USE_FIPS_ENDPOINT", environ, profile)
    dual_stack = is_enabled("AWS_USE_DUALSTACK_ENDPOINT", environ, profile)
    row = partition(region)
    places = next(
        (found for variants, found in PLACES.get(name, {}).items() if _VARIANTS[fips, dual_stack] in variants), {}
    )
    usual = (f"{PREFIXES.get(name, name)}{{fips}}.{{region}}.{{domain}}", "")
    host, signed_for = next((places[key] for key in (region, row[0], "*") if key in places), usual)
    if not host:
        raise RequestError(f"{name} has no FIPS endpoint in {region}; use another region, or disable FIPS")
    host = host.format(
        region=region,
        main=row[4],
        suffix=row[2],
        dual_suffix=row[3],
        domain=row[3 if dual_stack else 2],
        fips="-fips" if fips else "",
    )
    return Endpoint(f"https://{host}/", signed_for.format(main=row[4]) or region, signing_name)


def guess(url: str) -> tuple[str, str] | None:
    """Service (its signing name) and region to sign for, from a URL's host; None where it does not tell.

    `hosts.scope_of` says more of those. Raises RequestError for an invalid URL.
    """
    from .hosts import scope_of

    found = scope_of(url)
    return (found.service, found.region) if found.service and found.region else None


def configured_url(
    name: str,
    endpoint_url: str | None = None,
    environ: Mapping[str, str] | None = None,
    profile: "Profile | None" = None,
) -> str | None:
    """The endpoint URL that the user has set for service `name`, checked; None where there is none.

    `endpoint_url`, else AWS_ENDPOINT_URL_<SERVICE>, else AWS_ENDPOINT_URL of `environ`, else endpoint_url of
    the profile's services section, else of the profile; all but the first only while
    AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is not true. Raises RequestError.
    """
    if endpoint_url:
        return _checked("the endpoint", endpoint_url)
    environ = environ or {}
    if is_enabled("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", environ, profile):
        return None
    variable = f"AWS_ENDPOINT_URL_{name.replace('-', '_').upper()}"
    for source in (variable, "AWS_ENDPOINT_URL"):
        if url := environ.get(source):
            return _checked(source, url)
    if profile is not None:
        if url := profile.service(name.replace("-", "_")).get("endpoint_url"):
            return _checked(f"endpoint_url of {name} in the services section of {profile}", url)
        if url := profile.get("endpoint_url"):
            return _checked(f"endpoint_url of {profile}", url)
    return None


def is_enabled(variable: str, environ: Mapping[str, str], profile: "Profile | None" = None) -> bool:
    """Whether a setting is on: `variable` of `environ`, else its name in the profile; only "true" is."""
    return (_setting(variable, environ, profile) or "").lower() == "true"


def _setting(variable: str, environ: Mapping[str, str], profile: "Profile | None") -> str | None:
    if variable in environ:
        return environ[variable]
    return None if profile is None else profile.get(variable.removeprefix("AWS_").lower())


def _checked_region(region: str | None) -> tuple[str | None, bool]:
    """The region without what makes it a pseudo one (None for the global one), and whether it asked for FIPS."""
    if region is not None and not re.fullmatch(r"(?!-)[a-zA-Z0-9-]{1,63}(?<!-)", region):
        raise RequestError(f"{region!r} is no region name; use one such as eu-central-1")
    plain = None if region is None else region.replace("fips-", "").replace("-fips", "")
    return (None if plain in _GLOBAL_NAMES or not plain else plain), plain != region


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
