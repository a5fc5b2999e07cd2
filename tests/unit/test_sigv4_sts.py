"""STS operations, endpoints and retries beside botocore's own data for them."""

import re
import subprocess
import sys
import unicodedata
from urllib.parse import parse_qsl

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.serialize import QuerySerializer

from sigv4.client import StsClient
from sigv4.endpoints import resolve
from sigv4.errors import RequestError, ResponseError, StsError, one_line
from sigv4.http import HttpClient
from sigv4.operation import IntegerParameter, ListParameter, Operation, TextParameter
from sigv4.signer import Signer, hmac_from_secret
from sigv4.sts import (
    AssumeRole,
    AssumeRoot,
    Credentials,
    DecodeAuthorizationMessage,
    GetAccessKeyInfo,
    GetCallerIdentity,
    GetDelegatedAccessToken,
    GetFederationToken,
    GetSessionToken,
    GetWebIdentityToken,
)
from sigv4.xml import Document, parse_xml

ARN = "arn:aws:iam::123456789012:role/demo"
LOADER = Loader()
MODEL = LOADER.load_service_model("sts", "service-2")


# Operations -------------------------------------------------------------------------------------------------


FULL = [
    AssumeRole(
        ARN,
        "s",
        900,
        external_id="x",
        minimum_session_token_size=1,
        policy="{}",
        policy_arns=[ARN],
        provided_contexts=[(ARN, "signed")],
        serial_number="s",
        source_identity="s",
        tags={"k": "v"},
        token_code="0",
        transitive_tag_keys=["k"],
    ),
    GetSessionToken(900, minimum_session_token_size=1, serial_number="s", token_code="0"),
    GetFederationToken("n", 900, minimum_session_token_size=1, policy="{}", policy_arns=[ARN], tags={"k": "v"}),
    AssumeRoot("123456789012", ARN, 900, minimum_session_token_size=1),
    GetDelegatedAccessToken("t"),
    GetWebIdentityToken(["a"], "RS256", 60, scope="s", subject_mode="AWSIdentity", tags={"k": "v"}),
    GetCallerIdentity(),
    GetAccessKeyInfo("a"),
    DecodeAuthorizationMessage("m"),
]
# The model's patterns are Java's. Those with classes of Unicode are compared in tests of their own.
JAVA = {r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+", r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*"}


def _limits(action: str, name: str) -> dict[str, object]:
    """The published shape of a parameter by the name that the form gives it, such as Tags.member.1.Key."""
    shape = MODEL["shapes"][MODEL["operations"][action]["input"]["shape"]]
    for part in name.split("."):
        if part == "member":
            shape = MODEL["shapes"][shape["member"]["shape"]]
        elif part != "1":
            shape = MODEL["shapes"][shape["members"][part]["shape"]]
    return shape


def _flat(operation: Operation[object]) -> list[TextParameter | IntegerParameter | ListParameter]:
    found: list[TextParameter | IntegerParameter | ListParameter] = []
    for parameter in operation.parameters:
        found += [parameter, *parameter.fields] if isinstance(parameter, ListParameter) else [parameter]
    return found


@pytest.mark.parametrize("operation", FULL, ids=lambda operation: operation.action)
def test_limits_are_those_of_the_published_model(operation: Operation[object]) -> None:
    kinds = {"integer": IntegerParameter, "list": ListParameter, "string": TextParameter}
    for parameter in _flat(operation):
        limits = _limits(operation.action, parameter.name)
        assert isinstance(parameter, kinds[limits["type"]])
        # Lengths without a limit in the model have one in the API reference, or are checked by STS.
        assert parameter.least == limits.get("min", parameter.least), parameter.name
        assert parameter.most == limits.get("max", parameter.most), parameter.name
        if isinstance(parameter, TextParameter):
            published = limits.get("pattern") or "|".join(limits.get("enum", ())) or None
            if published is None or published in JAVA or r"\u10000" in published:
                continue
            # Java's \w and \d are ASCII.
            ours, other = re.compile(parameter.pattern, re.ASCII), re.compile(published, re.ASCII)
            for text in [*map(chr, range(0x250)), "a b", " b", "a  b", *limits.get("enum", ())]:
                assert bool(ours.fullmatch(text)) == bool(other.fullmatch(text)), (parameter.name, text)


