"""The soft TPM: its arithmetic, its state, and what a client gets from it."""

import hashlib
import os
import resource
import signal
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tests.support.verbs import Tool
from tpmwire import calls, commands
from tpmwire.crypto.aes import cfb as cfb_of_cryptography
from tpmwire.crypto.pure import aes
from tpmwire.errors import TpmError, TransportError
from tpmwire.sessions import Password
from tpmwire.soft import SoftTransport, ecc
from tpmwire.soft import rsa as soft_rsa
from tpmwire.soft.address import parse_address
from tpmwire.spec.attestation import TPMS_ATTEST
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_ECC, TPM_RH
from tpmwire.spec.structures import TPMT_SIG_SCHEME
from tpmwire.tpm import Tpm

NO_SCHEME = TPMT_SIG_SCHEME(TPM_ALG.NULL)


@pytest.mark.parametrize("size", [16, 24, 32])
def test_aes(size: int) -> None:
    key, iv, data = os.urandom(size), os.urandom(16), os.urandom(48)
    for mode, theirs in (
        (TPM_ALG.ECB, modes.ECB()),
        (TPM_ALG.CBC, modes.CBC(iv)),
        (TPM_ALG.CTR, modes.CTR(iv)),
    ):
        encryptor = Cipher(algorithms.AES(key), theirs).encryptor()
        expected = encryptor.update(data) + encryptor.finalize()
        assert aes.crypt(mode, key, iv, data, True)[0] == expected
        assert aes.crypt(mode, key, iv, expected, False)[0] == data
    assert aes.cfb(key, iv, data[:21], True) == cfb_of_cryptography(key, iv, data[:21], True)


def test_rsa() -> None:
    made = soft_rsa.generate(2048, 0, os.urandom)
    public = rsa.RSAPublicNumbers(made.exponent, made.modulus).public_key()
    digest = hashlib.sha256(b"message").digest()
    prehashed = utils.Prehashed(hashes.SHA256())
    signed = soft_rsa.sign(made, TPM_ALG.RSASSA, TPM_ALG.SHA256, digest, os.urandom)
    public.verify(signed, digest, padding.PKCS1v15(), prehashed)
    signed = soft_rsa.sign(made, TPM_ALG.RSAPSS, TPM_ALG.SHA256, digest, os.urandom)
    public.verify(signed, digest, padding.PSS(padding.MGF1(hashes.SHA256()), 32), prehashed)
    assert soft_rsa.verify(made, TPM_ALG.RSAPSS, TPM_ALG.SHA256, digest, signed)
    assert not soft_rsa.verify(made, TPM_ALG.RSAPSS, TPM_ALG.SHA256, bytes(32), signed)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), b"label\0")
    sealed = public.encrypt(b"secret", oaep)
    assert soft_rsa.decrypt(made, TPM_ALG.OAEP, TPM_ALG.SHA256, sealed, b"label\0") == b"secret"
    with pytest.raises(ValueError, match="padding"):
        soft_rsa.decrypt(made, TPM_ALG.OAEP, TPM_ALG.SHA256, sealed, b"other\0")


def test_ecdsa() -> None:
    curve = ecc.CURVES[3]
    private = ecc.derive_scalar(curve, os.urandom)
    digest = hashlib.sha384(b"message").digest()
    r, s = ecc.sign(curve, private, digest, os.urandom)
    public = ec.derive_private_key(private, ec.SECP256R1()).public_key()
    public.verify(utils.encode_dss_signature(r, s), digest, ec.ECDSA(utils.Prehashed(hashes.SHA384())))


def test_a_seed_repeats_everything() -> None:
    names = []
    for seed in (b"word", b"word", b"another"):
        with Tpm(SoftTransport(seed)) as tpm:
            key = calls.create_primary(tpm)
            names.append((key.name, calls.random(tpm, 16)))
    assert names[0] == names[1] != names[2]


