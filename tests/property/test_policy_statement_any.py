"""Any policy statement: its bytes, its JSON, its display text, its digest and its explanation agree."""

import contextlib
from typing import Any

from hypothesis import given

from tests.property.strategies import statements
from tpmwire.errors import EncodeError, PolicyError
from tpmwire.explain.policies import policy_digest
from tpmwire.policy.policy import Policy
from tpmwire.policy.statement import Statement
from tpmwire.policy.statements import PolicyOR, PolicySecret
from tpmwire.policy.text import from_json, to_json, tree
from tpmwire.spec.constants import TPM_ALG

ALG = TPM_ALG.SHA256
BEFORE = bytes(range(32))


def exists(statement: Statement) -> bool:
    """Whether a TPM would accept it: PolicyOR needs two digests, an entity needs a Name and a possible handle."""
    match statement:
        case PolicyOR():
            return len(statement.p_hash_list) >= 2
        case PolicySecret():
            return statement.object_name != b"" and not 24 <= statement.object_hint < 1 << 24
    return True


possible = statements().filter(exists)


@given(possible)
def test_a_key_file_keeps_it(statement: Statement) -> None:
    policy = Policy(statement)
    assert Policy.from_steps(policy.to_steps()) == policy


@given(possible)
def test_json_keeps_it(statement: Statement) -> None:
    try:
        text = to_json(Policy(statement))
    except PolicyError as error:
        assert "cannot be represented in JSON" in str(error)  # noqa: PT017
        return
    assert from_json(text) == Policy(statement)


@given(statements())
def test_it_is_one_printable_line(statement: Statement) -> None:
    with contextlib.suppress(EncodeError):  # the Name of a key with an unknown hash
        (line,) = tree(Policy(statement))
        assert line.startswith(f"{type(statement).__name__}: ")
        assert line.isprintable()


@given(statements())
def test_its_explanation_computes_its_digest(statement: Statement) -> None:
    try:
        command, digest = statement.command(0x03000000), statement.extended(ALG, BEFORE)
    except (PolicyError, EncodeError):
        return
    names: Any = vars(statement)
    name = names.get("nv_name", names.get("object_name"))
    assert policy_digest(ALG, BEFORE, command, lambda handle: name)[0] == digest
