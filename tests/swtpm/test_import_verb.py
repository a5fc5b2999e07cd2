"""`tpmwire import` on a real TPM: the key works with other programs, and a failure leaves nothing behind."""

import hmac
import os
import re
import shlex
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.interposer import Interposer
from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import PROGRAM, Ran, Tool, held, shell
from tpmwire.errors import TpmError
from tpmwire.keys.keyfile import KeyFile, parse
from tpmwire.secret import Secret
from tpmwire.spec.constants import TPM_CC
from tpmwire.tpm import Tpm
from tpmwire.use.hmac import HmacKey

SECRET = b"wJalrXUtnFEMI+K7MDENG/bPxRfiCYEXAMPLEKEY"
MESSAGE = b"20261124"
EXPECTED = hmac.digest(b"AWS4" + SECRET, MESSAGE, "sha256")
HANDLE = "0x81010002"


def persistent(swtpm: Swtpm) -> str:
    return tpm2(swtpm, "getcap", "handles-persistent").decode()


def used(swtpm: Swtpm, key: str, directory: Path, *auth: str) -> bytes:
    """The HMAC by tpm2-tools."""
    (directory / "message").write_bytes(MESSAGE)
    out = tpm2(swtpm, "hmac", "-c", key, "--hex", *auth, directory / "message")
    return bytes.fromhex(out.decode())


def ours(swtpm: Swtpm, file: KeyFile | None = None, auth: bytes = b"", **rest: object) -> bytes:
    """The HMAC as aws-tpm-process-credential asks for it."""
    key = HmacKey(file=file, auth=Secret(auth), **rest)  # type: ignore[arg-type]
    with Tpm.open(swtpm.path, 20) as tpm:
        return key.hmac(tpm, MESSAGE)


def loaded(swtpm: Swtpm, file: KeyFile, directory: Path) -> str:
    """The key, loaded by tpm2-tools from the parts of its file."""
    (directory / "pub").write_bytes(file.pubkey)
    (directory / "priv").write_bytes(file.privkey)
    (directory / "unique").write_bytes(bytes(2))
    attributes = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt"
    primary = ("createprimary", "-C", "o", "-G", "ecc", "-g", "sha256", "-a", attributes)
    tpm2(swtpm, *primary, "-u", directory / "unique", "-c", directory / "parent.ctx")
    tpm2(swtpm, "flushcontext", "-t")
    parts = ("-u", directory / "pub", "-r", directory / "priv")
    tpm2(swtpm, "load", "-C", directory / "parent.ctx", *parts, "-c", directory / "key.ctx")
    tpm2(swtpm, "flushcontext", "-t")
    return str(directory / "key.ctx")


