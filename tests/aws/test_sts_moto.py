"""Our signatures before a server that verifies them, in clear and under TLS."""

import hmac

import pytest

from sigv4.client import StsClient
from sigv4.endpoints import resolve
from sigv4.errors import NetworkError, RequestError, StsError
from sigv4.http import HttpClient
from sigv4.retry import RetryPolicy
from sigv4.signer import Signer, hmac_from_secret
from sigv4.sts import AssumeRole, GetCallerIdentity, GetFederationToken, GetSessionToken
from sigv4.times import is_rfc3339
from tests.support.sts import VerifyingSts


@pytest.fixture
def signer(sts: VerifyingSts) -> Signer:
    return Signer(sts.access_key_id, hmac_from_secret(sts.secret_access_key))


def _client(signer: Signer, url: str, region: str | None = None, **environ: str) -> StsClient:
    return StsClient(signer, resolve(region, url), HttpClient(10, environ), sleep=_no_sleep)


def _no_sleep(seconds: float) -> None:
    raise AssertionError(f"nothing here is worth trying again in {seconds} s")


@pytest.mark.parametrize("region", [None, "us-east-1", "eu-central-1"])
def test_get_session_token(sts: VerifyingSts, signer: Signer, region: str | None) -> None:
    credentials = _client(signer, sts.endpoint, region).call(GetSessionToken(900))
    assert credentials.access_key_id.startswith("A")
    assert credentials.secret_access_key
    assert credentials.session_token
    assert is_rfc3339(credentials.expiration)


def test_the_signing_user_is_ours(sts: VerifyingSts, signer: Signer) -> None:
    identity = _client(signer, sts.endpoint).call(GetCallerIdentity())
    assert identity.arn == "arn:aws:iam::123456789012:user/device"
    assert identity.account == "123456789012"


def test_credentials_of_a_role_sign(sts: VerifyingSts, signer: Signer) -> None:
    role = _client(signer, sts.endpoint).call(AssumeRole(sts.role_arn, "a.session@host", 900))
    assumed = Signer(role.access_key_id, hmac_from_secret(role.secret_access_key), role.session_token)
    identity = _client(assumed, sts.endpoint).call(GetCallerIdentity())
    assert identity.arn == "arn:aws:sts::123456789012:assumed-role/demo/a.session@host"


def test_every_parameter_of_a_role_is_taken(sts: VerifyingSts, signer: Signer) -> None:
    policy = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'
    role = _client(signer, sts.endpoint).call(
        AssumeRole(
            sts.role_arn,
            "session",
            900,
            external_id="other:account",
            policy=policy,
            policy_arns=["arn:aws:iam::aws:policy/ReadOnlyAccess"],
            source_identity="me",
            tags={"project": "Straße 1", "cost-center": ""},
            transitive_tag_keys=["project"],
        )
    )
    assert role.account_id == "123456789012"


def test_a_federated_user(sts: VerifyingSts, signer: Signer) -> None:
    tags = {"project": "demo"}
    credentials = _client(signer, sts.endpoint).call(GetFederationToken("me", 900, policy="{}", tags=tags))
    assert credentials.account_id == "123456789012"
    assert is_rfc3339(credentials.expiration)


@pytest.mark.parametrize("operation", [GetSessionToken(), GetCallerIdentity()])
def test_a_wrong_secret_is_refused(sts: VerifyingSts, operation: GetSessionToken | GetCallerIdentity) -> None:
    wrong = Signer(sts.access_key_id, hmac_from_secret(sts.secret_access_key + "x"))
    with pytest.raises(StsError) as caught:
        _client(wrong, sts.endpoint).call(operation)
    assert caught.value.code == "SignatureDoesNotMatch"
    assert caught.value.http_status == 403
    assert caught.value.request_id
    assert 'created from "AWS4"' in caught.value.hint
    assert sts.secret_access_key not in str(caught.value)


def test_a_key_without_the_prefix_is_refused(sts: VerifyingSts) -> None:
    bare = sts.secret_access_key.encode()
    without = Signer(sts.access_key_id, lambda message: hmac.digest(bare, message, "sha256"))
    with pytest.raises(StsError, match=r"SignatureDoesNotMatch.*\"AWS4\""):
        _client(without, sts.endpoint).call(GetSessionToken())


