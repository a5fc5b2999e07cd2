"""Somebody on the bus changes a session's cipher, which no HMAC covers: no result that is made so is printed."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.credential_process import main
from tests.support import keys
from tests.support.bench import DATE, KDATE, PASSWORD, Bench
from tests.support.programs import KEY_ID
from tests.support.scripted import ScriptedServer, http, say
from tests.support.verbs import Tool
from tpmwire.channel import Pin
from tpmwire.errors import SessionError, TpmError, TpmwireError
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.spec.commands.context import EvictControl
from tpmwire.spec.constants import TPM_CC, TPM_RH
from tpmwire.tpm import Tpm
from tpmwire.use.cached_key import CachedKey, Memory
from tpmwire.use.hmac import HmacKey

CIPHERS = {
    "AES-128": bytes.fromhex("0006 0080 0043"),
    "AES-256": bytes.fromhex("0006 0100 0043"),
    "none": bytes.fromhex("0010"),
}
PCR23 = parse_pcrs("23")


def with_cipher(cipher: bytes) -> Callable[[bytes], bytes]:
    """Sends StartAuthSession on with another cipher than XOR with SHA-256."""

    def forward(command: bytes) -> bytes:
        if int.from_bytes(command[6:10], "big") != TPM_CC.StartAuthSession:
            return command
        at = 18
        for _ in range(2):  # nonceCaller, encryptedSalt
            at += 2 + int.from_bytes(command[at : at + 2], "big")
        kind, rest = command[at : at + 1], command[at + 1 :]
        if rest[:4] != bytes.fromhex("000a 000b"):
            return command
        changed = command[:at] + kind + cipher + rest[4:]
        return changed[:2] + len(changed).to_bytes(4, "big") + changed[6:]

    return forward


def changed_run(bench: Bench, key: HmacKey, cipher: str) -> TpmwireError:
    """How a run ends while somebody changes its sessions' cipher."""
    bench.bus.on_forward = with_cipher(CIPHERS[cipher])
    with Tpm.open(bench.bus.path, 20) as tpm, pytest.raises((SessionError, TpmError)) as caught:
        key.hmac(tpm, DATE)
    bench.bus.on_forward = bytes
    return caught.value


KEYS: dict[str, Callable[[Bench], HmacKey]] = {
    "handle": lambda _: HmacKey(handle=keys.PLAIN_HANDLE),
    "handle, Names pinned": lambda b: HmacKey(
        handle=keys.PLAIN_HANDLE,
        name=b.names[keys.PLAIN_HANDLE],
        pin=Pin(b.srk.name, b.srk.public, keys.SRK_HANDLE),
    ),
    "password": lambda _: HmacKey(handle=keys.PASSWORD_HANDLE, auth=PASSWORD),
    "pcr": lambda _: HmacKey(handle=keys.PCR_HANDLE, pcrs=PCR23),
    "both": lambda _: HmacKey(handle=keys.BOTH_HANDLE, pcrs=PCR23, auth=PASSWORD),
    "pem": lambda b: HmacKey(file=b.file("plain")),
    "pem, password": lambda b: HmacKey(file=b.file("password"), auth=PASSWORD),
    "pem, pcr": lambda b: HmacKey(file=b.file("pcr"), pcrs=PCR23),
    "pem, persistent parent": lambda b: HmacKey(file=b.file("plain-srk")),
    "pem, pinned": lambda b: HmacKey(file=b.file("plain"), pin=Pin(b.made["ek-ecc"].name, None, "ek-ecc")),
    "pem, remembered": lambda b: CachedKey(file=b.file("plain"), memory=Memory()),
}


@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize("way", KEYS)
def test_a_result_is_not_given(bench: Bench, way: str, cipher: str) -> None:
    key = KEYS[way](bench)
    key.checked = True
    bench.run(key)  # right, with all of it; and what is remembered is remembered
    error = changed_run(bench, key, cipher)
    # A refusal does not say more: what the TPM was given was not what was sent.
    assert isinstance(error, TpmError) or "changed the session's cipher" in str(error)


def test_another_public_area_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decrypted public area that can be parsed must have the Name of the key."""
    monkeypatch.setattr("tpmwire.use.run.name_of", lambda public: b"another Name")
    key = HmacKey(handle=keys.PLAIN_HANDLE)
    key.checked = True
    with pytest.raises(SessionError, match="changed the session's cipher"):
        bench.run(key)


def test_it_is_shown_where_the_names_are_known_and_the_salt_key_was_made(bench: Bench) -> None:
    """By default, as docs/commands.md says: the key's public area is read in the session."""
    ek = bench.made["ek-ecc"].name
    for key in (
        HmacKey(handle=keys.PLAIN_HANDLE, name=bench.names[keys.PLAIN_HANDLE], pin=Pin(ek, None, "ek-ecc")),
        HmacKey(file=bench.file("plain")),
    ):
        changed_run(bench, key, "AES-128")


