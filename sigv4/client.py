"""Clients of AWS services, which sign, send and retry requests, read errors, and correct a wrong clock once."""

from __future__ import annotations

import time
from collections.abc import Callable

from . import retry, xml
from .credentials import Credentials
from .endpoints import Endpoint
from .errors import NetworkError, NoErrorDocumentError, RequestError, ResponseError, StsError, one_line
from .http import HttpClient, Response
from .operation import Operation
from .request import Request
from .signer import Signer
from .times import parse_http_date, parse_rfc3339

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    Result = TypeVar("Result")

__all__ = ["AwsClient", "StsClient"]

# Paths of the error element in XML: STS and IAM, two older forms, and S3.
_ERRORS = ("ErrorResponse/Error/", "ErrorResponse/Errors/Error/", "Response/Errors/Error/", "Error/")
_REQUEST_IDS = ("ErrorResponse/RequestId", "ErrorResponse/RequestID", "Response/RequestID", "Error/RequestId")


class AwsClient:
    """A client of the AWS service at `endpoint`, signing with the key of `signer`.

    `policy` controls retries (default: the standard mode). `warn` is called with one line when the clock is wrong.
    `clock` returns POSIX seconds, `sleep` takes seconds, `random` returns a number from 0 to 1.
    """

    success = range(200, 201)
    """HTTP statuses of a response that is not an error."""

    def __init__(
        self,
        signer: Signer,
        endpoint: Endpoint,
        http: HttpClient,
        *,
        policy: retry.RetryPolicy | None = None,
        warn: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] | None = None,
    ) -> None:
        self._signer = signer
        self._endpoint = endpoint
        self._http = http
        self._policy = policy or retry.RetryPolicy()
        self._warn = warn
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self._offset = 0.0

    def call(self, operation: Operation[Result]) -> Result:
        """Sends the operation's request, and returns the operation's result.

        Raises RequestError for invalid parameters, before anything is signed. Raises ResponseError if the body is
        not a response to this operation, or if the returned credentials have already expired. AWS's clock decides
        that; the local clock does if the response has no Date. Raises the errors of `send`.
        """
        operation.check()
        response = self.send(operation.request(self._endpoint.url), single_use=operation.single_use)
        offset = self._server_offset(response)
        value = operation.read(response.body)
        if isinstance(value, Credentials):
            self._check_expiration(value.expiration, offset)
            if offset is not None and offset > retry.CLOCK_TOLERANCE:
                value.clock_offset = round(offset)
        return value

    def send(self, request: Request, *, single_use: bool = False) -> Response:
        """Signs and sends `request`, and returns a response with an HTTP status in `success`.

        A `single_use` request has a value that AWS accepts once, such as an MFA code. It is not sent again if AWS
        may have processed it.

        Raises NetworkError if there is no valid response, and StsError if AWS responds with an error. Raises
        ResponseError for a redirect, any other status below 400, or a compressed body. Errors of the signer's HMAC
        pass through. If the clock is wrong, the signer may compute the HMAC of a second day.
        """
        attempt, corrected = 1, False
        while True:
            failure: NetworkError | StsError
            try:
                response = self._http.send(self._sign(request))
            except NetworkError as error:
                failure = error
            else:
                if response.status in self.success:
                    return _check_coding(response)
                offset = self._server_offset(response)
                failure = self.explain(response, offset or 0.0)
                if not corrected and self._correct_clock(failure, offset):
                    corrected = True
                    continue
            if not self._policy.retries(failure):
                raise failure
            if single_use and retry.may_be_processed(failure):
                failure.add_note(
                    "AWS may have used up the MFA code, so the request was not sent again; wait for the next "
                    "code, then try again"
                )
                raise failure
            if attempt >= self._policy.max_attempts:
                raise failure
            self._sleep(self._policy.delay(failure, attempt, self._random_number()))
            attempt += 1

    def explain(self, response: Response, clock_offset: float) -> StsError:
        """Returns the error of a response, as `read_error` does, with a hint for this client's service."""
        return read_error(response, self._endpoint.url, clock_offset)

    def _sign(self, request: Request) -> Request:
        moment = self._signer.signing_time(self._clock() + self._offset)
        return self._signer.sign(request, self._endpoint.region, self._endpoint.service, moment)

    def _random_number(self) -> float:
        if self._random is None:
            from random import random  # late: a credential run without retries does not need it

            self._random = random
        return self._random()

    def _server_offset(self, response: Response) -> float | None:
        """Returns the server's time minus the local time in seconds; None if the response has no valid Date."""
        date = parse_http_date(response.header("Date") or "")
        return None if date is None else date - self._clock()

    def _correct_clock(self, error: StsError, offset: float | None) -> bool:
        """Adopts the server's time if a wrong local clock can cause `error`; returns whether to sign again.

        `offset` is the server's time minus the local time in seconds, or None.
        """
        if offset is None:
            return False
        wrong = abs(offset - self._offset) > retry.CLOCK_TOLERANCE and retry.may_be_about_time(error)
        if not wrong and not retry.is_about_time(error):
            return False
        self._adopt_offset(offset)
        return True

    def _adopt_offset(self, offset: float) -> None:
        """Signs later requests with the server's time; warns. `offset` is that time minus the local time."""
        self._offset = offset
        if self._warn is not None and abs(offset) > retry.CLOCK_TOLERANCE:
            where = "behind" if offset > 0 else "ahead of"
            self._warn(f"your clock is {abs(round(offset))} seconds {where} AWS; signing with AWS's time instead")

    def _check_expiration(self, expiration: str, offset: float | None) -> None:
        """Raises ResponseError if credentials with this expiration have expired by AWS's clock.

        Warns if they have expired only by the local clock. `expiration` is RFC 3339 text. `offset` is the server's
        time minus the local time in seconds; if it is None, the local clock decides.
        """
        ends = parse_rfc3339(expiration)
        if ends > self._clock():
            return
        if offset is None or ends <= self._clock() + offset:
            raise ResponseError(
                f"the credentials in the response expired at {expiration}; check the endpoint and the clock "
                "(timedatectl)"
            )
        if self._warn is not None:
            self._warn(
                f"your clock is {abs(round(offset))} seconds ahead of AWS: programs will treat these credentials "
                "as expired; set the clock (timedatectl set-ntp true)"
            )


