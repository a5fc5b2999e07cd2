"""Fixtures that tests with a TPM share."""

from collections.abc import Iterator

import pytest

from tests.support.bench import Bench
from tests.support.bench import bench as made_bench


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A TPM with keys, behind a relay that records what goes by."""
    with made_bench(tmp_path_factory.mktemp("keys")) as made:
        yield made
