"""Changes of ~/.aws/config and ~/.aws/credentials by runs at once, and what is in such files besides."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.awsconfig import files as aws_files
from cli.awsconfig.plaintext import Plaintext, remove_plaintext
from cli.awsconfig.profiles import write_profile
from cli.lifecycle.profiles import switch_profiles
from cli.terminal.messages import UsageError
from cli.toolbox import main

COMMAND = "aws-tpm-process-credential --aws-access-key-id=AKIAOLD --persistentHandle=0x81010002"
PLAIN = "[default]\naws_access_key_id = AKIAOLD\naws_secret_access_key = not/to/be/lost\n"
KEY = Plaintext("credentials", "AKIAOLD", "not/to/be/lost", None)
WRITERS: dict[str, Callable[[], object]] = {
    "import and enroll": lambda: write_profile("new", COMMAND),
    "enroll --remove-plaintext": lambda: remove_plaintext("default", KEY),
    "rotate": lambda: switch_profiles("AKIAOLD", lambda _: COMMAND.replace("OLD", "NEW")),
}


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "credentials").write_text(PLAIN)
    (tmp_path / "config").write_text(f"[profile old]\ncredential_process = {COMMAND}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return tmp_path / "config"


@pytest.mark.parametrize("who", WRITERS)
def test_nobody_writes_while_another_run_is_about_to(
    who: str, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws_files, "_PATIENCE", 0.1)
    before = {path: path.read_bytes() for path in config.parent.iterdir()}
    descriptor = os.open(config.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="locked by another program"):
            WRITERS[who]()
    finally:
        os.close(descriptor)
    assert {path: path.read_bytes() for path in config.parent.iterdir()} == before
    WRITERS[who]()
    assert {path: path.read_bytes() for path in config.parent.iterdir()} != before


def test_profiles_of_several_runs_at_once_are_all_there(config: Path) -> None:
    """Each holds its change back until all have begun."""
    start = (
        "import sys, time; from cli.awsconfig import profiles, files as aws_files; read = aws_files.read_text\n"
        "aws_files.read_text = lambda path: (read(path), time.sleep(0.2))[0]\n"
        "print('ready', flush=True); input(); profiles.write_profile(sys.argv[1], 'true')"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", start, f"p{number}"], stdin=-1, stdout=-1, text=True)
        for number in range(4)
    ]
    for run in runs:
        assert run.stdout is not None
        assert run.stdout.readline() == "ready\n"
    for run in runs:
        assert run.stdin is not None
        run.stdin.write("go\n")
        run.stdin.flush()
    for run in runs:
        run.communicate(timeout=60)
    assert [run.returncode for run in runs] == [0] * 4
    assert [f"[profile p{number}]" in config.read_text() for number in range(4)] == [True] * 4


def test_what_else_is_in_the_file_stays_as_it_is(config: Path) -> None:
    """Line ends of Windows, and a comment in an old encoding."""
    besides = b"# f\xfcr alle\r\n[profile other]\r\nregion = eu-central-1\r\n"
    config.write_bytes(besides)
    write_profile("new", COMMAND)
    assert config.read_bytes().startswith(besides)
    assert f"credential_process = {COMMAND}\n" in config.read_text(encoding="latin-1")


def test_a_file_that_nothing_is_changed_in_keeps_its_mode(config: Path) -> None:
    config.chmod(0o644)
    before = config.stat()
    remove_plaintext("default", KEY)
    after = config.stat()
    assert (after.st_mode, after.st_ino, after.st_mtime_ns) == (before.st_mode, before.st_ino, before.st_mtime_ns)


def test_what_is_no_file(config: Path) -> None:
    config.unlink()
    os.mkfifo(config)
    with pytest.raises(UsageError, match="not a regular file"):
        write_profile("new", COMMAND)


@pytest.mark.parametrize("verb", ["import", "enroll"])
def test_a_config_that_cannot_be_is_told_before_the_tpm_is_asked(
    verb: str, config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No key in a TPM whose profile nobody has seen."""
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config / "more" / "config"))
    words = (
        ["--write-profile=new", "--out=new.pem", "--aws-access-key-id=AKIAMADEUPMADEUPMADE"]
        if verb == "import"
        else []
    )
    assert main([verb, "--tpm-path=/nonexistent/tpm", *words]) == 2
    assert f"cannot write {config}/more/config: {config} is not a directory; " in capsys.readouterr().err
