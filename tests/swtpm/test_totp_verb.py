"""`tpmwire totp` on a real TPM: the codes are those of RFC 6238 and of another implementation."""

import base64
import hmac
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from tests.support.interposer import Interposer
from tests.support.swtpm import Swtpm, tpm2
from tests.support.terminal import at_a_terminal
from tests.support.verbs import Ran, Tool, held, shell
from tpmwire.spec.constants import TPM_CC

SECRET = b"12345678901234567890"
BASE32 = base64.b32encode(SECRET)
HANDLE = "0x81010003"

# RFC 6238, appendix B; the secrets are as long as the hash, as its errata say.
TIMES = (59, 1111111109, 1111111111, 1234567890, 2000000000, 20000000000)
VECTORS = {
    "SHA1": ("94287082", "07081804", "14050471", "89005924", "69279037", "65353130"),
    "SHA256": ("46119246", "68084774", "67062674", "91819424", "90698825", "77737706"),
    "SHA512": ("90693936", "25091201", "99943326", "93441116", "38618901", "47863826"),
}
LENGTHS = {"SHA1": 20, "SHA256": 32, "SHA512": 64}


@pytest.fixture(autouse=True)
def nothing_left(shared_swtpm: Swtpm) -> Iterator[None]:
    yield
    assert held(shared_swtpm) == ""


def imported(tool: Tool, shared_swtpm: Swtpm | Interposer, pem: Path, secret: bytes = BASE32, *more: str) -> Ran:
    ran = tool("totp", "import", "--out", pem, "--tpm-path", shared_swtpm.path, *more, stdin=secret)
    assert ran.code == 0, ran.err
    return ran


def oracle(secret: bytes = SECRET) -> set[str]:
    """The codes of now: two where a period has just ended."""
    totp = TOTP(secret, 6, hashes.SHA1(), 30, enforce_key_length=False)
    return {totp.generate(int(time.time()) - ago).decode() for ago in (0, 5)}


