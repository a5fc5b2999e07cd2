"""A key from TPM-A to TPM-B by TPM2_Duplicate: our verbs on both sides, and tpm2-tools on either."""

import hmac
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.interposer import Interposer
from tests.support.swtpm import Swtpm, SwtpmError, tpm2
from tests.support.verbs import Ran, Tool
from tpmwire.keys.keyfile import IMPORTABLE, LOADABLE, KeyFile, parse
from tpmwire.secret import Secret
from tpmwire.tpm import Tpm
from tpmwire.use.hmac import HmacKey

SECRET = b"wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYxx"
DATE = b"20261124"
EXPECTED = hmac.digest(b"AWS4" + SECRET, DATE, "sha256")
HANDLE, SRK = 0x81010040, 0x81000001
PCR23 = "sha256:23=" + 64 * "0"


@pytest.fixture(scope="module")
def a() -> Iterator[Swtpm]:
    with Swtpm() as swtpm:
        yield swtpm


@pytest.fixture(scope="module")
def b() -> Iterator[Swtpm]:
    """With a storage root key at its usual handle."""
    with Swtpm() as swtpm:
        tpm2(swtpm, "createprimary", "-C", "o", "-G", "ecc", "-c", f"{swtpm.state.parent}/srk.ctx", *SRK_TEMPLATE)
        tpm2(swtpm, "evictcontrol", "-C", "o", "-c", f"{swtpm.state.parent}/srk.ctx", f"{SRK:#x}")
        tpm2(swtpm, "flushcontext", "-t")
        yield swtpm


SRK_TEMPLATE = (
    "-a",
    "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt",
)


def good(ran: Ran) -> str:
    assert ran.code == 0, ran.err
    assert SECRET.decode() not in ran.out + ran.err
    return ran.out


def password_file(tmp_path: Path, password: bytes) -> Path:
    path = tmp_path / "auth"
    path.write_bytes(password)
    path.chmod(0o600)
    return path


def exported(tool: Tool, swtpm: Swtpm, path: Path, kind: str) -> Path:
    path.write_text(good(tool("export-public", "--tpm-path", swtpm.path, "--key", kind)))
    return path


def used(swtpm: Swtpm, file: KeyFile, password: bytes = b"", *, ek: bool = False) -> bytes:
    with Tpm.open(swtpm.path, 20) as tpm:
        return HmacKey(file=file, auth=Secret(password), ek_parent=ek).hmac(tpm, DATE)


def step(swtpm: Swtpm, *words: str | Path, cwd: Path) -> None:
    """One of tpm2-tools, which leave their objects in the TPM's three slots."""
    tpm2(swtpm, *words, cwd=cwd)
    tpm2(swtpm, "flushcontext", "-t")


USES = {"free": (b"", ()), "password": (b"pass word", ()), "PCR": (b"", ("--pcrs", "23"))}


@pytest.mark.parametrize("inner", [False, True], ids=["outer wrapper", "inner wrapper"])
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("kind", ["h2", "srk", "ek-rsa", "ek-ecc"])
def test_from_one_tpm_to_the_other(
    a: Swtpm, b: Swtpm, tool: Tool, tmp_path: Path, kind: str, use: str, inner: bool
) -> None:
    password, options = USES[use]
    auth = ("--key-auth-file", password_file(tmp_path, password)) if password else ()
    target = exported(tool, b, tmp_path / "b.json", kind)
    key, moved, there = tmp_path / "a.pem", tmp_path / "moved.pem", tmp_path / "b.pem"
    inside = ("--inner-key-file", tmp_path / "inner") if inner else ()
    made = ("import", "--tpm-path", a.path, "--out", key, *auth, *options, "--duplicable-to", target)
    good(tool(*made, stdin=SECRET))
    assert used(a, parse(key.read_bytes()), password) == EXPECTED
    good(tool("duplicate", "--tpm-path", a.path, "--to", target, key, "--out", moved, *auth, *inside))
    assert parse(moved.read_bytes()).type == IMPORTABLE
    good(tool("import-key", "--tpm-path", b.path, moved, "--out", there, *auth, *inside))
    loadable = parse(there.read_bytes())
    assert loadable.type == LOADABLE
    assert used(b, loadable, password, ek=kind.startswith("ek")) == EXPECTED
    # A keeps its own.
    assert used(a, parse(key.read_bytes()), password) == EXPECTED
    for path in (key, moved, there, *inside[1:]):
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_for_one_parent_goes_to_no_other_and_not_on(a: Swtpm, b: Swtpm, tool: Tool, tmp_path: Path) -> None:
    target = exported(tool, b, tmp_path / "b.json", "h2")
    back, ek = exported(tool, a, tmp_path / "a.json", "h2"), exported(tool, b, tmp_path / "ek.json", "ek-ecc")
    key, moved, there = tmp_path / "a.pem", tmp_path / "moved.pem", tmp_path / "b.pem"
    good(tool("import", "--tpm-path", a.path, "--out", key, "--duplicable-to", target, stdin=SECRET))
    refused = tool("duplicate", "--tpm-path", a.path, "--to", ek, key, "--out", tmp_path / "x.pem")
    assert (refused.code, "does not allow its duplication" in refused.err) == (4, True), refused.err
    good(tool("duplicate", "--tpm-path", a.path, "--to", target, key, "--out", moved))
    good(tool("import-key", "--tpm-path", b.path, moved, "--out", there))
    refused = tool("duplicate", "--tpm-path", b.path, "--to", back, there, "--out", tmp_path / "x.pem")
    assert (refused.code, "does not allow its duplication" in refused.err) == (4, True), refused.err
    assert not (tmp_path / "x.pem").exists()
    # It is the TPM that refuses, too: tpm2-tools ask it without our care.
    file = parse(there.read_bytes())
    (tmp_path / "pub").write_bytes(file.pubkey)
    (tmp_path / "priv").write_bytes(file.privkey)
    (tmp_path / "unique").write_bytes(bytes(4))
    primary = ("createprimary", "-C", "o", "-G", "ecc", "-c", "p", *SRK_TEMPLATE, "-u", "unique")
    try:
        step(b, *primary, cwd=tmp_path)
        step(b, "load", "-C", "p", "-u", "pub", "-r", "priv", "-c", "k", cwd=tmp_path)
        step(b, "startauthsession", "--policy-session", "-S", "s", cwd=tmp_path)
        step(b, "policycommandcode", "-S", "s", "TPM2_CC_Duplicate", cwd=tmp_path)
        duplicate = ("duplicate", "-C", "null", "-c", "k", "-G", "null", "-p", "session:s", "-r", "d", "-s", "e")
        with pytest.raises(SwtpmError, match="policy check failed"):
            step(b, *duplicate, cwd=tmp_path)
    finally:
        for kind in ("-t", "-l", "-s"):
            tpm2(b, "flushcontext", kind)