class StsClient(AwsClient):
    """A client of STS at `endpoint`, with the same arguments as AwsClient."""

    def with_signer(self, signer: Signer) -> StsClient:
        """Returns a copy of the client that signs with `signer`; keeps the endpoint and the clock correction."""
        other = StsClient(
            signer,
            self._endpoint,
            self._http,
            policy=self._policy,
            warn=self._warn,
            clock=self._clock,
            sleep=self._sleep,
            random=self._random,
        )
        other._offset = self._offset
        return other

    def call(self, operation: Operation[Result]) -> Result:
        """Sends the operation's request, and returns the operation's result.

        Raises the errors of AwsClient.call. Raises RequestError if the endpoint is STS's global endpoint and the
        operation is available at regional endpoints only.
        """
        operation.check()
        if operation.regional and self._endpoint.is_global:
            raise RequestError(
                f"STS's global endpoint does not support {operation.action}; give a region, such as us-east-1"
            )
        return super().call(operation)


def read_error(response: Response, url: str, clock_offset: float) -> StsError:
    """Returns the error of a response from `url` whose status is not 200.

    The error is a NoErrorDocumentError if the response has no AWS error document. `clock_offset` is the server's
    time minus the local time in seconds. Raises ResponseError for a status below 400.
    """
    if 300 <= response.status < 400:
        target = one_line(response.header("Location") or "an unknown URL", 200)
        raise ResponseError(
            f"{url} redirects to {target} (HTTP {response.status}), and redirects are not followed; check the "
            "endpoint and any proxy in between"
        )
    if response.status < 300:
        raise ResponseError(
            f"unexpected HTTP {response.status} from {url}: expected 200 or an error; check the endpoint and any "
            "proxy in between"
        )
    error_type = response.header("x-amzn-ErrorType")
    if error_type or response.body.lstrip().startswith(b"{"):
        code, message, request_id = _read_json_error(response.body, error_type)
    else:
        code, message, request_id = _read_xml_error(response.body)
    kind = StsError if code or message else NoErrorDocumentError
    if kind is NoErrorDocumentError:
        message = "the response has no AWS error document; check the endpoint and any proxy in between"
    error = kind(
        code or str(response.status),
        message,
        request_id or response.header("x-amzn-RequestId") or "",
        response.status,
    )
    error.retry_after = retry.retry_after(response.header("x-amz-retry-after"), response.header("Retry-After"))
    error.hint = retry.hint(error, clock_offset)
    return error


def _read_xml_error(body: bytes) -> tuple[str, str, str]:
    """Returns (code, message, request id) of an error in XML; each is "" if it is missing."""
    try:
        document = xml.parse_xml(body)
    except ResponseError:
        return "", "", ""
    code = document.first(*(path + "Code" for path in _ERRORS))
    message = document.first(*(path + "Message" for path in _ERRORS))
    return code, message, document.first(*_REQUEST_IDS)


def _read_json_error(body: bytes, error_type: str | None) -> tuple[str, str, str]:
    """Returns (code, message, "") of an error in AWS JSON 1.1 or REST JSON; both are "" if there is no code.

    `error_type` is the header x-amzn-ErrorType, which takes precedence over the body's __type and code.
    """
    import json  # late: a credential run reads XML only

    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    fields = document if isinstance(document, dict) else {}
    code = error_type or fields.get("__type") or fields.get("code") or ""
    message = fields.get("message") or fields.get("Message") or ""
    if not (code and isinstance(code, str) and isinstance(message, str)):
        return "", "", ""
    # For example: com.amazon.coral#AccessDeniedException:http://internal.amazon.com/coral/
    return code.partition(":")[0].rpartition("#")[2], message, ""


def _check_coding(response: Response) -> Response:
    """Returns the response unchanged. Raises ResponseError if its body is compressed."""
    coding = response.header("Content-Encoding") or "identity"
    if coding.lower() != "identity":
        raise ResponseError(
            f"the response is compressed ({one_line(coding, 40)}), although no compression was requested; check "
            "the endpoint and any proxy in between"
        )
    return response
