"""Decides whether and when to retry a request, and gives advice for AWS's errors.

Source: botocore retries/standard.py, for the mode legacy its data/_retry.json.
"""

from __future__ import annotations

from collections.abc import Mapping

from .errors import NetworkError, RequestError, StsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .config import Profile

__all__ = [
    "CLOCK_TOLERANCE",
    "RetryPolicy",
    "clock_hint",
    "hint",
    "is_about_time",
    "may_be_about_time",
    "may_be_processed",
    "read_retry_policy",
    "retry_after",
]

CLOCK_TOLERANCE = 240  # seconds of clock difference; AWS allows 300

_LONGEST = 20.0  # seconds
_RETRY_AFTER_MORE = 5.0  # seconds that a server's Retry-After may add to the delay

_THROTTLED_STATUS = 429
_RETRYABLE_STATUS = frozenset((_THROTTLED_STATUS, 500, 502, 503, 504))
_LEGACY_STATUS = _RETRYABLE_STATUS | {509}
_LEGACY_CODES = frozenset(
    (
        "IDPCommunicationError",
        "ProvisionedThroughputExceededException",
        "RequestThrottledException",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
    )
)
_THROTTLED = frozenset(
    (
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    )
)
# IDPCommunicationError is the only error that STS's model marks as retryable.
_TRANSIENT = frozenset(("IDPCommunicationError", "RequestTimeout", "RequestTimeoutException"))

_TIME_CODES = frozenset(("RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"))
_TIME_TEXTS = ("signature expired", "signature not yet current")
_SIGNATURE_CODES = frozenset(("AuthFailure", "InvalidSignatureException", "SignatureDoesNotMatch"))

_HINTS = {
    "AccessDenied": "the user of this key lacks the permission; check its policies, and the role's trust policy",
    "ExpiredToken": "the credentials that signed the request have expired; get new credentials",
    "ExpiredTokenException": "the credentials that signed the request have expired; get new credentials",
    "InvalidClientTokenId": "unknown access key id; check its spelling, that it is "
    "active, and that it belongs to this partition",
    "RegionDisabledException": "STS is not activated in this region for the account; activate it in IAM's account "
    "settings, or use another region",
    "SignatureDoesNotMatch": "the key does not belong to this access key id; check that it is the right key, and "
    'that it was created from "AWS4" followed by the secret access key',
}
# AWS also responds with AccessDenied to a wrong MFA code.
_MFA_HINT = (
    "AWS accepts an MFA code once, and only while it is current; wait 30 seconds and try the next one, or check "
    "the clock of the MFA device and its serial number"
)
_THROTTLED_HINT = "too many requests; wait a minute, and cache credentials"


class RetryPolicy:
    """The number of attempts and the delays between them.

    `mode` is standard, legacy or adaptive. For a single request, adaptive acts as standard. With `patient`, the
    delays are as in botocore before 2026: up to a second at first, for any error. Raises RequestError for an
    unknown mode, or for fewer than 1 attempt.
    """

    __slots__ = ("max_attempts", "mode", "patient")

    def __init__(self, mode: str = "standard", max_attempts: int | None = None, *, patient: bool = False) -> None:
        if mode not in ("adaptive", "legacy", "standard"):
            raise RequestError(f"invalid retry mode {mode!r}; use standard, adaptive or legacy")
        self.mode = "standard" if mode == "adaptive" else mode
        self.max_attempts = max_attempts if max_attempts is not None else (5 if mode == "legacy" else 3)
        self.patient = patient
        if self.max_attempts < 1:
            raise RequestError(f"invalid number of attempts {max_attempts}; use a whole number above 0")

    def retries(self, failure: NetworkError | StsError) -> bool:
        """Returns whether to retry after `failure`: throttling, a network error, or an error on AWS's side."""
        if isinstance(failure, NetworkError):
            return failure.retryable
        if self.mode == "legacy":
            status = failure.http_status
            return status in _LEGACY_STATUS or (status == 400 and failure.code in _LEGACY_CODES)
        has_retryable_code = failure.code in _TRANSIENT or failure.code in _THROTTLED
        return has_retryable_code or failure.http_status in _RETRYABLE_STATUS

    def delay(self, failure: NetworkError | StsError, attempt: int, random: float) -> float:
        """Returns the delay in seconds after failed attempt number `attempt`, counted from 1.

        `random` is a number from 0 to 1.
        """
        doubled = 2.0 ** min(attempt - 1, 64)
        if self.mode == "legacy":
            return random * doubled
        if self.patient:
            return random * min(doubled, _LONGEST)
        delay = random * min(doubled * (1.0 if _is_throttled(failure) else 0.05), _LONGEST)
        server_delay = failure.retry_after if isinstance(failure, StsError) else None
        return delay if server_delay is None else max(delay, min(server_delay, delay + _RETRY_AFTER_MORE))


