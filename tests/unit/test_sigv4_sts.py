"""STS operations, endpoints and retries beside botocore's own data for them."""

import re
import subprocess
import sys

import botocore.retries.standard as theirs
import pytest
from botocore.endpoint_provider import EndpointProvider
from botocore.loaders import Loader

from sigv4 import retry
from sigv4.endpoints import resolve
from sigv4.errors import RequestError, StsError, one_line
from sigv4.http import HttpClient
from sigv4.parameters import Integer, Text
from sigv4.sts import AssumeRole, Credentials, GetCallerIdentity, GetSessionToken, Operation
from sigv4.times import http_date, is_rfc3339, parse_http_date

ARN = "arn:aws:iam::123456789012:role/demo"
LOADER = Loader()
MODEL = LOADER.load_service_model("sts", "service-2")
PARTITIONS = LOADER.load_data("partitions")


# Operations -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", [AssumeRole(ARN, "s"), GetSessionToken(), GetCallerIdentity()])
def test_limits_are_those_of_the_published_model(operation: Operation[object]) -> None:
    shape = MODEL["shapes"][MODEL["operations"][operation.action]["input"]["shape"]]
    for parameter in operation.parameters:
        limits = MODEL["shapes"][shape["members"][parameter.name]["shape"]]
        assert isinstance(parameter, Integer if limits["type"] == "integer" else Text)
        # Lengths without a limit in the model have one in the API reference, or are checked by STS.
        assert parameter.least == limits.get("min", parameter.least)
        assert parameter.most == limits.get("max", parameter.most)
        if isinstance(parameter, Text):
            ours, published = re.compile(parameter.pattern, re.ASCII), limits["pattern"]
            if "u0009" not in published:
                # Java's \w and \d are ASCII.
                other = re.compile(published, re.ASCII)
                for character in map(chr, range(0x250)):
                    assert bool(ours.fullmatch(character)) == bool(other.fullmatch(character)), repr(character)
    required = set(shape.get("required", ()))
    assert required <= {parameter.name for parameter in operation.parameters if parameter.pairs()}


@pytest.mark.parametrize(
    ("operation", "pattern"),
    [
        (GetSessionToken(899), "DurationSeconds is 899 seconds; AWS allows 900 to 129600 seconds"),
        (GetSessionToken(129601), "DurationSeconds is 129601"),
        (GetSessionToken(serial_number="12345678"), "SerialNumber has 8 characters; AWS wants 9 to 256"),
        (GetSessionToken(serial_number="1234 56789"), "SerialNumber '1234 56789' has characters"),
        (GetSessionToken(token_code="12345"), "TokenCode has 5 characters; AWS wants exactly 6"),
        (GetSessionToken(token_code="12345x"), r"TokenCode has characters that AWS does not allow; it wants"),
        (GetSessionToken(token_code="١٢٣٤٥٦"), "TokenCode has characters"),
        (AssumeRole("arn:aws:iam::1", "name"), "RoleArn has 14 characters; AWS wants 20 to 2048"),
        (AssumeRole(ARN + "\udc80", "name"), "RoleArn .* has characters"),
        (AssumeRole(ARN, "n"), "RoleSessionName has 1 characters; AWS wants 2 to 64"),
        (AssumeRole(ARN, "n" * 65), "RoleSessionName has 65 characters"),
        (AssumeRole(ARN, "a b"), "RoleSessionName 'a b' has characters"),
        (AssumeRole(ARN, "name\n"), "RoleSessionName"),
        (AssumeRole(ARN, "name", 899), "DurationSeconds is 899 seconds; AWS allows 900 to 43200 seconds"),
        (AssumeRole(ARN, "name", 43201), "DurationSeconds is 43201"),
        (AssumeRole(ARN, "name", external_id="x"), "ExternalId has 1"),
        (AssumeRole(ARN, "name", policy=""), "Policy has 0 characters; AWS wants at least 1"),
        (AssumeRole(ARN, "name", source_identity="ö" * 2), "SourceIdentity 'öö' has characters"),
    ],
)
def test_values_outside_the_limits_are_refused(operation: Operation[object], pattern: str) -> None:
    with pytest.raises(RequestError, match=pattern) as caught:
        operation.check()
    assert "\n" not in str(caught.value)
    assert "12345x" not in str(caught.value)


def test_values_at_the_limits_pass() -> None:
    for operation in (
        GetSessionToken(900),
        GetSessionToken(129600, serial_number="arn:aws:iam::1:mfa/x", token_code="012345"),
        AssumeRole("x" * 20, "ab", 900),
        AssumeRole("x" * 2048, "n" * 64, 43200, external_id="a:/b", policy="{}", source_identity="me"),
    ):
        operation.check()


