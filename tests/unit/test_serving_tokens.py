"""The token file: made, taken, refused, renewed, removed; the tokens of the metadata service."""

import os
import signal
import time
from pathlib import Path

import pytest

from cli.serving.tokens import Sessions, TokenFile
from cli.terminal.messages import UsageError

TOKEN = "a-token-of-the-test"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "token"


def theirs(path: Path, content: str = TOKEN, mode: int = 0o600) -> Path:
    path.write_text(content)
    path.chmod(mode)
    return path


def test_one_of_ours_is_made_renewed_and_removed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = TokenFile(str(path))
    assert not path.exists()
    assert not token.opens("")
    token.write()
    first = path.read_text()
    assert len(first) == 43
    assert path.stat().st_mode & 0o777 == 0o600
    assert token.opens(first)
    assert not token.opens(first[:-1])
    assert not token.opens(first + "\n")
    assert not token.opens("")
    token.renew()
    second = path.read_text()
    assert token.opens(first), "who read it a moment ago may use it"
    assert token.opens(second)
    assert first != second
    later = time.monotonic() + 61
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert not token.opens(first)
    assert token.opens(second)
    assert first not in repr(token)
    token.close()
    assert not path.exists()


def test_one_that_is_there_is_taken_read_again_and_left(path: Path) -> None:
    theirs(path)
    token = TokenFile(str(path))
    token.write()
    assert path.read_text() == TOKEN
    assert token.opens(TOKEN)
    path.write_text("the-next-token-of-the-owner")
    assert not token.opens("the-next-token-of-the-owner")
    token.renew()
    assert token.opens("the-next-token-of-the-owner")
    path.chmod(0o644)
    with pytest.raises(UsageError, match="others"):
        token.renew()
    assert token.opens("the-next-token-of-the-owner")
    token.close()
    assert path.exists()


def test_a_group_may_read_it(path: Path) -> None:
    assert TokenFile(str(theirs(path, mode=0o640))).opens(TOKEN)


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        (TOKEN, 0o644, "can be read or changed by others (mode 0644); run chmod 600"),
        (TOKEN, 0o660, "can be read or changed by others (mode 0660)"),
        (TOKEN + "\n", 0o600, "ends with a newline, which SDKs refuse; write the token with printf"),
        ("short", 0o600, "invalid token: expected 16 to 1024 printable ASCII characters"),
        ("", 0o600, "invalid token: expected"),
        ("two words of a token", 0o600, "invalid token: expected"),
        ("t" * 1025, 0o600, "invalid token: expected"),
        ("two-lines-of\r\nX-Header: a-token", 0o600, "invalid token: expected"),
    ],
)
def test_what_is_no_token_file_is_left_alone(path: Path, content: str, mode: int, says: str) -> None:
    theirs(path, content, mode)
    with pytest.raises(UsageError) as refused:
        TokenFile(str(path))
    assert says in str(refused.value)
    assert content.strip() == "" or content.strip() not in str(refused.value)
    assert path.read_bytes() == content.encode()


def test_other_kinds_of_files(path: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    path.symlink_to(theirs(tmp_path / "real"))
    (tmp_path / "directory").mkdir(0o700)
    (tmp_path / "dangling").symlink_to(tmp_path / "none")
    for name in ("fifo", "directory", "dangling"):
        with pytest.raises(UsageError):
            TokenFile(str(tmp_path / name))
    # As Kubernetes has them.
    assert TokenFile(str(path)).opens(TOKEN)
    with pytest.raises(UsageError, match="does not exist; create it"):
        TokenFile(str(tmp_path / "none" / "token"))


def test_a_file_that_came_in_between_is_not_replaced(path: Path) -> None:
    token = TokenFile(str(path))
    theirs(path)
    with pytest.raises(UsageError):
        token.write()
    token.close()
    assert path.read_text() == TOKEN


def test_a_file_that_another_has_put_there_is_not_removed(path: Path) -> None:
    token = TokenFile(str(path))
    token.write()
    theirs(path)
    token.close()
    assert path.read_text() == TOKEN


def test_a_renewal_that_cannot_be_written_leaves_the_old_token(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = TokenFile(str(path))
    token.write()
    (path.parent / f"{path.name}.{bytes(8).hex()}.tmp").mkdir()
    with monkeypatch.context() as context:
        context.setattr(os, "urandom", bytes)
        with pytest.raises(OSError, match="exists"):
            token.renew()
    later = time.monotonic() + 61
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert token.opens(path.read_text())


def test_sessions_end_and_take_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = Sessions()
    brief, longer = sessions.open(1), sessions.open(21600)
    assert brief != sessions.open(1)
    for _ in range(2000):
        sessions.open(60)
    assert sessions.has(brief)
    assert sessions.has(longer), "whoever asks for many takes nobody's away"
    later = time.monotonic_ns() + 1_100_000_000
    monkeypatch.setattr(time, "monotonic_ns", lambda: later)
    assert not sessions.has(brief)
    assert sessions.has(longer)
    assert len(vars(sessions)) == 1
    assert vars(sessions)["_key"].hex() not in repr(sessions)


def test_a_session_is_of_this_process_and_as_it_was_given() -> None:
    sessions = Sessions()
    token = sessions.open(60)
    assert not Sessions().has(token)
    end, nonce, mac = token.split(".")
    changed = [f"{int(end) + 1}.{nonce}.{mac}", f"{end}.{nonce}x.{mac}", f"{end}.{nonce}.{mac[:-1]}"]
    for other in (
        *changed,
        f"{end}.{nonce}.",
        f"0{token}",
        f"{token}\xff",
        "",
        ".",
        "..",
        "\xb2..",
        f"{nonce}.{mac}",
    ):
        assert not sessions.has(other), other


def test_the_file_of_a_running_server_is_refused(path: Path) -> None:
    first = TokenFile(str(path))
    first.write()
    for _ in range(2):
        with pytest.raises(UsageError, match="belongs to another running `tpmwire serve`, which removes it"):
            TokenFile(str(path))
        first.renew()
    token = path.read_text()
    if (pid := os.fork()) == 0:  # as the process after a timeout, which may end later
        time.sleep(60)
        os._exit(0)
    first.close()
    theirs(path, token)
    assert TokenFile(str(path)).opens(token)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_two_servers_can_share_a_file_of_the_user(path: Path) -> None:
    theirs(path)
    first, second = TokenFile(str(path)), TokenFile(str(path))
    first.close()
    second.renew()
    assert path.read_text() == TOKEN
