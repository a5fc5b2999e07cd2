"""`tpmwire fleet enrol` with swtpm, and a loaded public key that pretends to be in the TPM."""

import json
from pathlib import Path

import pytest
from cryptography import x509

from tests.support.ekcert import Maker
from tests.support.swtpm import Swtpm
from tests.support.verbs import Tool, held
from tpmwire.attest.credentials import make_credential
from tpmwire.crypto.formulas import name_of
from tpmwire.errors import TpmError
from tpmwire.keys.keyfile import parse
from tpmwire.sessions import SessionStart
from tpmwire.spec.commands.objects import ActivateCredential, LoadExternal
from tpmwire.spec.commands.policies import PolicyCommandCode, PolicyGetDigest
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_RH, TPM_SE
from tpmwire.tpm import Tpm
from tpmwire.use.endorsement import KINDS
from tpmwire.use.endorsement_keys import use_endorsement_key


@pytest.mark.parametrize("kind", ["ek-ecc", "ek-rsa"])
def test_the_whole_flow(swtpm: Swtpm, tool: Tool, tmp_path: Path, kind: str) -> None:
    tpm = ("--tpm-path", swtpm.path)
    key, csr, pending = "0x81010050", tmp_path / "csr", tmp_path / "pending"
    (tmp_path / "password").write_text("secret")
    password = ("--key-auth-file", tmp_path / "password")
    create = ("roles-anywhere", "create-key", "--persistent-handle", key, *password)
    assert tool(*create, *tpm).code == 0
    named = ("--private-key", f"handle:{key}", "--keyPass-file", tmp_path / "password", "--subject", "CN=one")
    assert tool("roles-anywhere", "csr", *named, "--out", csr, *tpm).code == 0
    names = [tmp_path / name for name in ("request", "challenge", "response", "certificate")]
    steps = (
        ("request", key, "--csr", csr, "--ek", kind, *tpm),
        ("challenge", names[0], "--state", pending),
        ("response", key, names[1], *password, *tpm),
        ("certificate", names[2], "--state", pending, "--pem"),
    )
    for step, out in zip(steps, names, strict=True):
        ran = tool("fleet", "enrol", *step, "--out", out)
        assert (ran.code, ran.out) == (0, ""), ran.err
    assert held(swtpm) == ""
    assert x509.load_pem_x509_csr(names[3].read_bytes()).subject.rfc4514_string() == "CN=one"
    assert json.loads(names[0].read_text())["tpmwire_enrol"] == "request"


def test_a_key_bound_to_pcrs_responds(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    """Its policy is for signatures; the credential is activated with its password, here an empty one."""
    tpm, key, csr = ("--tpm-path", swtpm.path), tmp_path / "key", tmp_path / "csr"
    assert tool("roles-anywhere", "create-key", "--out", key, "--pcrs", "7", *tpm).code == 0
    assert tool("roles-anywhere", "csr", "--private-key", key, "--subject", "CN=one", "--out", csr, *tpm).code == 0
    request = tool("fleet", "enrol", "request", key, "--csr", csr, *tpm)
    pending = ("--state", tmp_path / "pending")
    challenge = tool("fleet", "enrol", "challenge", "-", *pending, stdin=request.out.encode())
    response = tool("fleet", "enrol", "response", key, "-", *tpm, stdin=challenge.out.encode())
    assert response.code == 0, response.err
    assert held(swtpm) == ""
    assert tool("fleet", "enrol", "certificate", "-", *pending, stdin=response.out.encode()).code == 0
    damaged = json.loads(challenge.out)
    damaged["credential"] = damaged["credential"][:-8] + "AAAAAAA="
    assert tool("fleet", "enrol", "response", key, "-", *tpm, stdin=json.dumps(damaged).encode()).code == 4
    assert held(swtpm) == ""


def test_a_loaded_public_key_cannot_activate(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    """A public area with fixedTPM can be loaded without its private key, but has no authorization."""
    path = tmp_path / "key"
    assert tool("roles-anywhere", "create-key", "--out", path, "--tpm-path", swtpm.path).code == 0
    with Tpm.open(swtpm.path, timeout=60) as tpm:
        session = tpm.start_session(SessionStart(TPM_SE.TRIAL, TPM_ALG.SHA256))
        tpm.execute(PolicyCommandCode(session.handle, TPM_CC.ActivateCredential))
        digest = tpm.execute(PolicyGetDigest(session.handle)).policy_digest
        tpm.flush(session.handle)
        forged = parse(path.read_text()).public.replace(auth_policy=digest)
        loaded = tpm.execute(LoadExternal(None, forged, TPM_RH.NULL))
        try:
            with use_endorsement_key(tpm, KINDS[1]) as (ek, by):
                credential = make_credential(ek.public, name_of(forged), b"secret")
                policy = tpm.start_session(SessionStart(TPM_SE.POLICY, TPM_ALG.SHA256))
                tpm.execute(PolicyCommandCode(policy.handle, TPM_CC.ActivateCredential))
                command = ActivateCredential(loaded.object_handle, ek.handle, credential.blob, credential.seed)
                with pytest.raises(TpmError, match="TPM_RC_AUTH_UNAVAILABLE"):
                    tpm.execute(command, policy.use(), by)
        finally:
            tpm.flush(loaded.object_handle)


def test_two_tpms_with_certificates_of_their_maker(tool: Tool, tmp_path: Path) -> None:
    maker, pending, challenges, requests = Maker(tmp_path / "maker"), ("--state", tmp_path / "pending"), [], []
    with Swtpm(state=maker.manufacture("one")) as one, Swtpm(state=maker.manufacture("two")) as two:
        for number, tpm in enumerate((one, two)):
            key, csr, path = tmp_path / f"key{number}", tmp_path / f"csr{number}", ("--tpm-path", tpm.path)
            assert tool("roles-anywhere", "create-key", "--out", key, *path).code == 0
            named = ("--private-key", key, "--subject", f"CN={number}", "--out", csr)
            assert tool("roles-anywhere", "csr", *named, *path).code == 0
            requests.append(tool("fleet", "enrol", "request", key, "--csr", csr, *path).out)
        foreign = {**json.loads(requests[0]), "ek": json.loads(requests[1])["ek"]}
        sent = "".join([*requests, json.dumps(foreign)]).encode()
        trust = ("--ca", maker.root, maker.issuer)
        ran = tool("fleet", "enrol", "challenge", "-", *trust, *pending, stdin=sent)
        challenges = [json.loads(line) for line in ran.out.splitlines()]
        assert [each.get("ek_verified") for each in challenges] == [True, True, None], ran.err
        assert "a different public key" in challenges[2]["error"]
        secrets = [
            tool(
                "fleet",
                "enrol",
                "response",
                tmp_path / f"key{number}",
                "-",
                "--tpm-path",
                tpm.path,
                stdin=ran.out.encode(),
            )
            for number, tpm in enumerate((one, two))
        ]
        exchanged = tool(
            "fleet", "enrol", "response", tmp_path / "key0", "-", "--tpm-path", two.path, stdin=ran.out.encode()
        )
        assert exchanged.code == 4
        assert held(one) == held(two) == ""
    issued = tool(
        "fleet", "enrol", "certificate", "-", *pending, stdin="".join(each.out for each in secrets).encode()
    )
    assert [json.loads(line)["subject"] for line in issued.out.splitlines()] == ["CN=0", "CN=1"], issued.err
