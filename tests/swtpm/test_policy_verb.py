"""`tpmwire policy`: what it computes is what tpm2-tools compute; what it signs, a key accepts."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Tool
from tests.swtpm.test_policy_use import OCTETS, made, signs
from tpmwire.crypto.formulas import name_of
from tpmwire.errors import TpmError
from tpmwire.keys.keyfile import parse
from tpmwire.policy.approvals import PolicyAuthorize
from tpmwire.policy.policy import Policy
from tpmwire.policy.signer import public_area
from tpmwire.policy.statement import Statement
from tpmwire.policy.statements import PolicyAuthValue
from tpmwire.policy.text import from_json
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPMA_OBJECT
from tpmwire.spec.structures import TPMS_SCHEME_HASH, TPMT_RSA_SCHEME

ZERO, OTHER = "00" * 32, "ab" * 32


@pytest.fixture
def signer(tmp_path: Path) -> str:
    """A signer's private key is at signer.pem; its public key, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (tmp_path / "signer.pem").write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    return key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def test_computed(tool: Tool, tmp_path: Path) -> None:
    policy = [
        {"type": "PolicyCommandCode", "command": "HMAC"},
        {
            "type": "PolicyOR",
            "branches": [[{"type": "PolicyAuthValue"}], [{"type": "PolicyLocality", "locality": 9}]],
        },
    ]
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    with Swtpm() as swtpm:

        def run(*words: str) -> None:
            tpm2(swtpm, *words, cwd=tmp_path)

        for branch, words in (("one", ("policyauthvalue",)), ("two", ("policylocality", "0x09"))):
            run("startauthsession", "-S", "s")
            run("policycommandcode", "-S", "s", "TPM2_CC_HMAC")
            run(*words, "-S", "s", "-L", branch)
            run("flushcontext", "s")
        run("startauthsession", "-S", "s")
        run("policyor", "-S", "s", "-L", "digest", "sha256:one,two")
        run("flushcontext", "s")
    ran = tool("policy", "--json", tmp_path / "policy.json")
    *lines, digest = ran.out.splitlines()
    assert (ran.code, digest) == (0, (tmp_path / "digest").read_bytes().hex())
    assert lines[:3] == [
        "PolicyCommandCode: TPM2_HMAC only",
        "one of:",
        "  1. PolicyAuthValue: the key's password",
    ]


def test_signed_later_and_used(tool: Tool, tmp_path: Path, signer: str) -> None:
    trust = json.dumps([{"type": "PolicyAuthorize", "key": signer, "policy_ref": "abcd"}])
    policy = from_json(trust)
    assert isinstance(policy, Policy)
    path = tmp_path / "key.pem"
    with Swtpm() as swtpm:
        path.write_text(made(swtpm, policy.digest(), policy=policy.to_steps()).to_pem())
        for number, value in enumerate((OTHER, ZERO), 1):
            words = ("policy", "sign", path, "--key", tmp_path / "signer.pem", "--name", f"firmware {number}")
            assert tool(*words, "--pcrs", f"sha256:23={value}").code == 0
        signs(swtpm, parse(path.read_bytes()))
    shown = tool("policy", path).out
    assert shown.index("authPolicy 1 'firmware 2'") < shown.index("authPolicy 2 'firmware 1'")
    assert shown.count("which is the key's authPolicy") == 3
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_signers_public_area_is_taken_as_it_is() -> None:
    area = public_area(ec.generate_private_key(ec.SECP256R1()))
    other = area.replace(name_alg=TPM_ALG.SHA384, object_attributes=area.object_attributes | TPMA_OBJECT.NO_DA)
    policy = from_json(json.dumps([{"type": "PolicyAuthorize", "key": other.build().hex()}]))
    assert policy == Policy(PolicyAuthorize(other))


