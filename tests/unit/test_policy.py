"""Policies: digests of tpm2-tools' trial sessions, bytes in key files, and commands."""

from collections.abc import Callable

import pytest

from tpmwire.errors import PolicyError
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import (
    PolicyAuthValue,
    PolicyCommandCode,
    PolicyDuplicationSelect,
    PolicyOR,
    PolicyPassword,
    PolicyPCR,
    PolicySecret,
)
from tpmwire.spec.commands import policies
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_RH

SHA1, SHA256, SHA384 = TPM_ALG.SHA1, TPM_ALG.SHA256, TPM_ALG.SHA384
SESSION = 0x03000000
# Read from the TPM in which the digests below were made.
PCR_VALUES = {
    (SHA1, 0): bytes(20),
    (SHA1, 7): bytes.fromhex("4621afb744714483a66161ed63e744933d6af65b"),
    (SHA256, 23): bytes.fromhex("debb3e7acfff6dd18d501042273629f0b79cb206bb8c24f59f62ddb80849403b"),
}
PCR23 = {alg: PolicyPCR.of_values(alg, parse_pcrs("23"), PCR_VALUES) for alg in (SHA256, SHA384)}

# tpm2_startauthsession -g ALG, then the policy command, in swtpm 0.7.1.
RECORDED: dict[str, tuple[Callable[[TPM_ALG], Policy], str, str]] = {
    "authvalue": (
        lambda alg: Policy(PolicyAuthValue()),
        "8fcd2169ab92694e0c633f1ab772842b8241bbc20288981fc7ac1eddc1fddb0e",
        "0eb13321e885c9603d394e1c33976d4660517111f440d377585f66a94a0eee0a7f73d10b68edc48f61bd3c8385dcddf5",
    ),
    "password": (
        lambda alg: Policy(PolicyPassword()),
        "8fcd2169ab92694e0c633f1ab772842b8241bbc20288981fc7ac1eddc1fddb0e",
        "0eb13321e885c9603d394e1c33976d4660517111f440d377585f66a94a0eee0a7f73d10b68edc48f61bd3c8385dcddf5",
    ),
    "pcr": (
        lambda alg: Policy(PCR23[alg]),
        "020990df147c68228d19c54104c68ab5fe58f6c41abaec1e7ad9da74c53fe42f",
        "ffba789bd1b4c4ec8623c24162e99d5d6e8bf1be1f1bb00a54737771f760693adb23665acdfa9eaede21db1f15ed02a7",
    ),
    "pcrs of two banks": (
        lambda alg: Policy(PolicyPCR.of_values(alg, parse_pcrs("sha1:0,7+sha256:23"), PCR_VALUES)),
        "2dc654aa8727c5053289e304b359f27b90f3212c3434eec63d1c38c9878b7a8e",
        "dbba7c4699f0db4a2e6a265765db6fbcc76766ae5282fff5798e55f1d31c658ebe124f5e5b19e8105a32355060d65b49",
    ),
    "command": (
        lambda alg: Policy(PolicyCommandCode(TPM_CC.HMAC)),
        "14d27f7b1c2d6ce4f11708c7dae90c7f425b343f8797b62889e3571159e0a694",
        "01d6c3d61587ea983721a90c3c47a89e0aae17122296e814cdd509946c5311e8a5183ff8d94fee006cdc8ff3ea901523",
    ),
    "secret": (
        lambda alg: Policy(PolicySecret.of(TPM_RH.ENDORSEMENT)),
        "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa",
        "8bbf2266537c171cb56e403c4dc1d4b64f432611dc386e6f532050c3278c930e143e8bb1133824ccb431053871c6db53",
    ),
    "pcr, authvalue": (
        lambda alg: Policy(PCR23[alg], PolicyAuthValue()),
        "d07282f36eb47c68379178aa52f4b9ce630f9ab5d83853816d2ddcc0109f8469",
        "0962aab40e658dfde97c5254764103122fce261ad4164cc9641833cacb58feea8769bbf8863669c8d368e05c7cf10c31",
    ),
}


@pytest.mark.parametrize("name", RECORDED)
def test_digest(name: str) -> None:
    make, sha256, sha384 = RECORDED[name]
    assert make(SHA256).digest().hex() == sha256
    assert make(SHA384).digest(SHA384).hex() == sha384


