"""Policy digests: computed here, by the TPM from our commands, and by tpm2-tools' trial sessions: all the same."""

from pathlib import Path

import pytest

from tests.support.swtpm import Swtpm, tpm2
from tpmwire.policy.pcr_selection import parse_pcrs, pcrs_in
from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import (
    PolicyAuthValue,
    PolicyCommandCode,
    PolicyDuplicationSelect,
    PolicyOR,
    PolicyPassword,
    PolicyPCR,
    PolicySecret,
)
from tpmwire.sessions import Password, SessionStart
from tpmwire.spec.command import Role
from tpmwire.spec.commands.pcr import PCR_Read
from tpmwire.spec.commands.policies import PolicyGetDigest
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_RH, TPM_SE
from tpmwire.tpm import Tpm

ALGORITHMS = [TPM_ALG.SHA1, TPM_ALG.SHA256, TPM_ALG.SHA384, TPM_ALG.SHA512]
PCRS = ["23", "0,7,23", "sha1:23", "sha1:0,8,16+sha256:7,23", "sha384:1+sha1:2"]
NAME, PARENT = b"\0\x0b" + b"n" * 32, b"\0\x0b" + b"p" * 32


@pytest.fixture(scope="module", autouse=True)
def pcrs(shared_swtpm: Swtpm) -> None:
    # Two octets of every bank's PCR 23 and 8 are no longer zero.
    for bank, size in (("sha1", 20), ("sha256", 32), ("sha384", 48)):
        for number in (8, 23):
            tpm2(shared_swtpm, "pcrextend", f"{number}:{bank}={'ab' * size}")


def pcr_policy(tpm: Tpm, text: str, alg: TPM_ALG) -> PolicyPCR:
    selection = parse_pcrs(text)
    values = tpm.execute(PCR_Read(selection)).pcr_values
    return PolicyPCR.of_values(alg, selection, dict(zip(pcrs_in(selection), values, strict=True)))


def from_tpm(tpm: Tpm, policy: Policy, alg: TPM_ALG, kind: TPM_SE = TPM_SE.POLICY) -> bytes:
    """The digest that the TPM has after our commands."""
    session = tpm.start_session(SessionStart(kind, alg))
    for command in policy.commands(session.handle):
        roles = [role for _, role in command.handle_fields()]
        tpm.execute(command, *[Password()] * roles.count(Role.USER))
    digest: bytes = tpm.execute(PolicyGetDigest(session.handle)).policy_digest
    tpm.flush(session.handle)
    return digest


def from_tools(shared_swtpm: Swtpm, directory: Path, alg: TPM_ALG, *commands: tuple[str, ...]) -> bytes:
    """The digest that tpm2-tools write for these commands in a trial session."""
    tpm2(shared_swtpm, "startauthsession", "-S", "session.ctx", "-g", alg.name.lower(), cwd=directory)
    for command in commands:
        tpm2(shared_swtpm, *command, "-S", "session.ctx", "-L", "digest", cwd=directory)
    tpm2(shared_swtpm, "flushcontext", "session.ctx", cwd=directory)
    return (directory / "digest").read_bytes()


@pytest.mark.parametrize("alg", ALGORITHMS, ids=lambda alg: alg.name)
@pytest.mark.parametrize("text", PCRS)
def test_pcrs(shared_swtpm: Swtpm, tmp_path: Path, text: str, alg: TPM_ALG) -> None:
    with Tpm.open(shared_swtpm.path, 20) as tpm:
        statement = pcr_policy(tpm, text, alg)
        # With the digest, the TPM checks the PCRs against it; without, it takes them as they are.
        expected = Policy(statement).digest(alg)
        assert from_tpm(tpm, Policy(statement), alg) == expected
        assert from_tpm(tpm, Policy(PolicyPCR(b"", statement.pcrs)), alg) == expected
    named = "+".join(part if ":" in part else f"sha256:{part}" for part in text.split("+"))
    assert from_tools(shared_swtpm, tmp_path, alg, ("policypcr", "-l", named)) == expected


SIMPLE = {
    "authvalue": (PolicyAuthValue(), ("policyauthvalue",)),
    "password": (PolicyPassword(), ("policypassword",)),
    "command": (PolicyCommandCode(TPM_CC.HMAC), ("policycommandcode", "TPM2_CC_HMAC")),
    "secret": (PolicySecret.of(TPM_RH.ENDORSEMENT), ("policysecret", "-c", "e")),
    "secret with reference": (
        PolicySecret.of(TPM_RH.OWNER, b"\xab\xcd"),
        ("policysecret", "-c", "o", "-q", "abcd"),
    ),
}


@pytest.mark.parametrize("alg", ALGORITHMS, ids=lambda alg: alg.name)
@pytest.mark.parametrize("name", SIMPLE)
def test_simple(shared_swtpm: Swtpm, tmp_path: Path, name: str, alg: TPM_ALG) -> None:
    statement, command = SIMPLE[name]
    policy = Policy(PolicyCommandCode(TPM_CC.Sign), statement) if name != "command" else Policy(statement)
    before = () if name == "command" else (("policycommandcode", "TPM2_CC_Sign"),)
    with Tpm.open(shared_swtpm.path, 20) as tpm:
        assert from_tpm(tpm, policy, alg) == policy.digest(alg)
    assert from_tools(shared_swtpm, tmp_path, alg, *before, command) == policy.digest(alg)


@pytest.mark.parametrize("include", [True, False])
def test_duplication(shared_swtpm: Swtpm, tmp_path: Path, include: bool) -> None:
    policy = Policy(PolicyDuplicationSelect(NAME, PARENT, include))
    with Tpm.open(shared_swtpm.path, 20) as tpm:
        assert from_tpm(tpm, policy, TPM_ALG.SHA256) == policy.digest()
    if include:
        return  # tpm2_policyduplicationselect 5.4 sends NO whatever its --include-object.
    (tmp_path / "object").write_bytes(NAME)
    (tmp_path / "parent").write_bytes(PARENT)
    command = ("policyduplicationselect", "-n", "object", "-N", "parent")
    assert from_tools(shared_swtpm, tmp_path, TPM_ALG.SHA256, command) == policy.digest()


@pytest.mark.parametrize("alg", [TPM_ALG.SHA256, TPM_ALG.SHA384], ids=lambda alg: alg.name)
def test_branches(shared_swtpm: Swtpm, tmp_path: Path, alg: TPM_ALG) -> None:
    with Tpm.open(shared_swtpm.path, 20) as tpm:
        one, other = Policy(PolicyAuthValue()), Policy(pcr_policy(tpm, "23", alg), PolicyPassword())
        either = PolicyOR.of(alg, one, other)
        for branch in (one, other):
            taken = Policy(*branch.statements, either)
            assert from_tpm(tpm, taken, alg) == taken.digest(alg)
    (tmp_path / "one").write_bytes(one.digest(alg))
    (tmp_path / "other").write_bytes(other.digest(alg))
    command = ("policyor", f"{alg.name.lower()}:one,other")
    assert from_tools(shared_swtpm, tmp_path, alg, command) == Policy(either).digest(alg)


def test_octets_from_a_key_file_are_carried_out(tpm: Tpm) -> None:
    policy = Policy(
        pcr_policy(tpm, "7,23", TPM_ALG.SHA256),
        PolicySecret.of(TPM_RH.ENDORSEMENT, b"reference"),
        PolicyAuthValue(),
        PolicyCommandCode(TPM_CC.HMAC),
    )
    again = Policy.from_steps(policy.to_steps())
    assert from_tpm(tpm, again, TPM_ALG.SHA256) == policy.digest()
