"""Every way to use a P-256 key in the TPM: signatures that `cryptography` verifies, and the exact TPM commands."""

import re
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from tests.support.interposer import Interposer
from tests.support.swtpm import Swtpm, tpm2
from tpmwire.channel import Pin, create_primary, read_loaded
from tpmwire.errors import EncodeError, KeyFileError, SessionError, TpmError
from tpmwire.keys.keyfile import IMPORTABLE, KeyFile
from tpmwire.keys.templates import h2_primary
from tpmwire.keys.wrapping import duplicate, ecdsa_key_areas, wrap_hmac_key
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import PolicyAuthValue, PolicyPCR
from tpmwire.secret import EMPTY_AUTH, Secret
from tpmwire.spec.constants import TPM_ALG, TPM_RH
from tpmwire.tpm import Tpm
from tpmwire.use.ecdsa import EcdsaKey
from tpmwire.use.hmac import HmacKey
from tpmwire.use.load import import_key, persist_key

PAGE = Path(__file__).parents[2] / "docs" / "sigv4a.md"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
PRIVATE = Secret(sha256(b"a private value").digest())
DIGEST = sha256(b"what is signed").digest()
PASSWORD = Secret(b"testpwd")
PCR23 = parse_pcrs("23")
ZERO = PolicyPCR.of_values(TPM_ALG.SHA256, PCR23, {(TPM_ALG.SHA256, 23): bytes(32)})
SRK = 0x81000001
KINDS: dict[str, tuple[int, Secret, Policy | None]] = {
    "plain": (0x81010020, EMPTY_AUTH, None),
    "password": (0x81010021, PASSWORD, None),
    "pcr": (0x81010022, EMPTY_AUTH, Policy(ZERO)),
    "both": (0x81010023, PASSWORD, Policy(ZERO, PolicyAuthValue())),
}


class Bench:
    """A TPM with a key of each kind at its handle, and as a file."""

    def __init__(self, bus: Interposer) -> None:
        self.bus = bus
        self.files: dict[str, KeyFile] = {}
        with Tpm.open(bus.path, 20) as tpm:
            self.srk = read_loaded(tpm, SRK)
            parent = create_primary(tpm, TPM_RH.OWNER, h2_primary())
            tpm.flush(parent.handle)
            for kind, (handle, auth, policy) in KINDS.items():
                public, sensitive = ecdsa_key_areas(
                    PRIVATE, auth=auth, auth_policy=policy.digest() if policy else b""
                )
                made = duplicate(public, sensitive, parent.public)
                file = KeyFile.of(
                    made.public,
                    made.private,
                    TPM_RH.OWNER,
                    type=IMPORTABLE,
                    secret=len(made.seed).to_bytes(2, "big") + made.seed,
                    policy=policy.to_steps() if policy else None,
                )
                self.files[kind] = import_key(EcdsaKey(file=file), tpm)
                persist_key(EcdsaKey(file=self.files[kind]), tpm, handle)
            self.hmac_file = wrap_hmac_key(Secret(b"AWS4x"), parent.public, TPM_RH.OWNER)
            # After a start the first use of a password that counts is answered by TPM_RC_RETRY.
            at("password").sign(tpm, DIGEST)

    def run(self, key: EcdsaKey) -> tuple[tuple[bytes, bytes], list[str]]:
        """The signature, and the commands it took."""
        self.bus.clear()
        with Tpm.open(self.bus.path, 20) as tpm:
            numbers = key.sign(tpm, DIGEST)
        return numbers, self.bus.codes


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with Swtpm() as swtpm:
        tpm2(swtpm, "createprimary", "-C", "o", "-G", "ecc256", "-c", swtpm.state / "srk.ctx")
        tpm2(swtpm, "evictcontrol", "-C", "o", "-c", swtpm.state / "srk.ctx", f"{SRK:#x}")
        tpm2(swtpm, "flushcontext", "-t")
        with Interposer(swtpm.path) as bus:
            yield Bench(bus)


def verify(numbers: tuple[bytes, bytes], digest: bytes = DIGEST) -> None:
    """Raises InvalidSignature. The public key comes from the private value by `cryptography`, not from the TPM."""
    key = ec.derive_private_key(int.from_bytes(PRIVATE.reveal(), "big"), ec.SECP256R1()).public_key()
    assert [len(number) for number in numbers] == [32, 32]
    signature = encode_dss_signature(*(int.from_bytes(number, "big") for number in numbers))
    key.verify(signature, digest, ec.ECDSA(Prehashed(SHA256())))


