"""`tpmwire import --sigv4a-out`: AWS's derived key in the TPM, used by us and by tpm2-tools and tpm2-openssl."""

import hmac
import json
import os
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from sigv4.sigv4a import der_signature, private_key
from tests.support.interposer import Interposer
from tests.support.swtpm import Swtpm, SwtpmError, tpm2
from tests.support.verbs import Tool, held
from tpmwire.errors import TpmError
from tpmwire.keys.keyfile import KeyFile, parse
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.secret import Secret
from tpmwire.spec.constants import TPM_CAP, TPM_CC, TPM_ECC
from tpmwire.tpm import Tpm
from tpmwire.use.ecdsa import EcdsaKey
from tpmwire.use.hmac import HmacKey

KEY_ID, SECRET = "AKIAIOSFODNN7EXAMPLE", b"wJalrXUtnFEMI+K7MDENG/bPxRfiCYEXAMPLEKEY"
PUBLIC = private_key(KEY_ID, SECRET).public_key()
DIGEST = sha256(b"what is signed").digest()
HMAC_HANDLE, HANDLE = "0x81010002", "0x81010003"


@pytest.fixture
def made(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> Callable[..., KeyFile]:
    """Imports with some more options, and gives the key file of SigV4A."""

    def run(*options: str | Path, path: str = swtpm.path) -> KeyFile:
        out = tmp_path / "v4a.pem"
        where = ("--out", tmp_path / "key.pem", "--sigv4a-out", out, "--tpm-path", path)
        ran = tool("import", *where, "--aws-access-key-id", KEY_ID, *options, stdin=SECRET)
        assert ran.code == 0, ran.err
        assert f"SigV4A key: {out}" in ran.err
        assert out.stat().st_mode & 0o777 == 0o600
        return parse(out.read_bytes())

    return run


def verify(numbers: tuple[bytes, bytes]) -> None:
    PUBLIC.verify(der_signature(*numbers), DIGEST, ec.ECDSA(Prehashed(SHA256())))


def signed(swtpm: Swtpm, **how: object) -> tuple[bytes, bytes]:
    with Tpm.open(swtpm.path, 20) as tpm:
        return EcdsaKey(**how).sign(tpm, DIGEST)  # type: ignore[arg-type]


def test_both_keys_are_those_of_the_secret(swtpm: Swtpm, made: Callable[..., KeyFile], tmp_path: Path) -> None:
    file = made("--persistent-handle", HMAC_HANDLE, "--sigv4a-handle", HANDLE)
    verify(signed(swtpm, file=file))
    verify(signed(swtpm, handle=0x81010003, protected=False))
    with Tpm.open(swtpm.path, 20) as tpm:
        expected = hmac.digest(b"AWS4" + SECRET, b"20261124", "sha256")
        assert HmacKey(file=parse((tmp_path / "key.pem").read_bytes())).hmac(tpm, b"20261124") == expected
    public = tpm2(swtpm, "readpublic", "-c", HANDLE).decode()
    assert "value: userwithauth|noda|sign\n" in public
    assert f"x: {PUBLIC.public_numbers().x:064x}" in public
    assert sorted(os.listdir(tmp_path)) == ["key.pem", "v4a.pem"]


def test_the_tpm_has_the_key_of_awss_own_tests(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    """The public key that AWS's implementations expect of these two (aws-c-auth)."""
    secret = b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    where = ("--out", tmp_path / "key.pem", "--sigv4a-handle", HANDLE, "--tpm-path", swtpm.path)
    assert tool("import", *where, "--aws-access-key-id", "AKIDEXAMPLE", stdin=secret).code == 0
    public = tpm2(swtpm, "readpublic", "-c", HANDLE).decode()
    assert "x: b6618f6a65740a99e650b33b6b4b5bd0d43b176d721a3edfea7e7d2d56d936b1\n" in public
    assert "y: 865ed22a7eadc9c5cb9d2cbaca1b3699139fedc5043dc6661864218330c8e518\n" in public


def test_nothing_secret_crosses_the_bus_in_these_commands(
    swtpm: Swtpm, made: Callable[..., KeyFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TPM_KEY_AUTH", "testpwd")
    with Interposer(swtpm.path) as bus:
        made(path=bus.path)
    value = private_key(KEY_ID, SECRET).private_numbers().private_value.to_bytes(32, "big")
    for secret in (SECRET, value, b"testpwd"):
        assert secret not in bus.octets
    # The check for P-256, before the secret is asked for, is GetCapability alone.
    asked = [code for code in bus.codes if code != "GetCapability"]
    # The first use of a password after a start is asked again.
    assert asked == [
        *("CreatePrimary", "StartAuthSession", "Create", "Load", "StartAuthSession", "HMAC", "HMAC"),
        *("Import", "Load", "StartAuthSession", "Sign"),
        *["FlushContext"] * 4,
    ]


def test_again_with_force_beside_a_storage_root_key(
    swtpm: Swtpm, made: Callable[..., KeyFile], tmp_path: Path
) -> None:
    """What is asked of persistent objects takes a slot each time, and this TPM has three."""
    tpm2(swtpm, "createprimary", "-C", "o", "-G", "ecc", "-c", tmp_path / "srk.ctx")
    tpm2(swtpm, "evictcontrol", "-c", tmp_path / "srk.ctx", "0x81000001")
    tpm2(swtpm, "flushcontext", "-t")
    for _ in range(2):
        made("--persistent-handle", HMAC_HANDLE, "--sigv4a-handle", HANDLE, "--force")
        verify(signed(swtpm, handle=0x81010003))
    file = made("--parent", "0x81000001", "--sigv4a-handle", HANDLE, "--force")
    verify(signed(swtpm, handle=0x81010003))
    verify(signed(swtpm, file=file))


@pytest.mark.parametrize("kind", ["h2", "ek-ecc", "ek-rsa"])
@pytest.mark.parametrize("pcrs", [(), ("--pcrs", "23")])
def test_a_pinned_key(
    swtpm: Swtpm,
    tool: Tool,
    made: Callable[..., KeyFile],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    pcrs: tuple[str, ...],
) -> None:
    """With three slots, of which parent and both keys take all."""
    told = json.loads(tool("export-public", "--key", kind, "--tpm-path", swtpm.path).out)
    monkeypatch.setenv("TPM_KEY_AUTH", "testpwd")
    pin = ("--tpm-session-encrypt-with-name", f"{told['name']}@{kind}")
    file = made(*pin, *pcrs, "--sigv4a-handle", HANDLE, "--persistent-handle", HMAC_HANDLE, "--force")
    verify(signed(swtpm, file=file, auth=Secret(b"testpwd")))


def test_a_password(swtpm: Swtpm, made: Callable[..., KeyFile], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TPM_KEY_AUTH", "testpwd")
    file = made()
    assert file.empty_auth is False
    verify(signed(swtpm, file=file, auth=Secret(b"testpwd")))
    with pytest.raises(TpmError, match="TPM_RC_AUTH_FAIL"):
        signed(swtpm, file=file)


@pytest.mark.parametrize("password", [b"", b"testpwd"])
def test_pcrs(
    swtpm: Swtpm, made: Callable[..., KeyFile], monkeypatch: pytest.MonkeyPatch, password: bytes
) -> None:
    if password:
        monkeypatch.setenv("TPM_KEY_AUTH", password.decode())
    file = made("--pcrs", "sha256:7,23", "--sigv4a-handle", HANDLE)
    verify(signed(swtpm, file=file, auth=Secret(password)))
    verify(signed(swtpm, handle=0x81010003, pcrs=parse_pcrs("sha256:7,23"), auth=Secret(password)))
    tpm2(swtpm, "pcrextend", f"23:sha256={'11' * 32}")
    with pytest.raises(TpmError, match="PCR"):
        signed(swtpm, file=file, auth=Secret(password))


def test_a_policy_for_a_boot_to_come(swtpm: Swtpm, made: Callable[..., KeyFile]) -> None:
    extended = sha256(bytes(32) + bytes.fromhex("11" * 32)).hexdigest()
    file = made("--pcrs", f"sha256:23={extended}")
    with pytest.raises(TpmError, match="PCR"):
        signed(swtpm, file=file)
    tpm2(swtpm, "pcrextend", f"23:sha256={'11' * 32}")
    verify(signed(swtpm, file=file))


def test_no_way_out(swtpm: Swtpm, made: Callable[..., KeyFile], tmp_path: Path) -> None:
    """An imported key is not fixedTPM: what keeps it is that no policy of its allows TPM2_Duplicate."""
    made("--pcrs", "23", "--sigv4a-handle", HANDLE)
    made("--force", "--sigv4a-handle", "0x81010004")
    target = ("-G", "null", "-p", "session:session.dat", "-r", "dup.priv", "-s", "dup.seed")

    def out(handle: str, *policies: tuple[str, ...]) -> None:
        tpm2(swtpm, "startauthsession", "--policy-session", "-S", "session.dat", cwd=tmp_path)
        try:
            for policy in policies:
                tpm2(swtpm, *policy, "-S", "session.dat", cwd=tmp_path)
            tpm2(swtpm, "duplicate", "-C", "null", "-c", handle, *target, cwd=tmp_path)
        finally:
            tpm2(swtpm, "flushcontext", "session.dat", cwd=tmp_path)

    command = ("policycommandcode", "TPM2_CC_Duplicate")
    for handle in (HANDLE, "0x81010004"):
        for policies in (
            (),
            (("policypcr", "-l", "sha256:23"),),
            (command,),
            (("policypcr", "-l", "sha256:23"), command),
        ):
            with pytest.raises(SwtpmError, match="policy"):
                out(handle, *policies)
    tpm2(swtpm, "flushcontext", "-t")


def test_a_key_that_was_made_to_move_moves(
    swtpm: Swtpm, made: Callable[..., KeyFile], tool: Tool, tmp_path: Path
) -> None:
    with Swtpm() as other:
        to = tmp_path / "to.json"
        to.write_text(tool("export-public", "--tpm-path", other.path).out)
        file, moved = tmp_path / "v4a.pem", tmp_path / "moved.pem"
        verify(signed(swtpm, file=made("--duplicable-to", to)))
        ran = tool("duplicate", "--to", to, file, "--out", moved, "--tpm-path", swtpm.path)
        assert ran.code == 0, ran.err
        there = ("--out", tmp_path / "there.pem", "--persistent-handle", HANDLE, "--tpm-path", other.path)
        ran = tool("import-key", moved, *there)
        assert ran.code == 0, ran.err
        verify(signed(other, file=parse((tmp_path / "there.pem").read_bytes())))
        verify(signed(other, handle=0x81010003))
        assert held(other) == ""


def test_tpm2_openssl_signs_with_the_file(swtpm: Swtpm, made: Callable[..., KeyFile], tmp_path: Path) -> None:
    made()
    (tmp_path / "message").write_bytes(b"what is signed")
    command = ["openssl", "pkeyutl", "-provider", "tpm2", "-provider", "base", "-sign", "-inkey", "v4a.pem"]
    command += ["-rawin", "-digest", "sha256", "-in", "message", "-out", "signature"]
    environment = {**os.environ, "TPM2OPENSSL_TCTI": swtpm.tcti}
    done = subprocess.run(command, check=False, cwd=tmp_path, env=environment, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    PUBLIC.verify((tmp_path / "signature").read_bytes(), b"what is signed", ec.ECDSA(SHA256()))


def test_tpm2_tools_sign_at_the_handle(swtpm: Swtpm, made: Callable[..., KeyFile], tmp_path: Path) -> None:
    made("--sigv4a-handle", HANDLE)
    (tmp_path / "digest").write_bytes(DIGEST)
    how = ("-g", "sha256", "-s", "ecdsa", "-f", "plain", "-d", "digest", "-o", "signature")
    tpm2(swtpm, "sign", "-c", HANDLE, *how, cwd=tmp_path)
    PUBLIC.verify((tmp_path / "signature").read_bytes(), DIGEST, ec.ECDSA(Prehashed(SHA256())))
    with pytest.raises(InvalidSignature):
        PUBLIC.verify((tmp_path / "signature").read_bytes(), b"other", ec.ECDSA(SHA256()))


def test_tpm2_tools_load_the_file(swtpm: Swtpm, made: Callable[..., KeyFile], tmp_path: Path) -> None:
    made()
    tpm2(swtpm, "load", "-r", "v4a.pem", "-c", "key.ctx", cwd=tmp_path)
    tpm2(swtpm, "flushcontext", "-t")


def lacking(bus: Interposer, capability: TPM_CAP, octets: bytes) -> None:
    """A TPM that does not list something: its number is another one in the answer."""

    def changed(answer: bytes, sent: bytes) -> bytes:
        asked = sent[6:10] == TPM_CC.GetCapability.to_bytes(4, "big") and sent[10:14] == capability.to_bytes(
            4, "big"
        )
        return answer.replace(octets, b"\x00" * (len(octets) - 1) + b"\x01") if asked else answer

    bus.on_response = changed


def test_a_tpm_without_p256(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    where = ("--out", tmp_path / "key.pem", "--sigv4a-out", tmp_path / "v4a.pem", "--aws-access-key-id", KEY_ID)
    with Interposer(swtpm.path) as bus:
        lacking(bus, TPM_CAP.ECC_CURVES, TPM_ECC.NIST_P256.to_bytes(2, "big"))
        # Without a secret on standard input: it is not come to that.
        ran = tool("import", *where, "--tpm-path", bus.path)
        assert set(bus.codes) == {"GetCapability"}
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "tpmwire: this TPM lacks the curve P-256, so it cannot hold a SigV4A key; remove --sigv4a-...\n"
    )
    assert os.listdir(tmp_path) == []


def test_a_tpm_without_tpm2_import(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    where = ("--out", tmp_path / "key.pem", "--sigv4a-out", tmp_path / "v4a.pem", "--aws-access-key-id", KEY_ID)
    with Interposer(swtpm.path) as bus:
        # As one of TPMA_CC's words ends, among the attributes of the others.
        lacking(bus, TPM_CAP.COMMANDS, TPM_CC.Import.to_bytes(2, "big"))
        ran = tool("import", *where, "--tpm-path", bus.path)
    assert (ran.code, ran.out) == (2, "")
    assert "this TPM lacks Import" in ran.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--sigv4a-out {}/v4a.pem", "give --aws-access-key-id (or AWS_ACCESS_KEY_ID)"),
        ("--sigv4a-out {}/v4a.pem --aws-access-key-id AKIA/", "the access key id is not valid"),
        ("--aws-access-key-id AKIA --sigv4a-out {}/key.pem", "choose another file"),
        ("--aws-access-key-id AKIA --sigv4a-out {}", "--sigv4a-out is the file to write"),
        ("--aws-access-key-id AKIA --sigv4a-out /dev/null --force", "/dev/null is not a regular file"),
        (
            "--aws-access-key-id AKIA --persistent-handle 0x81010009 --sigv4a-handle 0x81010009",
            "choose another handle",
        ),
        ("--aws-access-key-id AKIA --sigv4a-out {0}/../{0.name}/key.pem", "is given for two keys"),
        (
            "--persistent-handle 0x81800000",
            "belongs to the platform; choose a handle from 0x81000000 to 0x817fffff",
        ),
        ("--aws-access-key-id AKIA --sigv4a-handle 0x81ffffff", "belongs to the platform"),
        ("--aws-access-key-id AKIA --pcrs 23 --duplicable-to {0} --sigv4a-handle 0x81010009", "a handle does not"),
        ("--aws-access-key-id AKIA --pcrs sha256:23=" + "00" * 32 + " --sigv4a-handle 0x81010009", "--out only"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_done(
    swtpm: Swtpm, tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, told: str
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    words = options.format(tmp_path).split()
    with Interposer(swtpm.path) as bus:
        ran = tool("import", "--out", tmp_path / "key.pem", *words, "--tpm-path", bus.path, stdin=SECRET)
        assert set(bus.codes) <= {"GetCapability"}
    assert (ran.code, ran.out, os.listdir(tmp_path)) == (2, "", [])
    assert told in ran.err
    assert ran.err.count("\n") == 1


def test_a_signature_that_was_tampered_with(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    """Nothing is put in place: neither the key of SigV4A nor the HMAC key that was proven before it."""
    with Interposer(swtpm.path) as bus:
        bus.on_response = lambda octets, sent: (
            octets[:20] + bytes([octets[20] ^ 1]) + octets[21:]
            if sent[6:10] == TPM_CC.Sign.to_bytes(4, "big") and len(octets) > 20
            else octets
        )
        where = ("--out", tmp_path / "key.pem", "--sigv4a-out", tmp_path / "v4a.pem", "--sigv4a-handle", HANDLE)
        ran = tool("import", *where, "--aws-access-key-id", KEY_ID, "--tpm-path", bus.path, stdin=SECRET)
    assert (ran.code, ran.out, os.listdir(tmp_path)) == (8, "", [])
    assert tpm2(swtpm, "getcap", "handles-persistent") == b""


@pytest.mark.parametrize("refused", [1, 2])
def test_all_or_nothing(swtpm: Swtpm, tool: Tool, tmp_path: Path, refused: int) -> None:
    """The TPM has no room for the first, or for the second persistent key."""
    seen = []

    def no_room(sent: bytes) -> bytes | None:
        if sent[6:10] != TPM_CC.EvictControl.to_bytes(4, "big"):
            return None
        seen.append(sent)
        return bytes.fromhex("8001 0000000a 0000014b") if len(seen) == refused else None

    with Interposer(swtpm.path) as bus:
        bus.on_command = no_room
        files = ("--out", tmp_path / "key.pem", "--sigv4a-out", tmp_path / "v4a.pem")
        handles = ("--persistent-handle", HMAC_HANDLE, "--sigv4a-handle", HANDLE)
        ran = tool("import", *files, *handles, "--aws-access-key-id", KEY_ID, "--tpm-path", bus.path, stdin=SECRET)
    assert (ran.code, ran.out, os.listdir(tmp_path)) == (4, "", [])
    assert "TPM_RC_NV_SPACE" in ran.err
    assert tpm2(swtpm, "getcap", "handles-persistent") == b""
    # The first one went in and, where the second was refused, out again.
    assert len(seen) == 2 * refused - 1


@pytest.mark.parametrize("refused", [1, 2])
def test_with_force_too_what_was_there_stays(
    swtpm: Swtpm, made: Callable[..., KeyFile], tool: Tool, refused: int
) -> None:
    """There is no room for the first, or for the second key beside the old ones."""
    places = ("--persistent-handle", HMAC_HANDLE, "--sigv4a-handle", HANDLE, "--force")
    made(*places)
    seen = []

    def no_room(sent: bytes) -> bytes | None:
        if sent[6:10] != TPM_CC.EvictControl.to_bytes(4, "big"):
            return None
        seen.append(sent)
        return bytes.fromhex("8001 0000000a 0000014b") if len(seen) == refused else None

    with Interposer(swtpm.path) as bus:
        bus.on_command = no_room
        ran = tool("import", *places, "--aws-access-key-id", "AKIANEW", "--tpm-path", bus.path, stdin=b"x" * 40)
    assert (ran.code, "TPM_RC_NV_SPACE" in ran.err) == (4, True)
    assert tpm2(swtpm, "getcap", "handles-persistent").decode().split() == ["-", HMAC_HANDLE, "-", HANDLE]
    verify(signed(swtpm, handle=0x81010003))
    with Tpm.open(swtpm.path, 20) as tpm:
        expected = hmac.digest(b"AWS4" + SECRET, b"20261124", "sha256")
        assert HmacKey(handle=0x81010002).hmac(tpm, b"20261124") == expected
