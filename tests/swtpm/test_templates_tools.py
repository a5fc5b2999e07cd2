"""Templates: the keys that they make are, by their Names, those that tpm2-tools make by the TCG's profiles."""

import sys
from pathlib import Path

import pytest

from tests.support.swtpm import Swtpm, tpm2
from tpmwire.channel import create_primary
from tpmwire.keys import templates
from tpmwire.spec.constants import TPM_RH
from tpmwire.tpm import Tpm

ATTRIBUTES = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt"
OWNER = ("createprimary", "-C", "o", "-a", ATTRIBUTES, "-u", "unique.dat", "-c", "key.ctx")
ECC, RSA = ("-G", "ecc"), ("-G", "rsa2048")

# unique.dat is the C structure in memory: sizes in the machine's order, octets in fields of 128 and 512.
EMPTY = bytes(2)
ZERO_POINT = (32).to_bytes(2, sys.byteorder) + bytes(128) + (32).to_bytes(2, sys.byteorder) + bytes(32)
ZERO_MODULUS = (256).to_bytes(2, sys.byteorder) + bytes(256)
MADE = {
    "h2_primary": (TPM_RH.OWNER, (*OWNER, *ECC), EMPTY),
    "h1_primary": (TPM_RH.OWNER, (*OWNER, *RSA), EMPTY),
    "srk_ecc": (TPM_RH.OWNER, (*OWNER, *ECC), ZERO_POINT),
    "srk_rsa": (TPM_RH.OWNER, (*OWNER, *RSA), ZERO_MODULUS),
    "ek_rsa": (TPM_RH.ENDORSEMENT, ("createek", "-G", "rsa", "-c", "key.ctx"), b""),
    "ek_ecc": (TPM_RH.ENDORSEMENT, ("createek", "-G", "ecc", "-c", "key.ctx"), b""),
}


@pytest.mark.parametrize("name", MADE)
def test_the_same_key_as_the_tools_make(shared_swtpm: Swtpm, tmp_path: Path, name: str) -> None:
    hierarchy, command, unique = MADE[name]
    with Tpm.open(shared_swtpm.path, 20) as tpm:
        ours = create_primary(tpm, hierarchy, getattr(templates, name)()).name
    (tmp_path / "unique.dat").write_bytes(unique)
    tpm2(shared_swtpm, *command, cwd=tmp_path)
    tpm2(shared_swtpm, "flushcontext", "-t")
    tpm2(shared_swtpm, "readpublic", "-c", "key.ctx", "-n", "name", cwd=tmp_path)
    tpm2(shared_swtpm, "flushcontext", "-t")
    assert (tmp_path / "name").read_bytes() == ours
