"""Every way to use an HMAC key: the result, the exact TPM commands, and no secret on the bus."""

import base64
from collections.abc import Callable

import pytest

from tests.support import keys
from tests.support.bench import DATE, EK_HANDLE, KDATE, PASSWORD, SECRET, Bench
from tpmwire.channel import Pin
from tpmwire.errors import SessionError, TpmError
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.secret import Secret
from tpmwire.spec.commands.random import GetRandom
from tpmwire.tpm import Tpm
from tpmwire.transport import open_transport
from tpmwire.use.hmac import HmacKey

PCR23 = parse_pcrs("23")


START, HMAC = "StartAuthSession", "HMAC"
PRIMARY, LOAD, FLUSH, READ, PCR = "CreatePrimary", "Load", "FlushContext", "ReadPublic", "PolicyPCR"

Case = tuple[Callable[[Bench], HmacKey], list[str]]

PLAIN_WAYS: dict[str, Case] = {
    "handle": (lambda _: HmacKey(handle=keys.PLAIN_HANDLE, protected=False), [HMAC]),
    "password": (lambda _: HmacKey(handle=keys.PASSWORD_HANDLE, auth=PASSWORD, protected=False), [HMAC]),
    "pcr": (lambda _: HmacKey(handle=keys.PCR_HANDLE, pcrs=PCR23, protected=False), [START, PCR, HMAC]),
    "both": (
        lambda _: HmacKey(handle=keys.BOTH_HANDLE, pcrs=PCR23, auth=PASSWORD, protected=False),
        [READ, START, PCR, "PolicyGetDigest", "PolicyAuthValue", HMAC],
    ),
    # The Go program ignores the password beside PCRs; a line that gives one all the same goes on working.
    "pcr, needless password": (
        lambda _: HmacKey(handle=keys.PCR_HANDLE, pcrs=PCR23, auth=PASSWORD, protected=False),
        [READ, START, PCR, "PolicyGetDigest", HMAC],
    ),
    "pem": (lambda b: HmacKey(file=b.file("plain"), protected=False), [PRIMARY, LOAD, HMAC, FLUSH, FLUSH]),
    "pem, password": (
        lambda b: HmacKey(file=b.file("password"), auth=PASSWORD, protected=False),
        [PRIMARY, LOAD, HMAC, FLUSH, FLUSH],
    ),
    "pem, pcr": (
        lambda b: HmacKey(file=b.file("pcr"), pcrs=PCR23, protected=False),
        [START, PRIMARY, LOAD, PCR, HMAC, FLUSH, FLUSH],
    ),
    "pem, persistent parent": (lambda b: HmacKey(file=b.file("plain-srk"), protected=False), [LOAD, HMAC, FLUSH]),
}