@pytest.mark.parametrize("operation", FULL, ids=lambda operation: operation.action)
def test_every_parameter_of_the_published_model_is_there(operation: Operation[object]) -> None:
    shape = MODEL["shapes"][MODEL["operations"][operation.action]["input"]["shape"]]
    top = {parameter.name.partition(".")[0] for parameter in operation.parameters}
    assert top == set(shape.get("members", ()))
    sent = {name.partition(".")[0] for name, _ in parse_qsl(operation.form().decode(), keep_blank_values=True)}
    assert sent - {"Action", "Version"} == top


def test_every_operation_for_a_long_term_key_is_there() -> None:
    unsigned = {name for name, data in MODEL["operations"].items() if data.get("authtype") == "none"}
    assert unsigned == {"AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"}
    # "You can only call GetScopedCredentials with temporary security credentials."
    assert {operation.action for operation in FULL} == set(MODEL["operations"]) - unsigned - {
        "GetScopedCredentials"
    }


@pytest.mark.parametrize("operation", FULL, ids=lambda operation: operation.action)
def test_the_form_is_botocores(operation: Operation[object]) -> None:
    shape = ServiceModel(MODEL).operation_model(operation.action)
    given = {
        "RoleArn": ARN,
        "RoleSessionName": "s",
        "DurationSeconds": 60 if operation.action == "GetWebIdentityToken" else 900,
        "ExternalId": "x",
        "MinimumSessionTokenSize": 1,
        "Policy": "{}",
        "PolicyArns": [{"arn": ARN}],
        "ProvidedContexts": [{"ProviderArn": ARN, "ContextAssertion": "signed"}],
        "SerialNumber": "s",
        "SourceIdentity": "s",
        "Tags": [{"Key": "k", "Value": "v"}],
        "TokenCode": "0",
        "TransitiveTagKeys": ["k"],
        "Name": "n",
        "TargetPrincipal": "123456789012",
        "TaskPolicyArn": {"arn": ARN},
        "TradeInToken": "t",
        "Audience": ["a"],
        "SigningAlgorithm": "RS256",
        "Scope": "s",
        "SubjectMode": "AWSIdentity",
        "AccessKeyId": "a",
        "EncodedMessage": "m",
    }
    members = shape.input_shape.members if shape.input_shape else ()
    request = QuerySerializer().serialize_to_request({name: given[name] for name in members}, shape)
    ours = parse_qsl(operation.form().decode(), keep_blank_values=True)
    assert sorted(ours) == sorted((name, str(value)) for name, value in request["body"].items())


def test_tags_may_have_the_letters_of_every_script() -> None:
    """The model's [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@], by Unicode's categories."""
    odd = []
    for code in (*range(0xD800), *range(0xE000, 0x30000)):
        character = chr(code)
        allowed = unicodedata.category(character)[0] in "LZN" or character in "_.:/=+-@"
        try:
            GetFederationToken("name", tags={character: ""}).check()
            passed = True
        except RequestError:
            passed = False
        if passed != allowed:
            odd.append(character)
    assert odd == []


def test_session_policies_are_latin_1() -> None:
    GetFederationToken("name", policy="\t\n\r \x7f\xff").check()
    for character in "\x00\x0b\x1f\u0100":
        with pytest.raises(RequestError, match="Policy"):
            GetFederationToken("name", policy=character).check()


