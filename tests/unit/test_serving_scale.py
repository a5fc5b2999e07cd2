"""A thousand clients of `tpmwire serve` at once."""

import pytest

from cli.serving.connections import raise_descriptor_limit
from tests.bench.serving import round_of, running_server


@pytest.mark.parametrize("kind", ["port", "unix socket"])
def test_no_connection_is_dropped(kind: str) -> None:
    """Each gets its credentials, also in the next round, beside connections that still close."""
    raise_descriptor_limit()
    with running_server() as addresses:
        for _ in range(3):
            assert len(round_of(1000, addresses[kind])) == 1000