PROTECTED_WAYS: dict[str, Case] = {
    "handle, salt key's public area and key's Name known": (
        lambda b: HmacKey(
            handle=keys.PLAIN_HANDLE,
            name=b.names[keys.PLAIN_HANDLE],
            pin=Pin(b.srk.name, b.srk.public, keys.SRK_HANDLE),
        ),
        [START, HMAC],
    ),
    "pcr, salt key's public area and key's Name known": (
        lambda b: HmacKey(
            handle=keys.PCR_HANDLE,
            pcrs=PCR23,
            name=b.names[keys.PCR_HANDLE],
            pin=Pin(b.srk.name, b.srk.public, keys.SRK_HANDLE),
        ),
        [START, PCR, HMAC],
    ),
    "pem, its persistent parent's public area known": (
        lambda b: HmacKey(file=b.file("plain-srk"), pin=Pin(b.srk.name, b.srk.public, keys.SRK_HANDLE)),
        [START, LOAD, HMAC, FLUSH],
    ),
    "handle, salt key's public area known": (
        lambda b: HmacKey(handle=keys.PLAIN_HANDLE, pin=Pin(b.made["ek-rsa"].name, b.made["ek-rsa"].public)),
        [START, READ, HMAC],
    ),
    "handle, pinned, and the key's Name known": (
        lambda b: HmacKey(
            handle=keys.PLAIN_HANDLE,
            name=b.names[keys.PLAIN_HANDLE],
            pin=Pin(b.made["ek-rsa"].name, None, EK_HANDLE),
        ),
        [READ, START, HMAC],
    ),
    "handle, pinned to the SRK": (
        lambda b: HmacKey(handle=keys.PLAIN_HANDLE, pin=Pin(b.srk.name, None, keys.SRK_HANDLE)),
        [READ, START, READ, HMAC],
    ),
    "handle": (lambda _: HmacKey(handle=keys.PLAIN_HANDLE), [READ, READ, START, HMAC]),
    "password": (lambda _: HmacKey(handle=keys.PASSWORD_HANDLE, auth=PASSWORD), [READ, READ, START, HMAC]),
    "pcr": (lambda _: HmacKey(handle=keys.PCR_HANDLE, pcrs=PCR23), [READ, READ, START, PCR, HMAC]),
    "both": (
        lambda _: HmacKey(handle=keys.BOTH_HANDLE, pcrs=PCR23, auth=PASSWORD),
        [READ, READ, START, START, PCR, "PolicyGetDigest", "PolicyAuthValue", HMAC],
    ),
    "pcr, needless password": (
        lambda _: HmacKey(handle=keys.PCR_HANDLE, pcrs=PCR23, auth=PASSWORD),
        [READ, READ, START, START, PCR, "PolicyGetDigest", HMAC],
    ),
    "pem": (lambda b: HmacKey(file=b.file("plain")), [PRIMARY, START, LOAD, HMAC, FLUSH, FLUSH]),
    "pem, password": (
        lambda b: HmacKey(file=b.file("password"), auth=PASSWORD),
        [PRIMARY, START, LOAD, HMAC, FLUSH, FLUSH],
    ),
    "pem, pcr": (
        lambda b: HmacKey(file=b.file("pcr"), pcrs=PCR23),
        [PRIMARY, START, LOAD, PCR, HMAC, FLUSH, FLUSH],
    ),
    "pem, persistent parent": (lambda b: HmacKey(file=b.file("plain-srk")), [READ, START, LOAD, HMAC, FLUSH]),
    "pem, its parent pinned": (
        lambda b: HmacKey(file=b.file("plain"), pin=Pin(b.made["h2"].name, None, "h2")),
        [PRIMARY, START, LOAD, HMAC, FLUSH, FLUSH],
    ),
    "pem, its persistent parent pinned": (
        lambda b: HmacKey(file=b.file("plain-srk"), pin=Pin(b.srk.name, None, keys.SRK_HANDLE)),
        [READ, START, LOAD, HMAC, FLUSH],
    ),
    # It fits a TPM with three object slots: the endorsement key goes once the session stands.
    "pem, RSA endorsement key created": (
        lambda b: HmacKey(file=b.file("plain"), pin=Pin(b.made["ek-rsa"].name, None, "ek-rsa")),
        [PRIMARY, START, FLUSH, PRIMARY, LOAD, HMAC, FLUSH, FLUSH],
    ),
    "pem, ECC endorsement key created": (
        lambda b: HmacKey(file=b.file("password"), auth=PASSWORD, pin=Pin(b.made["ek-ecc"].name, None, "ek-ecc")),
        [PRIMARY, START, FLUSH, PRIMARY, LOAD, HMAC, FLUSH, FLUSH],
    ),
}


# Octets on the bus, both ways together. The Go program, which hides nothing: handle 555, password 562, PCR 818,
# PEM 1292, PEM and password 1299, PEM and PCR 1587; with its "encrypted" option, handle 1661, PCR 1924.
PLAIN_OCTETS = {
    "handle": 92,
    "password": 99,
    "pcr": 299,
    "both": 623,
    "pcr, needless password": 535,
    "pem": 829,
    "pem, password": 836,
    "pem, pcr": 1068,
    "pem, persistent parent": 424,
}
PROTECTED_OCTETS = {
    "handle, salt key's public area and key's Name known": 397,
    "pcr, salt key's public area and key's Name known": 433,
    "pem, its persistent parent's public area known": 857,
    "handle, salt key's public area known": 731,
    "handle, pinned, and the key's Name known": 997,
    "handle, pinned to the SRK": 731,
    "handle": 731,
    "password": 731,
    "pcr": 799,
    "both": 1200,
    "pcr, needless password": 1176,
    "pem": 1262,
    "pem, password": 1262,
    "pem, pcr": 1344,
    "pem, persistent parent": 1045,
    "pem, its parent pinned": 1262,
    "pem, its persistent parent pinned": 1045,
    "pem, RSA endorsement key created": 2495,
    "pem, ECC endorsement key created": 1923,
}


