"""A software TPM of one's own: swtpm as a context manager, and tpm2-tools run against it."""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Literal, Self

ROOT = Path(__file__).parents[2]

Kind = Literal["unix", "tcp", "qemu"]

SOFT = bool(os.environ.get("TESTS_WITH_SOFT_TPM"))
"""Whether the TPM is tpmwire's own instead of swtpm, to test it with the same tests."""

START_SECONDS = 60.0
"""How long a start may take on a loaded machine; an idle one needs 0.05 s."""

# Waits for the end of its stdin, which comes when the test process ends in whatever way, SIGKILL included;
# a signal on the parent's death (prctl) would come when the starting *thread* ends, and leave the directory.
_KEEPER = 'cat >/dev/null; kill -KILL "$1" 2>/dev/null; rm -rf "$2"'


class SwtpmError(Exception):
    """swtpm did not start, or a tpm2-tools command failed; the text holds what the program said."""


class Swtpm:
    """A TPM of its own in a directory of its own, alive inside `with`. It serves one client at a time.

    kind "unix": a Unix socket (default); "tcp": a port of 127.0.0.1; "qemu": only the control socket that
    `qemu-system-x86_64 -chardev socket,path=…` wants. `state` is a directory to start from: it is copied.

    Attributes: `path` (for --tpm-path; for kind "qemu" the control socket), `tcti` (for TPM2TOOLS_TCTI),
    `state` (the state directory), `pid`. `Swtpm.running` lists those of this process that a client can open.
    """

    running: ClassVar[list["Swtpm"]] = []
    path: str
    tcti: str
    state: Path

    def __init__(self, kind: Kind = "unix", *, state: Path | None = None) -> None:
        self._kind = kind
        self._initial = state
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper: subprocess.Popen[bytes] | None = None
        self._port = 0

    def __enter__(self) -> Self:
        # Not pytest's tmp_path: a Unix socket's path may have 107 bytes at most.
        self._dir = Path(tempfile.mkdtemp(prefix="swtpm-", dir="/tmp"))
        try:
            self.state = self._dir / "state"
            if self._initial is None:
                self.state.mkdir()
            else:
                shutil.copytree(self._initial, self.state)
            self._start()
        except BaseException:
            self.close()
            raise
        if self._kind != "qemu":
            Swtpm.running.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Process id of swtpm."""
        assert self._process is not None, "swtpm is not running"
        return self._process.pid

    def pause(self) -> None:
        """Freeze it (SIGSTOP): it accepts connections, as the kernel does that, and never answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """End `pause()`."""
        os.kill(self.pid, signal.SIGCONT)

    def restart(self) -> None:
        """Power off and on: the same address, persistent state kept, transient objects and sessions lost."""
        self._stop()
        self._start()

    def close(self) -> None:
        """Stop it and remove its directory. May be called twice."""
        if self in Swtpm.running:
            Swtpm.running.remove(self)
        self._stop()
        shutil.rmtree(self._dir, ignore_errors=True)

    def _start(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._try_start(deadline):
            if self._kind != "tcp" or time.monotonic() > deadline:
                raise SwtpmError(f"swtpm did not start: {self._log()}")

    def _try_start(self, deadline: float) -> bool:
        arguments, listens = self._address()
        log = self._dir / "log"
        if SOFT and self._kind != "qemu" and self._initial is None:  # a recorded state is swtpm's
            command = [sys.executable, "-m", "tests.support.soft_server", str(self.state / "soft.json"), str(log)]
        else:
            command = ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.state}"]
            command += ["--log", f"file={log},truncate"]
        # A session of its own: Ctrl-C in the terminal must not end the TPM before the test has cleaned up.
        self._process = subprocess.Popen(
            [*command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd=ROOT if command[0] == sys.executable else None,
        )
        self._keeper = subprocess.Popen(
            ["sh", "-c", _KEEPER, "keeper", str(self._process.pid), str(self._dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        while self._process.poll() is None and time.monotonic() < deadline:
            if _listening(self._process.pid) >= listens:
                return True
            time.sleep(0.005)
        self._stop()
        if self._kind == "tcp":
            self._port = 0  # somebody else took one of the two ports first
        return False

    def _address(self) -> tuple[list[str], int]:
        """Command line for the address, and how many listening sockets show that it is up."""
        socket = self._dir / "sock"
        if self._kind == "qemu":
            self.path, self.tcti = str(socket), ""
            return ["--ctrl", f"type=unixio,path={socket}"], 1
        # libtss2's swtpm TCTI finds the control channel at PATH.ctrl, or at the next port.
        if self._kind == "unix":
            self.path = self.tcti = f"swtpm:path={socket}"
            where = ["--server", f"type=unixio,path={socket}", "--ctrl", f"type=unixio,path={socket}.ctrl"]
        else:
            # Below the range from which the kernel takes ports for outgoing connections.
            self._port = self._port or random.randrange(10_000, 32_000, 2)
            self.path = f"127.0.0.1:{self._port}"
            self.tcti = f"swtpm:host=127.0.0.1,port={self._port}"
            where = ["--server", f"type=tcp,port={self._port}", "--ctrl", f"type=tcp,port={self._port + 1}"]
        return [*where, "--flags", "not-need-init,startup-clear"], 2

    def _stop(self) -> None:
        # The keeper first: once swtpm is reaped its process id may belong to anybody.
        if self._keeper is not None:
            self._keeper.kill()
            self._keeper.communicate()
            self._keeper = None
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _log(self) -> str:
        log = self._dir / "log"
        return log.read_text(errors="replace").strip() if log.exists() else "no log; is swtpm installed?"


def _listening(pid: int) -> int:
    """Number of sockets on which the process listens, read from the kernel.

    Connecting would not do: swtpm would spend its one client on it, and a port may be another process's.
    """
    own = set()
    try:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            own.add(link.readlink().name)
    except OSError:
        return 0  # it has just ended, or closed the descriptor
    rows = [(row.split(), 3, 6, "00010000") for row in Path("/proc/net/unix").read_text().splitlines()]
    rows += [(row.split(), 3, 9, "0A") for row in Path("/proc/net/tcp").read_text().splitlines()]
    return sum(row[state] == listen and f"socket:[{row[inode]}]" in own for row, state, inode, listen in rows)


def tpm2(swtpm: Swtpm, *args: str | Path, input: bytes | None = None, cwd: Path | None = None) -> bytes:
    """Run a tpm2-tools command (`tpm2(tpm, "getrandom", "--hex", "8")`) and return its stdout.

    Raises SwtpmError with the tool's stderr when it fails.
    """
    command = ["tpm2", *map(str, args)]
    environment = {**os.environ, "TPM2TOOLS_TCTI": swtpm.tcti}
    done = subprocess.run(
        command, check=False, input=input or b"", cwd=cwd, env=environment, capture_output=True, timeout=60
    )
    if done.returncode:
        raise SwtpmError(f"{' '.join(command)}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
