"""boto3 sessions whose key is in a TPM, as programs use them: what the TPM is asked, what nobody gets to see."""

import base64
import copy
import datetime
import hmac
import io
import logging
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import boto3
import botocore.auth
import pytest
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher
from botocore.exceptions import ClientError

from sigv4.boto import session
from sigv4.errors import RequestError
from sigv4.signer import Signer, hmac_from_secret
from tests.support.front import Front
from tests.support.held import HeldKey, held_key, no_settings
from tests.support.programs import left_behind
from tests.support.sts import VerifyingSts
from tpmwire.errors import TransportError

REGION = "us-east-1"
ONCE = ["HMAC"]


@pytest.fixture(scope="module")
def server() -> Iterator[VerifyingSts]:
    with VerifyingSts(actions=("sts:*", "sqs:*", "dynamodb:*")) as running, pytest.MonkeyPatch.context() as patch:
        no_settings(patch)
        yield running


@pytest.fixture(scope="module")
def key(server: VerifyingSts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeldKey]:
    with held_key(tmp_path_factory.mktemp("home"), server.secret_access_key) as made:
        yield made


@pytest.fixture
def aws(server: VerifyingSts, key: HeldKey) -> boto3.Session:
    """A session that has asked nothing yet."""
    key.relay.clear()
    return session(key, server.access_key_id, region_name=REGION)


def asked(key: HeldKey) -> list[str]:
    """The TPM's commands; a test that runs over midnight has one more, for the new day."""
    return key.relay.codes[len(set(key.days)) - 1 :]


def test_tables_queues_and_the_caller_for_one_hmac(server: VerifyingSts, key: HeldKey, aws: boto3.Session) -> None:
    queues, tables, sts = (aws.client(name, endpoint_url=server.endpoint) for name in ("sqs", "dynamodb", "sts"))
    queue = queues.create_queue(QueueName="held")["QueueUrl"]
    queues.send_message(QueueUrl=queue, MessageBody="<ä&+ %>", MessageAttributes={})
    (message,) = queues.receive_message(QueueUrl=queue)["Messages"]
    assert message["Body"] == "<ä&+ %>"
    assert tables.list_tables()["TableNames"] == []
    assert sts.get_caller_identity()["Arn"].endswith(":user/device")
    assert asked(key) == ONCE
    assert left_behind(key.path) == []


def test_many_threads_ask_the_tpm_once(server: VerifyingSts, key: HeldKey, aws: boto3.Session) -> None:
    sts = aws.client("sts", endpoint_url=server.endpoint)
    start, arns = threading.Barrier(8), []

    def call() -> None:
        start.wait()
        arns.append(sts.get_caller_identity()["Arn"])

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(arns) == 8
    assert asked(key) == ONCE


def test_a_new_day_is_one_hmac_more(key: HeldKey, aws: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = aws.client("s3", config=Config(signature_version="s3v4"))
    for moment in ("23:59:58", "23:59:59", "00:00:00", "00:00:01"):
        day = 24 if moment[:2] == "23" else 25
        now = datetime.datetime.fromisoformat(f"2026-11-{day}T{moment}")
        monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, now=now: now)
        for name in "one", "two":
            s3.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": name})
    assert key.days == ["20261124", "20261125"]
    assert key.relay.codes == ONCE * 2


def test_what_is_sent_again_is_signed_again(server: VerifyingSts, key: HeldKey, aws: boto3.Session) -> None:
    signatures: list[str] = []

    def twice(authorization: str, _body: str) -> tuple[int, bytes] | None:
        signatures.append(authorization)
        return None if len(signatures) == 3 else (503, b"")

    with Front(server.port, twice) as front:
        config = Config(retries={"mode": "standard", "total_max_attempts": 3})
        sts = aws.client("sts", endpoint_url=front.url, config=config)
        assert sts.get_caller_identity()["ResponseMetadata"]["RetryAttempts"] == 2
    assert len(signatures) == 3
    assert asked(key) == ONCE


