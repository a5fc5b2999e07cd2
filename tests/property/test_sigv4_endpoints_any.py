"""Any settings of environment, profile and services section, beside the endpoint of a real botocore client."""

import os
import tempfile
from pathlib import Path
from unittest import mock

import botocore.exceptions
import botocore.session
import pytest
from botocore.loaders import Loader
from hypothesis import assume, example, given, reject, settings
from hypothesis import strategies as st

from sigv4 import config
from sigv4.endpoints import resolve
from sigv4.errors import RequestError
from tests.support.botocore_sts import destination

pytestmark = pytest.mark.once

LOADER = Loader()
REGIONS = [region for row in LOADER.load_data("partitions")["partitions"] for region in row["regions"]]
REGIONS = [*(region for region in REGIONS if not region.endswith("-global")), "xx-new-1", "us-west-2-fips"]

BOOLEAN = st.sampled_from(["true", "True", "false", "", "1"])
URL = st.sampled_from(["http://one.example/", "https://two.example:8443", "http://[::1]:8080/path", ""])
MODE = st.sampled_from(["regional", "legacy"])

VARIABLES = {
    "AWS_USE_FIPS_ENDPOINT": BOOLEAN,
    "AWS_USE_DUALSTACK_ENDPOINT": BOOLEAN,
    "AWS_STS_REGIONAL_ENDPOINTS": MODE,
    "AWS_ENDPOINT_URL": URL,
    "AWS_ENDPOINT_URL_STS": URL,
    "AWS_ENDPOINT_URL_S3": URL,
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": BOOLEAN,
    "AWS_DEFAULT_REGION": st.sampled_from(REGIONS),
}
SETTINGS = {
    "use_fips_endpoint": BOOLEAN,
    "use_dualstack_endpoint": BOOLEAN,
    "sts_regional_endpoints": MODE,
    "endpoint_url": URL,
    "ignore_configured_endpoint_urls": BOOLEAN,
    "region": st.sampled_from(REGIONS),
    "services": st.sampled_from(["with-sts", "without-sts", "absent"]),
}


SERVICES = """\
[services with-sts]
sts =
  endpoint_url = {}
[services without-sts]
s3 =
  endpoint_url = http://s3.example/
"""


def _some(of: dict[str, st.SearchStrategy[str]]) -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries({}, optional=of)


def _theirs(environ: dict[str, str], region: str | None) -> tuple[str, str]:
    with mock.patch.dict(os.environ, environ):
        session = botocore.session.Session()
        session.register_component("data_loader", LOADER)
        return destination(session, region)


@example(
    variables={},
    values={"services": "with-sts", "endpoint_url": "http://one.example/"},
    sts="http://s/",
    region=None,
)
@example(
    variables={"AWS_USE_DUALSTACK_ENDPOINT": "true"},
    values={"use_fips_endpoint": "true"},
    sts="",
    region="us-gov-east-1",
)
@given(variables=_some(VARIABLES), values=_some(SETTINGS), sts=URL, region=st.sampled_from([None, *REGIONS]))
@settings(deadline=None, max_examples=150)
def test_every_mix_of_settings_has_botocores_endpoint(variables, values, sts, region) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "config")
        lines = [f"{key} = {value}" for key, value in values.items()]
        path.write_text("\n".join(["[profile p]", *lines, SERVICES.format(sts)]))
        none = str(Path(name, "none"))
        environ = {
            "AWS_CONFIG_FILE": str(path),
            "AWS_SHARED_CREDENTIALS_FILE": none,
            "AWS_PROFILE": "p",
            **variables,
        }
        profile = config.load_config(environ).profile("p")
        try:
            wanted = region or config.configured_region(environ, profile)
            ours = resolve(wanted, None, environ, profile)
            if environ.get("AWS_STS_REGIONAL_ENDPOINTS", profile.get("sts_regional_endpoints")):
                # The setting asks for the usual region's STS: nobody need name the region.
                unnamed = resolve(region, None, environ, profile)
                assert (unnamed.url, unnamed.region) == (ours.url, ours.region)
        except RequestError:
            with pytest.raises((botocore.exceptions.InvalidConfigError, ValueError)):
                _theirs(environ, region)
            return
        # Without a region botocore makes of FIPS and dual-stack a host name that is none, and does not sign for a
        # URL that is set.
        assume(wanted is not None or ours.is_global)
        try:
            theirs = _theirs(environ, region)
        except botocore.exceptions.EndpointVariantError:
            reject()  # its older table lacks dual-stack in some regions; the younger one is compared too
        assert (ours.url, ours.region) == theirs