def test_what_a_file_costs(bench: Bench) -> None:
    """Nothing: the key's private area is encrypted on its way into the TPM, which verifies it."""
    key = HmacKey(file=bench.file("plain"))
    _, usual = bench.run(key)
    key.checked = True
    assert bench.run(key) == (KDATE, usual)


@pytest.mark.parametrize(("way", "more"), [("handle", 1), ("handle, Names pinned", 1), ("pcr", 1), ("both", 1)])
def test_what_a_handle_costs(bench: Bench, way: str, more: int) -> None:
    key = KEYS[way](bench)
    _, usual = bench.run(key)
    key.checked = True
    result, commands = bench.run(key)
    assert (result, len(commands)) == (KDATE, len(usual) + more)
    assert commands.count("ReadPublic") == usual.count("ReadPublic") + 1


REFUSED = (
    '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
    "<Code>SignatureDoesNotMatch</Code><Message>no</Message></Error><RequestId>r</RequestId></ErrorResponse>"
)
PRESIGN = ("presign", "--region", "us-east-1", "s3://bucket/key", f"--aws-access-key-id={KEY_ID}", "--timeout=20s")


@pytest.mark.parametrize("cipher", CIPHERS)
def test_no_link_is_printed(bench: Bench, tool: Tool, cipher: str) -> None:
    words = (*PRESIGN, f"--persistentHandle={keys.PLAIN_HANDLE:#x}", f"--tpm-path={bench.bus.path}")
    assert tool(*words).code == 0
    bench.bus.on_forward = with_cipher(CIPHERS[cipher])
    ran = tool(*words)
    assert (ran.code, ran.out, ran.err.count("\n")) == (4 if cipher == "none" else 8, "", 1)


@pytest.mark.parametrize("place", ["handle", "file"])
def test_no_code_is_printed(bench: Bench, tool: Tool, place: str, tmp_path: Path) -> None:
    file, handle = tmp_path / "token.pem", "0x81010055"
    path = f"--tpm-path={bench.bus.path}"
    made = tool(
        "totp", "import", "--out", file, "--persistent-handle", handle, path, stdin=b"JBSWY3DPEHPK3PXP" * 2
    )
    assert made.code == 0, made.err
    try:
        words = ("totp", "code", handle if place == "handle" else str(file), path, "--timeout=20s")
        assert tool(*words).code == 0
        bench.bus.on_forward = with_cipher(CIPHERS["AES-128"])
        ran = tool(*words)
        assert (ran.code, ran.out) == (8 if place == "handle" else 4, "")
    finally:
        bench.bus.on_forward = bytes
        with Tpm.open(bench.bus.path, 20) as tpm:
            tpm.execute(EvictControl(TPM_RH.OWNER, int(handle, 16), int(handle, 16)))


def refused_run(bench: Bench, capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """A credential run whose signature STS refuses."""
    key = f"--aws-access-key-id={KEY_ID}"
    with ScriptedServer(say(http("403 Forbidden", REFUSED))) as sts:
        code = main([key, f"--endpoint-url={sts.endpoint}", f"--tpm-path={bench.bus.path}", *words])
    return code, capfd.readouterr().err


def test_a_credential_run_finds_out_when_aws_refuses(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    """It takes no command more until then; and tells what no check rules out where there is no --key-name."""
    handle = f"--persistentHandle={keys.PLAIN_HANDLE:#x}"
    bench.bus.on_forward = with_cipher(CIPHERS["AES-128"])
    code, err = refused_run(bench, capfd, handle)
    assert (code, "changed the session's cipher" in err, err.count("\n")) == (8, True, 1)
    assert bench.bus.codes[:4] == ["ReadPublic", "ReadPublic", "StartAuthSession", "HMAC"]
    bench.bus.on_forward = bytes
    code, err = refused_run(bench, capfd, handle)
    assert (code, "--key-name" in err, err.count("\n")) == (6, True, 1)
    name = bench.names[keys.PLAIN_HANDLE].hex()
    code, err = refused_run(bench, capfd, handle, f"--key-name={name}")
    assert (code, "--key-name" in err, err.count("\n")) == (6, False, 1)


def test_a_result_that_was_changed_once_only(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    left, change = [1], with_cipher(CIPHERS["AES-128"])

    def once(command: bytes) -> bytes:
        changed = change(command)
        if changed == command or not left:
            return command
        left.pop()
        return changed

    bench.bus.on_forward = once
    code, err = refused_run(bench, capfd, f"--persistentHandle={keys.PLAIN_HANDLE:#x}")
    assert (code, "now returns a different HMAC" in err) == (8, True)


def test_the_pages_have_the_cost() -> None:
    root = Path(__file__).parents[2]
    text = (root / "docs/security.md").read_text()
    section = re.search(r"## An active interposer(.*?)\n## ", text, re.DOTALL)
    assert section is not None
    assert "--key-name" in section[1]
    assert "kDate" in section[1]
