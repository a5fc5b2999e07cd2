"""Finds S3's endpoints: host, path, service and region of buckets, directory buckets and access points.

Source: the endpoint rules of S3 and botocore's parameters for them (args.py, handlers.py), with one exception: the
endpoint of us-east-1 is the regional one unless the setting is legacy.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from .endpoints import configured_url, is_enabled, partition
from .errors import RequestError
from .request import split_url

if TYPE_CHECKING:
    from .config import Profile

__all__ = ["Bucket", "S3Settings", "arn_region", "locate", "read_s3_settings", "split_bucket_key"]

_LABEL = r"(?!-)[a-zA-Z0-9-]{1,63}(?<!-)"
_IPV4 = r"[0-9]+(\.[0-9]+){3}"
_LEGACY_REGION = "us-east-1"
# An access point's ARN; the object key follows.
_ARN = re.compile(
    r"(arn:[^:/]*:(?:s3|s3-object-lambda):[^:/]*:[^:/]*:accesspoint[:/][^:/]+"
    r"|arn:[^:/]*:s3-outposts:[^:/]*:[^:/]*:outpost[:/][^:/]+[:/]accesspoint[:/][^:/]+)(?:/(.*))?",
    re.DOTALL,
)
_DIRECTORY = re.compile(r"[a-z0-9-]+--([a-z0-9]+(?:-[a-z0-9]+)*)--xa?-s3")
# An alias on Outposts, split into hardware, outpost and the rest.
_ALIAS = re.compile(r"[a-z0-9-]*([a-z0-9-])([a-z0-9-]{17})[a-z0-9-]{25}--op-s3")


class Bucket:
    """The endpoint of a bucket: `url` without trailing slash, and `region` and `service` for signatures.

    `multi_region` is True if the endpoint accepts only SigV4A, for all regions. `directory` is True for a
    directory bucket, which uses sessions.
    """

    __slots__ = ("directory", "multi_region", "region", "service", "url")

    def __init__(
        self,
        url: str,
        region: str,
        service: str = "s3",
        *,
        multi_region: bool = False,
        directory: bool = False,
    ) -> None:
        self.url = url.rstrip("/")
        self.region = region
        self.service = service
        self.multi_region = multi_region
        self.directory = directory

    def __repr__(self) -> str:
        return f"<Bucket at {self.url} of {self.service} in {self.region}>"


class S3Settings:
    """S3 settings, usually those that `read_s3_settings` finds in the environment and a profile.

    `style` is auto, path or virtual. `use_arn_region` allows an ARN in another region than the client's. `legacy`
    selects the global endpoint for us-east-1. `multi_region` allows multi-region access points. `accelerate`,
    `dual_stack` and `fips` select AWS's variants of the endpoint; `endpoint_url` replaces the endpoint.
    """

    __slots__ = (
        "accelerate",
        "dual_stack",
        "endpoint_url",
        "fips",
        "legacy",
        "multi_region",
        "style",
        "use_arn_region",
    )

    def __init__(
        self,
        *,
        style: str = "auto",
        accelerate: bool = False,
        dual_stack: bool = False,
        fips: bool = False,
        use_arn_region: bool = True,
        legacy: bool = False,
        multi_region: bool = True,
        endpoint_url: str | None = None,
    ) -> None:
        self.style = style
        self.accelerate = accelerate
        self.dual_stack = dual_stack
        self.fips = fips
        self.use_arn_region = use_arn_region
        self.legacy = legacy
        self.multi_region = multi_region
        self.endpoint_url = endpoint_url


def read_s3_settings(environ: Mapping[str, str], profile: "Profile | None" = None) -> S3Settings:
    """Returns the S3 settings of the environment, a profile and its s3 section.

    Raises RequestError for an invalid setting.
    """
    section = {} if profile is None else profile.section("s3")

    def find(key: str, variable: str = "", nested: str = "") -> tuple[str | None, str]:
        """Returns (setting, its source): from the environment variable, the profile, or the profile's s3 section.

        The setting is called `key` in the profile, and `nested` (default: `key`) in the section.
        """
        if variable in environ:
            return environ[variable], variable
        if variable and profile is not None and (found := profile.get(key)):
            return found, f"{key} of {profile}"
        return section.get(nested or key), f"s3.{nested or key} of {profile}"

    def is_true(value: str | None) -> bool:
        return (value or "").lower() == "true"

    style = section.get("addressing_style") or "auto"
    if style not in ("auto", "path", "virtual"):
        raise RequestError(f"s3.addressing_style of {profile} is {style!r}; use auto, path or virtual")
    east, source = find(
        "s3_us_east_1_regional_endpoint", "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT", "us_east_1_regional_endpoint"
    )
    if east not in (None, "legacy", "regional"):
        raise RequestError(f"{source} is {east!r}; use regional or legacy")
    arn_region, _ = find("s3_use_arn_region", "AWS_S3_USE_ARN_REGION", "use_arn_region")
    url = configured_url("s3", None, environ, profile)
    return S3Settings(
        style=style,
        accelerate=is_true(section.get("use_accelerate_endpoint")),
        # FIPS and dual-stack select among AWS's endpoints only.
        dual_stack=url is None
        and (
            section.get("use_dualstack_endpoint") in ("true", "True")
            or is_enabled("AWS_USE_DUALSTACK_ENDPOINT", environ, profile)
        ),
        fips=url is None and is_enabled("AWS_USE_FIPS_ENDPOINT", environ, profile),
        use_arn_region=arn_region is None or is_true(arn_region),
        legacy=east == "legacy",
        multi_region=not is_true(
            find("s3_disable_multiregion_access_points", "AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS")[0]
        ),
        endpoint_url=url,
    )


def split_bucket_key(text: str) -> tuple[str, str]:
    """Splits `BUCKET/KEY` into bucket and key; an access point's ARN can replace the bucket.

    Raises RequestError if the text is invalid.
    """
    if match := _ARN.fullmatch(text):
        return match[1], match[2] or ""
    bucket, _, key = text.partition("/")
    _check_name(bucket)
    return bucket, key


def _check_name(bucket: str) -> None:
    if not re.fullmatch(r"[a-zA-Z0-9._-]{3,255}", bucket):
        raise RequestError(
            f"{bucket!r} is not a valid bucket name; write s3://BUCKET/KEY, with a name or an access point's ARN"
        )


def arn_region(bucket: str) -> str | None:
    """Returns the region in an access point's ARN; None for other bucket names.

    For a multi-region access point, the result is the region of the partition's global services.
    """
    if not _ARN.fullmatch(bucket):
        return None
    _, name, _, region, _ = bucket.split(":", 4)
    return region or partition(f"{name}-global")[4]


def locate(bucket: str, region: str, settings: S3Settings) -> Bucket:
    """Returns the endpoint of a bucket for a client in `region`.

    `bucket` is a bucket name, an access point's alias, or an ARN. Raises RequestError for an invalid name, and for
    settings that the bucket does not support.
    """
    if not re.fullmatch(r"(?!-)[a-zA-Z0-9-]{1,63}(?<!-)", region):
        raise RequestError(f"{region!r} is not a valid region name; use e.g. eu-central-1")
    if settings.accelerate and (settings.fips or settings.endpoint_url):
        raise RequestError(
            f"S3 Accelerate has no {'FIPS' if settings.fips else 'custom'} endpoint; disable Accelerate"
        )
    if settings.fips and partition(region)[0] == "aws-cn":
        raise RequestError("S3 has no FIPS endpoints in China; disable FIPS")
    if _ARN.fullmatch(bucket):
        return _access_point(bucket, region, settings)
    _check_name(bucket)
    if re.search(r"--xa?-s3$", bucket):
        return _directory(bucket, region, settings)
    if match := _ALIAS.fullmatch(bucket):
        return _outposts_alias(bucket, match[1], match[2], region)
    return _locate_plain_bucket(bucket, region, settings)


def _host(start: str, region: str, settings: S3Settings) -> str:
    """Returns S3's host name in a region: `start`, the FIPS and dual-stack labels, region and domain.

    Dual-stack names of S3 have the label "dualstack" and the usual domain.
    """
    variant = f"{'-fips' if settings.fips else ''}{'.dualstack' if settings.dual_stack else ''}"
    return f"{start}{variant}.{region}.{partition(region)[2]}"


def _locate_plain_bucket(bucket: str, region: str, settings: S3Settings) -> Bucket:
    row = partition(region)
    url = settings.endpoint_url
    parts = split_url(url or "https://s3")
    if settings.accelerate:
        style = "auto"
    else:
        # A custom server has one host name, not one for each bucket.
        style = settings.style if url is None or _is_accelerate(url) or settings.style == "virtual" else "path"
    by_host = style != "path" and _fits_host(bucket, dots=parts.scheme == "http" and not _is_ip(url))
    if settings.accelerate:
        if row[0] == "aws-cn":
            raise RequestError(f"S3 Accelerate is not available in {region}; set use_accelerate_endpoint to false")
        if not by_host:
            raise RequestError(
                f"bucket {bucket!r} cannot use S3 Accelerate: its name must be DNS-compatible, without dots; "
                "set use_accelerate_endpoint to false"
            )
        dual = ".dualstack" if settings.dual_stack else ""
        return Bucket(f"https://{bucket}.s3-accelerate{dual}.{row[2]}", region)
    if url is not None:
        if by_host and not _is_ip(url):
            return Bucket(parts._replace(netloc=f"{bucket}.{parts.netloc}").geturl(), region)
        return Bucket(f"{url.rstrip('/')}/{quote(bucket, safe='')}", region)
    host = _host("s3", region, settings)
    if settings.legacy and region == _LEGACY_REGION and not (settings.fips or settings.dual_stack):
        host = f"s3.{row[2]}"
    return Bucket(f"https://{bucket}.{host}" if by_host else f"https://{host}/{quote(bucket, safe='')}", region)


def _directory(bucket: str, region: str, settings: S3Settings) -> Bucket:
    match = _DIRECTORY.fullmatch(bucket)
    if not _fits_host(bucket, dots=False) or (match is None and settings.endpoint_url is None):
        raise RequestError(f"{bucket!r} is not a valid directory bucket name; expected e.g. a--use1-az4--x-s3")
    if settings.accelerate:
        raise RequestError("S3 Accelerate does not serve directory buckets; set use_accelerate_endpoint to false")
    if (url := settings.endpoint_url) is not None:
        parts = split_url(url)
        if _is_ip(url):
            return Bucket(
                f"{parts.scheme}://{parts.netloc}/{bucket}{parts.path}", region, "s3express", directory=True
            )
        place = parts._replace(netloc=f"{bucket}.{parts.netloc}").geturl()
        return Bucket(place, region, "s3express", directory=True)
    fips, dual = "-fips" if settings.fips else "", ".dualstack" if settings.dual_stack else ""
    zone = match[1] if match else ""
    host = f"{bucket}.s3express{fips}-{zone}{dual}.{region}.{partition(region)[2]}"
    return Bucket(f"https://{host}", region, "s3express", directory=True)


def _outposts_alias(bucket: str, hardware: str, outpost: str, region: str) -> Bucket:
    if hardware not in "eo":
        raise RequestError(
            f"{bucket!r} is not a valid alias of an access point on Outposts; copy it from the console"
        )
    place = "ec2" if hardware == "e" else f"op-{outpost}"
    return Bucket(f"https://{bucket}.{place}.s3-outposts.{region}.{partition(region)[2]}", region, "s3-outposts")


def _access_point(arn: str, region: str, settings: S3Settings) -> Bucket:
    _, partition_name, service, own_region, account, resource = arn.split(":", 5)
    kind, _, name = resource.replace(":", "/").partition("/")
    row = partition(own_region or region)
    if not partition_name == row[0] == partition(region)[0]:
        raise RequestError(
            f"the partition of {arn!r} does not match its region or {region}; check the ARN and --region"
        )
    if settings.accelerate:
        raise RequestError("S3 Accelerate does not serve access points; set use_accelerate_endpoint to false")
    has_account = re.fullmatch("[0-9]{12}", account)
    if has_account and not own_region and service == "s3":
        return _multi_region(name, row[2], settings)
    if not has_account or not re.fullmatch(_LABEL, own_region):
        raise RequestError(
            f"{arn!r} is not a valid ARN of an access point; expected arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME"
        )
    if own_region != region and not settings.use_arn_region:
        raise RequestError(f"{arn!r} is not in {region}, and use_arn_region is false; give --region {own_region}")
    outpost, _, name = name.rpartition("/accesspoint/") if kind == "outpost" else ("", "", name)
    if not all(re.fullmatch(_LABEL, part) for part in (name, outpost or "op")):
        raise RequestError(
            f"{arn!r} is not a valid ARN of an access point: names have letters, digits and hyphens only"
        )
    start = f"{name}-{account}" + (f".{outpost}" if outpost else "")
    if outpost and (settings.fips or settings.dual_stack):
        raise RequestError("S3 on Outposts has no FIPS or dual-stack endpoints; disable them")
    if service == "s3-object-lambda" and settings.dual_stack:
        raise RequestError("S3 Object Lambda has no dual-stack endpoints; disable dual-stack")
    if (url := settings.endpoint_url) is not None:
        parts = split_url(url)
        scheme = "https" if outpost else parts.scheme
        place = parts._replace(scheme=scheme, netloc=f"{start}.{parts.netloc}", path="" if outpost else parts.path)
        return Bucket(place.geturl(), own_region, service)
    host = _host("s3-accesspoint" if service == "s3" else service, own_region, settings)
    return Bucket(f"https://{start}.{host}", own_region, service)


def _multi_region(name: str, suffix: str, settings: S3Settings) -> Bucket:
    if not settings.multi_region:
        raise RequestError(
            "multi-region access points are disabled; set s3_disable_multiregion_access_points to false"
        )
    if settings.fips or settings.dual_stack:
        raise RequestError("multi-region access points have no FIPS or dual-stack endpoints; disable them")
    if not all(re.fullmatch(_LABEL, label) for label in name.split(".")):
        raise RequestError(
            f"{name!r} is not a valid multi-region access point; expected an alias such as mfzwi23gnjvgw.mrap"
        )
    return Bucket(f"https://{name}.accesspoint.s3-global.{suffix}", "*", multi_region=True)


def _fits_host(bucket: str, *, dots: bool) -> bool:
    """Returns whether a bucket name can be part of a host name.

    The name must be in lower case. Without `dots`, it must not contain dots: over HTTPS, AWS's wildcard
    certificate would not match.
    """
    if len(bucket) < 3 or bucket.lower() != bucket or re.fullmatch(_IPV4, bucket):
        return False
    labels = bucket.split(".") if dots else [bucket]
    return all(re.fullmatch(_LABEL, label) for label in labels)


def _is_ip(url: str | None) -> bool:
    host = split_url(url).hostname or "" if url else ""
    return ":" in host or bool(re.fullmatch(_IPV4, host))


def _is_accelerate(url: str) -> bool:
    host = split_url(url).hostname or ""
    return bool(re.fullmatch(r"s3-accelerate(\.dualstack)?\.amazonaws\.com", host))
