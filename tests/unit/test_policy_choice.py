"""A key file's policy steps, which can be read in several ways: the key's authPolicy decides."""

import pytest

from tpmwire.errors import PolicyError
from tpmwire.keys.templates import hmac_key
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import PolicyAuthValue, PolicyCommandCode, PolicyOR, PolicyPCR, PolicySecret
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_RH

ALG = TPM_ALG.SHA256
PCR = PolicyPCR(bytes(range(32)), parse_pcrs("sha256:7"))
HMAC_ONLY, ANYBODY = PolicyCommandCode(TPM_CC.HMAC), PolicyAuthValue()
ENGINE = PCR.build()[34:] + PCR.pcr_digest
"""openssl_tpm2_engine's spelling: the selection, then the digest without its size."""


def ways(policy: Policy, *steps: tuple[int, bytes], meant: Policy | None = None) -> tuple[Policy, ...]:
    public = hmac_key((meant or policy).digest(ALG))
    return Policy.ways(steps or policy.to_steps(), public)


def test_one_policy_is_one_way() -> None:
    for policy in (Policy(PCR), Policy(PCR, HMAC_ONLY), Policy()):
        assert ways(policy) == (policy,)


def test_the_spelling_that_leads_to_the_keys_policy_is_meant() -> None:
    code = int(TPM_CC.PolicyPCR)
    assert ways(Policy(PCR), (code, PCR.build())) == (Policy(PCR),)
    assert ways(Policy(PCR), (code, ENGINE)) == (Policy(PCR),)
    with_more = Policy(PCR, HMAC_ONLY)
    assert ways(with_more, (code, ENGINE), *with_more.to_steps()[1:]) == (with_more,)


def test_a_policy_that_leads_elsewhere_is_taken_in_its_first_reading() -> None:
    code = int(TPM_CC.PolicyPCR)
    assert ways(Policy(PCR), (code, PCR.build()), meant=Policy(ANYBODY)) == (Policy(PCR),)
    with pytest.raises(PolicyError):
        ways(Policy(PCR), (code, b"\0"), meant=Policy(ANYBODY))


def test_what_only_the_tpm_can_decide_is_taken() -> None:
    """PolicyPCR without a digest takes the PCRs' values at that time."""
    late = Policy(PolicyPCR(b"", PCR.pcrs))
    assert ways(late, meant=Policy(PCR)) == (late,)


def test_branches_in_a_row_are_ways_of_their_own() -> None:
    first, second = Policy(PCR), Policy(HMAC_ONLY, ANYBODY)
    choice = PolicyOR((first.digest(ALG), second.digest(ALG)))
    for last in ((), (PolicySecret.of(TPM_RH.OWNER),)):
        meant = Policy(*first.statements, choice, *last)
        row = Policy(*first.statements, *second.statements, choice, *last)
        assert ways(row, meant=meant) == (meant, Policy(*second.statements, choice, *last))
    # One branch alone, as the draft has it, stays as it is.
    one = Policy(*second.statements, choice)
    assert ways(one) == (one,)
    # A PolicyOR that none of them leads to is no choice between them.
    other = PolicyOR((bytes(32), bytes(range(32))))
    assert ways(Policy(*first.statements, other), meant=first) == (Policy(*first.statements, other),)
