"""IAM's key operations against a server that checks every signature; answers that are none."""

from collections.abc import Iterator

import pytest

from sigv4.client import AwsClient
from sigv4.endpoints import resolve_service
from sigv4.errors import ResponseError, StsError
from sigv4.http import HttpClient
from sigv4.iam import CreateAccessKey, DeleteAccessKey, ListAccessKeys, NewAccessKey, UpdateAccessKey, _read_keys
from sigv4.signer import Signer, hmac_from_secret
from sigv4.xml import parse_xml
from tests.support.sts import VerifyingSts


@pytest.fixture(scope="module")
def server() -> Iterator[VerifyingSts]:
    with VerifyingSts(actions=("iam:*", "sts:*")) as running:
        yield running


def client(server: VerifyingSts, key_id: str, secret: str) -> AwsClient:
    endpoint = resolve_service("iam", "eu-central-1", environ={"AWS_ENDPOINT_URL_IAM": server.endpoint})
    return AwsClient(Signer(key_id, hmac_from_secret(secret)), endpoint, HttpClient(10.0, {}, user_agent="t"))


def test_a_key_from_birth_to_end(server: VerifyingSts) -> None:
    old = client(server, server.access_key_id, server.secret_access_key)
    new = old.call(CreateAccessKey())
    assert new.secret_access_key not in repr(new)
    assert [(key.access_key_id, key.status) for key in old.call(ListAccessKeys())] == [
        (server.access_key_id, "Active"),
        (new.access_key_id, "Active"),
    ]
    # The new key signs, and so is known.
    newer = client(server, new.access_key_id, new.secret_access_key)
    newer.call(UpdateAccessKey(server.access_key_id))
    newer.call(UpdateAccessKey(server.access_key_id))
    assert [key.status for key in newer.call(ListAccessKeys())] == ["Inactive", "Active"]
    newer.call(UpdateAccessKey(server.access_key_id, active=True))
    old.call(DeleteAccessKey(new.access_key_id))
    assert [key.access_key_id for key in old.call(ListAccessKeys())] == [server.access_key_id]
    with pytest.raises(StsError) as gone:
        old.call(DeleteAccessKey(new.access_key_id))
    assert gone.value.code == "NoSuchEntity"


def test_a_wrong_secret_makes_no_key(server: VerifyingSts) -> None:
    with pytest.raises(StsError) as refused:
        client(server, server.access_key_id, "x" * 40).call(CreateAccessKey())
    assert refused.value.code == "SignatureDoesNotMatch"


def test_where_iam_is() -> None:
    places = {region: resolve_service("iam", region) for region in ("eu-central-1", "cn-north-1", "us-gov-west-1")}
    assert [(place.url, place.region) for place in places.values()] == [
        ("https://iam.amazonaws.com/", "us-east-1"),
        ("https://iam.cn-north-1.amazonaws.com.cn/", "cn-north-1"),
        ("https://iam.us-gov.amazonaws.com/", "us-gov-west-1"),
    ]


def test_an_answer_without_the_secret_is_none() -> None:
    document = parse_xml(
        b"<CreateAccessKeyResponse><CreateAccessKeyResult><AccessKey><AccessKeyId>AKIA</AccessKeyId>"
        b"</AccessKey></CreateAccessKeyResult></CreateAccessKeyResponse>"
    )
    with pytest.raises(ResponseError, match="no SecretAccessKey"):
        CreateAccessKey().result(document)


def test_an_answer_of_another_operation_deletes_nothing() -> None:
    with pytest.raises(ResponseError, match="not a valid DeleteAccessKeyResponse"):
        DeleteAccessKey("A" * 20).result(parse_xml(b"<html>hello</html>"))


def test_a_listed_key_has_its_id() -> None:
    with pytest.raises(ResponseError, match="without a valid id"):
        _read_keys(b"<a><member><Status>Active</Status></member></a>")


def test_no_repr_shows_the_secret() -> None:
    assert repr(NewAccessKey("AKIA", "hush")) == "<NewAccessKey AKIA, secret hidden>"
