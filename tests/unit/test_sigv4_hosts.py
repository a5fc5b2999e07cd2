"""Service and region that a host says, beside botocore's rules and AWS's documentation."""

import itertools
import re

import pytest
from botocore.loaders import Loader

from sigv4.endpoints import resolve_service
from sigv4.errors import RequestError
from sigv4.host_names import BEFORE_REGION, GLOBAL_HOSTS, MULTI_REGION_HOSTS
from sigv4.hosts import scope_of

LOADER = Loader()
PARTITIONS = {row["id"]: row for row in LOADER.load_data("partitions")["partitions"]}


def _service_and_region(url: str) -> tuple[str, str] | None:
    scope = scope_of(url)
    return (scope.service, scope.region) if scope.service and scope.region else None


def _is_known(name: str) -> bool:
    """Whether the service is not younger than our tables, which botocore may be."""
    meta = LOADER.load_service_model(name, "service-2")["metadata"]
    prefix = meta["endpointPrefix"]
    everywhere = {service for service, _ in GLOBAL_HOSTS.values()} | {*MULTI_REGION_HOSTS.values()}
    return prefix in BEFORE_REGION or meta.get("signingName", prefix) in everywhere


SERVICES = list(filter(_is_known, LOADER.list_available_services("service-2")))
# These take bearer tokens, and importexport a signature of version 2.
UNSIGNED = {"account-access-runtime", "codecatalyst", "importexport"}
SAMPLES = {
    "AccountId": "123456789012",
    "EndpointId": "abc123.456def",
    "outpostId": "op-0123",
    "OperationType": "data",
}


@pytest.mark.parametrize(("fips", "dual_stack"), list(itertools.product([False, True], repeat=2)))
def test_a_services_own_endpoint_says_which_it_is(fips: bool, dual_stack: bool) -> None:
    environ = {"AWS_USE_FIPS_ENDPOINT": str(fips), "AWS_USE_DUALSTACK_ENDPOINT": str(dual_stack)}
    told = 0
    # The former's host has an account before it; the latter's is signed for a region that it does not name.
    for name in set(SERVICES) - UNSIGNED - {"cloudfront-keyvaluestore", "sustainability"}:
        for region in (
            "us-east-1",
            "eu-central-1",
            "cn-north-1",
            "us-gov-west-1",
            "us-iso-east-1",
            "eusc-de-east-1",
        ):
            try:
                endpoint = resolve_service(name, region, None, environ)
            except RequestError:
                continue
            found = _service_and_region(endpoint.url)
            # A host of two partitions, such as budgets-fips.amazonaws.com, is the first's.
            shared = (
                found and found[0] == endpoint.service and region == "us-gov-west-1" and found[1] == "us-east-1"
            )
            assert found == (endpoint.service, endpoint.region) or shared, endpoint
            told += 1
    assert told > 2300


def _templates(rules: list) -> list:
    """URL templates of a rule set, and how what is sent there is signed."""
    found = []
    for rule in rules:
        if isinstance(url := rule.get("endpoint", {}).get("url"), str) and url.startswith("https://"):
            found.append((url, rule["endpoint"].get("properties", {}).get("authSchemes", [])))
        found += _templates(rule.get("rules", []))
    return found


def _filled(template: str, partition: str, region: str) -> str:
    """A template's URL for that region, with samples for all else that varies."""
    out = PARTITIONS[partition]["outputs"]
    values = {
        r"\w+#dnsSuffix": out["dnsSuffix"],
        r"\w+#dualStackDnsSuffix": out["dualStackDnsSuffix"],
        r"\w+#implicitGlobalRegion": out["implicitGlobalRegion"],
        r"\w+#region|Region": region,
        r"\w+#accountId": "123456789012",
        r"(Https|Plain)CustomEndpointSuffixValue": "",
        **SAMPLES,
    }
    for pattern, value in values.items():
        template = re.sub(rf"\{{({pattern})\}}", value, template)
    return re.sub(r"\{[^}]*\}", "sample", template)


