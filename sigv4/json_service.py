"""One call of a service that speaks AWS's JSON protocol: sign, send, try again where it helps."""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING

from . import retry
from .errors import NetworkError, ResponseError, StsError, one_line
from .times import parse_http_date

if TYPE_CHECKING:
    from .endpoints import Endpoint
    from .http import HttpClient, Response
    from .request import Request
    from .signer import Signer

__all__ = ["call"]


def call(
    signer: "Signer",
    endpoint: "Endpoint",
    http: "HttpClient",
    request: "Request",
    policy: retry.Policy | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> bytes:
    """The body of a 200, not yet read.

    Raises NetworkError, ResponseError; StsError with the service's code and message where it refuses.
    """
    from random import random

    policy = policy or retry.Policy()
    attempt = 1
    while True:
        failure: NetworkError | StsError
        try:
            moment = signer.signing_time(time.time())
            response = http.send(signer.sign(request, endpoint.region, endpoint.service, moment))
        except NetworkError as error:
            failure = error
        else:
            if response.status == HTTPStatus.OK:
                return response.body
            failure = _refusal(response, endpoint)
        if not policy.retries(failure) or attempt >= policy.max_attempts:
            raise failure
        sleep(policy.delay(failure, attempt, random()))  # noqa: S311
        attempt += 1


def _refusal(response: "Response", endpoint: "Endpoint") -> StsError:
    """What the service answers instead (AWS JSON 1.1: `__type` and `message`, in either case)."""
    import json

    if response.status < 400:
        raise ResponseError(f"{endpoint.url} answered HTTP {response.status}; check the endpoint and any proxy")
    try:
        found = json.loads(response.body)
        code, message = found["__type"], found.get("message") or found.get("Message") or ""
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        code, message = None, ""
    if not (isinstance(code, str) and isinstance(message, str)):
        code, message = None, "an answer without an error document; check the endpoint and any proxy"
    error = StsError(
        one_line(code.rpartition("#")[2], 80) if code else str(response.status),
        message,
        response.header("x-amzn-RequestId") or "",
        response.status,
    )
    error.retry_after = retry.retry_after(response.header("x-amz-retry-after"), response.header("Retry-After"))
    date = parse_http_date(response.header("Date") or "")
    error.hint = retry.hint(error, 0.0 if date is None else date - time.time())
    return error
