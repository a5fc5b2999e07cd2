"""What most tests here stand on: an STS that verifies, and a machine whose TPM has that STS's key."""

from collections.abc import Iterator

import pytest

from tests.support.front import Front
from tests.support.programs import Machine, machine
from tests.support.sts import VerifyingSts


@pytest.fixture(scope="module")
def sts() -> Iterator[VerifyingSts]:
    """The STS, with a user and a role of its own for each module."""
    # A role that may assume roles, so that chains can be tried.
    with VerifyingSts(role_actions=("sts:AssumeRole",)) as running:
        yield running


@pytest.fixture(scope="module")
def box(sts: VerifyingSts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """The machine."""
    with machine(tmp_path_factory.mktemp("home"), sts.secret_access_key) as made:
        yield made


@pytest.fixture
def front(sts: VerifyingSts) -> Iterator[Front]:
    """The STS, behind an entrance that remembers what went through."""
    with Front(sts.port) as running:
        yield running
