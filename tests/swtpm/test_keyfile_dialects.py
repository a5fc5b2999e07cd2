"""Policies in key files as other programs write them: the TPM takes the key's use for what each of them means."""

import hmac

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.swtpm import Swtpm, tpm2
from tpmwire.crypto.formulas import name_of
from tpmwire.errors import PolicyError
from tpmwire.keys.keyfile import KeyFile, Step, parse
from tpmwire.keys.templates import h2_primary, hmac_key
from tpmwire.policy.approvals import PolicyAuthorize
from tpmwire.policy.conditions import PolicyCounterTimer
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.policy.policy import Policy
from tpmwire.policy.sign import approve
from tpmwire.policy.signer import public_area
from tpmwire.policy.statements import PolicyAuthValue, PolicyDuplicationSelect, PolicyOR, PolicyPCR, PolicySecret
from tpmwire.primary import create_primary
from tpmwire.secret import EMPTY_AUTH, Secret
from tpmwire.sessions import Password
from tpmwire.spec.commands.objects import Create
from tpmwire.spec.commands.pcr import PCR_Read
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_RH
from tpmwire.spec.properties import TPM_EO
from tpmwire.spec.structures import TPMS_SENSITIVE_CREATE
from tpmwire.tpm import Tpm
from tpmwire.use.hmac import HmacKey

SECRET, MESSAGE = b"AWS4secret", b"20261124"
EXPECTED = hmac.digest(SECRET, MESSAGE, "sha256")
OWNER = bytes.fromhex("40000001")


@pytest.fixture(scope="module", autouse=True)
def nv_indices(shared_swtpm: Swtpm) -> None:
    tpm2(shared_swtpm, "tpm2_nvdefine", "0x01500020", "-C", "o", "-s", "8", "-a", "authread|authwrite")
    tpm2(
        shared_swtpm, "nvdefine", "0x01500021", "-C", "o", "-s", "8", "-a", "authread|authwrite", "-p", "password"
    )


def with_policy(tpm: Tpm, digest: bytes, policy: tuple[Step, ...], auth: bytes = b"", **rest: object) -> KeyFile:
    """The file of an HMAC key with this authPolicy, whose policy is written like this; read again."""
    parent = create_primary(tpm, TPM_RH.OWNER, h2_primary())
    template = hmac_key(digest, with_auth=bool(auth))
    answer = tpm.execute(Create(parent.handle, TPMS_SENSITIVE_CREATE(auth, SECRET), template), Password())
    tpm.flush(parent.handle)
    file = KeyFile.of(answer.out_public, answer.out_private, TPM_RH.OWNER, policy=policy, **rest)
    return parse(file.to_pem())


def pcr23(tpm: Tpm) -> PolicyPCR:
    """PCR 23 as it is now."""
    selection = parse_pcrs("23")
    values = tpm.execute(PCR_Read(selection)).pcr_values
    return PolicyPCR.of_values(TPM_ALG.SHA256, selection, {(TPM_ALG.SHA256, 23): values[0]})


def engines(statement: PolicyPCR) -> Step:
    """openssl_tpm2_engine: TPML_PCR_SELECTION, then the digest without a size."""
    size = len(statement.pcr_digest)
    return int(TPM_CC.PolicyPCR), statement.build()[2 + size :] + statement.pcr_digest


AUTH_VALUE: Step = (int(TPM_CC.PolicyAuthValue), b"")


@pytest.mark.parametrize("auth", [b"", b"password"])
def test_the_engines_pcr(tpm: Tpm, auth: bytes) -> None:
    pcr = pcr23(tpm)
    policy = Policy(pcr, PolicyAuthValue()) if auth else Policy(pcr)
    steps = (engines(pcr), AUTH_VALUE) if auth else (engines(pcr),)
    file = with_policy(tpm, policy.digest(), steps, auth)
    assert HmacKey(file=file, auth=Secret(auth)).hmac(tpm, MESSAGE) == EXPECTED
    assert Policy.ways(steps, file.public) == (policy,)


SECRETS = {
    "the draft": (b"ref", "40000001 0004 40000001 0003 726566"),
    "tpm2genkey": (b"ref", "40000001 0004 40000001 726566"),
    "tpm2genkey, no policyRef": (b"", "40000001 0004 40000001"),
    "openssl_tpm2_engine": (b"", "40000001 0004 40000001 0000"),
    "before 2023": (b"ref", "0004 40000001 0003 726566"),
    "a policyRef that looks like none": (b"\0\0", "40000001 0004 40000001 0000"),
    "a policyRef with its size in it": (b"\0\3ref", "40000001 0004 40000001 0003 726566"),
}


