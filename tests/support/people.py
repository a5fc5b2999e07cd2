"""Users of a machine who are not root: each with a home, and some in the group that may use the TPM.

As root they are other users, who have no name, only numbers; without root, who cannot be anybody else, each is
the one that runs the tests, in a home of his own (`separate` says which).
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import CREDENTIAL_PROCESS, TOOLBOX, Machine, machine
from tests.support.sts import VerifyingSts
from tests.support.swtpm import Swtpm

__all__ = ["People", "Person", "Shared", "people", "shared"]

ROOT = Path(__file__).parents[2]
GROUP = 61000
FIRST = 61001


class Person:
    """One of them. `home` and `runtime` are his alone."""

    def __init__(self, directory: Path, number: int | None, groups: tuple[int, ...]) -> None:
        self.directory = directory
        self.home = directory / f"home-{number}" if number else Path(tempfile.mkdtemp(dir=directory))
        self.runtime = self.home / "run"
        self.runtime.mkdir(mode=0o700, parents=True)
        self._prefix: list[str] = []
        if number:
            for path in (self.home, self.runtime):
                path.chmod(0o700)
                os.chown(path, number, number)
            belongs = f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups"
            self._prefix = ["setpriv", f"--reuid={number}", f"--regid={number}", belongs, "--"]
        self.uid = number or os.geteuid()

    def start(self, *words: str | Path, **environment: str) -> "subprocess.Popen[str]":
        """Starts any program of `People.bin` or of the system as this user, at home, with nothing inherited."""
        path = os.pathsep.join((str(self.directory / "bin"), "/usr/bin", "/bin"))
        own = {"PATH": path, "HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.runtime)}
        return subprocess.Popen(
            [*self._prefix, *map(str, words)],
            cwd=self.home,
            env={**own, "AWS_EC2_METADATA_DISABLED": "true", **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Runs it to its end."""
        with self.start(*words, **environment) as process:
            out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def writes(self, name: str, text: str) -> Path:
        """A file of his, which nobody else may read."""
        path = self.home / name
        path.touch(mode=0o600)
        path.write_text(text)
        os.chown(path, self.uid, -1)
        return path


class People:
    """Makes them. `separate` says whether they are others than whoever runs the tests, and each other."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.separate = os.geteuid() == 0
        self._next = FIRST
        self.group = GROUP if self.separate else os.getegid()

    def person(self, *, of_group: bool = True) -> Person:
        """Another one, in the TPM's group or not."""
        number = self._next if self.separate else None
        self._next += 1
        return Person(self.directory, number, (self.group,) if of_group else ())

    def share(self, path: Path, mode: int) -> None:
        """Gives a file or directory to the group, with this mode."""
        path.chmod(mode)
        os.chown(path, -1, self.group)

    def share_tpm(self, tpm: Swtpm) -> Path:
        """As udev does with /dev/tpmrm0 on Debian: root's, and for the group. Gives the socket's path."""
        socket = Path(tpm.path.partition("path=")[2])
        self.share(socket.parent, 0o710)
        self.share(socket, 0o660)
        return socket


@contextlib.contextmanager
def people() -> Iterator[People]:
    """A place that everybody can reach, with our two programs as the single file in its `bin`."""
    directory = Path(tempfile.mkdtemp(prefix="people-", dir="/tmp"))
    try:
        directory.chmod(0o755)
        (directory / "bin").mkdir(mode=0o755)
        single = directory / "bin" / TOOLBOX
        # Root's own Python may be at a place where only root gets; the single file runs on the system's.
        subprocess.run(
            [sys.executable, ROOT / "tools" / "zipapp.py", single], check=True, stdout=subprocess.DEVNULL
        )
        single.chmod(0o755)
        (directory / "bin" / CREDENTIAL_PROCESS).symlink_to(TOOLBOX)
        yield People(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class Shared:
    """A TPM that a group may use, a key file that everybody may read, and the people there."""

    def __init__(self, crowd: People, box: Machine, sts: VerifyingSts) -> None:
        self.crowd, self.sts, self.tpm = crowd, sts, box.swtpm.path
        self.socket = crowd.share_tpm(box.swtpm)
        self.pem = crowd.directory / "key.pem"
        shutil.copy(box.home / "plain.pem", self.pem)
        self.pem.chmod(0o644)

    def words(self, pem: Path | None = None) -> list[str]:
        """Options of a run with the key file."""
        role = ["--assumeRole", f"--aws-arn={self.sts.role_arn}", "--timeout=20s"]
        key = [f"--credential-file={pem or self.pem}", f"--aws-access-key-id={self.sts.access_key_id}"]
        return [f"--tpm-path={self.tpm}", f"--endpoint-url={self.sts.endpoint}", *key, *role]

    @property
    def asked(self) -> int:
        """How often STS was asked so far."""
        return self.sts.log.count('"POST / HTTP')

    def cached(self, one: Person) -> "subprocess.Popen[str]":
        """A run with a cache, started."""
        return one.start(CREDENTIAL_PROCESS, *self.words(), "--cache")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    home = tmp_path_factory.mktemp("home")
    with people() as crowd, VerifyingSts() as sts, machine(home, sts.secret_access_key) as box:
        yield Shared(crowd, box, sts)