def test_a_signer_that_the_key_does_not_trust(tool: Tool, tmp_path: Path, signer: str) -> None:
    path = tmp_path / "key.pem"
    with Swtpm() as swtpm:
        path.write_text(made(swtpm, b"\1" * 32).to_pem())
    before = path.read_bytes()
    ran = tool("policy", "sign", path, "--key", tmp_path / "signer.pem", "--pcrs", f"sha256:23={ZERO}")
    assert ran.code == 2
    assert "does not accept this signer" in ran.err
    assert path.read_bytes() == before


OTHER_AREAS = {
    "noDA": lambda public: public.replace(object_attributes=public.object_attributes | TPMA_OBJECT.NO_DA),
    "as openssl_tpm2_engine has it": lambda public: public.replace(
        object_attributes=public.object_attributes | TPMA_OBJECT.DECRYPT
    ),
    "nameAlg SHA-384": lambda public: public.replace(name_alg=TPM_ALG.SHA384),
    "a scheme": lambda public: public.replace(
        parameters=public.parameters.replace(
            scheme=TPMT_RSA_SCHEME(TPM_ALG.RSAPSS, TPMS_SCHEME_HASH(TPM_ALG.SHA256))
        )
    ),
    "the exponent written out": lambda public: public.replace(
        parameters=public.parameters.replace(exponent=65537)
    ),
}


@pytest.mark.parametrize("area", OTHER_AREAS)
@pytest.mark.parametrize("behind", [(), (PolicyAuthValue(),)], ids=["", "and a password"])
def test_a_signer_is_known_by_its_key(
    tool: Tool,
    tmp_path: Path,
    area: str,
    behind: tuple[Statement, ...],
) -> None:
    """The public area by which a policy names the signer may have other attributes than ours would have."""
    key = rsa.generate_private_key(65537, 2048)
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (tmp_path / "signer.pem").write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    policy = Policy(PolicyAuthorize(OTHER_AREAS[area](public_area(key)), b"nonce"), *behind)
    path, auth = tmp_path / "key.pem", b"pw" if behind else b""
    with Swtpm() as swtpm:
        path.write_text(made(swtpm, policy.digest(), auth, policy=policy.to_steps()).to_pem())
        words = ("policy", "sign", path, "--key", tmp_path / "signer.pem", "--pcrs", f"sha256:23={ZERO}")
        ran = tool(*words)
        assert ran.code == 0, ran.err
        signs(swtpm, parse(path.read_bytes()), auth=auth)
    ((_, steps),) = parse(path.read_bytes()).auth_policy or ()
    assert steps[-1][0] == TPM_CC.PolicyAuthorize  # where the draft has an authPolicy end