def read_retry_policy(environ: Mapping[str, str], profile: Profile | None = None) -> RetryPolicy:
    """Returns the retry policy that AWS_RETRY_MODE, AWS_MAX_ATTEMPTS and AWS_NEW_RETRIES_2026 select.

    If AWS_RETRY_MODE or AWS_MAX_ATTEMPTS is not set, the profile's retry_mode or max_attempts applies. Raises
    RequestError for invalid values.
    """
    mode = environ.get("AWS_RETRY_MODE") or (profile and profile.get("retry_mode")) or "standard"
    attempts = environ.get("AWS_MAX_ATTEMPTS")
    source = "AWS_MAX_ATTEMPTS"
    if not attempts and profile is not None:
        attempts, source = profile.get("max_attempts"), f"max_attempts of {profile}"
    patient = environ.get("AWS_NEW_RETRIES_2026", "").lower() == "false"
    return RetryPolicy(mode, _parse_attempts(source, attempts) if attempts else None, patient=patient)


def _parse_attempts(source: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) < 1_000_000 and len(text) < 7):
        raise RequestError(f"{source} is {text!r}; use a whole number above 0")
    return int(text)


def retry_after(milliseconds: str | None, seconds: str | None = None) -> float | None:
    """Returns the delay in seconds that a response requests; None if it requests none.

    `milliseconds` is AWS's x-amz-retry-after, which takes precedence. `seconds` is the Retry-After of proxies and
    load balancers (RFC 9110 §10.2.3). A date in Retry-After is ignored, because the clock may be wrong.
    """
    for text, unit in ((milliseconds, 1000), (seconds, 1)):
        if text is not None and text.isascii() and text.isdigit() and len(text) < 10:
            return int(text) / unit
    return None


def _is_throttled(failure: NetworkError | StsError) -> bool:
    if isinstance(failure, NetworkError):
        return False
    return failure.code in _THROTTLED or failure.http_status == _THROTTLED_STATUS


def may_be_processed(failure: NetworkError | StsError) -> bool:
    """Returns whether AWS may have processed the request before `failure`, although it returned no result."""
    if isinstance(failure, NetworkError):
        return failure.sent
    return failure.http_status >= 500 and not _is_throttled(failure)


def is_about_time(error: StsError) -> bool:
    """Returns whether the error says that AWS rejects the time of the signature."""
    message = error.message.lower()
    return error.code in _TIME_CODES or (
        error.code in _SIGNATURE_CODES and any(text in message for text in _TIME_TEXTS)
    )


def may_be_about_time(error: StsError) -> bool:
    """Returns whether a wrong clock can be the cause of the error."""
    return error.code in _SIGNATURE_CODES or is_about_time(error)


def clock_hint(clock_offset: float) -> str:
    """Returns advice about a wrong clock. `clock_offset` is the server's time minus the local time in seconds."""
    where = "behind" if clock_offset > 0 else "ahead"
    return f"your clock is {abs(round(clock_offset))} seconds {where}; set it (timedatectl set-ntp true)"


def hint(error: StsError, clock_offset: float) -> str:
    """Returns the next step for an error, or "".

    `clock_offset` is the server's time minus the local time in seconds.
    """
    if may_be_about_time(error) and abs(clock_offset) > CLOCK_TOLERANCE:
        return clock_hint(clock_offset)
    if is_about_time(error):
        return "the signature's time differs from AWS's; check the clock (timedatectl)"
    if error.retry_after is not None and error.retry_after > _RETRY_AFTER_MORE:
        return f"the server asks to wait {error.retry_after:g} seconds; try again then"
    if _is_throttled(error):
        return _THROTTLED_HINT
    if error.code == "AccessDenied" and "multifactorauthentication failed" in error.message.lower():
        return _MFA_HINT
    return _HINTS.get(error.code, "")
