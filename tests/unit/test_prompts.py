"""Prompts for secrets that are answered by nothing, or by what is no text: one line, and nothing of it shown."""

import subprocess
from pathlib import Path

import pytest

from tests.support.terminal import at_a_terminal
from tests.support.verbs import PROGRAM

END_OF_INPUT = b"\x04"
NO_UTF8 = b"\xff\xfeJBSWY3DPEHPK3PXP"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (END_OF_INPUT, ": no terminal, or end of input; "),
        (NO_UTF8, "characters that this terminal's encoding cannot represent"),
    ],
)
@pytest.mark.parametrize(
    "words",
    [
        ["import", "--out", "{}/a.pem"],
        ["totp", "import", "--out", "{}/a.pem"],
        ["import", "--out", "{}/a.pem", "PROMPT"],
    ],
    ids=["a key", "a token", "a password"],
)
def test_an_answer_that_is_none(words: list[str], answer: bytes, told: str, tmp_path: Path) -> None:
    answers, given = [answer], [word.format(tmp_path) for word in words]
    if given[-1] == "PROMPT":
        given[-1] = "--key-auth-prompt"
        answers = [b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", answer]
    code, shown = at_a_terminal([*given, "--tpm-path", "/dev/null/tpm"], answers)
    assert (code, told in shown) == (2, True), shown
    assert "Traceback" not in shown
    assert "JBSW" not in shown
    # Each prompt is a line, and so is what is told.
    assert shown.count("tpmwire: ") == 1


def test_without_a_terminal_nothing_is_read_from_standard_input() -> None:
    """Where it would be shown, and is another secret's place."""
    words = [*PROGRAM, "import", "--out=/tmp/new.pem", "--key-auth-prompt", "--tpm-path=/dev/null/tpm"]
    done = subprocess.run(
        words,
        input=b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n",
        capture_output=True,
        check=False,
        start_new_session=True,
    )
    told = b"tpmwire: cannot read the password of the key: no terminal, or end of input; give it in a file\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, b"", told)


@pytest.mark.parametrize("words", [["--delete-old"], ["--resume", "--discard=AKIANEW"]])
def test_at_a_terminal_an_access_key_is_deleted_when_the_user_agrees(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    code, shown = at_a_terminal(["rotate", "--profile=made-up", *words], [b"n"], b"[y/N] ")
    assert (code, "nothing was changed" in shown) == (2, True), shown
    code, shown = at_a_terminal(["rotate", "--profile=made-up", *words, "--yes"], [], b"[y/N] ")
    assert (code, "permanently" in shown) == (2, False), shown
