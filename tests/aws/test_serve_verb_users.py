"""`tpmwire serve` of a service's user, for others of the machine: whom its files let in, as docs/serve.md says."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.support.people import Person, Shared, shared
from tests.support.programs import TOOLBOX
from tests.support.serving import await_

__all__ = ["shared"]

TOKEN = "a-token-that-was-made-beforehand"
DENIED_BY_CURL = 7  # "Failed to connect"


class Service:
    """Of one user, with a token of root's that a group may read. A context manager."""

    def __init__(self, at: Shared, owner: Person, *words: str) -> None:
        self.token = at.crowd.directory / "token"
        self.token.write_text(TOKEN)
        at.crowd.share(self.token, 0o640)
        place = at.crowd.directory / f"for-{owner.home.name}"
        place.mkdir()
        # Setgid, so that what the service makes there is the clients' group's.
        at.crowd.share(place, 0o2775)
        self.socket = place / "socket"
        self._command = [TOOLBOX, "serve", f"--token-file={self.token}", f"--socket={self.socket}", *words]
        self._command += at.words()
        self._owner = owner
        self.process: subprocess.Popen[str]

    def __enter__(self) -> Self:
        self.process = self._owner.start(*self._command)
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        if "unix socket" not in line:
            self.__exit__(None, None, None)
            raise AssertionError(line)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.process.terminate()
        self.process.communicate(timeout=30)

    def asked_by(self, client: Person) -> "subprocess.CompletedProcess[str]":
        """As docs/serve.md has it, by curl; the token is read by the client himself."""
        line = 'curl -sS --unix-socket "$1" -H "Authorization: $(cat "$2")" http://localhost/credentials'
        return client.run("sh", "-c", line, "sh", self.socket, self.token)


@pytest.fixture(scope="module")
def service(shared: Shared) -> Iterator[Service]:
    with Service(shared, shared.crowd.person(), "--socket-mode=0660") as running:
        yield running


def test_who_is_in_the_group_gets_credentials(shared: Shared, service: Service) -> None:
    done = service.asked_by(shared.crowd.person())
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["AccessKeyId"].startswith("ASIA")
    assert service.socket.stat().st_gid == shared.crowd.group


def test_who_is_not_reads_no_token_and_reaches_no_socket(shared: Shared, service: Service) -> None:
    outside = shared.crowd.person(of_group=False)
    if not shared.crowd.separate:
        service.socket.chmod(0)
        service.token.chmod(0)
    try:
        done = service.asked_by(outside)
        assert done.returncode == DENIED_BY_CURL
        assert done.stdout == ""
        assert f"cat: {service.token}: Permission denied" in done.stderr
    finally:
        service.socket.chmod(0o660)
        service.token.chmod(0o640)


def test_its_user_owns_the_socket_and_without_a_mode_it_is_his_alone(shared: Shared) -> None:
    owner, other = shared.crowd.person(), shared.crowd.person()
    with Service(shared, owner) as service:
        found = service.socket.stat()
        assert (found.st_uid, found.st_mode & 0o777) == (owner.uid, 0o600)
        assert service.asked_by(owner).returncode == 0
        wanted = DENIED_BY_CURL if shared.crowd.separate else 0
        assert service.asked_by(other).returncode == wanted
    assert not service.socket.exists()
    assert service.token.read_text() == TOKEN


def test_other_processes_of_its_user_see_nothing_of_it(shared: Shared) -> None:
    """Its environment stands for its memory, which the kernel guards by the same rule (ptrace(2))."""
    owner = shared.crowd.person()
    with owner.start("sleep", "60") as sleeping:
        # Until then it is what changes the user, and root's.
        while Path(f"/proc/{sleeping.pid}/comm").read_text() != "sleep\n":
            assert sleeping.poll() is None
            time.sleep(0.01)
        # What may be seen of any other process of one's own.
        seen = owner.run("cat", f"/proc/{sleeping.pid}/environ")
        sleeping.kill()
    assert "HOME=" in seen.stdout
    with Service(shared, owner) as service:
        done = owner.run("cat", f"/proc/{service.process.pid}/environ")
        assert (done.returncode, done.stdout) == (1, "")
        assert "Permission denied" in done.stderr
        assert not Path(f"/proc/{service.process.pid}/environ").stat().st_uid


def test_a_token_that_cannot_be_made_or_read_is_told_before_anything_is_asked(shared: Shared) -> None:
    one, other = shared.crowd.person(), shared.crowd.person()
    closed = one.home / "closed"
    closed.mkdir()
    hidden, unwritable, missing = closed / "token", shared.crowd.directory / "new", one.runtime / "no" / "token"
    before = shared.asked
    shared.crowd.directory.chmod(0o555)
    closed.chmod(0)
    try:
        for user, path, says in (
            (other, hidden, ": Permission denied\n"),
            (other, unwritable, "; choose a path in a directory that you own"),
            (one, missing, f": the directory {missing.parent} does not exist; create it\n"),
        ):
            done = user.run(TOOLBOX, "serve", f"--token-file={path}", "--port=0", *shared.words())
            assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
            assert f"--token-file {path}{says}" in done.stderr
    finally:
        shared.crowd.directory.chmod(0o755)
        closed.chmod(0o700)
    assert shared.asked == before


def fetched_by(client: Person, path: Path) -> "subprocess.CompletedProcess[str]":
    return client.run(TOOLBOX, "fetch", path)


@pytest.fixture
def separate(shared: Shared) -> Shared:
    if not shared.crowd.separate:
        pytest.skip("other users need root")
    return shared


def test_fetch_takes_credentials_of_the_own_server_only(separate: Shared) -> None:
    owner, member = separate.crowd.person(), separate.crowd.person()
    with Service(separate, owner, "--process", "--socket-mode=0660") as service:
        assert json.loads(fetched_by(owner, service.socket).stdout)["Version"] == 1
        done = fetched_by(member, service.socket)
        assert (done.returncode, done.stdout) == (8, "")
        assert f"the server runs as the user {owner.uid}; expected your own user or root" in done.stderr
        # The mode admits the group, and curl does not look at the owner.
        curl = member.run("curl", "-s", "--unix-socket", service.socket, "http://localhost/process")
        assert json.loads(curl.stdout)["Version"] == 1
        done = fetched_by(separate.crowd.person(of_group=False), service.socket)
        assert (done.returncode, done.stdout) == (7, "")
        assert "permission denied; only its owner and its group can connect" in done.stderr


def test_a_socket_that_root_opened_is_for_its_group(separate: Shared) -> None:
    """As with systemd's socket unit: root listens, and the server runs as a user of its own."""
    owner, member = separate.crowd.person(), separate.crowd.person()
    path, log = separate.crowd.directory / "of-root", separate.crowd.directory / "log"
    server = ["setpriv", f"--reuid={owner.uid}", f"--regid={owner.uid}", f"--groups={separate.crowd.group}"]
    server += [str(separate.crowd.directory / "bin" / TOOLBOX), "serve", "--process", *separate.words()]
    with (
        log.open("wb") as file,
        subprocess.Popen(
            ["systemd-socket-activate", f"--listen={path}", *server], stdin=subprocess.DEVNULL, stderr=file
        ) as process,
    ):
        await_(lambda: "Listening on" in log.read_text(), log.read_text)
        separate.crowd.share(path, 0o660)
        done = fetched_by(member, path)
        assert done.returncode == 0, done.stderr + log.read_text()
        assert json.loads(done.stdout)["Version"] == 1
        assert fetched_by(separate.crowd.person(of_group=False), path).returncode == 7
        process.kill()