def test_the_same_template_gives_the_same_primary_key() -> None:
    with Tpm(SoftTransport()) as tpm:
        first = calls.create_primary(tpm)
        assert calls.create_primary(tpm).name == first.name
        assert calls.create_primary(tpm, hierarchy=TPM_RH.ENDORSEMENT).name != first.name


def test_sealed_data_need_their_password() -> None:
    with Tpm(SoftTransport()) as tpm:
        parent = calls.create_primary(tpm)
        blob = calls.seal(tpm, parent, b"kept", auth=b"right")
        assert calls.unseal(tpm, parent, blob, by=Password(b"right")) == b"kept"
        junk: Any = b"junk"
        with pytest.raises(TypeError, match="blob must be a Blob, not bytes"):
            calls.unseal(tpm, parent, junk)
        with pytest.raises(TpmError) as refused:
            calls.unseal(tpm, parent, blob, by=Password(b"wrong"))
        assert refused.value.rc == 0x98E


def test_a_file_keeps_the_state(tmp_path: Path) -> None:
    path = f"soft:{tmp_path / 'state'}"
    with Tpm.open(path) as tpm:
        calls.pcr_extend(tpm, 16, bytes(32))
        before = calls.pcr_read(tpm, "sha256:16")
        name = calls.create_primary(tpm).name
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o600
    with Tpm.open(path) as tpm:
        assert calls.pcr_read(tpm, "sha256:16") == before
        assert calls.create_primary(tpm).name == name
        with pytest.raises(TransportError, match="in use"):
            Tpm.open(path)
    (tmp_path / "state").write_bytes(b'{"no": "state"}')
    with pytest.raises(TransportError, match="not a soft TPM state file"):
        Tpm.open(path)


