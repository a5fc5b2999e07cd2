"""The code of a second factor: from a program, and from a person at a terminal of the operating system."""

import os
import pty
import select
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.support import keys
from tests.support.front import Front
from tests.support.programs import CREDENTIAL_PROCESS, Machine, left_behind, write_program
from tests.support.sts import VerifyingSts

SERIAL = "arn:aws:iam::123456789012:mfa/me"
ROLE = "arn:aws:iam::123456789012:role/a"


def _words(box: Machine, sts: VerifyingSts, front: Front | None, *more: str) -> list[str]:
    key = [f"--aws-access-key-id={sts.access_key_id}", f"--persistentHandle={keys.PLAIN_HANDLE:#x}"]
    # Without an entrance there is no TPM either: nobody is asked.
    there = [f"--tpm-path={box.swtpm.path if front else '/nonexistent'}"]
    there.append(f"--endpoint-url={front.url if front else 'http://127.0.0.1:9'}")
    return [*key, *there, "--timeout=20s", f"--mfa-serial={SERIAL}", *more]


def _program(directory: Path, script: str) -> str:
    path = directory / "code"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return f"--mfa-process={path} word"


def test_a_code_from_a_program(box: Machine, sts: VerifyingSts, front: Front, tmp_path: Path) -> None:
    words = _words(box, sts, front, _program(tmp_path, '[ "$1" = word ] && echo " 123456 "'))
    done = box.run(*words)
    assert (done.returncode, done.stderr) == (0, "")
    form = front.seen[0].form()
    assert (form["SerialNumber"], form["TokenCode"]) == (SERIAL, "123456")
    assert left_behind(box.swtpm.path) == []


def test_a_code_of_the_command_line(box: Machine, sts: VerifyingSts, front: Front) -> None:
    """It is part of one request, but not of the cache's purpose: a run without it gets the same session."""
    done = box.run(*_words(box, sts, front, "--cache", "--mfa-code=012345"))
    assert (done.returncode, done.stderr) == (0, "")
    assert front.seen[0].form()["TokenCode"] == "012345"
    for again in ((), ("--mfa-code=987654",), ("--mfa-code", "987654", "--verbose")):
        cached = box.run(*_words(box, sts, front, "--cache", *again))
        assert cached.stdout == done.stdout
        assert "987654" not in cached.stderr
    assert len(front.seen) == 1


def test_a_code_of_the_command_line_for_a_role(
    box: Machine, sts: VerifyingSts, front: Front, tmp_path: Path
) -> None:
    """It comes before the profile's program, which would give another one."""
    words = [*_words(box, sts, front, _program(tmp_path, "echo 654321"))]
    roles = ["--assumeRole", f"--aws-arn={sts.role_arn}", f"--aws-arn={ROLE}"]
    done = box.run("exec", *words, *roles, "--mfa-code=123456", "--", "true", program=box.bin / "tpmwire")
    assert (done.returncode, done.stderr) == (0, "")
    assert [exchange.form().get("TokenCode") for exchange in front.seen] == ["123456", None]


@pytest.mark.parametrize("code", ["12345", "1234567", "abcdef", "12 456", "\u0661\u0662\u0663\u0664\u0665\u0666"])
def test_a_code_that_is_none(box: Machine, sts: VerifyingSts, code: str) -> None:
    done = box.run(*_words(box, sts, None, f"--mfa-code={code}"))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--mfa-code is not six digits" in done.stderr
    assert code not in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("serve", "--token-file=t", "--mfa-serial=me"), "--mfa-code is valid once"),
        (("exec", "--serve", "--mfa-serial=me", "--", "true"), "--mfa-code is valid once"),
        (("exec", "--", "true"), "--mfa-code needs --mfa-serial"),
        (("sign", "https://sqs.eu-west-1.amazonaws.com/"), "--mfa-code needs --mfa-serial"),
    ],
)
def test_verbs_without_a_use_for_a_code(box: Machine, words: tuple[str, ...], says: str) -> None:
    key = ["--aws-access-key-id=AKIAMADEUP", "--tpm-path=/nonexistent", "--mfa-code=123456"]
    done = box.run(words[0], *key, *words[1:], program=box.bin / "tpmwire")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert says in done.stderr


def test_a_profile_has_no_code(box: Machine, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile a]\nmfa_serial = me\ncredential_process = aws-tpm-process-credential --mfa-code=123456\n"
    )
    done = box.run("--profile=a", AWS_CONFIG_FILE=str(config))
    assert (done.returncode, "has --mfa-code, and AWS accepts a code once" in done.stderr) == (2, True)


