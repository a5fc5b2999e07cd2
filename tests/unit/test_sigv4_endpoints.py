"""Endpoints beside botocore's own resolver and clients, for every partition, region and option."""

import importlib.util
import itertools
from pathlib import Path

import botocore.session
import pytest
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import EndpointProviderError
from botocore.loaders import Loader

from sigv4 import config
from sigv4.endpoints import partition, resolve, resolve_service
from sigv4.errors import RequestError
from sigv4.partitions import LEGACY_GLOBAL, PARTITIONS
from sigv4.s3 import read_s3_settings
from tests.support.botocore_sts import destination

pytestmark = pytest.mark.once

LOADER = Loader()
DATA = LOADER.load_data("partitions")
NAMES = [region for row in DATA["partitions"] for region in row["regions"]]
REGIONS = [region for region in NAMES if not region.endswith("-global")]
YOUNG = ["us-north-7", "eu-nowhere-1", "cn-south-9", "us-gov-north-1", "eusc-de-west-2", "us-isob-x-1", "xx-new-1"]
FLAGS = [False, True]


def _environ(fips: bool, dual_stack: bool, legacy: bool) -> dict[str, str]:
    return {
        "AWS_USE_FIPS_ENDPOINT": str(fips),
        "AWS_USE_DUALSTACK_ENDPOINT": str(dual_stack).lower(),
        "AWS_STS_REGIONAL_ENDPOINTS": "legacy" if legacy else "regional",
    }


@pytest.mark.parametrize(("fips", "dual_stack", "legacy"), list(itertools.product(FLAGS, FLAGS, FLAGS)))
def test_every_region_and_option_has_the_endpoint_of_botocores_rules(fips, dual_stack, legacy) -> None:
    rules = EndpointProvider(LOADER.load_service_model("sts", "endpoint-rule-set-1"), DATA)
    assert len(REGIONS) > 40
    for region in set(NAMES) - {"aws-global"} | set(YOUNG):
        theirs = rules.resolve_endpoint(
            Region=region,
            UseDualStack=dual_stack,
            UseFIPS=fips,
            # As botocore's client decides it (args.py).
            UseGlobalEndpoint=legacy and region in LEGACY_GLOBAL,
        )
        ours = resolve(region, None, _environ(fips, dual_stack, legacy))
        assert ours.url == theirs.url + "/"
        schemes = theirs.properties.get("authSchemes", [{"signingRegion": region}])
        assert ours.region == schemes[0]["signingRegion"]


@pytest.mark.parametrize(("fips", "dual_stack"), list(itertools.product(FLAGS, FLAGS)))
def test_every_service_has_the_endpoint_of_botocores_rules(fips: bool, dual_stack: bool) -> None:
    """Services that need more than a region have no endpoint by their region alone."""
    compared, environ = 0, _environ(fips, dual_stack, False)
    for name in LOADER.list_available_services("service-2"):
        rules = EndpointProvider(LOADER.load_service_model(name, "endpoint-rule-set-1"), DATA)
        meta = LOADER.load_service_model(name, "service-2")["metadata"]
        for region in REGIONS:
            try:
                theirs = rules.resolve_endpoint(Region=region, UseDualStack=dual_stack, UseFIPS=fips)
            except EndpointProviderError as error:
                if fips and "FIPS" in str(error):
                    with pytest.raises(RequestError, match=f"{name} has no FIPS endpoint in {region}; "):
                        resolve_service(name, region, None, environ)
                continue
            ours = resolve_service(name, region, None, environ)
            assert ours.url.removesuffix("/") == theirs.url.removesuffix("/"), (name, region)
            schemes = theirs.properties.get("authSchemes") or [{}]
            expected = next((scheme["signingRegion"] for scheme in schemes if scheme.get("signingRegion")), region)
            assert ours.region == expected, (name, region)
            assert ours.service == meta.get("signingName", meta["endpointPrefix"])
            compared += 1
    assert compared > 15_000


def test_every_region_is_in_its_partition() -> None:
    for row in DATA["partitions"]:
        for region in row["regions"]:
            assert partition(region)[0] == row["id"]
    assert partition("xx-new-1")[0] == "aws"


