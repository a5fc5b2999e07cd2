"""Keys and contexts from tpm2-tools to the library and back, on one software TPM."""

from pathlib import Path

import pytest

from tests.support.swtpm import Swtpm, tpm2
from tpmwire import TPM_RH, KeyFile, KeyFileError, Tpm, bridges, calls
from tpmwire.spec.structures import TPMT_SIGNATURE


def test_from_the_tools(swtpm: Swtpm, tmp_path: Path) -> None:
    """A pair of tpm2_create is loaded under its parent's context and signs; tpm2-tools verify the signature."""
    for words in (
        "createprimary -C o -G ecc -c primary.ctx",
        "flushcontext -t",
        "create -C primary.ctx -G rsa2048:rsapss-sha256:null -u key.pub -r key.priv",
        "flushcontext -t",
        "load -C primary.ctx -u key.pub -r key.priv -c key.ctx",
        "flushcontext -t",
    ):
        tpm2(swtpm, *words.split(), cwd=tmp_path)
    blob = calls.parse_tools_pair((tmp_path / "key.pub").read_bytes(), (tmp_path / "key.priv").read_bytes())
    assert calls.build_tools_pair(blob) == (
        (tmp_path / "key.pub").read_bytes(),
        (tmp_path / "key.priv").read_bytes(),
    )
    with Tpm.open(swtpm.path) as tpm:
        parent = calls.load_context_file(tpm, (tmp_path / "primary.ctx").read_bytes())
        key = calls.load(tpm, parent, blob)
        signature = calls.sign_message(tpm, key, b"message")
        again = calls.load_context_file(tpm, (tmp_path / "key.ctx").read_bytes())
        assert again.name == key.name
    bridges.verify_signature(blob.public, signature, b"message")
    (tmp_path / "sig").write_bytes(signature.build())
    (tmp_path / "message").write_bytes(b"message")
    check = "verifysignature -c key.ctx -g sha256 -m message -s sig"
    tpm2(swtpm, *check.split(), cwd=tmp_path)
    tpm2(swtpm, "flushcontext", "-t")


def test_to_the_tools(swtpm: Swtpm, tmp_path: Path) -> None:
    """A key of the library is used by tpm2-tools: as a pair and as a context file."""
    with Tpm.open(swtpm.path) as tpm:
        parent = calls.create_primary(tpm, "ecc")
        blob = calls.create(tpm, parent, "ecc:ecdsa-sha256:null")
        key = calls.load(tpm, parent, blob)
        (tmp_path / "parent.ctx").write_bytes(calls.save_context_file(tpm, parent))
        (tmp_path / "key.ctx").write_bytes(calls.save_context_file(tpm, key.handle))
    public, private = calls.build_tools_pair(blob)
    (tmp_path / "key.pub").write_bytes(public)
    (tmp_path / "key.priv").write_bytes(private)
    (tmp_path / "message").write_bytes(b"message")
    (tmp_path / "key.pem").write_text(KeyFile.of(blob.public, blob.private, TPM_RH.OWNER).to_pem())
    for words in (
        "load -C parent.ctx -u key.pub -r key.priv -c loaded.ctx",
        "flushcontext -t",
        "encodeobject -C parent.ctx -u key.pub -r key.priv -o tools.pem",
        "flushcontext -t",
        "flushcontext -l",  # tpm2_encodeobject leaves a session
        "sign -c key.ctx -g sha256 -o sig message",
        "flushcontext -t",
    ):
        tpm2(swtpm, *words.split(), cwd=tmp_path)
    signature = TPMT_SIGNATURE.parse((tmp_path / "sig").read_bytes())
    bridges.verify_signature(blob.public, signature, b"message")
    ours, theirs = (KeyFile.parse((tmp_path / name).read_bytes()) for name in ("key.pem", "tools.pem"))
    assert (ours.pubkey, ours.privkey) == (theirs.pubkey, theirs.privkey)


def test_files_that_do_not_fit(swtpm: Swtpm) -> None:
    with Tpm.open(swtpm.path) as tpm:
        key = calls.create_primary(tpm)
        context = calls.save_context_file(tpm, key)
        for data in (b"", context[:-1], context.replace(b"\xba\xdc", b"\xba\xdd", 1)):
            with pytest.raises(KeyFileError, match="not a context file"):
                calls.load_context_file(tpm, data)
    for public, private in ((b"", b""), (context, b"\0\1x"), (b"\0\0", b"\0\1x")):
        with pytest.raises(KeyFileError, match="not a pair of TPM2B_PUBLIC and TPM2B_PRIVATE"):
            calls.parse_tools_pair(public, private)
