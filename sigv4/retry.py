"""When an STS call is tried again and how long is waited before; what a refusal means for the user.

Source: botocore retries/standard.py.
"""

from collections.abc import Mapping

from .errors import RequestError, StsError

__all__ = [
    "CLOCK_TOLERANCE",
    "backoff",
    "hint",
    "is_about_time",
    "is_retryable",
    "max_attempts",
    "may_be_about_time",
]

CLOCK_TOLERANCE = 240  # seconds; AWS allows 300

_TRANSIENT_STATUS = frozenset((500, 502, 503, 504))
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
_THROTTLED_HINT = "too many requests: wait a minute, and keep credentials for longer"


def max_attempts(environ: Mapping[str, str]) -> int:
    """Attempts for one call: AWS_MAX_ATTEMPTS, else 3. Raises RequestError for anything but a number above 0."""
    text = environ.get("AWS_MAX_ATTEMPTS")
    if not text:
        return 3
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) < 1_000_000 and len(text) < 7):
        raise RequestError(f"AWS_MAX_ATTEMPTS is {text!r}; use a whole number above 0")
    return int(text)


def backoff(attempt: int, random: float) -> float:
    """Seconds to wait after the `attempt`th attempt (from 1) has failed; `random` is from 0 to 1."""
    return random * min(2.0 ** (attempt - 1), 20.0)


def is_retryable(error: StsError) -> bool:
    """Whether the same request may succeed later: throttled, or a fault on AWS's side."""
    return error.code in _TRANSIENT or error.code in _THROTTLED or error.http_status in _TRANSIENT_STATUS


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
    if error.code in _THROTTLED:
        return _THROTTLED_HINT
    return _HINTS.get(error.code, "")
