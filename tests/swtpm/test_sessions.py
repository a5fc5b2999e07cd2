"""Sessions of every kind against a real TPM, and what is noticed when somebody changes its answers."""

import hmac
from collections.abc import Iterator

import pytest

from tests.support.interposer import Interposer
from tests.support.salt_keys import SALT_KEYS, SEALED
from tests.support.swtpm import Swtpm
from tpmwire.channel import Loaded
from tpmwire.errors import SessionError, TpmError, TpmwireError
from tpmwire.secret import Secret
from tpmwire.sessions import Password, Session, SessionStart
from tpmwire.soft import Faults, SoftTransport
from tpmwire.spec.commands.hierarchy import Clear, CreatePrimary, HierarchyChangeAuth
from tpmwire.spec.commands.objects import Create, Load, Unseal
from tpmwire.spec.commands.policies import PolicyAuthValue, PolicyPassword
from tpmwire.spec.commands.random import GetRandom
from tpmwire.spec.commands.symmetric import HMAC
from tpmwire.spec.constants import TPM_ALG, TPM_RH, TPM_SE, TPMA_OBJECT
from tpmwire.spec.structures import (
    TPMS_KEYEDHASH_PARMS,
    TPMS_SCHEME_HASH,
    TPMS_SENSITIVE_CREATE,
    TPMT_KEYEDHASH_SCHEME,
    TPMT_PUBLIC,
    TPMT_SYM_DEF,
)
from tpmwire.tpm import Tpm

KEY, AUTH, MESSAGE = b"the key", b"the password\0\0", b"20261124"
PLAIN = TPMT_SYM_DEF(TPM_ALG.NULL)
CIPHERS = [
    PLAIN,
    TPMT_SYM_DEF(TPM_ALG.XOR, TPM_ALG.SHA256),
    TPMT_SYM_DEF(TPM_ALG.AES, 128, TPM_ALG.CFB),
    TPMT_SYM_DEF(TPM_ALG.AES, 256, TPM_ALG.CFB),
]
PRIMARY = SALT_KEYS["p256-sha256"]
HASHES = [TPM_ALG.SHA1, TPM_ALG.SHA256, TPM_ALG.SHA384, TPM_ALG.SHA512]


def keyed_hash(scheme: TPMT_KEYEDHASH_SCHEME, attributes: TPMA_OBJECT, policy: bytes = b"") -> TPMT_PUBLIC:
    return TPMT_PUBLIC(
        TPM_ALG.KEYEDHASH,
        TPM_ALG.SHA256,
        TPMA_OBJECT.FIXED_TPM | TPMA_OBJECT.FIXED_PARENT | attributes,
        policy,
        TPMS_KEYEDHASH_PARMS(scheme),
        b"",
    )


HMAC_SCHEME = TPMT_KEYEDHASH_SCHEME(TPM_ALG.HMAC, TPMS_SCHEME_HASH(TPM_ALG.SHA256))
HMAC_KEY = keyed_hash(HMAC_SCHEME, TPMA_OBJECT.USER_WITH_AUTH | TPMA_OBJECT.SIGN_ENCRYPT)
EXPECTED = hmac.digest(KEY, MESSAGE, "sha256")


@pytest.fixture(scope="module")
def bus() -> Iterator[Interposer]:
    with Swtpm() as swtpm, Interposer(swtpm.path) as interposer:
        yield interposer


@pytest.fixture
def tpm(bus: Interposer) -> Iterator[Tpm]:
    with Tpm.open(bus.path, 20) as opened:
        opened.execute(GetRandom(8))
        bus.clear()
        yield opened


def loaded(tpm: Tpm, public: TPMT_PUBLIC = HMAC_KEY, auth: bytes = AUTH) -> Loaded:
    parent = tpm.execute(CreatePrimary(TPM_RH.OWNER, TPMS_SENSITIVE_CREATE(b"", b""), PRIMARY))
    made = tpm.execute(Create(parent.object_handle, TPMS_SENSITIVE_CREATE(auth, KEY), public))
    key = tpm.execute(Load(parent.object_handle, made.out_private, made.out_public))
    tpm.flush(parent.object_handle)
    return Loaded(key.object_handle, key.name, made.out_public)