def test_the_form() -> None:
    form = AssumeRole(ARN, "me@host", 900, policy='{"a": "ü&"}').form()
    assert form == (
        b"Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fdemo"
        b"&RoleSessionName=me%40host&DurationSeconds=900&Policy=%7B%22a%22%3A+%22%C3%BC%26%22%7D"
    )
    assert GetSessionToken().form() == b"Action=GetSessionToken&Version=2011-06-15"


def test_credentials_hide_themselves() -> None:
    shown = repr(Credentials("ASIA", "secret-key", "session-token", "2030-01-01T00:00:00Z"))
    assert "secret-key" not in shown
    assert "session-token" not in shown
    assert "ASIA" in shown


# Endpoints --------------------------------------------------------------------------------------------------

REGIONS = [
    region for partition in PARTITIONS["partitions"] for region in partition["regions"] if "global" not in region
]


def test_every_region_has_the_endpoint_of_botocores_rules() -> None:
    rules = EndpointProvider(LOADER.load_service_model("sts", "endpoint-rule-set-1"), PARTITIONS)
    young = [
        "us-north-7",
        "eu-nowhere-1",
        "cn-south-9",
        "us-gov-north-1",
        "eusc-de-west-2",
        "us-isob-x-1",
        "xx-new-1",
    ]
    assert len(REGIONS) > 40
    for region in REGIONS + young:
        options = {"Region": region, "UseDualStack": False, "UseFIPS": False, "UseGlobalEndpoint": False}
        theirs = rules.resolve_endpoint(**options)
        ours = resolve(region)
        assert ours.url == theirs.url + "/"
        assert ours.region == region


def test_without_a_region_the_endpoint_is_global() -> None:
    for region in (None, "aws-global"):
        endpoint = resolve(region)
        assert (endpoint.url, endpoint.region) == ("https://sts.amazonaws.com/", "us-east-1")


def test_an_endpoint_of_the_users_wins() -> None:
    environ = {"AWS_ENDPOINT_URL_STS": "http://localhost:4566", "AWS_ENDPOINT_URL": "https://all.example/base/"}
    assert resolve("eu-west-1", "https://own.example:8443", environ).url == "https://own.example:8443/"
    assert resolve("eu-west-1", None, environ).url == "http://localhost:4566/"
    assert resolve("eu-west-1", None, environ).region == "eu-west-1"
    del environ["AWS_ENDPOINT_URL_STS"]
    assert resolve(None, None, environ).url == "https://all.example/base/"
    assert resolve(None, None, environ).region == "us-east-1"
    assert resolve(None, None, {"AWS_ENDPOINT_URL": ""}).url == "https://sts.amazonaws.com/"


@pytest.mark.parametrize(
    "region", ["", "a/b", "a@b", "a.b", "a:1", "-a", "a-", "a b", "x" * 64, "eu-central-1\n", "ü", "a#", "a?b"]
)
def test_a_region_that_is_no_part_of_a_host_name_is_refused(region: str) -> None:
    with pytest.raises(RequestError, match="is no region name"):
        resolve(region)


@pytest.mark.parametrize(
    ("url", "pattern"),
    [
        ("sts.example", "AWS_ENDPOINT_URL_STS: the URL must start with https://HOST"),
        ("ftp://sts.example", "AWS_ENDPOINT_URL_STS: the URL must start"),
        ("https://", "AWS_ENDPOINT_URL_STS: the URL must start"),
        ("https://user:pw@sts.example", "no user name, query or fragment"),
        ("https://sts.example/?a=b", "no user name, query or fragment"),
        ("https://sts.example/#a", "no user name, query or fragment"),
        ("https://sts.example/a b", "ASCII without blanks"),
        ("https://sts.exämple/", "ASCII without blanks"),
        ("https://sts.example:port", "AWS_ENDPOINT_URL_STS: not a URL"),
    ],
)
def test_an_endpoint_that_is_none_is_refused(url: str, pattern: str) -> None:
    with pytest.raises(RequestError, match=pattern) as caught:
        resolve(None, None, {"AWS_ENDPOINT_URL_STS": url})
    assert "pw@" not in str(caught.value)


# Retries ----------------------------------------------------------------------------------------------------


