"""Tokens and passwords beside those that the aws command line makes with the same key at the same moment."""

import base64
import calendar
import datetime
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import time
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import aws_bedrock_token_generator
import boto3
import botocore.auth
import botocore.credentials
import botocore.session
import pytest
from aws_msk_iam_sasl_signer import MSKAuthTokenProvider
from botocore.awsrequest import AWSRequest

from sigv4 import tokens
from sigv4.endpoints import Endpoint, resolve, resolve_service
from sigv4.errors import RequestError, ResponseError
from sigv4.signer import Signer, hmac_from_secret
from sigv4.sts import Credentials

KEY_ID = "AKIATESTTESTTEST"
SECRET = "made/up+secret/for-tests"
NOON = 1795521600  # 2026-11-24T12:00:00Z


def _signer(token: str | None) -> Signer:
    return Signer(KEY_ID, hmac_from_secret(SECRET), token)


def _aws(token: str | None, *arguments: str, stdin: str = "") -> str:
    """What the aws command line prints."""
    program = shutil.which("aws")
    assert program, "the aws command line is missing: install awscli"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | {
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        # Where awscrt is installed it signs instead of botocore: the same, in another order.
        "BOTO_DISABLE_CRT": "true",
    }
    if token is not None:
        environ["AWS_SESSION_TOKEN"] = token
    command = [program, *arguments, "--region", "eu-central-1"]
    return subprocess.run(command, env=environ, input=stdin, stdout=subprocess.PIPE, check=True, text=True).stdout


def _moment(stamp: str) -> int:
    return calendar.timegm(time.strptime(stamp.removesuffix("Z"), "%Y%m%dT%H%M%S"))


@pytest.mark.parametrize("token", [None, "the/token+="])
def test_an_eks_token_is_the_command_lines(token: str | None) -> None:
    theirs = json.loads(_aws(token, "eks", "get-token", "--cluster-name", "my-cluster"))
    text = theirs["status"]["token"].removeprefix("k8s-aws-v1.")
    url = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    moment = _moment(parse_qs(urlsplit(url).query)["X-Amz-Date"][0])
    ours = tokens.eks_token(_signer(token), resolve("eu-central-1"), "my-cluster", moment)
    assert ours == theirs["status"]["token"]
    credential = tokens.eks_exec_credential(ours, moment)
    ends = credential["status"].pop("expirationTimestamp")
    # It looks at the clock once more for this.
    late = _moment(re.sub("[-:]", "", theirs["status"].pop("expirationTimestamp"))) - moment
    assert 840 <= late <= 850
    assert _moment(re.sub("[-:]", "", ends)) - moment == 840
    assert credential == theirs


@pytest.mark.parametrize("token", [None, "the/token+="])
@pytest.mark.parametrize("user", ["me", "m/e ü+~"])
def test_a_database_token_is_the_command_lines(token: str | None, user: str) -> None:
    where = ("--hostname", "db.example.eu-central-1.rds.amazonaws.com", "--port", "5432")
    theirs = _aws(token, "rds", "generate-db-auth-token", *where, "--username", user).strip()
    moment = _moment(parse_qs(urlsplit(f"https://{theirs}").query)["X-Amz-Date"][0])
    assert tokens.rds_token(_signer(token), where[1], 5432, user, "eu-central-1", moment) == theirs


@pytest.mark.parametrize(("admin", "name"), [(False, "connect"), (True, "connect_admin")])
def test_a_dsql_token_is_boto3s(admin: bool, name: str) -> None:
    host = "abc.dsql.eu-central-1.on.aws"
    client = boto3.Session(KEY_ID, SECRET, region_name="eu-central-1").client("dsql")
    theirs = urlsplit("https://" + getattr(client, f"generate_db_{name}_auth_token")(host))
    moment = _moment(parse_qs(theirs.query)["X-Amz-Date"][0])
    ours = urlsplit("https://" + tokens.dsql_token(_signer(None), host, "eu-central-1", moment, admin=admin))
    # awscrt, where it is, has another order.
    assert ours._replace(query="") == theirs._replace(query="")
    assert sorted(ours.query.split("&")) == sorted(theirs.query.split("&"))