def session(tpm: Tpm, cipher: TPMT_SYM_DEF, auth_hash: TPM_ALG, kind: TPM_SE = TPM_SE.HMAC) -> Session:
    return tpm.start_session(SessionStart(kind, auth_hash, cipher))


@pytest.mark.parametrize("auth_hash", HASHES, ids=lambda alg: alg.name)
@pytest.mark.parametrize("cipher", CIPHERS, ids=["plain", "xor", "aes128", "aes256"])
def test_hmac_sessions(tpm: Tpm, cipher: TPMT_SYM_DEF, auth_hash: TPM_ALG) -> None:
    key, sealing = loaded(tpm), cipher is not PLAIN
    one = session(tpm, cipher, auth_hash)
    for _ in range(2):  # nonces roll
        use = one.use(AUTH, decrypt=sealing, encrypt=sealing)
        assert tpm.execute(HMAC(key.handle, MESSAGE), use).out_hmac == EXPECTED
    companion = one.use(encrypt=sealing, audit=not sealing, keep=False)
    assert len(tpm.execute(GetRandom(20), companion).random_bytes) == 20


@pytest.mark.parametrize("auth_hash", HASHES, ids=lambda alg: alg.name)
@pytest.mark.parametrize("cipher", CIPHERS, ids=["plain", "xor", "aes128", "aes256"])
def test_bound_sessions(tpm: Tpm, cipher: TPMT_SYM_DEF, auth_hash: TPM_ALG) -> None:
    key, sealing = loaded(tpm), cipher is not PLAIN
    start = SessionStart(
        TPM_SE.HMAC, auth_hash, cipher, bind=key.handle, bind_name=key.name, bind_auth=Secret(AUTH)
    )
    bound = tpm.start_session(start)
    use = bound.use(AUTH, decrypt=sealing, encrypt=sealing)
    assert tpm.execute(HMAC(key.handle, MESSAGE), use).out_hmac == EXPECTED
    # Bound to one entity, it may authorize another.
    use = bound.use(decrypt=sealing, encrypt=sealing, keep=False)
    made = tpm.execute(CreatePrimary(TPM_RH.OWNER, TPMS_SENSITIVE_CREATE(b"", b""), PRIMARY), use)
    tpm.flush(made.object_handle)


@pytest.mark.parametrize("cipher", CIPHERS[1:], ids=["xor", "aes128", "aes256"])
def test_one_authorizes_and_others_encrypt(tpm: Tpm, bus: Interposer, cipher: TPMT_SYM_DEF) -> None:
    """Up to three sessions; the first also covers the nonces of those that only encrypt."""
    key = loaded(tpm)
    one, two, three = (session(tpm, cipher, alg) for alg in (TPM_ALG.SHA256, TPM_ALG.SHA1, TPM_ALG.SHA512))
    command = HMAC(key.handle, MESSAGE)
    for uses in (
        (Password(AUTH), two.use(decrypt=True, encrypt=True)),
        (one.use(AUTH), two.use(decrypt=True, encrypt=True)),
        (one.use(AUTH), two.use(decrypt=True), three.use(encrypt=True, audit=True)),
        (one.use(AUTH), two.use(encrypt=True), three.use(decrypt=True, audit=True)),
        (one.use(AUTH, encrypt=True), two.use(decrypt=True), three.use(audit=True)),
        (one.use(AUTH, decrypt=True), two.use(encrypt=True)),
    ):
        bus.clear()
        assert tpm.execute(command, *uses).out_hmac == EXPECTED
        assert EXPECTED not in bus.octets


