"""Credentials as text, read back by the programs that it is for."""

import json
import shutil
import subprocess

import pytest

from cli.credentials.output import FORMATS, text
from sigv4.sts import Credentials

# STS's own secrets have / and +; the rest is what a shell would stumble over.
SECRET = "a/b+c'd\"e$HOME`id`\\f\\'g!*~#%"
CREDENTIALS = Credentials("ASIAEXAMPLEEXAMPLE00", SECRET, "token==", "2030-01-02T03:04:05Z", "123456789012")


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_a_shell_reads_them(shell: str) -> None:
    program = shutil.which(shell)
    assert program
    script = (
        text(CREDENTIALS, "export") + '\nprintf %s "$AWS_SECRET_ACCESS_KEY $AWS_SESSION_TOKEN $AWS_ACCOUNT_ID"'
    )
    done = subprocess.run([program, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == f"{SECRET} token== 123456789012"


def test_fish_and_powershell_quote_by_their_rules() -> None:
    assert """SECRET_ACCESS_KEY 'a/b+c\\'d"e$HOME`id`\\\\f\\\\\\'g!*~#%'""" in text(CREDENTIALS, "fish")
    assert """SECRET_ACCESS_KEY = 'a/b+c''d"e$HOME`id`\\f\\''g!*~#%'""" in text(CREDENTIALS, "powershell")


def test_json_and_env_have_the_same_values() -> None:
    process, plain = json.loads(text(CREDENTIALS, "process")), json.loads(text(CREDENTIALS, "json"))
    assert process == {"Version": 1, **plain}
    assert plain["SecretAccessKey"] == SECRET
    assert f"AWS_SECRET_ACCESS_KEY={SECRET}" in text(CREDENTIALS, "env").splitlines()


@pytest.mark.parametrize("form", FORMATS)
def test_an_account_that_is_not_known_is_left_out(form: str) -> None:
    unknown = Credentials("ASIAEXAMPLEEXAMPLE00", "secret", "token", "2030-01-02T03:04:05Z")
    assert "ACCOUNT" not in text(unknown, form).upper()
