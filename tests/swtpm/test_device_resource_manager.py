"""The exact number of commands at the chip behind the kernel's resource manager, which swaps objects and sessions.

The resource manager is a model; tests/device asserts the same counts of the kernel's.
"""

from collections.abc import Callable, Iterator

import pytest

from tests.support import keys
from tests.support.bench import DATE, KDATE, PASSWORD, Bench
from tests.support.resource_manager import ResourceManager
from tpmwire.channel import WELL_KNOWN, Pin, create_primary
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.spec.commands.context import EvictControl
from tpmwire.spec.constants import TPM_RH
from tpmwire.tpm import Tpm
from tpmwire.use.cached_key import CachedKey, Memory
from tpmwire.use.hmac import HmacKey

PCR23 = parse_pcrs("23")

Way = tuple[Callable[[Bench], HmacKey], int, int]
"""A key, the commands of the program, and those at the chip."""

WAYS: dict[str, Way] = {
    "handle, in clear": (lambda _: HmacKey(handle=keys.PLAIN_HANDLE, protected=False), 1, 1),
    "handle": (lambda _: HmacKey(handle=keys.PLAIN_HANDLE), 4, 7),
    "password": (lambda _: HmacKey(handle=keys.PASSWORD_HANDLE, auth=PASSWORD), 4, 7),
    "pcr": (lambda _: HmacKey(handle=keys.PCR_HANDLE, pcrs=PCR23), 5, 10),
    "pem, in clear": (lambda b: HmacKey(file=b.file("plain"), protected=False), 3, 16),
    "pem": (lambda b: HmacKey(file=b.file("plain")), 4, 25),
    "pem, persistent parent": (lambda b: HmacKey(file=b.file("plain-srk")), 4, 14),
}
WITHOUT_ROOT: dict[str, Way] = {
    "handle": (lambda _: HmacKey(handle=keys.PLAIN_HANDLE), 5, 16),
    "handle, checked": (lambda _: HmacKey(handle=keys.PLAIN_HANDLE, checked=True), 7, 21),
    "handle, ek-ecc pinned": (
        lambda b: HmacKey(handle=keys.PLAIN_HANDLE, pin=Pin(b.made["ek-ecc"].name, None, "ek-ecc")),
        5,
        19,
    ),
    "handle, ek-ecc pinned, and the key's Name given": (
        lambda b: HmacKey(
            handle=keys.PLAIN_HANDLE,
            name=b.names[keys.PLAIN_HANDLE],
            pin=Pin(b.made["ek-ecc"].name, None, "ek-ecc"),
        ),
        3,
        14,
    ),
    "password": (lambda _: HmacKey(handle=keys.PASSWORD_HANDLE, auth=PASSWORD), 5, 16),
    "pcr": (lambda _: HmacKey(handle=keys.PCR_HANDLE, pcrs=PCR23), 7, 21),
    "pem": (lambda b: HmacKey(file=b.file("plain")), 4, 25),
}


def used(bench: Bench, key: HmacKey) -> tuple[int, int]:
    """The numbers of commands when a key is used once: the program's, and those at the chip."""
    manager = ResourceManager(bench.bus.target)
    with Tpm(manager, for_one_use=True) as tpm:
        assert key.hmac(tpm, DATE) == KDATE
    assert bench.left_behind() == []
    return manager.sent, len(manager.dialogue)


@pytest.fixture
def rootless(bench: Bench) -> Iterator[Bench]:
    """A TPM without a persistent storage root key."""
    with Tpm.open(bench.bus.target, 20) as tpm:
        tpm.execute(EvictControl(TPM_RH.OWNER, keys.SRK_HANDLE, keys.SRK_HANDLE))
    yield bench
    with Tpm.open(bench.bus.target, 20) as tpm:
        made = create_primary(tpm, TPM_RH.OWNER, WELL_KNOWN["srk"].template())
        tpm.execute(EvictControl(TPM_RH.OWNER, made.handle, keys.SRK_HANDLE))


@pytest.mark.parametrize("way", WAYS)
def test_the_commands_at_the_chip(bench: Bench, way: str) -> None:
    key, *counts = WAYS[way]
    assert used(bench, key(bench)) == (*counts,)


@pytest.mark.parametrize("way", WITHOUT_ROOT)
def test_the_commands_without_a_storage_root_key(rootless: Bench, way: str) -> None:
    key, *counts = WITHOUT_ROOT[way]
    assert used(rootless, key(rootless)) == (*counts,)


def test_the_commands_with_cached_data(rootless: Bench) -> None:
    for key, counts in (
        (CachedKey(handle=keys.PLAIN_HANDLE, memory=Memory()), (3, 14)),
        (CachedKey(file=rootless.file("plain"), memory=Memory()), (5, 24)),
    ):
        used(rootless, key)
        assert used(rootless, key) == counts


def test_several_uses_flush_what_is_not_needed(rootless: Bench) -> None:
    """The salt key would otherwise be loaded and saved with every further command."""
    manager = ResourceManager(rootless.bus.target)
    with Tpm(manager) as tpm:
        HmacKey(handle=keys.PLAIN_HANDLE).hmacs(tpm, [DATE, DATE])
    assert len(manager.dialogue) == 21
