"""Templates by name: the public areas that tpm2-tools creates with the same -G and -a."""

from pathlib import Path

import pytest

from tests.support.swtpm import Swtpm, tpm2
from tpmwire import calls
from tpmwire.keys.templates import parse_template
from tpmwire.spec.constants import TPM_ALG
from tpmwire.spec.structures import TPM2B_PUBLIC, TPMS_ECC_POINT, TPMT_PUBLIC
from tpmwire.tpm import Tpm

CHILDREN = [
    "rsa",
    "rsa1024",
    "rsa2048",
    "rsa3072",
    "rsa:null",
    "rsa2048:null:null",
    "rsa:rsassa",
    "rsa2048:rsassa-sha256:null",
    "rsa1024:rsassa-sha1",
    "rsa2048:rsassa-sha512",
    "rsa2048:rsapss-sha256:null",
    "rsa2048:rsapss-sha384:null",
    "rsa:oaep",
    "rsa2048:oaep-sha1",
    "rsa2048:oaep-sha256:null",
    "rsa:rsaes",
    "rsa2048:rsaes:null",
    "ecc",
    "ecc224",
    "ecc256",
    "ecc384",
    "ecc521",
    "ecc_nist_p256",
    "ecc_sm2",
    "ecc:null",
    "ecc:ecdsa",
    "ecc:ecdsa-sha256:null",
    "ecc256:ecdsa-sha384",
    "ecc384:ecdsa-sha384",
    "ecc521:ecdsa-sha512:null",
    "ecc:ecdh",
    "ecc:ecdh-sha256:null",
    "ecc384:ecdh-sha384",
    "ecc:ecdaa",
    "ecc:ecdaa4-sha256",
    "ecc:ecschnorr",
    "ecc256:ecschnorr-sha256:null",
    "ecc:sm2",
    "ecc_sm2_p256:ecdsa_sha256",
    "ecc:ecdsa-sha256:",
    "aes",
    "aes128",
    "aes128cfb",
    "aes256",
    "aes256cfb",
    "aes128ctr",
    "aes256cbc",
    "camellia",
    "camellia128cfb",
    "hmac",
    "hmac:sha1",
    "hmac:sha256",
    "hmac:sha384",
    "hmac:sha512",
    "keyedhash",
]
PRIMARIES = [
    "rsa",
    "rsa1024",
    "rsa2048",
    "rsa3072",
    "rsa:null",
    "rsa2048:aes128cfb",
    "rsa2048:aes256cfb",
    "rsa2048:null:aes128cfb",
    "ecc",
    "ecc256",
    "ecc384",
    "ecc521",
    "ecc:null",
    "ecc:aes256cfb",
    "ecc:camellia",
    "ecc::aes128",
    "ecc384:null:aes256cfb",
    "aes128cfb",
    "aes256cfb",
    "camellia128cfb",
    "xor",
    "xor:sha256",
]
SIGN = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign"
WITH_ATTRIBUTES = [
    ("ecc:ecdsa-sha256:null", f"{SIGN}|restricted"),
    ("rsa2048:rsassa-sha256:null", f"{SIGN}|restricted|noda"),
    ("ecc", f"{SIGN}|decrypt|noda"),
    ("ecc384:ecdsa", "sign|sensitivedataorigin|userwithauth"),
    ("ecc:aes128cfb", "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|decrypt|adminwithpolicy"),
    ("rsa2048:oaep", "sensitivedataorigin|userwithauth|decrypt|stclear|fixedtpm|fixedparent"),
    ("hmac:sha384", "sign|sensitivedataorigin|userwithauth|encryptedduplication"),
    (
        "aes128cfb",
        "decrypt|sign|sensitivedataorigin|userwithauth|fixedtpm|fixedparent",
    ),
]


@pytest.fixture(scope="module")
def parent(shared_swtpm: Swtpm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tools")
    tpm2(shared_swtpm, "createprimary", "-C", "o", "-G", "ecc", "-c", "parent.ctx", cwd=folder)
    tpm2(shared_swtpm, "flushcontext", "-t")
    return folder


def created(swtpm: Swtpm, folder: Path, *options: str) -> TPMT_PUBLIC:
    tpm2(swtpm, "create", "-C", "parent.ctx", *options, "-u", "key.pub", "-r", "key.priv", cwd=folder)
    tpm2(swtpm, "flushcontext", "-t")
    return read(folder)


def read(folder: Path) -> TPMT_PUBLIC:
    public: TPMT_PUBLIC = TPM2B_PUBLIC.parse((folder / "key.pub").read_bytes())
    return public.replace(unique=TPMS_ECC_POINT(b"", b"") if public.type == TPM_ALG.ECC else b"")


@pytest.mark.parametrize("name", CHILDREN)
def test_a_name_has_the_tools_public_area(shared_swtpm: Swtpm, parent: Path, name: str) -> None:
    assert parse_template(name) == created(shared_swtpm, parent, "-G", name)


@pytest.mark.parametrize("name", PRIMARIES)
def test_a_primary_has_the_tools_public_area(shared_swtpm: Swtpm, parent: Path, name: str) -> None:
    tpm2(shared_swtpm, "createprimary", "-C", "o", "-G", name, "-c", "key.ctx", cwd=parent)
    tpm2(shared_swtpm, "flushcontext", "-t")
    tpm2(shared_swtpm, "readpublic", "-c", "key.ctx", "-o", "key.pub", cwd=parent)
    tpm2(shared_swtpm, "flushcontext", "-t")
    assert parse_template(name, primary=True) == read(parent)


@pytest.mark.parametrize(("name", "attributes"), WITH_ATTRIBUTES)
def test_attributes_are_the_tools(shared_swtpm: Swtpm, parent: Path, name: str, attributes: str) -> None:
    assert parse_template(name, attributes) == created(shared_swtpm, parent, "-G", name, "-a", attributes)


def test_sealed_data_are_the_tools(shared_swtpm: Swtpm, parent: Path) -> None:
    (parent / "data").write_bytes(bytes(range(16)))
    assert parse_template("keyedhash", with_data=True) == created(shared_swtpm, parent, "-i", "data")


def test_a_policy_and_a_name_hash_are_the_tools(shared_swtpm: Swtpm, parent: Path) -> None:
    (parent / "policy").write_bytes(bytes(range(48)))
    made = created(shared_swtpm, parent, "-G", "ecc", "-g", "sha384", "-L", "policy")
    assert parse_template("ecc", policy=bytes(range(48)), name_alg=TPM_ALG.SHA384) == made


def test_the_tpm_creates_every_key_by_purpose(shared_swtpm: Swtpm) -> None:
    from tpmwire import templates

    with Tpm.open(shared_swtpm.path, 60) as tpm:
        parent = calls.create_primary(tpm, templates.storage())
        for template in (
            templates.signing(),
            templates.signing("ecc384"),
            templates.signing("rsa2048:rsapss-sha256"),
            templates.signing("hmac:sha512"),
            templates.attestation(),
            templates.attestation("ecc521"),
            templates.attestation("rsa2048"),
            templates.decryption(),
            templates.decryption("ecc384"),
            templates.decryption("aes256cfb"),
            templates.hmac_key(generated=True),
            templates.storage("ecc384"),
        ):
            blob = calls.create(tpm, parent, template)
            assert blob.public.object_attributes == template.object_attributes