@pytest.mark.parametrize("way", PLAIN_WAYS)
def test_without_encryption(bench: Bench, way: str) -> None:
    make, commands = PLAIN_WAYS[way]
    assert bench.run(make(bench)) == (KDATE, commands)
    assert len(bench.bus.octets) == PLAIN_OCTETS[way]


@pytest.mark.parametrize("way", PROTECTED_WAYS)
def test_protected(bench: Bench, way: str) -> None:
    make, commands = PROTECTED_WAYS[way]
    assert bench.run(make(bench)) == (KDATE, commands)
    heard = bench.bus.octets
    assert len(heard) == PROTECTED_OCTETS[way]
    for secret in (KDATE, SECRET.encode(), keys.PASSWORD.encode()):
        for form in (secret, secret.hex().encode(), base64.b64encode(secret)):
            assert form not in heard


def test_the_listener_hears_what_is_not_protected(bench: Bench) -> None:
    """So that the search above is known to find something."""
    bench.run(HmacKey(handle=keys.PASSWORD_HANDLE, auth=PASSWORD, protected=False))
    assert KDATE in bench.bus.octets
    assert keys.PASSWORD.encode() in bench.bus.octets


@pytest.mark.parametrize("protected", [False, True])
@pytest.mark.parametrize("name", ["plain", "pcr"])
@pytest.mark.parametrize("rc", [0x143, 0xB0143, 0xC0143], ids=["TPM", "kernel", "resource manager"])
def test_a_tpm_without_the_one_shot_hmac(bench: Bench, protected: bool, name: str, rc: int) -> None:
    """No TPM at hand lacks TPM2_HMAC; one that does answers TPM_RC_COMMAND_CODE, or what is before it does."""
    key = HmacKey(file=bench.file(name), pcrs=PCR23 if name == "pcr" else None, protected=protected)
    bench.bus.clear()
    lacking = bytes.fromhex("80010000000a") + rc.to_bytes(4, "big")
    bench.bus.on_command = lambda sent: lacking if sent[6:10] == bytes.fromhex("00000155") else None
    with Tpm.open(bench.bus.path, 20) as tpm:
        assert key.hmac(tpm, DATE) == KDATE
    assert [code for code in bench.bus.codes if "HMAC" in code or "Seq" in code] == [
        HMAC,
        "HMAC_Start",
        "SequenceComplete",
    ]
    assert (KDATE in bench.bus.octets) is not protected


WRONG = b"\0\x0b" + bytes(32)


@pytest.mark.parametrize(
    "pin",
    [Pin(WRONG), Pin(WRONG, None, "ek-ecc"), Pin(WRONG, None, keys.SRK_HANDLE)],
    ids=["searched", "made", "at a handle"],
)
def test_another_tpm_is_refused_before_anything_secret_is_sent(bench: Bench, pin: Pin) -> None:
    with pytest.raises(SessionError, match="this is a different TPM, or an attacker responds"):
        bench.run(HmacKey(handle=keys.PASSWORD_HANDLE, auth=PASSWORD, pin=pin))
    assert not {"StartAuthSession", "HMAC"} & set(bench.bus.codes)


def test_another_parent_than_the_pinned_one_is_refused(bench: Bench) -> None:
    for name, where in (("plain", "h2"), ("plain-srk", keys.SRK_HANDLE)):
        with pytest.raises(SessionError, match="this is a different TPM, or an attacker responds"):
            bench.run(HmacKey(file=bench.file(name), pin=Pin(WRONG, None, where)))
        assert not {"StartAuthSession", "HMAC"} & set(bench.bus.codes)


