"""Any bucket, access point and settings of S3, beside the endpoint that a real botocore client resolves."""

import os
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import botocore.exceptions
import botocore.session
import pytest
from botocore.config import Config
from botocore.loaders import Loader
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sigv4 import config, s3
from sigv4.errors import RequestError

pytestmark = pytest.mark.once

LOADER = Loader()
REGIONS = [
    "us-east-1",
    "us-west-2",
    "eu-central-1",
    "cn-north-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "eusc-de-east-1",
]
BOOLEAN = st.sampled_from(["true", "false", "True"])
ZONES = ["use1-az4", "usw2-az1", "euc1-az10", "use1-bos1-az2", "apne1-hnd1-az1"]
NAMES = st.sampled_from(
    [
        "bucket",
        "my.bucket",
        "My-Bucket",
        "a_b",
        "192.0.2.1",
        "a" * 63,
        "a" * 64,
        "b--x-s3",
        "-ab",
        "ab-",
        "x--s3",
    ]
)
DIRECTORIES = st.builds(
    "{}--{}--{}-s3".format,
    st.sampled_from(["b", "my-bucket"]),
    st.sampled_from(ZONES),
    st.sampled_from(["x", "xa"]),
)
ALIASES = st.sampled_from(
    [
        "test-accessp-o0b1d075431d83bebde8xz5w8ijx1qzlbp3i3kuse10--op-s3",
        "test-accessp-e0000075431d83bebde8xz5w8ijx1qzlbp3i3kuse10--op-s3",
        "test-accessp-f0000075431d83bebde8xz5w8ijx1qzlbp3i3kuse10--op-s3",
    ]
)
ARNS = st.builds(
    "arn:{}:{}:{}".format,
    # botocore takes the ARN's partition from its region; ours is refused where its own word differs.
    st.sampled_from(
        [
            *(
                "aws:s3:us-east-1",
                "aws:s3:eu-central-1",
                "aws:s3:",
                "aws-cn:s3:",
                "aws-cn:s3:cn-north-1",
                "aws:s3:us_1",
            ),
            *(
                "aws:s3-object-lambda:us-west-2",
                "aws-us-gov:s3-object-lambda:us-gov-west-1",
                "aws:s3-object-lambda:",
            ),
            *("aws:s3-outposts:us-west-2", "aws-cn:s3-outposts:cn-north-1", "aws:s3-outposts:"),
        ]
    ),
    st.sampled_from(["123456789012", "", "a_b"]),
    st.sampled_from(
        [
            *("accesspoint/point", "accesspoint:point", "accesspoint/alias.mrap", "accesspoint/a_b", "bucket/b"),
            *(
                "outpost/op-01234567890123456/accesspoint/p",
                "outpost:op-0:accesspoint:p",
                "outpost/o_p/accesspoint/p",
            ),
        ]
    ),
)
SECTION = {
    "addressing_style": st.sampled_from(["auto", "path", "virtual"]),
    "use_accelerate_endpoint": BOOLEAN,
    "use_dualstack_endpoint": BOOLEAN,
    "use_arn_region": BOOLEAN,
    "us_east_1_regional_endpoint": st.sampled_from(["legacy", "regional"]),
    "s3_disable_multiregion_access_points": BOOLEAN,
}
OWN = {
    "use_fips_endpoint": BOOLEAN,
    "use_dualstack_endpoint": BOOLEAN,
    "s3_use_arn_region": BOOLEAN,
    "s3_us_east_1_regional_endpoint": st.sampled_from(["legacy", "regional"]),
}
VARIABLES = {
    "AWS_USE_FIPS_ENDPOINT": BOOLEAN,
    "AWS_USE_DUALSTACK_ENDPOINT": BOOLEAN,
    "AWS_S3_USE_ARN_REGION": BOOLEAN,
    "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT": st.sampled_from(["legacy", "regional"]),
    "AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS": BOOLEAN,
    "AWS_ENDPOINT_URL_S3": st.sampled_from(
        [
            *(
                "http://127.0.0.1:9000",
                "https://minio.example:8443/base",
                "http://minio.example/",
                "http://[::1]:9000",
            ),
            *("https://s3-accelerate.amazonaws.com", "https://bucket.vpce-0a-b.s3.us-east-1.vpce.amazonaws.com"),
        ]
    ),
}
BUCKET = st.one_of(NAMES, DIRECTORIES, ALIASES, ARNS)


