"""Which CAs a server is verified with: AWS_CA_BUNDLE as file and directory, and the system's in each form."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sigv4 import authorities
from sigv4.authorities import Authorities
from sigv4.errors import NetworkError, RequestError
from sigv4.http import HttpClient
from sigv4.request import Request
from tests.support.certificates import Authority
from tests.support.scripted import ScriptedServer, http, say


@pytest.fixture
def issuer(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "issuer")


@pytest.fixture
def other(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "other")


@pytest.fixture
def server(issuer: Authority) -> Iterator[ScriptedServer]:
    certificate = issuer.server_certificate("127.0.0.1")
    with ScriptedServer(say(http("200 OK", "here")), certificate=certificate) as running:
        yield running


def _hashed(directory: Path, *bundles: Path) -> Path:
    """A new directory with these certificates, as update-ca-certificates makes it."""
    directory.mkdir()
    for bundle in bundles:
        shutil.copy(bundle, directory)
    subprocess.run(["openssl", "rehash", str(directory)], check=True)
    return directory


def _trusts(server: ScriptedServer, **environ: str) -> bool:
    try:
        answer = HttpClient(10, environ).send(Request("GET", f"{server.endpoint}/", ()))
    except NetworkError as error:
        if "invalid certificate" not in str(error):
            raise
        return False
    return answer.body == b"here"


def _system(monkeypatch: pytest.MonkeyPatch, file: Path, directory: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("SSL_CERT_DIR", str(directory))


def _loaded(environ: dict[str, str]) -> int:
    """How many certificates were parsed before they are needed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    Authorities(environ).load(context)
    return context.cert_store_stats()["x509"]


def test_a_file(server: ScriptedServer, issuer: Authority, other: Authority) -> None:
    assert _trusts(server, AWS_CA_BUNDLE=str(issuer.bundle))
    assert not _trusts(server, AWS_CA_BUNDLE=str(other.bundle))


def test_a_hashed_directory(server: ScriptedServer, issuer: Authority, other: Authority, tmp_path: Path) -> None:
    both = _hashed(tmp_path / "both", other.bundle, issuer.bundle)
    assert _trusts(server, AWS_CA_BUNDLE=str(both))
    assert _loaded({"AWS_CA_BUNDLE": str(both)}) == 0
    assert not _trusts(server, AWS_CA_BUNDLE=str(_hashed(tmp_path / "one", other.bundle)))


def test_a_directory_that_is_not_hashed(server: ScriptedServer, issuer: Authority, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    shutil.copy(issuer.bundle, tmp_path / "plain")
    with pytest.raises(RequestError, match=r"AWS_CA_BUNDLE: .*plain has no hashed .*run 'openssl rehash .*plain'"):
        HttpClient(10, {"AWS_CA_BUNDLE": str(tmp_path / "plain")}).check(server.endpoint)


def test_the_systems_directory_comes_first(
    monkeypatch: pytest.MonkeyPatch, server: ScriptedServer, issuer: Authority, tmp_path: Path
) -> None:
    _system(monkeypatch, tmp_path / "missing.pem", _hashed(tmp_path / "certs", issuer.bundle))
    assert _trusts(server)
    assert _loaded({}) == 0


def test_a_bundle_of_the_users_is_not_lost_beside_a_directory(
    monkeypatch: pytest.MonkeyPatch, server: ScriptedServer, issuer: Authority, other: Authority, tmp_path: Path
) -> None:
    """SSL_CERT_FILE adds to the directory, as OpenSSL has it."""
    _system(monkeypatch, issuer.bundle, _hashed(tmp_path / "certs", other.bundle))
    assert _trusts(server)


@pytest.mark.parametrize(("in_directory", "parsed"), [(2, 0), (1, 2)])
def test_the_systems_bundle_is_read_where_the_directory_has_fewer(
    issuer: Authority,
    other: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    in_directory: int,
    parsed: int,
) -> None:
    """A CA that was added to the bundle by hand is trusted."""
    directory = _hashed(tmp_path / "certs", *[other.bundle, issuer.bundle][:in_directory])
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(issuer.bundle.read_bytes() + other.bundle.read_bytes())
    places = ssl.DefaultVerifyPaths(str(bundle), str(directory), "SSL_CERT_FILE", str(bundle), "SSL_CERT_DIR", "/")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: places)
    _system(monkeypatch, bundle, directory)
    assert _loaded({}) == parsed


def test_a_system_without_any(
    monkeypatch: pytest.MonkeyPatch, server: ScriptedServer, issuer: Authority, tmp_path: Path
) -> None:
    places = ssl.get_default_verify_paths()._replace(cafile=None, capath=None)
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: places)
    _system(monkeypatch, tmp_path / "missing.pem", tmp_path / "missing")
    with pytest.raises(NetworkError, match=r"no CA certificates; install ca-certificates, or set AWS_CA_BUNDLE$"):
        HttpClient(10, {}).send(Request("GET", f"{server.endpoint}/", ()))
    # A Python that was built for another distribution finds this one's bundle, unless the user chose.
    monkeypatch.setattr(authorities, "_BUNDLES", ("/missing.pem", str(issuer.bundle)))
    assert not _trusts(server)
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.delenv("SSL_CERT_DIR")
    assert _trusts(server)
