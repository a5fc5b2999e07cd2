"""A policy statement declares itself: one class, and everything else derives from it."""

import re
import subprocess
import sys
from typing import Annotated

import pytest
from hypothesis import find

from tests.property.strategies import statements
from tpmwire.crypto.formulas import digest
from tpmwire.errors import PolicyError
from tpmwire.explain.policies import OTHER_RULES, policy_digest
from tpmwire.policy import statement
from tpmwire.policy.conditions import PolicyCpHash
from tpmwire.policy.policy import Policy
from tpmwire.policy.statement import Json, Statement, statement_class, statement_classes
from tpmwire.policy.text import from_json, to_json, tree
from tpmwire.spec.command import command_class
from tpmwire.spec.commands import policies
from tpmwire.spec.constants import TPM_ALG, TPM_CC
from tpmwire.spec.structures import TPM2B_NAME

SESSION = 0x03000000

NOT_STATEMENTS = {
    TPM_CC.PolicyGetDigest: "reads policyDigest",
    TPM_CC.PolicyRestart: "clears policyDigest",
    TPM_CC.PolicyTicket: "repeats PolicySigned or PolicySecret, in the session of a ticket",
    TPM_CC.PolicyAuthorizeNV: "not supported in key files",
    TPM_CC.PolicyCapability: "not supported in key files",
    TPM_CC.PolicyParameters: "not supported in key files",
    TPM_CC.PolicyPhysicalPresence: "not supported in key files",
    TPM_CC.PolicyTransportSPDM: "not supported in key files",
    TPM_CC.Policy_AC_SendSelect: "not supported in key files",
}


def test_every_policy_command_is_declared_as_a_statement_or_named_as_none() -> None:
    commands = {code for code in TPM_CC if code.name.startswith("Policy")}
    declared = {code for code in commands if statement_class(code) is not None}
    assert declared | set(NOT_STATEMENTS) == commands, "declare it, or name it above"
    assert not declared & set(NOT_STATEMENTS)
    assert {kind.code for kind in statement_classes().values()} == declared
    assert all(name == kind.code.name for name, kind in statement_classes().items())


def test_the_explanation_has_rules_of_its_own_for_other_commands_only() -> None:
    assert set(OTHER_RULES) <= set(NOT_STATEMENTS)


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> type[Statement]:
    """A statement that this package does not have, as an extension would declare it."""
    monkeypatch.setattr(statement, "_by_code", dict(statement._by_code))

    class PolicyTransportSPDM(
        Statement, code=TPM_CC.PolicyTransportSPDM, says="a channel from {req_key_name} to {tpm_key_name}"
    ):
        """The command comes over a secure channel with these keys (Part 3, §23.25)."""

        req_key_name: TPM2B_NAME
        tpm_key_name: Annotated[TPM2B_NAME, Json("tpm", default=b"t")]

    return PolicyTransportSPDM


def test_one_class_is_a_whole_statement(made_up: type[Statement]) -> None:
    one = made_up(b"r", b"t")
    policy = Policy(one)
    assert statement_class(TPM_CC.PolicyTransportSPDM) is made_up
    assert from_json('[{"type": "PolicyTransportSPDM", "req_key_name": "72", "tpm": "74"}]') == policy
    assert to_json(policy) == '[{"type": "PolicyTransportSPDM", "req_key_name": "72"}]'
    assert from_json(to_json(policy)) == policy
    assert tree(policy) == ["PolicyTransportSPDM: a channel from 72 to 74"]
    assert Policy.from_steps(policy.to_steps()) == policy
    assert policy.commands(SESSION) == (policies.PolicyTransportSPDM(SESSION, b"r", b"t"),)
    expected = digest(TPM_ALG.SHA256, bytes(32), TPM_CC.PolicyTransportSPDM.to_bytes(4, "big"), b"r", b"t")
    assert policy.digest() == expected
    explained = policy_digest(TPM_ALG.SHA256, bytes(32), policy.commands(SESSION)[0], lambda handle: None)
    assert explained == (expected, "H(policyDigest || TPM_CC_PolicyTransportSPDM || reqKeyName || tpmKeyName)")
    assert isinstance(find(statements(), lambda drawn: isinstance(drawn, made_up)), made_up)


def test_the_made_up_statement_is_gone_again() -> None:
    assert statement_class(TPM_CC.PolicyTransportSPDM) is None


def test_the_digest_of_a_statement_without_its_hash_is_unknown() -> None:
    policy = Policy(PolicyCpHash(b""))
    with pytest.raises(PolicyError, match="PolicyCpHash has no cp_hash_a"):
        policy.digest()
    explained = policy_digest(TPM_ALG.SHA256, bytes(32), policy.commands(SESSION)[0], lambda handle: None)
    assert explained == (None, "")


def test_a_statement_needs_a_line_for_people() -> None:
    with pytest.raises(TypeError, match="PolicyTransportSPDM needs says="):

        class PolicyTransportSPDM(Statement, code=TPM_CC.PolicyTransportSPDM):
            req_key_name: TPM2B_NAME


@pytest.mark.parametrize("kind", statement_classes().values(), ids=lambda kind: kind.__name__)
def test_what_a_statement_declares_exists(kind: type[Statement]) -> None:
    command = command_class(kind.code)
    assert command is not None
    fields = {name for name, _ in kind.fields()}
    for name in re.findall(r"\{(\w+)", kind.says):
        assert name in fields or isinstance(getattr(kind, name), property)
    in_command = {name for name, _ in command.fields()}
    hashed = {name for part in kind.rule.parts for name in ([part] if isinstance(part, str) else part)}
    assert hashed | ({kind.rule.then} if kind.rule.then else set()) <= fields
    assert set(kind.rule.names) <= hashed
    assert (hashed - set(kind.rule.names)) | set(kind.rule.names.values()) <= in_command


@pytest.mark.parametrize(
    ("name", "loaded"),
    [("PolicyAuthValue", ["statements"]), ("PolicyCpHash", ["conditions", "statements"])],
)
def test_a_statement_loads_the_modules_up_to_its_own(name: str, loaded: list[str]) -> None:
    code = (
        "import sys; from tpmwire.policy import statement; "
        f"statement.statement_class({int(TPM_CC[name])}); "
        "print(*sorted(m for m in statement._MODULES if f'tpmwire.policy.{m}' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == loaded
