"""`tpmwire serve` under systemd's own programs: its sockets, its messages, its units."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.support.keys import PLAIN_HANDLE
from tests.support.programs import ROOT, Machine
from tests.support.serving import Serving, await_
from tests.support.sts import VerifyingSts

TOKEN = "a-token-of-the-test"


@pytest.fixture(scope="module", autouse=True)
def token_file(box: Machine) -> None:
    (box.home / "token").touch(0o600)
    (box.home / "token").write_text(TOKEN)


def words(box: Machine, sts: VerifyingSts) -> list[str]:
    found = [f"--tpm-path={box.swtpm.path}", f"--endpoint-url={sts.endpoint}", "--timeout=20s"]
    found += [f"--aws-access-key-id={sts.access_key_id}", f"--persistentHandle={PLAIN_HANDLE:#x}"]
    return [*found, "--assumeRole=true", f"--aws-arn={sts.role_arn}"]


@contextlib.contextmanager
def activated(
    box: Machine, sts: VerifyingSts, log: Path, listen: list[str], *more: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """`tpmwire serve` as systemd-socket-activate starts it, at the first connection."""
    command = ["systemd-socket-activate", *(f"--listen={one}" for one in listen)]
    command += ["-E", "HOME", "-E", "PYENV_VERSION", str(box.bin / "tpmwire"), "serve"]
    command += [f"--token-file={box.home / 'token'}", *words(box, sts), *more]
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=box.environment(), stdin=subprocess.DEVNULL, stderr=file)
    try:
        await_(lambda: log.read_text().count("Listening on") == len(listen), log.read_text)
        yield process
    finally:
        process.kill()
        process.wait()


class UnixConnection(HTTPConnection):
    """HTTP by a unix socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.host)


def ask(connection: HTTPConnection) -> dict[str, str]:
    connection.request(
        "GET", "/credentials", headers={"Authorization": TOKEN, "Host": f"localhost:{connection.port}"}
    )
    answer = connection.getresponse()
    assert answer.status == 200
    found: dict[str, str] = json.loads(answer.read())
    connection.close()
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def test_sockets_that_systemd_opened(box: Machine, sts: VerifyingSts, tmp_path: Path) -> None:
    port, path, log = free_port(), tmp_path / "s", tmp_path / "log"
    with activated(box, sts, log, [f"127.0.0.1:{port}", f"[::1]:{port}", str(path)]) as process:
        by_unix = ask(UnixConnection(str(path), timeout=30))
        # The first of them waited in the socket while the program started.
        assert by_unix == ask(HTTPConnection("127.0.0.1", port, timeout=30))
        assert by_unix == ask(HTTPConnection("::1", port, timeout=30))
        process.terminate()
        assert process.wait(20) == 128 + signal.SIGTERM, log.read_text()
    assert path.exists(), "it is systemd's"
    assert f"http://127.0.0.1:{port}/credentials" in log.read_text()


@pytest.mark.parametrize(
    ("address", "more", "says"),
    [
        ("0.0.0.0:{port}", (), "which other machines can reach; use ListenStream="),
        ("127.0.0.1:{port}", ("--port=1234",), "systemd already passed sockets; remove --port"),
    ],
)
def test_sockets_that_are_refused(
    box: Machine, sts: VerifyingSts, tmp_path: Path, address: str, more: tuple[str, ...], says: str
) -> None:
    port, log = free_port(), tmp_path / "log"
    with activated(box, sts, log, [address.format(port=port)], *more) as process:
        socket.create_connection(("127.0.0.1", port)).close()
        assert process.wait(20) == 2
    assert says in log.read_text()
    assert "Traceback" not in log.read_text()


def test_descriptors_that_are_no_sockets(box: Machine, sts: VerifyingSts) -> None:
    # The shell keeps its process id through exec, as systemd does.
    script = 'exec 3</dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"'
    command = ["sh", "-c", script, "sh", str(box.bin / "tpmwire"), "serve", f"--token-file={box.home / 'token'}"]
    done = subprocess.run(
        [*command, *words(box, sts)],
        env=box.environment(),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "descriptor 3 is not a socket" in done.stderr


def test_what_it_tells_systemd(box: Machine, sts: VerifyingSts, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        # An abstract one, as systemd may use, too.
        name = f"tpmwire-test-{os.getpid()}"
        heard.bind(f"\0{name}")
        heard.settimeout(30)

        def hear(wanted: str) -> str:
            # Signs of life come for ever, so not for as long as there is something to hear.
            said = [heard.recv(4096).decode()]
            while wanted not in said[-1]:
                assert len(said) < 30, said
                said.append(heard.recv(4096).decode())
            return said[-1]

        with Serving(box, *words(box, sts), NOTIFY_SOCKET=f"@{name}", WATCHDOG_USEC="2000000") as service:
            assert re.search(r"^READY=1\nSTATUS=credentials until 20\S+Z$", hear("READY=1"))
            for _ in range(3):
                hear("WATCHDOG=1")
            service.process.send_signal(signal.SIGHUP)
            assert re.search(r"^RELOADING=1\nMONOTONIC_USEC=\d+$", hear("RELOADING=1"))
            hear("READY=1")
            service.process.send_signal(signal.SIGTERM)
            assert hear("STOPPING=1") == "STOPPING=1"


def test_the_units_of_the_documents(box: Machine, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "serve.md").read_text()
    service, sockets = re.findall(r"```ini\n(.*?)```", text, re.DOTALL)
    paths = tmp_path / "tpmwire.service", tmp_path / "tpmwire.socket"
    # verify looks for the program.
    paths[0].write_text(service.replace("/usr/local/bin/tpmwire", str(box.bin / "tpmwire")))
    paths[1].write_text(sockets)
    for command in (["verify", *map(str, paths)], ["security", "--offline=true", "--threshold=20", str(paths[0])]):
        done = subprocess.run(
            ["systemd-analyze", *command], check=False, capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
    options = re.search(r"ExecStart=/usr/local/bin/tpmwire serve (.*)", service)
    assert options
    help_text = box.run("serve", "--help", program=box.bin / "tpmwire").stdout
    for option in re.findall(r"(--[\w-]+)", options[1]):
        assert f"  {option} " in help_text
