"""`wrap --ca` and `ek --cert` with files of every kind: what is wrong with a file is never told as an attack."""

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from cli.keys.targets import Target
from cli.keys.trust import read_chain
from cli.terminal.messages import UsageError
from tests.support.makers import Issued, chain, pem
from tests.support.targets import ENDORSEMENT, SECRET, write_chain, write_target
from tests.support.verbs import Tool
from tpmwire.keys.templates import ek_ecc
from tpmwire.spec.structures import TPMS_ECC_POINT


@pytest.fixture
def ders(tmp_path: Path) -> dict[str, bytes]:
    """A chain; web-1.json is a target whose endorsement key the leaf certifies."""
    return write_chain(tmp_path)


def test_the_readable_certificates_of_a_bundle_are_used(
    tool: Tool, tmp_path: Path, ders: dict[str, bytes]
) -> None:
    words = ("wrap", "--to", tmp_path / "web-1.json", "--out", tmp_path / "web-1.pem", "--force", "--ca")
    (tmp_path / "mixed.pem").write_bytes(pem(ders["root"], ders["root"][:-3], ders["intermediate"]))
    (tmp_path / "noise.pem").write_bytes(b"hello")
    (tmp_path / "good.pem").write_bytes(pem(ders["root"], ders["intermediate"]))
    ran = tool(*words, tmp_path / "mixed.pem", stdin=SECRET)
    assert ran.code == 0, ran.err
    assert "certificate 2 of " in ran.err
    assert "mixed.pem cannot be read" in ran.err
    ran = tool(*words, tmp_path / "noise.pem", tmp_path / "good.pem", stdin=SECRET)
    assert ran.code == 0, ran.err
    assert "noise.pem contains no " in ran.err


def test_a_file_that_is_wrong_is_a_usage_error(tool: Tool, tmp_path: Path, ders: dict[str, bytes]) -> None:
    files = {
        "empty": b"",
        "noise": b"hello",
        "binary": bytes(range(256)),
        "truncated": ders["root"][:-3],
        "truncated-pem": pem(ders["root"])[:-80],
        "a key": pem(b"\x30\x03\x02\x01\x01", label="PRIVATE KEY"),
        "no-root": pem(ders["intermediate"]),
        "sequence": b"\x30\x03\x02\x01\x01",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.write_bytes(content)
        out = ("--out", tmp_path / "out.pem")
        ran = tool("wrap", "--to", tmp_path / "web-1.json", *out, "--ca", path, stdin=SECRET)
        assert (ran.code, len(ran.err.splitlines())) == (2, 1), (name, ran)
        ran = tool("ek", "--tpm-path=/nonexistent/tpm", "--ca", path)
        assert (ran.code, len(ran.err.splitlines())) == (2, 1), (name, ran)
        if name != "no-root":
            ran = tool("ek", "--tpm-path=/nonexistent/tpm", "--cert", path)
            assert (ran.code, len(ran.err.splitlines())) == (2, 1), (name, ran)


@pytest.mark.parametrize("certificate", ["x", "-----BEGIN CERTIFICATE-----\n", "truncated"])
def test_a_target_whose_certificate_cannot_be_read(
    tool: Tool, tmp_path: Path, ders: dict[str, bytes], certificate: str
) -> None:
    (tmp_path / "ca.pem").write_bytes(pem(ders["root"], ders["intermediate"]))
    text = pem(ders["leaf"][:-4]).decode() if certificate == "truncated" else certificate
    write_target(tmp_path, ec.generate_private_key(ec.SECP256R1()), text)
    words = ("wrap", "--to", tmp_path / "web-1.json", "--out", tmp_path / "out.pem", "--ca", tmp_path / "ca.pem")
    ran = tool(*words, stdin=SECRET)
    assert (ran.code, len(ran.err.splitlines())) == (2, 1), ran
    assert not (tmp_path / "out.pem").exists()


def test_a_certificate_that_is_not_genuine_stays_refused(
    tool: Tool, tmp_path: Path, ders: dict[str, bytes]
) -> None:
    specs = chain()
    key = ec.generate_private_key(ec.SECP256R1())
    forged = Issued(replace(specs["leaf"], key=key, issuer=specs["intermediate"].subject), specs["leaf"]).der
    write_target(tmp_path, key, pem(forged).decode())
    (tmp_path / "ca.pem").write_bytes(pem(ders["root"], ders["intermediate"]))
    words = ("wrap", "--to", tmp_path / "web-1.json", "--out", tmp_path / "out.pem", "--ca", tmp_path / "ca.pem")
    ran = tool(*words, stdin=SECRET)
    assert ran.code == 2
    assert "not trusted" in ran.err
    assert not (tmp_path / "out.pem").exists()


def test_a_target_whose_public_key_is_no_key(tool: Tool, tmp_path: Path) -> None:
    """On the way to a TPM it would be an attack, exit code 8; in a file it is a bad file."""
    target = Target("web-1", "ek-ecc", ENDORSEMENT, ek_ecc().replace(unique=TPMS_ECC_POINT(bytes(32), bytes(32))))
    (tmp_path / "web-1.json").write_text(target.to_json())
    ran = tool("wrap", "--to", tmp_path / "web-1.json", "--out", tmp_path / "out.pem", stdin=SECRET)
    assert (ran.code, "the public key of web-1 cannot be used" in ran.err) == (2, True), ran


def test_the_forms_in_which_services_hand_out_certificates(tmp_path: Path, ders: dict[str, bytes]) -> None:
    """Intel's answer, as tpm2_getekcertificate stores it, and what export-public prints."""
    text = base64.urlsafe_b64encode(ders["leaf"]).decode()
    for certificate in (text, text.rstrip("="), text.replace("=", "%3D")):
        (tmp_path / "ek.json").write_text(json.dumps({"pubhash": "x%3D", "certificate": certificate}))
        assert read_chain(str(tmp_path / "ek.json"))[0].der == ders["leaf"]
    assert read_chain(str(tmp_path / "web-1.json"))[0].der == ders["leaf"]
    for wrong in ("{", '{"certificate": 5}', '{"certificate": "????"}', "{}"):
        (tmp_path / "ek.json").write_text(wrong)
        with pytest.raises(UsageError, match="contains no certificate"):
            read_chain(str(tmp_path / "ek.json"))