@pytest.mark.parametrize(
    ("partition", "region"),
    [("aws", "us-east-1"), ("aws", "ap-new-7"), ("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-east-1")],
)
def test_every_host_of_botocores_rules_is_told_or_said_to_be_unknown(partition: str, region: str) -> None:
    compared = unknown = 0
    for name in set(SERVICES) - UNSIGNED:
        meta = LOADER.load_service_model(name, "service-2")["metadata"]
        for template, schemes in _templates(LOADER.load_service_model(name, "endpoint-rule-set-1")["rules"]):
            url = _filled(template, partition, region)
            named = next(filter(None, (scheme.get("signingName") for scheme in schemes)), None)
            signed = {
                _filled(scheme["signingRegion"], partition, region)
                for scheme in schemes
                if "signingRegion" in scheme
            }
            found = scope_of(url)
            if schemes and all("signingRegionSet" in scheme for scheme in schemes):
                assert found.multi_region, url
                assert found.region is None, url
            elif found.region is None:
                unknown += 1
            elif "egion}" in template:
                # A template may be of one partition's region.
                assert found.region in (signed or {region}) or found.region in template, (url, found)
            if found.service is not None:
                assert found.service == (named or meta.get("signingName", meta["endpointPrefix"])), (url, found)
            compared += 1
    assert compared > 2400
    assert unknown < 30


