"""When an STS call is tried again and how long is waited before; what a refusal means for the user.

Source: botocore retries/standard.py, for the mode legacy its data/_retry.json.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .errors import NetworkError, RequestError, StsError

if TYPE_CHECKING:
    from .config import Profile

__all__ = [
    "CLOCK_TOLERANCE",
    "RetryPolicy",
    "hint",
    "is_about_time",
    "may_be_about_time",
    "read_retry_policy",
    "retry_after",
]

CLOCK_TOLERANCE = 240  # seconds; AWS allows 300

_LONGEST = 20.0  # seconds
_RETRY_AFTER_MORE = 5.0  # seconds that the server may ask for beyond our own wait

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
# IDPCommunicationError is the one error that STS's own model calls retryable.
_TRANSIENT = frozenset(("IDPCommunicationError", "RequestTimeout", "RequestTimeoutException"))

_TIME_CODES = frozenset(("RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"))
_TIME_TEXTS = ("signature expired", "signature not yet current")
_SIGNATURE_CODES = frozenset(("AuthFailure", "InvalidSignatureException", "SignatureDoesNotMatch"))

_HINTS = {
    "AccessDenied": "the user behind this key lacks the permission: check its policies, and a role's trust policy",
    "ExpiredToken": "the credentials that signed this have expired: get new ones",
    "ExpiredTokenException": "the credentials that signed this have expired: get new ones",
    "InvalidClientTokenId": "AWS does not know this access key id: check it for a typing error, whether it is "
    "active, and that it belongs to this partition",
    "RegionDisabledException": "STS is not activated in this region for the account: activate it in IAM's account "
    "settings, or use another region",
    "SignatureDoesNotMatch": "the key does not belong to this access key id: check that it is the right one, and "
    'that it was made from "AWS4" followed by the secret access key',
}
# Otherwise it would be taken for a lack of permissions, which is this code's other meaning.
_MFA_HINT = (
    "AWS takes an MFA code once, and only about its time: try again with the next one, in half a minute; "
    "else check the clock that it is made by, and the device's serial"
)
_THROTTLED_HINT = "too many requests: wait a minute, and keep credentials for longer"


class RetryPolicy:
    """How often and how fast a call is tried again.

    `mode` is standard or legacy (adaptive's own rate limit is for many calls; for one it is standard's).
    `patient` waits as botocore did before 2026: from a second on, whatever the failure.
    Raises RequestError for another mode or a number of attempts below 1.
    """

    __slots__ = ("max_attempts", "mode", "patient")

    def __init__(self, mode: str = "standard", max_attempts: int | None = None, *, patient: bool = False) -> None:
        if mode not in ("adaptive", "legacy", "standard"):
            raise RequestError(f"the retry mode is {mode!r}; use standard, adaptive or legacy")
        self.mode = "standard" if mode == "adaptive" else mode
        self.max_attempts = max_attempts if max_attempts is not None else (5 if mode == "legacy" else 3)
        self.patient = patient
        if self.max_attempts < 1:
            raise RequestError(f"{max_attempts} attempts are none; use a whole number above 0")

    def retries(self, failure: NetworkError | StsError) -> bool:
        """Whether the same request may succeed later: throttled, or a fault of the network or on AWS's side."""
        if isinstance(failure, NetworkError):
            return failure.retryable
        if self.mode == "legacy":
            status = failure.http_status
            return status in _LEGACY_STATUS or (status == 400 and failure.code in _LEGACY_CODES)
        known = failure.code in _TRANSIENT or failure.code in _THROTTLED
        return known or failure.http_status in _RETRYABLE_STATUS

    def delay(self, failure: NetworkError | StsError, attempt: int, random: float) -> float:
        """Seconds to wait after the `attempt`th attempt (from 1) has failed; `random` is from 0 to 1."""
        doubled = 2.0 ** min(attempt - 1, 64)
        if self.mode == "legacy":
            return random * doubled
        if self.patient:
            return random * min(doubled, _LONGEST)
        own = random * min(doubled * (1.0 if _is_throttled(failure) else 0.05), _LONGEST)
        asked = failure.retry_after if isinstance(failure, StsError) else None
        return own if asked is None else max(own, min(asked, own + _RETRY_AFTER_MORE))


def read_retry_policy(environ: Mapping[str, str], profile: "Profile | None" = None) -> RetryPolicy:
    """The policy that AWS_RETRY_MODE, AWS_MAX_ATTEMPTS and AWS_NEW_RETRIES_2026 ask for.

    The first two, where `environ` lacks them, may be the profile's retry_mode and max_attempts. Raises
    RequestError for values that they do not have.
    """
    mode = environ.get("AWS_RETRY_MODE") or (profile and profile.get("retry_mode")) or "standard"
    attempts = environ.get("AWS_MAX_ATTEMPTS")
    source = "AWS_MAX_ATTEMPTS"
    if not attempts and profile is not None:
        attempts, source = profile.get("max_attempts"), f"max_attempts of {profile}"
    patient = environ.get("AWS_NEW_RETRIES_2026", "").lower() == "false"
    return RetryPolicy(mode, _attempts(source, attempts) if attempts else None, patient=patient)


def _attempts(source: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) < 1_000_000 and len(text) < 7):
        raise RequestError(f"{source} is {text!r}; use a whole number above 0")
    return int(text)


def retry_after(milliseconds: str | None, seconds: str | None = None) -> float | None:
    """Seconds that an answer asks us to wait; None where it does not.

    AWS's x-amz-retry-after counts `milliseconds`, and comes first; Retry-After, of proxies and balancers,
    `seconds` (RFC 9110 §10.2.3; its other form, a date, would need a right clock).
    """
    for text, unit in ((milliseconds, 1000), (seconds, 1)):
        if text is not None and text.isascii() and text.isdigit() and len(text) < 10:
            return int(text) / unit
    return None


def _is_throttled(failure: NetworkError | StsError) -> bool:
    if isinstance(failure, NetworkError):
        return False
    return failure.code in _THROTTLED or failure.http_status == _THROTTLED_STATUS


def is_about_time(error: StsError) -> bool:
    """Whether AWS says that the signature's time is wrong."""
    message = error.message.lower()
    return error.code in _TIME_CODES or (
        error.code in _SIGNATURE_CODES and any(text in message for text in _TIME_TEXTS)
    )


def may_be_about_time(error: StsError) -> bool:
    """Whether a wrong clock is one of the reasons that the error can have."""
    return error.code in _SIGNATURE_CODES or is_about_time(error)


def hint(error: StsError, clock_offset: float) -> str:
    """What to do about an error, "" if nothing is known; `clock_offset`: server's time less ours, in seconds."""
    if may_be_about_time(error) and abs(clock_offset) > CLOCK_TOLERANCE:
        where = "behind" if clock_offset > 0 else "ahead"
        return f"your clock is {abs(round(clock_offset))} seconds {where}: set it (timedatectl set-ntp true)"
    if is_about_time(error):
        return "the signature's time is not AWS's: check the clock (timedatectl)"
    if error.retry_after is not None and error.retry_after > _RETRY_AFTER_MORE:
        return f"the server asks for {error.retry_after:g} seconds without requests: try again then"
    if _is_throttled(error):
        return _THROTTLED_HINT
    if error.code == "AccessDenied" and "multifactorauthentication failed" in error.message.lower():
        return _MFA_HINT
    return _HINTS.get(error.code, "")
