"""Connections to a name with several addresses: which is taken, how soon, and that no other one is left open."""

import errno
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from sigv4.sockets import Deadline, open_socket
from tests.support.silent import silent_port

UNSUPPORTED = 27  # an address family that Linux gives no sockets of this kind for


def _resolves(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[int, str, int]) -> None:
    """Every name has these addresses: family, host and port."""
    found = [(family, socket.SOCK_STREAM, 6, "", (host, port)) for family, host, port in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: found)


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made.getsockname()[1]


V4, V6 = socket.AF_INET, socket.AF_INET6


@pytest.mark.parametrize("before", ["lost", "refused", "unsupported"])
def test_the_next_address_is_taken(monkeypatch: pytest.MonkeyPatch, listener: int, before: str) -> None:
    with silent_port("::1") as silent:
        first = {"lost": (V6, "::1", silent), "refused": (V6, "::1", 1), "unsupported": (UNSUPPORTED, "::1", 1)}
        _resolves(monkeypatch, first[before], (V4, "127.0.0.1", listener))
        descriptors = _descriptors()
        start = time.monotonic()
        with open_socket("sts.test", listener, Deadline(20)) as sock:
            assert sock.getpeername() == ("127.0.0.1", listener)
            assert _descriptors() == descriptors + 1
        assert time.monotonic() - start < 15


def test_a_family_without_a_way_out_holds_up_once(monkeypatch: pytest.MonkeyPatch, listener: int) -> None:
    """Forty addresses that are lost come before the one that answers, and one of them only is waited for."""
    with silent_port("::1") as silent:
        lost = [(V6, "::1", silent)] * 40
        _resolves(monkeypatch, *lost, (V4, "127.0.0.1", listener))
        start = time.monotonic()
        open_socket("sts.test", listener, Deadline(20)).close()
        assert 0.2 < time.monotonic() - start < 8  # a quarter of a second for each would be ten


def test_a_slow_address_may_still_be_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was begun goes on beside its successors: its SYN is sent again, and taken, when they have failed."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as late:
        where = late.getsockname()
        with socket.create_connection(where), ThreadPoolExecutor() as pool:
            _resolves(monkeypatch, (V4, *where), (V4, "127.0.0.1", 1))
            connecting = pool.submit(open_socket, "sts.test", where[1], Deadline(20))
            time.sleep(0.5)
            assert not connecting.done()
            with late.accept()[0], connecting.result() as sock:
                assert sock.getpeername() == where


@pytest.mark.parametrize("count", [1, 3])
def test_all_are_refused(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    _resolves(monkeypatch, *[(V4, "127.0.0.1", 1)] * count)
    descriptors = _descriptors()
    with pytest.raises(ConnectionRefusedError) as caught:
        open_socket("sts.test", 1, Deadline(20))
    assert caught.value.errno == errno.ECONNREFUSED
    assert _descriptors() == descriptors


@pytest.mark.parametrize("count", [1, 3])
def test_all_are_lost(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    with silent_port() as silent:
        _resolves(monkeypatch, *[(V4, "127.0.0.1", silent)] * count)
        descriptors = _descriptors()
        start = time.monotonic()
        with pytest.raises(TimeoutError):
            open_socket("sts.test", 1, Deadline(0.7))
        assert 0.6 < time.monotonic() - start < 30
        assert _descriptors() == descriptors


def test_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    _resolves(monkeypatch)
    with pytest.raises(OSError, match=r"no address for sts\.test"):
        open_socket("sts.test", 1, Deadline(20))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_nothing_waits_for_an_acknowledgement(host: str) -> None:
    """A request's body would be held back until the peer has acknowledged its head (Nagle's algorithm)."""
    with (
        socket.create_server((host, 0), family=V6 if ":" in host else V4) as listener,
        open_socket(host, listener.getsockname()[1], Deadline(10)) as sock,
    ):
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
