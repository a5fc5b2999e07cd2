"""What mypy --strict says about fields of several types, and about lists, in the programs of users."""

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from tests.support.programs import ROOT
from tpmwire.spec import attestation, storage, structures

PROGRAM = """
import tpmwire
from tpmwire import TPM_ALG, calls, commands
from tpmwire.spec.attestation import TPMS_ATTEST
from tpmwire.spec.structures import (
    TPM2B_ECC_POINT,
    TPM2B_PRIVATE,
    TPM2B_PUBLIC,
    TPML_PCR_SELECTION,
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_PCR_SELECTION,
    TPMS_RSA_PARMS,
    TPMT_ECC_SCHEME,
    TPMT_HA,
    TPMT_PUBLIC,
)


def coordinate(public: TPMT_PUBLIC) -> bytes:
    if isinstance(public.unique, TPMS_ECC_POINT):
        return public.unique.x
    modulus: bytes = public.unique
    return modulus


def describe(public: TPMT_PUBLIC) -> int:
    number = int.from_bytes(public.unique, "big")
    scheme: TPMT_ECC_SCHEME = public.parameters.scheme
    public.parameters.bits  # wrong
    public.unique.z  # wrong
    name: str = public.parameters.key_bits  # wrong
    kind, bits = public.type, public.object_attributes
    copy = TPMT_PUBLIC(kind, public.name_alg, bits, b"", public.parameters, public.unique)
    copy.replace(parameters=public.parameters.replace(key_bits=2048))
    if isinstance(public.parameters, TPMS_ECC_PARMS):
        public.parameters.key_bits  # wrong
        return public.parameters.curve_id
    if isinstance(public.parameters, TPMS_RSA_PARMS):
        return public.parameters.key_bits
    return number if scheme.details.hash_alg else len(public.unique)


with tpmwire.Tpm.open() as tpm:
    key = calls.create_primary(tpm)
    x: bytes = key.public.unique.x
    symmetric = key.public.parameters.symmetric.algorithm
    signature: str = calls.sign(tpm, key, x).signature.signature_r.hex()
    quote = calls.quote(tpm, key, "sha256:7", b"nonce")
    pcrs = TPMS_ATTEST.parse(quote.message).attested.pcr_select
    TPMS_ATTEST.parse(quote.message).attested.pcrs  # wrong
    quote.signature.signature.r  # wrong
    digest = TPMT_HA(TPM_ALG.SHA256, bytes(32))
    assert digest.digest.hex()
    point = tpm.execute(commands.ECDH_ZGen(key.handle, TPMS_ECC_POINT(b"", b""))).out_point.x
    tpm.execute(commands.PCR_Extend(16, [digest]))
    tpm.execute(commands.PolicyOR(0x03000000, (b"", b"")))
    count: int = len(tpm.execute(commands.PCR_Read(pcrs)).pcr_values)
    private: bytes = TPM2B_PRIVATE.parse(TPM2B_PRIVATE.build(b"private"))
    selection: tuple[TPMS_PCR_SELECTION, ...] = TPML_PCR_SELECTION.parse(TPML_PCR_SELECTION.build([]))
    public: TPMT_PUBLIC = TPM2B_PUBLIC.parse(TPM2B_PUBLIC.build(key.public))
    shared = TPM2B_ECC_POINT.parse(b"").x
    size: int = TPMT_HA.sizeof()
    TPMT_HA(TPM_ALG.SHA256, "x")  # wrong
    TPM2B_PRIVATE.build("x")  # wrong
    tpm.execute(commands.PCR_Extend(16, [8]))  # wrong
    tpm.execute(commands.PolicyOR(0x03000000, b"digest"))  # wrong
    digest.digest = b""  # wrong
    tpm.execute(commands.PCR_Read(pcrs)).pcr_values.append(b"")  # wrong
"""


def test_right_programs_have_no_errors_and_wrong_ones_have(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "program.py"]
    environment = {**os.environ, "MYPYPATH": str(ROOT)}
    done = subprocess.run(command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True)
    found = [int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line]
    wrong = [n for n, line in enumerate(PROGRAM.splitlines(), 1) if line.endswith("# wrong")]
    assert found == wrong, done.stdout


@pytest.mark.parametrize("module", [structures, attestation, storage])
def test_type_checkers_know_the_attributes_of_all_members(module: object) -> None:
    tree = ast.parse(Path(str(getattr(module, "__file__", ""))).read_text())
    classes = [
        node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name.endswith("_MEMBERS")
    ]
    assert classes
    for node in classes:
        name = node.name.removesuffix("_MEMBERS")
        names = ("TPMU_ASYM_SCHEME", "TPMU_SCHEME_KEYEDHASH") if name == "TPMU_SCHEME" else (name,)
        members = {kind.__name__ for one in names for kind in get_args(getattr(module, f"{one}_TYPE"))}
        assert {ast.unparse(base) for base in node.bases} == members - {"NoneType"}
