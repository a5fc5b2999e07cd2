"""The soft TPM refuses and returns what swtpm refuses and returns, for the same random commands."""

import pytest

from tests.support.soft_pair import Pair
from tests.support.soft_pair_wide import WidePair
from tests.support.swtpm import Swtpm
from tpmwire.soft import SoftTransport
from tpmwire.tpm import Tpm


@pytest.mark.parametrize(("kind", "seed"), [(Pair, 0), (Pair, 1), (WidePair, 2), (WidePair, 3)])
def test_random_commands(kind: type[Pair], seed: int) -> None:
    with Swtpm() as swtpm, Tpm.open(swtpm.path, 60) as real, Tpm(SoftTransport()) as soft:
        pair = kind(seed, real, soft)
        pair.run(250)
    assert pair.count >= 250
    assert pair.differences == []
