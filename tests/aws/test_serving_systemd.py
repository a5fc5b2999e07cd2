"""`tpmwire serve` under systemd's own programs: its sockets, messages, units, users and files."""

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


UNITS = sorted((ROOT / "packaging" / "systemd").rglob("*.service"))


@pytest.mark.parametrize("service", UNITS, ids=lambda path: str(path.relative_to(ROOT / "packaging")))
def test_the_units(box: Machine, service: Path, tmp_path: Path) -> None:
    """systemd accepts the units and finds the services confined; the options that they pass exist."""
    paths = [
        tmp_path / path.name
        for path in service.parent.glob(f"{service.stem}.*")
        if path.suffix in (".service", ".socket", ".timer")
    ]
    for path in paths:
        # verify looks for the program.
        text = (service.parent / path.name).read_text()
        path.write_text(re.sub(r"(?<=^ExecStart=)\S*/tpmwire(?= )", str(box.bin / "tpmwire"), text, flags=re.M))
    system = service.parent.name == "systemd"
    verify = ["verify", "--man=no", *([] if system else ["--user"]), *map(str, paths)]
    for command in (
        verify,
        ["security", "--offline=true", f"--threshold={20 if system else 65}", str(tmp_path / service.name)],
    ):
        done = subprocess.run(
            ["systemd-analyze", *command],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
    text = "".join(path.read_text() for path in service.parent.glob(f"{service.stem}.*"))
    verb = ("roles-anywhere", "renew") if "renew" in service.stem else ("serve",)
    help_text = box.run(*verb, "--help", program=box.bin / "tpmwire").stdout
    lines = re.findall(r'^(?:ExecStart=|(?:Environment=")?(?:SERVE|RENEW)_OPTIONS=).*$', text, re.M)
    options = set(re.findall(r"(--[\w-]+)", " ".join(lines)))
    assert options
    assert [option for option in options if f"  {option} " not in help_text] == []


def _in_a_root(tmp_path: Path, program: str, name: str, *options: str) -> None:
    (tmp_path / "etc").mkdir(exist_ok=True)
    settings = ROOT / "packaging" / "systemd" / name
    done = subprocess.run(
        [program, f"--root={tmp_path}", *options, str(settings)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="only root creates users and their files")
def test_the_user_of_the_service(tmp_path: Path) -> None:
    _in_a_root(tmp_path, "systemd-sysusers", "tpmwire.sysusers")
    user = (tmp_path / "etc" / "passwd").read_text().split(":")
    assert (user[0], user[5], user[6]) == ("tpmwire", "/var/lib/tpmwire", "/usr/sbin/nologin\n")
    assert re.search("^tss:.*:tpmwire$", (tmp_path / "etc" / "group").read_text(), re.M)
    _in_a_root(tmp_path, "systemd-tmpfiles", "tpmwire.tmpfiles", "--create")
    home = (tmp_path / "var" / "lib" / "tpmwire").stat()
    assert (home.st_uid, home.st_gid, home.st_mode & 0o7777) == (int(user[2]), int(user[3]), 0o750)
