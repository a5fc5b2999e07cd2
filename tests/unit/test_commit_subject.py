"""The hook that refuses long commit subjects, and the configuration that installs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs import ROOT
from tools.commit_subject import problem

CONFIGURATION = (ROOT / ".pre-commit-config.yaml").read_text()


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ("a" * 72, None),
        ("a" * 73, "has 73 characters, more than 72"),
        ("Refuse empty passwords\n\nThe TPM counts them.\n", None),
        ("Refuse empty passwords\nThe TPM counts them.\n", "second line"),
        ("# Please enter the commit message\nRefuse empty passwords\n# On branch main\n", None),
        ("\n# On branch main\n", "no subject"),
        ("", "no subject"),
        ("fixup! " + "a" * 72, None),
    ],
)
def test_messages(message: str, says: str | None) -> None:
    found = problem(message)
    assert found is says is None or (found and says and says in found)


def test_git_refuses_the_commit(tmp_path: Path) -> None:
    """As a hook of git, run as pre-commit runs it: with the message's file, in the repository."""
    (entry,) = [line.split()[-1] for line in CONFIGURATION.splitlines() if "tools/" in line and "entry:" in line]
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    for name in [name for name in environment if name.startswith("GIT_") and "CONFIG" not in name]:
        del environment[name]

    def git(*words: str) -> int:
        done = subprocess.run(
            ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *words],
            check=False,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
        )
        return done.returncode

    assert git("init", "-q") == 0
    hook = tmp_path / ".git" / "hooks" / "commit-msg"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROOT}/{entry}" "$1"\n')
    hook.chmod(0o755)
    assert git("commit", "--allow-empty", "-m", "a" * 73) == 1
    assert git("commit", "--allow-empty", "-m", "a" * 72) == 0


def test_every_hook_is_installed_by_make_setup() -> None:
    entries = [line.split(": ", 1)[1].split() for line in CONFIGURATION.splitlines() if " entry: " in line]
    assert [words[0] for words in entries] == [".venv/bin/ruff", ".venv/bin/ruff", ".venv/bin/mypy", "python3"]
    lint = (ROOT / "Makefile").read_text().split("\nlint:", 1)[1].split("\n\n", 1)[0]
    assert all(" ".join(words).replace(".venv", "$(VENV)") in lint for words in entries[:3])
