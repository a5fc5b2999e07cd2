"""An owner's password that import and enroll needed: the profile that they write works, and says what it needs."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.tpm.pins import encode_public
from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Tool, held
from tpmwire.channel import read_loaded
from tpmwire.tpm import Tpm

ID, SECRET = "AKIAIOSFODNN7EXAMPLE", b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
OWNER = "the owner's own"
SRK = "0x81000001"
PRESIGN = ("presign", "--profile", "p", "--region", "us-east-1", "s3://bucket/key")


class Box:
    """A TPM whose owner has a password, and a home."""

    def __init__(self, swtpm: Swtpm, home: Path) -> None:
        self.swtpm, self.home = swtpm, home
        self.password = home / "owner"
        self.password.touch(0o600)
        self.password.write_text(OWNER)

    @property
    def words(self) -> tuple[str, ...]:
        return ("--aws-access-key-id", ID, "--tpm-path", self.swtpm.path, "--write-profile", "p", "--force")

    def line(self) -> list[str]:
        """The words of the profile that was written."""
        text = (self.home / ".aws/config").read_text()
        return shlex.split(text.partition("credential_process = ")[2])


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with Swtpm() as swtpm:
        tpm2(swtpm, "changeauth", "-c", "owner", OWNER)
        yield Box(swtpm, tmp_path)
        assert held(swtpm) == ""


HANDLE = ("--persistent-handle", "0x81010005")


@pytest.mark.parametrize("option", ["--parent-auth-file", "--owner-auth-file"])
def test_a_handle_needs_no_password_in_a_run(box: Box, tool: Tool, option: str) -> None:
    made = tool("import", *HANDLE, *box.words, option, box.password, stdin=SECRET)
    assert made.code == 0, made.err
    assert "pins no key of this TPM" in made.err
    assert "--make-srk" in made.err
    assert not [word for word in box.line() if word.startswith(("--tpm-session", "--parentPass"))]
    assert tool(*PRESIGN).code == 0


def test_a_handle_whose_pin_the_owner_makes(box: Box, tool: Tool) -> None:
    """The user has pinned it: the profile tells where the password is."""
    auth = ("--parent-auth-file", box.password)
    name = tool("name", "h2", "--tpm-path", box.swtpm.path, *auth).out.strip()
    pin = ("--tpm-session-encrypt-with-name", f"{name}@h2")
    made = tool("import", *HANDLE, *box.words, *auth, *pin, stdin=SECRET)
    assert made.code == 0, made.err
    assert f"--parentPass-file={box.password}" in box.line()
    assert tool(*PRESIGN).code == 0


def test_a_key_file(box: Box, tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    out = ("--out", box.home / "k.pem")
    made = tool("import", *out, *box.words, "--owner-auth-file", box.password, stdin=SECRET)
    assert made.code == 0, made.err
    assert tool(*PRESIGN).code == 0
    monkeypatch.setenv("TPM_OWNER_AUTH", OWNER)
    made = tool("import", *out, *box.words, stdin=SECRET)
    assert "needs the parent's password; add --parentPass-file=FILE" in made.err
    assert tool(*PRESIGN).code == 4
    monkeypatch.setenv("TPM_PARENT_AUTH", OWNER)
    assert tool(*PRESIGN).code == 0


@pytest.mark.parametrize("place", [HANDLE, ("--out", "k.pem")], ids=["handle", "file"])
def test_a_storage_root_key_made_once(
    box: Box, tool: Tool, monkeypatch: pytest.MonkeyPatch, place: tuple[str, str]
) -> None:
    """The standard one, as the parent and pinned; a second import finds it."""
    monkeypatch.chdir(box.home)
    words = ("import", *place, *box.words, "--make-srk", "--owner-auth-file", box.password)
    made = tool(*words, stdin=SECRET)
    assert made.code == 0, made.err
    assert f"made the storage root key persistent at {SRK}" in made.err
    with Tpm.open(box.swtpm.path, 20) as tpm:
        root = read_loaded(tpm, int(SRK, 16))
    # Made anew from the standard template, it is the same key.
    auth = ("--parent-auth-file", box.password)
    assert tool("name", "srk", "--tpm-path", box.swtpm.path, *auth).out.strip() == root.name.hex()
    assert f"--tpm-session-encrypt-with-public={encode_public(root.public, root.handle)}" in box.line()
    assert not [word for word in box.line() if word.startswith("--parentPass")]
    assert tool(*PRESIGN).code == 0
    again = tool(*words, stdin=SECRET)
    assert again.code == 0, again.err
    assert "made the storage root key" not in again.err


def test_what_is_no_storage_key_is_no_parent(box: Box, tool: Tool) -> None:
    """Found out before anything is made."""
    context = box.home / "key.ctx"
    tpm2(box.swtpm, "createprimary", "-C", "o", "-P", OWNER, "-G", "ecc:ecdsa", "-c", context, "-a", SIGNING)
    tpm2(box.swtpm, "evictcontrol", "-C", "o", "-P", OWNER, "-c", context, SRK)
    tpm2(box.swtpm, "flushcontext", "-t")
    made = tool("import", *HANDLE, *box.words, "--make-srk", "--owner-auth-file", box.password, stdin=SECRET)
    assert made.code == 2
    assert "is not a storage key" in made.err


SIGNING = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign"


def test_a_wrong_password_is_told_before_anything_is_made(box: Box, tool: Tool) -> None:
    box.password.write_text("a wrong one")
    made = tool("import", *HANDLE, *box.words, "--make-srk", "--owner-auth-file", box.password, stdin=SECRET)
    assert (made.code, made.err.count("\n")) == (4, 1)
    assert not (box.home / ".aws/config").exists()
    assert b"0x81" not in tpm2(box.swtpm, "getcap", "handles-persistent")


def test_the_parent_is_one(box: Box, tool: Tool) -> None:
    ran = tool("import", *HANDLE, *box.words, "--make-srk", "--parent", SRK, stdin=SECRET)
    assert ran.code == 2


@pytest.mark.parametrize("option", ["--parent-auth-file", "--owner-auth-file"])
def test_a_key_that_was_wrapped_elsewhere(box: Box, tool: Tool, option: str) -> None:
    """Import below the owner's primary and a persistent handle: one password, by either of its names."""
    path, auth = ("--tpm-path", box.swtpm.path), (option, box.password)
    target, wrapped = box.home / "target.json", box.home / "wrapped.pem"
    target.write_text(tool("export-public", *path, *auth).out)
    assert tool("wrap", "--to", target, "--out", wrapped, stdin=SECRET).code == 0
    taken = tool("import-key", wrapped, "--persistent-handle", "0x81010006", *path, *auth)
    assert taken.code == 0, taken.err
    words = ("presign", "--persistentHandle=0x81010006", "--aws-access-key-id", ID, "--region", "us-east-1")
    assert tool(*words, *path, "s3://bucket/key").code == 0