@pytest.mark.parametrize("token", [None, "the/token+="])
@pytest.mark.parametrize(
    "host", ["git-codecommit.eu-west-1.amazonaws.com", "git-codecommit.us-east-2.amazonaws.com:443"]
)
def test_a_codecommit_password_is_the_command_lines(token: str | None, host: str) -> None:
    path = "v1/repos/my-repo"
    asked = f"protocol=https\nhost={host}\npath={path}\n"
    theirs = dict(
        line.split("=", 1)
        for line in _aws(token, "codecommit", "credential-helper", "get", stdin=asked).splitlines()
    )
    moment = _moment(theirs["password"].partition("Z")[0])
    region = tokens.codecommit_region(host)
    assert region is not None
    ours = tokens.codecommit_password(_signer(token), f"https://{host}/{path}", region, moment)
    assert ours == (theirs["username"], theirs["password"])


def test_the_region_of_a_codecommit_host() -> None:
    assert tokens.codecommit_region("git-codecommit-fips.us-east-2.amazonaws.com") == "us-east-2"
    assert tokens.codecommit_region("vpce-1-2.git-codecommit.us-east-1.vpce.amazonaws.com") == "us-east-1"
    assert tokens.codecommit_region("git-codecommit.cn-north-1.amazonaws.com.cn:443") == "cn-north-1"
    for foreign in (
        "git.example.com",
        "git-codecommit.eu-west-1.amazonaws.com.example",
        "x.git-codecommit.a.amazonaws.com",
    ):
        assert tokens.codecommit_region(foreign) is None


def test_the_region_of_a_database_host() -> None:
    assert tokens.database_region("db.abc.eu-west-1.rds.amazonaws.com") == ("rds", "eu-west-1")
    assert tokens.database_region("DB.cluster-ro-abc.cn-north-1.rds.amazonaws.com.cn") == ("rds", "cn-north-1")
    assert tokens.database_region("db.abc.rds.cn-north-1.amazonaws.com.cn") == ("rds", "cn-north-1")
    assert tokens.database_region("db.abc.eusc-de-east-1.rds.amazonaws.eu") == ("rds", "eusc-de-east-1")
    assert tokens.database_region("abc.dsql.us-east-1.on.aws") == ("dsql", "us-east-1")
    for foreign in ("db.example.com", "rds.amazonaws.com", "a.eu-west-1.rds.amazonaws.com.example"):
        assert tokens.database_region(foreign) is None


def test_the_region_of_a_registry() -> None:
    account = "123456789012"
    for rest, region in {
        "ecr.eu-west-1.amazonaws.com": "eu-west-1",
        "ecr-fips.us-gov-west-1.amazonaws.com": "us-gov-west-1",
        "ecr.cn-north-1.amazonaws.com.cn": "cn-north-1",
        "ecr.us-iso-east-1.c2s.ic.gov": "us-iso-east-1",
    }.items():
        assert tokens.registry_region(f"{account}.dkr.{rest}") == region
    assert tokens.registry_region(f"{account}.dkr-ecr.eu-west-1.on.aws") == "eu-west-1"
    for foreign in ("docker.io", f"{account}.dkr.ecr.eu-west-1.amazonaws.com.example", "dkr.ecr.eu-west-1.on.aws"):
        assert tokens.registry_region(foreign) is None


@pytest.mark.parametrize(
    ("act", "pattern"),
    [
        (
            lambda s: tokens.eks_token(s, resolve("us-east-1"), "a b", NOON),
            "'a b' is not a valid EKS cluster name",
        ),
        (lambda s: tokens.eks_token(s, resolve("us-east-1"), "", NOON), "is not a valid EKS cluster name"),
        (lambda s: tokens.rds_token(s, "h", 0, "me", "us-east-1", NOON), "invalid port 0"),
        (lambda s: tokens.rds_token(s, "h", 1, "", "us-east-1", NOON), "missing database user"),
        (lambda s: tokens.rds_token(s, "h/x", 1, "me", "us-east-1", NOON), "'h/x' is not a valid database host"),
        (lambda s: tokens.dsql_token(s, "h?x", "us-east-1", NOON), "'h\\?x' is not a valid database host"),
    ],
)
def test_unfit_values_are_refused(act, pattern: str) -> None:
    with pytest.raises(RequestError, match=pattern):
        act(_signer(None))