@pytest.mark.parametrize("password", [b"", b"pass word"])
def test_a_key_for_any_parent_goes_on_and_back(
    a: Swtpm, b: Swtpm, tool: Tool, tmp_path: Path, password: bytes
) -> None:
    auth = ("--key-auth-file", password_file(tmp_path, password)) if password else ()
    to_b, to_a = exported(tool, b, tmp_path / "b.json", "srk"), exported(tool, a, tmp_path / "a.json", "h2")
    key, moved, there = tmp_path / "a.pem", tmp_path / "moved.pem", tmp_path / "b.pem"
    good(tool("import", "--tpm-path", a.path, "--out", key, *auth, "--duplicable-to", "any", stdin=SECRET))
    if password:
        refused = tool("duplicate", "--tpm-path", a.path, "--to", to_b, key, "--out", moved)
        assert refused.code == 4, refused.err
        assert not moved.exists()
        tpm2(a, "dictionarylockout", "-c")
    good(tool("duplicate", "--tpm-path", a.path, "--to", to_b, key, "--out", moved, *auth))
    good(tool("import-key", "--tpm-path", b.path, moved, "--out", there, *auth))
    good(tool("duplicate", "--tpm-path", b.path, "--to", to_a, there, "--out", moved, *auth, "--force"))
    good(tool("import-key", "--tpm-path", a.path, moved, "--persistent-handle", f"{HANDLE:#x}", *auth))
    try:
        with Tpm.open(a.path, 20) as tpm:
            assert HmacKey(handle=HANDLE, auth=Secret(password)).hmac(tpm, DATE) == EXPECTED
    finally:
        tpm2(a, "evictcontrol", "-C", "o", "-c", f"{HANDLE:#x}")


@pytest.mark.parametrize("kind", ["h2", "ek-ecc"])
def test_the_inner_key_and_the_password_are_not_heard(
    a: Swtpm, b: Swtpm, tool: Tool, tmp_path: Path, kind: str
) -> None:
    target = exported(tool, b, tmp_path / "b.json", kind)
    auth = ("--key-auth-file", password_file(tmp_path, b"pass word"))
    key, moved, inside = tmp_path / "a.pem", tmp_path / "moved.pem", ("--inner-key-file", tmp_path / "inner")
    heard = b""
    for swtpm, words in (
        (a, ("import", "--out", key, *auth, "--duplicable-to", "any")),
        (a, ("duplicate", "--to", target, key, "--out", moved, *auth, *inside)),
        (b, ("import-key", moved, "--out", tmp_path / "b.pem", *auth, *inside)),
    ):
        with Interposer(swtpm.path) as bus:
            good(tool(*words, "--tpm-path", bus.path, stdin=SECRET))
            heard += bus.octets
    inner = (tmp_path / "inner").read_bytes()
    assert len(inner) == 16
    for secret in (inner, b"pass word", SECRET):
        assert secret not in heard
    # What was moved is of no use without the inner key, and with another.
    for wrong in ((), ("--inner-key-file", tmp_path / "wrong")):
        (tmp_path / "wrong").write_bytes(bytes(16))
        refused = tool("import-key", moved, "--tpm-path", b.path, "--out", tmp_path / "x.pem", *auth, *wrong)
        assert refused.code == 4, refused.err
        assert not (tmp_path / "x.pem").exists()


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--to", "{b}", "{key}"), 2, "no output; give --out FILE, or --public"),
        (("--to", "{b}", "{key}", "--public", "p"), 2, "--public, --private and --seed together"),
        (("--to", "{b}", "{key}", "--out", "{key}"), 2, "exists"),
        (("--to", "{b}", "{key}", "--out", "o", "--inner-key-file", "o"), 2, "have the same name"),
        (("--to", "{key}", "{key}", "--out", "o"), 2, "a TPM key file"),
        (("--to", "{b}", "{b}", "--out", "o"), 5, "not a TPM key"),
        (("--to", "{b}", "{key}", "--out", "o"), 4, "bound to its TPM"),
    ],
)
def test_what_is_wrong_is_said(
    a: Swtpm, b: Swtpm, tool: Tool, tmp_path: Path, words: tuple[str, ...], code: int, says: str
) -> None:
    """Before the TPM is asked: none is at that path."""
    target, key = exported(tool, b, tmp_path / "b.json", "h2"), tmp_path / "a.pem"
    good(tool("import", "--tpm-path", a.path, "--out", key, stdin=SECRET))
    ran = tool("duplicate", "--tpm-path", "/nowhere", *(word.format(b=target, key=key) for word in words))
    assert (ran.code, says in ran.err, len(ran.err.splitlines())) == (code, True, 1), ran.err
