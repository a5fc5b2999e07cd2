"""The secret of this boot: the same for the same message until a reset, and hidden from the bus."""

from collections.abc import Iterator

import pytest

from cli.cache.boot_key import BootKey
from tests.support.interposer import Interposer
from tests.support.programs import left_behind
from tests.support.swtpm import Swtpm
from tpmwire.signing import HmacKey
from tpmwire.tpm import Tpm


@pytest.fixture
def swtpm() -> Iterator[Swtpm]:
    with Swtpm() as running:
        yield running
        assert left_behind(running.path) == []


def told(path: str, *messages: bytes, protected: bool = True) -> list[bytes]:
    with Tpm.open(path, 20) as tpm:
        return BootKey(HmacKey(handle=0x81000002, protected=protected)).hmacs(tpm, messages)


def test_it_is_the_messages_and_this_boots(swtpm: Swtpm) -> None:
    one, two = told(swtpm.path, b"one", b"two")
    assert len(one) == len(two) == 32
    assert one != two
    assert told(swtpm.path, b"two", b"one") == [two, one]
    # The way there makes no difference: what is sealed in clear opens in an encrypted run.
    assert told(swtpm.path, b"one", protected=False) == [one]
    swtpm.restart()
    assert one not in told(swtpm.path, b"one", b"two")


def test_another_tpm_tells_another(swtpm: Swtpm) -> None:
    with Swtpm() as other:
        assert told(swtpm.path, b"one") != told(other.path, b"one")


def test_the_bus_hears_it_in_a_run_in_clear_alone(swtpm: Swtpm) -> None:
    with Interposer(swtpm.path) as bus:
        (secret,) = told(bus.path, b"one", protected=False)
        assert secret in bus.octets
        bus.clear()
        assert told(bus.path, b"one") == [secret]
        assert secret not in bus.octets
