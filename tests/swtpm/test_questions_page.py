"""docs/questions.md: every command runs, and its output has what the answer names."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs import ROOT
from tests.support.swtpm import Swtpm

PAGE = (ROOT / "docs" / "questions.md").read_text()
QUESTIONS = re.findall(r"^### ([^\n]+)\n\n```sh\n(.*?)```\n\n(.*?)(?=\n##|\Z)", PAGE, re.DOTALL | re.MULTILINE)


def test_the_page_has_questions_with_a_command_and_a_short_answer() -> None:
    assert len(QUESTIONS) == len(re.findall("^### ", PAGE, re.MULTILINE)) >= 27
    for question, _, answer in QUESTIONS:
        assert question.endswith("?")
        assert answer.strip().count("\n") < 3, question


@pytest.mark.parametrize(
    ("question", "commands", "answer"), QUESTIONS, ids=[question for question, _, _ in QUESTIONS]
)
def test_the_command_answers(question: str, commands: str, answer: str, swtpm: Swtpm, tmp_path: Path) -> None:
    for name, content in json.loads((ROOT / "fixtures/files/tpm2-tools.json").read_text()).items():
        (tmp_path / name).write_bytes(bytes.fromhex(content))
    log = (ROOT / "fixtures/event_logs/ovmf.bin").read_bytes()
    (tmp_path / "binary_bios_measurements").write_bytes(log)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "TPMWIRE_TPM_PATH": swtpm.tcti}
    done = subprocess.run(
        ["bash", "-euc", commands], check=False, cwd=tmp_path, env=environment, capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()
    named = re.findall(r"`((?:TPM|TSS2|PCR)[\w ]+)`", answer)
    output = (done.stdout + done.stderr).decode()
    assert named, question
    assert [name for name in named if name not in output] == []
