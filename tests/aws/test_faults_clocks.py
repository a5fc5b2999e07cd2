"""Clocks that are wrong or jump. tests/aws/test_credential_process_clock.py has the signatures."""

import json
import re
from calendar import timegm
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.faults import Bench, Fault
from tests.support.programs import CREDENTIAL_PROCESS, write_program
from tests.support.scripted import STS_ANSWER, ScriptedServer, Step, error, http, say

EXPIRED = error(
    "SignatureDoesNotMatch", "Signature expired: 20260301T110000Z is now earlier than 20260301T115500Z"
)
EARLY = error("SignatureDoesNotMatch", "Signature not yet current: 20260301T130000Z is still later than x")
NOON = "2026-03-01T12:00:00"


def _seconds(moment: str) -> float:
    return float(timegm(datetime.fromisoformat(moment).timetuple()))


def _at(directory: Path, *moments: str) -> Path:
    """The program on a machine whose clock shows these UTC times in turn, then stands still."""
    seconds = [_seconds(moment) for moment in moments]
    clock = f"import time\nshown = iter({seconds})\ntime.time = lambda: next(shown, {seconds[-1]})"
    return write_program(directory, CREDENTIAL_PROCESS, clock, "program")


def _dated(moment: str, status: str = "200 OK", body: str = STS_ANSWER) -> Step:
    date = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    return say(http(status, body, f"Date: {date:%a, %d %b %Y %H:%M:%S} GMT"))


REFUSED, TOO_EARLY = _dated(NOON, "403 Forbidden", EXPIRED), _dated(NOON, "403 Forbidden", EARLY)
OK = _dated(NOON)
SHORT = _dated(NOON, body=STS_ANSWER.replace("2030-01-01T00:00:00Z", "2026-03-01T12:15:00Z"))
PAST = _dated(NOON, body=STS_ANSWER.replace("2030-01-01T00:00:00Z", "2026-03-01T11:59:59Z"))

CLOCKS: dict[str, tuple[tuple[str, ...], tuple[Step, ...], Fault]] = {
    "a clock an hour behind": (
        ("2026-03-01T11:00:00",), (REFUSED, OK),
        Fault(0, "warning: your clock is 3600 seconds behind AWS; signing with AWS's time instead", 2),
    ),
    "a clock an hour ahead": (
        ("2026-03-01T13:00:00",), (TOO_EARLY, OK),
        Fault(0, "warning: your clock is 3600 seconds ahead of AWS; signing with AWS's time instead", 2),
    ),
    "a clock a day behind": (
        ("2026-02-28T12:00:00",), (REFUSED, OK), Fault(0, "warning: your clock is 86400 seconds behind AWS", 2, 2)
    ),
    "a clock years behind": (
        ("1970-01-01T00:00:09",), (REFUSED, OK), Fault(0, "warning: your clock is # seconds behind AWS", 2, 2)
    ),
    "a clock before 1970": (("1969-12-31T23:00:00",), (OK,), Fault(2, "set the clock", 0, 0)),
    "a clock that AWS refuses twice": (
        ("2026-03-01T11:00:00",), (REFUSED,),
        Fault(6, "your clock is 3600 seconds behind; set it (timedatectl set-ntp true)", 2),
    ),
    "a wrong clock, and AWS's time unknown": (
        ("2026-03-01T11:00:00",), (say(http("403 Forbidden", EXPIRED)),),
        Fault(6, "the signature's time differs from AWS's; check the clock (timedatectl)"),
    ),
    "a clock by which new credentials have expired": (
        ("2026-03-01T13:00:00",), (TOO_EARLY, SHORT),
        Fault(0, "ahead of AWS: programs will treat these credentials as expired; set", 2),
    ),
    "credentials that have expired for AWS too": (
        (NOON,), (PAST,), Fault(7, "the credentials in the response expired at 2026-03-01T11:59:59Z")
    ),
    "midnight UTC between HMAC and request": (("2026-02-28T23:59:59", "2026-03-01T00:00:02"), (OK,), Fault(0, "")),
    "a sleep over midnight UTC between them": (
        ("2026-02-28T23:59:59", "2026-03-01T06:00:00"), (OK,), Fault(0, "", 1, 2)
    ),
}  # fmt: skip

FAULTS = {name: fault for name, (_, _, fault) in CLOCKS.items()}


@pytest.mark.parametrize("name", CLOCKS)
def test_clock(runs: Bench, tmp_path: Path, name: str) -> None:
    moments, answers, fault = CLOCKS[name]
    with ScriptedServer(*answers) as sts:
        seen = runs.run(sts.endpoint, "--timeout=5s", program=_at(tmp_path, *moments))
        runs.holds(fault, seen, len(sts.requests))
    if fault.code == 0:
        assert json.loads(seen.out)["AccessKeyId"] == "ASIAMADEUPMADEUP0000"
        assert bool(seen.err) is bool(fault.says)


def test_a_chain_of_roles_learns_the_time_once(runs: Bench, tmp_path: Path) -> None:
    """The second role's request is signed by AWS's time from the start, and nothing is said twice."""
    role = STS_ANSWER.replace("GetSessionToken", "AssumeRole")
    with ScriptedServer(REFUSED, _dated(NOON, body=role)) as sts:
        arns = [f"--aws-arn=arn:aws:iam::123456789012:role/{name}" for name in ("first", "second")]
        program = _at(tmp_path, "2026-03-01T11:00:00")
        seen = runs.run(sts.endpoint, "--timeout=5s", "--assumeRole", *arns, program=program)
    assert (seen.code, len(sts.requests), runs.bus.codes) == (0, 3, ["HMAC"])
    assert seen.err.count("\n") == 1
    dates = [found[1] for request in sts.requests if (found := re.search(rb"X-Amz-Date: (\S+)", request))]
    assert dates == [b"20260301T110000Z", b"20260301T120000Z", b"20260301T120000Z"]
