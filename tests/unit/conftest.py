"""Fixtures that tests of single modules share."""

from collections.abc import Iterator

import pytest

from tests.support.credential_server import Running


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of credentials, as `tpmwire serve` runs it, with the metadata service."""
    made = Running(tmp_path_factory.mktemp("serving"), imds=True)
    with made.server:
        yield made
