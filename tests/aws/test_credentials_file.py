"""`--format credentials-file`: read by botocore and the aws command, and what the file withstands."""

import configparser
import fcntl
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.awsconfig import credentials_file
from cli.awsconfig import files as aws_files
from cli.terminal.messages import UsageError
from sigv4.sts import Credentials
from tests.support import keys
from tests.support.programs import CREDENTIAL_PROCESS, ROOT, Machine
from tests.support.sts import VerifyingSts

CREDENTIALS = Credentials("ASIAEXAMPLEEXAMPLE00", "a/b+c%d", "token+/==", "2030-01-02T03:04:05Z", "123456789012")
OTHER = Credentials("ASIAEXAMPLEEXAMPLE00", "a/b+c%d", "other", "2030-01-02T03:04:05Z")
LINES = (
    "aws_access_key_id = ASIAEXAMPLEEXAMPLE00\naws_secret_access_key = a/b+c%d\naws_session_token = token+/==\n"
    "aws_account_id = 123456789012\nexpiration = 2030-01-02T03:04:05Z\n"
)
LONG_TERM = "[tpm]\naws_access_key_id = AKIAEXAMPLEEXAMPLE00\naws_secret_access_key = not/to/be/lost\n"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "aws" / "credentials"
    path.parent.mkdir()
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    yield path
    assert [found.name for found in path.parent.iterdir() if found.name != "real"] in ([], ["credentials"])


def _words(sts: VerifyingSts, path: str, *more: str) -> list[str]:
    key = [f"--aws-access-key-id={sts.access_key_id}", f"--persistentHandle={keys.PLAIN_HANDLE:#x}"]
    role = ["--assumeRole", f"--aws-arn={sts.role_arn}"]
    form = ["--format=credentials-file", "--credentials-profile=tpm"]
    return [*key, *role, *form, f"--tpm-path={path}", f"--endpoint-url={sts.endpoint}", "--timeout=20s", *more]


def test_the_aws_command_and_botocore_use_them(box: Machine, sts: VerifyingSts, file: Path) -> None:
    file.write_text("[default]\naws_access_key_id = AKIAOTHER\n")
    done = box.run(*_words(sts, box.swtpm.path), AWS_SHARED_CREDENTIALS_FILE=str(file))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    command = ["aws", "sts", "get-caller-identity", "--profile=tpm", "--region=us-east-1", "--output=json"]
    environment = box.environment(AWS_SHARED_CREDENTIALS_FILE=str(file), AWS_ENDPOINT_URL=sts.endpoint)
    asked = subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)
    assert ":assumed-role/demo/" in json.loads(asked.stdout)["Arn"]
    found = botocore.session.Session(profile="tpm").get_credentials()
    assert found is not None
    assert (found.method, found.token is not None) == ("shared-credentials-file", True)
    assert file.read_text().startswith("[default]\naws_access_key_id = AKIAOTHER\n\n[tpm]\n")
    again = box.run(*_words(sts, box.swtpm.path, "--verbose"), AWS_SHARED_CREDENTIALS_FILE=str(file))
    assert f"wrote the profile tpm to {file}, valid until 2" in again.stderr
    assert file.read_text().count("[tpm]") == 1
    assert botocore.session.Session(profile="tpm").get_credentials().access_key != found.access_key


@pytest.mark.parametrize(
    ("words", "content", "says"),
    [
        ((), LONG_TERM, "has a long-term key, which would be lost"),
        ((), LONG_TERM + LONG_TERM, "more than once"),
        (("--credentials-profile=a]b",), "", "not a valid profile name"),
        (("--credentials-profile=",), "", "needs --credentials-profile"),
        (("--format=json",), "", "need --format credentials-file"),
    ],
)
def test_refused_before_the_tpm_is_asked(
    box: Machine, sts: VerifyingSts, file: Path, words: tuple[str, ...], content: str, says: str
) -> None:
    file.write_text(content)
    done = box.run(*_words(sts, "/nonexistent", *words), AWS_SHARED_CREDENTIALS_FILE=str(file))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert says in done.stderr
    assert file.read_text() == content


