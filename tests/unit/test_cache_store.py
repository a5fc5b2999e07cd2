"""The cache's directory and files: of the user alone, whole, and never through somebody else's link."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.credentials.cache.sealed import LIMIT
from cli.credentials.cache.store import CacheFile, UnfitError, place

OTHER = 65534  # nobody


def test_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert place() == f"{tmp_path}/tpmwire"
    for ignored in ("relative", str(tmp_path / "missing")):
        monkeypatch.setenv("XDG_RUNTIME_DIR", ignored)
        assert place() == "/home/me/.cache/tpmwire"
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert place() == "/caches/tpmwire"


@pytest.mark.parametrize("home", ["", "/", "relative", None])
def test_without_a_home_there_is_no_place(monkeypatch: pytest.MonkeyPatch, home: str | None) -> None:
    """Not below the working directory. Without HOME the user database says, which has not everybody."""
    for name in ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    if home is not None:
        monkeypatch.setenv("HOME", home)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    with pytest.raises(UnfitError, match="set HOME, or XDG_RUNTIME_DIR"):
        place()


def test_in_another_users_place_none_is_made(tmp_path: Path) -> None:
    """As for root, with a user's environment."""
    os.chown(tmp_path, OTHER, OTHER)
    with pytest.raises(UnfitError, match="belongs to another user"):
        CacheFile(str(tmp_path / "dir"), "name")
    assert os.listdir(tmp_path) == []


def test_a_file_comes_whole_and_is_replaced(tmp_path: Path) -> None:
    store = CacheFile(str(tmp_path / "a" / "b"), "name")
    assert store.read() is None
    store.write(b"one")
    store.write(b"two")
    assert store.read() == b"two"
    assert os.listdir(tmp_path / "a" / "b") == ["name"]
    store.close()


def test_no_more_is_read_than_a_cache_can_have(tmp_path: Path) -> None:
    store = CacheFile(str(tmp_path / "dir"), "name")
    store.write(bytes(3 * LIMIT))
    found = store.read()
    assert found is not None
    assert len(found) == LIMIT + 1
    store.close()


@pytest.mark.parametrize("mode", [0o750, 0o701, 0o777, 0o1777])
def test_a_directory_that_others_may_enter_is_refused(tmp_path: Path, mode: int) -> None:
    directory = tmp_path / "dir"
    directory.mkdir()
    directory.chmod(mode)
    with pytest.raises(UnfitError, match="0700"):
        CacheFile(str(directory), "name")


def test_another_users_directory_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / "dir"
    directory.mkdir(0o700)
    os.chown(directory, OTHER, OTHER)
    with pytest.raises(UnfitError, match="belong to you"):
        CacheFile(str(directory), "name")


def test_a_link_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(0o700)
    (tmp_path / "dir").symlink_to(tmp_path / "real")
    with pytest.raises(UnfitError):
        CacheFile(str(tmp_path / "dir"), "name")


def test_a_file_that_others_made_or_can_read_is_not_read(tmp_path: Path) -> None:
    store = CacheFile(str(tmp_path / "dir"), "name")
    store.write(b"mine")
    file = tmp_path / "dir" / "name"
    file.chmod(0o640)
    with pytest.raises(UnfitError, match="remove it"):
        store.read()
    file.chmod(0o600)
    os.chown(file, OTHER, OTHER)
    with pytest.raises(UnfitError, match="remove it"):
        store.read()
    store.close()


def test_links_are_neither_read_nor_written_through(tmp_path: Path) -> None:
    store = CacheFile(str(tmp_path / "dir"), "name")
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    victim.chmod(0o600)
    (tmp_path / "dir" / "name").symlink_to(victim)
    with pytest.raises(UnfitError):
        store.read()
    store.write(b"new")
    assert (store.read(), victim.read_bytes()) == (b"new", b"precious")
    (tmp_path / "dir" / "name.lock").symlink_to(victim)
    with pytest.raises(UnfitError), store.alone(1):
        raise AssertionError
    store.close()


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    store = CacheFile(str(tmp_path / "dir"), "name")
    os.mkfifo(tmp_path / "dir" / "name", 0o600)
    with pytest.raises(UnfitError):
        store.read()
    store.close()


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    """A limit on file sizes stands for it: write(2) fails in the middle all the same."""
    program = (
        "import resource, signal, sys\n"
        "from cli.credentials.cache.store import CacheFile, UnfitError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "store = CacheFile(sys.argv[1], 'name')\n"
        "store.write(b'old')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "try:\n    store.write(bytes(200))\n"
        "except UnfitError as error:\n    print(error)\n"
        "assert store.read() == b'old'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "dir")], capture_output=True, text=True, check=True
    )
    assert "File too large" in done.stdout
    assert os.listdir(tmp_path / "dir") == ["name"]


def test_one_at_a_time(tmp_path: Path) -> None:
    first, second = (CacheFile(str(tmp_path / "dir"), "name") for _ in range(2))
    with first.alone(0) as mine, second.alone(0.05) as theirs:
        assert (mine, theirs) == (True, False)
    with second.alone(0) as theirs:
        assert theirs
    first.close()
    second.close()


def test_a_process_in_the_background_does_not_hold_the_lock(tmp_path: Path) -> None:
    """`cli.tpm.cleanup` leaves one behind that may live a minute longer than the run."""
    first, second = (CacheFile(str(tmp_path / "dir"), "name") for _ in range(2))
    end, hold = os.pipe()
    with first.alone(0):
        child = os.fork()
        if child == 0:
            os.close(hold)
            os.read(end, 1)
            os._exit(0)
        # Not while we hold it, though.
        with second.alone(0) as theirs:
            assert not theirs
    with second.alone(5) as theirs:
        assert theirs
    os.close(hold)
    os.waitpid(child, 0)
    os.close(end)
    first.close()
    second.close()


def test_a_file_system_without_locks_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As NFS without its lock service answers; there is none here to be asked."""

    def refuse(_descriptor: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    store = CacheFile(str(tmp_path / "dir"), "name")
    with store.alone(5) as mine:
        assert mine
        store.write(b"whole")
    assert store.read() == b"whole"
    store.close()
