"""A recording of the bus lets nobody guess a password: every verb and run uses salted sessions only."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.guess import guessed, unsalted
from tests.support.interposer import Interposer
from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Tool, held
from tpmwire.keys.templates import h2_primary
from tpmwire.primary import create_primary
from tpmwire.sessions import SessionStart
from tpmwire.spec.constants import TPM_RH
from tpmwire.tpm import Tpm

ID, SECRET = "AKIAIOSFODNN7EXAMPLE", b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
OWNER, ENDORSEMENT, PARENT, KEY = (b"471147", b"271828", b"314159", b"161803")
WORDS = [f"{number:06d}".encode() for number in range(161000, 162000)] + [OWNER, ENDORSEMENT, PARENT, KEY]
SRK, HIS_PARENT = "0x81000001", "0x81000010"
STORAGE = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|decrypt"


class Box(NamedTuple):
    """A TPM whose hierarchies have passwords, a listener on its bus, and files with the passwords."""

    swtpm: Swtpm
    bus: Interposer
    directory: Path

    def words(self, **files: str) -> list[str]:
        """The path of the TPM, and options with password files: `parent_auth="owner"`."""
        options = [f"--{name.replace('_', '-')}-file={self.directory}/{file}" for name, file in files.items()]
        return [f"--tpm-path={self.bus.path}", *options]

    def persist(self, handle: str, *more: str) -> None:
        """A primary key made by tpm2_createprimary."""
        context = self.directory / "primary.ctx"
        tpm2(self.swtpm, "createprimary", "-C", "o", "-P", OWNER.decode(), "-G", "ecc", "-c", context, *more)
        tpm2(self.swtpm, "evictcontrol", "-C", "o", "-P", OWNER.decode(), "-c", context, handle)
        tpm2(self.swtpm, "flushcontext", "-t")


@pytest.fixture(scope="module", params=["no storage root key", "a storage root key"])
def box(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    directory = tmp_path_factory.mktemp("passwords")
    for name, password in (("owner", OWNER), ("endorsement", ENDORSEMENT), ("parent", PARENT), ("key", KEY)):
        path = directory / name
        path.touch(0o600)
        path.write_bytes(password)
    with Swtpm() as swtpm, Interposer(swtpm.path) as bus:
        tpm2(swtpm, "changeauth", "-c", "owner", OWNER.decode())
        tpm2(swtpm, "changeauth", "-c", "endorsement", ENDORSEMENT.decode())
        made = Box(swtpm, bus, directory)
        made.persist(HIS_PARENT, "-p", PARENT.decode(), "-a", STORAGE)
        if request.param == "a storage root key":
            made.persist(SRK)
        yield made


def test_a_session_without_a_salt_is_guessed(box: Box) -> None:
    """So that the search below is known to find something."""
    box.bus.clear()
    with Tpm.open(box.bus.path, 20) as tpm:
        use = tpm.start_session(SessionStart()).use(OWNER, keep=False)
        create_primary(tpm, TPM_RH.OWNER, h2_primary(), use)
    assert guessed(box.bus.dialogue, WORDS) == {("CreatePrimary", OWNER)}


@pytest.fixture
def quiet(box: Box, tool: Tool) -> Iterator[Callable[..., str]]:
    """Runs a verb; nothing that it sent can be checked against words, and nothing of it is left."""

    def run(*words: str | Path, stdin: bytes = b"") -> str:
        box.bus.clear()
        ran = tool(*words, stdin=stdin)
        assert ran.code == 0, ran.err
        assert guessed(box.bus.dialogue, WORDS) == set()
        assert [one.code for one in unsalted(box.bus.dialogue)] == []
        heard = box.bus.octets
        assert not [word for word in (OWNER, ENDORSEMENT, PARENT, KEY) if word in heard]
        assert "StartAuthSession" in box.bus.codes
        return ran.out

    yield run
    assert held(box.swtpm) == ""


PRESIGN = ("presign", "--region", "us-east-1", "s3://bucket/key", f"--aws-access-key-id={ID}", "--timeout=20s")


def test_the_owners_password(box: Box, quiet: Callable[..., str]) -> None:
    """A key file under the owner's primary: made, used, made persistent, evicted; Names are told."""
    file = box.directory / "owner.pem"
    words = box.words(parent_auth="owner", key_auth="key")
    pinned = quiet("import", "--out", file, "--force", *words, stdin=SECRET)
    name = quiet("name", "h2", *box.words(parent_auth="owner")).strip()
    run = [f"--credential-file={file}", *box.words(parentPass="owner", keyPass="key")]
    quiet(*PRESIGN, *run)
    quiet(*PRESIGN, *run, f"--tpm-session-encrypt-with-name={name}@h2")
    quiet(*PRESIGN, *run, f"--tpm-session-encrypt-with-name={name}")
    assert f"--tpm-session-encrypt-with-name={name}@h2" in pinned
    quiet("persist", file, "0x81010020", *box.words(parent_auth="owner"))
    quiet(*PRESIGN, "--persistentHandle=0x81010020", *box.words(keyPass="key"))
    at_handle = ["--persistentHandle=0x81010020", *box.words(parentPass="owner", keyPass="key")]
    quiet(*PRESIGN, *at_handle, f"--tpm-session-encrypt-with-name={name}@h2")
    quiet("evict", "0x81010020", *box.words(owner_auth="owner"))
    quiet("export-public", *box.words(owner_auth="owner"))