@pytest.mark.parametrize(
    ("operation", "pattern"),
    [
        (GetSessionToken(899), "DurationSeconds is 899 seconds; AWS allows 900 to 129600 seconds"),
        (GetSessionToken(129601), "DurationSeconds is 129601"),
        (GetSessionToken(serial_number="12345678"), "SerialNumber has 8 characters; AWS requires 9 to 256"),
        (GetSessionToken(serial_number="1234 56789"), "SerialNumber '1234 56789' has characters"),
        (GetSessionToken(token_code="12345"), "TokenCode has 5 characters; AWS requires exactly 6"),
        (GetSessionToken(token_code="12345x"), r"TokenCode has characters that AWS does not allow; it must match"),
        (GetSessionToken(token_code="١٢٣٤٥٦"), "TokenCode has characters"),
        (AssumeRole("arn:aws:iam::1", "name"), "RoleArn has 14 characters; AWS requires 20 to 2048"),
        (AssumeRole(ARN + "\udc80", "name"), "RoleArn .* has characters"),
        (AssumeRole(ARN, "n"), "RoleSessionName has 1 characters; AWS requires 2 to 64"),
        (AssumeRole(ARN, "n" * 65), "RoleSessionName has 65 characters"),
        (AssumeRole(ARN, "a b"), "RoleSessionName 'a b' has characters"),
        (AssumeRole(ARN, "name\n"), "RoleSessionName"),
        (AssumeRole(ARN, "name", 899), "DurationSeconds is 899 seconds; AWS allows 900 to 43200 seconds"),
        (AssumeRole(ARN, "name", 43201), "DurationSeconds is 43201"),
        (AssumeRole(ARN, "name", external_id="x"), "ExternalId has 1"),
        (AssumeRole(ARN, "name", policy=""), "Policy has 0 characters; AWS requires at least 1"),
        (AssumeRole(ARN, "name", source_identity="ö" * 2), "SourceIdentity 'öö' has characters"),
        (
            AssumeRole(ARN, "name", tags={str(n): "" for n in range(51)}),
            "Tags has 51 entries; AWS requires 0 to 50",
        ),
        (AssumeRole(ARN, "name", tags={"a": "b", "": "c"}), "Tags.member.2.Key has 0 characters"),
        (AssumeRole(ARN, "name", tags={"a": "b#"}), "Tags.member.1.Value 'b#' has characters"),
        (
            AssumeRole(ARN, "name", transitive_tag_keys=["k" * 129]),
            "TransitiveTagKeys.member.1 has 129 characters",
        ),
        (AssumeRole(ARN, "name", policy_arns=["arn"]), "PolicyArns.member.1.arn has 3 characters"),
        (AssumeRole(ARN, "name", policy_arns=[ARN] * 11), "PolicyArns has 11 entries; AWS requires 0 to 10"),
        (AssumeRole(ARN, "name", policy="x" * 2049), "2049 characters; AWS allows 2048 together"),
        (
            AssumeRole(ARN, "name", policy="x" * (2049 - len(ARN)), policy_arns=[ARN]),
            "2049 characters; AWS allows 2048 together",
        ),
        (
            GetFederationToken("name", policy="x" * 2030, policy_arns=["y" * 20]),
            "2050 characters; AWS allows 2048 together",
        ),
        (AssumeRole(ARN, "name", tags={"Team": "a", "team": "b"}), "tags 'Team' and 'team' differ only in case"),
        (GetFederationToken("name", tags={"A": "", "a": ""}), "tags 'A' and 'a' differ only in case"),
        (AssumeRole(ARN, "name", tags={"AWS:x": "a"}), "tag 'AWS:x' begins with aws:"),
        (AssumeRole(ARN, "name", provided_contexts=[]), "ProvidedContexts has 0 entries; AWS requires 1 to 5"),
        (
            AssumeRole(ARN, "name", provided_contexts=[(ARN, "12345x" * 600)]),
            "ContextAssertion has 3600 characters",
        ),
        (AssumeRole(ARN, "name", minimum_session_token_size=4097), "MinimumSessionTokenSize is 4097 bytes"),
        (GetFederationToken("n" * 33), "Name has 33 characters; AWS requires 2 to 32"),
        (GetFederationToken("name", policy="x" * 2049), "Policy has 2049 characters; AWS requires 1 to 2048"),
        (AssumeRoot("12345", ARN), "TargetPrincipal has 5 characters"),
        (AssumeRoot("123456789012", ARN, 901), "DurationSeconds is 901 seconds; AWS allows 0 to 900"),
        (GetWebIdentityToken([], "RS256"), "Audience has 0 entries; AWS requires 1 to 10"),
        (GetWebIdentityToken(["a"], "HS256"), r"SigningAlgorithm 'HS256' .* must match RS256\|ES384"),
        (GetWebIdentityToken(["a"], "ES384", 59), "DurationSeconds is 59 seconds; AWS allows 60 to 3600"),
        (GetWebIdentityToken(["a"], "ES384", scope=" a"), "Scope ' a' has characters"),
        (GetWebIdentityToken(["a"], "ES384", subject_mode="Mine"), "SubjectMode 'Mine' has characters"),
        (GetDelegatedAccessToken(""), "TradeInToken has 0 characters; AWS requires at least 1"),
        (GetDelegatedAccessToken("12345x\ud800"), "TradeInToken has characters"),
        (GetAccessKeyInfo("AKIA"), "AccessKeyId has 4 characters; AWS requires 16 to 128"),
        (DecodeAuthorizationMessage("x" * 10241), "EncodedMessage has 10241 characters"),
    ],
)
def test_values_outside_the_limits_are_refused(operation: Operation[object], pattern: str) -> None:
    with pytest.raises(RequestError, match=pattern) as caught:
        operation.check()
    assert "\n" not in str(caught.value)
    assert "12345x" not in str(caught.value)


