"""Certificates of ML-KEM endorsement keys, with the soft TPM: `tpmwire ek`, and credentials for such a key."""

import datetime
import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from cli.toolbox import main
from tests.support.ekcert import write_nv
from tpmwire import TPM_RH, Tpm, calls
from tpmwire.crypto.formulas import name_of
from tpmwire.keys import bridges, templates
from tpmwire.primary import create_primary
from tpmwire.spec.constants import TPM_MLKEM, TPMA_OBJECT
from tpmwire.spec.structures import TPMT_PUBLIC

CA = ec.generate_private_key(ec.SECP256R1())
CA_NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "CA of a TPM maker")])
EK_USAGE = x509.ObjectIdentifier("2.23.133.8.1")


def certify(key: object, ca: bool = False) -> bytes:
    """Returns a certificate in DER of a CA, or of an endorsement key."""
    now = datetime.datetime.now(datetime.UTC)
    name = CA_NAME if ca else x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "EK")])
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=not ca, data_encipherment=False,
        key_agreement=False, key_cert_sign=ca, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(CA_NAME)
        .public_key(key)  # type: ignore[arg-type]
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(1))
        .not_valid_after(now + datetime.timedelta(1))
        .add_extension(x509.BasicConstraints(ca, None), True)
        .add_extension(usage, True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(CA.public_key()), False)
    )
    if ca:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(CA.public_key()), False)
    else:
        builder = builder.add_extension(x509.ExtendedKeyUsage([EK_USAGE]), False)
    return builder.sign(CA, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.fixture
def ca(tmp_path: Path) -> str:
    path = tmp_path / "ca.der"
    path.write_bytes(certify(CA.public_key(), ca=True))
    return str(path)


def own_key(tpm: Tpm, template: TPMT_PUBLIC) -> TPMT_PUBLIC:
    made = create_primary(tpm, TPM_RH.ENDORSEMENT, template)
    tpm.flush(made.handle)
    return made.public


@pytest.mark.parametrize(
    ("kem", "index", "kind", "pin"),
    [
        (TPM_MLKEM.MLKEM_768, 0x01C00062, "H-27", "@ek-mlkem"),
        (TPM_MLKEM.MLKEM_1024, 0x01C00064, "H-28", "@ek-mlkem1024"),
    ],
)
def test_certificate_in_nv(
    kem: TPM_MLKEM, index: int, kind: str, pin: str, tmp_path: Path, ca: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = f"soft:{tmp_path / 'state'}"
    with Tpm.open(path) as tpm:
        public = own_key(tpm, templates.ek_mlkem(kem))
    write_nv(path, index, certify(bridges.to_cryptography(public)))
    assert main(["ek", "--ca", ca, "--json", "--tpm-path", path]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["template"], row["verified"], row["name"]) == (kind, True, name_of(public).hex())
    assert row["pin"] == row["name"] + pin


def test_other_attributes_and_other_tpm(tmp_path: Path, ca: str, capsys: pytest.CaptureFixture[str]) -> None:
    path, leaf = f"soft:{tmp_path / 'state'}", tmp_path / "ek.der"
    template = templates.ek_mlkem()
    template = template.replace(object_attributes=template.object_attributes | TPMA_OBJECT.USER_WITH_AUTH)
    with Tpm.open(path) as tpm:
        public = own_key(tpm, template)
    leaf.write_bytes(certify(bridges.to_cryptography(public)))
    words = ["ek", "--ca", ca, "--cert", str(leaf), "--json", "--tpm-path"]
    assert main([*words, path]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["name"], row["pin"]) == (name_of(public).hex(), None)
    assert main([*words, "soft:"]) == 2
    assert "different TPM" in capsys.readouterr().err


def test_credential_for_the_certificate(tmp_path: Path, ca: str, capsys: pytest.CaptureFixture[str]) -> None:
    """activatecredential finds the kind of endorsement key by the size of the seed."""
    path = f"soft:{tmp_path / 'state'}"
    leaf, secret, credential, found = (tmp_path / name for name in ("ek.der", "secret", "credential", "found"))
    secret.write_bytes(b"the secret")
    secret.chmod(0o600)
    with Tpm.open(path) as tpm:
        leaf.write_bytes(certify(bridges.to_cryptography(own_key(tpm, templates.ek_mlkem()))))
        key = calls.create_primary(tpm, templates.attestation("ecc:ecdsa-sha256"), hierarchy=TPM_RH.OWNER)
        calls.persist(tpm, key, 0x81000010)
    name = key.name.hex()
    words = ["makecredential", "--ek", str(leaf), "--ca", ca, "--for", name, "--secret-file", str(secret)]
    assert main([*words, "--out", str(credential)]) == 0, capsys.readouterr().err
    words = ["activatecredential", "0x81000010", str(credential), "--out", str(found), "--tpm-path", path]
    assert main(words) == 0, capsys.readouterr().err
    assert found.read_bytes() == b"the secret"
