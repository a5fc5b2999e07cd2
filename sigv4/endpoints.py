"""Finds the endpoints of AWS services: the URL for a region, and the region of signatures.

The results equal botocore's, whose data partitions.py and services.py contain, with one exception:
without a region, FIPS and dual-stack select the endpoints of us-east-1. botocore returns an invalid host name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .characters import DIGITS, LETTERS, has_only
from .errors import RequestError
from .partitions import LEGACY_GLOBAL, PARTITIONS
from .request import split_url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .config import Profile

__all__ = [
    "GLOBAL_REGION",
    "Endpoint",
    "check_region",
    "configured_url",
    "dns_suffix",
    "is_enabled",
    "partition",
    "resolve",
    "resolve_service",
]

GLOBAL_REGION = "us-east-1"
# The pseudo region of the global endpoint in AWS's endpoint data.
_GLOBAL_NAMES = ("aws-global",)
# (FIPS, dual-stack) to the variant's letter in services.HOSTS.
_VARIANTS = {(False, False): "-", (True, False): "f", (False, True): "d", (True, True): "b"}
_DIRECTION = "-(north|south|east|west|central|(north|south)(east|west))-[0-9]+$"
_GLOBAL_URL = "https://sts.amazonaws.com/"
_STS_MODE = "AWS_STS_REGIONAL_ENDPOINTS"


class Endpoint:
    """The endpoint of a service: its `url`, and the `region` and `service` (signing name) for signatures."""

    __slots__ = ("region", "service", "url")

    def __init__(self, url: str, region: str, service: str = "sts") -> None:
        self.url = url
        self.region = region
        self.service = service

    def __repr__(self) -> str:
        return f"<Endpoint {self.url} signed for {self.region}>"

    @property
    def is_global(self) -> bool:
        """Whether this is STS's global endpoint, which does not support some operations."""
        return self.url == _GLOBAL_URL


def partition(region: str) -> tuple[str, str, str, str, str]:
    """Returns a region's partition as a row of PARTITIONS; for an unknown region, the row of aws.

    The row is (name, pattern of region names, DNS suffix, dual-stack DNS suffix, region of the global services).
    """
    for row in PARTITIONS:
        if re.fullmatch(row[1], region) or region == f"{row[0]}-global":
            return row
    return PARTITIONS[0]


def dns_suffix(region: str) -> str:
    """Returns the DNS suffix of the services in `region`."""
    return partition(region)[2]


def resolve(
    region: str | None = None,
    endpoint_url: str | None = None,
    environ: Mapping[str, str] | None = None,
    profile: Profile | None = None,
) -> Endpoint:
    """Returns the STS endpoint: a configured URL (see `configured_url`), the region's endpoint or the global one.

    Signatures use `region`, by default us-east-1. AWS_STS_REGIONAL_ENDPOINTS, AWS_USE_FIPS_ENDPOINT and
    AWS_USE_DUALSTACK_ENDPOINT in `environ`, or the corresponding settings of `profile`, select the variant. If one
    of the three is set, `region` defaults to the region of `environ` or `profile`. A configured URL takes
    precedence over all three. Raises RequestError for an invalid region name, setting or URL.
    """
    environ = environ or {}
    mode = _setting(_STS_MODE, environ, profile)
    if mode and mode not in ("regional", "legacy"):
        source = _STS_MODE if _STS_MODE in environ else f"{_profile_key(_STS_MODE)} of {profile}"
        raise RequestError(f"{source} is {mode!r}; use regional or legacy")
    fips = is_enabled("AWS_USE_FIPS_ENDPOINT", environ, profile)
    dual_stack = is_enabled("AWS_USE_DUALSTACK_ENDPOINT", environ, profile)
    if region is None and (mode or fips or dual_stack):
        from .config import configured_region  # late: most runs read no AWS config file

        region = configured_region(environ, profile)
    region, pseudo_fips = _parse_region(region)
    fips = fips or pseudo_fips
    if url := configured_url("sts", endpoint_url, environ, profile):
        return Endpoint(url, region or GLOBAL_REGION)
    if not (fips or dual_stack) and (region is None or (mode == "legacy" and region in LEGACY_GLOBAL)):
        return Endpoint(_GLOBAL_URL, GLOBAL_REGION)
    region = check_region(region or GLOBAL_REGION)
    name, _, suffix, dual_suffix, _ = partition(region)
    # GovCloud's default STS endpoints are FIPS endpoints.
    start = "sts-fips" if fips and (dual_stack or name != "aws-us-gov") else "sts"
    return Endpoint(f"https://{start}.{region}.{dual_suffix if dual_stack else suffix}/", region)


