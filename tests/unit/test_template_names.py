"""Templates by name: what is refused, and what the message says."""

import pytest

from tpmwire import templates
from tpmwire.errors import EncodeError
from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import PolicyAuthValue
from tpmwire.spec.constants import TPM_ALG, TPMA_OBJECT
from tpmwire.spec.structures import TPMS_ECC_PARMS, TPMS_SCHEME_HASH


@pytest.mark.parametrize(
    "name",
    [
        "",
        "rsa512",
        "dsa",
        "ecc:rsassa",
        "rsa:ecdsa",
        "ecc:",
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