def test_values_at_the_limits_pass() -> None:
    for operation in (
        GetSessionToken(900),
        GetSessionToken(129600, serial_number="arn:aws:iam::1:mfa/x", token_code="012345"),
        AssumeRole("x" * 20, "ab", 900),
        AssumeRole("x" * 2048, "n" * 64, 43200, external_id="a:/b", policy="{}", source_identity="me"),
        AssumeRole(ARN, "name", policy="x" * (2048 - len(ARN)), policy_arns=[ARN], tags={"awsome": "", "b": ""}),
        AssumeRole(ARN, "name", policy_arns=["x" * 20] * 10, transitive_tag_keys=["inherited"]),
    ):
        operation.check()


def test_the_form() -> None:
    form = AssumeRole(ARN, "me@host", 900, policy='{"a": "ü&"}').form()
    assert form == (
        b"Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fdemo"
        b"&RoleSessionName=me%40host&DurationSeconds=900&Policy=%7B%22a%22%3A+%22%C3%BC%26%22%7D"
    )
    assert GetSessionToken().form() == b"Action=GetSessionToken&Version=2011-06-15"


def _answer(action: str, *more: str) -> Document:
    values = {"AccessKeyId": "ASIA" + "A" * 12, "SecretAccessKey": "s", "SessionToken": "t"}
    inner = "".join(f"<{name}>{text}</{name}>" for name, text in values.items())
    inner += "<Expiration>2030-01-01T00:00:00Z</Expiration>"
    body = f"<{action}Result><Credentials>{inner}</Credentials>{''.join(more)}</{action}Result>"
    return parse_xml(f"<{action}Response>{body}</{action}Response>".encode())


USER = "arn:aws-cn:sts::210987654321:assumed-role/demo/me"


@pytest.mark.parametrize(
    ("operation", "more", "account"),
    [
        (AssumeRole(ARN, "me"), f"<AssumedRoleUser><Arn>{USER}</Arn></AssumedRoleUser>", "210987654321"),
        (AssumeRole(ARN, "me"), "", None),
        (AssumeRole(ARN, "me"), "<AssumedRoleUser><Arn>arn:aws:sts::12345:x</Arn></AssumedRoleUser>", None),
        (GetFederationToken("me"), f"<FederatedUser><Arn>{USER}</Arn></FederatedUser>", "210987654321"),
        (GetDelegatedAccessToken("t"), f"<AssumedPrincipal>{USER}</AssumedPrincipal>", "210987654321"),
        (AssumeRoot("123456789012", ARN), "", "123456789012"),
        (AssumeRoot("arn:aws:iam::123456789012:root", ARN), "", "123456789012"),
        (GetSessionToken(), "", None),
    ],
)
def test_credentials_know_their_account(operation: Operation[Credentials], more: str, account: str | None) -> None:
    assert operation.result(_answer(operation.action, more)).account_id == account


def test_answers_that_are_no_credentials() -> None:
    def of(action: str, inner: str) -> Document:
        return parse_xml(f"<{action}Response><{action}Result>{inner}</{action}Result></{action}Response>".encode())

    assert GetAccessKeyInfo("A" * 16).result(of("GetAccessKeyInfo", "<Account>123456789012</Account>")) == (
        "123456789012"
    )
    with pytest.raises(ResponseError, match="Account has invalid characters"):
        GetAccessKeyInfo("A" * 16).result(of("GetAccessKeyInfo", "<Account>me</Account>"))
    message = DecodeAuthorizationMessage("m").result(
        of("DecodeAuthorizationMessage", "<DecodedMessage>{&quot;allowed&quot;:false}</DecodedMessage>")
    )
    assert message == '{"allowed":false}'
    web = GetWebIdentityToken(["a"], "RS256")
    token = "<WebIdentityToken>the.secret.jwt</WebIdentityToken>"
    answer = web.result(of("GetWebIdentityToken", token + "<Expiration>2030-01-01T00:00:00Z</Expiration>"))
    assert (answer.token, answer.expiration) == ("the.secret.jwt", "2030-01-01T00:00:00Z")
    assert "jwt" not in repr(answer)
    with pytest.raises(ResponseError, match="no Expiration"):
        web.result(of("GetWebIdentityToken", token))


@pytest.mark.parametrize("operation", [AssumeRoot("123456789012", ARN), GetWebIdentityToken(["a"], "RS256")])
def test_what_the_global_endpoint_lacks_is_not_asked_of_it(operation: Operation[object]) -> None:
    signer = Signer("AKIATEST", hmac_from_secret("made-up"))
    with pytest.raises(RequestError, match=f"does not support {operation.action}; give a region"):
        StsClient(signer, resolve(None), HttpClient(1)).call(operation)