def test_a_registry_is_asked_and_its_answer_read() -> None:
    request = tokens.ecr_request(resolve_service("ecr", "eu-central-1"))
    assert request.url == "https://api.ecr.eu-central-1.amazonaws.com/"
    assert request.header("X-Amz-Target") == "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"
    public = tokens.ecr_request(resolve_service("ecr-public", "us-east-1"), public=True)
    assert public.header("X-Amz-Target") == "SpencerFrontendService.GetAuthorizationToken"
    secret = base64.b64encode(b"AWS:pass:word").decode()
    data = {"authorizationToken": secret, "proxyEndpoint": "https://1.dkr.ecr.eu-central-1.amazonaws.com"}
    answer = json.dumps({"authorizationData": [data]}).encode()
    assert tokens.ecr_login(answer) == ("AWS", "pass:word", data["proxyEndpoint"])
    answer = json.dumps({"authorizationData": {"authorizationToken": secret}}).encode()
    assert tokens.ecr_login(answer) == ("AWS", "pass:word", "")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"authorizationData": []}',
        b'{"authorizationData": [{"authorizationToken": "!"}]}',
        b'{"authorizationData": [{"authorizationToken": "QVdT"}]}',
        b'{"authorizationData": [{"authorizationToken": 1}]}',
        b'{"authorizationData": [{"authorizationToken": "QVdTOng=", "proxyEndpoint": 1}]}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_what_is_no_answer_of_a_registry_or_a_sign_in_page(body: bytes) -> None:
    with pytest.raises(ResponseError, match="no registry password"):
        tokens.ecr_login(body)
    with pytest.raises(ResponseError, match="no sign-in token"):
        tokens.signin_token(body)


CREDENTIALS = Credentials("ASIATEST", "the+secret", "the/token=", "2030-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("region", "signin", "console"),
    [
        ("eu-central-1", "signin.aws.amazon.com", "console.aws.amazon.com"),
        ("us-gov-west-1", "signin.amazonaws-us-gov.com", "console.amazonaws-us-gov.com"),
        ("cn-north-1", "signin.amazonaws.cn", "console.amazonaws.cn"),
    ],
)
def test_the_console_is_signed_in_to(region: str, signin: str, console: str) -> None:
    request = tokens.signin_token_request(CREDENTIALS, region, 3600)
    parts = urlsplit(request.url)
    assert (request.method, parts.netloc, parts.path) == ("GET", signin, "/federation")
    query = {key: value for key, [value] in parse_qs(parts.query).items()}
    assert json.loads(query.pop("Session")) == {
        "sessionId": "ASIATEST",
        "sessionKey": "the+secret",
        "sessionToken": "the/token=",
    }
    assert query == {"Action": "getSigninToken", "SessionDuration": "3600"}
    assert "the+secret" not in repr(request)
    assert "SessionDuration" not in tokens.signin_token_request(CREDENTIALS, region).url

    parts = urlsplit(tokens.console_url(tokens.signin_token(b'{"SigninToken": "tok-en"}'), region))
    assert (parts.netloc, parts.path) == (signin, "/federation")
    assert parse_qs(parts.query, keep_blank_values=True) == {
        "Action": ["login"],
        "Issuer": [""],
        "Destination": [f"https://{console}/console/home?region={region}"],
        "SigninToken": ["tok-en"],
    }


def test_a_page_of_the_console_may_be_named() -> None:
    query = parse_qs(
        urlsplit(tokens.console_url("t", "us-east-1", "https://console.example/s3?a=b", "https://me")).query
    )
    assert query["Destination"] == ["https://console.example/s3?a=b"]
    assert query["Issuer"] == ["https://me"]


@pytest.mark.parametrize("duration", [899, 43201])
def test_a_console_session_has_limits(duration: int) -> None:
    with pytest.raises(RequestError, match="900 to 43200 seconds"):
        tokens.signin_token_request(CREDENTIALS, "us-east-1", duration)


def test_a_console_that_is_not_known() -> None:
    with pytest.raises(RequestError, match="unknown console sign-in page of partition aws-iso"):
        tokens.console_url("t", "us-iso-east-1")