def resolve_service(
    name: str,
    region: str,
    endpoint_url: str | None = None,
    environ: Mapping[str, str] | None = None,
    profile: Profile | None = None,
) -> Endpoint:
    """Returns the endpoint of the service with the given name in the AWS CLI.

    For a service whose host names contain an account or a bucket, the endpoint follows the general pattern
    SERVICE.REGION.DOMAIN. Raises RequestError for an invalid name or setting, or if AWS has no such endpoint.
    """
    if name == "sts":
        return resolve(region, endpoint_url, environ, profile)
    from .services import HOST_PREFIXES, HOSTS, SIGNING_NAMES  # late: a large table that STS does not need

    environ = environ or {}
    plain_region, pseudo_fips = _parse_region(region)
    region = plain_region or GLOBAL_REGION
    if not (has_only(name, LETTERS[:26] + DIGITS + "-") and len(name) <= 63):
        raise RequestError(f"{name!r} is not a valid service name; use e.g. s3 or dynamodb")
    signing_name = SIGNING_NAMES.get(name, name)
    if url := configured_url(name, endpoint_url, environ, profile):
        return Endpoint(url, region, signing_name)
    check_region(region)
    fips = pseudo_fips or is_enabled("AWS_USE_FIPS_ENDPOINT", environ, profile)
    dual_stack = is_enabled("AWS_USE_DUALSTACK_ENDPOINT", environ, profile)
    row = partition(region)
    hosts = next(
        (hosts for variants, hosts in HOSTS.get(name, {}).items() if _VARIANTS[fips, dual_stack] in variants), {}
    )
    default = (f"{HOST_PREFIXES.get(name, name)}{{fips}}.{{region}}.{{domain}}", "")
    host, signed_for = next((hosts[key] for key in (region, row[0], "*") if key in hosts), default)
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


def configured_url(
    name: str,
    endpoint_url: str | None = None,
    environ: Mapping[str, str] | None = None,
    profile: Profile | None = None,
) -> str | None:
    """Returns the configured endpoint URL of service `name`, or None. Raises RequestError for an invalid URL.

    The sources, in order: `endpoint_url`; AWS_ENDPOINT_URL_<SERVICE> and AWS_ENDPOINT_URL of `environ`;
    endpoint_url of the profile's services section and of the profile. If AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is
    true, `endpoint_url` is the only source.
    """
    if endpoint_url:
        return _check_url("the endpoint", endpoint_url)
    environ = environ or {}
    if is_enabled("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", environ, profile):
        return None
    variable = f"AWS_ENDPOINT_URL_{name.replace('-', '_').upper()}"
    for source in (variable, "AWS_ENDPOINT_URL"):
        if url := environ.get(source):
            return _check_url(source, url)
    if profile is not None:
        if url := profile.service(name.replace("-", "_")).get("endpoint_url"):
            return _check_url(f"endpoint_url of {name} in the services section of {profile}", url)
        if url := profile.get("endpoint_url"):
            return _check_url(f"endpoint_url of {profile}", url)
    return None


def is_enabled(variable: str, environ: Mapping[str, str], profile: Profile | None = None) -> bool:
    """Returns whether a setting is "true", in the environment variable or else in the profile.

    The profile's key for AWS_USE_FIPS_ENDPOINT, for example, is use_fips_endpoint.
    """
    return (_setting(variable, environ, profile) or "").lower() == "true"


def _setting(variable: str, environ: Mapping[str, str], profile: Profile | None) -> str | None:
    if variable in environ:
        return environ[variable]
    return None if profile is None else profile.get(_profile_key(variable))


def _profile_key(variable: str) -> str:
    return variable.removeprefix("AWS_").lower()


def _parse_region(region: str | None) -> tuple[str | None, bool]:
    """Returns (region or None for global, whether FIPS is selected) for a region or pseudo region.

    For example, the pseudo region fips-us-east-1 selects FIPS in us-east-1. Raises RequestError for an invalid
    name.
    """
    if region is not None and not _is_label(region):
        raise RequestError(f"{region!r} is not a valid region name; use e.g. eu-central-1")
    plain = None if region is None else region.replace("fips-", "").replace("-fips", "")
    return (None if plain in _GLOBAL_NAMES or not plain else plain), plain != region


def _is_label(text: str) -> bool:
    """Returns whether a text can be a label of a host name."""
    return has_only(text, LETTERS + DIGITS + "-") and len(text) <= 63 and text.strip("-") == text


def check_region(region: str) -> str:
    """Returns `region`. Raises RequestError if the name is invalid, or probably a misspelled AWS region.

    Other unknown names are accepted, because AWS adds regions.
    """
    _parse_region(region)
    if not (re.search(_DIRECTION, region) and any(re.fullmatch(row[1], region) for row in PARTITIONS)):
        from difflib import SequenceMatcher  # late: for an unusual region only

        likeness = {name: SequenceMatcher(None, region, name).ratio() for name in sorted(LEGACY_GLOBAL)}
        near = max(likeness, key=lambda name: likeness[name])
        if likeness[near] > 0.85:
            raise RequestError(f"{region!r} is not a region of AWS; did you mean {near!r}?")
    return region


def _check_url(source: str, url: str) -> str:
    try:
        parts = split_url(url)
    except RequestError as error:
        raise RequestError(f"{source}: {error}") from error
    if parts.username is not None or parts.query or parts.fragment:
        raise RequestError(
            f"invalid URL in {source}: user name, query and fragment are not allowed; use https://HOST[:PORT]"
        )
    if not url.isascii() or " " in url:
        raise RequestError(
            f"invalid URL in {source}: expected ASCII without spaces; percent-encode it or use IDNA"
        )
    return parts._replace(path=parts.path or "/").geturl()
