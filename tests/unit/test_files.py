"""Files of users: pipes whose other end nobody opens, temporary names, and what killed runs have left."""

import ast
import os
import ssl
import threading
import time
from pathlib import Path

import pytest

import sigv4.files
from cli.awsconfig.files import edit_file
from cli.credentials.cache.directory import clear
from cli.credentials.cache.store import CacheFile
from cli.terminal.files import write_whole
from sigv4.authorities import Authorities
from sigv4.errors import RequestError
from sigv4.files import open_input
from tests.support.attestation import EccSigner
from tests.support.certificates import Authority
from tests.support.verbs import Tool, shell

ROOT = Path(__file__).parents[2]
OLD = time.time() - 3600


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """A named pipe whose other end nobody opens."""
    os.mkfifo(tmp_path / "fifo")
    return tmp_path / "fifo"


NOWHERE = "--tpm-path=/nonexistent"
REQUEST = f"{NOWHERE} https://sts.us-east-1.amazonaws.com/"
READERS = [
    "show FIFO",
    f"persist FIFO 0x81010002 {NOWHERE}",
    "policy FIFO",
    "policy --json FIFO",
    f"import --policy FIFO --out new.pem {NOWHERE}",
    f"import --out new.pem --key-auth-file FIFO {NOWHERE}",
    f"import --out new.pem --duplicable-to FIFO {NOWHERE}",
    f"import-key FIFO --out new.pem {NOWHERE}",
    f"import-key --public FIFO --private FIFO --seed FIFO --out new.pem {NOWHERE}",
    "wrap --to FIFO --out new.pem",
    f"duplicate FIFO --to FIFO --out new.pem {NOWHERE}",
    f"totp import --secret-file FIFO --out new.pem {NOWHERE}",
    f"send --json FIFO {NOWHERE}",
    "decode FIFO",
    "explain FIFO",
    "decode --salt-file FIFO 80010000000c0000014400000000",
    f"ek --ca FIFO {NOWHERE}",
    f"curl -H @FIFO {REQUEST}",
    f"curl -d @FIFO {REQUEST}",
    f"curl -T FIFO {REQUEST}",
    f"sign --credential-file FIFO {REQUEST}",
    f"sign --keyPass-file FIFO {REQUEST}",
    f"sign --parentPass-file FIFO {REQUEST}",
    f"sign --tpm-session-encrypt-with-public FIFO {REQUEST}",
    f"sign --profile a {REQUEST}",
    f"exec --policy-file FIFO {NOWHERE} -- true",
    f"serve --token-file FIFO {NOWHERE}",
    f"enroll --profile a {NOWHERE}",
    "rotate --profile a",
]


@pytest.mark.parametrize("words", READERS)
def test_nobody_waits_for_ever_for_who_writes_a_pipe(
    fifo: Path, tool: Tool, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.setattr(sigv4.files, "_WRITER", 0.05)
    monkeypatch.chdir(fifo.parent)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(fifo))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAMADEUP")
    ran = tool(*words.replace("FIFO", str(fifo)).split(), stdin=b"made/up+SecretAccessKeyOfFortyCharacters")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1), ran
    assert any(says in ran.err for says in ("no program opened it", "not a regular file")), ran.err


def test_who_writes_a_pipe_has_time_and_its_end_is_told(fifo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write() -> None:
        time.sleep(0.3)
        with fifo.open("wb", buffering=0) as file:
            file.write(b"one ")
            time.sleep(0.3)
            file.write(b"two")

    monkeypatch.setattr(sigv4.files, "_WRITER", 60)
    writer = threading.Thread(target=write)
    writer.start()
    with open_input(str(fifo)) as file:
        assert file.read() == b"one two"
    writer.join()


def test_who_opens_a_pipe_and_is_silent_has_an_end(fifo: Path) -> None:
    silent = os.open(fifo, os.O_RDWR)
    with (
        open_input(str(fifo), silence=0.05) as file,
        pytest.raises(TimeoutError, match="no data"),
    ):
        file.read()
    os.close(silent)


def test_what_a_shell_hands_over_is_read() -> None:
    key = ROOT / "fixtures" / "keys" / "hmac.pem"
    wanted = shell("show", key)
    assert wanted.code == 0
    assert shell("show", "/dev/stdin", stdin=key.read_bytes()) == wanted
    assert shell("show", "/dev/fd/9", before=f"exec 9<{key}") == wanted
    empty = shell("show", "/dev/null")
    assert (empty.code, empty.err.count("\n")) == (5, 1)


@pytest.mark.parametrize("path", ["", "a\0b", "\ud800", "/", "/nonexistent/x"])
def test_what_is_no_file_is_an_error_of_the_operating_system(path: str) -> None:
    with pytest.raises(OSError, match=r"."):
        open_input(path).read()


def test_a_ca_bundle_may_be_a_pipe(fifo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "piped")
    writer = threading.Thread(target=lambda: fifo.write_bytes(authority.bundle.read_bytes()))
    writer.start()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    Authorities({"AWS_CA_BUNDLE": str(fifo)}).load(context)
    writer.join()
    assert len(context.get_ca_certs()) == 1
    monkeypatch.setattr(sigv4.files, "_WRITER", 0.05)
    with pytest.raises(RequestError, match=r"AWS_CA_BUNDLE: .*no program opened it"):
        Authorities({"AWS_CA_BUNDLE": str(fifo)}).load(context)


def test_a_pipe_as_the_systems_bundle_is_refused(fifo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(fifo))
    monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")
    with pytest.raises(RequestError, match=r"SSL_CERT_FILE: .* is not a regular file"):
        Authorities({}).load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


# Their files are in a directory of our own, or known to be ordinary ones.
OWN = {"sigv4/files.py", "cli/keys/fleet/manifest.py", "sigv4/authorities.py", "cli/doctor/access.py"}


def test_whatever_reads_a_file_by_its_name_opens_it_there() -> None:
    for path in [*(ROOT / "cli").rglob("*.py"), *(ROOT / "sigv4").rglob("*.py")]:
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        opens = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "open"]
        reads = [call for call in opens if "'w" not in ast.unparse(call) and "descriptor" not in ast.unparse(call)]
        assert not reads or str(path.relative_to(ROOT)) in OWN, path


