"""Prompts for secrets that are answered by nothing, or by what is no text: one line, and nothing of it shown."""

from pathlib import Path

import pytest

from tests.unit.test_cli_verbs import at_a_terminal

END_OF_INPUT = b"\x04"
NO_UTF8 = b"\xff\xfeJBSWY3DPEHPK3PXP"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (END_OF_INPUT, "tpmwire: nobody was there to type the "),
        (NO_UTF8, "characters that are none in this terminal's"),
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
