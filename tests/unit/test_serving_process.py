"""/process, the credential_process document of `tpmwire serve --process`: who gets it, and what failures say."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.serving.handler import Service, respond
from cli.serving.listen import admits_others, peer_user, unix_listener
from cli.serving.server import CredentialServer
from cli.serving.store import Store
from cli.serving.tokens import Sessions
from sigv4.credentials import Credentials
from sigv4.errors import StsError
from sigv4.times import rfc3339
from tests.support.credential_server import Running
from tests.support.verbs import Tool

ASK = b"GET /process HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path, imds=False)
    with made.server:
        yield made


def test_the_document(plain: Running) -> None:
    status, _, body = plain.ask("GET /process", host="localhost", unix=True)
    assert status == 200
    document = json.loads(body)
    assert document.pop("Expiration").endswith("Z")
    assert document == {
        "Version": 1,
        "AccessKeyId": "ASIAMADEUP",
        "SecretAccessKey": "made-up-secret",
        "SessionToken": "made-up-token",
    }


def test_a_port_does_not_serve_it(plain: Running) -> None:
    status, _, body = plain.ask("GET /process")
    assert (status, json.loads(body)["Message"]) == (403, "/process is served on unix sockets only")


@pytest.mark.parametrize("field", ["Origin: http://evil.test", "Via: 1.1 proxy"])
def test_web_pages_and_proxies_do_not_get_it(plain: Running, field: str) -> None:
    assert plain.ask("GET /process", field, host="localhost", unix=True)[0] == 403


def service(store: Store, *, process: bool = True) -> Service:
    return Service(store, None, Sessions(), process=process)


def answered(data: bytes, served: Service, *, trusted: bool = True) -> tuple[int, dict[str, object]]:
    head, _, body = respond(data, served, None, trusted=trusted).partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def never() -> Credentials:
    raise StsError("AccessDenied", "not authorized", "", 403)


def test_others_than_the_servers_user_and_root() -> None:
    status, body = answered(ASK, service(Store(never)), trusted=False)
    assert (status, body["Message"]) == (403, "/process is for the server's own user and root only")


def test_without_the_option_and_without_a_token() -> None:
    store = Store(never)
    assert answered(ASK, service(store, process=False))[0] == 404
    assert answered(ASK.replace(b"process", b"credentials"), service(store))[0] == 404


def test_a_failure_has_its_reason_and_exit_code() -> None:
    store = Store(never)
    with pytest.raises(StsError):
        store.fetch()
    status, body = answered(ASK, service(store))
    assert (status, body["Code"], body["ExitCode"]) == (503, "CredentialsUnavailable", 6)
    assert str(body["Message"]).startswith("AccessDenied: not authorized")
    assert str(body["Message"]).endswith("; tpmwire serve tries again in 10 seconds")


@pytest.mark.parametrize(("mode", "others"), [(0o600, False), (0o660, True), (0o666, True), (0o700, False)])
def test_the_mode_says_whether_others_may_connect(tmp_path: Path, mode: int, others: bool) -> None:
    with unix_listener(str(tmp_path / "s"), mode) as listener:
        assert admits_others(listener) is others


def test_an_abstract_socket_is_for_the_servers_user_only() -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0tpmwire-test-{os.getpid()}")
        listener.listen()
        assert not admits_others(listener)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(listener.getsockname())
            accepted, _ = listener.accept()
            with accepted:
                assert peer_user(accepted) == os.geteuid()


ASKS = """
import socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.connect("\\0" + sys.argv[1])
sock.sendall(b"GET /process HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
print(sock.recv(65536).decode().split()[1])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="another user needs root")
@pytest.mark.parametrize(("user", "status"), [(0, "200"), (61001, "403")])
def test_an_abstract_socket_serves_its_user_and_root(user: int, status: str) -> None:
    store = Store(lambda: Credentials("ASIAMADEUP", "s", "t", rfc3339(time.time() + 3600)))
    store.fetch()
    name = f"tpmwire-test-{os.getpid()}-{user}"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"\0{name}")
    listener.listen()
    with CredentialServer([listener], service(store)):
        command = ["setpriv", f"--reuid={user}", "--clear-groups", "/usr/bin/python3", "-c", ASKS, name]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout == f"{status}\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "no --token-file and no --process; give at least one of them"),
        (("--process",), "--process needs a unix socket; give it with --socket"),
        (("--process", "--port=0"), "--process needs a unix socket"),
        (("--process", "--socket=s", "--port=0"), "a port needs --token-file"),
        (("--process", "--socket=s", "--address=127.0.0.1"), "a port needs --token-file"),
    ],
)
def test_options_that_serve_nothing(tool: Tool, words: tuple[str, ...], says: str) -> None:
    done = tool("serve", "--persistentHandle=0x81010002", *words)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert says in done.err
