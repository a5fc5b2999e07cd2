"""Keys between TPM-A and TPM-B with tpm2-tools on one side: tpm2_duplicate to us, and ours to tpm2_import."""

import hmac
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Ran, Tool
from tpmwire.keys.keyfile import parse
from tpmwire.secret import Secret
from tpmwire.tpm import Tpm
from tpmwire.use.hmac import HmacKey

SECRET = b"wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYxx"
KEY, DATE = b"AWS4" + SECRET, b"20261124"
EXPECTED = hmac.digest(KEY, DATE, "sha256")
SRK = 0x81000001
STORAGE = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt"


@pytest.fixture(scope="module")
def a() -> Iterator[Swtpm]:
    with Swtpm() as swtpm:
        yield swtpm


@pytest.fixture(scope="module")
def b(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swtpm]:
    """With an RSA storage key of tpm2-tools at the storage root key's handle."""
    with Swtpm() as swtpm:
        where = tmp_path_factory.mktemp("b")
        step(swtpm, "createprimary", "-C", "o", "-c", "p", "-G", "rsa", "-a", STORAGE, cwd=where)
        step(swtpm, "evictcontrol", "-C", "o", "-c", "p", f"{SRK:#x}", cwd=where)
        yield swtpm


def step(swtpm: Swtpm, *words: str | Path, cwd: Path, input: bytes | None = None) -> bytes:
    """One of tpm2-tools, which leave their objects in the TPM's three slots."""
    out = tpm2(swtpm, *words, cwd=cwd, input=input)
    tpm2(swtpm, "flushcontext", "-t")
    return out


def good(ran: Ran) -> str:
    assert ran.code == 0, ran.err
    return ran.out


def public_area(swtpm: Swtpm, kind: str, where: Path, tool: Tool) -> str:
    """The new parent's public area in `new.pub`, as tpm2-tools write it; gives import-key's option for it."""
    if kind == "h2":
        (where / "unique").write_bytes(bytes(4))
        words = ("createprimary", "-C", "o", "-G", "ecc", "-g", "sha256", "-a", STORAGE, "-u", "unique", "-c", "p")
        step(swtpm, *words, cwd=where)
        tpm2(swtpm, "readpublic", "-c", "p", "-o", "new.pub", cwd=where)
        tpm2(swtpm, "flushcontext", "-t")
        return ""
    if kind == "srk":
        step(swtpm, "readpublic", "-c", f"{SRK:#x}", "-o", "new.pub", cwd=where)
        return f"--parent={SRK:#x}"
    algorithm = kind.removeprefix("ek-")
    step(swtpm, "createek", "-c", "ek", "-G", algorithm, "-u", "new.pub", cwd=where)
    return "--use-ek-parent"


@pytest.mark.parametrize("inner", [False, True], ids=["outer wrapper", "inner wrapper"])
@pytest.mark.parametrize("kind", ["h2", "srk", "ek-rsa", "ek-ecc"])
def test_from_tpm2_tools(a: Swtpm, b: Swtpm, tool: Tool, tmp_path: Path, kind: str, inner: bool) -> None:
    parent = public_area(b, kind, tmp_path, tool)
    step(a, "createprimary", "-C", "o", "-c", "a", cwd=tmp_path)
    step(a, "loadexternal", "-C", "o", "-u", "new.pub", "-c", "new", "-n", "new.name", cwd=tmp_path)
    step(a, "startauthsession", "-S", "s", cwd=tmp_path)
    step(a, "policyduplicationselect", "-S", "s", "-N", "new.name", "-L", "policy", cwd=tmp_path)
    step(a, "flushcontext", "s", cwd=tmp_path)
    (tmp_path / "key").write_bytes(KEY)
    attributes = "sign|userwithauth" + ("|encryptedduplication" if inner else "")
    made = ("import", "-C", "a", "-G", "hmac", "-i", "key", "-u", "k.pub", "-r", "k.priv", "-p", "pass word")
    step(a, *made, "-L", "policy", "-a", attributes, cwd=tmp_path)
    step(a, "load", "-C", "a", "-u", "k.pub", "-r", "k.priv", "-c", "k", "-n", "k.name", cwd=tmp_path)
    step(a, "startauthsession", "--policy-session", "-S", "s", cwd=tmp_path)
    step(a, "policyduplicationselect", "-S", "s", "-N", "new.name", "-n", "k.name", cwd=tmp_path)
    wrap = ("-G", "aes", "-o", "inner") if inner else ("-G", "null")
    moved = ("duplicate", "-C", "new", "-c", "k", "-p", "session:s", "-r", "dup.priv", "-s", "seed")
    step(a, *moved, *wrap, cwd=tmp_path)
    step(a, "flushcontext", "s", cwd=tmp_path)

    (tmp_path / "auth").write_bytes(b"pass word")
    (tmp_path / "auth").chmod(0o600)
    three = ("--public", tmp_path / "k.pub", "--private", tmp_path / "dup.priv", "--seed", tmp_path / "seed")
    inside = ("--inner-key-file", tmp_path / "inner") if inner else ()
    there = ("--out", tmp_path / "b.pem", "--key-auth-file", tmp_path / "auth", *inside)
    good(tool("import-key", "--tpm-path", b.path, *three, *([parent] if parent else []), *there))
    key = HmacKey(
        file=parse((tmp_path / "b.pem").read_bytes()), auth=Secret(b"pass word"), ek_parent=kind.startswith("ek")
    )
    with Tpm.open(b.path, 20) as tpm:
        assert key.hmac(tpm, DATE) == EXPECTED


@pytest.mark.parametrize("inner", [False, True], ids=["outer wrapper", "inner wrapper"])
@pytest.mark.parametrize("kind", ["h2", "srk"])
def test_to_tpm2_tools(a: Swtpm, b: Swtpm, tool: Tool, tmp_path: Path, kind: str, inner: bool) -> None:
    public_area(b, kind, tmp_path, tool)
    made = ("--out", tmp_path / "a.pem", "--duplicable-to", tmp_path / "new.pub")
    good(tool("import", "--tpm-path", a.path, *made, stdin=SECRET))
    three = ("--public", tmp_path / "k.pub", "--private", tmp_path / "dup.priv", "--seed", tmp_path / "seed")
    inside = ("--inner-key-file", tmp_path / "inner") if inner else ()
    moved = ("--to", tmp_path / "new.pub", tmp_path / "a.pem", *three, *inside)
    good(tool("duplicate", "--tpm-path", a.path, *moved))
    parent = "p" if kind == "h2" else f"{SRK:#x}"
    unwrap = ("-k", "inner") if inner else ()
    words = ("import", "-C", parent, "-u", "k.pub", "-i", "dup.priv", "-s", "seed", "-r", "k.priv", *unwrap)
    step(b, *words, cwd=tmp_path)
    step(b, "load", "-C", parent, "-u", "k.pub", "-r", "k.priv", "-c", "k", cwd=tmp_path)
    (tmp_path / "date").write_bytes(DATE)
    assert step(b, "hmac", "-c", "k", "-g", "sha256", "date", cwd=tmp_path) == EXPECTED