@pytest.mark.parametrize("kind", ["directory", "FIFO", "socket", "link to a FIFO"])
def test_only_a_regular_file_can_keep_the_state(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "state"
    with socket.socket(socket.AF_UNIX) as server:
        if kind == "directory":
            path.mkdir()
        elif kind == "FIFO":
            os.mkfifo(path)
        elif kind == "socket":
            server.bind(str(path))
        else:
            os.mkfifo(tmp_path / "fifo")
            path.symlink_to("fifo")
        before = path.stat()
        with pytest.raises(TransportError, match="state is not a regular file; choose another path"):
            Tpm.open(f"soft:{path}")
        assert os.path.samestat(path.stat(), before)
    assert len(list(tmp_path.iterdir())) == 1 + kind.startswith("link")


def test_a_full_disk_keeps_the_old_state(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with Tpm.open(f"soft:{state}") as tpm:
        calls.pcr_extend(tpm, 16, bytes(32))
    before = state.read_bytes()
    with Tpm.open(f"soft:{state}") as tpm:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
        try:
            with pytest.raises(TransportError, match="cannot write"):
                calls.pcr_extend(tpm, 16, bytes(32))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, ignored)
    assert state.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_tpmwire_uses_it(tool: Tool, tmp_path: Path) -> None:
    shown = tool("info", "--tpm-path", "soft:")
    assert shown.code == 0
    assert "SOFT" in shown.out
    state = f"soft:{tmp_path / 'state'}"
    first = tool("send", "--tpm-path", state, "PCR_Reset", "pcrHandle=16")
    assert first.code == 0


def test_an_impossible_port_is_refused(tool: Tool) -> None:
    refused = tool("soft", "--port", "65535")
    assert refused.code == 2
    assert "65534" in refused.err
    for words in (
        ["--seed", "word", "--state", "file"],
        ["--port", "2321", "--listen", "127.0.0.1:2321"],
        ["--listen", "2321"],
        ["--listen", "localhost:2321"],
        ["--listen", "127.0.0.1:65535"],
        ["--listen", "192.0.2.1:2321"],
    ):
        wrong = tool("soft", *words)
        assert (wrong.code, wrong.err.splitlines()[-1].startswith("tpmwire: ")) == (2, True)


def test_two_threads_have_two_tpms() -> None:
    names: list[bytes] = []

    def make() -> None:
        with Tpm(SoftTransport()) as tpm:
            names.append(calls.create_primary(tpm).name)

    threads = [threading.Thread(target=make) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == 2


def test_a_lockout_ends_with_time() -> None:
    now = [0.0]
    transport = SoftTransport()
    transport.machine.now = lambda: now[0]
    transport.machine.began = 0.0
    with Tpm(transport) as tpm:
        parent = calls.create_primary(tpm)
        blob = calls.seal(tpm, parent, b"kept", auth=b"right")
        for _ in range(3):
            with pytest.raises(TpmError):
                calls.unseal(tpm, parent, blob, by=Password(b"wrong"))
        with pytest.raises(TpmError, match="LOCKOUT"):
            calls.unseal(tpm, parent, blob, by=Password(b"right"))
        now[0] += 1000
        assert calls.unseal(tpm, parent, blob, by=Password(b"right")) == b"kept"


def test_two_phases_of_a_key_exchange() -> None:
    with Tpm(SoftTransport()) as tpm:
        parent = calls.create_primary(tpm)
        key = calls.load(tpm, parent, calls.create(tpm, parent, "ecc"))
        curve = ecc.CURVES[3]
        other = ecc.derive_scalar(curve, os.urandom)
        point = ecc.point_of(curve, curve.multiply(other, curve.g))
        begun = tpm.execute(commands.EC_Ephemeral(TPM_ECC.NIST_P256))
        exchange = commands.ZGen_2Phase(key.handle, point, point, TPM_ALG.ECDH, begun.counter)
        shared = tpm.execute(exchange)
        ours = ecc.to_point(curve, begun.q)
        assert ours is not None
        assert shared.out_z2 == ecc.point_of(curve, curve.multiply(other, ours))
        with pytest.raises(TpmError, match="VALUE"):
            tpm.execute(exchange)


def test_command_audit() -> None:
    with Tpm(SoftTransport()) as tpm:
        tpm.execute(commands.SetCommandCodeAuditStatus(TPM_RH.OWNER, TPM_ALG.NULL, (TPM_CC.GetRandom,), ()))
        before = tpm.execute(commands.GetCommandAuditDigest(TPM_RH.ENDORSEMENT, TPM_RH.NULL, b"", NO_SCHEME))
        tpm.execute(commands.GetRandom(8))
        after = tpm.execute(commands.GetCommandAuditDigest(TPM_RH.ENDORSEMENT, TPM_RH.NULL, b"", NO_SCHEME))
        assert TPMS_ATTEST.parse(before.audit_info).attested != TPMS_ATTEST.parse(after.audit_info).attested


def test_enroll_does_not_remove_the_only_safe_copy(
    tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = tmp_path / "credentials"
    key = f"aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = {'s' * 40}\n"
    credentials.write_text(f"[work]\n{key}")
    credentials.chmod(0o600)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    refused = tool("enroll", "--profile", "work", "--tpm-path", f"soft:{tmp_path / 'state'}", "--remove-plaintext")
    assert refused.code == 2
    assert "a soft TPM does not protect the key" in refused.err
    assert "s" * 40 in credentials.read_text()


def test_no_repr_shows_a_secret() -> None:
    transport = SoftTransport(seed=b"the seed of all keys")
    with Tpm(transport) as tpm:
        key = calls.create_primary(tpm, auth=b"a password")
        state = transport.machine
        for shown in (state, state.generator, *state.hierarchies.values(), state.transient[key.handle]):
            assert "password" not in repr(shown)
            assert "seed" not in repr(shown)


def test_options_of_an_address(tool: Tool, tmp_path: Path) -> None:
    state = tmp_path / "state"
    shown = tool("send", "--tpm-path", f"soft:{state}?explain", "GetRandom", "bytesRequested=8")
    assert (shown.code, "command: TPM2_GetRandom" in shown.err) == (0, True)
    assert state.exists()
    address = parse_address("seed=word?explain=secrets")
    assert address == (b"word", None, {"explain": "secrets"})
    for wrong in ("?explian", "?explain=all", "?explain&explain=secrets", "?explain&"):
        refused = tool("info", "--tpm-path", f"soft:{wrong}")
        assert (refused.code, refused.err.count("\n")) == (3, 1)


def test_the_end_of_power_ends_objects_and_sessions(tmp_path: Path) -> None:
    transport = SoftTransport(file=str(tmp_path / "state"))
    with Tpm(transport) as tpm:
        calls.nv_define(tpm, 0x01000001, 8)
        name = calls.create_primary(tpm).name
        before = tpm.execute(commands.ReadClock()).current_time
        transport.restart()
        after = tpm.execute(commands.ReadClock()).current_time
        assert after.clock_info.reset_count == before.clock_info.reset_count + 1
        assert after.clock_info.clock >= before.clock_info.clock
        assert not transport.machine.transient
        assert calls.nv_read_public(tpm, 0x01000001).data_size == 8
        assert calls.create_primary(tpm).name == name


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("soft:", "the TPM and the key are lost"),
        ("soft:?explain", "the TPM and the key are lost"),
        ("soft:seed=word", "its keys derive from the seed"),
        ("soft:FILE", "its state file contains the key in plaintext"),
        ("soft:FILE?explain", "its state file contains the key in plaintext"),
    ],
)
def test_one_warning_for_a_secret(tool: Tool, tmp_path: Path, address: str, why: str) -> None:
    path = address.replace("FILE", str(tmp_path / "state"))
    words = ["--aws-access-key-id", "AKIAIOSFODNN7EXAMPLE", "--out", str(tmp_path / "key.pem")]
    done = tool("import", "--tpm-path", path, *words, stdin=b"s" * 40)
    assert done.code == 0, done.err
    assert [line for line in done.err.splitlines() if "warning" in line and why in line] != []
    assert done.err.count("is a soft TPM") == 1


def test_create_key_warns_once_and_names_the_variable(
    tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"soft:{tmp_path / 'state'}"
    monkeypatch.setenv("TPMWIRE_TPM_PATH", path)
    done = tool("roles-anywhere", "create-key", "--out", tmp_path / "host.key")
    assert done.code == 0, done.err
    assert f"TPMWIRE_TPM_PATH selects the TPM at {path}" in done.err
    assert done.err.count("its state file contains the key in plaintext") == 1
    assert done.err.count("is a soft TPM") == 1


@pytest.mark.parametrize(
    ("command", "response"),
    [
        ("80030000000cc0000017b000", 0x84),
        ("00c40000000a00000171", 0x1E),
        ("80010000000e0000016580ffffff", 0x1C4),
        ("80010000002000000161000000000000000180000000400000010004deadbeef", 0x95),
        ("80010000001c00000161000000000000000180000000400000010000", 0x9A),
        ("80010000001e000001610000000000000001800000004000000100020000", 0x1D5),
    ],
    ids=["tag", "known tag", "handle", "long integrity", "no integrity", "short integrity"],
)
def test_malformed_commands(command: str, response: int) -> None:
    """The responses are those of swtpm."""
    found = SoftTransport().transceive(bytes.fromhex(command))
    assert found == bytes.fromhex("80010000000a") + response.to_bytes(4, "big")


def test_a_wrapped_secret_has_one_warning(tool: Tool, tmp_path: Path) -> None:
    path, wrapped = f"soft:{tmp_path / 'state'}", tmp_path / "wrapped.pem"
    public = tmp_path / "public.json"
    assert tool("export-public", "--tpm-path", path, "--out", public).code == 0
    words = ["--aws-access-key-id", "AKIAIOSFODNN7EXAMPLE", "--to", public, "--out", wrapped]
    assert tool("wrap", *words, stdin=b"s" * 40).code == 0
    done = tool("import-key", "--tpm-path", path, wrapped, "--out", tmp_path / "key.pem")
    assert (done.code, done.err.count("is a soft TPM, which does not protect the key")) == (0, 1)