def test_a_salt_key_that_is_not_at_its_usual_handle_is_made(bench: Bench) -> None:
    ek = bench.made["ek-ecc"]
    result, commands = bench.run(HmacKey(handle=keys.PLAIN_HANDLE, pin=Pin(ek.name, ek.public)))
    assert result == KDATE
    assert commands == [START, PRIMARY, START, FLUSH, READ, HMAC]


@pytest.mark.parametrize("protected", [False, True])
def test_refusals(bench: Bench, protected: bool) -> None:
    """Each names the cause; nothing is left behind (the fixture looks)."""
    for key, says in (
        (HmacKey(handle=keys.PASSWORD_HANDLE, auth=Secret(b"no"), protected=protected), "wrong password"),
        (HmacKey(handle=keys.PASSWORD_HANDLE, protected=protected), "wrong password"),
        (HmacKey(file=bench.file("password"), protected=protected), "wrong password"),
        (HmacKey(handle=0x81010009, protected=protected), "handle 1, 0x81010009"),
        (HmacKey(handle=keys.PCR_HANDLE, protected=protected), "requires its policy"),
        (HmacKey(handle=keys.PCR_HANDLE, pcrs=parse_pcrs("22"), protected=protected), "PCR values differ"),
        (HmacKey(file=bench.file("pcr"), pcrs=parse_pcrs("7,23"), protected=protected), "PCR values differ"),
    ):
        with pytest.raises(TpmError, match=says):
            bench.run(key)
    with Tpm.open(bench.bus.path, 20) as tpm:
        from tpmwire.spec.commands.dictionary import DictionaryAttackLockReset

        tpm.execute(DictionaryAttackLockReset())


def test_the_parents_password_and_the_one_to_try_otherwise(bench: Bench) -> None:
    """An owner hierarchy with a password: given, or found by the fallback; never in clear where protected."""
    from tpmwire.sessions import Password
    from tpmwire.spec.commands.hierarchy import HierarchyChangeAuth
    from tpmwire.spec.constants import TPM_RH

    owner = b"owner password"
    with Tpm.open(bench.bus.target, 20) as tpm:
        tpm.execute(HierarchyChangeAuth(TPM_RH.OWNER, owner))
    try:
        for protected in (False, True):
            file = bench.file("plain")
            with pytest.raises(TpmError, match="check the key's or hierarchy's password"):
                bench.run(HmacKey(file=file, protected=protected))
            assert bench.run(HmacKey(file=file, parent_auth=Secret(owner), protected=protected))[0] == KDATE
            assert (owner in bench.bus.octets) is not protected
            key = HmacKey(file=file, parent_auth_otherwise=Secret(owner), protected=protected)
            assert bench.run(key)[0] == KDATE
    finally:
        with Tpm.open(bench.bus.target, 20) as tpm:
            tpm.execute(HierarchyChangeAuth(TPM_RH.OWNER, b""), Password(owner))


@pytest.mark.parametrize(("for_one_use", "at_the_end"), [(True, []), (False, [FLUSH, FLUSH])])
def test_what_closing_flushes_is_left_to_it(bench: Bench, for_one_use: bool, at_the_end: list[str]) -> None:
    """As the kernel's resource manager does; a Tpm for more than one use flushes what is not needed any more."""
    bench.bus.clear()
    transport = open_transport(bench.bus.path, 20)
    transport.close_flushes = True
    tpm = Tpm(transport, for_one_use=for_one_use)
    assert HmacKey(file=bench.file("plain")).hmac(tpm, DATE) == KDATE
    left = bench.bus.codes
    tpm.close()
    assert bench.bus.codes == left == [PRIMARY, START, LOAD, HMAC, *at_the_end]
    with Tpm.open(bench.bus.target, 20) as other:
        for handle in bench.left_behind_in(other):
            other.flush(handle)


def test_getrandom_counts_as_one_command(bench: Bench) -> None:
    with Tpm.open(bench.bus.path, 20) as tpm:
        tpm.execute(GetRandom(4))
    assert tpm.transport.commands == 1
