"""Faults of a run with --cache: the same end, nothing kept of it, and no other run that suffers from it."""

import json
import time
from calendar import timegm
from pathlib import Path

import pytest

from tests.aws.test_faults_answers import ANSWERS
from tests.support.faults import MARGIN, Bench
from tests.support.programs import CREDENTIAL_PROCESS, write_program
from tests.support.scripted import STS_ANSWER, ScriptedServer, http, say

OK = say(http("200 OK", STS_ANSWER))
CACHE = ("--timeout=5s", "--cache")


def _kept(directory: Path) -> list[bytes]:
    return [path.read_bytes() for path in (directory / "tpmwire").iterdir() if path.suffix == ""]


@pytest.mark.parametrize(
    "name",
    ["AccessDenied", "500", "200 with a login page", "200 with truncated XML", "200 with expired credentials"],
)
def test_a_fault_is_not_kept(runs: Bench, tmp_path: Path, name: str) -> None:
    answer, fault = ANSWERS[name]
    with ScriptedServer(*[say(answer)] * fault.requests, OK) as sts:
        seen = runs.run(sts.endpoint, *CACHE, XDG_RUNTIME_DIR=str(tmp_path))
        # The day's key, and what would have sealed the credentials.
        runs.holds(fault._replace(hmacs=2), seen, len(sts.requests))
        assert _kept(tmp_path) == []
        again = runs.run(sts.endpoint, *CACHE, XDG_RUNTIME_DIR=str(tmp_path))
    assert (again.code, again.err) == (0, "")
    assert len(_kept(tmp_path)) == 1


def test_what_is_kept_outlives_an_sts_that_is_down(runs: Bench, tmp_path: Path) -> None:
    with ScriptedServer(OK, say(ANSWERS["500"][0])) as sts:
        first, second = (runs.run(sts.endpoint, *CACHE, XDG_RUNTIME_DIR=str(tmp_path)) for _ in range(2))
        assert len(sts.requests) == 1
    assert (second.code, second.err, second.out) == (0, "", first.out)


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "HTTPS_PROXY"])
def test_what_is_wrong_here_is_found_before_the_tpm(runs: Bench, tmp_path: Path, variable: str) -> None:
    seen = runs.run("https://127.0.0.1:1", *CACHE, XDG_RUNTIME_DIR=str(tmp_path), **{variable: "socks5://x"})
    assert (seen.code, seen.out, runs.bus.codes) == (2, "", [])
    assert variable in seen.err


def test_a_run_that_hangs_holds_the_others_up_no_longer_than_itself(runs: Bench, tmp_path: Path) -> None:
    with ScriptedServer(lambda _sock, _request: (sts.ended.wait(60), None)[1]) as sts:
        start = time.monotonic()
        words = runs.words(sts.endpoint, "--timeout=500ms", "--cache")
        started = [runs.box.start(*words, XDG_RUNTIME_DIR=str(tmp_path)) for _ in range(3)]
        ended = [process.communicate(timeout=60) for process in started]
        # Each gives up after three attempts of half a second; the second waited for the first, the third for both.
        assert time.monotonic() - start < 3 * 2.5 + MARGIN
    assert [process.returncode for process in started] == [7, 7, 7]
    assert {out for out, _ in ended} == {""}


def test_the_first_to_ask_fails_and_the_next_asks_again(runs: Bench, tmp_path: Path) -> None:
    """One that waited is not given another's failure, but credentials of its own."""
    with ScriptedServer(say(ANSWERS["AccessDenied"][0]), OK) as sts:
        words = runs.words(sts.endpoint, *CACHE)
        started = [runs.box.start(*words, XDG_RUNTIME_DIR=str(tmp_path)) for _ in range(3)]
        ended = [process.communicate(timeout=60) for process in started]
        assert len(sts.requests) == 2
    assert sorted(process.returncode for process in started) == [0, 0, 6]
    keys = [json.loads(out)["AccessKeyId"] for out, _ in ended if out]
    assert keys == ["ASIAMADEUPMADEUP0000"] * 2


@pytest.mark.parametrize(
    ("later", "hmacs", "signed_at"),
    [("2026-03-01T00:00:02", 2, b"20260228T235959Z"), ("2026-03-01T06:00:00", 3, b"20260301T060000Z")],
)
def test_midnight_between_the_hmacs_and_the_request(
    runs: Bench, tmp_path: Path, later: str, hmacs: int, signed_at: bytes
) -> None:
    """The clock goes on when the TPM is asked for the seal, the last that comes before the request."""
    passed = tmp_path / "midnight"
    before, after = (timegm(time.strptime(t, "%Y-%m-%dT%H:%M:%S")) for t in ("2026-02-28T23:59:59", later))
    clock = f"import os, time\ntime.time = lambda: {after} if os.path.exists({str(passed)!r}) else {before}"
    program = write_program(tmp_path, CREDENTIAL_PROCESS, clock, "program")

    def go_on(_command: bytes) -> None:
        if runs.bus.codes:
            passed.touch()

    with ScriptedServer(OK) as sts:
        runs.bus.clear()
        runs.bus.on_command = go_on
        words = runs.words(sts.endpoint, *CACHE)
        done = runs.box.run(*words, program=program, XDG_RUNTIME_DIR=str(tmp_path))
        assert (done.returncode, done.stderr, len(sts.requests)) == (0, "", 1)
        assert runs.bus.codes == ["HMAC"] * hmacs
        assert b"\r\nX-Amz-Date: " + signed_at + b"\r\n" in sts.requests[0]
        # What was kept serves the new day.
        again = runs.box.run(*words, program=program, XDG_RUNTIME_DIR=str(tmp_path))
        assert (again.returncode, again.stderr, again.stdout) == (0, "", done.stdout)
        assert len(sts.requests) == 1


@pytest.mark.parametrize("name", ["500", "400 Throttling", "200 with a login page", "AccessDenied", "no server"])
@pytest.mark.parametrize("left", [600, 60])
def test_due_credentials_do_while_sts_is_down(runs: Bench, tmp_path: Path, name: str, left: int) -> None:
    """Ten minutes before their end they are due, and are given where AWS fails, but not where it refuses."""
    end = timegm(time.strptime("2030-01-01T00:00:00", "%Y-%m-%dT%H:%M:%S"))
    clock = "import os, time\ntime.time = lambda: float(os.environ['NOW'])"
    program = write_program(tmp_path, CREDENTIAL_PROCESS, clock, "program")
    answer = OK if name == "no server" else ANSWERS[name][0]
    with ScriptedServer(OK, say(answer)) as sts:
        environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
        first = runs.run(sts.endpoint, *CACHE, program=program, NOW=str(end - 3600), **environment)
        assert (first.code, first.err) == (0, "")
        (kept,) = _kept(tmp_path)
        if name == "no server":
            sts.__exit__(None, None, None)
        second = runs.run(sts.endpoint, *CACHE, program=program, NOW=str(end - left), **environment)
    if left == 600 and name != "AccessDenied":
        assert (second.code, second.out) == (0, first.out)
        assert "cache: could not renew: " in second.err
        assert second.err.endswith("; the cached credentials are valid for 10 more minutes\n")
        assert second.err.count("\n") == 1
    else:
        assert (second.code, second.out) == (6 if name in ("AccessDenied", "400 Throttling") else 7, "")
    assert _kept(tmp_path) == [kept]
