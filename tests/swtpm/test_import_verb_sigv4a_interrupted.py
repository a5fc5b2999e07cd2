"""`tpmwire import` of both keys, ended by SIGTERM at each command, or before a TPM that stops answering."""

import os
import signal
import subprocess
import time
from pathlib import Path

from tests.support.interposer import Interposer
from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import PROGRAM, Ran, held, shell
from tpmwire.spec.constants import TPM_CC

SECRET = b"wJalrXUtnFEMI+K7MDENG/bPxRfiCYEXAMPLEKEY"
HANDLES = ["0x81010002", "0x81010003"]
FILES = ["key.pem", "v4a.pem"]


def words(directory: Path) -> list[str]:
    files = [f"--out={directory}/key.pem", f"--sigv4a-out={directory}/v4a.pem"]
    handles = [f"--persistent-handle={HANDLES[0]}", f"--sigv4a-handle={HANDLES[1]}"]
    return ["import", "--aws-access-key-id=AKIAIOSFODNN7EXAMPLE", *files, *handles]


def persistent(swtpm: Swtpm) -> list[str]:
    return tpm2(swtpm, "getcap", "handles-persistent").decode().replace("-", "").split()


def interrupted(swtpm: Swtpm, directory: Path, moment: int) -> tuple[Ran, list[str]]:
    """A run that gets SIGTERM while its command number `moment` is on the way, and its commands."""
    with Interposer(swtpm.path) as bus:
        process = subprocess.Popen(
            [*PROGRAM, *words(directory), "--tpm-path", bus.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        bus.on_command = lambda _: process.send_signal(signal.SIGTERM) if len(bus.dialogue) == moment else None
        out, err = process.communicate(SECRET, 60)
    return Ran(process.returncode, out.decode(), err.decode()), bus.codes


def clear(swtpm: Swtpm, directory: Path) -> None:
    for handle in persistent(swtpm):
        tpm2(swtpm, "evictcontrol", "-c", handle)
    for file in os.listdir(directory):
        (directory / file).unlink()


def test_sigterm_at_any_moment_leaves_both_keys_or_none(swtpm: Swtpm, tmp_path: Path) -> None:
    # The first HMAC after a start takes a command more: the second run is like those that follow.
    assert interrupted(swtpm, tmp_path, -1)[0].code == 0
    clear(swtpm, tmp_path)
    undisturbed, commands = interrupted(swtpm, tmp_path, -1)
    assert undisturbed.code == 0, undisturbed.err
    clear(swtpm, tmp_path)
    assert commands.count("EvictControl") == 2
    proven, placed = commands.index("Sign"), commands.index("EvictControl")
    done = []
    for moment in range(commands.index("CreatePrimary"), len(commands)):
        ran, _ = interrupted(swtpm, tmp_path, moment)
        assert (ran.code, ran.out) == (143, ""), (commands[moment], ran)
        assert held(swtpm) == "", commands[moment]
        files = sorted(os.listdir(tmp_path))
        assert (files, persistent(swtpm)) in (([], []), (FILES, HANDLES)), commands[moment]
        assert files or moment <= placed, commands[moment]
        assert not files or moment > proven, commands[moment]
        done.append(bool(files))
        clear(swtpm, tmp_path)
    assert {True, False} == set(done)


def test_a_tpm_that_stops_answering(swtpm: Swtpm, tmp_path: Path) -> None:
    """The run ends in time, tells, and what the late answer opens is given back."""
    for code in (TPM_CC.Import, TPM_CC.Sign):

        def stop(sent: bytes, code: TPM_CC = code) -> None:
            if sent[6:10] == code.to_bytes(4, "big"):
                swtpm.pause()

        with Interposer(swtpm.path) as bus:
            bus.on_command = stop
            started = time.monotonic()
            ran = shell(*words(tmp_path), "--timeout", "1", "--tpm-path", bus.path, stdin=SECRET)
            took = time.monotonic() - started
            swtpm.resume()
            assert (ran.code, ran.out, ran.err.count("\n")) == (3, "", 1), ran
            assert took < 10
        assert (held(swtpm), os.listdir(tmp_path), persistent(swtpm)) == ("", [], [])