def at(kind: str, **rest: object) -> EcdsaKey:
    handle, auth, policy = KINDS[kind]
    return EcdsaKey(handle=handle, auth=auth, pcrs=PCR23 if policy else None, **rest)  # type: ignore[arg-type]


def of(bench: Bench, kind: str, **rest: object) -> EcdsaKey:
    return EcdsaKey(file=bench.files[kind], auth=KINDS[kind][1], **rest)  # type: ignore[arg-type]


START, SIGN, READ, PCR = "StartAuthSession", "Sign", "ReadPublic", "PolicyPCR"
PRIMARY, LOAD, FLUSH, GET, AUTH = "CreatePrimary", "Load", "FlushContext", "PolicyGetDigest", "PolicyAuthValue"
Ways = dict[str, tuple[Callable[[Bench], EcdsaKey], list[str]]]
CLEAR: Ways = {
    "handle": (lambda _: at("plain", protected=False), [SIGN]),
    "password": (lambda _: at("password", protected=False), [SIGN]),
    "pcr": (lambda _: at("pcr", protected=False), [START, PCR, SIGN]),
    "both": (lambda _: at("both", protected=False), [READ, START, PCR, GET, AUTH, SIGN]),
    "pem": (lambda b: of(b, "plain", protected=False), [PRIMARY, LOAD, SIGN, FLUSH, FLUSH]),
    "pem, password": (lambda b: of(b, "password", protected=False), [PRIMARY, LOAD, SIGN, FLUSH, FLUSH]),
    "pem, pcr": (lambda b: of(b, "pcr", protected=False), [START, PRIMARY, LOAD, PCR, SIGN, FLUSH, FLUSH]),
    "pem, both": (
        lambda b: of(b, "both", protected=False),
        [START, PRIMARY, LOAD, PCR, AUTH, SIGN, FLUSH, FLUSH],
    ),
}
PROTECTED: Ways = {
    "handle": (lambda _: at("plain"), [READ, READ, START, SIGN]),
    "password": (lambda _: at("password"), [READ, READ, START, SIGN]),
    "pcr": (lambda _: at("pcr"), [READ, READ, START, PCR, SIGN]),
    "both": (lambda _: at("both"), [READ, READ, START, START, PCR, GET, AUTH, SIGN]),
    "pem": (lambda b: of(b, "plain"), [PRIMARY, START, LOAD, SIGN, FLUSH, FLUSH]),
    "pem, password": (lambda b: of(b, "password"), [PRIMARY, START, LOAD, SIGN, FLUSH, FLUSH]),
    "pem, pcr": (lambda b: of(b, "pcr"), [PRIMARY, START, LOAD, PCR, SIGN, FLUSH, FLUSH]),
    "pem, both": (
        lambda b: of(b, "both"),
        [PRIMARY, START, START, LOAD, PCR, AUTH, SIGN, FLUSH, FLUSH],
    ),
}


@pytest.mark.parametrize("ways", [CLEAR, PROTECTED], ids=["clear", "protected"])
@pytest.mark.parametrize("way", CLEAR)
def test_every_way(bench: Bench, ways: dict[str, tuple[Callable[[Bench], EcdsaKey], list[str]]], way: str) -> None:
    key, commands = ways[way]
    numbers, asked = bench.run(key(bench))
    verify(numbers)
    assert asked == commands
    with pytest.raises(InvalidSignature):
        verify(numbers, sha256(b"something else").digest())


def test_the_page_has_these_commands() -> None:
    """docs/sigv4a.md: a session where there is a password, and only there."""
    rows = re.findall(r"^\| (handle.*?|file.*?) \| (.*?) \|$", PAGE.read_text(), re.MULTILINE)
    assert {way: commands.split(", ") for way, commands in rows} == {
        "handle": CLEAR["handle"][1],
        "handle, password": PROTECTED["password"][1],
        "handle, PCRs": CLEAR["pcr"][1],
        "file": CLEAR["pem"][1],
        "file, password": PROTECTED["pem, password"][1],
        # tests/swtpm/test_requests_sigv4a_passwords.py has it.
        "file, owner's password": [READ, START, PRIMARY, LOAD, SIGN, FLUSH, FLUSH],
    }


@pytest.mark.parametrize("way", PROTECTED)
def test_no_password_crosses_the_bus_in_a_session(bench: Bench, way: str) -> None:
    bench.run(PROTECTED[way][0](bench))
    assert PASSWORD.reveal() not in bench.bus.octets
    # Neither does the digest; the signature does, and is none of the secrets.
    assert DIGEST not in bench.bus.octets


