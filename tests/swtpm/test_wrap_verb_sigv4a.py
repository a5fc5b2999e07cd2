"""`tpmwire wrap --sigv4a-out`: the key of SigV4A from a host without a TPM into one, and used there only."""

import os
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from sigv4.sigv4a import der_signature, private_key
from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Tool, held
from tpmwire.errors import TpmError
from tpmwire.keys.keyfile import parse
from tpmwire.secret import Secret
from tpmwire.tpm import Tpm
from tpmwire.use.ecdsa import EcdsaKey

KEY_ID, SECRET = "AKIAIOSFODNN7EXAMPLE", b"wJalrXUtnFEMI+K7MDENG/bPxRfiCYEXAMPLEKEY"
PUBLIC = private_key(KEY_ID, SECRET).public_key()
DIGEST = sha256(b"what is signed").digest()


def wrapped(shared_swtpm: Swtpm, tool: Tool, directory: Path, kind: str, *options: str) -> Path:
    target = directory / "target.json"
    target.write_text(tool("export-public", "--key", kind, "--tpm-path", shared_swtpm.path).out)
    files = ("--out", directory / "hmac.pem", "--sigv4a-out", directory / "v4a.pem")
    ran = tool("wrap", "--to", target, *files, "--aws-access-key-id", KEY_ID, *options, stdin=SECRET)
    assert ran.code == 0, ran.err
    assert "there: tpmwire import-key v4a.pem" in ran.err
    assert (directory / "v4a.pem").stat().st_mode & 0o777 == 0o600
    return directory / "v4a.pem"


@pytest.mark.parametrize("kind", ["h2", "ek-rsa", "ek-ecc"])
@pytest.mark.parametrize("password", [b"", b"testpwd"])
@pytest.mark.parametrize("pcrs", [(), ("--pcrs", "sha256:23")])
def test_from_there_to_here(
    shared_swtpm: Swtpm,
    tool: Tool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    password: bytes,
    pcrs: tuple[str, ...],
) -> None:
    if password:
        monkeypatch.setenv("TPM_KEY_AUTH", password.decode())
    file = wrapped(shared_swtpm, tool, tmp_path, kind, *pcrs)
    there = tmp_path / "there.pem"
    ran = tool("import-key", file, "--out", there, "--tpm-path", shared_swtpm.path)
    assert ran.code == 0, ran.err
    key = EcdsaKey(file=parse(there.read_bytes()), auth=Secret(password), ek_parent=kind != "h2")
    with Tpm.open(shared_swtpm.path, 20) as tpm:
        numbers = key.sign(tpm, DIGEST)
    PUBLIC.verify(der_signature(*numbers), DIGEST, ec.ECDSA(Prehashed(SHA256())))


def test_another_tpm_does_not_take_it(shared_swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    file = wrapped(shared_swtpm, tool, tmp_path, "h2")
    with Swtpm() as other:
        ran = tool("import-key", file, "--out", tmp_path / "there.pem", "--tpm-path", other.path)
        assert (ran.code, "TPM2_Import" in ran.err, held(other)) == (4, True, "")
    assert not (tmp_path / "there.pem").exists()


def test_a_bound_key_is_refused_after_the_pcr_moved(shared_swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    file = wrapped(shared_swtpm, tool, tmp_path, "h2", "--pcrs", "sha256:16")
    there = tmp_path / "there.pem"
    assert tool("import-key", file, "--out", there, "--tpm-path", shared_swtpm.path).code == 0
    tpm2(shared_swtpm, "pcrextend", f"16:sha256={'11' * 32}")
    with Tpm.open(shared_swtpm.path, 20) as tpm, pytest.raises(TpmError, match="PCR"):
        EcdsaKey(file=parse(there.read_bytes())).sign(tpm, DIGEST)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--to", "x.json", "--aws-access-key-id", "AKIA/"), "give --aws-access-key-id"),
        (("--fleet", "x", "--aws-access-key-id", KEY_ID), "for one target"),
        (("--to", "x.json", "--aws-access-key-id", KEY_ID, "--out", "v4a.pem"), "choose another file"),
        (("--to", "x.json", "--aws-access-key-id", KEY_ID, "--sigv4a-out", "none/v4a.pem"), "no such directory"),
        (("--to", "x.json", "--aws-access-key-id", KEY_ID, "--out", "none/hmac.pem"), "no such directory"),
    ],
)
def test_mistakes_before_the_secret_is_asked_for(
    tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = tool("wrap", "--out", "hmac.pem", "--sigv4a-out", "v4a.pem", *words)
    assert (ran.code, ran.out, os.listdir(tmp_path)) == (2, "", [])
    assert told in ran.err
    assert ran.err.count("\n") == 1


def test_a_place_that_is_taken_is_told_before_the_other_one_is_filled(
    shared_swtpm: Swtpm, tool: Tool, tmp_path: Path
) -> None:
    """Neither a persistent key whose file is missing, nor the other way round."""
    file, taken = wrapped(shared_swtpm, tool, tmp_path, "h2"), tmp_path / "taken.pem"
    taken.write_text("mine")
    words = ("import-key", file, "--tpm-path", shared_swtpm.path, "--persistent-handle", "0x81010033")
    ran = tool(*words, "--out", taken)
    assert (ran.code, "taken.pem exists; --force replaces it" in ran.err) == (2, True)
    assert "0x81010033" not in tpm2(shared_swtpm, "getcap", "handles-persistent").decode()
    assert tool(*words).code == 0
    ran = tool(*words, "--out", tmp_path / "new.pem")
    assert (ran.code, "0x81010033 is occupied" in ran.err) == (2, True)
    assert not (tmp_path / "new.pem").exists()
