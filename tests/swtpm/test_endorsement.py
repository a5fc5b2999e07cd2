"""Templates of endorsement keys: the Names are tpm2_createek's, and the policies follow from their definition."""

from pathlib import Path

import pytest

from tests.support.swtpm import Swtpm, tpm2
from tpmwire.channel import create_primary
from tpmwire.crypto.formulas import digest, digest_size, nv_name_of
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_RH, TPMA_NV
from tpmwire.spec.storage import TPMS_NV_PUBLIC
from tpmwire.tpm import Tpm
from tpmwire.use.endorsement import KINDS, POLICY_B

BY_NAME = {kind.name: kind for kind in KINDS}


@pytest.mark.parametrize(
    ("kind", "algorithm"),
    [("L-1", "rsa"), ("L-2", "ecc"), ("H-3", "ecc384"), ("H-4", "ecc521"), ("H-6", "rsa3072")],
)
def test_the_key_is_the_one_that_tpm2_createek_makes(kind: str, algorithm: str, tmp_path: Path) -> None:
    with Swtpm() as swtpm:
        tpm2(swtpm, "createek", "-G", algorithm, "-c", "0x81010020", "-u", tmp_path / "ek.pub")
        tpm2(swtpm, "readpublic", "-c", "0x81010020", "-n", tmp_path / "name")
        with Tpm.open(swtpm.path, 60) as tpm:
            made = create_primary(tpm, TPM_RH.ENDORSEMENT, BY_NAME[kind].template())
        assert made.name == (tmp_path / "name").read_bytes()


@pytest.mark.parametrize("kind", ["H-1", "H-2"])
def test_the_key_has_a_name_of_its_own_where_the_tools_have_no_template(kind: str) -> None:
    low = {"H-1": "L-1", "H-2": "L-2"}[kind]
    with Swtpm() as swtpm, Tpm.open(swtpm.path, 60) as tpm:
        names = {create_primary(tpm, TPM_RH.ENDORSEMENT, BY_NAME[one].template()).name for one in (kind, low)}
    assert len(names) == 2


@pytest.mark.parametrize(
    ("alg", "index"),
    [(TPM_ALG.SHA256, 0x01C07F01), (TPM_ALG.SHA384, 0x01C07F02), (TPM_ALG.SHA512, 0x01C07F03)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_policy_b_is_policy_secret_or_what_the_platforms_index_holds(alg: TPM_ALG, index: int) -> None:
    def step(before: bytes, code: TPM_CC, *parts: bytes) -> bytes:
        return digest(alg, before, code.to_bytes(4, "big"), *parts)

    zero = bytes(digest_size(alg))
    secret = step(zero, TPM_CC.PolicySecret, TPM_RH.ENDORSEMENT.to_bytes(4, "big"))
    policy_a = digest(alg, secret)  # and an empty policyRef
    attributes = (
        TPMA_NV.POLICYWRITE
        | TPMA_NV.WRITEALL
        | TPMA_NV.PPREAD
        | TPMA_NV.OWNERREAD
        | TPMA_NV.AUTHREAD
        | TPMA_NV.POLICYREAD
        | TPMA_NV.NO_DA
        | TPMA_NV.WRITTEN
    )
    name = nv_name_of(TPMS_NV_PUBLIC(index, alg, attributes, policy_a, 2 + len(zero)))
    policy_c = step(zero, TPM_CC.PolicyAuthorizeNV, name)
    assert step(zero, TPM_CC.PolicyOR, policy_a, policy_c) == POLICY_B[alg]


def test_indices_follow_the_profiles_ranges() -> None:
    low = [(kind.certificate, kind.nonce, kind.template_index) for kind in KINDS if kind.name.startswith("L")]
    assert low == [(0x01C00002, 0x01C00003, 0x01C00004), (0x01C0000A, 0x01C0000B, 0x01C0000C)]
    high = {kind.name: (kind.certificate, kind.template_index) for kind in KINDS if kind.name.startswith("H")}
    assert high["H-1"] == (0x01C00012, 0x01C00013)
    assert high["H-3"] == (0x01C00016, 0x01C00017)
    assert high["H-7"] == (0x01C0001E, 0x01C0001F)