def test_the_table_is_what_its_tool_makes_of_the_data() -> None:
    """Not of services, which grow with every botocore: they are compared one by one above."""
    made: dict[str, object] = {}
    path = Path(__file__).parents[2] / "tools" / "endpoints.py"
    tool = importlib.util.spec_from_file_location("endpoints_tool", path)
    module = importlib.util.module_from_spec(tool)
    tool.loader.exec_module(module)
    exec(module.partitions(), made)
    assert made["PARTITIONS"] == PARTITIONS
    assert made["LEGACY_GLOBAL"] == LEGACY_GLOBAL


def _theirs(monkeypatch: pytest.MonkeyPatch, region: str | None, environ: dict[str, str]) -> tuple[str, str]:
    """Where a real botocore client sends GetCallerIdentity, and what region it signs it for."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    session = botocore.session.Session()
    return destination(session, region)


CONFIG = """\
[default]
region = eu-west-3

[profile fips]
use_fips_endpoint = TRUE

[profile dual]
use_dualstack_endpoint = true
sts_regional_endpoints = legacy

[profile legacy]
sts_regional_endpoints = legacy

[profile url]
endpoint_url = http://profile.example/

[profile services]
services = mine
endpoint_url = http://profile.example/

[profile ignoring]
services = mine
ignore_configured_endpoint_urls = true

[services mine]
sts =
  endpoint_url = http://services.example:8080/
s3 =
  endpoint_url = http://s3.example/
