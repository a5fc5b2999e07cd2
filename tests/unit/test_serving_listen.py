"""Where `tpmwire serve` listens, and where it refuses to."""

import os
import socket
import stat
from pathlib import Path

import pytest

from cli.serving.listen import check_inherited, identity, tcp_listener, unix_listener, unlink_socket
from cli.terminal.messages import UsageError


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1"])
def test_loopback(address: str) -> None:
    with tcp_listener(address, 0) as listener:
        assert listener.getsockname()[0] == address
        check_inherited(listener)
        with socket.create_connection((address, listener.getsockname()[1]), timeout=30):
            pass


def test_a_unix_socket_never_has_more_permissions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    chmod = os.chmod

    def note_mode(path: str, mode: int) -> None:
        seen.append(stat.S_IMODE(os.stat(path).st_mode))
        chmod(path, mode)

    monkeypatch.setattr(os, "chmod", note_mode)
    with unix_listener(str(tmp_path / "socket"), 0o660):
        assert seen == [0o660]


@pytest.mark.parametrize(
    ("address", "port", "says"),
    [
        ("0.0.0.0", 0, "reachable from other machines"),
        ("::", 0, "reachable from other machines"),
        ("169.254.169.254", 0, "reachable from other machines"),
        ("10.0.0.1", 0, "reachable from other machines"),
        ("::ffff:127.0.0.1", 0, "reachable from other machines"),
        ("localhost", 0, "is not an IP address; use 127.0.0.1 or ::1"),
        ("", 0, "is not an IP address"),
        ("127.0.0.1", 65536, "--port 65536 is not valid"),
        ("127.0.0.1", -1, "--port -1 is not valid"),
    ],
)
def test_elsewhere(address: str, port: int, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        tcp_listener(address, port)


def test_a_port_that_is_taken() -> None:
    with tcp_listener("127.0.0.1", 0) as first, pytest.raises(UsageError, match="in use; give another --port"):
        tcp_listener("127.0.0.1", first.getsockname()[1])


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_a_socket_has_its_mode_whatever_the_umask(tmp_path: Path, mode: int) -> None:
    before = os.umask(0o027)
    try:
        with unix_listener(str(tmp_path / "s"), mode) as listener:
            found = (tmp_path / "s").lstat()
            assert stat.S_ISSOCK(found.st_mode)
            assert found.st_mode & 0o777 == mode
            check_inherited(listener)
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with unix_listener(str(path), 0o600), pytest.raises(UsageError, match="in use by another program"):
        unix_listener(str(path), 0o600)
    assert path.exists(), "as after SIGKILL"
    with unix_listener(str(path), 0o600), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("theirs")
    (tmp_path / "link").symlink_to(file)
    for name in ("file", "link", ""):
        with pytest.raises(UsageError, match="exists and is not a socket"):
            unix_listener(str(tmp_path / name), 0o600)
    assert file.read_text() == "theirs"
    for path, says in ((f"/tmp/{'x' * 200}", "107 bytes"), ("", "107 bytes"), ("/tmp/none/s", "No such file")):
        with pytest.raises(UsageError, match=says):
            unix_listener(path, 0o600)


def test_only_the_own_socket_is_removed(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with unix_listener(path, 0o600) as first:
        bound = identity(path)
        kept = f"{path}.kept"
        os.rename(path, kept)  # its number is not free for the next
        with unix_listener(path, 0o600):
            unlink_socket(path, bound)
            assert os.path.exists(path)
            unlink_socket(kept, bound)
            assert not os.path.exists(kept)
        assert first.fileno() >= 0
    unlink_socket(path, bound)
    assert os.path.exists(path)


def test_sockets_of_systemd_that_are_none_for_us() -> None:
    beyond = pytest.raises(UsageError, match=r"which other machines can reach; use ListenStream=127\.0\.0\.1:8911")
    with socket.create_server(("0.0.0.0", 0)) as everywhere, beyond:
        check_inherited(everywhere)
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(UsageError, match="Accept=no"):
        check_inherited(ours)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(("127.0.0.1", 0))
        with pytest.raises(UsageError, match="does not listen for streams"):
            check_inherited(datagrams)