def test_a_tpm_that_was_away_is_asked_again(
    server: VerifyingSts, key: HeldKey, aws: boto3.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of a failure stays; botocore does not retry it, as the TPM's own retries are done."""
    sts = aws.client("sts", endpoint_url=server.endpoint)
    monkeypatch.setattr(key, "timeout", 0.5)
    key.relay.on_command = lambda _command: b""  # it hangs
    with pytest.raises(TransportError):
        sts.get_caller_identity()
    monkeypatch.undo()
    key.relay.clear()
    assert sts.get_caller_identity()["Arn"].endswith(":user/device")
    assert asked(key) == ONCE


def test_a_role_on_top(server: VerifyingSts, key: HeldKey, aws: boto3.Session) -> None:
    sts = aws.client("sts", endpoint_url=server.endpoint)
    found = sts.assume_role(RoleArn=server.role_arn, RoleSessionName="top")["Credentials"]
    role = boto3.Session(
        found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"], region_name=REGION
    ).client("sts", endpoint_url=server.endpoint)
    assert role.get_caller_identity()["Arn"].endswith(":assumed-role/demo/top")
    assert asked(key) == ONCE


def test_botos_own_way_to_a_role_is_told_who_has_the_key(server: VerifyingSts, aws: boto3.Session) -> None:
    """It makes an STS client of its own out of the source's keys; one of them is not to be had."""
    fetcher = AssumeRoleCredentialFetcher(aws._session.create_client, aws.get_credentials(), server.role_arn)
    with pytest.raises(RequestError, match=f"the secret key of {server.access_key_id} is not available"):
        fetcher.fetch_credentials()


def test_a_profile_with_a_role_is_refused_and_others_are_read(
    key: HeldKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever names it wants to be the role, and no more."""
    config = tmp_path / "config"
    config.write_text(
        "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/work\n[profile plain]\nregion = x-1\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    with pytest.raises(RequestError, match="profile role assumes a role"):
        session(key, "AKIAMADEUP", profile_name="role")
    assert session(key, "AKIAMADEUP", profile_name="plain").region_name == "x-1"


def test_nobody_sees_the_days_key(
    server: VerifyingSts, key: HeldKey, aws: boto3.Session, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in logs of all that boto3 can log, and in no text of an object that it came to."""
    with caplog.at_level(logging.DEBUG):
        client = aws.client("s3", endpoint_url=server.endpoint)
        with pytest.raises(ClientError, match="AccessDenied"):
            client.put_object(Bucket="bucket", Key="key", Body=io.BytesIO(b"body"))
    held = aws.get_credentials()
    assert held is not None
    (day,) = key.days
    secrets = [server.secret_access_key.encode(), (made := key(day.encode()))]
    secrets += [signing_key(made, service, REGION) for service in ("s3", "sts")]
    seen = caplog.text + repr(texts_of(aws, held, client))
    assert "CanonicalRequest" in caplog.text
    assert "<secret>" in seen
    for secret in secrets:
        for form in (secret.hex(), repr(secret)[2:-1], base64.b64encode(secret).decode().rstrip("=")):
            assert form not in seen


def signing_key(day_key: bytes, service: str, region: str) -> bytes:
    for part in (region, service, "aws4_request"):
        day_key = hmac.digest(day_key, part.encode(), "sha256")
    return day_key


def texts_of(*roots: object) -> list[str]:
    """The repr of all that can be reached by attributes, items and closures."""
    found: dict[int, object] = {}
    todo = list(roots)
    while todo:
        each = todo.pop()
        if id(each) in found or isinstance(each, str | bytes | int | type | ModuleType):
            continue
        found[id(each)] = each
        todo += list(each.values() if isinstance(each, dict) else getattr(each, "__dict__", {}).values())
        todo += list(each) if isinstance(each, list | tuple | set) else []
        todo += [cell.cell_contents for cell in getattr(each, "__closure__", None) or ()]
    return [repr(each) for each in found.values() if not isinstance(each, dict | list)]


def test_a_session_is_not_pickled(aws: boto3.Session) -> None:
    held = aws.get_credentials()
    assert held is not None
    for act in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="create a session in each process"):
            act(held)
    with pytest.raises(TypeError, match="secrets cannot be pickled"):
        pickle.dumps(Signer("AKIAMADEUP", hmac_from_secret("made-up")))
