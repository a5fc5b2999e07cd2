"""`tpmwire evict` on a real TPM."""

from pathlib import Path

import pytest

from tests.support.handles import handles
from tests.support.interposer import Interposer
from tests.support.programs import ROOT
from tests.support.swtpm import Swtpm, tpm2
from tests.support.terminal import at_a_terminal
from tests.support.verbs import Tool

KEYS = ROOT / "fixtures" / "keys"
HANDLE = "0x81010009"

pytestmark = pytest.mark.swtpm(state=KEYS / "swtpm-state")


def test_evict(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    where = ("--tpm-path", swtpm.path)
    tool("persist", KEYS / "hmac.pem", HANDLE, *where)
    tpm2(swtpm, "changeauth", "-c", "owner", "ownerpwd")
    (tmp_path / "password").write_text("ownerpwd")
    ran = tool("evict", HANDLE, *where)
    assert (ran.code, handles(swtpm, "persistent").count(HANDLE)) == (4, 1)
    with Interposer(swtpm.path) as bus:
        ran = tool("evict", HANDLE, "--tpm-path", bus.path, "--owner-auth-file", tmp_path / "password")
        assert b"ownerpwd" not in bus.octets
    assert (ran.code, ran.out, handles(swtpm, "persistent").count(HANDLE)) == (0, "", 0)
    ran = tool("evict", HANDLE, *where)
    assert (ran.code, "no object at" in ran.err) == (2, True)
    assert tool("evict", "0x80000000", *where).code == 2


def test_at_a_terminal_a_key_is_removed_when_the_user_agrees(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    handle, where = "0x81010077", ("--tpm-path", swtpm.path)
    secret = b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

    def there() -> bool:
        return handle in tool("list", *where).out

    assert tool("import", "--persistent-handle", handle, *where, stdin=secret).code == 0
    for no in (b"n", b"", b"\x04"):
        code, shown = at_a_terminal(["evict", handle, *where], [no], b"[y/N] ")
        assert (code, "nothing was changed" in shown, there()) == (2, True, True), shown
    code, shown = at_a_terminal(["evict", handle, *where], [b"y"], b"[y/N] ")
    assert (code, "permanently?" in shown, there()) == (0, True, False), shown
    assert tool("import", "--persistent-handle", handle, *where, stdin=secret).code == 0
    code, shown = at_a_terminal(["evict", handle, *where, "--yes"], [], b"[y/N] ")
    assert (code, "permanently?" in shown, there()) == (0, False, False), shown
