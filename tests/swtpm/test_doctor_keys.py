"""`tpmwire doctor` looks for the keys and pins of profiles in the TPM, and never tries a password."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.findings import findings, texts
from tests.support.handles import name_at
from tests.support.interposer import Interposer
from tests.support.programs import Machine, machine
from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Tool, held
from tpmwire.spec.constants import TPM_CC

OTHER = "000b" + "ab" * 32
TOTP = "--persistentHandle=0x81010002 --mfa-serial=x --mfa-totp"


class Line(NamedTuple):
    """Options of a profile, and what doctor finds: the check, the status, and a part of the text."""

    options: str
    check: str
    status: str
    says: str


@pytest.fixture(scope="module")
def chip(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with machine(tmp_path_factory.mktemp("home")) as made:
        label = "TSS2 PRIVATE KEY-----\n"
        (made.home / "damaged.pem").write_text(f"-----BEGIN {label}AAAA\n-----END {label}")
        yield made


@pytest.fixture(autouse=True)
def home(chip: Machine, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(chip.home))
    (chip.home / ".aws").mkdir(exist_ok=True)
    return chip.home


def write(home: Path, *options: str) -> None:
    lines = [f"/x/aws-tpm-process-credential --aws-access-key-id=AKIAMADEUP {each}" for each in options]
    text = "".join(f"[profile p{n}]\ncredential_process = {line}\n" for n, line in enumerate(lines))
    (home / ".aws" / "config").write_text(text)


LINES = [
    Line("--persistentHandle=0x81010002", "keys", "ok", "the key is at 0x81010002 (HMAC key, SHA256)"),
    Line("--persistentHandle=0x81010002 --key-name=PLAIN", "keys", "ok", "the key is at 0x81010002"),
    Line(f"--persistentHandle=0x81010002 --key-name={OTHER}", "keys", "error", "is not the key of --key-name"),
    Line("--persistentHandle=0x81010002 --key-name=xyz", "keys", "error", "--key-name 'xyz' is not a valid Name"),
    Line("--persistentHandle=0x81010042", "keys", "error", "no key at 0x81010042; import the key again"),
    Line("--persistentHandle=0x81000001", "keys", "error", "is not an HMAC key (ECC NIST_P256 storage key)"),
    Line("--persistentHandle=0x81010003", "keys", "error", "the key at 0x81010003 needs a policy; add --pcrs"),
    Line("--persistentHandle=0x81010003 --pcrs=23", "keys", "ok", "the key is at 0x81010003"),
    Line("--credential-file=HOME/plain.pem", "keys", "ok", "the TPM loads HOME/plain.pem"),
    Line("--credential-file=HOME/pcr.pem", "keys", "ok", "the TPM loads HOME/pcr.pem"),
    Line("--credential-file=HOME/password.pem", "keys", "ok", "the TPM loads HOME/password.pem"),
    Line("--credential-file=HOME/plain-srk.pem", "keys", "ok", "a wrong password for its parent would count"),
    Line("--credential-file=HOME/damaged.pem", "keys", "error", "damaged"),
    Line(f"{TOTP}=0x81000001", "keys", "ok", "MFA: the key is at 0x81000001"),
    Line(f"{TOTP}=0x81010042", "keys", "error", "MFA: no key at 0x81010042; run `tpmwire totp import`"),
    Line(f"{TOTP}=HOME/plain.pem", "keys", "ok", "MFA: the TPM loads HOME/plain.pem"),
    Line("--tpm-session-encrypt-with-name=SRK@0x81000001", "pins", "ok", "the pinned key of this TPM is in place"),
    Line(f"--tpm-session-encrypt-with-name={OTHER}@0x81000001", "pins", "error", "not the pinned"),
    Line(f"--tpm-session-encrypt-with-name={OTHER}@0x81000009", "pins", "error", "0x81000009 does not exist"),
    Line("--tpm-session-encrypt-with-name=SRK", "pins", "ok", "the pinned key of this TPM is in place"),
    Line(f"--tpm-session-encrypt-with-name={OTHER}@ek-ecc", "pins", "error", "not the pinned"),
    Line("--tpm-session-encrypt-with-name=xyz", "pins", "error", "is not a valid Name"),
]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.options.replace(OTHER, "OTHER"))
def test_keys_and_pins(chip: Machine, home: Path, tool: Tool, tmp_path: Path, line: Line) -> None:
    options = line.options.replace("HOME", str(home))
    for text, handle in (("PLAIN", "0x81010002"), ("SRK", "0x81000001")):
        if text in options:
            options = options.replace(text, name_at(chip.swtpm, handle, tmp_path))
    write(home, options)
    found = findings(tool, "--tpm-path", chip.swtpm.path)
    text = texts(found[line.check], line.status)[-1]
    assert text.startswith("profile p0: ")
    assert line.says.replace("HOME", str(home)) in text
    assert held(chip.swtpm) == ""


def test_no_password_reaches_the_tpm(
    chip: Machine, home: Path, tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is a key used; an empty password goes to the owner hierarchy, which has none, and to its primary key."""
    for name in ("TPM_KEY_AUTH", "TPM_PARENT_AUTH", "TPM_OWNER_AUTH"):
        monkeypatch.setenv(name, "the word")
    write(home, *(line.options.replace("HOME", str(home)) for line in LINES if "PLAIN" not in line.options))
    with Interposer(chip.swtpm.path) as bus:
        findings(tool, "--tpm-path", bus.path)
        sent = b"".join(pair.command for pair in bus.dialogue)
        codes = {TPM_CC[pair.code] for pair in bus.dialogue}
    assert b"the word" not in sent
    assert codes <= {
        TPM_CC.GetCapability,
        TPM_CC.ReadPublic,
        TPM_CC.CreatePrimary,
        TPM_CC.StartAuthSession,
        TPM_CC.Load,
        TPM_CC.FlushContext,
        TPM_CC.PCR_Read,
    }
    assert TPM_CC.Load in codes


