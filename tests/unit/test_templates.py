"""Templates: attributes that keep a key where it is, and the choice of dictionary-attack protection."""

import pytest

from tpmwire.keys import templates
from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import PolicySecret
from tpmwire.spec.constants import TPM_ALG, TPM_RH, TPMA_OBJECT
from tpmwire.spec.structures import TPMT_PUBLIC

STORAGE = ["h1_primary", "h2_primary", "srk_ecc", "srk_rsa"]
ENDORSEMENT = ["ek_ecc", "ek_rsa"]
FIXED = TPMA_OBJECT.FIXED_TPM | TPMA_OBJECT.FIXED_PARENT
POLICY = b"d" * 32


def made(name: str) -> TPMT_PUBLIC:
    public: TPMT_PUBLIC = getattr(templates, name)()
    return public


@pytest.mark.parametrize("name", STORAGE + ENDORSEMENT)
def test_primaries(name: str) -> None:
    public = made(name)
    assert TPMT_PUBLIC.parse(public.build()) == public
    parent = FIXED | TPMA_OBJECT.SENSITIVE_DATA_ORIGIN | TPMA_OBJECT.RESTRICTED | TPMA_OBJECT.DECRYPT
    rest = TPMA_OBJECT.USER_WITH_AUTH | TPMA_OBJECT.NO_DA if name in STORAGE else TPMA_OBJECT.ADMIN_WITH_POLICY
    assert public.object_attributes == parent | rest


def test_no_two_are_the_same_key() -> None:
    assert len({made(name).build() for name in STORAGE + ENDORSEMENT}) == len(STORAGE + ENDORSEMENT)


@pytest.mark.parametrize("name", ENDORSEMENT)
def test_endorsement_keys_want_the_endorsement_secret(name: str) -> None:
    assert made(name).auth_policy == Policy(PolicySecret.of(TPM_RH.ENDORSEMENT)).digest()


@pytest.mark.parametrize(
    ("policy", "with_auth", "rest"),
    [
        (b"", True, TPMA_OBJECT.USER_WITH_AUTH),
        (b"", False, TPMA_OBJECT.USER_WITH_AUTH | TPMA_OBJECT.NO_DA),
        (POLICY, True, TPMA_OBJECT(0)),
        (POLICY, False, TPMA_OBJECT.NO_DA),
    ],
)
def test_hmac_key(policy: bytes, with_auth: bool, rest: TPMA_OBJECT) -> None:
    public = templates.hmac_key(policy, with_auth=with_auth)
    assert public.object_attributes == FIXED | TPMA_OBJECT.SIGN_ENCRYPT | rest
    assert public.auth_policy == policy
    assert public.parameters.scheme.details.hash_alg == TPM_ALG.SHA256  # type: ignore[union-attr]


def test_hmac_key_of_another_hash() -> None:
    public = templates.hmac_key(hash_alg=TPM_ALG.SHA384)
    assert public.parameters.scheme.details.hash_alg == TPM_ALG.SHA384  # type: ignore[union-attr]
    # The Name's algorithm, and with it the policy's, stays.
    assert public.name_alg == TPM_ALG.SHA256
