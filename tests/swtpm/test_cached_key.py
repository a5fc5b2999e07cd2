"""Cached data of a key: the commands that it saves, and the cost of outdated data."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import keys
from tests.support.bench import DATE, KDATE, PASSWORD, SECRET, Bench
from tests.support.interposer import Interposer
from tests.support.swtpm import Swtpm, tpm2
from tpmwire.channel import Pin
from tpmwire.errors import DecodeError, SessionError, TpmError
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.secret import Secret
from tpmwire.spec.constants import TPMA_OBJECT
from tpmwire.spec.response_codes import TPM_RC
from tpmwire.spec.structures import TPMS_ECC_POINT
from tpmwire.tpm import Tpm
from tpmwire.use.cached_key import CachedKey, KeyData, Memory
from tpmwire.use.hmac import HmacKey

PCR23 = parse_pcrs("23")


@pytest.fixture(scope="module")
def bench(shared_swtpm: Swtpm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    directory = tmp_path_factory.mktemp("keys")
    keys.make_keys(shared_swtpm, SECRET, directory)
    with Interposer(shared_swtpm.path) as bus:
        yield Bench(bus, directory)


@pytest.fixture(autouse=True)
def no_lockout(shared_swtpm: Swtpm) -> None:
    # A memory that does not hold may cost a failed authorization, of which the TPM takes few in a row.
    tpm2(shared_swtpm, "tpm2_dictionarylockout", "-c")


START, HMAC, SAVE, RECALL = "StartAuthSession", "HMAC", "ContextSave", "ContextLoad"
PRIMARY, LOAD, FLUSH, READ, PCR = "CreatePrimary", "Load", "FlushContext", "ReadPublic", "PolicyPCR"

Case = tuple[Callable[[Bench], dict[str, Any]], list[str], list[str]]

WAYS: dict[str, Case] = {
    "pem, unencrypted": (
        lambda b: {"file": b.file("plain"), "protected": False},
        [PRIMARY, LOAD, HMAC, SAVE, FLUSH, FLUSH],
        [RECALL, HMAC, FLUSH],
    ),
    "pem, pcr, unencrypted": (
        lambda b: {"file": b.file("pcr"), "pcrs": PCR23, "protected": False},
        [START, PRIMARY, LOAD, PCR, HMAC, SAVE, FLUSH, FLUSH],
        [START, RECALL, PCR, HMAC, FLUSH],
    ),
    "pem": (
        lambda b: {"file": b.file("plain")},
        [PRIMARY, START, READ, LOAD, HMAC, SAVE, FLUSH, FLUSH],
        [START, RECALL, HMAC, FLUSH],
    ),
    "pem, password": (
        lambda b: {"file": b.file("password"), "auth": PASSWORD},
        [PRIMARY, START, READ, LOAD, HMAC, SAVE, FLUSH, FLUSH],
        [START, RECALL, HMAC, FLUSH],
    ),
    "pem, pcr": (
        lambda b: {"file": b.file("pcr"), "pcrs": PCR23},
        [PRIMARY, START, READ, LOAD, PCR, HMAC, SAVE, FLUSH, FLUSH],
        [START, RECALL, PCR, HMAC, FLUSH],
    ),
    "pem, persistent parent": (
        lambda b: {"file": b.file("plain-srk")},
        [READ, START, LOAD, HMAC, SAVE, FLUSH],
        [START, RECALL, HMAC, FLUSH],
    ),
    "pem, its parent pinned": (
        lambda b: {"file": b.file("plain"), "pin": Pin(b.made["h2"].name, None, "h2")},
        [PRIMARY, START, SAVE, LOAD, HMAC, SAVE, FLUSH, FLUSH],
        [RECALL, START, FLUSH, RECALL, HMAC, FLUSH],
    ),
    # Seconds on a chip, spared: the RSA endorsement key comes back without being made.
    "pem, RSA endorsement key pinned": (
        lambda b: {"file": b.file("plain"), "pin": Pin(b.made["ek-rsa"].name, None, "ek-rsa")},
        [PRIMARY, START, SAVE, FLUSH, PRIMARY, LOAD, HMAC, SAVE, FLUSH, FLUSH],
        [RECALL, START, FLUSH, RECALL, HMAC, FLUSH],
    ),
    "handle": (
        lambda _: {"handle": keys.PLAIN_HANDLE},
        [READ, READ, START, HMAC],
        [START, HMAC],
    ),
    "handle, password": (
        lambda _: {"handle": keys.PASSWORD_HANDLE, "auth": PASSWORD},
        [READ, READ, START, HMAC],
        [START, HMAC],
    ),
    "handle, pcr": (
        lambda _: {"handle": keys.PCR_HANDLE, "pcrs": PCR23},
        [READ, READ, START, PCR, HMAC],
        [START, PCR, HMAC],
    ),
    "handle, pinned, and the key's Name known": (
        lambda b: {
            "handle": keys.PLAIN_HANDLE,
            "name": b.names[keys.PLAIN_HANDLE],
            "pin": Pin(b.srk.name, None, keys.SRK_HANDLE),
        },
        [READ, START, HMAC],
        [START, HMAC],
    ),
}


def remembered(bench: Bench, **options: Any) -> KeyData:
    """What a run with these options leaves."""
    memory = Memory()
    assert bench.run(CachedKey(memory=memory, **options))[0] == KDATE
    assert memory.changed
    assert memory.data is not None
    return memory.data


@pytest.mark.parametrize("way", WAYS)
def test_a_later_run_makes_and_reads_nothing_again(bench: Bench, way: str) -> None:
    options, first, later = WAYS[way]
    memory = Memory()
    assert bench.run(CachedKey(memory=memory, **options(bench))) == (KDATE, first)
    assert memory.data is not None
    # As it is written and read again; more than once, since loading a context does not spend it.
    memory = Memory(KeyData.parse(memory.data.build()))
    for _ in range(2):
        assert bench.run(CachedKey(memory=memory, **options(bench))) == (KDATE, later)
    assert not memory.changed
    if options(bench).get("protected", True):
        assert KDATE not in bench.bus.octets


def test_a_reset_costs_one_whole_way(bench: Bench, shared_swtpm: Swtpm) -> None:
    for way in ("pem, unencrypted", "pem", "pem, its parent pinned", "pem, pcr, unencrypted"):
        options, first, later = WAYS[way]
        memory = Memory(remembered(bench, **options(bench)))
        shared_swtpm.restart()
        # A power cut counts as a failed authorization (Part 1, §19.8).
        tpm2(shared_swtpm, "tpm2_dictionarylockout", "-c")
        with Tpm.open(shared_swtpm.path, 20) as tpm:
            HmacKey(handle=keys.PLAIN_HANDLE, protected=False).hmac(tpm, DATE)  # TPM_RC_RETRY, once after a start
        result, commands = bench.run(CachedKey(memory=memory, **options(bench)))
        assert result == KDATE
        assert commands[-len(first) :] == first
        assert memory.changed
        assert bench.run(CachedKey(memory=memory, **options(bench))) == (KDATE, later)
        assert bench.left_behind() == []


def test_a_changed_octet_costs_a_whole_way_at_most(bench: Bench) -> None:
    """Each byte of the cached data. In clear: no session's HMAC helps the TPM to notice."""
    options: dict[str, Any] = {"file": bench.file("plain-srk"), "protected": False}
    good = remembered(bench, **options).build()
    refused = 0
    for place in range(len(good)):
        octets = bytearray(good)
        octets[place] ^= 1 << place % 8
        try:
            memory = Memory(KeyData.parse(bytes(octets)))
        except DecodeError:
            refused += 1
            continue
        assert bench.run(CachedKey(memory=memory, **options))[0] == KDATE
    assert refused < len(good) // 4