def test_file_and_handle_work_with_tpm2_tools_and_with_us(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    pem = tmp_path / "key.pem"
    where = ("--out", pem, "--persistent-handle", HANDLE, "--tpm-path", swtpm.path)
    ran = tool("import", *where, stdin=SECRET + b"\n")
    assert ran.code == 0, ran.err
    assert re.match(r"\[profile tpm\]\ncredential_process = /\S+/aws-tpm-process-credential ", ran.out)
    assert {f"--persistentHandle={HANDLE}", f"--tpm-path={swtpm.path}"} <= set(shlex.split(ran.out))
    assert ran.out.count("\n") == 2
    assert stat.S_IMODE(pem.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["key.pem"]
    file = parse(pem.read_bytes())
    assert (file.parent, file.empty_auth, file.policy) == (0x40000001, True, None)
    assert used(swtpm, HANDLE, tmp_path) == EXPECTED
    assert used(swtpm, loaded(swtpm, file, tmp_path), tmp_path) == EXPECTED
    tpm2(swtpm, "flushcontext", "-t")
    assert ours(swtpm, file) == ours(swtpm, handle=0x81010002) == EXPECTED
    public = tpm2(swtpm, "readpublic", "-c", HANDLE).decode()
    assert "value: fixedtpm|fixedparent|userwithauth|noda|sign\n" in public


def test_a_password_in_a_file_on_the_terminal_and_in_the_environment(
    swtpm: Swtpm, tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    password = tmp_path / "password"
    password.write_text("testpwd\n")
    password.chmod(0o600)
    base = ("import", "--persistent-handle", HANDLE, "--force", "--tpm-path", swtpm.path)
    monkeypatch.setenv("TPM_KEY_AUTH", "testpwd")
    ran = tool(*base, stdin=SECRET)
    assert ran.code == 0, ran.err
    assert used(swtpm, HANDLE, tmp_path, "-p", "testpwd") == EXPECTED
    monkeypatch.delenv("TPM_KEY_AUTH")
    ran = tool(*base, "--key-auth-file", password, "--out", tmp_path / "key.pem", stdin=SECRET)
    assert ran.code == 0, ran.err
    assert f"--keyPass-file={password}" in ran.out
    assert parse((tmp_path / "key.pem").read_bytes()).empty_auth is False
    assert used(swtpm, HANDLE, tmp_path, "-p", "testpwd") == EXPECTED
    # Guarded against guessing: a wrong one counts.
    with pytest.raises(TpmError, match="TPM_RC_AUTH_FAIL"):
        ours(swtpm, handle=0x81010002, auth=b"wrong")
    assert "TPM2_PT_LOCKOUT_COUNTER: 0x1\n" in tpm2(swtpm, "getcap", "properties-variable").decode()


def test_bound_to_pcrs(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    tpm2(swtpm, "pcrextend", f"7:sha256={'11' * 32}")
    pem = tmp_path / "key.pem"
    where = ("--out", pem, "--persistent-handle", HANDLE, "--tpm-path", swtpm.path)
    ran = tool("import", "--pcrs", "sha256:7,23", *where, stdin=SECRET)
    assert ran.code == 0, ran.err
    assert "--pcrs=sha256:7,23" in ran.out
    file = parse(pem.read_bytes())
    assert ours(swtpm, file) == EXPECTED
    assert used(swtpm, HANDLE, tmp_path, "-p", "pcr:sha256:7,23") == EXPECTED
    public = tpm2(swtpm, "readpublic", "-c", HANDLE).decode()
    assert "value: fixedtpm|fixedparent|noda|sign\n" in public  # no userwithauth: the policy alone
    tpm2(swtpm, "pcrextend", f"7:sha256={'11' * 32}")
    with pytest.raises(TpmError, match="PCR"):
        ours(swtpm, file)


def test_bound_to_pcrs_and_a_password(
    swtpm: Swtpm, tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TPM_KEY_AUTH", "testpwd")
    ran = tool("import", "--pcrs", "23", "--out", "-", "--tpm-path", swtpm.path, stdin=SECRET)
    assert ran.code == 0, ran.err
    assert ran.out.startswith("-----BEGIN TSS2 PRIVATE KEY-----\n")
    assert ran.out.endswith("-----END TSS2 PRIVATE KEY-----\n")
    assert "credential_process = " in ran.err
    file = parse(ran.out)
    assert ours(swtpm, file, b"testpwd") == EXPECTED
    with pytest.raises(TpmError, match="TPM_RC_AUTH_FAIL"):
        ours(swtpm, file, b"wrong")
    tpm2(swtpm, "pcrextend", f"23:sha256={'11' * 32}")
    with pytest.raises(TpmError, match="PCR"):
        ours(swtpm, file, b"testpwd")


def test_under_a_persistent_parent(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    tpm2(swtpm, "createprimary", "-C", "o", "-G", "rsa", "-p", "srkpwd", "-c", tmp_path / "srk.ctx")
    tpm2(swtpm, "evictcontrol", "-c", tmp_path / "srk.ctx", "0x81000001")
    tpm2(swtpm, "flushcontext", "-t")
    base = ("import", "--parent", "0x81000001", "--out", "-", "--tpm-path", swtpm.path)
    ran = tool(*base, "--parent-auth", "srkpwd", stdin=SECRET)
    assert ran.code == 0, ran.err
    file = parse(ran.out)
    assert file.persistent_parent == 0x81000001
    assert ours(swtpm, file, parent_auth=Secret(b"srkpwd")) == EXPECTED
    assert tool(*base, stdin=SECRET).code == 4


def test_a_key_that_cannot_be_a_parent_is_an_error_of_the_user(swtpm: Swtpm, tool: Tool) -> None:
    tool("import", "--persistent-handle", HANDLE, "--tpm-path", swtpm.path, stdin=SECRET)
    ran = tool("import", "--parent", HANDLE, "--out", "-", "--tpm-path", swtpm.path, stdin=SECRET)
    assert (ran.code, ran.out, "is not a decryption key; use a storage" in ran.err) == (2, "", True)


def test_no_secret_crosses_the_bus(
    swtpm: Swtpm, tool: Tool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tpm2(swtpm, "changeauth", "-c", "owner", "ownerpwd")
    monkeypatch.setenv("TPM_KEY_AUTH", "testpwd")
    monkeypatch.setenv("TPM_OWNER_AUTH", "ownerpwd")
    with Interposer(swtpm.path) as bus:
        where = ("--persistent-handle", HANDLE, "--tpm-path", bus.path)
        ran = tool("import", *where, stdin=SECRET)
    assert ran.code == 0, ran.err
    # There is no storage root key: the session that protects the owner's password has a salt key of its own.
    assert bus.codes[:10] == [
        *("GetCapability", "ReadPublic", "CreatePrimary", "StartAuthSession", "FlushContext", "CreatePrimary"),
        *("Create", "Load", "StartAuthSession", "HMAC"),
    ]
    # Nothing is put in place before the proof, and nothing is asked after it.
    assert bus.codes[-4:] == ["EvictControl", *["FlushContext"] * 3]
    for secret in (SECRET, b"testpwd", b"ownerpwd"):
        assert secret not in bus.octets
    assert used(swtpm, HANDLE, tmp_path, "-p", "testpwd") == EXPECTED


def test_pinned_to_this_tpm(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    base = ("import", "--persistent-handle", HANDLE, "--tpm-path", swtpm.path)
    name = tool("name", "ek-ecc", "--tpm-path", swtpm.path).out.strip()
    other = "000b" + "00" * 32
    with Interposer(swtpm.path) as bus:
        path = ("import", "--persistent-handle", HANDLE, "--tpm-path", bus.path)
        ran = tool(*path, "--tpm-session-encrypt-with-name", f"{other}@ek-ecc", stdin=SECRET)
        assert (ran.code, "Create" in bus.codes) == (8, False)
    ran = tool(*base, "--tpm-session-encrypt-with-name", f"{name}@ek-ecc", stdin=SECRET)
    assert ran.code == 0, ran.err
    assert f"--tpm-session-encrypt-with-name={name}@ek-ecc" in ran.out
    assert used(swtpm, HANDLE, tmp_path) == EXPECTED


def test_the_owners_password_wrong_and_right(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    tpm2(swtpm, "changeauth", "-c", "owner", "ownerpwd")
    base = ("import", "--persistent-handle", HANDLE, "--out", tmp_path / "key.pem", "--tpm-path", swtpm.path)
    ran = tool(*base, "--owner-auth", "wrong", stdin=SECRET)
    assert ran.code == 4
    assert ran.err.count("\n") == 1
    assert "password" in ran.err
    assert (persistent(swtpm), os.listdir(tmp_path)) == ("", [])
    assert tool(*base, "--parent-auth", "ownerpwd", stdin=SECRET).code == 0
    assert used(swtpm, HANDLE, tmp_path) == EXPECTED


def test_the_owner_refuses_at_the_end(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    """The key is made under another parent: only to make it persistent is the owner asked."""
    tpm2(swtpm, "createprimary", "-C", "o", "-G", "ecc", "-c", tmp_path / "srk.ctx")
    tpm2(swtpm, "evictcontrol", "-c", tmp_path / "srk.ctx", "0x81000001")
    tpm2(swtpm, "flushcontext", "-t")
    (tmp_path / "srk.ctx").unlink()
    tpm2(swtpm, "changeauth", "-c", "owner", "ownerpwd")
    where = ("--persistent-handle", HANDLE, "--out", tmp_path / "key.pem", "--tpm-path", swtpm.path)
    ran = tool("import", "--parent", "0x81000001", *where, stdin=SECRET)
    assert (ran.code, "TPM2_EvictControl" in ran.err) == (4, True)
    assert (persistent(swtpm), os.listdir(tmp_path)) == ("- 0x81000001\n", [])


def test_an_occupied_handle(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    base = ("import", "--persistent-handle", HANDLE, "--tpm-path", swtpm.path)
    assert tool(*base, stdin=b"x" * 40).code == 0
    ran = tool(*base, "--out", tmp_path / "key.pem", stdin=SECRET)
    assert (ran.code, "is occupied" in ran.err, os.listdir(tmp_path)) == (2, True, [])
    assert used(swtpm, HANDLE, tmp_path) == hmac.digest(b"AWS4" + b"x" * 40, MESSAGE, "sha256")
    assert tool(*base, "--force", stdin=SECRET).code == 0
    assert used(swtpm, HANDLE, tmp_path) == EXPECTED


def test_an_existing_file(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    pem = tmp_path / "key.pem"
    pem.write_text("precious")
    ran = tool("import", "--out", pem, "--persistent-handle", HANDLE, "--tpm-path", swtpm.path, stdin=SECRET)
    assert (ran.code, pem.read_text(), persistent(swtpm)) == (2, "precious", "")
    assert tool("import", "--out", pem, "--force", "--tpm-path", swtpm.path, stdin=SECRET).code == 0
    assert ours(swtpm, parse(pem.read_bytes())) == EXPECTED


def test_a_file_that_appears_meanwhile(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    """Found when the key is persistent already: it is removed again."""
    pem = tmp_path / "key.pem"
    with Interposer(swtpm.path) as bus:
        where = ("--out", pem, "--persistent-handle", HANDLE, "--tpm-path", bus.path)

        def appear(sent: bytes) -> None:
            if sent[6:10] == TPM_CC.EvictControl.to_bytes(4, "big"):
                pem.write_text("new")

        bus.on_command = appear
        ran = tool("import", *where, stdin=SECRET)
    assert (ran.code, "exists" in ran.err) == (2, True)
    assert (os.listdir(tmp_path), pem.read_text(), persistent(swtpm)) == (["key.pem"], "new", "")
    assert bus.codes.count("EvictControl") == 2


def test_nowhere_to_write(swtpm: Swtpm, tmp_path: Path) -> None:
    where = ("--persistent-handle", HANDLE, "--tpm-path", swtpm.path)
    # A directory that root too cannot write to; a full disk, as far as one process has it.
    for directory, before, code in (("/proc/tpmwire-none", "", 2), ("/proc", "", 1), (tmp_path, "ulimit -f 0", 1)):
        ran = shell("import", "--out", f"{directory}/key.pem", *where, before=before, stdin=SECRET)
        assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1), ran
        assert (persistent(swtpm), os.listdir(tmp_path)) == ("", [])


def test_an_hmac_that_was_tampered_with(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    with Interposer(swtpm.path) as bus:
        where = ("--out", tmp_path / "key.pem", "--persistent-handle", HANDLE, "--tpm-path", bus.path)
        bus.on_response = lambda octets, sent: (
            octets[:20] + bytes([octets[20] ^ 1]) + octets[21:]
            if sent[6:10] == TPM_CC.HMAC.to_bytes(4, "big") and len(octets) > 20
            else octets
        )
        ran = tool("import", *where, stdin=SECRET)
    assert (ran.code, ran.out) == (8, "")
    assert (persistent(swtpm), os.listdir(tmp_path)) == ("", [])


def interrupted(swtpm: Swtpm, directory: Path, moment: int) -> tuple[Ran, list[str]]:
    """A run that gets SIGTERM while its command number `moment` is on the way, and its commands."""
    where = ("--out", str(directory / "key.pem"), "--persistent-handle", HANDLE)
    with Interposer(swtpm.path) as bus:
        process = subprocess.Popen(
            [*PROGRAM, "import", *where, "--tpm-path", bus.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        bus.on_command = lambda _: process.send_signal(signal.SIGTERM) if len(bus.dialogue) == moment else None
        out, err = process.communicate(SECRET, 60)
    return Ran(process.returncode, out.decode(), err.decode()), bus.codes


def test_sigterm_at_any_moment_leaves_all_or_nothing(swtpm: Swtpm, tmp_path: Path) -> None:
    # The first HMAC after a start takes a command more: the second run is like those that follow.
    assert interrupted(swtpm, tmp_path, -1)[0].code == 0
    tpm2(swtpm, "evictcontrol", "-c", HANDLE)
    (tmp_path / "key.pem").unlink()
    undisturbed, commands = interrupted(swtpm, tmp_path, -1)
    assert undisturbed.code == 0, undisturbed.err
    proven, placed = commands.index("HMAC"), commands.index("EvictControl")
    for moment in range(placed + 3):
        tpm2(swtpm, "evictcontrol", "-c", HANDLE)
        (tmp_path / "key.pem").unlink()
        ran, _ = interrupted(swtpm, tmp_path, moment)
        assert (ran.code, ran.out) == (143, ""), (commands[moment], ran)
        assert held(swtpm) == "", commands[moment]
        file, handle = (tmp_path / "key.pem").exists(), persistent(swtpm) != ""
        assert file == handle, commands[moment]
        assert file or moment < placed, commands[moment]
        assert not file or moment > proven, commands[moment]
        assert len(os.listdir(tmp_path)) == file
        if not file:
            assert interrupted(swtpm, tmp_path, -1)[0].code == 0


def test_a_tpm_that_stops_answering(swtpm: Swtpm, tmp_path: Path) -> None:
    """At each of these the run ends in time, tells, and what the late answer opens is given back."""
    for code, left in ((TPM_CC.CreatePrimary, False), (TPM_CC.Create, False), (TPM_CC.EvictControl, True)):

        def stop(sent: bytes, code: TPM_CC = code) -> None:
            if sent[6:10] == code.to_bytes(4, "big"):
                swtpm.pause()

        where = ("--out", tmp_path / "key.pem", "--persistent-handle", HANDLE, "--timeout", "1")
        with Interposer(swtpm.path) as bus:
            bus.on_command = stop
            started = time.monotonic()
            ran = shell("import", *where, "--tpm-path", bus.path, stdin=SECRET)
            took = time.monotonic() - started
            swtpm.resume()
            assert (ran.code, ran.out, ran.err.count("\n")) == (3, "", 1)
            assert took < 10
            assert ("check with `tpmwire list`" in ran.err) is left
        assert (held(swtpm), os.listdir(tmp_path)) == ("", [])
        assert (HANDLE in persistent(swtpm)) is left
