"""The error reader that all AWS services share, and what a client of another key takes over."""

import pytest

from sigv4.client import StsClient, read_error
from sigv4.endpoints import resolve
from sigv4.errors import NoErrorDocumentError, ResponseError, StsError
from sigv4.http import HttpClient, Response
from sigv4.request import Request
from sigv4.signer import Signer, hmac_from_secret
from sigv4.sts import GetCallerIdentity
from tests.support.scripted import error

URL = "https://sts.eu-west-1.amazonaws.com/"
NO_DOCUMENT = "the response has no AWS error document"


def _read(body: str, status: int = 400, *headers: tuple[str, str]) -> StsError:
    return read_error(Response(status, headers, body.encode()), URL, 0.0)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (error("Throttling", "Slow."), ("Throttling", "Slow.", "0-2")),
        ("<Error><Code>NoSuchBucket</Code><Message>m</Message></Error>", ("NoSuchBucket", "m", "from-header")),
        ("<Error><Code>A</Code><RequestId>r-1</RequestId></Error>", ("A", "", "r-1")),
        ("<Response><Errors><Error><Code>B</Code></Error></Errors></Response>", ("B", "", "from-header")),
        (
            '{"__type":"com.amazon#AccessDeniedException","message":"m"}',
            ("AccessDeniedException", "m", "from-header"),
        ),
        (' {"__type":"C","Message":"M"}', ("C", "M", "from-header")),
    ],
)
def test_errors_in_xml_and_json(body: str, expected: tuple[str, str, str]) -> None:
    found = _read(body, 400, ("x-amzn-RequestId", "from-header"))
    assert (found.code, found.message, found.request_id) == expected


@pytest.mark.parametrize(
    "body", ["", "<html>", "{", "[]", "{}", '{"__type":1,"message":"m"}', '{"message":"Forbidden"}']
)
def test_a_response_without_an_error_document(body: str) -> None:
    found = _read(body, 403)
    assert found.code == "403"
    assert found.message.startswith(NO_DOCUMENT)
    assert isinstance(found, NoErrorDocumentError)


@pytest.mark.parametrize(
    ("status", "headers", "pattern"),
    [
        (204, (), f"unexpected HTTP 204 from {URL}"),
        (
            302,
            (("Location", "https://login.example/\n\x1b[31m"),),
            r"redirects to https://login.example/ \?\[31m \(HTTP",
        ),
        (307, (), "redirects to an unknown URL"),
    ],
)
def test_a_status_below_400_is_not_an_error_of_aws(
    status: int, headers: tuple[tuple[str, str], ...], pattern: str
) -> None:
    with pytest.raises(ResponseError, match=pattern):
        _read("", status, *headers)


def test_advice_and_delay_come_from_code_and_headers() -> None:
    found = _read('{"__type":"ThrottlingException"}', 400, ("x-amz-retry-after", "1500"))
    assert found.retry_after == 1.5
    assert found.hint.startswith("too many requests")


class _Late(HttpClient):
    """Refuses signatures that are not of its own time, an hour later."""

    def __init__(self) -> None:
        super().__init__(1)
        self.stamps: list[str | None] = []

    def send(self, request: Request) -> Response:
        self.stamps.append(request.header("X-Amz-Date"))
        if self.stamps[-1] == "20251124T160000Z":
            return Response(403, (("Date", "Mon, 24 Nov 2025 17:00:00 GMT"),), error("RequestExpired").encode())
        body = (
            "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>1</Account><Arn>a</Arn><UserId>u</UserId>"
            "</GetCallerIdentityResult></GetCallerIdentityResponse>"
        )
        return Response(200, (), body.encode())


def test_a_client_for_another_key_takes_over_the_clock_correction() -> None:
    http = _Late()
    client = StsClient(
        Signer("AKIAFIRST", hmac_from_secret("a")), resolve("eu-west-1"), http, clock=lambda: 1764000000
    )
    client.call(GetCallerIdentity())
    client.with_signer(Signer("ASIASECOND", hmac_from_secret("b"))).call(GetCallerIdentity())
    assert http.stamps == ["20251124T160000Z", "20251124T170000Z", "20251124T170000Z"]