def test_only_the_first_role_of_a_chain_has_the_code(
    box: Machine, sts: VerifyingSts, front: Front, tmp_path: Path
) -> None:
    roles = ["--assumeRole", f"--aws-arn={sts.role_arn}", f"--aws-arn={ROLE}"]
    done = box.run(*_words(box, sts, front, *roles, _program(tmp_path, "echo 123456")))
    assert (done.returncode, done.stderr) == (0, "")
    assert [exchange.form().get("TokenCode") for exchange in front.seen] == ["123456", None]


PROGRAMS = {
    "fails": ("echo 123456; exit 3", "failed with exit code 3"),
    "says nothing": (":", "must print six digits"),
    "says too little": ("echo 12345", "must print six digits"),
    "says more": ("echo 123456; echo 654321", "must print six digits"),
    "says other digits": (
        "printf '\\331\\241\\331\\242\\331\\243\\331\\244\\331\\245\\331\\246'",
        "must print six digits",
    ),
    "says endlessly": ("exec cat /dev/zero", "must print six digits"),
}


@pytest.mark.parametrize("case", PROGRAMS)
def test_a_program_that_gives_no_code(box: Machine, sts: VerifyingSts, tmp_path: Path, case: str) -> None:
    script, text = PROGRAMS[case]
    done = box.run(*_words(box, sts, None, _program(tmp_path, script)))
    assert (done.returncode, done.stdout) == (2, "")
    assert text in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["/nonexistent/program", "", "'", "/etc/hostname"])
def test_a_program_that_is_none(box: Machine, sts: VerifyingSts, command: str) -> None:
    done = box.run(*_words(box, sts, None, f"--mfa-process={command}"))
    assert done.returncode == 2
    assert "--mfa-process" in done.stderr
    assert done.stderr.count("\n") == 1


IMPATIENT = "import cli.credentials.mfa; cli.credentials.mfa._PATIENCE = 0.5"


def test_a_slow_program(box: Machine, sts: VerifyingSts, tmp_path: Path) -> None:
    """Its child has the pipe open too, and outlives it."""
    words = _words(box, sts, None, _program(tmp_path, "exec 2>&-; sleep 60; echo 123456"))
    began = time.monotonic()
    done = box.run(*words, program=write_program(tmp_path, CREDENTIAL_PROCESS, IMPATIENT))
    assert done.returncode == 2
    assert "did not finish within 0.5 seconds" in done.stderr
    assert time.monotonic() - began < 30


def test_a_program_that_has_said_it_and_stays(box: Machine, sts: VerifyingSts, tmp_path: Path) -> None:
    words = _words(box, sts, None, _program(tmp_path, "echo 123456; exec >&-; exec sleep 60"))
    done = box.run(*words, program=write_program(tmp_path, CREDENTIAL_PROCESS, IMPATIENT))
    assert (done.returncode, "did not finish within" in done.stderr) == (2, True)


def test_a_program_ends_with_us(box: Machine, sts: VerifyingSts, tmp_path: Path) -> None:
    running = tmp_path / "running"
    words = _words(
        box, sts, None, _program(tmp_path, f"echo $$ >{running}.new; mv {running}.new {running}; exec sleep 60")
    )
    process = box.start(*words)
    deadline = time.monotonic() + 20
    while not running.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert (process.communicate(timeout=20)[1], process.returncode) == (
        f"{CREDENTIAL_PROCESS}: interrupted\n",
        143,
    )
    with pytest.raises(ProcessLookupError):
        os.kill(int(running.read_text()), 0)


def test_no_terminal(box: Machine, sts: VerifyingSts) -> None:
    done = box.run(str(box.bin / CREDENTIAL_PROCESS), *_words(box, sts, None), program=Path("/usr/bin/setsid"))
    assert done.returncode == 2
    assert "no terminal to ask for the MFA code; give it with --mfa-code, or use --mfa-process" in done.stderr


