"""Keys whose policy is one of the rarer kinds sign in a TPM, and alternatives are taken as its state wants it."""

import hmac
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.support.swtpm import Swtpm, tpm2
from tpmwire.channel import create_primary
from tpmwire.crypto.formulas import digest, name_of
from tpmwire.errors import PolicyError, TpmError
from tpmwire.keys.keyfile import KeyFile, parse
from tpmwire.keys.templates import h2_primary, hmac_key
from tpmwire.policy.approvals import PolicyAuthorize
from tpmwire.policy.choice import Either
from tpmwire.policy.conditions import (
    PolicyCounterTimer,
    PolicyCpHash,
    PolicyLocality,
    PolicyNameHash,
    PolicyNV,
    PolicyNvWritten,
    PolicyTemplate,
)
from tpmwire.policy.pcr_selection import parse_pcr_values
from tpmwire.policy.policy import Policy
from tpmwire.policy.sign import approve, assert_signed
from tpmwire.policy.signer import public_area
from tpmwire.policy.statements import PolicyAuthValue, PolicyCommandCode, PolicyPCR
from tpmwire.secret import Secret
from tpmwire.sessions import Password
from tpmwire.spec.commands.objects import Create
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_RH, TPMA_LOCALITY
from tpmwire.spec.properties import TPM_EO
from tpmwire.spec.structures import TPMS_SENSITIVE_CREATE
from tpmwire.tpm import Tpm
from tpmwire.use.hmac import HmacKey

INDEX = 0x01500016
OCTETS, DATE = b"AWS4made/up+SecretAccessKeyOfFortyCharacters", b"20261124"
SIGNER: Any = ec.generate_private_key(ec.SECP256R1())
RSA: Any = rsa.generate_private_key(65537, 2048)
ZERO = "00" * 32


@pytest.fixture(scope="module", autouse=True)
def nv_index(shared_swtpm: Swtpm) -> None:
    tpm2(shared_swtpm, "nvdefine", "-s", "8", "-a", "authread|authwrite|ownerread", hex(INDEX))
    tpm2(shared_swtpm, "nvwrite", hex(INDEX), "-i", "-", input=bytes(7) + b"\x2a")


def made(shared_swtpm: Swtpm, policy_digest: bytes, auth: bytes = b"", **fields: Any) -> KeyFile:
    """A key file for an HMAC key that the TPM made, with this authPolicy and these fields."""
    with Tpm.open(shared_swtpm.path, 20) as tpm:
        parent = create_primary(tpm, TPM_RH.OWNER, h2_primary())
        template = hmac_key(policy_digest, with_auth=bool(auth))
        answer = tpm.execute(Create(parent.handle, TPMS_SENSITIVE_CREATE(auth, OCTETS), template), Password())
    return KeyFile.of(answer.out_public, answer.out_private, TPM_RH.OWNER, **fields)


def signs(shared_swtpm: Swtpm, file: KeyFile, *, protected: bool = True, auth: bytes = b"") -> None:
    """The key is used, from the octets of its file; the HMAC is the host's."""
    again = parse(file.to_pem())
    with Tpm.open(shared_swtpm.path, 20) as tpm:
        result = HmacKey(file=again, auth=Secret(auth), protected=protected).hmac(tpm, DATE)
    assert result == hmac.digest(OCTETS, DATE, "sha256")


def pcr23(value: str = ZERO) -> PolicyPCR:
    selection, values = parse_pcr_values(f"sha256:23={value}")
    return PolicyPCR.of_values(TPM_ALG.SHA256, selection, values)


def nv_statement(shared_swtpm: Swtpm, operand: bytes) -> PolicyNV:
    text = tpm2(shared_swtpm, "nvreadpublic", hex(INDEX)).decode()
    name = bytes.fromhex(text.split("name:")[1].split()[0])
    return PolicyNV(INDEX, name, operand, 7, TPM_EO.UNSIGNED_LT)


@pytest.mark.parametrize("protected", [True, False])
@pytest.mark.parametrize("kind", ["locality", "timer", "nv", "signed ecc", "signed rsa", "authorize"])
def test_used(shared_swtpm: Swtpm, kind: str, protected: bool) -> None:
    policy = {
        "locality": Policy(PolicyLocality(TPMA_LOCALITY.ZERO)),
        "timer": Policy(PolicyCounterTimer(bytes(8), 0, TPM_EO.UNSIGNED_GT)),
        "nv": Policy(nv_statement(shared_swtpm, b"\x2b"), PolicyAuthValue()),
        "signed ecc": Policy(assert_signed(SIGNER, b"ref")),
        "signed rsa": Policy(assert_signed(RSA)),
        "authorize": approve(SIGNER, Policy(pcr23())),
    }[kind]
    auth = b"password" if policy.wants_auth_value else b""
    file = made(shared_swtpm, policy.digest(), auth, policy=policy.to_steps())
    signs(shared_swtpm, file, protected=protected, auth=auth)