def test_retryable_errors_are_botocores() -> None:
    transient, throttled = theirs.TransientRetryableChecker, theirs.ThrottledRetryableChecker
    of_sts = {
        rule["applies_when"]["response"]["service_error_code"]
        for rule in LOADER.load_data("_retry")["retry"]["sts"]["__default__"]["policies"].values()
    }
    codes = {*transient._TRANSIENT_ERROR_CODES, *throttled._THROTTLED_ERROR_CODES, *of_sts}
    assert codes > {"Throttling", "IDPCommunicationError"}
    for code in codes:
        assert retry.is_retryable(StsError(code, "", "", 400))
    for status in range(400, 600):
        expected = status in transient._TRANSIENT_STATUS_CODES
        assert retry.is_retryable(StsError("Other", "", "", status)) == expected
    errors = [shape["error"] for shape in MODEL["shapes"].values() if shape.get("error")]
    for code in {error["code"] for error in errors if "code" in error} - codes | {"AccessDenied", "ExpiredToken"}:
        assert not retry.is_retryable(StsError(code, "", "", 400))


def test_the_wait_is_botocores() -> None:
    backoff = theirs.ExponentialBackoff(random=lambda: 0.75)
    for attempt in range(1, 12):
        assert retry.backoff(attempt, 0.75) == backoff.delay_amount(theirs.RetryContext(attempt))


def test_max_attempts() -> None:
    assert retry.max_attempts({}) == 3
    assert retry.max_attempts({"AWS_MAX_ATTEMPTS": ""}) == 3
    assert retry.max_attempts({"AWS_MAX_ATTEMPTS": "1"}) == 1
    assert retry.max_attempts({"AWS_MAX_ATTEMPTS": "10"}) == 10
    for text in ("0", "-1", "1.5", "many", "²", "9" * 5000):
        with pytest.raises(RequestError, match="use a whole number above 0"):
            retry.max_attempts({"AWS_MAX_ATTEMPTS": text})


# Times, texts -----------------------------------------------------------------------------------------------


def test_http_dates() -> None:
    assert parse_http_date("Tue, 24 Nov 2026 12:00:00 GMT") == 1795521600
    assert parse_http_date(http_date(951782400)) == 951782400  # 29 February 2000
    for text in (
        "",
        "Tue, 24 Nov 2026 12:00:00",
        "Tue, 31 Feb 2026 12:00:00 GMT",
        "Tue, 24 Foo 2026 12:00:00 GMT",
    ):
        assert parse_http_date(text) is None
    for text in (
        "Tue, 24 Nov 2026 24:00:00 GMT",
        "Tue, 24 Nov 1969 12:00:00 GMT",
        "Tuesday, 24-Nov-26 12:00:00 GMT",
    ):
        assert parse_http_date(text) is None


@pytest.mark.parametrize(
    "text",
    ["2026-11-24T12:00:00Z", "2026-11-24t12:00:00z", "2026-11-24T12:00:00.036479Z", "2024-02-29T23:59:60+05:30"],
)
def test_rfc3339(text: str) -> None:
    assert is_rfc3339(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0000-01-01T00:00:00Z",
        "2026-11-24",
        "2026-11-24 12:00:00Z",
        "2026-11-24T12:00:00",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2026-11-24T24:00:00Z",
        "2026-11-24T12:60:00Z",
        "2026-11-24T12:00:00.Z",
        "2026-11-24T12:00:00+24:00",
        "2026-11-24T12:00:00Z\n",
        "٢٠٢٦-11-24T12:00:00Z",
    ],
)
def test_not_rfc3339(text: str) -> None:
    assert not is_rfc3339(text)


def test_a_servers_text_is_shown_in_one_printable_line() -> None:
    assert one_line("a\r\n b\x1b[31m\x00\u202e c") == "a b?[31m?? c"
    assert one_line("x" * 1000) == "x" * 597 + "..."
    error = StsError("Co\nde", "Some.\n\tText.", "id\x1b", 403, "do that")
    assert str(error) == "Co de: Some. Text (HTTP 403, request id id?). do that"
    assert str(StsError("500", "", "", 500)) == "500: no message (HTTP 500)"


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_a_timeout_must_end(timeout: float) -> None:
    with pytest.raises(RequestError, match="must be a number of seconds above 0"):
        HttpClient(timeout)


# Start-up ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        # What checks the user's values and signs can come before, and without, all that speaks with the network.
        ("sigv4.sts, sigv4.signer, sigv4.endpoints", {"http.client", "ssl", "socket", "email", "xml", "random"}),
        ("sigv4.client", {"xml", "asyncio", "logging", "dataclasses", "urllib.request", "encodings.idna"}),
    ],
)
def test_imports_stay_lean(modules: str, absent: set[str]) -> None:
    code = f"import sys; sys.path.insert(0, '.'); import {modules}; print(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-I", "-S", "-c", code], stdout=subprocess.PIPE, check=True, text=True)
    found = set(run.stdout.split())
    assert set(modules.split(", ")) < found
    assert found & (absent | {"botocore", "cryptography", "construct", "tpmwire"}) == set()
