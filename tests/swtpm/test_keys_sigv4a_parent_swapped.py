"""Somebody on the bus gives another parent's public area, to open what is wrapped for it: a pin keeps him out."""

import json
from pathlib import Path

import pytest

from tests.support.interposer import Interposer
from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Tool
from tpmwire.spec.constants import TPM_CC
from tpmwire.transport import open_transport

PARENT, HIS = 0x81000001, 0x81000002
KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def read_public(handle: int) -> bytes:
    return bytes.fromhex("8001 0000000e") + TPM_CC.ReadPublic.to_bytes(4, "big") + handle.to_bytes(4, "big")


@pytest.mark.parametrize("kind", ["ek-ecc", "ek-rsa"])
def test_nothing_is_wrapped_for_a_parent_that_the_pinned_key_does_not_vouch_for(
    kind: str, tool: Tool, tmp_path: Path
) -> None:
    """TPM2_ReadPublic has no session; that its answer is true shows in TPM2_Create's cpHash, before the wrap."""
    with Swtpm() as swtpm:
        for handle, hierarchy in ((PARENT, "o"), (HIS, "e")):
            tpm2(swtpm, "createprimary", "-C", hierarchy, "-c", tmp_path / "c")
            tpm2(swtpm, "evictcontrol", "-c", tmp_path / "c", hex(handle))
            tpm2(swtpm, "flushcontext", "-t")
        transport = open_transport(swtpm.path, 20)
        his = transport.transceive(read_public(HIS))
        transport.close()
        pin = json.loads(tool("export-public", "--key", kind, "--tpm-path", swtpm.path).out)["name"]
        words = ["import", "--parent", hex(PARENT), "--aws-access-key-id", KEY_ID]
        words += ["--tpm-session-encrypt-with-name", f"{pin}@{kind}", "--out", str(tmp_path / "k.pem")]
        with Interposer(swtpm.path) as bus:
            bus.on_command = lambda sent: his if sent == read_public(PARENT) else None
            ran = tool(*words, "--sigv4a-out", tmp_path / "v.pem", "--tpm-path", bus.path, stdin=SECRET)
            assert "Create" in bus.codes
            assert "Import" not in bus.codes
        assert (ran.code, list(tmp_path.glob("*.pem"))) == (4, []), ran.err
        honest = tool(*words, "--sigv4a-out", tmp_path / "v.pem", "--tpm-path", swtpm.path, stdin=SECRET)
        assert honest.code == 0, honest.err
