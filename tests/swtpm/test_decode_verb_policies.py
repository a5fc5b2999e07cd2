"""policyDigest step by step, from a recording's commands alone: after each, what the TPM says itself."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.recording import XOR, Bench, bench, beside
from tests.support.salt_keys import NO_SECRETS, SALT_KEYS
from tpmwire.explain import as_text
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.sessions import Password, SessionStart
from tpmwire.spec.command import Command, Role
from tpmwire.spec.commands import policies
from tpmwire.spec.commands.hierarchy import CreatePrimary
from tpmwire.spec.commands.nv import NV_DefineSpace, NV_Write
from tpmwire.spec.commands.sessions import PolicyRestart
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_RH, TPM_SE, TPM_ST
from tpmwire.spec.properties import TPM_EO, TPMA_NV
from tpmwire.spec.storage import TPMS_NV_PUBLIC
from tpmwire.spec.structures import TPMT_TK_VERIFIED

__all__ = ["bench"]  # a fixture

INDEX = 0x01800002
NAME = b"\0\x0b" + bytes(32)
TICKET = TPMT_TK_VERIFIED(TPM_ST.VERIFIED, TPM_RH.NULL)

Make = Callable[[int], Command]

STEPS: dict[str, Make] = {
    "authvalue": policies.PolicyAuthValue,
    "password": policies.PolicyPassword,
    "presence": policies.PolicyPhysicalPresence,
    "code": lambda s: policies.PolicyCommandCode(s, TPM_CC.Unseal),
    "locality": lambda s: policies.PolicyLocality(s, 2),
    "cphash": lambda s: policies.PolicyCpHash(s, b"\1" * 32),
    "namehash": lambda s: policies.PolicyNameHash(s, b"\2" * 32),
    "template": lambda s: policies.PolicyTemplate(s, b"\3" * 32),
    "written": lambda s: policies.PolicyNvWritten(s, True),
    "or": lambda s: policies.PolicyOR(s, (b"\4" * 32, b"\5" * 32)),
    "pcr": lambda s: policies.PolicyPCR(s, b"\6" * 32, parse_pcrs("7,23")),
    "duplicate": lambda s: policies.PolicyDuplicationSelect(s, NAME, NAME, True),
    "duplicate-any": lambda s: policies.PolicyDuplicationSelect(s, NAME, NAME, False),
    "secret": lambda s: policies.PolicySecret(TPM_RH.OWNER, s, policy_ref=b"ref"),
    "timer": lambda s: policies.PolicyCounterTimer(s, bytes(8), 0, TPM_EO.UNSIGNED_GE),
    "nv": lambda s: policies.PolicyNV(TPM_RH.OWNER, INDEX, s, b"8 o", 0, TPM_EO.EQ),
    "authorize": lambda s: policies.PolicyAuthorize(s, bytes(32), b"ref", NAME, TICKET),
}


FIRST = ("cphash", "namehash", "template", "duplicate", "duplicate-any")


@pytest.mark.parametrize("step", STEPS)
def test_the_digest_after_each_step_is_the_tpms(bench: Bench, step: str) -> None:
    tpm = bench.tpm
    if step == "nv":
        attributes = TPMA_NV.OWNERREAD | TPMA_NV.OWNERWRITE | TPMA_NV.NO_DA
        public = TPMS_NV_PUBLIC(INDEX, TPM_ALG.SHA256, attributes, b"", 8)
        tpm.execute(NV_DefineSpace(TPM_RH.OWNER, b"", public), Password())
        tpm.execute(NV_Write(TPM_RH.OWNER, INDEX, b"8 octets", 0), Password())
    session = tpm.start_session(SessionStart(TPM_SE.TRIAL)).handle
    # Behind another one, so that it matters what was before; some want to be the first.
    before = (
        ["code"] if step not in ("code", "cphash", "namehash", "template", "duplicate", "duplicate-any") else []
    )
    made: list[Any] = [STEPS[name](session) for name in (*before, step)]
    for command in made:
        roles = [role for _, role in command.handle_fields()]
        tpm.execute(command, *[Password()] * roles.count(Role.USER))
    asked = len(bench.talk().histories[-1].policy)
    told: bytes = tpm.execute(policies.PolicyGetDigest(session)).policy_digest
    talk = bench.talk(salted=False)
    life = talk.histories[-1]
    assert [node.octets for node in beside(talk, "policyDigest")][-1:] == [told]
    assert len(beside(talk, "policyDigest")) == len(made)
    assert asked == len(made)
    assert life.policy[len(made) - 1].digest == told
    assert life.policy[len(made) - 1].formula.startswith("H(")
    assert (life.policy[-1].digest, life.policy[-1].formula) == (told, "as the TPM says")


def test_what_cannot_be_known_is_not_guessed_and_comes_back(bench: Bench) -> None:
    tpm = bench.tpm
    session = tpm.start_session(SessionStart(TPM_SE.POLICY)).handle
    tpm.execute(policies.PolicyPCR(session, b"", parse_pcrs("23")))
    tpm.execute(policies.PolicyAuthValue(session))
    told: bytes = tpm.execute(policies.PolicyGetDigest(session)).policy_digest
    tpm.execute(policies.PolicyPassword(session))
    after: bytes = tpm.execute(policies.PolicyGetDigest(session)).policy_digest
    tpm.execute(PolicyRestart(session))
    tpm.execute(policies.PolicyAuthValue(session))
    restarted: bytes = tpm.execute(policies.PolicyGetDigest(session)).policy_digest
    talk = bench.talk()
    zeros = bytes(32)
    assert [step.digest for step in talk.histories[-1].policy] == [
        None, None, told, after, after, zeros, restarted, restarted,
    ]  # fmt: skip
    assert sum("not in this recording" in as_text(tree) for tree in talk.trees) == 2
    assert not talk.histories[-1].ended


def test_a_recording_that_begins_in_the_middle(bench: Bench) -> None:
    session = bench.salted(XOR)
    bench.relay.clear()
    bench.tpm.execute(CreatePrimary(TPM_RH.OWNER, NO_SECRETS, SALT_KEYS["p256-sha256"]), session.use())
    talk = bench.talk()
    assert [life.title for life in talk.histories] == ["HMAC session 0x02000000, opened before the recording"]
    assert "hold" not in as_text(talk.trees[0]).lower()