def test_a_directory_that_cannot_be_written(box: Machine, sts: VerifyingSts, file: Path) -> None:
    """By root either, which a read-only disk stops."""
    words = ["--mount", "sh", "-c", 'mount -t tmpfs -o ro tmpfs "$D" && exec "$0" "$@"']
    program = str(box.bin / CREDENTIAL_PROCESS)
    done = box.run(
        *words,
        program,
        *_words(sts, "/nonexistent"),
        program=Path("/usr/bin/unshare"),
        AWS_SHARED_CREDENTIALS_FILE=str(file),
        D=str(file.parent),
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert f"cannot write {file}: {file.parent} is not writable; " in done.stderr


def test_a_place_that_is_none(box: Machine, sts: VerifyingSts, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, says in ((tmp_path, "not a regular file"), (tmp_path / "pipe", "not a regular file")):
        done = box.run(*_words(sts, "/nonexistent"), AWS_SHARED_CREDENTIALS_FILE=str(path))
        assert (done.returncode, says in done.stderr) == (2, True)


@pytest.mark.parametrize("end", ["\n", "\r", "\v", "\u2028"])
def test_no_value_brings_a_setting_of_its_own(file: Path, end: str) -> None:
    hostile = Credentials("ASIA", f"s{end}credential_process = x", "token", "2030-01-02T03:04:05Z")
    with pytest.raises(UsageError, match="cannot hold"):
        credentials_file.write_credentials("tpm", hostile, overwrite=False)


def test_a_file_that_is_new(file: Path) -> None:
    file.parent.rmdir()
    assert credentials_file.write_credentials("tpm", CREDENTIALS, overwrite=False) == str(file)
    assert file.read_text() == "[tpm]\n" + LINES
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_link_stays_one_and_the_file_becomes_private(file: Path) -> None:
    real = file.parent / "real"
    real.write_text("# mine\n")
    real.chmod(0o644)
    file.symlink_to("real")
    credentials_file.write_credentials("tpm", CREDENTIALS, overwrite=False)
    assert os.readlink(file) == "real"
    assert real.read_text() == "# mine\n\n[tpm]\n" + LINES
    assert stat.S_IMODE(real.stat().st_mode) == 0o600


def test_a_long_term_key_is_replaced_when_told_and_temporary_ones_always(file: Path) -> None:
    file.write_text(LONG_TERM + "region = eu-west-1\n")
    with pytest.raises(UsageError, match="would be lost"):
        credentials_file.write_credentials("tpm", CREDENTIALS, overwrite=False)
    credentials_file.write_credentials("tpm", CREDENTIALS, overwrite=True)
    first = file.read_text()
    assert "not/to/be/lost" not in first
    assert "region = eu-west-1\n" in first
    credentials_file.write_credentials("tpm", OTHER, overwrite=False)
    assert file.read_text() == first.replace("token+/==", "other").replace("aws_account_id = 123456789012\n", "")


BEFORE = b"# caf\xe9, in Latin-1\r\n[a]\r\naws_access_key_id=AKIA1\r\n; note\r\n\r\n[tpm]  # ours\r\n# kept\r\n"
AFTER = b"\n[z]\n\taws_secret_access_key = x\n  indented\n# the end, without a line's"


def test_what_else_is_there_stays_to_the_octet(file: Path) -> None:
    file.write_bytes(BEFORE + AFTER)
    for _ in range(2):
        credentials_file.write_credentials("tpm", CREDENTIALS, overwrite=False)
        head, tail = BEFORE.split(b"# kept")
        assert file.read_bytes() == head + LINES.encode() + b"# kept" + tail + AFTER


NAMES = st.sampled_from(["a", "default", "other one", "tpm2"])
BODY = st.lists(
    st.sampled_from(
        [b"x = 1\n", b"# c\n", b"\n", b"; [tpm]\n", b"  y\r\n", b"k=[tpm]\n", b"\xff\xfe\n", b" [tpm]\n"]
    )
)
SECTIONS = st.lists(st.tuples(NAMES, BODY), max_size=4, unique_by=lambda section: section[0])


@given(before=SECTIONS, after=BODY, preamble=BODY)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_keeps_its_octets(
    file: Path, before: list[tuple[str, list[bytes]]], after: list[bytes], preamble: list[bytes]
) -> None:
    others = b"".join(preamble) + b"".join(f"[{name}]\n".encode() + b"".join(body) for name, body in before)
    tail = b"[tail]\n" + b"".join(after)
    before_us = others + b"[tpm]\n" + tail
    file.write_bytes(before_us)
    try:
        configparser.RawConfigParser().read_string(before_us.decode("latin-1"))
    except configparser.Error:
        # No program of AWS's would find the credentials there.
        with pytest.raises(UsageError):
            credentials_file.write_credentials("tpm", CREDENTIALS, overwrite=False)
        assert file.read_bytes() == before_us
        return
    credentials_file.write_credentials("tpm", CREDENTIALS, overwrite=False)
    assert file.read_bytes() == others + b"[tpm]\n" + LINES.encode() + tail
    credentials_file.write_credentials("new", CREDENTIALS, overwrite=False)
    assert file.read_bytes().startswith(others + b"[tpm]\n" + LINES.encode() + tail)


# A program whose credentials need no TPM: only what is written is looked at.
WRITER = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from cli.awsconfig import credentials_file
from cli.awsconfig import files as aws_files
from cli.terminal.messages import guarded
from sigv4.sts import Credentials
values = Credentials("ASIAEXAMPLEEXAMPLE00", "secret", sys.argv[1] * 50, "2030-01-02T03:04:05Z")
sys.exit(
    guarded(
        "{CREDENTIAL_PROCESS}",
        lambda: credentials_file.write_credentials(sys.argv[1], values, overwrite=False) and 0,
    )
)
"""


def test_runs_at_once_lose_nothing(file: Path) -> None:
    names = [f"profile{number}" for number in range(12)]
    running = [subprocess.Popen([sys.executable, "-c", WRITER, name]) for name in names]
    assert [run.wait(60) for run in running] == [0] * len(names)
    text = file.read_text()
    assert all(f"[{name}]\n" in text and f"aws_session_token = {name * 50}\n" in text for name in names)


def test_keys_in_the_file_win_over_a_process(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which docs/profiles.md warns of."""
    config = file.parent.parent / "config"
    config.write_text("[profile tpm]\ncredential_process = /bin/false\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    credentials_file.write_credentials("tpm", CREDENTIALS, overwrite=False)
    found = botocore.session.Session(profile="tpm").get_credentials()
    assert found is not None
    assert (found.access_key, found.account_id) == ("ASIAEXAMPLEEXAMPLE00", "123456789012")


def test_a_lock_that_nobody_gives_back(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_files, "_PATIENCE", 0.1)
    descriptor = os.open(file.parent, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(UsageError, match="locked by another program after"):
        credentials_file.write_credentials("tpm", CREDENTIALS, overwrite=False)
    os.close(descriptor)
    credentials_file.write_credentials("tpm", CREDENTIALS, overwrite=False)


TROUBLE = {
    "a full disk": ("mount -t tmpfs -o size=8k tmpfs $D", "head -c 9000 /dev/zero >$D/fill 2>&-", "No space left"),
    "a limit of sizes": ("", "ulimit -f 0", "File too large"),
    "a disk that is read-only": ("mount -t tmpfs tmpfs $D", "mount -o remount,ro $D", "Read-only file system"),
}


@pytest.mark.parametrize("name", TROUBLE)
def test_the_old_file_stays_whole(file: Path, name: str) -> None:
    """In a mount namespace of its own."""
    before, after, says = TROUBLE[name]
    old = "[tpm]\naws_access_key_id = old\naws_session_token = old\n"
    script = f"""
        exec 3>&1
        {before}
        printf '{old}' >$D/credentials || exit 90
        ({after}; exec "$0" -c "$1" tpm >&-)
        code=$?
        cat $D/credentials; ls -A $D | grep -vx -e credentials -e fill
        exit $code
    """
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, sys.executable, WRITER],
        env={**os.environ, "D": str(file.parent)},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, old), done.stderr
    assert f"{file}: {says}" in done.stderr
    assert done.stderr.count("\n") == 1