def test_pcrs_beside_the_owners_password(box: Box, quiet: Callable[..., str]) -> None:
    file = box.directory / "pcrs.pem"
    quiet("import", "--out", file, "--force", "--pcrs=sha256:23", *box.words(parent_auth="owner"), stdin=SECRET)
    quiet(*PRESIGN, f"--credential-file={file}", *box.words(parentPass="owner"))
    quiet(*PRESIGN, f"--credential-file={file}", "--pcrs=sha256:23", *box.words(parentPass="owner"))


def test_a_parents_password(box: Box, quiet: Callable[..., str]) -> None:
    file = box.directory / "child.pem"
    words = box.words(parent_auth="parent", key_auth="key", owner_auth="owner")
    quiet("import", "--parent", HIS_PARENT, "--out", file, "--force", *words, stdin=SECRET)
    quiet(*PRESIGN, f"--credential-file={file}", *box.words(parentPass="parent", keyPass="key"))
    bound = box.directory / "bound.pem"
    words = box.words(parent_auth="parent")
    quiet("import", "--parent", HIS_PARENT, "--out", bound, "--force", "--pcrs=sha256:23", *words, stdin=SECRET)
    quiet(*PRESIGN, f"--credential-file={bound}", *box.words(parentPass="parent"))


def test_the_endorsement_password(box: Box, quiet: Callable[..., str], tool: Tool) -> None:
    """Wrapped for the endorsement key, taken in, and used below it: CreatePrimary and PolicySecret."""
    target, wrapped, taken = (box.directory / name for name in ("ek.json", "wrapped.pem", "taken.pem"))
    words = box.words(parent_auth="endorsement")
    name = quiet("name", "ek-ecc", *words).strip()
    target.write_text(quiet("export-public", "--key=ek-ecc", *words))
    assert tool("wrap", "--to", target, "--out", wrapped, "--force", stdin=SECRET).code == 0
    quiet("import-key", wrapped, "--out", taken, "--force", *words)
    run = [f"--credential-file={taken}", "--useEKParent", *box.words(parentPass="endorsement")]
    quiet(*PRESIGN, *run)
    quiet(*PRESIGN, *run, f"--tpm-session-encrypt-with-name={name}@ek-ecc")


def test_a_tokens_key_and_one_that_moves(box: Box, quiet: Callable[..., str], tool: Tool) -> None:
    token, mobile = box.directory / "token.pem", box.directory / "mobile.pem"
    secret = b"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    words = box.words(parent_auth="owner", key_auth="key")
    quiet("totp", "import", "--out", token, "--force", *words, stdin=secret)
    quiet("totp", "code", token, "--timeout=20s", *words)
    target = box.directory / "target.json"
    target.write_text(quiet("export-public", *box.words(parent_auth="owner")))
    quiet("import", "--out", mobile, "--force", "--duplicable-to", "any", *words, stdin=SECRET)
    quiet("duplicate", mobile, "--to", target, "--out", box.directory / "moved.pem", "--force", *words)


def test_what_is_not_protected_is_heard(box: Box, tool: Tool) -> None:
    """--no-session-encryption says so; and the listener hears it."""
    file = box.directory / "plain.pem"
    assert tool("import", "--out", file, "--force", *box.words(parent_auth="owner"), stdin=SECRET).code == 0
    box.bus.clear()
    words = box.words(parentPass="owner")
    assert tool(*PRESIGN, f"--credential-file={file}", "--no-session-encryption", *words).code == 0
    assert guessed(box.bus.dialogue, WORDS) == {("CreatePrimary", OWNER)}
