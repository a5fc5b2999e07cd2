"""The soft TPM refuses and returns what swtpm refuses and returns, for the same random commands."""

import pytest

from tests.support.soft_pair import Pair
from tests.support.swtpm import Swtpm
from tpmwire.soft import SoftTransport
from tpmwire.tpm import Tpm


@pytest.mark.parametrize("seed", range(4))
def test_random_commands(seed: int) -> None:
    with Swtpm() as swtpm, Tpm.open(swtpm.path, 60) as real, Tpm(SoftTransport()) as soft:
        pair = Pair(seed, real, soft)
        pair.run(250)
    assert pair.count >= 250
    assert pair.differences == []