def _some(of: dict[str, st.SearchStrategy[str]]) -> st.SearchStrategy[dict[str, str]]:
    # Few of them, so that most mixes are possible.
    return st.dictionaries(st.sampled_from(sorted(of)), st.none(), max_size=2).flatmap(
        lambda names: st.fixed_dictionaries({name: of[name] for name in names})
    )


def _theirs(bucket: str, region: str, environ: dict[str, str]) -> tuple[str, str, str]:
    """URL, and what is signed for: service, region (all those of SigV4A: *)."""
    with mock.patch.dict(os.environ, environ):
        session = botocore.session.Session()
        session.register_component("data_loader", LOADER)
        session.set_credentials("AKIATEST", "made-up")
        client = session.create_client("s3", region_name=region, config=Config(signature_version="s3v4"))
        context: dict[str, Any] = {"client_config": client.meta.config}
        model = client.meta.service_model.operation_model("GetObject")
        params = {"Bucket": bucket, "Key": "key"}
        client.meta.events.emit("before-parameter-build.s3.GetObject", params=params, model=model, context=context)
        url, _, properties = client._resolve_endpoint_ruleset(model, params, context)
    schemes = properties["authSchemes"]
    # Outposts take both; a key of SigV4 is what there is.
    scheme = next((one for one in schemes if "signingRegion" in one), schemes[0])
    return url.rstrip("/"), scheme["signingName"], scheme.get("signingRegion", "*")


@example(bucket="mybucket--usw2-az1--x-s3", region="us-west-2", section={}, own={}, variables={})
@example(bucket="bucket", region="us-east-1", section={}, own={}, variables={})
@example(bucket="arn:aws:s3:::accesspoint/point", region="us-east-1", section={}, own={}, variables={})
@example(
    bucket="arn:aws:s3::123456789012:accesspoint/alias.mrap", region="us-west-2", section={}, own={}, variables={}
)
@given(
    bucket=BUCKET,
    region=st.sampled_from(REGIONS),
    section=_some(SECTION),
    own=_some(OWN),
    variables=_some(VARIABLES),
)
@hypothesis_settings(deadline=None, max_examples=400)
def test_every_bucket_is_where_botocore_has_it(bucket, region, section, own, variables) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "config")
        lines = [f"{key} = {value}" for key, value in own.items()]
        nested = [f"  {key} = {value}" for key, value in section.items()]
        path.write_text("\n".join(["[profile p]", *lines, *(["s3 =", *nested] if nested else []), ""]))
        none = str(Path(name, "none"))
        files = {"AWS_CONFIG_FILE": str(path), "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_PROFILE": "p"}
        # Unasked, botocore takes us-east-1's endpoint of before regions, and we the region's own.
        environ = {"AWS_S3_US_EAST_1_REGIONAL_ENDPOINT": "regional"} | files | variables
        if {"us_east_1_regional_endpoint", "s3_us_east_1_regional_endpoint"} & {*section, *own}:
            environ = files | variables
        said = s3.read_s3_settings(environ, config.load_config(environ).profile("p"))
        try:
            ours = s3.locate(bucket, region, said)
        except RequestError:
            with pytest.raises((botocore.exceptions.BotoCoreError, ValueError)):
                _theirs(bucket, region, environ)
            return
        assert (ours.url, ours.service, ours.region) == _theirs(bucket, region, environ)
        assert ours.multi_region == (ours.region == "*")


@given(bucket=st.one_of(NAMES, DIRECTORIES, ARNS.filter(s3.arn_region)), key=st.text(max_size=9))
def test_a_bucket_and_its_key_come_apart(bucket: str, key: str) -> None:
    assert s3.split_bucket_key(f"{bucket}/{key}") == (bucket, key)
    assert s3.split_bucket_key(bucket) == (bucket, "")
