"""A cache where others are in the way: another run, another user, a disk that takes nothing."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from cli.credentials.cache.store import CacheFile
from tests.support import keys
from tests.support.programs import CREDENTIAL_PROCESS, KEY_ID, SECRET, Machine, left_behind, write_program
from tests.support.scripted import STS_ANSWER, ScriptedServer, http, say

pytestmark = pytest.mark.box(SECRET)

GOOD = say(http("200 OK", STS_ANSWER))
NOTE = f"{CREDENTIAL_PROCESS}: cache: "
NOBODY = 65534


def _words(box: Machine, sts: ScriptedServer, timeout: str = "20s") -> list[str]:
    return [
        f"--tpm-path={box.swtpm.path}",
        f"--aws-access-key-id={KEY_ID}",
        f"--endpoint-url={sts.endpoint}",
        f"--persistentHandle={keys.PLAIN_HANDLE:#x}",
        f"--timeout={timeout}",
        "--cache",
    ]


def _good(done: "subprocess.CompletedProcess[str]") -> bool:
    return done.returncode == 0 and json.loads(done.stdout)["AccessKeyId"] == "ASIAMADEUPMADEUP0000"


def _caches(directory: Path) -> list[Path]:
    return [path for path in (directory / "tpmwire").iterdir() if path.suffix == ""]


def test_a_killed_run_lets_go_of_the_lock(box: Machine, tmp_path: Path) -> None:
    reached = tmp_path / "reached"

    def never(_client: object, _request: bytes) -> None:
        reached.touch()
        time.sleep(5)

    with ScriptedServer(never, GOOD) as sts:
        holder = box.start(*_words(box, sts), XDG_RUNTIME_DIR=str(tmp_path))
        deadline = time.monotonic() + 20
        while not reached.exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
        assert left_behind(box.swtpm.path) == []
        done = box.run(*_words(box, sts), XDG_RUNTIME_DIR=str(tmp_path))
    assert _good(done)
    assert done.stderr == ""  # it would say that it waited


def test_the_wait_for_another_run_is_bounded_by_timeout(box: Machine, tmp_path: Path) -> None:
    with ScriptedServer(GOOD) as sts:
        # Which file it will be is known once a run was there.
        assert _good(box.run(*_words(box, sts, "1s"), XDG_RUNTIME_DIR=str(tmp_path)))
        (cache,) = _caches(tmp_path)
        cache.unlink()
        store = CacheFile(str(cache.parent), cache.name)
        with store.alone(0) as mine:
            assert mine
            started = time.monotonic()
            done = box.run(*_words(box, sts, "1s"), XDG_RUNTIME_DIR=str(tmp_path))
            waited = time.monotonic() - started
        store.close()
    assert _good(done)
    assert done.stderr == f"{NOTE}another run has waited for AWS for 5 seconds; this run no longer waits\n"
    assert 5 <= waited < 50


def test_a_directory_that_cannot_be_made_costs_a_note(box: Machine) -> None:
    """/sys takes no directories, from root either."""
    with ScriptedServer(GOOD) as sts:
        done = box.run(*_words(box, sts), XDG_RUNTIME_DIR="/sys")
    assert _good(done)
    assert done.stderr.startswith(f"{NOTE}not used: cannot open /sys/tpmwire: ")
    assert done.stderr.count("\n") == 1


def test_another_users_directory_costs_a_note(box: Machine, tmp_path: Path) -> None:
    """As with sudo that keeps XDG_RUNTIME_DIR."""
    theirs = tmp_path / "tpmwire"
    theirs.mkdir(0o700)
    os.chown(theirs, NOBODY, NOBODY)
    with ScriptedServer(GOOD) as sts:
        done = box.run(*_words(box, sts), XDG_RUNTIME_DIR=str(tmp_path))
    assert _good(done)
    assert done.stderr.startswith(f"{NOTE}not used: {theirs} ")
    assert done.stderr.count("\n") == 1
    assert list(theirs.iterdir()) == []


def test_a_full_disk_costs_a_note(box: Machine, tmp_path: Path) -> None:
    """A limit on file sizes stands for it: write(2) fails all the same."""
    limit = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
    )
    program = write_program(tmp_path, CREDENTIAL_PROCESS, limit, "limited")
    with ScriptedServer(GOOD) as sts:
        done = box.run(*_words(box, sts), program=program, XDG_RUNTIME_DIR=str(tmp_path))
    assert _good(done)
    assert (
        done.stderr
        == f"{NOTE}could not cache the credentials: cannot write to {tmp_path}/tpmwire: File too large\n"
    )
    assert [path.suffix for path in (tmp_path / "tpmwire").iterdir()] == [".lock"]
