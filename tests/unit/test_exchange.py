"""One command under its sessions, without a TPM: what a response must be to be taken, check by check.

The TPM's side is computed here from Part 1, §19.6 with hashlib and hmac alone.
"""

import hashlib
import hmac
from collections.abc import Callable

import pytest

from tpmwire.errors import DecodeError, SessionError, TpmError
from tpmwire.exchange import Exchange
from tpmwire.secret import Secret
from tpmwire.sessions import NO_CIPHER, Password, Session, SessionStart, Use
from tpmwire.spec.commands.capability import GetCapability
from tpmwire.spec.commands.hierarchy import HierarchyChangeAuth
from tpmwire.spec.commands.objects import ActivateCredential
from tpmwire.spec.commands.random import GetRandom, StirRandom
from tpmwire.spec.commands.sessions import StartAuthSession
from tpmwire.spec.commands.symmetric import HMAC, Hash
from tpmwire.spec.constants import TPM_ALG, TPM_CAP, TPM_CC, TPM_RH, TPM_SE, TPM_ST, TPMA_SESSION
from tpmwire.spec.structures import TPMS_AUTH_COMMAND, TPMS_AUTH_RESPONSE, TPMT_SYM_DEF
from tpmwire.wire import CommandMessage, ResponseMessage, parse_command

KEY, AUTH = b"session key" * 3, b"password"
HANDLE, NAME = 0x81010002, b"\0\x0b" + bytes(range(32))
XOR = TPMT_SYM_DEF(TPM_ALG.XOR, TPM_ALG.SHA256)
COMMAND = HMAC(HANDLE, b"20261124")
RESULT = b"\0\x20" + bytes(range(32))  # TPM2B_DIGEST
CONTINUE = int(TPMA_SESSION.CONTINUE_SESSION)


def session(
    kind: TPM_SE = TPM_SE.HMAC, key: bytes = KEY, nonce: bytes = b"t" * 32, cipher: TPMT_SYM_DEF = NO_CIPHER
) -> Session:
    return Session(0x02000000, kind, TPM_ALG.SHA256, cipher, Secret(key), nonce)


def begun(*uses: Password | Use, command: HMAC | GetRandom = COMMAND) -> tuple[Exchange, CommandMessage]:
    exchange = Exchange(command, uses, lambda _handle: NAME)
    return exchange, parse_command(exchange.begin())


def authorized(
    sent: TPMS_AUTH_COMMAND,
    key: bytes,
    parameters: bytes = RESULT,
    *,
    nonce: bytes = b"n" * 32,
    attributes: int | None = None,
    code: int = TPM_CC.HMAC,
) -> TPMS_AUTH_RESPONSE:
    """The TPM's authorization of a response (Part 1, §19.6.5), for a session with that HMAC key."""
    attributes = int(sent.session_attributes) if attributes is None else attributes
    hashed = hashlib.sha256(bytes(4) + code.to_bytes(4, "big") + parameters).digest()
    mac = hmac.digest(key, hashed + nonce + sent.nonce + bytes([attributes]), "sha256")
    return TPMS_AUTH_RESPONSE(nonce, TPMA_SESSION(attributes), mac)


def response(*auths: TPMS_AUTH_RESPONSE, parameters: bytes = RESULT, tag: int = TPM_ST.SESSIONS) -> bytes:
    body = len(parameters).to_bytes(4, "big") + parameters + b"".join(auth.build() for auth in auths)
    return tag.to_bytes(2, "big") + (10 + len(body)).to_bytes(4, "big") + bytes(4) + body


def test_a_right_response_is_taken_and_its_nonce_kept() -> None:
    one = session()
    exchange, sent = begun(one.use(AUTH))
    assert exchange.finish(response(authorized(sent.authorizations[0], KEY + AUTH))).out_hmac == RESULT[2:]
    assert one.nonce_tpm == b"n" * 32


