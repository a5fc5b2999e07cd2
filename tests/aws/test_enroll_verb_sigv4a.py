"""`tpmwire enroll --sigv4a-out`: the key of SigV4A, made once while there is a plaintext to derive it from."""

import os
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from sigv4.sigv4a import der_signature, private_key
from tests.aws.test_enroll_verb import CONFIG, KILLED
from tests.support.home import ROOT, make_home
from tests.support.interposer import Interposer
from tests.support.sts import VerifyingSts
from tests.support.swtpm import Swtpm
from tests.support.verbs import Tool
from tpmwire.keys.keyfile import parse
from tpmwire.tpm import Tpm
from tpmwire.use.ecdsa import EcdsaKey

DIGEST = sha256(b"what is signed").digest()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sts: VerifyingSts) -> Path:
    plain = f"[work]\naws_access_key_id = {sts.access_key_id}\naws_secret_access_key = {sts.secret_access_key}\n"
    return make_home(tmp_path, monkeypatch, sts, CONFIG, plain)


def verify(swtpm: Swtpm, sts: VerifyingSts, key: EcdsaKey) -> None:
    with Tpm.open(swtpm.path, 20) as tpm:
        signature = der_signature(*key.sign(tpm, DIGEST))
    public = private_key(sts.access_key_id, sts.secret_access_key).public_key()
    public.verify(signature, DIGEST, ec.ECDSA(Prehashed(SHA256())))


@pytest.mark.parametrize("pcrs", [(), ("--pcrs", "23")])
def test_both_keys_by_one_command(
    home: Path, sts: VerifyingSts, swtpm: Swtpm, tool: Tool, pcrs: tuple[str, ...]
) -> None:
    file = home / "v4a.pem"
    words = ("enroll", "--profile", "work", "--tpm-path", swtpm.path, "--sigv4a-out", file, *pcrs)
    ran = tool(*words, "--sigv4a-handle", "0x81010060", "--persistent-handle", "0x81010061", "--remove-plaintext")
    assert ran.code == 0, ran.err
    assert f"the SigV4A key: {file} and 0x81010060\n" in ran.err
    verify(swtpm, sts, EcdsaKey(file=parse(file.read_bytes())))
    assert sts.secret_access_key not in (home / ".aws" / "credentials").read_text()


def test_killed_after_it_the_same_command_goes_on(home: Path, sts: VerifyingSts, swtpm: Swtpm, tool: Tool) -> None:
    words = ["--profile", "work", "--sigv4a-out", str(home / "v4a.pem"), "--remove-plaintext"]
    command = [sys.executable, "-c", KILLED, "placed", *words, "--tpm-path", swtpm.path]
    killed = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    first = (home / "v4a.pem").read_bytes()
    with Interposer(swtpm.path) as bus:
        ran = tool("enroll", *words, "--tpm-path", bus.path)
        assert (ran.code, "Import" in bus.codes) == (0, False), ran.err
    assert "the SigV4A key is already stored" in ran.err
    assert (home / "v4a.pem").read_bytes() == first
    verify(swtpm, sts, EcdsaKey(file=parse(first)))


def test_later_for_a_key_that_is_enrolled(home: Path, sts: VerifyingSts, swtpm: Swtpm, tool: Tool) -> None:
    """As long as the plaintext is there: the HMAC key stays as it is."""
    words = ("enroll", "--profile", "work", "--tpm-path", swtpm.path)
    assert tool(*words).code == 0
    hmac_file = next((home / ".aws" / "tpmwire").iterdir())
    before = hmac_file.read_bytes()
    assert tool(*words, "--sigv4a-out", home / "v4a.pem").code == 0
    assert hmac_file.read_bytes() == before
    verify(swtpm, sts, EcdsaKey(file=parse((home / "v4a.pem").read_bytes())))
    # The HMAC key's file is another key, and it is not replaced.
    ran = tool(*words, "--sigv4a-out", hmac_file)
    assert (ran.code, "choose another file" in ran.err) == (2, True)
    assert hmac_file.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--persistent-handle", "0x81010060", "--sigv4a-handle", "0x81010060"), "choose another handle"),
        (("--out", "x.pem", "--sigv4a-out", "./x.pem"), "choose another file"),
    ],
)
def test_one_place_for_two_keys(
    home: Path, swtpm: Swtpm, tool: Tool, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(home)
    ran = tool("enroll", "--profile", "work", "--tpm-path", swtpm.path, *words)
    assert (ran.code, told in ran.err, (home / "x.pem").exists()) == (2, True, False)


def test_the_file_that_the_hmac_key_gets_by_itself_is_not_replaced(
    home: Path, sts: VerifyingSts, swtpm: Swtpm, tool: Tool
) -> None:
    words = ("enroll", "--profile", "work", "--tpm-path", swtpm.path)
    by_itself = home / ".aws" / "tpmwire" / f"{sts.access_key_id}.pem"
    for more in ((), ("--force",)):
        ran = tool(*words, "--sigv4a-out", by_itself, *more)
        assert (ran.code, "choose another file" in ran.err, by_itself.exists()) == (2, True, False)


def test_where_no_file_can_be_nothing_is_done(home: Path, swtpm: Swtpm, tool: Tool) -> None:
    with Interposer(swtpm.path) as bus:
        ran = tool("enroll", "--profile", "work", "--tpm-path", bus.path, "--sigv4a-out", "/dev/null")
        assert (ran.code, "/dev/null is not a regular file" in ran.err, bus.codes) == (2, True, [])
    assert not (home / ".aws" / "tpmwire").exists()


def test_its_directory_is_made_as_the_hmac_key_s_is(
    home: Path, sts: VerifyingSts, swtpm: Swtpm, tool: Tool
) -> None:
    file = home / "keys" / "v4a.pem"
    ran = tool("enroll", "--profile", "work", "--tpm-path", swtpm.path, "--sigv4a-out", file)
    assert ran.code == 0, ran.err
    assert file.parent.stat().st_mode & 0o777 == 0o700
    verify(swtpm, sts, EcdsaKey(file=parse(file.read_bytes())))


def test_a_key_that_is_there_without_the_pcrs_is_not_the_one_that_is_asked_for(
    home: Path, sts: VerifyingSts, swtpm: Swtpm, tool: Tool
) -> None:
    """Nobody is left with a key that is open, and a word that it is in its place."""
    words = ("enroll", "--profile", "work", "--tpm-path", swtpm.path, "--sigv4a-out", home / "v4a.pem")
    assert tool(*words).code == 0
    bound = (*words, "--out", home / "bound.pem", "--pcrs", "23")
    ran = tool(*bound)
    assert (ran.code, "the key with a different password or different PCRs; give --force" in ran.err) == (
        2,
        True,
    ), ran.err
    assert tool(*bound, "--force").code == 0
    assert parse((home / "v4a.pem").read_bytes()).policy
