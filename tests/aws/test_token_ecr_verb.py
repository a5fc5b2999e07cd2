"""`tpmwire token ecr` before moto's registry, which verifies signatures and permissions."""

import io
import json
import re
import sys
import time

import pytest

from cli.toolbox import main
from tests.support import keys
from tests.support.programs import KEY_ID, Machine, left_behind
from tests.support.scripted import ScriptedServer, Step, http, say
from tests.support.sts import VerifyingSts

PASSWORD = "123456789012-auth-token"  # moto's, for its one account
REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, sts: VerifyingSts) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", sts.endpoint)


def _key(box: Machine, sts: VerifyingSts) -> list[str]:
    key = [f"--aws-access-key-id={sts.access_key_id}", f"--persistentHandle={keys.PLAIN_HANDLE:#x}"]
    return [*key, f"--tpm-path={box.swtpm.path}", f"--endpoint-url={sts.endpoint}", "--timeout=20s"]


def test_the_password(box: Machine, sts: VerifyingSts, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "ecr", "--region=eu-west-1", *_key(box, sts)]) == 0
    assert capsys.readouterr().out == f"{PASSWORD}\n"
    assert left_behind(box.swtpm.path) == []


def test_who_may_not(box: Machine, sts: VerifyingSts, capsys: pytest.CaptureFixture[str]) -> None:
    """A role without the permission. moto responds in XML, unlike AWS."""
    role = ["--assumeRole=true", f"--aws-arn={sts.role_arn}", "--region=eu-west-1"]
    assert main(["token", "ecr", *role, *_key(box, sts)]) == 6
    told = capsys.readouterr()
    assert told.err.startswith("tpmwire: AccessDenied: ")
    assert (told.out, told.err.count("\n")) == ("", 1)


@pytest.mark.parametrize("asked", [REGISTRY, f"https://{REGISTRY}/v1/\n"])
def test_docker_asks(
    box: Machine,
    sts: VerifyingSts,
    asked: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(asked.encode())))
    assert main(["token", "ecr", "get", "--aws-region=us-east-1", *_key(box, sts)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer == {"ServerURL": asked.strip(), "Username": "AWS", "Secret": PASSWORD}
    # The region is what the registry's name says.
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(asked.encode())))
    with ScriptedServer(GOOD) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", server.endpoint)
        assert main(["token", "ecr", "get", "--aws-region=us-east-1", *_key(box, sts)]) == 0
    assert b"/eu-west-1/ecr/aws4_request" in server.requests[0]


@pytest.mark.parametrize(
    ("action", "asked", "code", "out"),
    [
        ("get", f"{REGISTRY}.evil.example", 1, "credentials not found in native keychain\n"),
        ("get", "https://index.docker.io/v1/", 1, "credentials not found in native keychain\n"),
        ("store", '{"ServerURL": "x", "Username": "u", "Secret": "s"}', 0, ""),
        ("erase", REGISTRY, 0, ""),
        ("list", "", 0, "{}\n"),
    ],
)
def test_what_needs_no_key(
    action: str,
    asked: str,
    code: int,
    out: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(asked.encode())))
    assert main(["token", "ecr", action, f"--aws-access-key-id={KEY_ID}", "--tpm-path=/nonexistent"]) == code
    assert capsys.readouterr() == (out, "")


GOOD = say(http("200 OK", '{"authorizationData":{"authorizationToken":"QVdTOnNlY3JldA=="}}'))
THROTTLED = say(http("400 No", '{"__type":"ThrottlingException","message":"Rate\\nexceeded"}'))


def test_the_public_registry(
    box: Machine, sts: VerifyingSts, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which moto has not; asked again after AWS was too busy."""
    with ScriptedServer(THROTTLED, GOOD) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECR_PUBLIC", server.endpoint)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"public.ecr.aws")))
        assert main(["token", "ecr", "get", *_key(box, sts)]) == 0
        assert json.loads(capsys.readouterr().out)["Secret"] == "secret"
        assert main(["token", "ecr", "--public", *_key(box, sts)]) == 0
        assert capsys.readouterr().out == "secret\n"
    assert len(server.requests) == 3
    assert all(b"/us-east-1/ecr-public/aws4_request" in request for request in server.requests)
    assert all(b"X-Amz-Target: SpencerFrontendService.GetAuth" in request for request in server.requests)


def test_a_wrong_clock_is_corrected_once(
    box: Machine, sts: VerifyingSts, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for STS: the second request is signed with the server's time."""
    refusal = '{"__type":"InvalidSignatureException","message":"Signature expired: x is now earlier than y"}'
    later = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 7200))
    with ScriptedServer(say(http("400 No", refusal, f"Date: {later}")), GOOD) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", server.endpoint)
        assert main(["token", "ecr", "--region=eu-west-1", *_key(box, sts)]) == 0
    told = capsys.readouterr()
    assert told.out == "secret\n"
    assert re.search(r"your clock is 7[12]\d\d seconds behind AWS; signing with AWS's time instead", told.err)
    first, second = (re.search(rb"X-Amz-Date: (\w+)", request) for request in server.requests)
    assert first is not None
    assert second is not None
    assert second[1] > first[1]


ANSWERS: dict[str, tuple[Step, int, str, int]] = {
    "is throttled": (THROTTLED, 6, "ThrottlingException: Rate exceeded (HTTP 400); too many requests", 3),
    "is a refusal": (
        say(http("400 No", '{"__type":"a#AccessDeniedException","Message":"not you"}', "x-amzn-RequestId: r-1")),
        6,
        "AccessDeniedException: not you (HTTP 400, request id r-1)",
        1,
    ),
    "is of no service": (say(http("502 No", "<html>")), 7, "502: the response has no AWS error document", 3),
    "is elsewhere": (say(http("302 There", "", "Location: https://x")), 7, "redirects to https://x (HTTP 302)", 1),
    "has no password": (say(http("200 OK", '{"authorizationData":[]}')), 7, "has no registry password", 1),
    "is cut": (say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), 7, "in the middle of its response", 3),
    "has a strange code": (
        say(http("400 No", '{"__type":["a"],"message":{}}')),
        7,
        "400: the response has no AWS error document",
        1,
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that(
    name: str,
    box: Machine,
    sts: VerifyingSts,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    step, code, says, requests = ANSWERS[name]
    with ScriptedServer(step) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", server.endpoint)
        assert main(["token", "ecr", "--region=eu-west-1", *_key(box, sts)]) == code
    told = capsys.readouterr()
    assert says in told.err
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert len(server.requests) == requests