def test_credentials_hide_themselves() -> None:
    shown = repr(Credentials("ASIA", "secret-key", "session-token", "2030-01-01T00:00:00Z"))
    assert "secret-key" not in shown
    assert "session-token" not in shown
    assert "ASIA" in shown


# Endpoints --------------------------------------------------------------------------------------------------


def test_an_endpoint_of_the_users_wins() -> None:
    environ = {"AWS_ENDPOINT_URL_STS": "http://localhost:4566", "AWS_ENDPOINT_URL": "https://all.example/base/"}
    assert resolve("eu-west-1", "https://own.example:8443", environ).url == "https://own.example:8443/"
    assert resolve("eu-west-1", None, environ).url == "http://localhost:4566/"
    assert resolve("eu-west-1", None, environ).region == "eu-west-1"
    del environ["AWS_ENDPOINT_URL_STS"]
    assert resolve(None, None, environ).url == "https://all.example/base/"
    assert resolve(None, None, environ).region == "us-east-1"
    assert resolve(None, None, {"AWS_ENDPOINT_URL": ""}).url == "https://sts.amazonaws.com/"


@pytest.mark.parametrize(
    "region", ["", "a/b", "a@b", "a.b", "a:1", "-a", "a-", "a b", "x" * 64, "eu-central-1\n", "ü", "a#", "a?b"]
)
def test_a_region_that_is_no_part_of_a_host_name_is_refused(region: str) -> None:
    with pytest.raises(RequestError, match="is not a valid region name"):
        resolve(region)


@pytest.mark.parametrize(
    ("url", "pattern"),
    [
        ("sts.example", "AWS_ENDPOINT_URL_STS: the URL must start with https://HOST"),
        ("ftp://sts.example", "AWS_ENDPOINT_URL_STS: the URL must start"),
        ("https://", "AWS_ENDPOINT_URL_STS: the URL must start"),
        ("https://user:pw@sts.example", "user name, query and fragment are not"),
        ("https://sts.example/?a=b", "user name, query and fragment are not"),
        ("https://sts.example/#a", "user name, query and fragment are not"),
        ("https://sts.example/a b", "ASCII without spaces"),
        ("https://sts.exämple/", "ASCII without spaces"),
        ("https://sts.example:port", "AWS_ENDPOINT_URL_STS: invalid URL"),
    ],
)
def test_an_endpoint_that_is_none_is_refused(url: str, pattern: str) -> None:
    with pytest.raises(RequestError, match=pattern) as caught:
        resolve(None, None, {"AWS_ENDPOINT_URL_STS": url})
    assert "pw@" not in str(caught.value)


# Times, texts -----------------------------------------------------------------------------------------------


def test_a_servers_text_is_shown_in_one_printable_line() -> None:
    assert one_line("a\r\n b\x1b[31m\x00\u202e c") == "a b?[31m?? c"
    assert one_line("x" * 1000) == "x" * 597 + "..."
    error = StsError("Co\nde", "Some.\n\tText.", "id\x1b", 403, "do that")
    assert str(error) == "Co de: Some. Text (HTTP 403, request id id?); do that"
    assert str(StsError("500", "", "", 500)) == "500: no message (HTTP 500)"


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_a_timeout_must_end(timeout: float) -> None:
    with pytest.raises(RequestError, match="use a number of seconds above 0"):
        HttpClient(timeout)


# Start-up ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        # What checks the user's values and signs can come before, and without, all that speaks with the network.
        ("sigv4.sts, sigv4.signer, sigv4.endpoints", {"http.client", "ssl", "socket", "email", "xml", "random"}),
        ("sigv4.endpoints, sigv4.retry", {"configparser", "sigv4.config", "sigv4.services", "email"}),
        # Profiles cost their parser only where there is a file to parse.
        ("sigv4.config", {"configparser", "shlex", "email", "socket"}),
        ("sigv4.tokens, sigv4.sigv4a", {"base64", "json", "socket", "ssl"}),
        ("sigv4.client", {"xml", "asyncio", "logging", "dataclasses", "urllib.request", "encodings.idna"}),
    ],
)
def test_imports_stay_lean(modules: str, absent: set[str]) -> None:
    code = f"import sys; sys.path.insert(0, '.'); import {modules}; print(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-I", "-S", "-c", code], stdout=subprocess.PIPE, check=True, text=True)
    found = set(run.stdout.split())
    assert set(modules.split(", ")) < found
    assert found & (absent | {"boto3", "botocore", "cryptography", "construct", "tpmwire"}) == set()
