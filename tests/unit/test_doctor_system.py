"""`tpmwire doctor` on the machine: CA certificates, proxy, cache, packages; and pipes, which it does not read."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.credentials.cache.sealed import seal_text
from tests.support.certificates import Authority
from tests.support.findings import findings, texts
from tests.support.people import people
from tests.support.programs import ROOT, TOOLBOX
from tests.support.verbs import Tool, shell

LINE = "credential_process = /x/aws-tpm-process-credential --aws-access-key-id=AKIAMADEUP"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".aws").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [
        name for name in os.environ if name.upper().endswith("_PROXY") or name.startswith(("XDG", "SSL"))
    ]:
        monkeypatch.delenv(name)
    return tmp_path


def examined(tool: Tool) -> dict[str, list[dict[str, str]]]:
    return findings(tool, "--tpm-path=/nonexistent/tpm")


@pytest.mark.parametrize(
    ("value", "status", "says"),
    [
        ("HOME/right-ca.pem", "ok", "CA certificates: HOME/right-ca.pem"),
        ("HOME/gone.pem", "error", "AWS_CA_BUNDLE: HOME/gone.pem has no CA certificates that can be read"),
        ("HOME/empty.pem", "error", "AWS_CA_BUNDLE: HOME/empty.pem has no CA certificates that can be read"),
        ("HOME/.aws", "error", "AWS_CA_BUNDLE: directory HOME/.aws has no hashed CA certificates; run 'openssl"),
        ("HOME/pipe", "ok", "HOME/pipe is not a regular file, and was not read"),
    ],
)
def test_ca_certificates(
    home: Path, tool: Tool, monkeypatch: pytest.MonkeyPatch, value: str, status: str, says: str
) -> None:
    Authority(home, "right")
    (home / "empty.pem").touch()
    os.mkfifo(home / "pipe")
    monkeypatch.setenv("AWS_CA_BUNDLE", value.replace("HOME", str(home)))
    assert any(says.replace("HOME", str(home)) in text for text in texts(examined(tool)["ca-store"], status))


def test_ca_certificates_of_a_profile(home: Path, tool: Tool) -> None:
    (home / ".aws" / "config").write_text(f"[default]\n{LINE} --ca-bundle={home}/gone.pem\n")
    found = examined(tool)["ca-store"]
    assert [each["status"] for each in found] == ["ok", "error"]


def test_a_system_without_ca_certificates() -> None:
    """OpenSSL reads its variables from the environment of the process."""
    before = "unset AWS_CA_BUNDLE REQUESTS_CA_BUNDLE; export SSL_CERT_FILE=/nonexistent SSL_CERT_DIR=/nonexistent"
    done = shell("doctor", "--tpm-path=/x", before=before)
    assert "error    ca-store: this system has no CA certificates; install ca-certificates" in done.out


@pytest.mark.parametrize(
    ("value", "status", "says"),
    [
        ("http://ada:the-word@proxy.example:3128", "ok", "use the proxy proxy.example:3128 with a password"),
        (
            "socks5://proxy.example",
            "error",
            "HTTPS_PROXY: unsupported proxy URL; use http://[USER:PASSWORD@]HOST:PORT",
        ),
        ("http://proxy.example:port", "error", "HTTPS_PROXY is not a valid URL"),
    ],
)
def test_proxies(tool: Tool, monkeypatch: pytest.MonkeyPatch, value: str, status: str, says: str) -> None:
    assert texts(examined(tool)["proxy"], "ok") == ["no proxy for AWS; "]
    monkeypatch.setenv("HTTPS_PROXY", value)
    found = examined(tool)["proxy"]
    assert says in texts(found, status)[0]
    assert "the-word" not in str(found)
    monkeypatch.setenv("NO_PROXY", ".amazonaws.com")
    assert texts(examined(tool)["proxy"], "ok") == ["no proxy for AWS; "]


def test_the_cache(home: Path, tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home))
    place = home / "tpmwire"
    assert texts(examined(tool)["cache"], "ok") == [f"nothing is cached; --cache would use {place}; "]
    assert not place.exists()
    place.mkdir(mode=0o700)
    assert texts(examined(tool)["cache"], "ok") == [f"0 caches in {place}; "]
    (place / ("a" * 32)).touch(0o600)
    assert texts(examined(tool)["cache"], "warning") == [
        f"1 of 1 cache in {place} cannot be read; run `tpmwire cache clear`"
    ]
    for name, ended in (("a" * 32, 8 * 86400), ("b" * 32, 3600)):
        octets = seal_text(b"{}", int(time.time()) - ended, "20260101", bytes(32), bytes(32), b"")
        (place / name).touch(0o600)
        (place / name).write_bytes(octets)
    assert texts(examined(tool)["cache"], "warning") == [
        f"1 of 2 caches in {place} expired more than a week ago; run `tpmwire cache clear`"
    ]
    place.chmod(0o755)
    assert "must belong to you, with mode 0700; run chmod 700" in texts(examined(tool)["cache"], "error")[0]


@pytest.mark.parametrize("name", ["config", "credentials"])
def test_it_does_not_wait_for_pipes(home: Path, tool: Tool, name: str) -> None:
    """A program has each open for writing, and writes nothing."""
    os.mkfifo(home / ".aws" / name)
    os.mkfifo(home / "key.pem")
    held = [os.open(path, os.O_RDWR) for path in (home / ".aws" / name, home / "key.pem")]
    try:
        assert "is not a regular file" in texts(examined(tool)["profiles"], "error")[0]
        os.unlink(home / ".aws" / name)
        (home / ".aws" / "config").write_text(f"[default]\n{LINE} --credential-file={home}/key.pem\n")
        examined(tool)
    finally:
        for descriptor in held:
            os.close(descriptor)


def test_a_package_that_cannot_be_imported_is_a_warning(
    home: Path, tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = home / "packages" / "rich"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("import a_module_that_does_not_exist\n")
    monkeypatch.syspath_prepend(str(broken.parent))
    for name in [name for name in sys.modules if name.partition(".")[0] == "rich"]:
        monkeypatch.delitem(sys.modules, name)
    (text,) = texts(examined(tool)["packages"], "warning")
    assert text == "rich cannot be imported (ModuleNotFoundError); install rich again"


def test_an_openssl_that_cannot_be_loaded(home: Path) -> None:
    """Each check that needs it is an error, and the others go on."""
    (home / "libssl.so.3").write_text("not a library")
    with_it = shell("doctor", "--tpm-path=/x", "--network", before=f"export LD_LIBRARY_PATH={home}")
    if "not a library" not in with_it.out and "cannot load" not in with_it.out:
        pytest.skip("this Python's OpenSSL is part of Python")
    lines = with_it.out.splitlines()
    assert with_it.err == ""
    for check in ("python", "ca-store", "clock"):
        (line,) = [line for line in lines if f" {check}: " in line and line.startswith("error")]
        assert line.endswith("; check LD_LIBRARY_PATH, or reinstall Python")
    assert "ok       proxy: no proxy for AWS" in lines


def test_the_single_file_on_the_systems_python() -> None:
    """Which has no optional packages, as a rule."""
    with people() as crowd:
        done = crowd.person().run(TOOLBOX, "doctor", "--tpm-path=/nonexistent/tpm")
    assert (done.returncode, done.stderr) == (1, "")
    assert "\nok       packages: construct 2." in done.stdout
    assert "Traceback" not in done.stdout


def test_a_reader_that_ends_early_is_no_error() -> None:
    words = [sys.executable, "-c", "from cli.toolbox import main; raise SystemExit(main())"]
    done = subprocess.run(
        ["sh", "-c", '"$@" | head -n 1', "sh", *words, "doctor", "--tpm-path=/x"],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.startswith("error    device: /x (--tpm-path) does not exist")
    assert done.stderr == ""
