"""When and how fast we try again, beside botocore's own retry modes."""

import botocore.retries.standard as theirs
import pytest
from botocore.loaders import Loader
from botocore.retryhandler import delay_exponential

from sigv4 import config, retry
from sigv4.errors import NetworkError, RequestError, StsError

LOADER = Loader()
MODEL = LOADER.load_service_model("sts", "service-2")
DATA = LOADER.load_data("_retry")
TRANSIENT = set(theirs.TransientRetryableChecker._TRANSIENT_ERROR_CODES)
THROTTLED = set(theirs.ThrottledRetryableChecker._THROTTLED_ERROR_CODES)
BROKEN = NetworkError("closed", "h", 1)
STANDARD = retry.RetryPolicy()
LEGACY = retry.RetryPolicy("legacy")


def _error(code: str, status: int = 400, after: str | None = None) -> StsError:
    error = StsError(code, "", "", status)
    error.retry_after = retry.retry_after(after)
    return error


class _Response:
    def __init__(self, status: int, after: str | None) -> None:
        self.status_code = status
        self.headers = {} if after is None else {"x-amz-retry-after": after}


def _theirs(code: str, status: int, attempt: int = 1, after: str | None = None) -> theirs.RetryContext:
    parsed = {"Error": {"Code": code}}
    return theirs.RetryContext(attempt, None, parsed, _Response(status, after), None, {})


def test_standard_retries_what_botocore_does() -> None:
    checkers = theirs.OrRetryChecker(
        [
            theirs.TransientRetryableChecker(),
            theirs.ThrottledRetryableChecker(),
            theirs.ThrottlingStatusCodeChecker(),
        ]
    )
    codes = {shape["error"]["code"] for shape in MODEL["shapes"].values() if "code" in shape.get("error", {})}
    for code in TRANSIENT | THROTTLED | codes | {"AccessDenied", "ExpiredToken", "Other"}:
        for status in (400, 403, 429, 500, 501, 502, 503, 504, 509):
            expected = checkers.is_retryable(_theirs(code, status))
            # botocore has this one in retries/special.py.
            expected = expected or code == "IDPCommunicationError"
            assert STANDARD.retries(_error(code, status)) == expected, (code, status)


def test_legacy_retries_what_botocore_does() -> None:
    policies = [DATA["definitions"][name] for name in DATA["retry"]["__default__"]["policies"]]
    policies += DATA["retry"]["sts"]["__default__"]["policies"].values()
    rules = [policy["applies_when"]["response"] for policy in policies if "response" in policy["applies_when"]]
    assert len(rules) > 10
    for code in TRANSIENT | THROTTLED | {"IDPCommunicationError", "AccessDenied", "Other"}:
        for status in (400, 403, 429, 500, 501, 502, 503, 504, 509):
            expected = any(
                rule.get("service_error_code", code) == code and rule["http_status_code"] == status
                for rule in rules
            )
            assert LEGACY.retries(_error(code, status)) == expected, (code, status)


def test_a_broken_connection_is_retried_a_wrong_certificate_is_not() -> None:
    for policy in (STANDARD, LEGACY):
        assert policy.retries(BROKEN)
        assert not policy.retries(NetworkError("no such CA", "h", 1, retryable=False))


@pytest.mark.parametrize("code", ["Throttling", "SlowDown", "InternalFailure", "RequestTimeout"])
@pytest.mark.parametrize("after", [None, "", "0", "100", "3000", "1000000", "-5", "soon", "1.5"])
@pytest.mark.parametrize("status", [400, 429, 500])
def test_the_standard_wait_is_botocores(code: str, after: str | None, status: int) -> None:
    detector = theirs.ThrottlingErrorDetector(theirs.RetryEventAdapter())
    backoff = theirs.ExponentialBackoff(random=lambda: 0.75, throttling_detector=detector)
    for attempt in range(1, 12):
        expected = backoff.delay_amount(_theirs(code, status, attempt, after))
        assert STANDARD.delay(_error(code, status, after), attempt, 0.75) == expected


def test_a_broken_connection_waits_like_a_fault_of_the_server() -> None:
    assert [STANDARD.delay(BROKEN, attempt, 1.0) for attempt in (1, 2, 3, 20, 10**9)] == [0.05, 0.1, 0.2, 20, 20]


def test_the_legacy_wait_is_botocores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.retryhandler.random.random", lambda: 0.75)
    delay = DATA["retry"]["__default__"]["delay"]
    for attempt in range(1, 6):
        expected = delay_exponential(delay["base"], delay["growth_factor"], attempt)
        assert LEGACY.delay(_error("Throttling"), attempt, 0.75) == expected


def test_the_wait_before_2026() -> None:
    patient = retry.read_retry_policy({"AWS_NEW_RETRIES_2026": "False"})
    assert [patient.delay(_error("Other", 500, "4000"), attempt, 0.5) for attempt in (1, 2, 3, 9)] == [
        0.5,
        1,
        2,
        10,
    ]
    assert not retry.read_retry_policy({"AWS_NEW_RETRIES_2026": "true"}).patient
    assert not retry.read_retry_policy({}).patient


def _profile(**values: str) -> config.Profile:
    return config.Profile("p", dict(values), {})


def test_what_the_policy_is() -> None:
    def of(profile: config.Profile | None = None, **environ: str) -> tuple[str, int]:
        policy = retry.read_retry_policy(environ, profile)
        return policy.mode, policy.max_attempts

    assert of() == ("standard", 3)
    assert of(AWS_RETRY_MODE="adaptive") == ("standard", 3)
    assert of(AWS_RETRY_MODE="legacy") == ("legacy", DATA["retry"]["__default__"]["max_attempts"])
    assert of(AWS_RETRY_MODE="legacy", AWS_MAX_ATTEMPTS="2") == ("legacy", 2)
    ours = _profile(retry_mode="legacy", max_attempts="7")
    assert of(ours) == ("legacy", 7)
    assert of(ours, AWS_RETRY_MODE="standard", AWS_MAX_ATTEMPTS="1") == ("standard", 1)
    with pytest.raises(RequestError, match="invalid retry mode 'eager'; use standard, adaptive or legacy"):
        of(AWS_RETRY_MODE="eager")
    with pytest.raises(RequestError, match="max_attempts of profile p is 'x'; use a whole number above 0"):
        of(_profile(max_attempts="x"))
    with pytest.raises(RequestError, match="invalid number of attempts 0"):
        retry.RetryPolicy(max_attempts=0)


def test_max_attempts() -> None:
    assert retry.read_retry_policy({}).max_attempts == 3
    assert retry.read_retry_policy({"AWS_MAX_ATTEMPTS": ""}).max_attempts == 3
    assert retry.read_retry_policy({"AWS_MAX_ATTEMPTS": "1"}).max_attempts == 1
    assert retry.read_retry_policy({"AWS_MAX_ATTEMPTS": "10"}).max_attempts == 10
    for text in ("0", "-1", "1.5", "many", "²", "9" * 5000):
        with pytest.raises(RequestError, match="use a whole number above 0"):
            retry.read_retry_policy({"AWS_MAX_ATTEMPTS": text})