def test_keys_of_a_cleared_tpm_and_of_an_owner_with_a_password(home: Path, tool: Tool, tmp_path: Path) -> None:
    directory = tmp_path / "other"
    directory.mkdir()
    with machine(directory) as other:
        where = ("--tpm-path", other.swtpm.path)
        (home / "old.pem").write_bytes((directory / "plain.pem").read_bytes())
        write(home, f"--credential-file={home}/old.pem")
        assert len(texts(findings(tool, *where)["keys"], "ok")) == 1
        tpm2(other.swtpm, "changeauth", "-c", "owner", "word")
        (text,) = texts(findings(tool, *where)["keys"], "ok")
        assert "not loaded, because the owner hierarchy has a password" in text
        tpm2(other.swtpm, "clear")
        (text,) = texts(findings(tool, *where)["keys"], "error")
        assert "the TPM was cleared since the key was created" in text


def test_values_of_pcrs(home: Path, tool: Tool, tmp_path: Path) -> None:
    with Swtpm() as other:
        where = ("--tpm-path", other.path)
        password = tmp_path / "word"
        password.touch(0o600)
        password.write_text("word")
        for name, handle, more in (
            ("pcr", "0x81010100", ()),
            ("both", "0x81010101", ("--key-auth-file", password)),
        ):
            words = ("import", "--pcrs=23", f"--out={home}/bound-{name}.pem", f"--persistent-handle={handle}")
            assert tool(*words, *where, *more, stdin=b"x" * 40).code == 0
        write(
            home,
            "--persistentHandle=0x81010100 --pcrs=23",
            "--persistentHandle=0x81010101 --pcrs=sha256:23",
            f"--credential-file={home}/bound-pcr.pem",
            f"--credential-file={home}/bound-both.pem",
            "--persistentHandle=0x81010100 --pcrs=22",
            "--persistentHandle=0x81010100 --pcrs=x",
            "--persistentHandle=0x81010102 --pcrs=23",
            f"--credential-file={home}/plain.pem",
        )
        before = findings(tool, *where)["pcrs"]
        tpm2(other, "pcrextend", f"23:sha256={'11' * 32}")
        after = findings(tool, *where)["pcrs"]
    assert [each["status"] for each in before] == [*["ok"] * 4, "error", "error"]
    assert [each["text"].partition(":")[0] for each in before] == [f"profile p{number}" for number in range(6)]
    assert {each["status"] for each in after} == {"error"}
    (text, *_) = texts(after, "error")
    assert text.startswith("profile p0: the values of sha256:23 do not match the key's policy; import the")


def test_a_profile_with_a_tpm_of_its_own(chip: Machine, home: Path, tool: Tool, tmp_path: Path) -> None:
    directory = tmp_path / "other"
    directory.mkdir()
    with machine(directory) as other:
        tpm2(other.swtpm, "evictcontrol", "-C", "o", "-c", "0x81010002")
        key = "--persistentHandle=0x81010002"
        write(home, key, f"{key} --tpm-path={other.swtpm.path}", f"{key} --tpm-path={home}/none", key)
        found = findings(tool, "--tpm-path", chip.swtpm.path)
    assert [each["status"] for each in found["keys"]] == ["ok", "error", "error", "ok"]
    assert "no key at 0x81010002" in found["keys"][1]["text"]
    assert f"{home}/none does not exist" in found["keys"][2]["text"]