@pytest.mark.parametrize("dialect", SECRETS)
def test_the_owners_secret(tpm: Tpm, dialect: str) -> None:
    """The last two: the same octets as others, and another policy; the key's digest decides."""
    ref, octets = SECRETS[dialect]
    digest = Policy(PolicySecret.of(TPM_RH.OWNER, ref)).digest()
    file = with_policy(tpm, digest, ((int(TPM_CC.PolicySecret), bytes.fromhex(octets)),))
    assert HmacKey(file=file).hmac(tpm, MESSAGE) == EXPECTED


@pytest.mark.parametrize(("index", "password"), [(0x01500020, b""), (0x01500021, b"password")])
@pytest.mark.parametrize("protected", [True, False])
def test_the_secret_of_an_nv_index(tpm: Tpm, index: int, password: bytes, protected: bool) -> None:
    """create_tpm2_key --secret: the password of an index, given as the key's, can be changed without the key."""
    name = tpm.name(index)
    digest = Policy(PolicySecret(index, name)).digest()
    octets = index.to_bytes(4, "big") + len(name).to_bytes(2, "big") + name + b"\0\0"
    file = with_policy(tpm, digest, ((int(TPM_CC.PolicySecret), octets),))
    assert HmacKey(file=file, auth=Secret(password), protected=protected).hmac(tpm, MESSAGE) == EXPECTED


def test_the_engines_counter_timer(tpm: Tpm) -> None:
    """operandB without its size; restartCount is at offset 20 and less than its limit."""
    statement = PolicyCounterTimer(bytes.fromhex("ffffffff"), 20, TPM_EO.UNSIGNED_LT)
    octets = statement.build()[2:]
    file = with_policy(tpm, Policy(statement).digest(), ((int(TPM_CC.PolicyCounterTimer), octets),))
    assert HmacKey(file=file).hmac(tpm, MESSAGE) == EXPECTED


def test_an_operand_that_looks_like_one_with_a_size(tpm: Tpm) -> None:
    """The same octets are two statements, in two forms; the key's digest decides."""
    ours = PolicyCounterTimer(b"\xff" * 6, 0, TPM_EO.UNSIGNED_LT)
    engines = PolicyCounterTimer(b"\0\6" + b"\xff" * 6, 0, TPM_EO.UNSIGNED_LT)
    assert ours.build() == engines.build()[2:]
    steps = ((int(TPM_CC.PolicyCounterTimer), ours.build()),)
    for meant in (ours, engines):
        file = with_policy(tpm, Policy(meant).digest(), steps)
        assert Policy.ways(steps, file.public) == (Policy(meant),)


@pytest.mark.parametrize("use", ["pcr", "password"])
def test_tpmcopys_branches_in_a_row(tpm: Tpm, use: str) -> None:
    """Use, duplication, and the PolicyOR of both behind each other: not to be stated in this order."""
    auth = b"password" if use == "password" else b""
    statement = PolicyAuthValue() if auth else pcr23(tpm)
    leave = PolicyDuplicationSelect(b"", name_of(h2_primary()), False)
    choice = PolicyOR.of(TPM_ALG.SHA256, Policy(statement), Policy(leave))
    row = Policy(statement, leave, choice).to_steps()
    file = with_policy(tpm, Policy(statement, choice).digest(), row, auth)
    assert HmacKey(file=file, auth=Secret(auth) if auth else EMPTY_AUTH).hmac(tpm, MESSAGE) == EXPECTED


def test_every_branch_in_a_row_is_tried(tpm: Tpm) -> None:
    other = PolicyPCR(bytes(32), parse_pcrs("23"))
    choice = PolicyOR.of(TPM_ALG.SHA256, Policy(other), Policy(PolicyAuthValue()), Policy(pcr23(tpm)))
    row = Policy(other, PolicyAuthValue(), pcr23(tpm), choice).to_steps()
    file = with_policy(tpm, Policy(choice).digest(), row, b"password")
    assert HmacKey(file=file, auth=Secret(b"password")).hmac(tpm, MESSAGE) == EXPECTED
    with pytest.raises(PolicyError, match="branch 1: "):
        HmacKey(file=file.replace(policy=Policy(other, other, choice).to_steps())).hmac(tpm, MESSAGE)


def test_a_signed_policy_with_more_behind_it(tpm: Tpm) -> None:
    """The draft and openssl_tpm2_engine: each authPolicy ends at its PolicyAuthorize, the key's policy goes on."""
    signer = rsa.generate_private_key(65537, 2048)
    trust = PolicyAuthorize(public_area(signer), b"nonce")
    whole = Policy(trust, PolicyAuthValue())
    approved = approve(signer, Policy(pcr23(tpm)), b"nonce")
    steps = (engines(pcr23(tpm)), *approved.to_steps()[1:])
    file = with_policy(tpm, whole.digest(), whole.to_steps(), b"password", auth_policy=(("now", steps),))
    assert HmacKey(file=file, auth=Secret(b"password")).hmac(tpm, MESSAGE) == EXPECTED
