"""The other STS operations by option: what is sent, and what is refused before TPM and network are asked."""

import json
import os
import pty
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from tests.support import keys
from tests.support.programs import KEY_ID, Machine, left_behind
from tests.support.scripted import STS_ANSWER, ScriptedServer, http, say
from tests.support.sts import VerifyingSts

HANDLE = f"--persistentHandle={keys.PLAIN_HANDLE:#x}"
ROLE = "arn:aws:iam::123456789012:role/a"
SERIAL = "arn:aws:iam::123456789012:mfa/me"


def _common(box: Machine, endpoint: str, key_id: str) -> list[str]:
    path = f"--tpm-path={box.swtpm.path}"
    return [path, f"--aws-access-key-id={key_id}", f"--endpoint-url={endpoint}", "--timeout=20s", HANDLE]


def test_a_role_assumed_by_a_role(box: Machine, sts: VerifyingSts) -> None:
    arns = [f"--aws-arn={sts.role_arn}", f"--aws-arn={sts.role_arn}"]
    done = box.run(
        *_common(box, sts.endpoint, sts.access_key_id),
        *arns,
        *("--assumeRole", "--external-id=ab", "--tag=team=x", "--transitive-tag-key=team", "--source-identity=me"),
    )
    # The role of the test may do nothing, so that the second call is refused: as the first role's session.
    assert done.returncode != 0
    assert f"assumed-role/{sts.role_arn.rpartition('/')[2]}" in done.stderr
    assert left_behind(box.swtpm.path) == []


def test_a_federated_user(box: Machine, sts: VerifyingSts, tmp_path: Path) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text('{"Version":"2012-10-17","Statement":[]}\n')
    words = ("--federation-name=bob", f"--policy-file={policy}", "--tag=a=b=c")
    done = box.run(*_common(box, sts.endpoint, sts.access_key_id), *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["SessionToken"]


def _form(server: ScriptedServer) -> dict[str, list[str]]:
    return parse_qs(server.requests[0].partition(b"\r\n\r\n")[2].decode())


def test_mfa_code_from_a_program(box: Machine) -> None:
    with ScriptedServer(say(http("200 OK", STS_ANSWER))) as server:
        words = (f"--mfa-serial={SERIAL}", "--mfa-process=echo 123456")
        done = box.run(*_common(box, server.endpoint, KEY_ID), *words)
    assert (done.returncode, done.stderr) == (0, "")
    form = _form(server)
    assert (form["SerialNumber"], form["TokenCode"]) == ([SERIAL], ["123456"])


def test_mfa_code_from_the_terminal(box: Machine) -> None:
    with ScriptedServer(say(http("200 OK", STS_ANSWER))) as server:
        words = [*_common(box, server.endpoint, KEY_ID), f"--mfa-serial={SERIAL}"]
        child, terminal = pty.fork()
        if child == 0:
            # A session of its own, whose terminal is the pty: as a program that an SDK runs has it.
            try:
                done = box.run(*words)
                os._exit(done.returncode)
            finally:
                os._exit(99)
        shown = b""
        while b": " not in shown:
            shown += os.read(terminal, 1024)
        os.write(terminal, b"654321\n")
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.close(terminal)
    assert code == 0
    assert SERIAL.encode() in shown
    assert _form(server)["TokenCode"] == ["654321"]


REFUSED = {
    "short external id": (["--assumeRole", f"--aws-arn={ROLE}", "--external-id=a"], "ExternalId"),
    "two operations": (["--assumeRole", f"--aws-arn={ROLE}", "--federation-name=bob"], "two operations"),
    "a limit that would not limit": (["--policy={}"], "--policy does not go with this operation"),
    "tag without value": (["--federation-name=bob", "--tag=a"], "KEY=VALUE"),
    "tag twice": (["--federation-name=bob", "--tag=a=1", "--tag=a=2"], "given twice"),
    "root without task": (["--root-of=123456789012"], "--task-policy-arn"),
    "long chain": (["--assumeRole", f"--aws-arn={ROLE}", f"--aws-arn={ROLE}", "--duration=3601"], "3600"),
    "program without device": (["--mfa-process=true"], "--mfa-serial"),
    "no code": ([f"--mfa-serial={SERIAL}", "--mfa-process=echo 12345"], "six digits"),
    "failing program": ([f"--mfa-serial={SERIAL}", "--mfa-process=false"], "ended with 1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_the_tpm_is_asked(box: Machine, case: str) -> None:
    words, text = REFUSED[case]
    # No TPM is there, and no server: neither is asked.
    done = box.run(*_common(box, "http://127.0.0.1:9", KEY_ID), "--tpm-path=/nonexistent", *words)
    assert done.returncode == 2
    assert text in done.stderr
    assert done.stderr.count("\n") == 1