def test_the_commands_own_hmac() -> None:
    one = session()
    _, sent = begun(one.use(AUTH + b"\0\0"))  # trailing zeros do not count (Part 1, §19.6.4.3)
    (auth,) = sent.authorizations
    assert len(auth.nonce) == 32
    parameters = COMMAND.build()[4:]
    hashed = hashlib.sha256(TPM_CC.HMAC.to_bytes(4, "big") + NAME + parameters).digest()
    expected = hmac.digest(KEY + AUTH, hashed + auth.nonce + b"t" * 32 + bytes([CONTINUE]), "sha256")
    assert auth == TPMS_AUTH_COMMAND(0x02000000, auth.nonce, TPMA_SESSION.CONTINUE_SESSION, expected)


def test_the_first_authorization_covers_the_nonces_of_those_that_encrypt() -> None:
    """Each once, in the order of the attributes, whatever their order in the command (Part 1, §19.6.5)."""
    one, two, three = session(), session(nonce=b"2" * 32, cipher=XOR), session(nonce=b"3" * 32, cipher=XOR)
    parameters = COMMAND.build()[4:]
    for uses, extra in (
        ((two.use(decrypt=True), three.use(encrypt=True)), b"2" * 32 + b"3" * 32),
        ((two.use(encrypt=True), three.use(decrypt=True)), b"3" * 32 + b"2" * 32),
        ((two.use(decrypt=True, encrypt=True), three.use()), b"2" * 32),
        ((two.use(), three.use(encrypt=True)), b"3" * 32),
    ):
        exchange, sent = begun(one.use(AUTH), *uses)
        data = exchange.begin()
        sent = parse_command(data)
        auth = sent.authorizations[0]
        on_wire = data[-len(parameters) :]
        hashed = hashlib.sha256(TPM_CC.HMAC.to_bytes(4, "big") + NAME + on_wire).digest()
        expected = hmac.digest(KEY + AUTH, hashed + auth.nonce + b"t" * 32 + extra + bytes([CONTINUE]), "sha256")
        assert auth.hmac == expected
    # The session that encrypts authorizes by itself: its own nonce is there already.
    own = session(cipher=XOR)
    exchange = Exchange(COMMAND, [own.use(AUTH, decrypt=True, encrypt=True)], lambda _: NAME)
    data = exchange.begin()
    (auth,) = parse_command(data).authorizations
    hashed = hashlib.sha256(TPM_CC.HMAC.to_bytes(4, "big") + NAME + data[-len(parameters) :]).digest()
    attributes = bytes([int(auth.session_attributes)])
    assert auth.hmac == hmac.digest(KEY + AUTH, hashed + auth.nonce + b"t" * 32 + attributes, "sha256")


def test_a_companion_covers_no_nonce_but_its_own() -> None:
    two = session(nonce=b"2" * 32, cipher=XOR)
    exchange = Exchange(GetRandom(8), [session().use(audit=True), two.use(encrypt=True)], lambda _: NAME)
    auth = parse_command(exchange.begin()).authorizations[0]
    hashed = hashlib.sha256(TPM_CC.GetRandom.to_bytes(4, "big") + b"\0\x08").digest()
    attributes = bytes([int(auth.session_attributes)])
    assert auth.hmac == hmac.digest(KEY, hashed + auth.nonce + b"t" * 32 + attributes, "sha256")


Forged = Callable[[TPMS_AUTH_COMMAND], bytes]