class Terminal:
    """Our program, begun in the foreground of a terminal of its own; its output is not there, as with SDKs."""

    def __init__(self, box: Machine, *words: str, program: Path | None = None) -> None:
        path = program or box.bin / CREDENTIAL_PROCESS
        self._err, theirs = os.pipe()
        self.child, self.screen = pty.fork()
        if self.child == 0:
            try:
                os.dup2(0, 9)  # a terminal that nobody has open is gone
                os.dup2(theirs, 2)
                os.dup2(os.open(os.devnull, os.O_RDWR), 1)
                os.dup2(1, 0)
                os.execve(path, [str(path), *words], box.environment())
            finally:
                os._exit(99)
        os.close(theirs)
        self.shown = ""

    def wait_for(self, text: str) -> None:
        """Until the screen has shown the text since the last time."""
        while text not in self.shown:
            if not select.select([self.screen], [], [], 20)[0]:
                raise AssertionError(f"{text!r} is not in {self.shown!r}")
            self.shown += os.read(self.screen, 1024).decode()
        self.shown = self.shown.partition(text)[2]

    def type(self, text: str) -> None:
        """As a person would."""
        os.write(self.screen, text.encode())

    def ended(self) -> tuple[int, str]:
        """Exit code and stderr."""
        with open(self._err, closefd=True) as file:
            told = file.read()
        code = os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])
        os.close(self.screen)
        return code, told


ASKS = f"MFA code for {SERIAL}: "


def test_a_code_from_the_terminal(box: Machine, sts: VerifyingSts, front: Front) -> None:
    at = Terminal(box, *_words(box, sts, front))
    at.wait_for(ASKS)
    at.type("654321\n")
    assert at.ended() == (0, "")
    assert front.seen[0].form()["TokenCode"] == "654321"


def test_what_is_no_code_is_asked_for_again(box: Machine, sts: VerifyingSts, front: Front) -> None:
    at = Terminal(box, *_words(box, sts, front))
    for wrong in ("12345\n", "12345a\n"):
        at.wait_for(ASKS)
        at.type(wrong)
        at.wait_for("That is not six digits.")
    at.wait_for(ASKS)
    at.type(" 123456 \n")
    assert at.ended() == (0, "")
    assert [exchange.form()["TokenCode"] for exchange in front.seen] == ["123456"]


def test_a_program_that_asks_on_the_terminal(
    box: Machine, sts: VerifyingSts, front: Front, tmp_path: Path
) -> None:
    at = Terminal(
        box, *_words(box, sts, front, _program(tmp_path, "echo Touch me >/dev/tty; head -n 1 </dev/tty"))
    )
    at.wait_for("Touch me")
    at.type("222333\n")
    assert at.ended() == (0, "")
    assert front.seen[0].form()["TokenCode"] == "222333"


def test_three_times_no_code(box: Machine, sts: VerifyingSts) -> None:
    at = Terminal(box, *_words(box, sts, None))
    for _ in range(3):
        at.wait_for(ASKS)
        at.type("\n")
    code, told = at.ended()
    assert (code, told.count("\n")) == (2, 1)
    assert "not six digits" in told


def test_the_end_of_input(box: Machine, sts: VerifyingSts) -> None:
    at = Terminal(box, *_words(box, sts, None))
    at.wait_for(ASKS)
    at.type("\x04")
    code, told = at.ended()
    assert (code, "the MFA code is empty" in told) == (2, True)


def test_ctrl_c(box: Machine, sts: VerifyingSts) -> None:
    at = Terminal(box, *_words(box, sts, None))
    at.wait_for(ASKS)
    at.type("\x03")
    assert at.ended() == (130, f"{CREDENTIAL_PROCESS}: interrupted\n")


def test_nobody_answers(box: Machine, sts: VerifyingSts, tmp_path: Path) -> None:
    at = Terminal(box, *_words(box, sts, None), program=write_program(tmp_path, CREDENTIAL_PROCESS, IMPATIENT))
    at.wait_for(ASKS)
    code, told = at.ended()
    assert (code, "no MFA code was entered within 0.5 seconds" in told) == (2, True)


BACKGROUND = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:], process_group=0).returncode)"


def test_in_the_background(box: Machine, sts: VerifyingSts) -> None:
    """It ends; a read would stop it until somebody looks."""
    program = [str(box.bin / CREDENTIAL_PROCESS), *_words(box, sts, None)]
    at = Terminal(box, "-c", BACKGROUND, *program, program=Path(sys.executable))
    code, told = at.ended()
    assert (code, "bring this program to the foreground" in told) == (2, True)


def test_all_else_is_checked_before_somebody_is_asked(box: Machine, sts: VerifyingSts) -> None:
    at = Terminal(box, *_words(box, sts, None, "--assumeRole", f"--aws-arn={ROLE}", "--external-id=a"))
    code, told = at.ended()
    assert (code, "ExternalId" in told) == (2, True)
