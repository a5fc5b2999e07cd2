"""The secret of this boot: the same for the same message until a reset, and hidden from the bus."""

from cli.credentials.cache.boot_key import BootKey
from tests.support.interposer import Interposer
from tests.support.swtpm import Swtpm, tpm2
from tpmwire.channel import Pin, create_primary, read_loaded
from tpmwire.keys.templates import h2_primary
from tpmwire.spec.constants import TPM_RH
from tpmwire.tpm import Tpm
from tpmwire.use.cached_key import KeyData, Memory
from tpmwire.use.hmac import HmacKey


def told(
    path: str, *messages: bytes, protected: bool = True, kept: KeyData | None = None, pin: Pin | None = None
) -> list[bytes]:
    key = HmacKey(handle=0x81000002, protected=protected, pin=pin)
    with Tpm.open(path, 20) as tpm:
        return BootKey(key, Memory(kept)).hmacs(tpm, messages)


def test_it_is_the_messages_and_this_boots(swtpm: Swtpm) -> None:
    one, two = told(swtpm.path, b"one", b"two")
    assert len(one) == len(two) == 32
    assert one != two
    assert told(swtpm.path, b"two", b"one") == [two, one]
    # The way there makes no difference: what is sealed in clear opens in an encrypted run.
    assert told(swtpm.path, b"one", protected=False) == [one]
    swtpm.restart()
    assert one not in told(swtpm.path, b"one", b"two")


def test_the_remembered_salt_key_is_used_while_it_is_there(swtpm: Swtpm) -> None:
    tpm2(swtpm, "tpm2_createprimary", "-C", "o", "-G", "ecc256", "-c", swtpm.state / "srk.ctx")
    tpm2(swtpm, "tpm2_evictcontrol", "-C", "o", "-c", swtpm.state / "srk.ctx", "0x81000001")
    tpm2(swtpm, "tpm2_flushcontext", "-t")
    with Tpm.open(swtpm.path, 20) as tpm:
        root = read_loaded(tpm, 0x81000001)
    (secret,) = told(swtpm.path, b"one")
    right = KeyData(b"", b"", None, root.handle, None, root.public)
    with Interposer(swtpm.path) as bus:
        assert told(bus.path, b"one", kept=right) == [secret]
        assert bus.codes == ["StartAuthSession", "CreatePrimary", "FlushContext"]
        assert secret not in bus.octets
        # Another key is where it was, or none.
        with Tpm.open(swtpm.path, 20) as tpm:
            made = create_primary(tpm, TPM_RH.OWNER, h2_primary())
            tpm.flush(made.handle)
        whole = ["ReadPublic", "StartAuthSession", "CreatePrimary", "FlushContext"]
        for stale, commands in (
            # The session of the attempt is flushed at the end.
            (
                right.replace(salt_public=made.public),
                ["StartAuthSession", "CreatePrimary", *whole, "FlushContext"],
            ),
            (right.replace(salt_handle=0x81000077), ["StartAuthSession", *whole]),
        ):
            bus.clear()
            assert told(bus.path, b"one", kept=stale) == [secret]
            assert bus.codes == commands
        # A pinned key is not another that is remembered.
        bus.clear()
        assert told(bus.path, b"one", kept=right, pin=Pin(made.name, None, "h2")) == [secret]
        assert bus.codes == ["CreatePrimary", "StartAuthSession", "FlushContext", "CreatePrimary", "FlushContext"]


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
