"""Temporary credentials that boto3 renews by itself, from a key in a TPM: how often the TPM and STS are asked."""

import datetime
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from sigv4.boto import refreshing_session
from sigv4.client import StsClient
from sigv4.endpoints import resolve
from sigv4.errors import SigV4Error
from sigv4.http import HttpClient
from sigv4.signer import Signer
from sigv4.sts import AssumeRole, Credentials
from tests.support.held import HeldKey, held_key, no_settings
from tests.support.sts import VerifyingSts

REGION = "us-east-1"
MANDATORY, ADVISORY = 5 * 60, 12 * 60  # seconds left: within botocore's ten minutes, within its fifteen


@pytest.fixture(scope="module")
def server() -> Iterator[VerifyingSts]:
    with VerifyingSts() as running, pytest.MonkeyPatch.context() as patch:
        no_settings(patch)
        yield running


@pytest.fixture(scope="module")
def key(server: VerifyingSts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeldKey]:
    with held_key(tmp_path_factory.mktemp("home"), server.secret_access_key) as made:
        yield made


class Role:
    """Assumes the role with the TPM's signature; `left` are the seconds that each next credentials have."""

    def __init__(self, server: VerifyingSts, key: HeldKey, *left: int) -> None:
        key.relay.clear()
        self._sts = StsClient(Signer(server.access_key_id, key), resolve(REGION, server.endpoint), HttpClient(10))
        self._role = server.role_arn
        self._left = list(left)
        self.calls = 0
        self.fails = False

    def __call__(self) -> Credentials:
        self.calls += 1
        if self.fails:
            raise SigV4Error("STS is away")
        found = self._sts.call(AssumeRole(self._role, f"number-{self.calls}"))
        if self._left:
            end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=self._left.pop(0))
            found.expiration = end.strftime("%Y-%m-%dT%H:%M:%SZ")
        return found


def client_of(role: Role, server: VerifyingSts) -> Any:
    return refreshing_session(role, region_name=REGION).client("sts", endpoint_url=server.endpoint)


def whoami(client: Any) -> str:
    arn: str = client.get_caller_identity()["Arn"]
    return arn.rpartition("/")[2]


def together(act: Any) -> list[Any]:
    """What eight threads get that start at once."""
    start, found = threading.Barrier(8), []

    def run() -> None:
        start.wait()
        found.append(act())

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.parametrize("left", [MANDATORY, ADVISORY])
def test_near_the_end_one_call_gets_new_ones(server: VerifyingSts, key: HeldKey, left: int) -> None:
    role = Role(server, key, left)
    client = client_of(role, server)
    assert role.calls == 0
    assert client._get_credentials().get_frozen_credentials().token
    assert role.calls == 1
    names = together(lambda: whoami(client))
    assert role.calls == 2
    # Those who come while it is fetched may use the old ones, as long as ten minutes are left.
    assert set(names) <= ({"number-2"} if left == MANDATORY else {"number-1", "number-2"})
    assert whoami(client) == "number-2"
    assert role.calls == 2
    assert key.relay.codes == ["HMAC"] * len(set(key.days))


def test_threads_that_are_first_wait_for_one_call(server: VerifyingSts, key: HeldKey) -> None:
    role = Role(server, key)
    client = client_of(role, server)
    assert together(lambda: whoami(client)) == ["number-1"] * 8
    assert role.calls == 1


def test_an_sts_that_is_away_matters_in_the_last_ten_minutes(server: VerifyingSts, key: HeldKey) -> None:
    for left, matters in ((ADVISORY, False), (MANDATORY, True)):
        role = Role(server, key, left)
        client = client_of(role, server)
        client._get_credentials().get_frozen_credentials()
        role.fails = True
        if matters:
            with pytest.raises(SigV4Error, match="STS is away"):
                whoami(client)
            role.fails = False
        assert whoami(client) == ("number-3" if matters else "number-1")
