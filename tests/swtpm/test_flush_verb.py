"""`tpmwire flush` on a real TPM; test_list_verb.py flushes what it lists."""

from pathlib import Path

import pytest

from tests.support.handles import is_command, leave_things
from tests.support.interposer import Interposer
from tests.support.programs import ROOT
from tests.support.swtpm import Swtpm
from tests.support.verbs import Tool
from tpmwire.spec.constants import TPM_CC

KEYS = ROOT / "fixtures" / "keys"
HANDLE = "0x81010009"

pytestmark = pytest.mark.swtpm(state=KEYS / "swtpm-state")


def test_flush_goes_on_after_what_it_cannot_remove(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    tool("persist", KEYS / "hmac.pem", HANDLE, "--tpm-path", swtpm.path)
    leave_things(swtpm, tmp_path)
    gone = bytes.fromhex("80010000000a000001c4")  # TPM_RC_VALUE (parameter 1): somebody was faster
    with Interposer(swtpm.path) as bus:
        bus.on_command = lambda sent: (
            gone if is_command(sent, TPM_CC.FlushContext) and "FlushContext" not in bus.codes else None
        )
        ran = tool("flush", "--tpm-path", bus.path)
    assert (ran.code, len(ran.out.splitlines()), ran.err.count("\n")) == (4, 5, 1)
    assert tool("flush", "--tpm-path", swtpm.path).code == 0