def test_audit_sessions(tpm: Tpm) -> None:
    audit = session(tpm, PLAIN, TPM_ALG.SHA256)
    tpm.execute(GetRandom(4), audit.use(audit=True))
    tpm.execute(GetRandom(4), audit.use(audit_exclusive=True))
    tpm.execute(GetRandom(4))
    with pytest.raises(TpmError, match="TPM_RC_EXCLUSIVE"):
        tpm.execute(GetRandom(4), audit.use(audit_exclusive=True))
    tpm.execute(GetRandom(4), audit.use(audit_reset=True))


def test_an_audit_session_is_not_bound(tpm: Tpm) -> None:
    """The TPM ends the binding when it first audits with the session; the HMACs then need the authValue."""
    key = loaded(tpm)
    session = tpm.start_session(
        SessionStart(TPM_SE.HMAC, bind=key.handle, bind_name=key.name, bind_auth=Secret(AUTH))
    )
    for audit in (False, True, True, False):
        used = tpm.execute(HMAC(key.handle, MESSAGE, TPM_ALG.NULL), session.use(AUTH, audit=audit))
        assert used.out_hmac == EXPECTED


@pytest.mark.parametrize("step", [PolicyAuthValue, PolicyPassword])
def test_policy_sessions(tpm: Tpm, step: type[PolicyAuthValue | PolicyPassword]) -> None:
    import hashlib

    digest = hashlib.sha256(bytes(32) + step.code.to_bytes(4, "big"))
    # PolicyPassword has PolicyAuthValue's digest: either way of giving the authValue satisfies the policy.
    if step is PolicyPassword:
        digest = hashlib.sha256(bytes(32) + PolicyAuthValue.code.to_bytes(4, "big"))
    key = loaded(tpm, keyed_hash(HMAC_SCHEME, TPMA_OBJECT.SIGN_ENCRYPT, digest.digest()))
    policy = session(tpm, CIPHERS[1], TPM_ALG.SHA256, TPM_SE.POLICY)
    tpm.execute(step(policy.handle))
    policy.wants_auth_value, policy.wants_password = step is PolicyAuthValue, step is PolicyPassword
    use = policy.use(AUTH, decrypt=True, encrypt=True, keep=False)
    assert tpm.execute(HMAC(key.handle, MESSAGE), use).out_hmac == EXPECTED


def test_a_wrong_password_fails_and_leaves_the_session_usable(tpm: Tpm) -> None:
    key = loaded(tpm)
    one = session(tpm, CIPHERS[1], TPM_ALG.SHA256)
    with pytest.raises(TpmError, match=r"TPM_RC_AUTH_FAIL \(session 1\): wrong password; this counts toward"):
        tpm.execute(HMAC(key.handle, MESSAGE), one.use(b"wrong", encrypt=True))
    assert tpm.execute(HMAC(key.handle, MESSAGE), one.use(AUTH, encrypt=True)).out_hmac == EXPECTED


def test_unseal_and_change_of_auth(tpm: Tpm) -> None:
    item = loaded(tpm, SEALED)
    one = session(tpm, CIPHERS[1], TPM_ALG.SHA256)
    assert tpm.execute(Unseal(item.handle), one.use(AUTH, encrypt=True)).out_data == KEY
    # The response's HMAC is made with the authValue that the command has just set.
    tpm.execute(HierarchyChangeAuth(TPM_RH.OWNER, b"new"), one.use(b"", decrypt=True))
    tpm.execute(HierarchyChangeAuth(TPM_RH.OWNER, b""), one.use(b"new", decrypt=True))


def test_clear_empties_the_lockout_password_on_its_way(tpm: Tpm) -> None:
    one = session(tpm, CIPHERS[1], TPM_ALG.SHA256)
    tpm.execute(HierarchyChangeAuth(TPM_RH.LOCKOUT, b"lock"), one.use(b"", decrypt=True))
    tpm.execute(Clear(TPM_RH.LOCKOUT), one.use(b"lock"))
    tpm.execute(HierarchyChangeAuth(TPM_RH.PLATFORM, b"platform"), one.use(b"", decrypt=True))
    tpm.execute(Clear(TPM_RH.PLATFORM), one.use(b"platform"))
    tpm.execute(HierarchyChangeAuth(TPM_RH.PLATFORM, b""), one.use(b"platform", decrypt=True))