def test_temporary_names_cannot_be_foreseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    link = os.link

    def watched(source: str, target: str) -> None:
        assert os.stat(source).st_mode & 0o777 == 0o600
        seen.append(source)
        link(source, target)

    monkeypatch.setattr(os, "link", watched)
    for name in ("one", "two"):
        write_whole(str(tmp_path / name), b"")
    ends = {name.split(".")[-2] for name in seen}
    assert len(ends) == 2
    assert min(map(len, ends)) == 16
    assert sorted(os.listdir(tmp_path)) == ["one", "two"]


def test_what_a_killed_run_left_of_a_secret_is_removed(tmp_path: Path) -> None:
    left = [tmp_path / f"credentials.{end}.tmp" for end in ("0123456789abcdef", "4711")]
    others = [
        tmp_path / name for name in ("credentials.mine.tmp", "config.0123456789abcdef.tmp", "credentials.old")
    ]
    young = tmp_path / "credentials.fedcba9876543210.tmp"
    for path in (*left, *others, young):
        path.touch()
    for path in (*left, *others):
        os.utime(path, (OLD, OLD))
    edit_file(str(tmp_path / "credentials"), lambda _: "[default]\n")
    assert {*tmp_path.iterdir()} == {tmp_path / "credentials", young, *others}


def test_what_a_killed_run_left_of_a_cache_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    name = "0123456789abcdef" * 2
    store = CacheFile(str(tmp_path / "tpmwire"), name)
    for end, old in (("0123456789abcdef", True), ("0123456789abcdee", False), ("lock", True)):
        path = tmp_path / "tpmwire" / f"{name}.{end}"
        path.touch(mode=0o600)
        if old:
            os.utime(path, (OLD, OLD))
    store.write(b"octets")
    store.close()
    assert sorted(os.listdir(tmp_path / "tpmwire")) == [name, f"{name}.0123456789abcdee", f"{name}.lock"]
    assert clear() == 1
    assert os.listdir(tmp_path / "tpmwire") == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("ak --out new --public new --force", "two output files have the same name"),
        ("ak --out new --public ./new", "two output files have the same name"),
        ("ak --out new --go old", "old exists; --force replaces it"),
        ("quote 0x81010003 --pcrs 0 --nonce 00 --message new --signature old", "old exists; --force replaces it"),
        ("quote 0x81010003 --pcrs 0 --nonce 00 --message new --signature new", "two output files"),
        ("certify 0x81010003 --by 0x81010003 --nonce 00 --message new --signature old", "old exists"),
    ],
)
def test_output_paths_are_checked_before_the_tpm_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("old").write_text("old")
    ran = shell(*words.split(), NOWHERE)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert says in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("quote hello --pcrs 0 --nonce 00 --tpm-path /nonexistent", 5, "create a TPM key with `tpmwire ak`"),
        ("certify hello --by 0x81010003 --nonce 00 --tpm-path /nonexistent", 5, "`tpmwire ak`"),
        ("checkquote hello --public hello --pcrs 0 --nonce 00", 2, "hello: not valid JSON"),
        ("checkquote list --public hello --pcrs 0 --nonce 00", 2, "list: not a valid quote: expected"),
        ("checkcertify hello --public hello --item 00 --nonce 00", 2, "hello: not a valid JSON statement"),
        (
            "checkcertify --message hello --signature hello --public ak.pub --item hello --nonce 00",
            2,
            "hello: not a",
        ),
        ("convert hello --to pem", 2, "hello: not a public key"),
        ("convert - --to pem", 2, "standard input: not a public key"),
    ],
)
def test_a_file_of_another_kind_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, code: int, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("hello").write_text("hello\n")
    Path("list").write_text("[]")
    Path("ak.pub").write_bytes(EccSigner().public.build())
    ran = shell(*words.split(), stdin=b"hello")
    assert (ran.code, ran.err.count("\n")) == (code, 1), ran.err
    assert says in ran.err
    assert "`tpmwire import`" not in ran.err