def test_no_statements() -> None:
    assert Policy().digest() == bytes(32)
    assert Policy().digest(SHA1) == bytes(20)
    assert Policy().commands(SESSION) == ()
    assert Policy().to_steps() == ()


NAME, PARENT = b"\0\x0b" + b"n" * 32, b"\0\x0b" + b"p" * 32
STEPS = {
    "pcr": (PolicyPCR(b"d" * 32, parse_pcrs("23")), "0020" + "64" * 32 + "00000001 000b 03 000080"),
    "pcr as they are": (PolicyPCR(b"", parse_pcrs("0")), "0000 00000001 000b 03 010000"),
    "authvalue": (PolicyAuthValue(), ""),
    "password": (PolicyPassword(), ""),
    "command": (PolicyCommandCode(TPM_CC.HMAC), "00000155"),
    "secret": (PolicySecret.of(TPM_RH.OWNER, b"ref"), "40000001 0004 40000001 0003 726566"),
    "secret of an object": (PolicySecret(0, NAME), "00000000 0022" + NAME.hex() + "0000"),
    "or": (PolicyOR((b"a" * 32, b"b" * 32)), "00000002 0020" + "61" * 32 + "0020" + "62" * 32),
    "duplication": (
        PolicyDuplicationSelect(NAME, PARENT, True),
        "0022" + NAME.hex() + "0022" + PARENT.hex() + "01",
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_octets_in_a_key_file(name: str) -> None:
    statement, octets = STEPS[name]
    step = (int(statement.code), bytes.fromhex(octets))
    assert Policy(statement).to_steps() == (step,)
    assert Policy.from_steps((step,)) == Policy(statement)


def test_secret_without_a_hint() -> None:
    """Files from before the draft's revision of 2023 have the Name and the reference alone."""
    step = (int(TPM_CC.PolicySecret), bytes.fromhex("0004 40000001 0003 726566"))
    policy = Policy.from_steps((step,))
    assert policy.statements == (PolicySecret(0, bytes.fromhex("40000001"), b"ref"),)
    assert policy.digest() == Policy(PolicySecret.of(TPM_RH.OWNER, b"ref")).digest()
    assert policy.commands(SESSION) == (policies.PolicySecret(TPM_RH.OWNER, SESSION, policy_ref=b"ref"),)


def test_commands() -> None:
    statements = [statement for name, (statement, _) in STEPS.items() if name != "secret of an object"]
    assert Policy(*statements).commands(SESSION) == (
        policies.PolicyPCR(SESSION, b"d" * 32, parse_pcrs("23")),
        policies.PolicyPCR(SESSION, b"", parse_pcrs("0")),
        policies.PolicyAuthValue(SESSION),
        policies.PolicyPassword(SESSION),
        policies.PolicyCommandCode(SESSION, TPM_CC.HMAC),
        policies.PolicySecret(TPM_RH.OWNER, SESSION, policy_ref=b"ref"),
        policies.PolicyOR(SESSION, (b"a" * 32, b"b" * 32)),
        policies.PolicyDuplicationSelect(SESSION, NAME, PARENT, True),
    )
    with_hint = Policy(PolicySecret(0x81010001, NAME))
    assert with_hint.commands(SESSION) == (policies.PolicySecret(0x81010001, SESSION),)


def test_branches() -> None:
    """However an OR is reached, its digest is the same; and it hides what came before."""
    one, other = Policy(PCR23[SHA256]), Policy(PolicyAuthValue())
    either = PolicyOR.of(SHA256, one, other)
    assert either == PolicyOR.of(SHA256, one.digest(), other)
    digests = {Policy(*branch.statements, either).digest() for branch in (one, other)}
    assert digests == {Policy(either).digest()}
    assert Policy(PolicyOR.of(SHA256, other, one)).digest() not in digests
    assert len(PolicyOR.of(SHA384, one, other).p_hash_list[0]) == 48


def test_duplication_with_and_without_the_object() -> None:
    def digest(name: bytes, include: bool) -> bytes:
        return Policy(PolicyDuplicationSelect(name, PARENT, include)).digest()

    assert digest(NAME, False) == digest(b"", False)
    assert digest(NAME, True) != digest(b"", True)
    assert digest(NAME, True) != digest(NAME, False)


@pytest.mark.parametrize(
    ("statements", "auth_value", "password"),
    [
        ((), False, False),
        ((PolicyPCR(b"", parse_pcrs("0")),), False, False),
        ((PolicyAuthValue(), PolicyCommandCode(TPM_CC.HMAC)), True, False),
        ((PolicyPassword(),), False, True),
        ((PolicyPassword(), PolicyAuthValue()), True, False),
        ((PolicyAuthValue(), PolicyPassword()), False, True),
    ],
)
def test_what_the_key_must_be_given(statements: tuple, auth_value: bool, password: bool) -> None:  # type: ignore[type-arg]
    policy = Policy(*statements)
    assert (policy.wants_auth_value, policy.wants_password) == (auth_value, password)


def test_a_value() -> None:
    policy = Policy(PolicyAuthValue())
    assert policy == Policy(PolicyAuthValue()) != Policy(PolicyPassword())
    assert len({policy, Policy(PolicyAuthValue()), Policy()}) == 2
    assert repr(policy) == "Policy(PolicyAuthValue())"
    with pytest.raises(AttributeError):
        policy.statements = ()
    with pytest.raises(AttributeError):
        del policy.statements


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ((TPM_CC.PolicyPhysicalPresence, b""), "TPM2_PolicyPhysicalPresence, which tpmwire does not support"),
        ((0x20000001, b""), "command 0x20000001"),
        ((0xFFFFFFFF, b""), "command 0xffffffff"),
        ((TPM_CC.HMAC, b""), "TPM2_HMAC"),
        ((TPM_CC.PolicyAuthValue, b"\0"), "invalid parameters for TPM2_PolicyAuthValue: trailing data: 1"),
        ((TPM_CC.PolicyPCR, b""), "invalid parameters for TPM2_PolicyPCR"),
        ((TPM_CC.PolicyPCR, bytes.fromhex("0000 ffffffff")), "a count of 4294967295 exceeds"),
        ((TPM_CC.PolicyOR, bytes.fromhex("00000009") + bytes(18)), "a count of 9 exceeds 8"),
        ((TPM_CC.PolicyCommandCode, bytes(3)), "invalid parameters for TPM2_PolicyCommandCode"),
        ((TPM_CC.PolicySecret, bytes.fromhex("0004 4000")), "invalid parameters for TPM2_PolicySecret"),
        ((TPM_CC.PolicyDuplicationSelect, bytes.fromhex("0000 0000 02")), "0 or 1"),
    ],
)
def test_bad_steps(step: tuple[int, bytes], reason: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy.from_steps(((int(TPM_CC.PolicyAuthValue), b""), (int(step[0]), step[1])))
    assert reason in str(caught.value)
    assert str(caught.value).isprintable()


def test_what_cannot_be_known_or_done() -> None:
    as_they_are = Policy(PolicyPCR(b"", parse_pcrs("23")))
    with pytest.raises(PolicyError, match="give the values"):
        as_they_are.digest()
    with pytest.raises(PolicyError, match="missing the value of PCR 22 in bank sha256"):
        PolicyPCR.of_values(SHA256, parse_pcrs("22,23"), PCR_VALUES)
    with pytest.raises(PolicyError, match="PCR 23 in bank sha256: expected 32 bytes, got 20"):
        PolicyPCR.of_values(SHA256, parse_pcrs("23"), {(SHA256, 23): bytes(20)})
    with pytest.raises(PolicyError, match="does not name its handle"):
        Policy(PolicySecret(0, NAME)).commands(SESSION)
    with pytest.raises(PolicyError, match="0x81000001"):
        PolicySecret.of(0x81000001)
    for count in (0, 1, 9):
        with pytest.raises(PolicyError, match=f"got {count}"):
            PolicyOR.of(SHA256, *[b"d" * 32] * count)
    with pytest.raises(PolicyError, match="cannot be written to a key file"):
        Policy(PolicyPCR(b"d" * 65, ())).to_steps()


@pytest.mark.parametrize("size", [4, 2 + 20, 2 + 32, 2 + 48, 2 + 64])
@pytest.mark.parametrize("policy_ref", [b"", b"ref"])
def test_policy_secret_with_and_without_the_hint(size: int, policy_ref: bytes) -> None:
    """For a Name of any hash: a handle's four bytes, or the algorithm and a digest of up to 64."""
    statement = PolicySecret(0x81010001, bytes(range(1, size + 1)), policy_ref)
    octets = statement.build()
    assert PolicySecret.readings(octets)[0] == statement
    assert PolicySecret.readings(octets[4:])[0] == PolicySecret(0, statement.object_name, policy_ref)
