"""Clocks: midnight UTC in the middle of a run, and a machine whose clock is wrong by an hour."""

import json
import re
from calendar import timegm
from datetime import UTC, datetime
from pathlib import Path

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.support import keys
from tests.support.interposer import Interposer
from tests.support.programs import CREDENTIAL_PROCESS, KEY_ID, SECRET, Machine, write_program
from tests.support.scripted import STS_ANSWER, ScriptedServer, error, http, say

pytestmark = pytest.mark.box(SECRET)

GOOD = say(http("200 OK", STS_ANSWER))


def _at(directory: Path, *moments: str) -> Path:
    """The program on a machine whose clock shows these UTC times in turn, then stands still."""
    seconds = [float(timegm(datetime.fromisoformat(moment).timetuple())) for moment in moments]
    clock = f"import time\nshown = iter({seconds})\ntime.time = lambda: next(shown, {seconds[-1]})"
    return write_program(directory, CREDENTIAL_PROCESS, clock, "program")


def _run(box: Machine, bus: Interposer, sts: ScriptedServer, program: Path) -> tuple[int, str, str]:
    done = box.run(
        f"--tpm-path={bus.path}",
        f"--aws-access-key-id={KEY_ID}",
        f"--endpoint-url={sts.endpoint}",
        f"--persistentHandle={keys.PLAIN_HANDLE:#x}",
        "--no-session-encryption",
        "--timeout=20",
        program=program,
    )
    return done.returncode, done.stdout, done.stderr


def signed_at(request: bytes) -> str:
    """The time under the signature, which botocore computes anew from the request and the secret."""
    head, _, body = request.decode().partition("\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
    given = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=(.*), SignedHeaders=(.*), Signature=(.*)", headers["Authorization"]
    )
    assert given
    names = given[2].split(";")
    signed = {name: value for name, value in headers.items() if name.lower() in names}
    again = AWSRequest("POST", f"http://{headers['Host']}/", signed, body)
    again.context["timestamp"] = headers["X-Amz-Date"]
    auth = SigV4Auth(Credentials(KEY_ID, SECRET), "sts", given[1].split("/")[2])
    assert auth.scope(again) == given[1]
    assert auth.signature(auth.string_to_sign(again, auth.canonical_request(again)), again) == given[3]
    return headers["X-Amz-Date"]


def test_an_hour_ago(box: Machine, bus: Interposer, tmp_path: Path) -> None:
    """So that the signature's check below is known to hold at any time."""
    with ScriptedServer(GOOD) as sts:
        assert _run(box, bus, sts, _at(tmp_path, "2026-03-01T11:00:00"))[0] == 0
    assert signed_at(sts.requests[0]) == "20260301T110000Z"


def test_midnight_between_the_hmac_and_the_request(box: Machine, bus: Interposer, tmp_path: Path) -> None:
    """The day's key was made for yesterday: it signs yesterday's last second; the TPM is not asked again."""
    with ScriptedServer(GOOD) as sts:
        program = _at(tmp_path, "2026-02-28T23:59:59", "2026-03-01T00:00:02")
        code, out, err = _run(box, bus, sts, program)
    assert (code, err) == (0, "")
    assert json.loads(out)["AccessKeyId"]
    assert signed_at(sts.requests[0]) == "20260228T235959Z"
    assert bus.codes == ["HMAC"]


def test_midnight_long_before_the_request(box: Machine, bus: Interposer, tmp_path: Path) -> None:
    """A laptop that slept in between: a signature that old is not taken, so the TPM is asked for the new day."""
    with ScriptedServer(GOOD) as sts:
        program = _at(tmp_path, "2026-02-28T23:59:59", "2026-03-01T06:00:00")
        assert _run(box, bus, sts, program)[0] == 0
    assert signed_at(sts.requests[0]) == "20260301T060000Z"
    assert bus.codes == ["HMAC", "HMAC"]


def _expired(servers: datetime) -> bytes:
    text = "Signature expired: 20260301T110000Z is now earlier than 20260301T115500Z (20260301T120000Z - 5 min.)"
    refusal = error("SignatureDoesNotMatch", text)
    return http("403 Forbidden", refusal, f"Date: {servers:%a, %d %b %Y %H:%M:%S} GMT")


@pytest.mark.parametrize(
    ("ours", "servers", "where", "hmacs"),
    [
        ("2026-03-01T11:00:00", "2026-03-01T12:00:00", "3600 seconds behind", 1),
        ("2026-03-01T13:00:00", "2026-03-01T12:00:00", "3600 seconds ahead of", 1),
        # For the server it is tomorrow: another day's key.
        ("2026-03-01T23:30:00", "2026-03-02T00:30:00", "3600 seconds behind", 2),
    ],
)
def test_a_clock_that_is_wrong_by_an_hour(
    box: Machine, bus: Interposer, tmp_path: Path, ours: str, servers: str, where: str, hmacs: int
) -> None:
    true = datetime.fromisoformat(servers).replace(tzinfo=UTC)
    with ScriptedServer(say(_expired(true)), GOOD) as sts:
        code, out, err = _run(box, bus, sts, _at(tmp_path, ours))
    assert code == 0
    assert json.loads(out)["AccessKeyId"]
    assert f"your clock is {where} AWS; signing with AWS's time instead" in err
    assert [signed_at(request) for request in sts.requests] == [
        f"{datetime.fromisoformat(moment):%Y%m%dT%H%M%SZ}" for moment in (ours, servers)
    ]
    assert bus.codes == ["HMAC"] * hmacs


def test_a_clock_is_corrected_once(box: Machine, bus: Interposer, tmp_path: Path) -> None:
    true = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with ScriptedServer(say(_expired(true))) as sts:
        code, out, err = _run(box, bus, sts, _at(tmp_path, "2026-03-01T11:00:00"))
    assert (code, out) == (6, "")
    assert len(sts.requests) == 2
    assert "clock" in err
