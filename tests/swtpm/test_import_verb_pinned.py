"""The line that `tpmwire import` writes pins the key that sessions are salted to, and runs need not read it."""

import hmac
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.credentials.key import key_from
from cli.credentials.options import parse_run
from tests.support.interposer import Interposer
from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Tool
from tpmwire.channel import read_loaded
from tpmwire.errors import SessionError, TpmError
from tpmwire.tpm import Tpm
from tpmwire.use.hmac import HmacKey

SECRET = b"wJalrXUtnFEMI+K7MDENG/bPxRfiCYEXAMPLEKEY"
DATE = b"20261128"
KDATE = hmac.digest(b"AWS4" + SECRET, DATE, "sha256")
HANDLE, SRK = "0x81010002", "0x81000001"


@pytest.fixture
def bus(swtpm: Swtpm) -> Iterator[Interposer]:
    with Interposer(swtpm.path) as listener:
        yield listener


def make_srk(swtpm: Swtpm, kind: str, tmp_path: Path, handle: str = SRK) -> None:
    tpm2(swtpm, "createprimary", "-C", "o", "-G", kind, "-c", tmp_path / "srk.ctx")
    tpm2(swtpm, "evictcontrol", "-C", "o", "-c", tmp_path / "srk.ctx", handle)
    tpm2(swtpm, "flushcontext", "-t")


def line_of(out: str) -> list[str]:
    return shlex.split(out.partition("credential_process = ")[2])[1:]


def used(bus: Interposer, key: HmacKey) -> list[str]:
    """The commands of a run that succeeds: the second, because the first may get TPM_RC_RETRY."""
    for _ in range(2):
        bus.clear()
        with Tpm.open(bus.path, 20) as tpm:
            assert key.hmac(tpm, DATE) == KDATE
    return bus.codes


START, POLICY, USE = "StartAuthSession", "PolicyPCR", "HMAC"
WAYS = {
    "handle": (("--persistent-handle", HANDLE), [START, USE]),
    "handle, PCRs": (("--persistent-handle", HANDLE, "--pcrs", "sha256:23"), [START, POLICY, USE]),
    "file": (("--out", "k.pem", "--parent", SRK), [START, "Load", USE, "FlushContext"]),
    "file, PCRs": (
        ("--out", "k.pem", "--parent", SRK, "--pcrs", "23"),
        [START, "Load", POLICY, USE, "FlushContext"],
    ),
}


@pytest.mark.parametrize("kind", ["ecc256", "rsa2048"])
@pytest.mark.parametrize("way", WAYS)
def test_commands_of_a_run_of_the_line(
    bus: Interposer, swtpm: Swtpm, tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    make_srk(swtpm, kind, tmp_path)
    options, commands = WAYS[way]
    ran = tool("import", *options, "--tpm-path", bus.path, stdin=SECRET)
    assert ran.code == 0, ran.err
    words = line_of(ran.out)
    (pin,) = [word for word in words if word.endswith(f"@{SRK}")]
    assert pin.startswith("--tpm-session-encrypt-with-public=base64:")
    assert used(bus, key_from(parse_run(words))) == commands


@pytest.mark.parametrize("other", ["ecc256:aes256cfb", "ecc384", "rsa2048"])
@pytest.mark.parametrize("way", ["handle", "handle, PCRs"])
def test_another_key_at_the_handle_is_no_wrong_password(
    bus: Interposer, swtpm: Swtpm, tool: Tool, tmp_path: Path, way: str, other: str
) -> None:
    make_srk(swtpm, "ecc256", tmp_path)
    password = tmp_path / "password"
    password.write_text("testpwd")
    password.chmod(0o600)
    words = (*WAYS[way][0], "--key-auth-file", password, "--tpm-path", bus.path)
    ran = tool("import", *words, stdin=SECRET)
    assert ran.code == 0, ran.err
    run = parse_run(line_of(ran.out))
    used(bus, key_from(run))
    tpm2(swtpm, "evictcontrol", "-C", "o", "-c", SRK)
    make_srk(swtpm, other, tmp_path)
    with pytest.raises(SessionError, match="the TPM was cleared, this is a different TPM, or an attacker"):
        used(bus, key_from(run))
    assert b"testpwd" not in bus.octets


def test_a_wrong_password_is_told_as_that(bus: Interposer, swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    make_srk(swtpm, "ecc256", tmp_path)
    ran = tool("import", *WAYS["handle"][0], "--tpm-path", bus.path, stdin=SECRET)
    assert ran.code == 0, ran.err
    with pytest.raises(TpmError, match="wrong password"):
        used(bus, key_from(parse_run([*line_of(ran.out), "--keyPass=no"])))


def test_a_public_area_that_the_user_gives_stays_in_the_line(
    bus: Interposer, swtpm: Swtpm, tool: Tool, tmp_path: Path
) -> None:
    make_srk(swtpm, "ecc256", tmp_path, "0x81000005")
    place = ("import", "--persistent-handle", HANDLE, "--tpm-path", bus.path)
    ran = tool(*place, "--parent", "0x81000005", stdin=SECRET)
    assert ran.code == 0, ran.err
    (pin,) = [word for word in line_of(ran.out) if word.endswith("@0x81000005")]
    again = tool(*place, "--force", *pin.split("=", 1), stdin=SECRET)
    assert again.code == 0, again.err
    assert pin in line_of(again.out)
    with Tpm.open(bus.path, 20) as tpm:
        assert key_from(parse_run(line_of(again.out))).pin.name == read_loaded(tpm, 0x81000005).name  # type: ignore[union-attr]
