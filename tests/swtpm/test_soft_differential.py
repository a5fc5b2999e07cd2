"""The soft TPM refuses and returns what swtpm refuses and returns, for the same random commands."""

import pytest

from tests.fuzz.soft import compare


@pytest.mark.parametrize("seed", range(6))
def test_random_commands(seed: int) -> None:
    pair = compare(seed, 250)
    assert pair.count >= 250
    assert pair.differences == []
