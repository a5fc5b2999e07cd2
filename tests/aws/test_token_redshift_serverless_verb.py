"""`tpmwire token redshift-serverless` beside the aws command and botocore, which send and read the same."""

import datetime
import json
import os
import shutil
import subprocess

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cli.toolbox import main
from sigv4.endpoints import Endpoint
from sigv4.errors import ResponseError
from sigv4.tokens import redshift_login, redshift_request
from tests.support import keys
from tests.support.programs import KEY_ID, SECRET, Machine, left_behind
from tests.support.scripted import ScriptedServer, http, say

pytestmark = pytest.mark.box(SECRET)

PASSWORD = "x'y z$+/="
BODY = json.dumps(
    {"dbUser": "IAM:me", "dbPassword": PASSWORD, "expiration": 1795521600.5, "nextRefreshTime": 1.8e9}
)
GOOD = say(http("200 OK", BODY, "Content-Type: application/x-amz-json-1.1"))
VERB = ["token", "redshift-serverless", "--workgroup-name=sales", "--region=eu-west-1"]


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")


def key(box: Machine) -> list[str]:
    return [
        *(f"--aws-access-key-id={KEY_ID}", f"--persistentHandle={keys.PLAIN_HANDLE:#x}"),
        *(f"--tpm-path={box.swtpm.path}", "--timeout=20s"),
    ]


def split(request: bytes) -> tuple[dict[str, str], str]:
    head, _, body = request.decode().partition("\r\n\r\n")
    lines = [line.split(": ", 1) for line in head.splitlines()[1:]]
    return {name.lower(): value for name, value in lines}, body


def test_the_same_request_and_login_as_the_aws_command(
    box: Machine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    more = ["--db-name=dev", "--duration-seconds=1800"]
    program = shutil.which("aws")
    assert program
    with ScriptedServer(GOOD) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS", server.endpoint)
        assert main([*VERB, *more, "--json", *key(box)]) == 0
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        command = [program, "redshift-serverless", "get-credentials", *VERB[2:], *more]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    ours, theirs = json.loads(capsys.readouterr().out), json.loads(done.stdout)
    assert ours == {
        "dbUser": "IAM:me",
        "dbPassword": PASSWORD,
        "expiration": "2026-11-24T12:00:00Z",
        "nextRefreshTime": "2027-01-15T08:00:00Z",
    }
    assert ours.keys() == theirs.keys()
    assert [ours[name] for name in ("dbUser", "dbPassword")] == [theirs[name] for name in ("dbUser", "dbPassword")]
    (sent, body), (expected, expected_body) = map(split, server.requests)
    assert json.loads(body) == json.loads(expected_body)
    for name in ("content-type", "x-amz-target", "host"):
        assert sent[name] == expected[name]
    # And the signature is botocore's, at that moment.
    again = AWSRequest("POST", f"{server.endpoint}/", {n: sent[n] for n in ("content-type", "x-amz-target")}, body)
    moment = datetime.datetime.strptime(sent["x-amz-date"], "%Y%m%dT%H%M%SZ")
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: moment)
    SigV4Auth(Credentials(KEY_ID, SECRET), "redshift-serverless", "eu-west-1").add_auth(again)
    assert again.headers["Authorization"] == sent["authorization"]
    assert left_behind(box.swtpm.path) == []


def test_a_shell_reads_it(
    box: Machine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedServer(GOOD) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS", server.endpoint)
        assert main([*VERB, *key(box)]) == 0
    assert split(server.requests[0])[1] == '{"workgroupName": "sales"}'
    script = capsys.readouterr().out + 'printf "%s %s" "$PGUSER" "$PGPASSWORD"'
    done = subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout == f"IAM:me {PASSWORD}"


@pytest.mark.parametrize("region", ["eu-west-1", "us-gov-west-1", "cn-north-1"])
def test_the_endpoint_is_botocores(region: str) -> None:
    from sigv4.endpoints import resolve_service

    client = boto3.Session(KEY_ID, SECRET, region_name=region).client("redshift-serverless")
    assert resolve_service("redshift-serverless", region, None, {}, None).url == f"{client.meta.endpoint_url}/"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--workgroup-name=Sales"], "'Sales' is not a valid workgroup name"),
        (["--workgroup-name=ab"], "'ab' is not a valid workgroup name"),
        (["--db-name=a:b"], "'a:b' is not a valid database name"),
        (["--duration-seconds=60"], "valid for 900 to 3600 seconds, not 60"),
        (["--duration-seconds=x"], "invalid int value"),
    ],
)
def test_mistakes(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*VERB, *words, f"--aws-access-key-id={KEY_ID}", "--tpm-path=/nonexistent"]) == 2
    told = capsys.readouterr()
    assert says in told.err
    assert (told.out, told.err.count("\n")) == ("", 1)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"null", b"{}", b'{"dbUser": "a"}', b'{"dbUser": "a", "dbPassword": ""}'),
        *(b'{"dbUser": 1, "dbPassword": "secret"}', b'{"dbUser": "a", "dbPassword": "secret\\n"}'),
        b'{"dbUser": "a", "dbPassword": "secret", "expiration": "soon"}',
        b'{"dbUser": "a", "dbPassword": "secret", "expiration": 1e300}',
        b"[" * 100000,
    ],
)
def test_responses_without_a_login(body: bytes) -> None:
    with pytest.raises(ResponseError) as error:
        redshift_login(body)
    assert "secret" not in str(error.value)
    assert error.value.__cause__ is None


def test_the_request_of_the_library() -> None:
    request = redshift_request(Endpoint("https://x/", "eu-west-1"), "sales", seconds=900)
    assert request.body == b'{"workgroupName": "sales", "durationSeconds": 900}'