@pytest.mark.parametrize("kind", ["command", "objects"])
def test_what_names_the_key_is_approved_once_the_key_is_there(shared_swtpm: Swtpm, kind: str) -> None:
    """cpHash and nameHash take in the Name, which takes in the policy: they can stand behind an approval only."""
    open_policy = Policy(PolicyAuthorize(public_area(SIGNER)))
    file = made(shared_swtpm, open_policy.digest(), policy=open_policy.to_steps())
    name = name_of(file.public)
    parameters = len(DATE).to_bytes(2, "big") + DATE + TPM_ALG.NULL.to_bytes(2, "big")
    statement = {
        "command": PolicyCpHash(digest(TPM_ALG.SHA256, TPM_CC.HMAC.to_bytes(4, "big"), name, parameters)),
        "objects": PolicyNameHash(digest(TPM_ALG.SHA256, name)),
    }[kind]
    approved = approve(SIGNER, Policy(statement)).to_steps()
    # In clear: nothing but these octets is authorized.
    signs(shared_swtpm, file.replace(auth_policy=((kind, approved),)), protected=False)


@pytest.mark.parametrize("order", ["last", "first"])
def test_an_approved_firmware_update(shared_swtpm: Swtpm, order: str) -> None:
    """Values of other PCRs are approved later, and the old key goes on working; PolicyAuthorize first or last."""
    open_policy = Policy(PolicyAuthorize(public_area(SIGNER), b"boot"))
    file = made(shared_swtpm, open_policy.digest(), policy=open_policy.to_steps())
    with pytest.raises(PolicyError, match="not signed by key"):
        signs(shared_swtpm, file)
    old = approve(SIGNER, Policy(pcr23("ab" * 32)), b"boot").statements
    new = approve(SIGNER, Policy(pcr23()), b"boot").statements
    turned = [Policy(*(s if order == "last" else (s[-1], *s[:-1]))).to_steps() for s in (old, new)]
    signs(shared_swtpm, file.replace(auth_policy=(("old", turned[0]), (None, turned[1]))))
    signs(shared_swtpm, file.replace(policy=None, auth_policy=(("new", turned[1]),)))


def test_an_approval_by_somebody_else_is_refused(shared_swtpm: Swtpm) -> None:
    open_policy = Policy(PolicyAuthorize(public_area(SIGNER)))
    file = made(shared_swtpm, open_policy.digest())
    stranger = approve(RSA, Policy(pcr23())).to_steps()
    *_before, ours = approve(SIGNER, Policy(pcr23("ab" * 32))).statements
    moved = Policy(pcr23(), ours).to_steps()
    with pytest.raises(PolicyError) as caught:
        signs(shared_swtpm, file.replace(auth_policy=(("stranger", stranger), ("moved", moved))))
    text = str(caught.value)
    assert "authPolicy 1 'stranger': does not result in the key's authPolicy" in text
    assert "authPolicy 2 'moved': TPM2_VerifySignature" in text
    assert "\n" not in text


def test_a_branch_is_chosen_by_the_state_of_the_tpm(shared_swtpm: Swtpm) -> None:
    either = Either(
        (
            Policy(PolicyCommandCode(TPM_CC.Duplicate)),
            Policy(pcr23("ab" * 32)),
            Either((Policy(nv_statement(shared_swtpm, b"\x01")), Policy(pcr23(), PolicyAuthValue()))),
        )
    )
    first, *others = either.alternatives()
    assert len(others) == 3
    assert {way.digest() for way in (first, *others)} == {either.digest()}
    carried = tuple((None, way.to_steps()) for way in others)
    file = made(shared_swtpm, either.digest(), b"password", policy=first.to_steps(), auth_policy=carried)
    signs(shared_swtpm, file, auth=b"password")
    with pytest.raises(TpmError, match=r"AUTH_FAIL|BAD_AUTH"):
        signs(shared_swtpm, file, auth=b"wrong")
    with pytest.raises(PolicyError) as caught:
        signs(shared_swtpm, file.replace(auth_policy=carried[:2]), auth=b"password")
    text = str(caught.value)
    assert text.startswith("none of the key's policies can be satisfied: the file's policy: authorizes")
    assert "authPolicy 1: TPM2_PolicyPCR" in text
    assert "authPolicy 2: TPM2_PolicyNV" in text


def test_a_shared_beginning_goes_before_each_branch(shared_swtpm: Swtpm) -> None:
    inner = Either((Policy(pcr23()), Policy(PolicyAuthValue())), before=Policy(PolicyCommandCode(TPM_CC.HMAC)))
    either = Either((Policy(PolicyNvWritten(True)), inner), after=Policy(PolicyLocality(TPMA_LOCALITY.ZERO)))
    steps = [way.to_steps() for way in either.alternatives()]
    file = made(shared_swtpm, either.digest(), policy=steps[1], auth_policy=tuple(("", way) for way in steps))
    signs(shared_swtpm, file)


def test_policies_for_making_and_for_indices_sign_nothing(shared_swtpm: Swtpm) -> None:
    for statement in (PolicyTemplate(bytes(32)), PolicyNvWritten(True)):
        policy = Policy(statement)
        with pytest.raises(TpmError, match="POLICY_FAIL"):
            signs(shared_swtpm, made(shared_swtpm, policy.digest(), policy=policy.to_steps()))