def test_another_tpms_context_is_refused(bench: Bench, tmp_path: Path) -> None:
    with Swtpm() as other:
        keys.make_keys(other, SECRET, tmp_path)
        with Interposer(other.path) as bus:
            there = Bench(bus, tmp_path)
            foreign = remembered(there, file=there.file("plain"))
    mine = remembered(bench, file=bench.file("plain"))
    for data in (
        foreign,
        foreign.replace(key_name=mine.key_name),
        mine.replace(key=foreign.key),
        mine.replace(salt_public=foreign.salt_public),
    ):
        memory = Memory(data)
        assert bench.run(CachedKey(memory=memory, file=bench.file("plain")))[0] == KDATE
        assert memory.data is not None
        assert memory.data.salt_public == mine.salt_public


def test_another_keys_context_is_noticed_by_its_name(bench: Bench) -> None:
    """The same TPM takes it; a protected run takes the Name of the key that was meant into its HMAC."""
    mine, other = (remembered(bench, file=bench.file(name)) for name in ("plain", "plain-srk"))
    memory = Memory(mine.replace(key=other.key))
    result, commands = bench.run(CachedKey(memory=memory, file=bench.file("plain")))
    assert result == KDATE
    # Refused, read to see why, flushed; then the whole way.
    assert commands[:6] == [START, RECALL, HMAC, READ, FLUSH, FLUSH]
    assert commands[6:] == WAYS["pem"][1]
    # In clear the cached Name shows it.
    memory = Memory(other.replace(salt_public=None, salt_handle=0x40000007))
    assert bench.run(CachedKey(memory=memory, file=bench.file("plain"), protected=False)) == (
        KDATE,
        WAYS["pem, unencrypted"][1],
    )


