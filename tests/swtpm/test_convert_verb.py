"""`tpmwire convert`, both ways with openssl, ssh-keygen, tpm2-tools and `cryptography`."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from tests.support.programs import ROOT
from tests.support.swtpm import Swtpm, tpm2
from tests.support.tools_files import make_files
from tests.support.verbs import Tool
from tpmwire import bridges
from tpmwire.crypto.formulas import name_of
from tpmwire.spec.structures import TPM2B_PUBLIC


@pytest.fixture(scope="module")
def tpm(tmp_path_factory: pytest.TempPathFactory) -> "tuple[Swtpm, Path]":  # type: ignore[misc]
    folder = tmp_path_factory.mktemp("files")
    with Swtpm() as swtpm:
        assert make_files(swtpm, folder) == []
        yield swtpm, folder


@pytest.fixture
def files(tpm: "tuple[Swtpm, Path]") -> Path:
    return tpm[1]


def convert(tool: Tool, source: Path, to: str, *more: object) -> str:
    ran = tool("convert", source, "--to", to, *map(str, more))
    assert (ran.code, ran.err) == (0, ""), ran.err
    return ran.out


def openssl(*arguments: object) -> bytes:
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True).stdout


def test_public_keys_as_tpm2_readpublic_writes_them(tool: Tool, files: Path, tmp_path: Path) -> None:
    assert convert(tool, files / "key.pub", "pem") == (files / "key.pem").read_text()
    for kind in ("rsa.pub", "rsa.tpmt", "rsa.der", "rsa.ctx"):
        convert(tool, files / kind, "der", "--out", tmp_path / f"{kind}.der")
        assert (tmp_path / f"{kind}.der").read_bytes() == (files / "rsa.der").read_bytes()
    convert(tool, files / "rsa.pub", "tpmt-public", "--out", tmp_path / "tpmt")
    assert (tmp_path / "tpmt").read_bytes() == (files / "rsa.tpmt").read_bytes()
    convert(tool, files / "rsa.tpmt", "tpm2b-public", "--out", tmp_path / "tpm2b")
    assert (tmp_path / "tpm2b").read_bytes() == (files / "rsa.pub").read_bytes()


@pytest.mark.parametrize("name", ["key", "rsa"])
def test_ssh_and_jwk(tool: Tool, files: Path, tmp_path: Path, name: str) -> None:
    line = convert(tool, files / f"{name}.pub", "ssh", "--comment", "me@host")
    path = tmp_path / "id.pub"
    path.write_text(line)
    shown = subprocess.run(["ssh-keygen", "-l", "-f", path], check=True, capture_output=True, text=True).stdout
    assert "me@host" in shown
    assert ("ECDSA" if name == "key" else "2048") in shown
    public = bridges.parse_public((files / f"{name}.pub").read_bytes())
    assert load_ssh_public_key(line.encode()) == bridges.to_cryptography(public)
    pkcs8 = subprocess.run(["ssh-keygen", "-e", "-m", "PKCS8", "-f", path], check=True, capture_output=True).stdout
    assert pkcs8.decode() == convert(tool, path, "pem") == convert(tool, files / f"{name}.pub", "pem")
    jwk = tmp_path / "key.jwk"
    jwk.write_text(convert(tool, path, "jwk"))
    assert json.loads(jwk.read_text()) == bridges.to_jwk(public)
    assert convert(tool, jwk, "ssh", "--comment", "me@host") == line


def test_a_foreign_key_is_loaded_and_verifies(
    tool: Tool, tpm: tuple[Swtpm, Path], files: Path, tmp_path: Path
) -> None:
    """A key and a signature of openssl, as tpm2_loadexternal and tpm2_verifysignature read them."""
    (tmp_path / "data").write_bytes(b"what is signed\n")
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", tmp_path / "ec.pem")
    openssl("ec", "-in", tmp_path / "ec.pem", "-pubout", "-out", tmp_path / "pub.pem")
    openssl("dgst", "-sha256", "-sign", tmp_path / "ec.pem", "-out", tmp_path / "sig.der", tmp_path / "data")
    convert(tool, tmp_path / "pub.pem", "tpm2b-public", "--out", tmp_path / "ec.pub")
    convert(tool, tmp_path / "sig.der", "tpmt-signature", "--hash", "sha256", "--out", tmp_path / "ec.sig")
    tpm2(tpm[0], "loadexternal", "-C", "o", "-u", "ec.pub", "-c", "ec.ctx", cwd=tmp_path)
    tpm2(tpm[0], "verifysignature", "-c", "ec.ctx", "-g", "sha256", "-m", "data", "-s", "ec.sig", cwd=tmp_path)
    tpm2(tpm[0], "flushcontext", "-t")
    back = tmp_path / "back.der"
    convert(tool, tmp_path / "ec.sig", "der", "--out", back)
    assert back.read_bytes() == (tmp_path / "sig.der").read_bytes()


@pytest.mark.parametrize(
    ("name", "public", "options"),
    [("key", "key.pub", ()), ("rsa", "rsa.pub", ("-sigopt", "rsa_padding_mode:pss"))],
)
def test_openssl_verifies_signatures_of_the_tpm(
    tool: Tool, files: Path, tmp_path: Path, name: str, public: str, options: tuple[str, ...]
) -> None:
    (tmp_path / "pub.pem").write_text(convert(tool, files / public, "pem"))
    convert(tool, files / f"{name}.sig", "der", "--out", tmp_path / "sig")
    said = openssl(
        *("dgst", "-sha256", "-verify", tmp_path / "pub.pem", *options),
        *("-signature", tmp_path / "sig", files / "data"),
    )
    assert said == b"Verified OK\n"


def test_plain_rsa_signatures(tool: Tool, files: Path, tmp_path: Path) -> None:
    convert(tool, files / "rsa.plain", "tpmt-signature", "--scheme", "rsassa", "--out", tmp_path / "sig")
    convert(tool, tmp_path / "sig", "der", "--out", tmp_path / "plain")
    assert (tmp_path / "plain").read_bytes() == (files / "rsa.plain").read_bytes()
    convert(tool, files / "key.sig", "jws", "--out", tmp_path / "jws")
    assert len((tmp_path / "jws").read_bytes()) == 64


def test_key_files_from_and_to_pairs_of_tpm2_tools(
    tool: Tool, tpm: tuple[Swtpm, Path], files: Path, tmp_path: Path
) -> None:
    """The same bytes as tpm2_encodeobject, and a pair that tpm2_load takes."""
    tss2 = tmp_path / "key.pem"
    convert(tool, files / "key.pub", "tss2", "--private", files / "key.priv", "--out", tss2)
    assert tool("show", tss2).code == 0
    convert(tool, files / "key.tss2", "tpm2b-public", "--out", tmp_path / "key.pub")
    convert(tool, files / "key.tss2", "tpm2b-private", "--out", tmp_path / "key.priv")
    for name in ("key.pub", "key.priv"):
        assert (tmp_path / name).read_bytes() == (files / name).read_bytes()
    convert(tool, tss2, "tpm2b-private", "--out", tmp_path / "again.priv")
    assert (tmp_path / "again.priv").read_bytes() == (files / "key.priv").read_bytes()
    primary = files / "primary.ctx"
    tpm2(tpm[0], "load", "-C", primary, "-u", "key.pub", "-r", "again.priv", "-c", "k.ctx", cwd=tmp_path)
    tpm2(tpm[0], "flushcontext", "-t")
    sealed = convert(tool, files / "sealed.pub", "tss2", "--private", files / "sealed.priv", "--parent", "owner")
    assert "BEGIN TSS2 PRIVATE KEY" in sealed
    (tmp_path / "sealed.pem").write_text(sealed)
    assert "sealed" in tool("show", tmp_path / "sealed.pem").out.lower()


def test_an_endorsement_key_from_its_public_key(
    tool: Tool, files: Path, tmp_path: Path, tpm: tuple[Swtpm, Path]
) -> None:
    """PEM and the template give the same public area as tpm2_createek -u."""
    (tmp_path / "ek.pem").write_text(convert(tool, files / "ek.pub", "pem"))
    convert(tool, tmp_path / "ek.pem", "tpm2b-public", "--template", "ek-rsa", "--out", tmp_path / "ek.pub")
    assert (tmp_path / "ek.pub").read_bytes() == (files / "ek.pub").read_bytes()
    public = bridges.parse_public((files / "rsa.pub").read_bytes())
    (tmp_path / "rsa.pem").write_text(bridges.to_pem(public))
    convert(tool, tmp_path / "rsa.pem", "tpm2b-public", "--template", "rsa2048", "--out", tmp_path / "rsa.pub")
    assert name_of(TPM2B_PUBLIC.parse((tmp_path / "rsa.pub").read_bytes())) == name_of(public)


def test_standard_input_and_binary_output(tool: Tool, files: Path) -> None:
    key = (files / "key.pub").read_bytes()
    command = [sys.executable, "-m", "cli.toolbox", "convert", "-", "--to", "tpmt-public"]
    done = subprocess.run(command, input=key, capture_output=True, check=True, cwd=ROOT)
    assert done.stdout == key[2:]
    # On a terminal, binary is refused, text is not.
    main, other = pty.openpty()
    try:
        done = subprocess.run(command, input=key, stdout=other, stderr=subprocess.PIPE, check=False, cwd=ROOT)
        assert done.returncode == 2
        assert b"tpmt-public is binary; write it to a file with --out, or redirect the output" in done.stderr
        subprocess.run([*command[:-1], "ssh"], input=key, stdout=other, check=True, cwd=ROOT)
        assert os.read(main, 100).startswith(b"ecdsa-sha2-nistp256 ")
    finally:
        os.close(main)
        os.close(other)


def test_mistakes(tool: Tool, files: Path, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("x")
    openssl("genrsa", "-out", tmp_path / "private.pem", "2048")
    for words, said in (
        (
            (files / "key.sig", "--to", "ssh"),
            "a signature cannot be converted to ssh; use one of der, tpmt-signature, jws",
        ),
        ((files / "key.pub", "--to", "jws"), "a public key cannot be converted to jws; use one of pem, der"),
        ((files / "key.pub", "--to", "tss2"), "give the .priv file with --private"),
        ((files / "sealed.pub", "--to", "pem"), "has no public key; expected RSA"),
        ((files / "key.pub", "--to", "pem", "--private", files / "key.priv"), "--private requires --to tss2"),
        (
            (files / "key.pub", "--to", "tss2", "--private", files / "key.sig"),
            "--private: not a valid TPM2B_PRIVATE",
        ),
        (
            (files / "key.pub", "--to", "tss2", "--private", files / "key.priv", "--parent", "7"),
            "invalid parent '7'",
        ),
        ((files / "key.pem", "--to", "tpm2b-public", "--template", "rsa9"), "--template: "),
        (
            (files / "key.pem", "--to", "tpm2b-public", "--template", "ek-rsa", "--out", tmp_path / "x"),
            "--template does",
        ),
        ((files / "key.pub", "--to", "pem", "--out", tmp_path / "there"), "exists; --force replaces it"),
        ((files / "policy.ctx", "--to", "pem"), "a context file of tpm2-tools"),
        ((tmp_path / "private.pem", "--to", "pem"), "a private key, which is not needed"),
        ((files / "key.sig", "--to", "der", "--hash", "md5"), "unknown hash 'md5'"),
        ((tmp_path / "none", "--to", "pem"), "none"),
    ):
        ran = tool("convert", *words)
        assert ran.code in (1, 2, 5), ran
        assert said in ran.err
        assert ran.err.count("\n") == 1
        assert ran.out == ""
