"""Derives service and region of a signature from a host name.

host_names.py has the hosts of AWS's endpoint data. This module has the hosts of single resources. For an unknown
host, service and region are None; they are never guessed.
"""

import re

from .host_names import AFTER_REGION, BEFORE_REGION, GLOBAL_HOSTS, MULTI_REGION_HOSTS, RESOURCE_HOSTS
from .partitions import PARTITIONS
from .request import split_url

__all__ = ["Scope", "scope_of"]

# Hosts that AWS's endpoint data lacks: label before the region, signing name.
_BEFORE_REGION = {
    "aos": "es",
    "aps-workspaces": "aps",
    "ec2messages": "ec2messages",
    "ssmmessages": "ssmmessages",
    "streaming-rekognition": "rekognition",
    "transcribestreaming": "transcribe",
}
# Hosts of one resource (API, cluster, IoT account): label before the region, signing name; '': unsigned.
_RESOURCE_HOSTS = {
    "aos": "es",
    "aoss": "aoss",
    "appsync-api": "appsync",
    "appsync-realtime-api": "appsync",
    "aps-workspaces": "aps",
    "bedrock-agentcore": "bedrock-agentcore",
    "credentials.iot": "",
    "data.mediastore": "mediastore",
    "dsql": "dsql",
    "execute-api": "execute-api",
    "iot": "iotdata",
    "jobs.iot": "iot-jobs-data",
    "kinesisvideo": "kinesisvideo",
    "lambda-url": "lambda",
    "livy.emr-serverless-services": "emr-serverless",
    "mediaconvert": "mediaconvert",
    "timestream": "timestream",
    "vpc-lattice-svcs": "vpc-lattice-svcs",
}
_AFTER_REGION = {
    "aoss": "aoss",
    "cloudsearch": "cloudsearch",
    "es": "es",
    "neptune": "neptune-db",
    "osis": "osis",
    "queue": "sqs",
}
# For hosts with two services: the beginning of the second one's paths, and its signing name.
_BY_PATH = {
    "iot": ("/mqtt", "iotdevicegateway"),
    "maps.geo": ("/maps/v0/", "geo"),
    "places.geo": ("/places/v0/", "geo"),
    "routes.geo": ("/routes/v0/", "geo"),
}
_LEGACY_REGION, _LEGACY_DOMAIN = "us-east-1", "amazonaws.com"
# Host names that are older than regions.
_GLOBAL_HOSTS = {"s3": "s3", "s3-external-1": "s3", "queue": "sqs"}
_OTHER_DOMAINS = ("on.aws", "on.amazonwebservices.com.cn")
_DOMAINS = sorted({suffix for row in PARTITIONS for suffix in row[2:4]} | {*_OTHER_DOMAINS}, key=len, reverse=True)
_REGION = re.compile("|".join(row[1] for row in PARTITIONS))


class Scope:
    """The scope of a signature: `service` (its signing name) and `region`, each None if unknown.

    `multi_region` is True if the host accepts only SigV4A, for all regions.
    """

    __slots__ = ("multi_region", "region", "service")

    def __init__(
        self, service: str | None = None, region: str | None = None, *, multi_region: bool = False
    ) -> None:
        self.service = service
        self.region = region
        self.multi_region = multi_region

    def __repr__(self) -> str:
        return f"<Scope {self.service} in {'all regions' if self.multi_region else self.region}>"


def scope_of(url: str) -> Scope:
    """Returns the signing scope (service and region) for the host of `url`.

    Raises RequestError for an invalid URL.
    """
    parts = split_url(url)
    host = (parts.hostname or "").lower()
    if entry := GLOBAL_HOSTS.get(host) or GLOBAL_HOSTS.get(host.replace("-fips.", ".")):
        return Scope(entry[0], entry[1] or None)
    domain = next((suffix for suffix in _DOMAINS if host.endswith("." + suffix)), None)
    names = host.removesuffix(f".{domain}").split(".")
    # "dualstack" and "fips" select an endpoint, not a service.
    labels = [re.sub(r"-fips(?=$|-)", "", label) for label in names if label not in ("dualstack", "fips")]
    if domain is None or not labels:
        return _after_region(labels)
    for start in range(1, len(labels)):
        if name := MULTI_REGION_HOSTS.get(".".join(labels[start:])):
            return Scope(name, multi_region=True)
    scope = _legacy_s3(labels) or _before_region(labels, parts.path) or _after_region(labels)
    if scope.service is None and domain == _LEGACY_DOMAIN and (name := _GLOBAL_HOSTS.get(labels[-1])):
        return Scope(name, _LEGACY_REGION)
    return scope


def _before_region(labels: list[str], path: str) -> Scope | None:
    """Returns the scope of a host name [RESOURCE.]SERVICE.REGION; None for other names.

    `labels` are the parts of the host name before the domain, with "vpce" at the end for an interface endpoint.
    `path` is the path of the URL.
    """
    private = labels[-1] == "vpce"
    index = len(labels) - (2 if private or labels[-1] == "us-gov" else 1)
    if index < 1 or not _REGION.fullmatch(labels[index]):
        return None
    region = labels[index]
    for start in range(index):
        name = ".".join(labels[start:index])
        if start == 0 or private:
            service = BEFORE_REGION.get(name) or _BEFORE_REGION.get(name)
        else:
            service = _RESOURCE_HOSTS.get(name, BEFORE_REGION[name] if name in RESOURCE_HOSTS else None)
        if service is None and private:
            service = _RESOURCE_HOSTS.get(name)
        if service is not None:
            start_of_path, other = _BY_PATH.get(name, ("", ""))
            return (
                Scope(other if other and path.startswith(start_of_path) else service, region) if service else None
            )
    if labels[index - 1].startswith("s3express-"):
        return Scope("s3express", region)
    return None


def _after_region(labels: list[str]) -> Scope:
    """Returns the scope of a host name [RESOURCE.]REGION.SERVICE; an empty Scope for an unknown name."""
    for index, label in enumerate(labels[:-1]):
        if _REGION.fullmatch(label):
            name = ".".join(labels[index + 1 :])
            service = AFTER_REGION.get(name) or _AFTER_REGION.get(name)
            return Scope(service, label if service else None)
    return Scope()


def _legacy_s3(labels: list[str]) -> Scope | None:
    """Returns the scope of S3's older host names (s3-REGION) and of s3-accelerate; None for other names.

    For s3-accelerate, the region is None.
    """
    if labels[-1] == "s3-accelerate":
        return Scope("s3")
    match = re.fullmatch(r"s3-(.+)", labels[-1])
    return Scope("s3", match[1]) if match and _REGION.fullmatch(match[1]) else None
