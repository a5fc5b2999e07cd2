"""Recordings of tpm2-tools, whose sessions are another stack's: their HMACs hold, and their parameters open."""

from pathlib import Path

from tests.support.interposer import Interposer
from tests.support.recording import beside, content, hmacs
from tests.support.swtpm import Swtpm, tpm2
from tpmwire.explain import explain_recording
from tpmwire.secret import Secret

PARENT, ITEM, DATA = b"of the parent", b"of the item", b"sealed by tpm2-tools"


def test_tools_that_encrypt_with_a_password_for_a_key(tmp_path: Path) -> None:
    with Swtpm() as swtpm, Interposer(swtpm.path) as relay:
        swtpm.tcti = f"swtpm:path={relay.path}"

        def tool(*words: str, stdin: bytes = b"") -> bytes:
            out = tpm2(swtpm, *words, input=stdin, cwd=tmp_path)
            # There is no resource manager here: what a tool loads stays.
            tpm2(swtpm, "flushcontext", "-t")
            return out

        tool("createprimary", "-Q", "-c", "p.ctx", "-p", PARENT.decode())
        tool("startauthsession", "-S", "s.ctx", "--hmac-session")
        tool("sessionconfig", "s.ctx", "--enable-decrypt", "--enable-encrypt")
        session = f"session:s.ctx+{PARENT.decode()}"
        made = ("-r", "i.priv", "-u", "i.pub", "-p", ITEM.decode(), "-i", "-")
        tool("create", "-Q", "-C", "p.ctx", "-P", session, *made, stdin=DATA)
        tool("load", "-Q", "-C", "p.ctx", "-P", session, "-r", "i.priv", "-u", "i.pub", "-c", "i.ctx")
        assert tool("unseal", "-c", "i.ctx", "-p", f"session:s.ctx+{ITEM.decode()}") == DATA
        tool("flushcontext", "s.ctx")
        recorded = [(pair.command, pair.response) for pair in relay.dialogue]
    crossed = b"".join(command + response for command, response in recorded if command[:2] == b"\x80\x02")
    assert DATA not in crossed
    talk = explain_recording(recorded, auths=[Secret(PARENT)])
    assert [content(node) for node in beside(talk, "outData")] == [DATA]
    # A command that the TPM wants once more (TPM_RC_RETRY) stands there twice.
    assert {content(node) for node in beside(talk, "data")} == {DATA}
    assert {content(node) for node in beside(talk, "userAuth")} == {ITEM}
    assert [text for text in hmacs(talk) if "holds" not in text] == []
    assert len(hmacs(talk)) >= 6
    (life,) = (life for life in talk.histories if "AES-128-CFB" in life.title)
    assert life.ended
    used = [step for step in life.steps if "authorizes" in step.text and step.ok]
    assert [(step.name, step.verdict) for step in used] == [
        ("TPM2_Create", "HMACs valid"),
        ("TPM2_Load", "HMACs valid"),
        ("TPM2_Unseal", "HMACs valid"),
    ]
    # Between two tools the session is out of the TPM.
    assert "saves the session's context" in [step.text for step in life.steps]
    assert "loads the session's context" in [step.text for step in life.steps]
