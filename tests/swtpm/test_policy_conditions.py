"""Statements of conditions and approvals: tpm2-tools' trial sessions, the TPM and we agree on their digests."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.support.swtpm import Swtpm, tpm2
from tpmwire.crypto.formulas import digest_size
from tpmwire.policy.approvals import PolicyAuthorize, PolicySigned
from tpmwire.policy.conditions import (
    PolicyCounterTimer,
    PolicyCpHash,
    PolicyLocality,
    PolicyNameHash,
    PolicyNV,
    PolicyNvWritten,
    PolicyTemplate,
)
from tpmwire.policy.policy import Policy
from tpmwire.policy.sign import approve, assert_signed
from tpmwire.policy.signer import public_area
from tpmwire.policy.statement import Statement
from tpmwire.policy.statements import PolicyAuthValue
from tpmwire.sessions import SessionStart
from tpmwire.spec.commands.objects import LoadExternal
from tpmwire.spec.commands.policies import PolicyGetDigest
from tpmwire.spec.constants import TPM_ALG, TPM_SE, TPMA_LOCALITY
from tpmwire.spec.properties import TPM_EO
from tpmwire.tpm import Tpm

ALGORITHMS = [TPM_ALG.SHA1, TPM_ALG.SHA256, TPM_ALG.SHA384]
INDEX = 0x01500016
EC, RSA = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module", autouse=True)
def nv_index(shared_swtpm: Swtpm) -> None:
    tpm2(shared_swtpm, "nvdefine", "-s", "8", "-a", "authread|authwrite|ownerread", hex(INDEX))
    tpm2(shared_swtpm, "nvwrite", hex(INDEX), "-i", "-", input=bytes(7) + b"\x2a")


def from_tools(shared_swtpm: Swtpm, directory: Path, alg: TPM_ALG, *command: str) -> bytes:
    """The digest that a tpm2-tools command writes in a trial session."""
    tpm2(shared_swtpm, "startauthsession", "-S", "session.ctx", "-g", alg.name.lower(), cwd=directory)
    tpm2(shared_swtpm, *command, "-S", "session.ctx", "-L", "digest", cwd=directory)
    tpm2(shared_swtpm, "flushcontext", "session.ctx", cwd=directory)
    return (directory / "digest").read_bytes()


def from_tpm(shared_swtpm: Swtpm, policy: Policy, alg: TPM_ALG) -> bytes:
    """The digest that the TPM has after the policy was carried out, read back from a key file's octets."""
    with Tpm.open(shared_swtpm.path, 20) as tpm:
        session = tpm.start_session(SessionStart(TPM_SE.POLICY, alg))
        for statement in Policy.from_steps(policy.to_steps()).statements:
            statement.state(tpm, session.handle)
        digest: bytes = tpm.execute(PolicyGetDigest(session.handle)).policy_digest
    return digest


def nv_name(shared_swtpm: Swtpm) -> bytes:
    text = tpm2(shared_swtpm, "nvreadpublic", hex(INDEX)).decode()
    return bytes.fromhex(text.split("name:")[1].split()[0])


def statement_of(name: str, shared_swtpm: Swtpm, alg: TPM_ALG) -> Statement:
    some = b"h" * digest_size(alg)
    made: dict[str, Statement] = {
        "locality": PolicyLocality(TPMA_LOCALITY(0b1001)),
        "cphash": PolicyCpHash(some),
        "namehash": PolicyNameHash(some),
        "template": PolicyTemplate(some),
        "written": PolicyNvWritten(True),
        "unwritten": PolicyNvWritten(False),
        "timer": PolicyCounterTimer(bytes(7) + b"\x01", 0, TPM_EO.UNSIGNED_GT),
        "nv": PolicyNV(INDEX, nv_name(shared_swtpm), b"\x2b", 7, TPM_EO.UNSIGNED_LT),
    }
    return made[name]


COMMANDS: dict[str, tuple[str, ...]] = {
    "locality": ("policylocality", "0x09"),
    "cphash": ("policycphash", "--cphash", "sized"),
    "namehash": ("policynamehash", "-n", "hash"),
    "template": ("policytemplate", "--template-hash", "hash"),
    "written": ("policynvwritten", "s"),
    "unwritten": ("policynvwritten", "c"),
    "timer": ("policycountertimer", "--ugt", "time=1"),
    "nv": ("policynv", "-C", hex(INDEX), "-i", "operand", "--offset", "7", hex(INDEX), "ult"),
}


@pytest.mark.parametrize("alg", ALGORITHMS, ids=lambda alg: alg.name)
@pytest.mark.parametrize("name", COMMANDS)
def test_conditions(shared_swtpm: Swtpm, tmp_path: Path, name: str, alg: TPM_ALG) -> None:
    policy = Policy(statement_of(name, shared_swtpm, alg))
    (tmp_path / "hash").write_bytes(b"h" * digest_size(alg))
    (tmp_path / "sized").write_bytes(bytes([0, digest_size(alg)]) + b"h" * digest_size(alg))
    (tmp_path / "operand").write_bytes(b"\x2b")
    assert from_tools(shared_swtpm, tmp_path, alg, *COMMANDS[name]) == policy.digest(alg)
    assert from_tpm(shared_swtpm, policy, alg) == policy.digest(alg)


@pytest.mark.parametrize("alg", ALGORITHMS, ids=lambda alg: alg.name)
@pytest.mark.parametrize("key", [EC, RSA], ids=["ecc", "rsa"])
def test_approved(shared_swtpm: Swtpm, tmp_path: Path, key: Any, alg: TPM_ALG) -> None:
    policy = approve(key, Policy(PolicyAuthValue()), b"\xab\xcd", alg)
    assert policy.digest(alg) == Policy(PolicyAuthorize(public_area(key), b"\xab\xcd")).digest(alg)
    assert from_tpm(shared_swtpm, policy, alg) == policy.digest(alg)
    with Tpm.open(shared_swtpm.path, 20) as tpm:
        name = tpm.execute(LoadExternal(None, public_area(key))).name
    (tmp_path / "name").write_bytes(name)
    (tmp_path / "approved").write_bytes(Policy(PolicyAuthValue()).digest(alg))
    command = ("policyauthorize", "-i", "approved", "-q", "abcd", "-n", "name")
    assert from_tools(shared_swtpm, tmp_path, alg, *command) == policy.digest(alg)


@pytest.mark.parametrize("key", [EC, RSA], ids=["ecc", "rsa"])
def test_signed(shared_swtpm: Swtpm, tmp_path: Path, key: Any) -> None:
    policy = Policy(assert_signed(key, b"\xab\xcd"))
    assert from_tpm(shared_swtpm, policy, TPM_ALG.SHA256) == policy.digest()
    (statement,) = policy.statements
    assert isinstance(statement, PolicySigned)
    public = statement.key_sign.build()
    (tmp_path / "key.pub").write_bytes(len(public).to_bytes(2, "big") + public)
    (tmp_path / "signature").write_bytes(statement.signature.build())
    tpm2(shared_swtpm, "loadexternal", "-C", "o", "-u", "key.pub", "-c", "key.ctx", cwd=tmp_path)
    command = ("policysigned", "-c", "key.ctx", "-s", "signature", "-q", "abcd")
    assert from_tools(shared_swtpm, tmp_path, TPM_ALG.SHA256, *command) == policy.digest()
    tpm2(shared_swtpm, "flushcontext", "-t")
