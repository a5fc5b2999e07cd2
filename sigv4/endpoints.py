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
    "flag",
    "guess",
    "partition",
    "resolve",
    "service",
]

GLOBAL_REGION = "us-east-1"
# The pseudo region by which AWS's endpoint data name the global endpoint.
_GLOBAL_NAMES = ("aws-global",)
_GLOBAL_URL = "https://sts.amazonaws.com/"
# Services of the hosts of one resource, which are not in AWS's data: an API, a workspace, an access point.
_RESOURCES = {"appsync-api": "appsync", "aps-workspaces": "aps", "data.iot": "iotdata", "s3-accesspoint": "s3"}


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

    Signatures name `region`, without one us-east-1. AWS_STS_REGIONAL_ENDPOINTS=legacy,
    AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT of `environ`, then of `profile`, choose among the
    region's own; a configured URL wins over all three. Raises RequestError for a region name that cannot be
    part of a host name, and for unfit settings.
    """
    environ = environ or {}
    region, pseudo_fips = _checked_region(region)
    mode = _setting("AWS_STS_REGIONAL_ENDPOINTS", environ, profile) or "regional"
    if mode not in ("regional", "legacy"):
        raise RequestError(f"AWS_STS_REGIONAL_ENDPOINTS is {mode!r}; use regional or legacy")
    if url := configured_url("sts", endpoint_url, environ, profile):
        return Endpoint(url, region or GLOBAL_REGION)
    fips = pseudo_fips or flag("AWS_USE_FIPS_ENDPOINT", environ, profile)
    dual_stack = flag("AWS_USE_DUALSTACK_ENDPOINT", environ, profile)
    if not (fips or dual_stack) and (region is None or (mode == "legacy" and region in LEGACY_GLOBAL)):
        return Endpoint(_GLOBAL_URL, GLOBAL_REGION)
    region = region or GLOBAL_REGION
    name, _, suffix, dual_suffix, _ = partition(region)
    # GovCloud's usual STS endpoints are the FIPS ones.
    start = "sts-fips" if fips and (dual_stack or name != "aws-us-gov") else "sts"
    return Endpoint(f"https://{start}.{region}.{dual_suffix if dual_stack else suffix}/", region)


def service(
    name: str,
    region: str,
    endpoint_url: str | None = None,
    environ: Mapping[str, str] | None = None,
    profile: "Profile | None" = None,
) -> Endpoint:
    """The endpoint of any service by the name that the aws command line gives it, and its signing name.

    For FIPS and dual-stack it is the usual pattern, which most services follow; not all do (S3's and ECR's are
    right). Services whose host name needs more than a region (an account, a bucket) get the usual pattern too.
    Raises RequestError.
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
    row = partition(region)
    prefix = PREFIXES.get(name, name)
    fips = pseudo_fips or flag("AWS_USE_FIPS_ENDPOINT", environ, profile)
    dual_stack = flag("AWS_USE_DUALSTACK_ENDPOINT", environ, profile)
    if fips or dual_stack:
        if dual_stack and name in ("ecr", "ecr-public"):
            prefix = name
        start = f"{prefix}-fips" if fips else prefix
        if dual_stack and name == "s3":  # older than the domains of dual-stack
            return Endpoint(f"https://{start}.dualstack.{region}.{row[2]}/", region, signing_name)
        return Endpoint(f"https://{start}.{region}.{row[3 if dual_stack else 2]}/", region, signing_name)
    places = PLACES.get(name, {})
    usual = (f"{prefix}.{{region}}.{{suffix}}", "")
    host, signed_for = next((places[key] for key in (region, row[0], "*") if key in places), usual)
    host = host.format(region=region, suffix=row[2], dual_suffix=row[3], main=row[4])
    return Endpoint(f"https://{host}/", signed_for.format(main=row[4]) or region, signing_name)


def guess(url: str) -> tuple[str, str] | None:
    """Service (its signing name) and region to sign for, from a URL's host; None where it does not tell.

    It tells for SERVICE.REGION.SUFFIX, for hosts of one resource below that (API Gateway's, a bucket's), and
    for the global hosts of AWS's data. Raises RequestError for what is no URL.
    """
    from .services import PLACES, PREFIXES, SIGNING_NAMES

    host = (split_url(url).hostname or "").lower()
    if host == split_url(_GLOBAL_URL).hostname:
        return "sts", GLOBAL_REGION
    for name, places in PLACES.items():
        for key, (template, signed_for) in places.items():
            for row in PARTITIONS:
                place = template.format(region="{region}", suffix=row[2], dual_suffix=row[3], main=row[4])
                if place == host and key in (row[0], "*"):
                    return SIGNING_NAMES.get(name, name), signed_for.format(main=row[4]) or row[4]
    if found := re.fullmatch(r".+\.(lambda-url|vpc-lattice-svcs)\.([a-z0-9-]+)\.on\.aws", host):
        return found[1].removesuffix("-url"), found[2]
    domains = sorted({suffix for row in PARTITIONS for suffix in row[2:4]}, key=len, reverse=True)
    domain = next((suffix for suffix in domains if host.endswith("." + suffix)), None)
    if domain is None:
        return None
    labels = host.removesuffix("." + domain).split(".")
    if labels[-1] == "s3":
        return "s3", GLOBAL_REGION  # a bucket at S3's host of before it had regions
    if labels[-1] in ("es", "aoss") and len(labels) > 2:
        labels = [*labels[:-2], labels[-1], labels[-2]]  # OpenSearch has its region before the service
    if len(labels) < 2 or not any(re.fullmatch(row[1], labels[-1]) for row in PARTITIONS):
        return None
    region = labels.pop()
    prefixes = {PREFIXES.get(name, name): SIGNING_NAMES.get(name, name) for name in (*SIGNING_NAMES, *PREFIXES)}
    prefixes.update(_RESOURCES)
    if labels[-1] == "dualstack" and len(labels) > 1:
        labels.pop()
    # The longest of the labels before the region that is a service's whole prefix, such as api.ecr.
    for start in range(len(labels)):
        prefix = ".".join(labels[start:])
        for known in (prefix, prefix.removesuffix("-fips")):
            if known in prefixes:
                return prefixes[known], region
    # Buckets in one zone: s3express-use1-az4.
    return "s3express" if labels[-1].startswith("s3express-") else labels[-1].removesuffix("-fips"), region


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
    if flag("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", environ, profile):
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


def flag(variable: str, environ: Mapping[str, str], profile: "Profile | None" = None) -> bool:
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
