"""Answers that STS must not give and sometimes does: refusals, faults, and 200s that are none."""

import gzip
import json

import pytest

from tests.support.faults import Bench, Fault
from tests.support.scripted import STS_ANSWER, ScriptedServer, error, http, say


def _changed(old: str, new: str) -> bytes:
    assert old in STS_ANSWER
    return http("200 OK", STS_ANSWER.replace(old, new))


def _refused(code: str, message: str = "No.", status: str = "403 Forbidden") -> bytes:
    return http(status, error(code, message))


def _with(header: str, status: str = "200 OK", body: bytes = STS_ANSWER.encode()) -> bytes:
    """An answer with that header only, so that its length is told by none."""
    return f"HTTP/1.1 {status}\r\n{header}\r\n\r\n".encode() + body


NO_DOCUMENT = "the response has no AWS error document; check the endpoint and any proxy in between"
NO_XML = "the response is not valid XML"
CUT = "closed the connection in the middle of its response; try again"

REFUSALS = {
    "SignatureDoesNotMatch": (
        _refused("SignatureDoesNotMatch"),
        Fault(6, 'the key does not belong to this access key id; check that it is the right key, and that it was '
              'created from "AWS4" followed by the secret access key'),
    ),
    "InvalidClientTokenId": (
        _refused("InvalidClientTokenId"),
        Fault(6, "unknown access key id; check its spelling, that it is active"),
    ),
    "AccessDenied": (
        _refused("AccessDenied"),
        Fault(6, "the user of this key lacks the permission; check its policies, and the role's trust policy"),
    ),
    "ExpiredToken": (
        _refused("ExpiredToken"),
        Fault(6, "the credentials that signed the request have expired; get new credentials"),
    ),
    "RegionDisabledException": (
        _refused("RegionDisabledException"),
        Fault(6, "STS is not activated in this region for the account; activate it in IAM's account settings"),
    ),
    "a refusal with control characters": (
        _refused("AccessDenied", "&#x9b;31m&#x85;one&#13;two"),
        Fault(6, "AccessDenied: ?31m one two (HTTP 403, request id 0-2)"),
    ),
    "403 with a page": (http("403 Forbidden", "<html><br></html>"), Fault(7, f"403: {NO_DOCUMENT} (HTTP 403)")),
    "400 Throttling": (
        _refused("Throttling", status="400 Bad Request"),
        Fault(6, "too many requests; wait a minute, and cache credentials", 3, within=3.0),
    ),
}  # fmt: skip

PASSING = {
    "500": (http("500 Oops"), Fault(7, f"500: {NO_DOCUMENT} (HTTP 500)", 3)),
    "502 with a page": (http("502 Bad Gateway", "<html><br></html>"), Fault(7, f"502: {NO_DOCUMENT}", 3)),
    "503 ServiceUnavailable": (
        _refused("ServiceUnavailable", status="503 Slow Down"), Fault(6, "ServiceUnavailable: No (HTTP 503", 3)
    ),
    "503 with Retry-After in seconds": (
        http("503 Slow Down", "", "Retry-After: 1"), Fault(7, f"503: {NO_DOCUMENT}", 3, within=3.0)
    ),
    "503 with Retry-After of an hour, 2 attempts": (
        http("503 Slow Down", "", "Retry-After: 3600"),
        Fault(7, "the server asks to wait 3600 seconds; try again then", 2, within=6.1),
    ),
    "503 with x-amz-retry-after in ms": (
        http("503 Slow Down", "", "x-amz-retry-after: 900"), Fault(7, f"503: {NO_DOCUMENT}", 3, within=3.0)
    ),
    "429": (http("429 Too Many Requests"), Fault(7, "too many requests; wait a minute", 3, within=3.0)),
    "504": (http("504 Gateway Timeout"), Fault(7, f"504: {NO_DOCUMENT}", 3)),
}  # fmt: skip