def test_a_prefix_of_single_operations_belongs_to_the_service() -> None:
    """SDKs put it before the host: sync-states, data-servicediscovery, api.iotsitewise."""
    prefixes = 0
    for name in SERVICES:
        model = LOADER.load_service_model(name, "service-2")
        endpoint = resolve_service(name, "eu-west-1")
        for operation in model["operations"].values():
            before = operation.get("endpoint", {}).get("hostPrefix", "")
            if before and "." not in endpoint.url.removeprefix("https://").partition(".eu-west-1.")[0]:
                host = re.sub(r"\{.*?\}", "sample", before) + endpoint.url.removeprefix("https://")
                path = operation["http"]["requestUri"].partition("?")[0]
                assert _service_and_region(f"https://{host}{path.removeprefix('/')}") == (
                    endpoint.service,
                    "eu-west-1",
                ), host
                prefixes += 1
    assert prefixes > 500


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://my.bucket.s3.eu-west-1.amazonaws.com/key", ("s3", "eu-west-1")),
        ("https://bucket.s3.amazonaws.com/key", ("s3", "us-east-1")),
        ("https://bucket.s3.dualstack.eu-west-1.amazonaws.com/", ("s3", "eu-west-1")),
        ("https://s3.cn-north-1.amazonaws.com.cn/bucket", ("s3", "cn-north-1")),
        ("https://abc123.execute-api.us-west-2.amazonaws.com/prod", ("execute-api", "us-west-2")),
        ("https://KMS-FIPS.us-east-1.amazonaws.com:443/", ("kms", "us-east-1")),
        ("https://sts.amazonaws.com/", ("sts", "us-east-1")),
        ("https://iam.amazonaws.com/", ("iam", "us-east-1")),
        ("https://api.ecr.eu-west-3.amazonaws.com/", ("ecr", "eu-west-3")),
        ("https://lambda.us-east-2.api.aws/", ("lambda", "us-east-2")),
        ("https://a-1.s3-accesspoint.eu-west-1.amazonaws.com/key", ("s3", "eu-west-1")),
        ("https://a-1.s3-accesspoint-fips.us-east-1.amazonaws.com/key", ("s3", "us-east-1")),
        ("https://b--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com/", ("s3express", "us-east-1")),
        ("https://abc.appsync-api.eu-west-1.amazonaws.com/graphql", ("appsync", "eu-west-1")),
        ("https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/x", ("aps", "eu-west-1")),
        ("https://search-a-b.eu-west-1.es.amazonaws.com/_search", ("es", "eu-west-1")),
        ("https://abc.us-west-2.aoss.amazonaws.com/", ("aoss", "us-west-2")),
        ("https://abc.lambda-url.eu-west-1.on.aws/", ("lambda", "eu-west-1")),
        ("https://a-1.b-2.vpc-lattice-svcs.eu-west-1.on.aws/", ("vpc-lattice-svcs", "eu-west-1")),
        # AWS PrivateLink: interface endpoints.
        ("https://vpce-0a1b-x.sts.us-east-1.vpce.amazonaws.com/", ("sts", "us-east-1")),
        ("https://vpce-0a1b-x-us-east-1a.kms.us-east-1.vpce.amazonaws.com/", ("kms", "us-east-1")),
        ("https://vpce-0a1b-x.kms-fips.us-gov-west-1.vpce.amazonaws.com/", ("kms", "us-gov-west-1")),
        ("https://vpce-0a1b-x.api.ecr.eu-west-1.vpce.amazonaws.com/", ("ecr", "eu-west-1")),
        ("https://vpce-01.execute-api.us-east-1.vpce.amazonaws.com/", ("execute-api", "us-east-1")),
        ("https://bucket.vpce-0a1b-x.s3.cn-north-1.vpce.amazonaws.com.cn/key", ("s3", "cn-north-1")),
        ("https://bucket.bucket.vpce-0a1b-x.s3.us-east-1.vpce.amazonaws.com/key", ("s3", "us-east-1")),
        ("https://a-1.accesspoint.vpce-0a1b-x.s3.us-east-1.vpce.amazonaws.com/key", ("s3", "us-east-1")),
        ("https://vpce-0a1b-x.vpce-svc-0123.us-east-1.vpce.amazonaws.com/", None),
        ("https://a1-vpce-02.execute-api.us-east-1.amazonaws.com/prod", ("execute-api", "us-east-1")),
        # Several names, several domains.
        ("https://123456789012.ddb.us-east-1.amazonaws.com/", ("dynamodb", "us-east-1")),
        ("https://aos.us-east-1.api.aws/", ("es", "us-east-1")),
        ("https://search-a-b.aos.eu-west-1.on.aws/_search", ("es", "eu-west-1")),
        ("https://abc.aoss.eu-west-1.on.aws/_search", ("aoss", "eu-west-1")),
        ("https://iam.global.api.aws/", ("iam", "us-east-1")),
        ("https://iam-fips.amazonaws.com/", ("iam", "us-east-1")),
        ("https://iam.us-gov.amazonaws.com/", ("iam", "us-gov-west-1")),
        ("https://routes.geo.us-gov-west-1.us-gov.amazonaws.com/", ("geo-routes", "us-gov-west-1")),
        ("https://us-east-1.signin.aws.amazon.com/", ("signin", "us-east-1")),
        ("https://us-gov-east-1.signin-fips.amazonaws-us-gov.com/", ("signin", "us-gov-east-1")),
        ("https://g-1.us-east-1.neptune-graph.amazonaws.com/", ("neptune-graph", "us-east-1")),
        ("https://c.cluster-1.us-east-1.neptune.amazonaws.com:8182/", ("neptune-db", "us-east-1")),
        ("https://p-1.us-east-1.osis.amazonaws.com/log", ("osis", "us-east-1")),
        ("https://us-west-2.queue.amazonaws.com/123/name", ("sqs", "us-west-2")),
        ("https://queue.amazonaws.com/123/name", ("sqs", "us-east-1")),
        ("https://abcd1234.mediaconvert.us-west-1.amazonaws.com/", ("mediaconvert", "us-west-1")),
        ("https://query-cell2.timestream.us-east-1.amazonaws.com/", ("timestream", "us-east-1")),
        # IoT: its own API, an account's messages, and those by MQTT over WebSocket.
        ("https://iot.eu-west-1.amazonaws.com/things", ("iot", "eu-west-1")),
        ("https://a1b2-ats.iot.eu-west-1.amazonaws.com/topics/x", ("iotdata", "eu-west-1")),
        ("https://data-ats.iot.eu-west-1.amazonaws.com/topics/x", ("iotdata", "eu-west-1")),
        ("https://a1b2-ats.iot.eu-west-1.amazonaws.com/mqtt", ("iotdevicegateway", "eu-west-1")),
        # S3's variety.
        ("https://bucket.s3-us-west-2.amazonaws.com/key", ("s3", "us-west-2")),
        ("https://s3-fips-us-gov-west-1.amazonaws.com/bucket", ("s3", "us-gov-west-1")),
        ("https://123456789012.s3-control.dualstack.us-east-1.amazonaws.com/", ("s3", "us-east-1")),
        ("https://bucket.s3-accelerate.dualstack.us-east-1.amazonaws.com/a", ("s3", "us-east-1")),
        ("https://s3express-control.us-west-2.amazonaws.com/b", ("s3express", "us-west-2")),
        (
            "https://b--use1-az4--x-s3.s3express-fips-use1-az4.dualstack.us-east-1.amazonaws.com/",
            ("s3express", "us-east-1"),
        ),
        ("https://a-1.op-0.s3-outposts.us-east-1.amazonaws.com/key", ("s3-outposts", "us-east-1")),
        # Hosts of AWS that take no such signature, or that nobody has told us of.
        ("https://bucket.s3-website.us-east-2.amazonaws.com/", None),
        ("https://bucket.s3-website-us-east-1.amazonaws.com/", None),
        ("https://name-1.elb.us-east-1.amazonaws.com/", None),
        ("https://name-1.us-east-1.elb.amazonaws.com/", None),
        ("https://ec2-192-0-2-1.us-west-2.compute.amazonaws.com/", None),
        ("https://123456789012.dkr.ecr.us-east-1.amazonaws.com/v2/", None),
        ("https://123456789012.dkr-ecr.us-east-1.on.aws/v2/", None),
        ("https://d-1.d.codeartifact.us-east-1.amazonaws.com/", None),
        ("https://ABC.gr7.us-east-1.eks.amazonaws.com/", None),
        ("https://x.credentials.iot.us-east-1.amazonaws.com/", None),
        ("https://not-yet-known.us-east-1.amazonaws.com/", None),
        ("https://kms.nowhere.amazonaws.com/", None),
        ("https://unknown.global.api.aws/", None),
        ("https://kms.us-east-1.evil-amazonaws.com/", None),
        ("https://dualstack.amazonaws.com/", None),
        ("https://vpce.amazonaws.com/", None),
        ("https://example.com/", None),
        ("https://amazonaws.com/", None),
        ("https://es.amazonaws.com/", None),
        ("https://abc.lambda-url.eu-west-1.on.aws.example/", None),
        ("https://nowhere.amazonaws.com/", None),
        ("http://localhost:4566/", None),
        ("https://kms.us-east-1.amazonaws.com.example/", None),
    ],
)
def test_a_service_is_guessed_from_a_host(url: str, expected: tuple[str, str] | None) -> None:
    assert _service_and_region(url) == expected


@pytest.mark.parametrize(
    ("url", "name", "multi_region"),
    [
        ("https://bucket.s3-accelerate.amazonaws.com/key", "s3", False),
        ("https://bucket.s3-accelerate.dualstack.amazonaws.com/key", "s3", False),
        ("https://a.mrap.accesspoint.s3-global.amazonaws.com/key", "s3", True),
        ("https://123456789012.cloudfront-kvs.global.api.aws/", "cloudfront-keyvaluestore", True),
        ("https://abc123.456def.endpoint.events.amazonaws.com/", "events", True),
        ("https://abc123.456def.endpoints.email.amazonaws.com/", "ses", True),
        ("https://abc123.456def.endpoints.email.global.api.aws/", "ses", True),
    ],
)
def test_a_host_may_say_the_service_only(url: str, name: str, multi_region: bool) -> None:
    found = scope_of(url)
    assert (found.service, found.region, found.multi_region) == (name, None, multi_region)
    assert _service_and_region(url) is None
