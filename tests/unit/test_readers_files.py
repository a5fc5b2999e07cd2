"""Files of tpm2-tools, of openssl, of OpenSSH and of tpmwire: read_file names each, and explains its bytes."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.credentials.cache.sealed import seal_text
from cli.keys.targets import Target
from tests.support.programs import ROOT
from tests.support.tools_files import EXPECTED
from tpmwire import Policy, PolicyAuthValue, bridges
from tpmwire.explain import Node, as_json, as_text
from tpmwire.explain.readers.data import read_data
from tpmwire.explain.readers.files import LARGEST_FILE, read_file
from tpmwire.explain.reading import Reading
from tpmwire.keys import templates
from tpmwire.keys.tools_files import MAGIC, PcrValuesFile
from tpmwire.spec.constants import TPM_ALG
from tpmwire.spec.structures import TPM2B_PUBLIC, TPMS_PCR_SELECTION, TPMT_PUBLIC

FILES = {
    name: bytes.fromhex(data)
    for name, data in json.loads((ROOT / "fixtures" / "files" / "tpm2-tools.json").read_text()).items()
}


def leaves(node: Node) -> Iterator[Node]:
    if not node.children:
        yield node
    for child in node.children:
        yield from leaves(child)


def check_trees(reading: Reading, data: bytes) -> None:
    """Each byte is in one leaf, in order; each form of output can be made."""
    for tree in reading.trees:
        assert b"".join(leaf.octets for leaf in leaves(tree)) == tree.octets
        offset = 0
        for leaf in leaves(tree):
            assert leaf.offset == offset, (leaf, offset)
            offset += leaf.size
        assert as_text(tree)
        assert json.dumps(as_json(tree))
    if reading.trees and not data.isascii() and "private key" not in reading.kind:
        assert data.startswith(reading.trees[0].octets)


@pytest.mark.parametrize("name", FILES)
def test_files_of_tpm2_tools(name: str) -> None:
    readings = read_file(FILES[name])
    assert EXPECTED[name] in " / ".join(reading.kind for reading in readings[:2])
    for reading in readings:
        check_trees(reading, FILES[name])


def test_enough_kinds_are_recorded() -> None:
    assert len({EXPECTED[name] for name in FILES}) >= 25


def kinds(data: bytes | str) -> list[str]:
    return [reading.kind for reading in read_file(data.encode() if isinstance(data, str) else data)]


def test_what_is_shown_of_a_public_area() -> None:
    (reading,) = read_file(FILES["key.pub"])
    text = as_text(reading.trees[0])
    assert "ECC NIST P256 signing key; tpm2_create -u writes it, tpm2_load reads it" in text
    assert f"=  {FILES['key.name'][:8].hex(' ')}     Name: identifies the object" in text
    (reading,) = read_file(FILES["quote.msg"])
    assert "quote; tpm2_quote -m writes it, tpm2_checkquote verifies it" in as_text(reading.trees[0])
    assert "pcrSelect: PCR 0,7" in as_text(reading.trees[0])
    (reading,) = read_file(FILES["key.ctx"])
    assert "sessionKey" not in as_text(reading.trees[0])
    assert "misc: 86 bytes  [TPM2B_PUBLIC" in as_text(reading.trees[0])
    (reading,) = read_file(FILES["quote.pcrs"])
    assert "sha256:7: " + 64 * "0" in as_text(reading.trees[0])
    (reading,) = read_file(FILES["key.tss2"])
    assert "parent: 0x40000001, TPM_RH_OWNER" in as_text(reading.trees[0])


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys and certificates, made by openssl and ssh-keygen."""
    folder = tmp_path_factory.mktemp("keys")
    for command in (
        "openssl ecparam -name prime256v1 -genkey -out sec1.pem",
        "openssl pkcs8 -topk8 -nocrypt -in sec1.pem -out pkcs8.pem",
        "openssl pkcs8 -topk8 -passout pass:x -in sec1.pem -out encrypted.pem",
        "openssl genrsa -out rsa.pem 2048",
        "openssl rsa -in rsa.pem -outform der -out rsa.der",
        "openssl rsa -in rsa.pem -RSAPublicKey_out -out pkcs1.pem",
        "openssl rsa -in rsa.pem -pubout -outform der -out pub.der",
        "openssl req -x509 -new -key sec1.pem -subj /CN=x -out plain.crt",
        "openssl req -x509 -new -key sec1.pem -subj /CN=x -addext extendedKeyUsage=2.23.133.8.1 -out ek.crt",
        "openssl x509 -in ek.crt -outform der -out ek.der",
        "openssl req -new -key sec1.pem -subj /CN=x -out request.pem",
        "openssl genpkey -algorithm ed25519 -out ed25519.pem",
        "openssl pkey -in ed25519.pem -pubout -out ed25519.pub.pem",
        "openssl req -x509 -new -key ed25519.pem -subj /CN=x -out ed25519.crt",
        "ssh-keygen -q -t ecdsa -N  -C me -f ssh",
        "ssh-keygen -q -t ed25519 -N  -C me -f ed25519",
    ):
        subprocess.run(command.split(" "), cwd=folder, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize(
    ("name", "kind", "area"),
    [
        ("sec1.pem", "a private key in PEM that is not encrypted: keep it secret", "ECC NIST P256"),
        ("pkcs8.pem", "a private key in PEM that is not encrypted: keep it secret", "ECC NIST P256"),
        ("encrypted.pem", "an encrypted private key in PEM", ""),
        ("rsa.pem", "a private key in PEM that is not encrypted: keep it secret", "RSA 2048"),
        ("rsa.der", "a private key in DER that is not encrypted: keep it secret", "RSA 2048"),
        ("pkcs1.pem", "a public key in PEM", "RSA 2048"),
        ("pub.der", "a public key in DER", "RSA 2048"),
        ("plain.crt", "an X.509 certificate in PEM", "ECC NIST P256"),
        ("ek.crt", "an X.509 certificate of an endorsement key in PEM", "ECC NIST P256"),
        ("ek.der", "an X.509 certificate of an endorsement key in DER", "ECC NIST P256"),
        ("request.pem", "a certificate request in PEM", ""),
        ("ed25519.pub.pem", "a public key (neither RSA nor ECC) in PEM", ""),
        ("ed25519.crt", "an X.509 certificate or request in PEM", ""),
        ("ssh", "an OpenSSH private key in PEM: keep it secret", ""),
        ("ssh.pub", "an SSH public key", "ECC NIST P256"),
        ("ed25519.pub", "an SSH public key of a type that TPMs do not have", ""),
    ],
)
def test_keys_and_certificates(others: Path, name: str, kind: str, area: str) -> None:
    data = (others / name).read_bytes()
    (reading,) = read_file(data)
    assert kind in reading.kind
    texts = [as_text(tree) for tree in reading.trees]
    assert not area or f"public area that tpm2_loadexternal would use: {area}" in texts[-1]
    check_trees(reading, data)


@pytest.mark.parametrize(("name", "label"), [("plain.crt", "CERTIFICATE"), ("pkcs8.pem", "PRIVATE KEY")])
def test_a_truncated_pem_file_is_damaged(others: Path, name: str, label: str) -> None:
    data = (others / name).read_bytes()
    for size in (len(label) + 18, 80, 120, 200, len(data) - 8):
        (reading,) = read_data(data[:size])
        assert reading == (f"a damaged PEM file: its line -----END {label}----- is missing", [])


def test_private_keys_are_not_shown(others: Path) -> None:
    """The tree of a private key is that of its public area."""
    for name in ("sec1.pem", "pkcs8.pem", "rsa.pem", "rsa.der"):
        (reading,) = read_file((others / name).read_bytes())
        tree = reading.trees[-1]
        assert tree.octets == TPMT_PUBLIC.parse(tree.octets).build()


def test_padding_and_several_blocks(others: Path) -> None:
    der = (others / "ek.der").read_bytes()
    assert kinds(der + bytes(50)) == kinds(der)  # as tpm2_nvread returns a larger index
    pem = (others / "plain.crt").read_text()
    assert kinds(2 * pem) == ["2 blocks of PEM, each an X.509 certificate in PEM"]
    assert kinds(pem.replace("M", "?")) == ["a PEM block with the label CERTIFICATE and damaged base64"]
    public = bridges.parse_public((others / "pub.der").read_bytes())
    assert kinds(json.dumps(bridges.to_jwk(public))) == ["a JSON Web Key (JWK)"]


def test_structures_of_the_standard() -> None:
    area = templates.srk_ecc()
    assert "template, without a key" in read_file(area.build())[0].trees[0].text
    assert kinds(TPM2B_PUBLIC.build(area)) == ["a TPM2B_PUBLIC"]
    assert kinds(bytes(8) + bytes.fromhex("80000000 40000001 0010") + bytes(16)) == ["a TPMS_CONTEXT"]
    values = PcrValuesFile((TPMS_PCR_SELECTION(TPM_ALG.SHA256, b"\x81\0\0"),), ((bytes(32), b"\x01" * 32),))
    assert kinds(values.build()) == ["a file of PCR values of tpm2-tools (marshaled)"]
    assert kinds(b"\0\x21" + b"\xa5" * 33) == ["a TPM2B of 33 bytes"]
    (reading,) = read_file(FILES["clear.dup"])
    assert "duplicate that is not encrypted: keep it secret" in reading.trees[0].text
    assert kinds(MAGIC + b"\0\0\0\7 of the future") == ["a file of tpm2-tools, damaged or of an unknown version"]
    assert kinds(FILES["key.ctx"][:-1]) == ["a file of tpm2-tools, damaged or of an unknown version"]


def test_policy_digests() -> None:
    """The digests of tpm2-tools, and those of other hashes and statements."""
    for data, said in (
        (FILES["policy.digest"], "PolicySecret(TPM_RH_ENDORSEMENT), the policy of endorsement keys"),
        (FILES["dup.policy"], "PolicyCommandCode(TPM_CC_Duplicate)"),
        (Policy(PolicyAuthValue()).digest(TPM_ALG.SHA384), "PolicyAuthValue, or PolicyPassword"),
    ):
        reading = read_file(data)[0]
        assert reading.kind.startswith("a policy digest (SHA-")
        assert said in reading.trees[0].text
    assert kinds(FILES["pcr.policy"]) == ["32 bytes, the size of a SHA-256 digest"]


def test_files_of_tpmwire(tmp_path: Path) -> None:
    cache = seal_text(b"x" * 99, 7, "20261128", bytes(32), bytes(32), b"purpose", "AKIA, eu-west-1")
    (reading,) = read_file(cache)
    assert reading.kind == "a credential cache of aws-tpm-process-credential --cache"
    assert "AKIA, eu-west-1; only the TPM's key opens it" in as_text(reading.trees[0])
    check_trees(reading, cache)
    target = Target("web-1", "srk", 0x40000001, templates.srk_ecc()).to_json()
    (reading,) = read_file(target.encode())
    assert "tpmwire export-public" in reading.kind
    assert reading.trees[0].octets == templates.srk_ecc().build()
    assert "JSON Lines (2 lines)" in kinds(target + "\n" + target + "\n")[0]
    assert "tpmwire rotate" in kinds('{"profile": "p", "stage": "begun", "old": "AKIA"}')[0]
    policy = '[{"type": "PolicyAuthValue"}, {"type": "PolicyCommandCode", "command": "HMAC"}]'
    (reading,) = read_file(policy.encode())
    assert reading.kind.startswith("a policy in JSON")
    assert [child.name for child in reading.trees[0].children] == ["PolicyAuthValue", "PolicyCommandCode"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"hello\n",
        bytes.fromhex("80010000000c0000017b0010"),
        bytes.fromhex("80010000000a00000000"),
        b"{}",
        b"[1]",
        b"{" * 5000,
        b"ssh-rsa",
        b"\x30\x80\0\0",
        b"-----BEGIN CERTIFICATE-----",
        bytes(7),
        bytes(LARGEST_FILE + 1),
        bytes.fromhex("00c1000000140000004600000003000000010203"),
    ],
)
def test_what_is_not_a_file(data: bytes) -> None:
    assert read_file(data) == []