SHAPES = {
    "200 with truncated XML": (http("200 OK", STS_ANSWER[:300]), Fault(7, NO_XML)),
    "200 empty": (http("200 OK"), Fault(7, "the response is not valid XML (no element found)")),
    "200 with unrelated XML": (http("200 OK", "<feed/>"), Fault(7, "the response has no AccessKeyId; check")),
    "200 of another call": (_changed("GetSessionToken", "AssumeRole"), Fault(7, "response has no AccessKeyId")),
    "200 with an error document": (http("200 OK", error("Throttling")), Fault(7, "response has no AccessKeyId")),
    "200 with a login page": (
        http("200 OK", "<!DOCTYPE html><html><title>Wi-Fi</title></html>"),
        Fault(7, "the response has a DOCTYPE (an HTML page?); check the endpoint and any proxy in between"),
    ),
    "200 with JSON": (http("200 OK", "{}"), Fault(7, NO_XML)),
    "200 with two megabytes": (
        http("200 OK", "<a>" + "x" * (2 << 20)), Fault(7, "sent more than 1048576 bytes")
    ),
    "200 with many elements": (
        http("200 OK", "<a>" + "<b/>" * 20_000 + "</a>"), Fault(7, "nested too deeply or has too many elements")
    ),
    "200 with entities": (
        http("200 OK", "<!DOCTYPE a [<!ENTITY b 'ccc'>]><a>&b;</a>"), Fault(7, "the response has a DOCTYPE")
    ),
    "200 compressed": (
        http("200 OK", gzip.compress(STS_ANSWER.encode()), "Content-Encoding: gzip"),
        Fault(7, "the response is compressed (gzip), although no compression was requested"),
    ),
    "200 with a length too large": (_with(f"Content-Length: {len(STS_ANSWER) + 9}"), Fault(7, CUT, 3)),
    "200 with a length too small": (_with("Content-Length: 300"), Fault(7, NO_XML)),
    "200 with a truncated chunk": (
        _with("Transfer-Encoding: chunked", body=b"%x\r\n" % (2 * len(STS_ANSWER)) + STS_ANSWER.encode()),
        Fault(7, CUT, 3),
    ),
    "204": (http("204 No Content"), Fault(7, "unexpected HTTP 204 from")),
    "302": (
        http("302 Found", "", "Location: https://portal.example/login"),
        Fault(7, "redirects to https://portal.example/login (HTTP 302), and redirects are not followed"),
    ),
    "307 without Location": (http("307 Temporary Redirect"), Fault(7, "redirects to an unknown URL (HTTP 307)")),
    "not HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", Fault(7, "is not valid HTTP", 3)),
    "endless headers": (
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000, Fault(7, "sent a header section that is too large")
    ),
}  # fmt: skip

VALUES = {
    **{
        f"200 without {name}": (_changed(f"{name}>", f"{name.lower()}>"), Fault(7, f"the response has no {name}"))
        for name in ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
    },
    "200 with an empty secret": (
        _changed("made+up/secret", ""), Fault(7, "the response has an empty SecretAccessKey; check the endpoint")
    ),
    "200 with control characters": (
        _changed("made//up+token=", "a&#x9b;b"), Fault(7, "the response's SessionToken has invalid characters")
    ),
    "200 with a line feed": (
        _changed("made+up/secret", "a&#10;b"), Fault(7, "the response's SecretAccessKey has invalid characters")
    ),
    "200 with an invalid Expiration": (
        _changed("2030-01-01T00:00:00Z", "tomorrow"), Fault(7, "Expiration is not a valid RFC 3339 time")
    ),
    "200 with expired credentials": (
        _changed("2030", "2020"), Fault(7, "the credentials in the response expired at 2020-01-01T00:00:00Z")
    ),
}  # fmt: skip

ANSWERS = {**REFUSALS, **PASSING, **SHAPES, **VALUES}
FAULTS = {name: fault for name, (_, fault) in ANSWERS.items()}


@pytest.mark.parametrize("name", ANSWERS)
def test_answer(runs: Bench, name: str) -> None:
    answer, fault = ANSWERS[name]
    attempts = {"AWS_MAX_ATTEMPTS": "2"} if "2 attempts" in name else {}
    with ScriptedServer(say(answer)) as sts:
        runs.holds(fault, runs.run(sts.endpoint, "--timeout=5s", **attempts), len(sts.requests))


@pytest.mark.parametrize("name", PASSING)
def test_a_fault_that_passes_is_no_fault(runs: Bench, name: str) -> None:
    """The same answers, once: the next attempt has the credentials, and nothing is said."""
    with ScriptedServer(say(PASSING[name][0]), say(http("200 OK", STS_ANSWER))) as sts:
        seen = runs.run(sts.endpoint, "--timeout=5s")
    assert (seen.code, seen.err, len(sts.requests)) == (0, "", 2)
    assert json.loads(seen.out)["AccessKeyId"] == "ASIAMADEUPMADEUP0000"
    assert runs.bus.codes == ["HMAC"]
