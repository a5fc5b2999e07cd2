"""Fixtures that tests with an AWS server share: an STS that verifies signatures, and a machine with its key."""

from collections.abc import Iterator

import pytest

from tests.support.faults import Bench
from tests.support.faults import bench as made_bench
from tests.support.front import Front
from tests.support.interposer import Interposer
from tests.support.programs import Machine, machine
from tests.support.sts import VerifyingSts

ACTIONS = tuple(f"{service}:*" for service in ("sts", "iam", "s3", "dynamodb", "ecr"))


@pytest.fixture(scope="module")
def sts() -> Iterator[VerifyingSts]:
    """A server of STS and of what else the tests call, with a user and a role of its own for each module."""
    # A role that may assume roles, so that chains can be tried.
    with VerifyingSts(actions=ACTIONS, role_actions=("sts:AssumeRole", "s3:*")) as running:
        yield running


@pytest.fixture(scope="module")
def box(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine whose TPM has the key of `sts`, or the secret of `pytestmark = pytest.mark.box(secret)`."""
    marker = request.node.get_closest_marker("box")
    secret = marker.args[0] if marker else request.getfixturevalue("sts").secret_access_key
    with machine(tmp_path_factory.mktemp("home"), secret) as made:
        yield made


@pytest.fixture
def bus(box: Machine) -> Iterator[Interposer]:
    """A relay to the machine's TPM that records what goes by, and can change it."""
    with Interposer(box.swtpm.path) as made:
        yield made


@pytest.fixture
def front(sts: VerifyingSts) -> Iterator[Front]:
    """A relay to the STS that records requests and responses."""
    with Front(sts.port) as running:
        yield running


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A machine whose key no server knows, and a relay to its TPM: for runs that fail."""
    with made_bench(tmp_path_factory.mktemp("home")) as made:
        yield made
