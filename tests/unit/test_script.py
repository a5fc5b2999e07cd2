"""`cli.inspect.script.Script`: lines of commands on a soft TPM; values, defaults, policies, what remains open."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.inspect.script import Script
from cli.terminal.messages import UsageError
from tpmwire import Tpm, calls
from tpmwire.keys.keyfile import KeyFile
from tpmwire.keys.templates import h2_primary
from tpmwire.soft import SoftTransport
from tpmwire.spec.constants import TPM_RH
from tpmwire.spec.structures import TPM2B_PUBLIC
from tpmwire.state.nv import handles


@pytest.fixture
def tpm() -> Iterator[Tpm]:
    with Tpm(SoftTransport(seed=b"a script")) as opened:
        yield opened


def held(tpm: Tpm) -> list[int]:
    """The handles of transient objects and loaded sessions in the TPM."""
    return [*handles(tpm, 0x80000000, 0x80FFFFFF), *handles(tpm, 0x02000000, 0x02FFFFFF)]


def test_create_load_sign_and_verify_flow(tpm: Tpm) -> None:
    with Script(tpm) as script:
        signed = script.run("CreatePrimary + key = Create ecc:ecdsa-sha256 + k = Load + Sign text:hello")
        assert (signed.code, signed.number) == (0, 4)
        assert signed.values["signature"].sig_alg.name == "ECDSA"
        assert script.run("VerifySignature $k text:hello $4.signature").code == 0
        refused = script.run("VerifySignature $k text:other $4.signature")
        assert "TPM_RC_SIGNATURE" in refused.text
        assert refused.code & 0x3F == 0x1B
        public = script.values.find("$key.outPublic", "")
        assert script.values.find("$k.name", "")[2:] != b""
        assert script.run("LoadExternal $key.outPublic").values["name"] == script.values.find("$k.name", "")
        assert public.unique.x == script.values.find("$key.outPublic.unique.x", "")
    assert held(tpm) == []


def test_data_are_sealed_under_a_policy_of_pcrs(tpm: Tpm) -> None:
    with Script(tpm) as script:
        made = script.run(
            "CreatePrimary + Create data=text:hidden authPolicy=pcr:23 + Load + Unseal policy=pcr:23"
        )
        assert (made.code, made.values["outData"]) == (0, b"hidden")
        assert "TPM_RC_AUTH_UNAVAILABLE" in script.run("Unseal").text
        script.run("PCR_Event 23 text:boot")
        assert script.run("Unseal policy=pcr:23").code == 0x99D
    assert held(tpm) == []


def test_a_credential_is_activated_with_a_standard_endorsement_key(tpm: Tpm) -> None:
    with Script(tpm) as script:
        line = "ek = CreatePrimary e ek-ecc + ak = CreatePrimary ak + MakeCredential $ek $ak text:nonce"
        assert script.run(line).code == 0
        assert script.run("ActivateCredential").values["certInfo"] == b"nonce"
    assert held(tpm) == []


@pytest.mark.parametrize("line", ["", "  ", "# a comment"])
def test_empty_lines_and_comments_do_nothing(tpm: Tpm, line: str) -> None:
    with Script(tpm) as script:
        assert script.run(line) == ("", {}, 0, 0, ())


def test_each_line_is_explained(tpm: Tpm) -> None:
    with Script(tpm) as script:
        script.run("GetRandom 8")
        script.run("Hash text:abc")
        assert "TPM2_Hash" in script.run("explain last").text
        assert "TPM2_GetRandom" in script.run("explain 1").text
        assert "TPM2_Hash" in script.run("explain 2").text
        for line in ("explain 0", "explain 3"):
            with pytest.raises(UsageError, match="1 to 2"):
                script.run(line)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("GetRandm 8", "did you mean GetRandom"),
        ("Sign $nothing text:x", "unknown result $nothing"),
        ("GetRandom 8 9", "'9' fits no field, and all fields are given"),
        ("Create nonsense", "'nonsense' fits no field"),
        ("GetRandom 70000", "TPM2_GetRandom.bytesRequested: 70000 is out of range for 2 bytes"),
        ("GetRandom -1", "TPM2_GetRandom.bytesRequested: -1 is out of range for 2 bytes"),
        ("Hash hi", "remaining fields: data, hashAlg, hierarchy (bytes are hex, text:WORDS or @FILE)"),
        ("GetRandom 'x", "check the quotes"),
        ("Sign", "TPM2_Sign.keyHandle is missing"),
    ],
)
def test_mistakes_are_usage_errors(tpm: Tpm, line: str, says: str) -> None:
    with Script(tpm) as script, pytest.raises(UsageError) as error:
        script.run(line)
    assert says in str(error.value)


def test_a_result_can_have_the_name_of_a_directive(tpm: Tpm) -> None:
    with Script(tpm) as script:
        assert script.run("session = StartAuthSession HMAC + GetRandom 8 session=$session,audit").code == 0
        assert script.run("session").text.startswith("session: none")


def test_a_key_file_is_loaded(tpm: Tpm, tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    parent = calls.create_primary(tpm, h2_primary())
    blob = calls.create(tpm, parent, "ecc:ecdsa-sha256")
    tpm.flush(parent.handle)
    private = len(blob.private).to_bytes(2, "big") + blob.private
    made = KeyFile(parent=TPM_RH.OWNER, pubkey=TPM2B_PUBLIC.build(blob.public), privkey=private)
    file.write_text(made.to_pem())
    with Script(tpm) as script:
        script.run("CreatePrimary h2-primary")
        assert script.run(f"Load @{file} + Sign text:x + VerifySignature text:x").code == 0
        assert script.run("python").text.startswith('command_1 = bytes.fromhex("8002')
        file.write_text("-----BEGIN TSS2 PRIVATE KEY-----\nAAAA\n-----END TSS2 PRIVATE KEY-----\n")
        with pytest.raises(UsageError, match="is not a valid key file"):
            script.run(f"Load @{file}")