@pytest.mark.parametrize("rc", ["00000908", "0000090a", "00000922"], ids=["YIELDED", "TESTING", "RETRY"])
def test_a_command_that_the_tpm_wants_again_is_sent_again(tpm: Tpm, bus: Interposer, rc: str) -> None:
    """As the same octets: a TPM that asks for them again has not consumed the nonces."""
    key = loaded(tpm)
    one = session(tpm, CIPHERS[1], TPM_ALG.SHA256)
    tpm.trust_name(key.handle, key.name)
    # The first HMAC after a start swtpm wants again of its own accord.
    tpm.execute(HMAC(key.handle, MESSAGE), one.use(AUTH))
    bus.clear()
    refusals = iter([bytes.fromhex("80010000000a" + rc)] * 3)
    bus.on_command = lambda sent: next(refusals, None)
    seen: list[int] = []
    tpm.observe = lambda observed: seen.append(observed.resent)
    assert tpm.execute(HMAC(key.handle, MESSAGE), one.use(AUTH, encrypt=True, keep=False)).out_hmac == EXPECTED
    tpm.observe = None
    assert seen == [3]
    assert len({pair.command for pair in bus.dialogue}) == 1
    assert len(bus.dialogue) == 4


def test_a_tpm_that_wants_it_again_for_ever_is_given_up_at_the_deadline() -> None:
    transport = SoftTransport(faults=Faults(retry=9999))
    transport.timeout = 0.3
    with Tpm(transport) as tpm, pytest.raises(TpmError, match="TPM_RC_RETRY"):
        tpm.execute(GetRandom(8))


def test_every_changed_octet_of_a_response_is_noticed(tpm: Tpm, bus: Interposer) -> None:
    """An attacker flips a bit in each octet in turn: never a result, always an error of ours."""
    key = loaded(tpm)
    command = HMAC(key.handle, MESSAGE)
    length, outcomes = 1, set()
    position = 0
    while position < length:
        one = session(tpm, CIPHERS[1], TPM_ALG.SHA256)
        length = 0

        def flip(response: bytes, sent: bytes, position: int = position) -> bytes:
            nonlocal length
            if int.from_bytes(sent[6:10], "big") != HMAC.code:
                return response
            length = len(response)
            return response[:position] + bytes([response[position] ^ 1]) + response[position + 1 :]

        bus.on_response = flip
        with pytest.raises(TpmwireError) as caught:
            tpm.execute(command, one.use(AUTH, decrypt=True, encrypt=True))
        bus.clear()
        outcomes.add(type(caught.value))
        tpm.flush(one.handle)
        # The size is the transport's to judge (tests/unit/test_transport.py).
        position = position + 1 if position != 1 else 6
    assert length > 80
    assert SessionError in outcomes


def test_an_answer_without_its_sessions_is_refused(tpm: Tpm, bus: Interposer) -> None:
    key = loaded(tpm)
    one = session(tpm, PLAIN, TPM_ALG.SHA256)
    bus.on_command = lambda sent: (
        bytes.fromhex("80010000002c00000000") + len(EXPECTED).to_bytes(2, "big") + EXPECTED
        if int.from_bytes(sent[6:10], "big") == HMAC.code
        else None
    )
    with pytest.raises(SessionError, match="invalid response tag"):
        tpm.execute(HMAC(key.handle, MESSAGE), one.use(AUTH))


def test_a_replayed_answer_is_refused(tpm: Tpm, bus: Interposer) -> None:
    key = loaded(tpm)
    one = session(tpm, PLAIN, TPM_ALG.SHA256)
    tpm.execute(HMAC(key.handle, MESSAGE), one.use(AUTH))
    old = bus.dialogue[-1].response
    bus.on_command = lambda sent: old if int.from_bytes(sent[6:10], "big") == HMAC.code else None
    with pytest.raises(SessionError, match="invalid response HMAC"):
        tpm.execute(HMAC(key.handle, MESSAGE), one.use(AUTH))