def test_a_wrong_session_token_is_refused(sts: VerifyingSts, signer: Signer) -> None:
    role = _client(signer, sts.endpoint).call(AssumeRole(sts.role_arn, "session", 900))
    other = Signer(role.access_key_id, hmac_from_secret(role.secret_access_key), role.session_token + "x")
    with pytest.raises(StsError, match="InvalidClientTokenId"):
        _client(other, sts.endpoint).call(GetCallerIdentity())


def test_an_unknown_access_key_is_refused_with_a_hint(sts: VerifyingSts) -> None:
    unknown = Signer("AKIAUNKNOWNUNKNOWN00", hmac_from_secret("x"))
    with pytest.raises(StsError, match=r"InvalidClientTokenId: .*HTTP 403, request id .*check its spelling"):
        _client(unknown, sts.endpoint).call(GetSessionToken())


def test_a_permission_that_lacks_is_named() -> None:
    with VerifyingSts(actions=("sts:GetSessionToken",)) as sts:
        signer = Signer(sts.access_key_id, hmac_from_secret(sts.secret_access_key))
        _client(signer, sts.endpoint).call(GetSessionToken())
        with pytest.raises(StsError, match=r"AccessDenied: .*AssumeRole.*trust policy"):
            _client(signer, sts.endpoint).call(AssumeRole(sts.role_arn, "session"))


def test_tls_under_a_private_ca(sts: VerifyingSts, signer: Signer) -> None:
    url = sts.tls_endpoint()
    bundle = str(sts.authority().bundle)
    for variable in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        _client(signer, url, **{variable: bundle}).call(GetCallerIdentity())
    # AWS's own variable wins, as with botocore.
    wrong = str(sts.authority("wrong").bundle)
    _client(signer, url, AWS_CA_BUNDLE=bundle, REQUESTS_CA_BUNDLE=wrong).call(GetCallerIdentity())


def test_tls_under_a_wrong_ca_is_refused(sts: VerifyingSts, signer: Signer) -> None:
    url = sts.tls_endpoint()
    bundle = str(sts.authority("wrong").bundle)
    for environ in ({"AWS_CA_BUNDLE": bundle}, {}):
        with pytest.raises(NetworkError, match=r"127\.0\.0\.1:\d+: invalid certificate .*AWS_CA_BUNDLE"):
            _client(signer, url, **environ).call(GetCallerIdentity())


def test_tls_for_another_host_is_refused(sts: VerifyingSts, signer: Signer) -> None:
    bundle = str(sts.authority().bundle)
    url = sts.tls_endpoint("sts.eu-central-1.amazonaws.com")
    with pytest.raises(NetworkError, match=r"mismatch, certificate is not valid for '127\.0\.0\.1'"):
        _client(signer, url, AWS_CA_BUNDLE=bundle).call(GetCallerIdentity())
    with pytest.raises(NetworkError, match=r"Hostname mismatch.*'localhost'"):
        _client(signer, url.replace("127.0.0.1", "localhost"), AWS_CA_BUNDLE=bundle).call(GetCallerIdentity())


def test_tls_to_a_port_without_it(sts: VerifyingSts, signer: Signer) -> None:
    client = StsClient(
        signer,
        resolve(None, sts.endpoint.replace("http:", "https:")),
        HttpClient(10),
        policy=RetryPolicy(max_attempts=1),
    )
    with pytest.raises(NetworkError, match="check that the port supports TLS"):
        client.call(GetCallerIdentity())


@pytest.mark.parametrize("content", [None, "no certificate in here\n"])
def test_a_ca_bundle_that_cannot_be_read(sts: VerifyingSts, signer: Signer, tmp_path, content: str | None) -> None:
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_text(content)
    with pytest.raises(RequestError, match=r"AWS_CA_BUNDLE: .*bundle\.pem has no CA certificates"):
        _client(signer, sts.tls_endpoint(), AWS_CA_BUNDLE=str(bundle)).call(GetCallerIdentity())