# The HMAC of each holds, so that only the check that is named can refuse it.
FORGED: dict[str, tuple[Forged, str]] = {
    "another key": (lambda sent: response(authorized(sent, KEY)), "invalid response HMAC"),
    "other parameters": (
        lambda sent: response(authorized(sent, KEY + AUTH), parameters=b"\0\x01x"),
        "invalid response HMAC",
    ),
    "another command": (
        lambda sent: response(authorized(sent, KEY + AUTH, code=TPM_CC.GetRandom)),
        "invalid response HMAC",
    ),
    "an old nonce of ours": (
        lambda sent: response(authorized(TPMS_AUTH_COMMAND(1, b"o" * 32, sent.session_attributes), KEY + AUTH)),
        "invalid response HMAC",
    ),
    "a short nonce": (
        lambda sent: response(authorized(sent, KEY + AUTH, nonce=b"n" * 31)),
        "expected a nonce of 32 bytes",
    ),
    "a long nonce": (
        lambda sent: response(authorized(sent, KEY + AUTH, nonce=b"n" * 33)),
        "expected a nonce of 32 bytes",
    ),
    "no nonce": (lambda sent: response(authorized(sent, KEY + AUTH, nonce=b"")), "expected a nonce of 32 bytes"),
    "the session ended": (
        lambda sent: response(authorized(sent, KEY + AUTH, attributes=0)),
        "session attributes differ",
    ),
    "encrypted, unasked": (
        lambda sent: response(authorized(sent, KEY + AUTH, attributes=CONTINUE | 0x40)),
        "session attributes differ",
    ),
    "decrypted, unasked": (
        lambda sent: response(authorized(sent, KEY + AUTH, attributes=CONTINUE | 0x20)),
        "session attributes differ",
    ),
    "audited, unasked": (
        lambda sent: response(authorized(sent, KEY + AUTH, attributes=CONTINUE | 0x80)),
        "session attributes differ",
    ),
    "no authorization": (lambda _sent: response(), "expected 1 authorizations, got 0"),
    "two authorizations": (
        lambda sent: response(*[authorized(sent, KEY + AUTH)] * 2),
        "expected 1 authorizations, got 2",
    ),
    "no sessions": (
        lambda _sent: ResponseMessage(0, TPM_CC.HMAC, HMAC.Response(RESULT[2:])).build(),
        "invalid response tag",
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_response_is_refused(name: str) -> None:
    forged, message = FORGED[name]
    one = session()
    exchange, sent = begun(one.use(AUTH))
    with pytest.raises(SessionError, match=message):
        exchange.finish(forged(sent.authorizations[0]))
    assert one.nonce_tpm == b"t" * 32


def test_every_session_is_checked_before_any_nonce_moves() -> None:
    one, two = session(), session(nonce=b"2" * 32)
    exchange, sent = begun(one.use(AUTH), two.use(audit=True))
    first, second = sent.authorizations
    with pytest.raises(SessionError, match="session 2"):
        exchange.finish(response(authorized(first, KEY + AUTH), authorized(second, KEY + b"x")))
    assert (one.nonce_tpm, two.nonce_tpm) == (b"t" * 32, b"2" * 32)
    exchange.finish(response(authorized(first, KEY + AUTH), authorized(second, KEY, nonce=b"m" * 32)))
    assert (one.nonce_tpm, two.nonce_tpm) == (b"n" * 32, b"m" * 32)


def test_a_password_is_answered_by_nothing() -> None:
    exchange, _ = begun(Password(AUTH))
    empty = TPMS_AUTH_RESPONSE(b"", TPMA_SESSION.CONTINUE_SESSION, b"")
    assert exchange.finish(response(empty)).out_hmac == RESULT[2:]
    for nonce, mac in ((b"n", b""), (b"", b"h")):
        with pytest.raises(
            SessionError, match=r"\(session 1\): expected an empty nonce and HMAC for a password authorization"
        ):
            exchange.finish(response(TPMS_AUTH_RESPONSE(nonce, TPMA_SESSION.CONTINUE_SESSION, mac)))


def test_a_policy_session_without_a_key_has_no_hmac() -> None:
    policy = session(TPM_SE.POLICY, key=b"")
    exchange, sent = begun(policy.use(AUTH))
    assert sent.authorizations[0].hmac == b""
    with pytest.raises(SessionError, match=r"\(session 1\): expected no HMAC"):
        exchange.finish(response(authorized(sent.authorizations[0], AUTH)))
    plain = TPMS_AUTH_RESPONSE(b"n" * 32, TPMA_SESSION.CONTINUE_SESSION, b"")
    assert exchange.finish(response(plain)).out_hmac == RESULT[2:]
    assert policy.nonce_tpm == b"n" * 32


def test_a_policy_sessions_password_goes_in_clear_and_is_answered_by_nothing() -> None:
    policy = session(TPM_SE.POLICY)
    policy.wants_password = True
    exchange, sent = begun(policy.use(AUTH))
    assert sent.authorizations[0].hmac == AUTH
    with pytest.raises(SessionError, match="expected no HMAC"):
        exchange.finish(response(authorized(sent.authorizations[0], KEY)))
    # As a companion it authorizes nothing: its HMAC is made with its key.
    exchange, sent = begun(Password(AUTH), policy.use(AUTH, audit=True))
    assert len(sent.authorizations[1].hmac) == 32
    empty = TPMS_AUTH_RESPONSE(b"", TPMA_SESSION.CONTINUE_SESSION, b"")
    exchange.finish(response(empty, authorized(sent.authorizations[1], KEY)))


@pytest.mark.parametrize(("wants", "key"), [(False, KEY), (True, KEY + AUTH)])
def test_a_policy_sessions_key_takes_the_authvalue_where_the_policy_asks_for_it(wants: bool, key: bytes) -> None:
    policy = session(TPM_SE.POLICY)
    policy.wants_auth_value = wants
    exchange, sent = begun(policy.use(AUTH))
    assert exchange.finish(response(authorized(sent.authorizations[0], key))).out_hmac == RESULT[2:]


def test_a_bound_session_does_without_the_authvalue_of_its_entity_alone() -> None:
    start = SessionStart(bind=HANDLE, bind_name=NAME, bind_auth=Secret(AUTH))
    one = start.finish(StartAuthSession.Response(0x02000000, b"t" * 32))
    bound = one.session_key.reveal()
    exchange, sent = begun(one.use(AUTH + b"\0"))
    exchange.finish(response(authorized(sent.authorizations[0], bound)))
    # With another authValue, or for another entity, it is as any session.
    exchange, sent = begun(one.use(b"other"))
    exchange.finish(response(authorized(sent.authorizations[0], bound + b"other")))
    exchange = Exchange(COMMAND, [one.use(AUTH)], lambda _: NAME[:-1] + b"x")
    sent = parse_command(exchange.begin())
    exchange.finish(response(authorized(sent.authorizations[0], bound + AUTH)))


def test_a_change_of_authvalue_is_answered_under_the_new_one() -> None:
    command, one = HierarchyChangeAuth(TPM_RH.OWNER, b"new"), session()
    exchange = Exchange(
        command, [one.use(b"old"), session().use(audit=True)], lambda handle: handle.to_bytes(4, "big")
    )
    sent = parse_command(exchange.begin())
    code = TPM_CC.HierarchyChangeAuth
    first, second = sent.authorizations
    companion = authorized(second, KEY, b"", code=code)
    with pytest.raises(SessionError, match=r"invalid response HMAC \(session 1\)"):
        exchange.finish(response(authorized(first, KEY + b"old", b"", code=code), companion, parameters=b""))
    exchange.finish(response(authorized(first, KEY + b"new", b"", code=code), companion, parameters=b""))


def test_a_refusal_leaves_the_sessions_as_they_were() -> None:
    one = session()
    exchange, _ = begun(one.use(AUTH))
    with pytest.raises(TpmError) as caught:
        exchange.finish(bytes.fromhex("80010000000a0000098e"))
    assert caught.value.command == TPM_CC.HMAC
    assert one.nonce_tpm == b"t" * 32


def test_a_response_without_sessions() -> None:
    exchange = Exchange(GetRandom(2))
    exchange.begin()
    assert exchange.finish(bytes.fromhex("80010000000e00000000 0002 cafe")).random_bytes == b"\xca\xfe"
    with pytest.raises(SessionError, match=r"expected .*SESSIONS.*, got .*SESSIONS"):
        exchange.finish(response(parameters=b"\0\x02\xca\xfe"))


@pytest.mark.parametrize("size", [len(RESULT) + 1, 0xFFFFFFFF])
def test_parameters_that_do_not_fit(size: int) -> None:
    exchange, _ = begun(Password(AUTH))
    data = bytearray(response())
    data[10:14] = size.to_bytes(4, "big")
    with pytest.raises(DecodeError, match=f"invalid size of the parameters: {size} bytes") as caught:
        exchange.finish(bytes(data))
    assert (caught.value.offset, caught.value.left) == (10, len(RESULT))


def test_parameters_that_reach_to_the_end_leave_no_authorization() -> None:
    exchange, _ = begun(Password(AUTH))
    with pytest.raises(SessionError, match="expected 1 authorizations, got 0"):
        exchange.finish(response())


def test_what_cannot_be_begun() -> None:
    one = session(cipher=XOR)
    with pytest.raises(TypeError, match="'GetRandom'"):
        Exchange("GetRandom")  # type: ignore[arg-type]
    with pytest.raises(SessionError, match="HMAC needs 1 authorization"):
        Exchange(COMMAND).begin()
    with pytest.raises(SessionError, match="are unknown"):
        Exchange(COMMAND, [one.use(AUTH)]).begin()
    with pytest.raises(SessionError, match="GetCapability has no parameter that can be encrypted"):
        Exchange(GetCapability(TPM_CAP.HANDLES, 0, 1), [one.use(decrypt=True)]).begin()
    with pytest.raises(SessionError, match="without a cipher"):
        session().use(encrypt=True)
    # Nobody's Name is covered where no session has an HMAC.
    Exchange(COMMAND, [session(TPM_SE.POLICY, key=b"").use(AUTH)]).begin()
    Exchange(COMMAND, [Password(AUTH)]).begin()


def test_a_response_that_has_nothing_to_decrypt() -> None:
    one = session(cipher=XOR)
    exchange = Exchange(StirRandom(b"noise"), [one.use(encrypt=True)], lambda _: NAME)
    (sent,) = parse_command(exchange.begin()).authorizations
    answer = authorized(sent, KEY, b"", code=TPM_CC.StirRandom)
    with pytest.raises(SessionError, match="StirRandom has no parameter that can be encrypted"):
        exchange.finish(response(answer, parameters=b""))


@pytest.mark.parametrize(("size", "taken"), [(0, False), (15, False), (16, True), (32, True), (64, True)])
def test_a_nonce_of_the_tpm_has_sixteen_bytes(size: int, taken: bool) -> None:
    """Shorter ones could be exhausted by whoever replays (Part 1, §19.6.3)."""
    answer = StartAuthSession.Response(0x02000000, bytes(range(size)))
    if taken:
        assert SessionStart().finish(answer).nonce_tpm == bytes(range(size))
    else:
        with pytest.raises(SessionError, match="nonce is shorter than 16"):
            SessionStart().finish(answer)


def test_the_nonce_of_ours_is_as_long_as_the_hash_and_never_the_same() -> None:
    for alg, size in ((TPM_ALG.SHA1, 20), (TPM_ALG.SHA256, 32), (TPM_ALG.SHA384, 48), (TPM_ALG.SHA512, 64)):
        first, second = (SessionStart(auth_hash=alg).command.nonce_caller for _ in range(2))
        assert (len(first), first == second) == (size, False)
    one = session(nonce=b"t" * 20)
    nonces = {begun(one.use(AUTH))[1].authorizations[0].nonce for _ in range(2)}
    assert [len(nonce) for nonce in nonces] == [20, 20]


@pytest.mark.parametrize(
    ("salt", "bind", "secret"),
    [
        (b"", {}, None),
        (b"salt", {}, b"salt"),
        (b"", {"bind": TPM_RH.OWNER, "bind_auth": Secret(b"auth\0")}, b"auth"),
        (b"salt", {"bind": TPM_RH.OWNER, "bind_auth": Secret(b"auth")}, b"authsalt"),
        (b"", {"bind": TPM_RH.OWNER}, b""),
        (b"", {"bind_auth": Secret(b"auth")}, None),
    ],
    ids=["neither", "salted", "bound", "both", "bound to an empty authValue", "an authValue, but no entity"],
)
def test_the_session_key(salt: bytes, bind: dict, secret: bytes | None) -> None:
    """KDFa(authValue || salt, "ATH", nonceTPM, nonceCaller), with KDFa from Part 1, §11.4.10.2; or none."""
    start = SessionStart(salt=Secret(salt), **bind)
    made = start.finish(StartAuthSession.Response(0x02000000, b"t" * 32))
    expected = b""
    if secret is not None:
        context = b"ATH\0" + b"t" * 32 + start.command.nonce_caller
        expected = hmac.digest(secret, (1).to_bytes(4, "big") + context + (256).to_bytes(4, "big"), "sha256")
    assert made.session_key.reveal() == expected
    assert (made.handle, made.kind, made.auth_hash) == (0x02000000, TPM_SE.HMAC, TPM_ALG.SHA256)


def masked(data: bytes, key: bytes, newer: bytes, older: bytes) -> bytes:
    """XOR obfuscation (Part 1, §11.4.7.3) with SHA-256, for up to 32 bytes."""
    context = b"XOR\0" + newer + older
    mask = hmac.digest(key, (1).to_bytes(4, "big") + context + (8 * len(data)).to_bytes(4, "big"), "sha256")
    return bytes(a ^ b for a, b in zip(data, mask, strict=False))


@pytest.mark.parametrize(("place", "key"), [(0, KEY + AUTH), (1, KEY)], ids=["it authorizes", "a companion"])
def test_the_first_parameter_is_encrypted_both_ways(place: int, key: bytes) -> None:
    """Under the session key, and the authValue of what the session authorizes (Part 1, §21.2)."""
    sealing = session(cipher=XOR)
    uses = [sealing.use(AUTH, decrypt=True, encrypt=True)]
    exchange = Exchange(COMMAND, [session().use(AUTH), *uses] if place else uses, lambda _: NAME)
    data = exchange.begin()
    sent = parse_command(data).authorizations
    clear = COMMAND.build()[4:]
    on_wire = data[-len(clear) :]
    # The size and the parameters behind it stay in clear.
    assert on_wire == clear[:2] + masked(clear[2:10], key, sent[place].nonce, b"t" * 32) + clear[10:]
    sealed = RESULT[:2] + masked(RESULT[2:], key, b"n" * 32, sent[place].nonce)
    keys = [KEY + AUTH, KEY][: len(sent)]
    answers = [authorized(auth, mac_key, sealed) for auth, mac_key in zip(sent, keys, strict=True)]
    assert exchange.finish(response(*answers, parameters=sealed)).out_hmac == RESULT[2:]


def test_what_follows_the_encrypted_parameter_stays_as_it_is() -> None:
    exchange = Exchange(Hash(b"x", TPM_ALG.SHA256, TPM_RH.NULL), [session(cipher=XOR).use(encrypt=True)])
    (sent,) = parse_command(exchange.begin()).authorizations
    ticket = bytes.fromhex("8024 40000007 0000")
    sealed = RESULT[:2] + masked(RESULT[2:], KEY, b"n" * 32, sent.nonce) + ticket
    answer = authorized(sent, KEY, sealed, code=TPM_CC.Hash)
    result = exchange.finish(response(answer, parameters=sealed))
    assert (result.out_hash, result.validation.build()) == (RESULT[2:], ticket)


@pytest.mark.parametrize(
    ("asked", "attributes"),
    [
        ({}, 0x01),
        ({"keep": False}, 0x00),
        ({"audit": True}, 0x81),
        ({"audit_exclusive": True}, 0x83),
        ({"audit_reset": True}, 0x85),
        ({"decrypt": True}, 0x21),
        ({"encrypt": True}, 0x41),
        ({"encrypt": True, "decrypt": True, "audit": True, "keep": False}, 0xE0),
    ],
)
def test_session_attributes(asked: dict[str, bool], attributes: int) -> None:
    """TPMA_SESSION (Part 2, §8.4)."""
    assert session(cipher=XOR).use(**asked).attributes == attributes


def test_a_session_that_authorizes_nothing_needs_no_authvalue() -> None:
    """An index in the command, not the order in which uses were made, says who authorizes what."""
    one, two = session(), session(nonce=b"2" * 32)
    command = ActivateCredential(HANDLE, HANDLE + 1, b"", b"")
    names = {HANDLE: NAME, HANDLE + 1: NAME[:-1] + b"x"}
    exchange = Exchange(command, [one.use(b"first"), two.use(b"second")], names.__getitem__)
    first, second = parse_command(exchange.begin()).authorizations
    hashed = hashlib.sha256(
        TPM_CC.ActivateCredential.to_bytes(4, "big") + NAME + NAME[:-1] + b"x" + command.build()[8:]
    ).digest()
    for sent, key, nonce in ((first, KEY + b"first", b"t" * 32), (second, KEY + b"second", b"2" * 32)):
        assert sent.hmac == hmac.digest(key, hashed + sent.nonce + nonce + bytes([CONTINUE]), "sha256")
