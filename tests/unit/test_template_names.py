"""Templates by name: what is refused, and what the message says."""

import json
from functools import cache

import pytest

from tests.support.programs import ROOT
from tpmwire import parse_command, templates
from tpmwire.errors import EncodeError
from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import PolicyAuthValue
from tpmwire.spec.commands.hierarchy import CreatePrimary
from tpmwire.spec.commands.objects import Create
from tpmwire.spec.constants import TPM_ALG, TPMA_OBJECT
from tpmwire.spec.structures import TPMS_ECC_PARMS, TPMS_SCHEME_HASH, TPMT_PUBLIC


@pytest.mark.parametrize(
    "name",
    [
        "",
        "rsa512",
        "dsa",
        "ecc:rsassa",
        "rsa:ecdsa",
        "ecc:ecdsa-sha256:null:null",
        "hmac:sha2",
        "aes127",
        "aes:cfb",
        "keyedhash:null",
        "rsa:rsaes-sha256",
        "ecc:ecdsa-",
        "hmac512",
        "ecc:ecdsa:aes12",
        "rsa 2048",
        "mldsa64",
        "mldsa65:sha256",
        "mlkem768:oaep",
        "hash_mldsa65:sha256:aes",
    ],
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(EncodeError, match="use"):
        templates.parse_template(name)


def test_attributes_that_contradict_the_scheme_are_refused() -> None:
    with pytest.raises(EncodeError, match="does not allow the attribute decrypt; remove one of them"):
        templates.parse_template("ecc:ecdsa", "sign|decrypt")
    with pytest.raises(EncodeError, match="unknown attribute 'fixed'"):
        templates.parse_template("ecc", "sign|fixed")
    assert templates.parse_template("ecc", "0x72").object_attributes == TPMA_OBJECT(0x72)


def test_spaces_and_case_do_not_matter() -> None:
    assert templates.parse_template("ECC:ECDSA-SHA256") == templates.parse_template("ecc:ecdsa-sha256:null")
    assert templates.parse_template("ecc", "fixedTPM | signEncrypt") == templates.parse_template(
        "ecc", "fixedtpm|sign"
    )


@pytest.mark.parametrize(("name", "hash_alg"), [("ecc", TPM_ALG.SHA256), ("ecc384", TPM_ALG.SHA384)])
def test_an_attestation_key_has_the_hash_of_its_curve(name: str, hash_alg: TPM_ALG) -> None:
    parameters = templates.attestation(name).parameters
    assert isinstance(parameters, TPMS_ECC_PARMS)
    assert parameters.scheme.details == TPMS_SCHEME_HASH(hash_alg)


def test_a_policy_alone_authorizes() -> None:
    policy = Policy(PolicyAuthValue())
    template = templates.signing("ecc", policy=policy)
    assert template.auth_policy == policy.digest()
    assert not template.object_attributes & TPMA_OBJECT.USER_WITH_AUTH


@cache
def recorded_templates() -> set[TPMT_PUBLIC]:
    """The templates of TPM2_Create and TPM2_CreatePrimary in the recordings of TPM 2.0 Library 1.85."""
    lines = (ROOT / "fixtures" / "captures" / "tpm185.jsonl").read_text().splitlines()
    commands = [parse_command(bytes.fromhex(json.loads(line)["command"])).command for line in lines]
    made = (Create, CreatePrimary)
    return {command.in_public.replace(unique=b"") for command in commands if isinstance(command, made)}


MADE_BY_OTHERS = [
    templates.decryption("mlkem512"),
    templates.decryption("ML-KEM-768"),
    templates.decryption("mlkem1024"),
    templates.storage("mlkem768"),
    templates.signing("mldsa44"),
    templates.signing("ML-DSA-65"),
    templates.parse_template("mldsa65", primary=True),
    templates.signing("hash_mldsa87:sha512"),
]


@pytest.mark.parametrize("template", MADE_BY_OTHERS, ids=lambda template: str(template.parameters))
def test_post_quantum_keys_are_those_of_recordings(template: TPMT_PUBLIC) -> None:
    areas = recorded_templates()
    assert template in areas
    assert TPMT_PUBLIC.parse(template.build()) == template


def test_a_key_that_cannot_serve_its_purpose_is_refused() -> None:
    for wrong in ("mlkem768", "ecc:ecdh", "rsa2048:oaep"):
        with pytest.raises(EncodeError, match="cannot sign"):
            templates.attestation(wrong)
    for wrong in ("mldsa65", "hmac", "rsa2048:rsapss"):
        with pytest.raises(EncodeError, match="cannot decrypt"):
            templates.decryption(wrong)
