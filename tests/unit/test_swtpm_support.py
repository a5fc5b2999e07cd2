"""The test suite's own TPM: that it starts, freezes, restarts and never outlives the test."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.support.swtpm import Kind, Swtpm, SwtpmError, tpm2
from tests.support.verbs import started

GET_RANDOM_4 = bytes.fromhex("8001 0000000c 0000017b 0004")


def ask(tpm: Swtpm, seconds: float = 5) -> bytes:
    family, address = socket.AF_UNIX, tpm.path.removeprefix("swtpm:path=")
    with socket.socket(family) as client:
        client.settimeout(seconds)
        client.connect(address)
        client.sendall(GET_RANDOM_4)
        return client.recv(64)


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_tpm2_tools_reach_it(kind: Kind) -> None:
    with Swtpm(kind) as tpm:
        assert len(bytes.fromhex(tpm2(tpm, "getrandom", "--hex", "8").decode())) == 8


def test_a_failing_tool_raises_what_it_said() -> None:
    with Swtpm() as tpm, pytest.raises(SwtpmError, match="0x81000055"):
        tpm2(tpm, "readpublic", "-c", "0x81000055")


def test_paused_it_accepts_and_is_silent_and_resumed_it_answers() -> None:
    with Swtpm() as tpm:
        tpm.pause()
        with pytest.raises(TimeoutError):
            ask(tpm, 0.2)
        tpm.resume()
        assert len(ask(tpm)) == 16


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_restart_keeps_address_and_persistent_state_and_a_copy_starts_from_it(kind: Kind, tmp_path: Path) -> None:
    with Swtpm(kind) as tpm:
        tpm2(tpm, "createprimary", "-C", "o", "-G", "ecc", "-c", tmp_path / "p.ctx")
        tpm2(tpm, "evictcontrol", "-C", "o", "-c", tmp_path / "p.ctx", "0x81000001")
        path = tpm.path
        assert b"0x80000000" in tpm2(tpm, "getcap", "handles-transient")
        tpm.restart()
        assert tpm.path == path
        assert tpm2(tpm, "getcap", "handles-transient") == b""
        assert b"0x81000001" in tpm2(tpm, "getcap", "handles-persistent")
        with Swtpm(state=tpm.state) as copy:
            assert b"0x81000001" in tpm2(copy, "getcap", "handles-persistent")


def test_many_tcp_ones_started_at_once_each_have_a_port() -> None:
    tpms = [Swtpm("tcp") for _ in range(6)]
    starters = [threading.Thread(target=tpm.__enter__) for tpm in tpms]
    try:
        for starter in starters:
            starter.start()
        for starter in starters:
            starter.join()
        assert len({tpm.path for tpm in tpms}) == len(tpms)
        assert all(tpm2(tpm, "getrandom", "--hex", "4") for tpm in tpms)
    finally:
        for tpm in tpms:
            tpm.close()


def test_a_taken_port_is_not_mistaken_for_its_own() -> None:
    with Swtpm("tcp") as first:
        second = Swtpm("tcp")
        second._port = int(first.path.rpartition(":")[2])
        with second:
            assert second.path != first.path
            assert tpm2(second, "getrandom", "--hex", "4")


def test_it_ends_with_its_parent_killed() -> None:
    code = (
        "import sys, time; from tests.support.swtpm import Swtpm\n"
        "with Swtpm() as tpm: print(tpm.pid, tpm.path, flush=True); time.sleep(60)"
    )
    with started([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid, path = parent.stdout.readline().split()
        os.kill(int(pid), 0)
        parent.send_signal(signal.SIGKILL)
    directory = Path(path.removeprefix("swtpm:path=")).parent
    deadline = time.monotonic() + 30
    while directory.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not directory.exists()
    assert not Path(f"/proc/{pid}/exe").exists()
