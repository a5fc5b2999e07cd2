"""A clock that is behind AWS's: credentials are over earlier than their Expiration says by it."""

import os
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from cli.serving.store import Store, UnavailableError
from sigv4.client import StsClient
from sigv4.credentials import Credentials
from sigv4.endpoints import resolve
from sigv4.errors import ResponseError, SigV4Error
from sigv4.http import HttpClient
from sigv4.signer import Signer, hmac_from_secret
from sigv4.sts import GetSessionToken
from sigv4.times import rfc3339
from tests.support.faults import bench
from tests.support.programs import CREDENTIAL_PROCESS, write_program
from tests.support.scripted import STS_ANSWER, ScriptedServer, Step, http, say

BEHIND = 7200
HOUR = 3600


def issued(now: float) -> Step:
    """STS's answer at that time by its own clock, with credentials for an hour."""
    body = STS_ANSWER.replace("2030-01-01T00:00:00Z", rfc3339(now + HOUR))
    return say(http("200 OK", body, f"Date: {formatdate(now, usegmt=True)}"))


def test_a_server_gives_none_that_have_ended_for_aws() -> None:
    ours = time.time()
    with ScriptedServer(issued(ours + BEHIND)) as sts:
        endpoint = resolve(None, sts.endpoint, {}, None)
        signer = Signer("AKIAMADEUPMADEUP0000", hmac_from_secret("made-up"))
        client = StsClient(signer, endpoint, HttpClient(5, {}), clock=lambda: ours)
        answers: list[Credentials] = [client.call(GetSessionToken(HOUR))]

        def fetch() -> Credentials:
            if not answers:
                raise ResponseError("STS is away")
            return answers.pop()

        store = Store(fetch, lambda: ours)
        store.fetch()
        assert ours < store.due < ours + HOUR - 14 * 60
        ours += HOUR + 2
        with pytest.raises(SigV4Error, match="away"):
            store.fetch()
        with pytest.raises(UnavailableError):
            store.get()


@pytest.mark.parametrize(("later", "requests"), [(40 * 60, 1), (50 * 60, 2), (HOUR + 2, 2)])
def test_a_cache_gives_none_that_have_ended_for_aws(tmp_path: Path, later: int, requests: int) -> None:
    """STS may grant less than was asked for, so it is not enough to count from now on."""
    ours = int(time.time())
    skipped = tmp_path / "skipped"
    clock = f"import os, time\ntime.time = lambda: {ours} + {later} * os.path.exists({str(skipped)!r})"
    program = write_program(tmp_path, CREDENTIAL_PROCESS, clock, "program")
    runtime = tmp_path / "runtime"
    runtime.mkdir(0o700)
    with bench(tmp_path) as runs, ScriptedServer(issued(ours + BEHIND)) as sts:
        words = runs.words(sts.endpoint, "--timeout=5s", "--cache", "--duration=36000")
        for _ in range(2):
            done = runs.box.run(*words, program=program, XDG_RUNTIME_DIR=os.fspath(runtime))
            assert (done.returncode, done.stderr) == (0, "")
            skipped.touch()
        assert len(sts.requests) == requests