@pytest.mark.parametrize("area", ["noDA", "as openssl_tpm2_engine has it", "nameAlg SHA-384"])
def test_a_signer_of_a_file_that_says_nothing(tool: Tool, tmp_path: Path, area: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (tmp_path / "signer.pem").write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    policy = Policy(PolicyAuthorize(OTHER_AREAS[area](public_area(key))))
    path = tmp_path / "key.pem"
    with Swtpm() as swtpm:
        path.write_text(made(swtpm, policy.digest()).to_pem())
        words = ("policy", "sign", path, "--key", tmp_path / "signer.pem", "--pcrs", f"sha256:23={ZERO}")
        assert tool(*words).code == 0
        signs(swtpm, parse(path.read_bytes()))


def test_another_signer_is_named(tool: Tool, tmp_path: Path, signer: str) -> None:
    other = public_area(ec.generate_private_key(ec.SECP256R1()))
    policy = Policy(PolicyAuthorize(other))
    path = tmp_path / "key.pem"
    with Swtpm() as swtpm:
        path.write_text(made(swtpm, policy.digest(), policy=policy.to_steps()).to_pem())
    ran = tool("policy", "sign", path, "--key", tmp_path / "signer.pem", "--pcrs", f"sha256:23={ZERO}")
    assert (ran.code, f"signed by the key with the Name {name_of(other).hex()}" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not valid JSON"),
        ("[]", "a JSON list of one or more statements"),
        ("[1]", "a JSON object with a type"),
        ('[{"type": "PolicyTime"}]', "unknown statement 'PolicyTime'"),
        ('[{"type": "PolicyPCR"}]', "is missing its field 'pcrs'"),
        ('[{"type": "PolicyPCR", "pcrs": 7}]', "PolicyPCR has an invalid field"),
        ('[{"type": "PolicyPCR", "pcrs": "7=00"}]', "expected 32 bytes, got 1"),
        ('[{"type": "PolicyAuthValue", "x": 1}]', "PolicyAuthValue has no field 'x'; expected no fields"),
        ('[{"type": "PolicyLocality", "locality": 999}]', "PolicyLocality has an invalid field"),
        ('[{"type": "PolicyOR", "branches": [[{"type": "PolicyAuthValue"}]]}]', "2 to 8 branches, got 1"),
        ('[{"type": "PolicyAuthorize", "key": "x"}]', "not a public key: this looks like text"),
        ('[{"type": "PolicySecret"}]', "PolicySecret needs the entity"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_bad_json_is_one_line(tool: Tool, tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "policy.json").write_text(text)
    ran = tool("policy", "--json", tmp_path / "policy.json")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert reason in ran.err


def test_import_for_a_boot_to_come(tool: Tool, tmp_path: Path) -> None:
    """The key is made while PCR 23 is zero, and works once it has the value that was given."""
    value = sha256(bytes(32) + bytes.fromhex(OTHER)).hexdigest()
    path = tmp_path / "key.pem"
    secret = OCTETS.removeprefix(b"AWS4")
    with Swtpm() as swtpm:
        words = ("import", "--tpm-path", swtpm.path, "--out", path, "--pcrs", f"sha256:23={value}")
        ran = tool(*words, stdin=secret)
        assert (ran.code, "not tested" in ran.err) == (0, True), ran.err
        with pytest.raises(TpmError, match="PolicyPCR"):
            signs(swtpm, parse(path.read_bytes()))
        tpm2(swtpm, "pcrextend", f"23:sha256={OTHER}")
        signs(swtpm, parse(path.read_bytes()))


def test_import_with_a_policy_of_branches(tool: Tool, tmp_path: Path) -> None:
    branches = [[{"type": "PolicyPCR", "pcrs": f"23={OTHER}"}], [{"type": "PolicyLocality", "locality": 1}]]
    (tmp_path / "policy.json").write_text(json.dumps([{"type": "PolicyOR", "branches": branches}]))
    path = tmp_path / "key.pem"
    with Swtpm() as swtpm:
        words = ("import", "--tpm-path", swtpm.path, "--policy", tmp_path / "policy.json")
        ran = tool(*words, "--persistent-handle", "0x81010009", stdin=b"secret")
        assert (ran.code, ran.err.count("\n")) == (2, 1)
        assert tool(*words, "--out", path, stdin=OCTETS.removeprefix(b"AWS4")).code == 0
        signs(swtpm, parse(path.read_bytes()))


def test_wrapped_elsewhere_and_approved_later(tool: Tool, tmp_path: Path, signer: str) -> None:
    (tmp_path / "trust.json").write_text(json.dumps([{"type": "PolicyAuthorize", "key": signer}]))
    wrapped, key = tmp_path / "wrapped.pem", tmp_path / "key.pem"
    with Swtpm() as swtpm:
        (tmp_path / "target.json").write_text(tool("export-public", "--tpm-path", swtpm.path).out)
        words = ("wrap", "--to", tmp_path / "target.json", "--out", wrapped, "--policy", tmp_path / "trust.json")
        assert tool(*words, stdin=OCTETS.removeprefix(b"AWS4")).code == 0
        approval = ("--key", tmp_path / "signer.pem", "--pcrs", f"sha256:23={ZERO}", "--out", key)
        assert tool("policy", "sign", wrapped, *approval).code == 0
        signs(swtpm, parse(key.read_bytes()))
