"""One STS call from operation to value: sign, send, try again where it helps, correct a wrong clock once."""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

from . import retry, xml
from .endpoints import Endpoint
from .errors import NetworkError, RequestError, ResponseError, StsError, one_line
from .http import HttpClient, Response
from .request import Request
from .signer import Signer
from .sts import Credentials, Operation
from .times import parse_http_date, parse_rfc3339

__all__ = ["StsClient"]

Result = TypeVar("Result")

_FORM = ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
# As STS has it, and two older forms that other implementations answer with.
_ERRORS = ("ErrorResponse/Error/", "ErrorResponse/Errors/Error/", "Response/Errors/Error/", "Error/")


class StsClient:
    """STS at `endpoint`, for the key of `signer`.

    `policy` says how calls are tried again; without one it is the standard mode's.
    `warn` is told, in one line, of a clock that had to be corrected. `clock` (POSIX seconds), `sleep`
    (seconds) and `random` (0 to 1) are the world outside.
    """

    def __init__(
        self,
        signer: Signer,
        endpoint: Endpoint,
        http: HttpClient,
        *,
        policy: retry.Policy | None = None,
        warn: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] | None = None,
    ) -> None:
        self._signer = signer
        self._endpoint = endpoint
        self._http = http
        self._policy = policy or retry.Policy()
        self._warn = warn
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self._offset = 0.0

    def signed_by(self, signer: Signer) -> "StsClient":
        """The same STS for another key; what was learnt of our clock is known to it."""
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
        """The operation's value.

        Raises RequestError for unfit parameters, before anything is signed; NetworkError; StsError, where
        AWS refuses; ResponseError, where a 200 holds no answer of this operation, or credentials that have expired
        for AWS too. What the signer's HMAC raises passes through: it may be asked again, for another day, if the
        clock was wrong.
        """
        operation.check()
        if operation.regional and self._endpoint.is_global:
            raise RequestError(
                f"{operation.action} is not offered by STS's global endpoint; give a region, such as us-east-1"
            )
        request = self._request(operation)
        attempt, corrected = 1, False
        while True:
            failure: NetworkError | StsError
            try:
                response = self._http.send(self._signed(request))
            except NetworkError as error:
                failure = error
            else:
                offset = self._server_offset(response)
                if response.status == HTTPStatus.OK:
                    return self._value(operation, response, offset)
                failure = self._refusal(response, offset)
                if not corrected and self._correct(failure, offset):
                    corrected = True
                    continue
            if not self._policy.retries(failure) or attempt >= self._policy.max_attempts:
                raise failure
            self._sleep(self._policy.delay(failure, attempt, self._chance()))
            attempt += 1

    def _value(self, operation: Operation[Result], response: Response, offset: float | None) -> Result:
        coding = response.header("Content-Encoding") or "identity"
        if coding.lower() != "identity":
            raise ResponseError(
                f"the answer is compressed ({one_line(coding, 40)}), which was not asked for; "
                "check any proxy before the endpoint"
            )
        value = operation.result(xml.parse(response.body))
        if isinstance(value, Credentials):
            self._check_expiration(value.expiration, offset)
            if offset is not None and offset > retry.CLOCK_TOLERANCE:
                value.clock_offset = round(offset)
        return value

    def _check_expiration(self, expiration: str, offset: float | None) -> None:
        """Refuses what has expired for AWS too; a clock of ours that only makes it seem so is told of."""
        ends = parse_rfc3339(expiration)
        if ends > self._clock():
            return
        if offset is None or ends <= self._clock() + offset:
            raise ResponseError(
                f"the answer's credentials expired at {expiration}; check the endpoint and the clock (timedatectl)"
            )
        if self._warn is not None:
            self._warn(
                f"your clock is {abs(round(offset))} seconds ahead of AWS: programs take these credentials for "
                "expired; set it (timedatectl set-ntp true)"
            )

    def _chance(self) -> float:
        if self._random is None:
            from random import random

            self._random = random
        return self._random()

    def _request(self, operation: Operation[Any]) -> Request:
        """The request of an operation, not signed."""
        return Request("POST", self._endpoint.url, (_FORM,), operation.form())

    def _signed(self, request: Request) -> Request:
        moment = self._signer.signing_time(self._clock() + self._offset)
        return self._signer.sign(request, self._endpoint.region, "sts", moment)

    def _server_offset(self, response: Response) -> float | None:
        """Seconds that the server's clock is ahead of ours; None where it does not say."""
        date = parse_http_date(response.header("Date") or "")
        return None if date is None else date - self._clock()

    def _correct(self, error: StsError, offset: float | None) -> bool:
        """Takes over the server's time if the refusal can come from ours; whether to sign anew."""
        if offset is None:
            return False
        wrong = abs(offset - self._offset) > retry.CLOCK_TOLERANCE and retry.may_be_about_time(error)
        if not wrong and not retry.is_about_time(error):
            return False
        self._offset = offset
        if self._warn is not None and abs(offset) > retry.CLOCK_TOLERANCE:
            where = "behind" if offset > 0 else "ahead of"
            self._warn(f"your clock is {abs(round(offset))} seconds {where} AWS; signing with AWS's time instead")
        return True

    def _refusal(self, response: Response, offset: float | None) -> StsError:
        if 300 <= response.status < 400:
            where = one_line(response.header("Location") or "elsewhere", 200)
            raise ResponseError(
                f"{self._endpoint.url} redirects to {where} (HTTP {response.status}), which is not followed; "
                "check the endpoint and any proxy before it"
            )
        if response.status < 300:
            raise ResponseError(
                f"{self._endpoint.url} answered HTTP {response.status}, where STS answers 200 or an error; "
                "check the endpoint and any proxy before it"
            )
        try:
            document = xml.parse(response.body)
        except ResponseError:
            document = xml.Document("", {}, set())
        code = document.first(*(path + "Code" for path in _ERRORS))
        message = document.first(*(path + "Message" for path in _ERRORS))
        request_id = document.first(
            "ErrorResponse/RequestId", "ErrorResponse/RequestID", "Response/RequestID", "Error/RequestId"
        )
        error = StsError(
            code or str(response.status),
            message
            or ("" if code else "an answer without an STS error document; check the endpoint and any proxy"),
            request_id or response.header("x-amzn-RequestId") or "",
            response.status,
        )
        error.retry_after = retry.retry_after(response.header("x-amz-retry-after"), response.header("Retry-After"))
        error.hint = retry.hint(error, offset or 0.0)
        return error