@pytest.mark.parametrize("name", VECTORS)
def test_the_vectors_of_rfc_6238(
    name: str, shared_swtpm: Swtpm, tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = base64.b32encode((SECRET * 4)[: LENGTHS[name]]).rstrip(b"=")
    uri = b"otpauth://totp/Example:me?secret=" + secret + f"&algorithm={name}&digits=8".encode()
    ran = imported(tool, shared_swtpm, tmp_path / "key.pem", uri)
    assert f"tpmwire totp code --digits 8 {tmp_path}/key.pem" in ran.err
    assert "AWS does not accept these codes" in ran.err
    for when, code in zip(TIMES, VECTORS[name], strict=True):
        monkeypatch.setattr(time, "time", lambda when=when: float(when))
        ran = tool("totp", "code", tmp_path / "key.pem", "--digits", "8", "--tpm-path", shared_swtpm.path)
        assert (ran.code, ran.out, ran.err) == (0, f"{code}\n", "")


def test_aws_s_form_by_file_and_handle(shared_swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    pem = tmp_path / "key.pem"
    # As AWS shows it: 64 characters, here typed in groups and small letters.
    secret = bytes(range(40))
    typed = base64.b32encode(secret).lower()
    typed = b" ".join(typed[at : at + 4] for at in range(0, len(typed), 4))
    ran = imported(tool, shared_swtpm, pem, typed + b"\n", "--persistent-handle", HANDLE)
    assert "the token is not a second factor" in ran.err
    assert f"--mfa-serial ARN --mfa-totp {pem}" in ran.err
    assert stat.S_IMODE(pem.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["key.pem"]
    for key in (pem, HANDLE):
        ran = tool("totp", "code", key, "--tpm-path", shared_swtpm.path)
        assert ran.code == 0, ran.err
        assert ran.out.strip() in oracle(secret)
    public = tpm2(shared_swtpm, "readpublic", "-c", HANDLE).decode()
    assert "value: fixedtpm|fixedparent|userwithauth|noda|sign\n" in public
    assert tool("evict", HANDLE, "--tpm-path", shared_swtpm.path).code == 0


def test_how_long_a_code_is_good(
    shared_swtpm: Swtpm, tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported(tool, shared_swtpm, tmp_path / "key.pem")
    monkeypatch.setattr(time, "time", lambda: 48.0)
    words = ("totp", "code", tmp_path / "key.pem", "--verbose", "--tpm-path", shared_swtpm.path)
    assert "valid for 12 more seconds" in tool(*words).err
    monkeypatch.setattr(time, "time", lambda: 59.0)
    ran = tool(*words, "--period", "60")
    assert ("valid for 1 more seconds" in ran.err, ran.out) == (True, "755224\n")  # RFC 4226, appendix D: count 0


def test_a_secret_longer_than_a_block_is_hashed_as_hmac_does(
    shared_swtpm: Swtpm, tool: Tool, tmp_path: Path
) -> None:
    secret = bytes(range(100))
    imported(tool, shared_swtpm, tmp_path / "key.pem", base64.b32encode(secret))
    assert tool("totp", "code", tmp_path / "key.pem", "--tpm-path", shared_swtpm.path).out.strip() in oracle(
        secret
    )


def test_neither_secret_nor_code_s_hmac_crosses_the_bus(shared_swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    with Interposer(shared_swtpm.path) as bus:
        imported(tool, bus, tmp_path / "key.pem")
        assert SECRET not in bus.octets
        assert BASE32 not in bus.octets
        bus.clear()
        code = tool("totp", "code", tmp_path / "key.pem", "--tpm-path", bus.path)
        assert code.out.strip() in oracle()
        assert bus.codes == ["CreatePrimary", "StartAuthSession", "Load", "HMAC", "FlushContext", "FlushContext"]
        now = int(time.time()) // 30
        macs = [hmac.digest(SECRET, step.to_bytes(8, "big"), "sha1") for step in (now - 1, now)]
        assert not any(mac in bus.octets for mac in macs)


def test_password_and_pcrs_of_its_own(shared_swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    pem, password = tmp_path / "key.pem", tmp_path / "password"
    password.write_text("opensesame\n")
    password.chmod(0o600)
    imported(tool, shared_swtpm, pem, BASE32, "--pcrs", "sha256:16", "--key-auth-file", str(password))
    words = ("totp", "code", pem, "--tpm-path", shared_swtpm.path)
    assert tool(*words, "--key-auth-file", password).out.strip() in oracle()
    wrong = tool(*words, "--key-auth", "wrong")
    assert (wrong.code, wrong.out) == (4, "")
    tpm2(shared_swtpm, "pcrextend", "16:sha256=" + "11" * 32)
    assert tool(*words, "--key-auth-file", password).code == 4


@pytest.mark.parametrize(
    "written",
    [
        BASE32.lower() + b"==\r\n",
        b"\xef\xbb\xbf" + BASE32,
        "otpauth://totp/Köln:ich?issuer=Köln&secret=".encode() + BASE32 + b"&\n",
    ],
    ids=["padded, lower case, CRLF", "an editor's mark", "a label that is a name"],
)
def test_a_secret_as_it_is_found(written: bytes, shared_swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    assert imported(tool, shared_swtpm, tmp_path / "key.pem", written).code == 0
    assert tool("totp", "code", tmp_path / "key.pem", "--tpm-path", shared_swtpm.path).out.strip() in oracle()


def test_the_secret_from_a_file(shared_swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"otpauth://totp/Amazon%20Web%20Services:me@acct?secret=" + BASE32 + b"&issuer=Amazon\n")
    secret.chmod(0o600)
    ran = imported(tool, shared_swtpm, tmp_path / "key.pem", b"", "--secret-file", str(secret))
    assert "can be read by other users" not in ran.err
    assert tool("totp", "code", tmp_path / "key.pem", "--tpm-path", shared_swtpm.path).out.strip() in oracle()


def test_what_is_typed_is_not_shown(shared_swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    words = ["totp", "import", "--out", str(tmp_path / "key.pem"), "--tpm-path", shared_swtpm.path]
    code, shown = at_a_terminal(words, [BASE32])
    assert code == 0, shown
    assert "otpauth:// URI (not shown): " in shown
    assert BASE32.decode()[:8] not in shown
    assert tool("totp", "code", tmp_path / "key.pem", "--tpm-path", shared_swtpm.path).out.strip() in oracle()


NOT_TAKEN = {
    "nothing": (b"\n", "the secret is empty"),
    "a digit that base32 lacks": (b"GEZDGNBVGY3TQOJ1GEZDGNBV", "is not valid base32"),
    "letters too few": (BASE32[:-2], "is not valid base32"),
    "a part": (BASE32[:8], "fewer than 10"),
    "umlauts": ("ÄÖÜ".encode(), "expected letters A to Z"),
    "a letter whose capital is one of A to Z": ("\u017f".encode() + BASE32[1:], "expected letters A to Z"),
    "no text": (b"\xff\xfe" + BASE32, "expected base32 or an otpauth"),
    "two lines": (BASE32 + b"\n" + BASE32 + b"\n", "more than one line"),
    "HOTP": (b"otpauth://hotp/a?secret=" + BASE32 + b"&counter=0", "only otpauth://totp/ is supported"),
    "no secret": (b"otpauth://totp/a?issuer=b", "has no secret"),
    "two secrets": (b"otpauth://totp/a?secret=" + BASE32 + b"&secret=" + BASE32, "repeats a parameter"),
    "another hash": (b"otpauth://totp/a?algorithm=MD5&secret=" + BASE32, "expected SHA1"),
    "digits": (b"otpauth://totp/a?digits=9&secret=" + BASE32, "expected 6, 7 or 8"),
    "no period": (b"otpauth://totp/a?period=0&secret=" + BASE32, "period is not a number of seconds"),
    "no query": (b"otpauth://totp/" + BASE32, "has no secret"),
}


@pytest.mark.parametrize("case", NOT_TAKEN)
def test_secrets_that_are_none_are_refused_without_being_shown(case: str, tool: Tool, tmp_path: Path) -> None:
    given, says = NOT_TAKEN[case]
    words = ("totp", "import", "--out", tmp_path / "key.pem", "--tpm-path", "/nonexistent")
    ran = tool(*words, stdin=given)
    assert (ran.code, ran.out, says in ran.err) == (2, "", True), ran.err
    assert ran.err.count("\n") == 1
    assert BASE32[4:12].decode() not in ran.err
    # And as a program of its own: no traceback either.
    assert shell(*words, stdin=given) == ran


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("import",), "no output; give --out FILE"),
        (("import", "--out", "/dev/null/key"), "no such directory: /dev/null"),
        (("import", "--out", "x", "--secret-file", "/nonexistent/s"), "/nonexistent/s: No such file"),
        (("code", "0x80000001"), "is not a persistent handle"),
        (("code", "/nonexistent/key"), "/nonexistent/key: No such file"),
        (("code", HANDLE, "--period", "0"), "is not a number of seconds"),
        (("code", HANDLE, "--digits", "9"), "invalid choice"),
        ((), "required: ACTION"),
    ],
)
def test_words_that_are_wrong(words: tuple[str, ...], says: str, tool: Tool) -> None:
    more = ("--tpm-path", "/nonexistent") if words else ()
    ran = tool("totp", *words, *more, stdin=BASE32)
    assert (ran.code, says in ran.err) == (2, True), ran.err


def test_a_key_that_is_no_token_s(shared_swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    """SHA-384 has no place in tokens, and a sealed object gives no HMAC at all."""
    tpm2(shared_swtpm, "createprimary", "-C", "o", "-g", "sha256", "-G", "ecc", "-c", tmp_path / "p")
    tpm2(shared_swtpm, "hash", tmp_path / "p")
    tpm2(shared_swtpm, "flushcontext", "-t")
    parts = ("-u", tmp_path / "pub", "-r", tmp_path / "priv")
    tpm2(shared_swtpm, "create", "-C", tmp_path / "p", "-G", "hmac:sha384", *parts)
    tpm2(shared_swtpm, "flushcontext", "-t")
    tpm2(shared_swtpm, "load", "-C", tmp_path / "p", *parts, "-c", tmp_path / "key")
    tpm2(shared_swtpm, "flushcontext", "-t")
    tpm2(shared_swtpm, "evictcontrol", "-C", "o", "-c", tmp_path / "key", HANDLE)
    tpm2(shared_swtpm, "flushcontext", "-t")
    ran = tool("totp", "code", HANDLE, "--tpm-path", shared_swtpm.path)
    assert (ran.code, "not valid for one-time passwords" in ran.err) == (2, True), ran.err


@pytest.mark.parametrize("command", [TPM_CC.Create, TPM_CC.HMAC])
def test_a_tpm_without_sha1(shared_swtpm: Swtpm, tool: Tool, tmp_path: Path, command: TPM_CC) -> None:
    """TPM_RC_HASH, parameter 2: some refuse the key, others the HMAC. Nothing is left where it fails."""
    refusal = bytes.fromhex("8001 0000000a 000002c3")
    with Interposer(shared_swtpm.path) as bus:
        bus.on_command = lambda sent: refusal if sent[6:10] == command.to_bytes(4, "big") else None
        ran = tool("totp", "import", "--out", tmp_path / "key.pem", "--tpm-path", bus.path, stdin=BASE32)
    assert (ran.code, list(tmp_path.iterdir())) == (4, [])
    (line,) = ran.err.splitlines()
    assert "this TPM does not support HMAC with SHA1, which this token needs" in line
