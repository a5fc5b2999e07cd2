"""Somebody on the bus who changes what goes by: never a result made from it, always one clear error."""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import keys
from tests.support.bench import DATE, KDATE, PASSWORD, Bench
from tests.support.swtpm import Swtpm
from tpmwire.channel import WELL_KNOWN, Pin, create_primary
from tpmwire.errors import SessionError, TpmError, TpmwireError
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.spec.commands.dictionary import DictionaryAttackLockReset
from tpmwire.tpm import Tpm
from tpmwire.use.hmac import HmacKey

MODES = {
    "handle": lambda b: HmacKey(handle=keys.PLAIN_HANDLE),
    "password": lambda b: HmacKey(handle=keys.PASSWORD_HANDLE, auth=PASSWORD),
    "pcr": lambda b: HmacKey(handle=keys.PCR_HANDLE, pcrs=parse_pcrs("23")),
    "pem": lambda b: HmacKey(file=b.file("plain")),
    "pem, pinned": lambda b: HmacKey(file=b.file("plain"), pin=Pin(b.made["ek-ecc"].name, None, "ek-ecc")),
    "handle, public area pinned": lambda b: HmacKey(
        handle=keys.PLAIN_HANDLE, pin=Pin(b.srk.name, b.srk.public, keys.SRK_HANDLE)
    ),
}


def attacked(bench: Bench, key: HmacKey, index: int, bit: int) -> None:
    """One run in which one bit of one response is flipped."""
    bench.bus.clear()
    seen = 0

    def flip(response: bytes, _command: bytes) -> bytes:
        nonlocal seen
        seen += 1
        if seen - 1 != index or bit // 8 >= len(response):
            return response
        return response[: bit // 8] + bytes([response[bit // 8] ^ 1 << bit % 8]) + response[bit // 8 + 1 :]

    bench.bus.on_response = flip
    # A size that grew makes us wait for more; that ends at the timeout.
    tpm = Tpm.open(bench.bus.path, 0.1 if 16 <= bit < 48 else 20)
    try:
        result = key.hmac(tpm, DATE)
        message = ""
    except TpmwireError as error:
        result, message = KDATE, str(error)
    finally:
        tpm.close()
        bench.bus.clear()
        cleaned(bench)
    assert result == KDATE
    assert "\n" not in message


def cleaned(bench: Bench) -> None:
    """The attacker can make us lose a handle; the next attack starts afresh, and wrong passwords do not count."""
    with Tpm.open(bench.bus.target, 20) as tpm:
        for handle in bench.left_behind_in(tpm):
            tpm.flush(handle)
        tpm.execute(DictionaryAttackLockReset())


@pytest.mark.parametrize("mode", MODES)
def test_a_flipped_bit_is_an_error_or_changes_nothing(bench: Bench, mode: str) -> None:
    key = MODES[mode](bench)
    bench.run(key)
    lengths = [len(pair.response) for pair in bench.bus.dialogue]
    bits = [(index, bit) for index, length in enumerate(lengths) for bit in range(8 * length)]
    if os.environ.get("HYPOTHESIS_PROFILE") == "fuzz":
        for index, bit in bits:
            attacked(bench, key, index, bit)
        return

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(bits))
    def sampled(place: tuple[int, int]) -> None:
        attacked(bench, key, *place)

    sampled()


@pytest.mark.parametrize("mode", MODES)
def test_every_single_octet_of_the_result_is_covered(bench: Bench, mode: str) -> None:
    """In the response to TPM2_HMAC everything but the size is authentic or refused."""
    key = MODES[mode](bench)
    bench.run(key)
    index = bench.bus.codes.index("HMAC")
    length = len(bench.bus.dialogue[index].response)
    for octet in (0, 1, *range(6, length)):
        seen = 0

        def flip(response: bytes, command: bytes, octet: int = octet) -> bytes:
            if command[6:10] != bytes.fromhex("00000155"):
                return response
            nonlocal seen
            seen += 1
            return response[:octet] + bytes([response[octet] ^ 0x10]) + response[octet + 1 :]

        bench.bus.clear()
        bench.bus.on_response = flip
        with pytest.raises(TpmwireError), Tpm.open(bench.bus.path, 20) as tpm:
            key.hmac(tpm, DATE)
        assert seen == 1
        bench.bus.clear()
        cleaned(bench)


@pytest.mark.parametrize("mode", MODES)
def test_an_old_answer_is_refused(bench: Bench, mode: str) -> None:
    key = MODES[mode](bench)
    bench.run(key)
    old = next(pair.response for pair in bench.bus.dialogue if pair.code == "HMAC")
    bench.bus.clear()
    bench.bus.on_command = lambda sent: old if sent[6:10] == bytes.fromhex("00000155") else None
    with pytest.raises(SessionError, match="invalid response HMAC"), Tpm.open(bench.bus.path, 20) as tpm:
        key.hmac(tpm, DATE)
    bench.bus.clear()
    cleaned(bench)


@pytest.mark.parametrize("mode", MODES)
def test_an_answer_without_sessions_is_refused(bench: Bench, mode: str) -> None:
    """The attacker answers "success" with a key of its own choice."""
    forged = bytes.fromhex("80010000002c000000000020") + bytes(32)
    bench.bus.clear()
    bench.bus.on_command = lambda sent: forged if sent[6:10] == bytes.fromhex("00000155") else None
    with pytest.raises(SessionError, match="invalid response tag"), Tpm.open(bench.bus.path, 20) as tpm:
        MODES[mode](bench).hmac(tpm, DATE)
    bench.bus.clear()
    cleaned(bench)


def test_another_salt_key_in_place_of_the_tpms(bench: Bench) -> None:
    """A primary key that the attacker made: refused by its Name where pinned; else the TPM cannot use its salt."""
    place = WELL_KNOWN["h2"]
    with Swtpm() as other, Tpm.open(other.path, 20) as theirs:
        foreign = create_primary(theirs, place.hierarchy, place.template())
    own = bench.made["h2"]

    def swap(response: bytes, command: bytes) -> bytes:
        if command[6:10] != bytes.fromhex("00000131"):
            return response
        return response.replace(own.public.build(), foreign.public.build()).replace(own.name, foreign.name)

    for key, error in (
        (HmacKey(file=bench.file("plain"), pin=Pin(own.name, None, "h2")), SessionError),
        (HmacKey(file=bench.file("plain")), TpmError),
    ):
        bench.bus.clear()
        bench.bus.on_response = swap
        with pytest.raises(error), Tpm.open(bench.bus.path, 20) as tpm:
            key.hmac(tpm, DATE)
        assert "HMAC" not in bench.bus.codes
        bench.bus.clear()
        cleaned(bench)
