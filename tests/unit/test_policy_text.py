"""Policies in words: each statement says what it wants, also when it comes from a key file."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tpmwire.errors import PolicyError
from tpmwire.policy.policy import Policy
from tpmwire.policy.statement import statement_classes
from tpmwire.policy.text import from_json, tree

SAID = {
    '{"type": "PolicyCommandCode", "command": "HMAC"}': "PolicyCommandCode: TPM2_HMAC only",
    '{"type": "PolicyPCR", "pcrs": "sha1:7"}': "PolicyPCR: sha1:7 are as they are now",
    '{"type": "PolicyPassword"}': "PolicyPassword: the key's password",
    '{"type": "PolicySecret", "hierarchy": "owner", "policy_ref": "ab"}': "the owner hierarchy, reference ab",
    '{"type": "PolicyNV", "index": "0x01500016", "name": "000b", "operand": "2a", "operation": "EQ"}': (
        "PolicyNV: NV index 0x01500016 (000b) at offset 0: EQ 2a"
    ),
    '{"type": "PolicyCounterTimer", "operand": "01", "operation": "UNSIGNED_GT", "offset": 8}': ": UNSIGNED_GT 01",
    '{"type": "PolicyLocality", "locality": 9}': "the command comes from zero|three",
    '{"type": "PolicyNvWritten", "written": false}': "the NV index was never written",
    '{"type": "PolicyCpHash", "hash": "ab"}': "the command whose cpHash is ab",
    '{"type": "PolicyNameHash", "hash": "ab"}': "commands on objects whose Names hash to ab",
    '{"type": "PolicyTemplate", "hash": "ab"}': "an object of the template that hashes to ab",
    '{"type": "PolicyOR", "digests": ["ab", "cd"]}': "PolicyOR: one of ab, cd",
    '{"type": "PolicyDuplicationSelect", "new_parent_name": "000b"}': "duplication to 000b only",
}


@pytest.mark.parametrize("text", SAID)
def test_a_statement_in_words(text: str) -> None:
    policy = from_json(f"[{text}]")
    assert isinstance(policy, Policy)
    assert SAID[text] in str(Policy.from_steps(policy.to_steps()))


def test_every_type_of_statement_is_described_or_used_with_a_key() -> None:
    with_keys = {"PolicySigned", "PolicyAuthorize", "PolicyAuthValue"}
    assert {text.split('"')[3] for text in SAID} | with_keys == set(statement_classes())


def test_branches_stand_below_each_other() -> None:
    inner = '{"type": "PolicyOR", "branches": [[{"type": "PolicyAuthValue"}], [{"type": "PolicyPassword"}]]}'
    outer = f'{{"type": "PolicyOR", "branches": [[{inner}], [{{"type": "PolicyNvWritten", "written": true}}]]}}'
    assert tree(from_json(f'[{outer}, {{"type": "PolicyAuthValue"}}]')) == [
        "one of:",
        "  1. one of:",
        "       1. PolicyAuthValue: the key's password",
        "       2. PolicyPassword: the key's password",
        "  2. PolicyNvWritten: the NV index was written",
        "PolicyAuthValue: the key's password",
    ]


@pytest.mark.parametrize("signature", ["00", "0018", "0014"])
def test_a_truncated_signature_is_an_invalid_field(signature: str) -> None:
    """It is in the user's file, so no TPM has to do with it."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    text = json.dumps([{"type": "PolicySigned", "key": pem, "signature": signature}])
    with pytest.raises(PolicyError, match="PolicySigned has an invalid field"):
        from_json(text)
