"""examples/: each program runs as it stands, on a TPM of its own, and leaves nothing in it."""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.programs import ROOT, left_behind
from tests.support.swtpm import Swtpm, tpm2
from tpmwire import KeyFile

FOLDER = ROOT / "examples"
HEX = r"(?:[0-9a-f]{2})+"
PRINTED = {
    "activate_credential": "the key is in the TPM",
    "audit": f"audited: {HEX}",
    "certify_key": f"a TPM has the key 000b{HEX}",
    "ecdh": "both have the same 32 bytes",
    "hmac_key": "[0-9a-f]{64}",
    "nv_counter": r"(\d+)\n(\d+)\n(\d+)",
    "nv_storage": "serial number 4711",
    "policy_authorize": "for approved states",
    "policy_or": "with PCRs: to be kept\nwith the password: to be kept",
    "quote_and_verify": f"SHA256 0 {HEX}\nSHA256 7 {HEX}",
    "random_bytes": "[0-9a-f]{32}",
    "rsa_encryption": "a secret",
    "save_context": "RSASSA",
    "seal_to_pcrs": r"for this state only\nrefused: TPM2_(Unseal|PolicyPCR): .*",
    "sign_and_verify": rf"-----BEGIN PUBLIC KEY-----\n[\s\S]*-----END PUBLIC KEY-----\n*{HEX}",
}
"""What each program without arguments prints."""

WITH_ARGUMENTS = {
    "aws_credentials": "tests/aws/test_examples_aws.py",
    "certificate_request": "below",
    "duplicate_key": "below",
    "explain_capture": "below",
    "hash_file": "below",
    "import_openssl_key": "below",
}

Example = Callable[..., str]


@pytest.fixture
def example(swtpm: Swtpm) -> Example:
    """Runs an example as a program, and returns what it prints."""

    def run(name: str, *arguments: str | Path) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error::ResourceWarning", FOLDER / f"{name}.py", *arguments],
            check=False,
            env={**os.environ, "TPMWIRE_TPM_PATH": swtpm.path, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=250,
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        assert left_behind(swtpm.path) == []
        return done.stdout.strip()

    return run


def test_every_example_is_tested_short_and_listed() -> None:
    names = {path.stem for path in FOLDER.glob("*.py")}
    assert names == PRINTED.keys() | WITH_ARGUMENTS.keys()
    assert len(names) >= 20
    page, readme = ((ROOT / name).read_text() for name in ("docs/library.md", "README.md"))
    for name in names:
        lines = (FOLDER / f"{name}.py").read_text().splitlines()
        assert len(lines) <= 25, name
        assert f"(../examples/{name}.py)" in page, name
    assert "(examples)" in readme


@pytest.mark.parametrize("name", PRINTED)
def test_an_example_prints_its_result(example: Example, name: str) -> None:
    printed = example(name)
    found = re.fullmatch(PRINTED[name], printed)
    assert found, printed
    if name == "nv_counter":
        first, second, third = map(int, found.groups())
        assert (second, third) == (first + 1, first + 2)


def test_a_certificate_request(example: Example, swtpm: Swtpm) -> None:
    request = x509.load_pem_x509_csr(example("certificate_request").encode())
    assert request.is_signature_valid
    assert tpm2(swtpm, "readpublic", "-c", "0x81000100")
    again = x509.load_pem_x509_csr(example("certificate_request").encode())
    assert again.public_key() == request.public_key()


@pytest.mark.parametrize("name", ["duplicate_key", "explain_capture", "hash_file", "import_openssl_key"])
def test_a_missing_argument(name: str) -> None:
    done = subprocess.run(
        [sys.executable, FOLDER / f"{name}.py"],
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert re.fullmatch(rf"usage: {name}\.py [A-Z -]+\n", done.stderr)


def test_a_hash(example: Example, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(5000))
    assert example("hash_file", tmp_path / "file") == hashlib.sha256(bytes(5000)).hexdigest()


def test_a_duplicated_key(example: Example, swtpm: Swtpm) -> None:
    with Swtpm() as other:
        assert example("duplicate_key", swtpm.path, other.path) == "True"
        assert left_behind(other.path) == []


def test_an_imported_key(example: Example, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )
    assert example("import_openssl_key", tmp_path / "key.pem", tmp_path / "tpm.pem") == ""
    imported = KeyFile.parse((tmp_path / "tpm.pem").read_bytes())
    assert imported.public.unique.x == key.public_key().public_numbers().x.to_bytes(32, "big")


def test_an_explained_capture(example: Example, tmp_path: Path) -> None:
    log = tmp_path / "swtpm.log"
    log.write_text(
        " SWTPM_IO_Read: length 12\n 80 01 00 00 00 0C 00 00 01 7B 00 08 \n"
        " SWTPM_IO_Write: length 20\n 80 01 00 00 00 14 00 00 00 00 00 08 01 02 03 04 05 06 07 08 \n"
    )
    assert "TPM2_GetRandom" in example("explain_capture", log)