def test_an_eks_token_is_for_any_endpoint() -> None:
    here = Endpoint("https://sts.example/base/", "us-east-1")
    token = tokens.eks_token(_signer(None), here, "c", NOON).removeprefix("k8s-aws-v1.")
    url = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    assert url.startswith("https://sts.example/base/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=")


@pytest.fixture
def noon(monkeypatch: pytest.MonkeyPatch) -> float:
    """The time at which botocore signs."""
    moment = datetime.datetime.fromtimestamp(NOON, datetime.UTC).replace(tzinfo=None)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **_more: moment)
    return NOON


def _same(ours: str, theirs: str) -> None:
    """Compares URLs; awscrt, where it is, has the fields of a query in another order."""
    one, other = (urlsplit(url if "://" in url else f"https://{url}") for url in (ours, theirs))
    assert one._replace(query="") == other._replace(query="")
    assert sorted(one.query.split("&")) == sorted(other.query.split("&"))


class _Provider(botocore.credentials.CredentialProvider):
    def __init__(self, token: str | None) -> None:
        super().__init__()
        self._token = token

    def load(self) -> botocore.credentials.Credentials:
        return botocore.credentials.Credentials(KEY_ID, SECRET, self._token)


@pytest.mark.parametrize("token", [None, "the/token+="])
def test_an_msk_token_is_the_signing_librarys(token: str | None, noon: float) -> None:
    theirs, end = MSKAuthTokenProvider.generate_auth_token_from_credentials_provider("eu-west-1", _Provider(token))
    assert end == (noon + 900) * 1000
    agent = f"aws-msk-iam-sasl-signer-python/{importlib.metadata.version('aws-msk-iam-sasl-signer-python')}"
    ours = tokens.msk_token(_signer(token), "eu-west-1", noon, agent)
    assert "=" not in ours
    _same(*(base64.urlsafe_b64decode(each + "==").decode() for each in (ours, theirs)))


@pytest.mark.parametrize("token", [None, "the/token+="])
@pytest.mark.parametrize("seconds", [43200, 61])
def test_a_bedrock_key_is_the_generators(token: str | None, seconds: int, noon: float) -> None:
    expiry = datetime.timedelta(seconds=seconds)
    theirs = aws_bedrock_token_generator.provide_token("us-east-1", _Provider(token), expiry)
    ours = tokens.bedrock_key(_signer(token), "us-east-1", noon, seconds)
    prefix = "bedrock-api-key-"
    assert ours.startswith(prefix)
    found, expected = (base64.b64decode(each.removeprefix(prefix)).decode() for each in (ours, theirs))
    assert found.endswith("&Version=1")
    _same(found, expected)


@pytest.mark.parametrize("token", [None, "the/token+="])
@pytest.mark.parametrize("user", ["me", "m/e ü+~"])
@pytest.mark.parametrize("kind", ["elasticache serverless", "elasticache", "memorydb"])
def test_a_cache_token_is_botocores(token: str | None, user: str, kind: str, noon: float) -> None:
    """The request is the one of AWS's examples: GET http://CACHE/?Action=connect&User=USER."""
    service, _, serverless = kind.partition(" ")
    query = {"Action": "connect", "User": user, **({"ResourceType": "ServerlessCache"} if serverless else {})}
    request = AWSRequest("GET", f"http://cache-1/?{urlencode(query, quote_via=quote)}")
    credentials = botocore.credentials.Credentials(KEY_ID, SECRET, token)
    botocore.auth.SigV4QueryAuth(credentials, service, "eu-west-1", 900).add_auth(request)
    ours = tokens.cache_token(
        _signer(token), service, "cache-1", user, "eu-west-1", noon, serverless=bool(serverless)
    )
    assert ours.startswith("cache-1/?")
    _same(ours, request.url.removeprefix("http://"))


@pytest.mark.parametrize("cache", ["", "Sessions", "a.euw1.cache.amazonaws.com", "a/b", "-a", "a\n"])
def test_an_unfit_cache_name_is_refused(cache: str) -> None:
    with pytest.raises(RequestError, match="is not a valid cache name"):
        tokens.cache_token(_signer(None), "elasticache", cache, "me", "eu-west-1", NOON)
