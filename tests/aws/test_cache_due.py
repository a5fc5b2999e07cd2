"""A run whose kept credentials are due, and whom the TPM refuses: it is asked as often as without a cache."""

import time
from calendar import timegm
from pathlib import Path

import pytest

from tests.support import keys
from tests.support.faults import bench
from tests.support.programs import CREDENTIAL_PROCESS, write_program
from tests.support.scripted import STS_ANSWER, ScriptedServer, http, say

CLOCK = "import os, time\ntime.time = lambda: float(os.environ['NOW'])"


@pytest.mark.parametrize("day", ["2030-01-01", "2029-12-31"], ids=["the next day", "the same day"])
def test_a_wrong_password_counts_once(tmp_path: Path, day: str) -> None:
    end = timegm(time.strptime(f"{day}T00:30:00", "%Y-%m-%dT%H:%M:%S"))
    start = end - (3000 if day == "2030-01-01" else 1700)
    answer = say(http("200 OK", STS_ANSWER.replace("2030-01-01T00:00:00", f"{day}T00:30:00")))
    program = write_program(tmp_path, CREDENTIAL_PROCESS, CLOCK, "program")
    runtime = {"XDG_RUNTIME_DIR": str(tmp_path)}
    with bench(tmp_path) as runs, ScriptedServer(answer) as sts:
        words = ("--timeout=5s", "--cache", f"--persistentHandle={keys.PASSWORD_HANDLE:#x}")
        good, wrong = f"--keyPass={keys.PASSWORD}", "--keyPass=wrong"
        first = runs.run(sts.endpoint, *words, good, program=program, NOW=str(start), **runtime)
        assert (first.code, first.err) == (0, "")
        second = runs.run(sts.endpoint, *words, wrong, program=program, NOW=str(end - 600), **runtime)
        assert (second.code, second.out, runs.bus.codes) == (4, "", ["HMAC"])
        assert "wrong password" in second.err
        assert len(sts.requests) == 1


def test_a_clock_that_was_set_back_makes_no_old_credentials_new(tmp_path: Path) -> None:
    """Credentials that would end later than any that AWS issues were cached under another clock."""
    end = timegm(time.strptime("2030-01-01T00:00:00", "%Y-%m-%dT%H:%M:%S"))
    program = write_program(tmp_path, CREDENTIAL_PROCESS, CLOCK, "program")
    with bench(tmp_path) as runs, ScriptedServer(say(http("200 OK", STS_ANSWER))) as sts:
        words = ("--timeout=5s", "--cache", f"--persistentHandle={keys.PLAIN_HANDLE:#x}")
        asked = []
        for now in (end - 3000, end - 2900, end - 3000 - 37 * 3600):
            done = runs.run(sts.endpoint, *words, program=program, NOW=str(now), XDG_RUNTIME_DIR=str(tmp_path))
            assert (done.code, done.err) == (0, "")
            asked.append(len(sts.requests))
    assert asked == [1, 1, 2]


@pytest.mark.parametrize("life", [900, 1200, 3600])
def test_credentials_of_any_life_are_cached(tmp_path: Path, life: int) -> None:
    """AWS's shortest are 15 minutes; they are renewed when a third is left, or 15 minutes."""
    end = timegm(time.strptime("2030-01-01T00:00:00", "%Y-%m-%dT%H:%M:%S"))
    ahead = min(900, life // 3)
    program = write_program(tmp_path, CREDENTIAL_PROCESS, CLOCK, "program")
    with bench(tmp_path) as runs, ScriptedServer(say(http("200 OK", STS_ANSWER))) as sts:
        words = ("--timeout=5s", "--cache", f"--persistentHandle={keys.PLAIN_HANDLE:#x}", f"--duration={life}")
        asked = []
        for now in (end - life, end - life + 60, end - ahead - 121, end - ahead + 1):
            done = runs.run(sts.endpoint, *words, program=program, NOW=str(now), XDG_RUNTIME_DIR=str(tmp_path))
            assert (done.code, done.err) == (0, "")
            asked.append(len(sts.requests))
    assert asked == [1, 1, 1, 2]