"""


@pytest.mark.parametrize(
    ("profile", "environ"),
    [
        ("default", {}),
        ("fips", {}),
        ("fips", {"AWS_USE_FIPS_ENDPOINT": "false"}),
        ("fips", {"AWS_USE_FIPS_ENDPOINT": ""}),
        ("fips", {"AWS_USE_FIPS_ENDPOINT": "1"}),
        ("fips", {"AWS_ENDPOINT_URL": "http://all.example/"}),
        ("dual", {}),
        ("legacy", {}),
        ("legacy", {"AWS_STS_REGIONAL_ENDPOINTS": "regional"}),
        ("legacy", {"AWS_STS_REGIONAL_ENDPOINTS": ""}),
        ("url", {}),
        ("url", {"AWS_ENDPOINT_URL": "http://all.example/"}),
        ("url", {"AWS_ENDPOINT_URL": ""}),
        ("services", {}),
        ("services", {"AWS_ENDPOINT_URL": "http://all.example/"}),
        ("services", {"AWS_ENDPOINT_URL": "http://all.example/", "AWS_ENDPOINT_URL_STS": "http://sts.example/"}),
        (
            "services",
            {"AWS_ENDPOINT_URL_STS": "http://sts.example/", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "True"},
        ),
        ("ignoring", {}),
        ("ignoring", {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"}),
    ],
)
@pytest.mark.parametrize(
    "region", ["us-east-1", "eu-south-1", "us-gov-west-1", "fips-us-west-2", "us-east-2-fips"]
)
def test_settings_are_looked_up_as_a_botocore_client_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str, environ: dict[str, str], region: str
) -> None:
    path = tmp_path / "config"
    path.write_text(CONFIG)
    files = {"AWS_CONFIG_FILE": str(path), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")}
    environ = files | {"AWS_PROFILE": profile} | environ
    found = config.load_config(environ).profile(config.profile_name(environ))
    ours = resolve(region, None, environ, found)
    assert (ours.url, ours.region) == _theirs(monkeypatch, region, environ)


def test_without_a_region_the_endpoint_is_global(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    files = {"AWS_CONFIG_FILE": str(tmp_path / "none"), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")}
    for region in (None, "aws-global"):
        endpoint = resolve(region)
        assert (endpoint.url, endpoint.region) == ("https://sts.amazonaws.com/", "us-east-1")
        assert (endpoint.url, endpoint.region) == _theirs(monkeypatch, region, files)
        assert endpoint.is_global
    assert not resolve("us-east-1").is_global


@pytest.mark.parametrize("region", [None, "aws-global", "fips-aws-global"])
def test_without_a_region_the_options_are_those_of_us_east_1(region: str | None) -> None:
    """botocore makes of them sts-fips.aws-global.amazonaws.com, which does not exist."""
    assert (
        resolve(region, None, {"AWS_USE_FIPS_ENDPOINT": "true"}).url == "https://sts-fips.us-east-1.amazonaws.com/"
    )
    if region != "fips-aws-global":
        assert (
            resolve(region, None, {"AWS_USE_DUALSTACK_ENDPOINT": "true"}).url == "https://sts.us-east-1.api.aws/"
        )


@pytest.mark.parametrize(
    ("environ", "host"),
    [
        ({"AWS_STS_REGIONAL_ENDPOINTS": "regional"}, "sts.ap-east-1.amazonaws.com"),
        ({"AWS_STS_REGIONAL_ENDPOINTS": "legacy"}, "sts.ap-east-1.amazonaws.com"),
        ({"AWS_STS_REGIONAL_ENDPOINTS": "legacy", "AWS_DEFAULT_REGION": "eu-west-1"}, "sts.amazonaws.com"),
        ({"AWS_USE_FIPS_ENDPOINT": "true"}, "sts-fips.ap-east-1.amazonaws.com"),
        ({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "sts.ap-east-1.api.aws"),
        ({"AWS_USE_DUALSTACK_ENDPOINT": "false"}, "sts.amazonaws.com"),
        ({}, "sts.amazonaws.com"),
        ({"AWS_STS_REGIONAL_ENDPOINTS": "regional", "AWS_REGION": "eu-north-1"}, "sts.eu-north-1.amazonaws.com"),
    ],
)
def test_a_setting_of_endpoints_asks_for_the_usual_regions_own(environ: dict[str, str], host: str) -> None:
    assert resolve(None, None, {"AWS_DEFAULT_REGION": "ap-east-1", **environ}).url == f"https://{host}/"


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(RequestError, match="AWS_STS_REGIONAL_ENDPOINTS is 'Legacy'; use regional or legacy"):
        resolve("us-east-1", None, {"AWS_STS_REGIONAL_ENDPOINTS": "Legacy"})
    profile = config.Profile("work", {"sts_regional_endpoints": "Legacy"}, {})
    with pytest.raises(RequestError, match="sts_regional_endpoints of profile work is 'Legacy'; use regional or"):
        resolve("us-east-1", None, {}, profile)


def test_settings_of_the_environment_choose_a_services_endpoint() -> None:
    both = {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"}
    assert resolve_service("kms", "eu-west-1", None, both).url == "https://kms-fips.eu-west-1.api.aws/"
    assert resolve_service("kms", "eu-west-1-fips").url == "https://kms-fips.eu-west-1.amazonaws.com/"
    assert resolve_service("sts", "eu-west-1", None, both).url == "https://sts-fips.eu-west-1.api.aws/"
    own = resolve_service("api-gateway", "eu-west-1", None, {"AWS_ENDPOINT_URL_API_GATEWAY": "http://localhost:1"})
    assert own.url == "http://localhost:1/"
    with pytest.raises(RequestError, match="'a b' is not a valid service name"):
        resolve_service("a b", "eu-west-1")


@pytest.mark.parametrize(
    ("environ", "own", "section", "source"),
    [
        ({"AWS_S3_US_EAST_1_REGIONAL_ENDPOINT": "x"}, {}, {}, "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT"),
        ({}, {"s3_us_east_1_regional_endpoint": "x"}, {}, "s3_us_east_1_regional_endpoint of profile work"),
        ({}, {}, {"us_east_1_regional_endpoint": "x"}, "s3.us_east_1_regional_endpoint of profile work"),
    ],
)
def test_an_unknown_mode_of_s3_names_its_source(
    environ: dict[str, str], own: dict[str, str], section: dict[str, str], source: str
) -> None:
    profile = config.Profile("work", {**own, "s3": section}, {})
    with pytest.raises(RequestError) as raised:
        read_s3_settings(environ, profile)
    assert str(raised.value) == f"{source} is 'x'; use regional or legacy"