def test_another_tpm_than_the_pinned_one_signs_nothing(bench: Bench) -> None:
    good = Pin(bench.srk.name, None, SRK)
    verify(bench.run(at("plain", pin=good))[0])
    bad = Pin(bench.srk.name[:-1] + bytes([bench.srk.name[-1] ^ 1]), None, SRK)
    with pytest.raises(SessionError):
        bench.run(at("plain", pin=bad))
    assert SIGN not in bench.bus.codes


def test_an_answer_that_was_tampered_with(bench: Bench) -> None:
    with Tpm.open(bench.bus.path, 20) as tpm:
        bench.bus.clear()
        bench.bus.on_response = lambda octets, sent: (
            octets[:30] + bytes([octets[30] ^ 1]) + octets[31:] if sent[6:10] == b"\0\0\x01\x5d" else octets
        )
        with pytest.raises(SessionError):
            at("plain").sign(tpm, DIGEST)
    bench.bus.clear()


@pytest.mark.parametrize("offset", [-40, -1])
def test_a_signature_that_was_changed_where_no_session_protects_it(bench: Bench, offset: int) -> None:
    """A file tells the public key, so the signature is verified here."""
    key = of(bench, "plain", protected=False)
    verify(bench.run(key)[0])

    def flip(octets: bytes, sent: bytes) -> bytes:
        if sent[6:10] != b"\0\0\x01\x5d":
            return octets
        # Behind the signature is the response's authorization, of a password: 5 bytes.
        place = len(octets) - 5 + offset
        return octets[:place] + bytes([octets[place] ^ 1]) + octets[place + 1 :]

    bench.bus.on_response = flip
    with Tpm.open(bench.bus.path, 20) as tpm, pytest.raises(SessionError, match="not valid for the key"):
        key.sign(tpm, DIGEST)
    bench.bus.clear()


def test_wrong_passwords_and_policies_are_refused(bench: Bench) -> None:
    with pytest.raises(TpmError, match="TPM_RC_AUTH_FAIL"):
        bench.run(EcdsaKey(handle=KINDS["password"][0], auth=Secret(b"wrong")))
    with pytest.raises(TpmError, match="Sign"):
        bench.run(EcdsaKey(handle=KINDS["pcr"][0], pcrs=parse_pcrs("22")))


def test_what_is_no_digest_and_no_p256_key(bench: Bench) -> None:
    with Tpm.open(bench.bus.path, 20) as tpm:
        with pytest.raises(EncodeError, match="expected 32 bytes, got 31"):
            at("plain").sign(tpm, DIGEST[:-1])
        with pytest.raises(KeyFileError, match="not an ECC key on P-256: create one with `tpmwire import"):
            EcdsaKey(file=bench.hmac_file).sign(tpm, DIGEST)
        with pytest.raises(KeyFileError, match="type ECC, not HMAC"):
            HmacKey(file=bench.files["plain"]).hmac(tpm, DIGEST)


@pytest.mark.parametrize("value", [0, ORDER, ORDER + 1, 2**256 - 1])
def test_what_is_no_private_value(value: int) -> None:
    with pytest.raises(EncodeError, match="not a valid P-256 private key") as raised:
        ecdsa_key_areas(Secret(value.to_bytes(32, "big")))
    assert raised.value.__context__ is None
    with pytest.raises(EncodeError, match="not a valid P-256 private key"):
        ecdsa_key_areas(Secret(b"\x01" * 31))


def test_a_key_whose_numbers_begin_with_zeros(bench: Bench) -> None:
    """The smallest private value: all areas keep their size."""
    public, sensitive = ecdsa_key_areas(Secret((1).to_bytes(32, "big")))
    with Tpm.open(bench.bus.path, 20) as tpm:
        parent = create_primary(tpm, TPM_RH.OWNER, h2_primary())
        tpm.flush(parent.handle)
        made = duplicate(public, sensitive, parent.public)
        seed = len(made.seed).to_bytes(2, "big") + made.seed
        file = KeyFile.of(made.public, made.private, TPM_RH.OWNER, type=IMPORTABLE, secret=seed)
        numbers = EcdsaKey(file=file).sign(tpm, DIGEST)
    signature = encode_dss_signature(*(int.from_bytes(number, "big") for number in numbers))
    one = ec.derive_private_key(1, ec.SECP256R1()).public_key()
    one.verify(signature, DIGEST, ec.ECDSA(Prehashed(SHA256())))