def test_a_pin_holds_for_what_is_remembered(bench: Bench) -> None:
    """A memory of a session to the storage root key is of no use to who pins another key."""
    memory = Memory(remembered(bench, handle=keys.PLAIN_HANDLE))
    pin = Pin(bench.made["h2"].name, None, "h2")
    result, commands = bench.run(CachedKey(memory=memory, handle=keys.PLAIN_HANDLE, pin=pin))
    assert result == KDATE
    assert commands == [PRIMARY, START, SAVE, FLUSH, READ, HMAC]


def test_what_is_remembered_is_no_way_around_a_pin(bench: Bench, tmp_path: Path) -> None:
    """Another TPM with a key of the same secret refuses what is remembered; the whole way then meets the pin."""
    options: dict[str, Any] = {
        "handle": keys.PASSWORD_HANDLE,
        "auth": PASSWORD,
        "pin": Pin(bench.srk.name, None, keys.SRK_HANDLE),
    }
    memory = Memory(remembered(bench, **options))
    with Swtpm() as other:
        keys.make_keys(other, SECRET, tmp_path)
        with Interposer(other.path) as bus:
            with Tpm.open(bus.path, 20) as tpm, pytest.raises(SessionError, match="not the pinned"):
                CachedKey(memory=memory, **options).hmac(tpm, DATE)
            # What was sent is sealed for the pinned TPM's key alone.
            assert bus.codes == [START, HMAC, READ, FLUSH, READ]
            assert PASSWORD.reveal() not in bus.octets


def test_a_refusal_for_another_reason_is_told_and_costs_two_looks(bench: Bench) -> None:
    data = remembered(bench, file=bench.file("password"), auth=PASSWORD)
    memory = Memory(data)
    bench.bus.clear()
    with Tpm.open(bench.bus.path, 20) as tpm, pytest.raises(TpmError) as refused:
        CachedKey(memory=memory, file=bench.file("password"), auth=Secret(b"wrong")).hmac(tpm, DATE)
    assert refused.value.code == TPM_RC.AUTH_FAIL
    assert bench.bus.codes == [START, RECALL, HMAC, READ, READ, FLUSH, FLUSH]
    # One wrong password is one failed attempt for the TPM, and the memory still holds.
    assert (memory.data, memory.changed) == (data, False)


def test_another_key_at_the_handle_is_found(bench: Bench) -> None:
    memory = Memory(remembered(bench, handle=keys.PLAIN_HANDLE).replace(key_name=bench.names[keys.PCR_HANDLE]))
    result, commands = bench.run(CachedKey(memory=memory, handle=keys.PLAIN_HANDLE))
    assert result == KDATE
    assert commands == [START, HMAC, READ, FLUSH, READ, START, HMAC]
    assert memory.data is not None
    assert memory.data.key_name == bench.names[keys.PLAIN_HANDLE]


def test_a_salt_key_that_is_none_is_not_believed(bench: Bench) -> None:
    """What only somebody can have written who knows the form: off the curve, and a key that takes no salt."""
    data = remembered(bench, handle=keys.PLAIN_HANDLE)
    public = data.salt_public
    assert public is not None
    assert isinstance(public.unique, TPMS_ECC_POINT)
    off = public.replace(unique=public.unique.replace(y=bytes(32)))
    signs = public.replace(object_attributes=public.object_attributes & ~TPMA_OBJECT.DECRYPT)
    for unsound in (off, signs):
        memory = Memory(data.replace(salt_public=unsound))
        result, commands = bench.run(CachedKey(memory=memory, handle=keys.PLAIN_HANDLE))
        assert (result, commands) == (KDATE, WAYS["handle"][1])
        assert memory.data == data


def test_a_tpm_that_saves_no_context_is_not_remembered(bench: Bench) -> None:
    refusing = bytes.fromhex("80010000000a00000143")
    bench.bus.clear()
    bench.bus.on_command = lambda sent: refusing if sent[6:10] == bytes.fromhex("00000162") else None
    memory = Memory()
    with Tpm.open(bench.bus.path, 20) as tpm:
        assert CachedKey(memory=memory, file=bench.file("plain"), protected=False).hmac(tpm, DATE) == KDATE
    assert (memory.data, memory.changed) == (None, False)
