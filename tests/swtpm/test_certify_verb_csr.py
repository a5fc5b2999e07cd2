"""Statements about the key of a certificate request: `csr --certify-by`, and `checkcertify --csr`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.interposer import Interposer
from tests.support.signing_keys import PLAIN, make_signing_key
from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Ran, Tool, held
from tpmwire.tpm import Tpm

HANDLE = "0x81010080"
PASSWORD = b"key password"


class Host(NamedTuple):
    """A TPM with an attestation key, and the files of its host and CA."""

    tool: Tool
    swtpm: Swtpm
    bus: Interposer
    home: Path

    def run(self, *words: str | Path) -> Ran:
        return self.tool(*words, "--tpm-path", self.bus.path)

    def create(self, name: str, *options: str | Path) -> Path:
        ran = self.run("roles-anywhere", "create-key", "--out", self.home / name, *options)
        assert ran.code == 0, ran.err
        return self.home / name

    def request(self, key: str | Path, *options: str | Path, by: str | Path = "ak.pem") -> Ran:
        files = ("--out", self.home / "host.csr", "--statement", self.home / "statement", "--force")
        words = ("--private-key", key, "--subject=CN=host-1,O=Example", "--certify-by", self.home / by)
        return self.run("roles-anywhere", "csr", *words, *files, *options)

    def check(self, *options: str | Path, csr: str = "host.csr", ak: str = "ak.pub") -> Ran:
        words = (self.home / "statement", "--public", self.home / ak, "--csr", self.home / csr)
        return self.tool("checkcertify", *words, *options)


@pytest.fixture
def host(tool: Tool, swtpm: Swtpm, tmp_path: Path) -> Iterator[Host]:
    with Interposer(swtpm.path) as bus:
        made = Host(tool, swtpm, bus, tmp_path)
        ran = made.run("ak", "--out", tmp_path / "ak.pem", "--public", tmp_path / "ak.pub")
        assert ran.code == 0, ran.err
        (tmp_path / "password").write_bytes(PASSWORD)
        (tmp_path / "password").chmod(0o600)
        yield made


def test_the_ca_verifies_the_key_of_a_request(host: Host) -> None:
    password = ("--key-auth-file", host.home / "password")
    used = f"--keyPass-file={host.home / 'password'}"
    host.create("handle.key", "--persistent-handle", HANDLE)
    keys: list[tuple[str | Path, tuple[str, ...]]] = [
        (f"handle:{HANDLE}", ()),
        (host.create("plain.key"), ()),
        (host.create("rsa.key", "--algorithm=rsa2048"), ()),
        (host.create("password.key", *password), (used,)),
        (host.create("pcrs.key", "--pcrs=23"), ()),
        (host.create("both.key", "--pcrs=23", *password), (used,)),
    ]
    for key, options in keys:
        ran = host.request(key, *options)
        assert ran.code == 0, ran.err
        ran = host.check("--json")
        assert (ran.code, ran.err) == (0, "")
        assert json.loads(ran.out)["subject"] == "CN=host-1,O=Example"
        assert host.bus.codes.count("Certify") == 1
        host.bus.clear()
    assert PASSWORD not in host.bus.octets
    assert held(host.swtpm) == ""
    assert "subject:        CN=host-1,O=Example" in host.check().out


def test_passwords_of_owner_and_attestation_key(host: Host) -> None:
    ak, owner = host.home / "ak password", host.home / "owner password"
    for path in (ak, owner):
        path.write_text(path.name)
        path.chmod(0o600)
    tpm2(host.swtpm, "changeauth", "-c", "owner", "owner password")
    files = ("--out", host.home / "ak.pem", "--public", host.home / "ak.pub", "--force")
    ran = host.run("ak", *files, "--key-auth-file", ak, "--parent-auth-file", owner)
    assert ran.code == 0, ran.err
    key = host.create("host.key", "--owner-auth-file", owner)
    parent = f"--parentPass-file={owner}"
    ran = host.request(key, parent, "--certify-auth-file", ak)
    assert ran.code == 0, ran.err
    assert host.check().code == 0
    assert not any(path.name.encode() in host.bus.octets for path in (ak, owner))
    assert host.request(key, parent).code == 4
    assert held(host.swtpm) == ""


def test_a_statement_of_another_request_is_refused(host: Host) -> None:
    key = host.create("host.key")
    assert host.request(key).code == 0
    (host.home / "host.csr").rename(host.home / "other.csr")
    # Another request of the same key: ECDSA signatures are random.
    statement = (host.home / "statement").read_bytes()
    assert host.request(key).code == 0
    (host.home / "statement").write_bytes(statement)
    assert host.check(csr="other.csr").code == 0
    ran = host.check()
    assert (ran.code, ran.out, "the statement is for another certificate request" in ran.err) == (8, "", True)
    assert host.request(host.create("another.key")).code == 0
    (host.home / "statement").write_bytes(statement)
    ran = host.check()
    assert (ran.code, "the certificate request is for a different key" in ran.err) == (8, True)


def test_a_key_that_may_exist_elsewhere_is_refused(host: Host) -> None:
    """Its public area is part of the statement; changed to that of a better key, it has another Name."""
    with Tpm.open(host.swtpm.path, 30) as tpm:
        movable = PLAIN.replace("fixedtpm|fixedparent|", "")
        make_signing_key(tpm, "ecc:ecdsa-sha256", movable, out=host.home / "host.key")
    assert host.request(host.home / "host.key").code == 0
    ran = host.check()
    assert (ran.code, "lacks fixedTPM, fixedParent" in ran.err) == (8, True)
    document = json.loads((host.home / "statement").read_text())
    item = bytearray.fromhex(document["item"])
    item[7] |= 0x12  # fixedTPM and fixedParent of objectAttributes
    (host.home / "statement").write_text(json.dumps({**document, "item": item.hex()}))
    ran = host.check()
    assert (ran.code, ran.out, "Name" in ran.err) == (8, "", True)


def test_another_attestation_key_is_refused(host: Host) -> None:
    other = ("ak", "--out", host.home / "other.pem", "--public", host.home / "other.pub")
    assert host.run(*other).code == 0
    key = host.create("host.key")
    assert host.request(key, by="other.pem").code == 0
    assert host.check(ak="other.pub").code == 0
    assert host.check().code == 8
    # An unrestricted key could sign a forged statement.
    with Tpm.open(host.swtpm.path, 30) as tpm:
        make_signing_key(tpm, out=host.home / "free.key")
    ran = host.request(key, by="free.key")
    assert (ran.code, "restricted" in ran.err, "`tpmwire ak`" in ran.err) == (8, True, True)
    ran = host.request(key, by="host.key")
    assert (ran.code, "--certify-by needs an attestation key" in ran.err) == (4, True)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--certify-by=0x81010003"], "--certify-by and --statement require each other"),
        (["--certify-auth-file=x"], "--certify-auth-file requires --certify-by"),
        (["--statement=x.json"], "--certify-by and --statement require each other"),
        (["--certify-by=x.pem", "--statement=x.json"], "'x.pem' is not an existing file"),
    ],
)
def test_options_that_do_not_fit(tool: Tool, options: list[str], text: str) -> None:
    words = ("--private-key=handle:0x81010080", "--subject=CN=a", "--tpm-path=/nonexistent")
    ran = tool("roles-anywhere", "csr", *words, *options)
    assert (ran.code, text in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ([], "--nonce is required"),
        (["--nonce=00"], "x.json: No such file"),
        (["--csr=x", "--nonce=00"], "--csr replaces --item and --nonce"),
    ],
)
def test_options_of_the_verifier(tool: Tool, options: list[str], text: str) -> None:
    ran = tool("checkcertify", "x.json", "--public=x.pub", *options)
    assert (ran.code, text in ran.err) == (2, True)
