"""Keys of every kind, parent and origin sign for IAM Roles Anywhere, which the reference verifier accepts."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from asn1crypto import core, pem
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.roles_anywhere import ANCHOR, PROFILE, ROLE, Authority, VerifyingRolesAnywhere
from tests.support.roles_anywhere import pem as certificate_pem
from tests.support.signing_keys import make_signing_key
from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Tool, held
from tpmwire.keys.keyfile import KeyFile, parse
from tpmwire.secret import Secret
from tpmwire.soft import interfaces
from tpmwire.soft import rsa as soft_rsa
from tpmwire.spec.constants import TPM_RH
from tpmwire.spec.response_codes import TPM_RC
from tpmwire.spec.structures import TPM2B_PUBLIC
from tpmwire.tpm import Tpm

HANDLE = 0x81010070
# The attributes of keys that ssh-tpm-agent creates.
AGENT = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign|decrypt"


class Bench(NamedTuple):
    """A directory for files, and a CA whose certificates the server accepts."""

    tool: Tool
    home: Path
    authority: Authority
    server: VerifyingRolesAnywhere

    def use(self, key: str | Path, tpm_path: str, *options: str) -> dict[str, Any]:
        """Has a certificate issued for a key's request, and returns the credentials for it."""
        key, csr, certificate = str(key), self.home / "host.csr", self.home / "host.pem"
        common = ("--private-key", key, "--tpm-path", tpm_path, *options)
        words = ("roles-anywhere", "csr", *common, "--subject=CN=host-1", "--out", csr, "--force")
        ran = self.tool(*words)
        assert ran.code == 0, ran.err
        request = x509.load_pem_x509_csr(csr.read_bytes())
        assert request.is_signature_valid
        issued = self.authority.issue(request.public_key())
        certificate.write_bytes(certificate_pem(issued, self.authority.intermediate))
        arns = ("--trust-anchor-arn", ANCHOR, "--profile-arn", PROFILE, "--role-arn", ROLE)
        words = ("roles-anywhere", "credential-process", *common, "--certificate", certificate)
        ran = self.tool(*words, *arns, "--endpoint", self.server.endpoint)
        assert (ran.code, ran.err) == (0, "")
        assert self.server.seen[-1][0].serial_number == issued.serial_number
        found: dict[str, Any] = json.loads(ran.out)
        return found


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def bench(tool: Tool, tmp_path: Path, authority: Authority) -> Iterator[Bench]:
    with VerifyingRolesAnywhere([authority.root]) as server:
        yield Bench(tool, tmp_path, authority, server)


@pytest.mark.parametrize("algorithm", ["ecc", "ecc384", "ecc521", "rsa2048", "rsa3072"])
def test_keys_of_each_algorithm(bench: Bench, swtpm: Swtpm, algorithm: str) -> None:
    where, file = ("--tpm-path", swtpm.path), bench.home / "host.key"
    words = ("roles-anywhere", "create-key", "--algorithm", algorithm, *where)
    ran = bench.tool(*words, "--out", file, "--persistent-handle", hex(HANDLE))
    assert ran.code == 0, ran.err
    assert bench.use(f"handle:{HANDLE:#x}", swtpm.path)["AccessKeyId"].startswith("ASIA")
    assert bench.use(file, swtpm.path)["AccessKeyId"].startswith("ASIA")
    assert held(swtpm) == ""


def test_an_rsa_key_of_4096_bits(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The soft TPM has no such keys, as swtpm, so that this test adds them; the primes are of `cryptography`."""
    monkeypatch.setitem(interfaces.VALUES, "TPMI_RSA_KEY_BITS", ((2048, 4096), TPM_RC.VALUE))

    def generate(bits: int, exponent: int, _random: object) -> soft_rsa.RsaKey:
        numbers = rsa.generate_private_key(exponent or 65537, bits).private_numbers()
        return soft_rsa.RsaKey(numbers.p * numbers.q, exponent or 65537, numbers.p)

    monkeypatch.setattr(soft_rsa, "generate", generate)
    file, path = bench.home / "host.key", f"soft:{bench.home / 'state'}"
    ran = bench.tool("roles-anywhere", "create-key", "--algorithm=rsa4096", "--out", file, "--tpm-path", path)
    assert ran.code == 0, ran.err
    assert len(parse(file.read_text()).public.unique) == 512
    bench.use(file, path)


def test_a_key_that_the_tpm_cannot_create_is_named(tool: Tool, swtpm: Swtpm) -> None:
    words = ("--algorithm=rsa4096", f"--persistent-handle={HANDLE:#x}", "--tpm-path", swtpm.path)
    ran = tool("roles-anywhere", "create-key", *words)
    assert (ran.code, ran.out) == (4, "")
    assert "this TPM does not create such keys; choose another --algorithm" in ran.err
    assert held(swtpm) == ""


def test_passwords_of_key_parent_and_owner(bench: Bench, swtpm: Swtpm) -> None:
    passwords = {}
    for name in ("key", "parent", "owner"):
        passwords[name] = bench.home / name
        passwords[name].write_text(f"{name} password")
        passwords[name].chmod(0o600)
    where = ("--tpm-path", swtpm.path)
    tpm2(swtpm, "createprimary", "-c", bench.home / "srk", "-p", "parent password")
    tpm2(swtpm, "evictcontrol", "-c", bench.home / "srk", "0x81000001")
    tpm2(swtpm, "flushcontext", "-t")
    tpm2(swtpm, "changeauth", "-c", "owner", "owner password")
    create = ("roles-anywhere", "create-key", *where, "--key-auth-file", passwords["key"])
    file, key = bench.home / "host.key", f"--keyPass-file={passwords['key']}"
    parent = ("--parent=0x81000001", "--parent-auth-file", passwords["parent"])
    handle = ("--persistent-handle", hex(HANDLE), "--owner-auth-file", passwords["owner"])
    ran = bench.tool(*create, "--out", file, *parent, *handle)
    assert ran.code == 0, ran.err
    bench.use(file, swtpm.path, key, f"--parentPass-file={passwords['parent']}")
    bench.use(f"handle:{HANDLE:#x}", swtpm.path, key)
    # Without --parent, each run creates the parent with the owner's password.
    ran = bench.tool(*create, "--out", file, "--force", "--owner-auth-file", passwords["owner"])
    assert ran.code == 0, ran.err
    bench.use(file, swtpm.path, key, f"--parentPass-file={passwords['owner']}")
    assert held(swtpm) == ""


@pytest.mark.parametrize("kind", ["rsa", "ecc"])
def test_a_key_under_the_endorsement_key(bench: Bench, swtpm: Swtpm, kind: str) -> None:
    """Created by tpm2-tools; the file names the parent by the EK's reserved handle, or needs --useEKParent."""
    home = bench.home
    tpm2(swtpm, "createek", "-G", kind, "-c", home / "ek", "-u", home / "ek.pub")
    tpm2(swtpm, "startauthsession", "--policy-session", "-S", home / "session")
    tpm2(swtpm, "policysecret", "-S", home / "session", "-c", "e")
    key = ("-G", "ecc:ecdsa", "-a", AGENT.replace("|decrypt", "|noda"), "-u", home / "pub", "-r", home / "priv")
    tpm2(swtpm, "create", "-C", home / "ek", "-P", f"session:{home / 'session'}", *key)
    tpm2(swtpm, "flushcontext", home / "session")
    tpm2(swtpm, "flushcontext", "-t")
    public, private = TPM2B_PUBLIC.parse((home / "pub").read_bytes()), (home / "priv").read_bytes()[2:]
    place = {"rsa": 0x81010001, "ecc": 0x81010002}[kind]
    named = KeyFile.of(public, private, place, empty_auth=True)
    (home / "host.key").write_text(named.to_pem())
    bench.use(home / "host.key", swtpm.path)
    older = KeyFile.of(public, private, TPM_RH.ENDORSEMENT, empty_auth=True, rsa_parent=kind == "rsa")
    (home / "host.key").write_text(older.to_pem())
    bench.use(home / "host.key", swtpm.path, "--useEKParent")
    assert held(swtpm) == ""


def test_a_parent_that_requires_a_policy_is_refused(tool: Tool, swtpm: Swtpm, tmp_path: Path) -> None:
    tpm2(swtpm, "createek", "-G", "ecc", "-c", "0x81010002")
    words = ("--parent=0x81010002", "--out", tmp_path / "host.key", "--tpm-path", swtpm.path)
    ran = tool("roles-anywhere", "create-key", *words)
    assert (ran.code, "the parent at 0x81010002 requires its policy" in ran.err) == (2, True)
    assert held(swtpm) == ""


class _AgentKey(core.Sequence):
    """TPMKey, as ssh-tpm-agent (go-tpm-keyfiles) writes it."""

    _fields = [  # noqa: RUF012 - asn1crypto's way to declare fields
        ("type", core.ObjectIdentifier),
        ("empty_auth", core.Boolean, {"explicit": 0, "optional": True}),
        ("description", core.UTF8String, {"explicit": 4, "optional": True}),
        ("parent", core.Integer),
        ("pubkey", core.OctetString),
        ("privkey", core.OctetString),
    ]


@pytest.mark.parametrize("template", ["ecc:null", "ecc384:null", "rsa2048:null"])
@pytest.mark.parametrize("password", ["", "key password"])
def test_keys_of_ssh_tpm_agent(bench: Bench, swtpm: Swtpm, template: str, password: str) -> None:
    with Tpm.open(swtpm.path, 30) as tpm:
        made = make_signing_key(tpm, template, AGENT, auth=Secret(password.encode()))
    written = {
        "type": "2.23.133.10.1.3",
        "description": "user@host-1",
        "parent": int(TPM_RH.OWNER),
        "pubkey": made.pubkey,
        "privkey": made.privkey,
        **({} if password else {"empty_auth": True}),
    }
    file = bench.home / "id_ecdsa.tpm"
    file.write_bytes(pem.armor("TSS2 PRIVATE KEY", _AgentKey(written).dump()))
    (bench.home / "password").write_text(password)
    (bench.home / "password").chmod(0o600)
    bench.use(file, swtpm.path, *([f"--keyPass-file={bench.home / 'password'}"] if password else []))
    assert held(swtpm) == ""


Openssl = Callable[..., None]


@pytest.fixture
def openssl(swtpm: Swtpm) -> Openssl:
    def run(*words: str | Path) -> None:
        command = ["openssl", words[0], "-provider", "tpm2", "-provider", "default", *map(str, words[1:])]
        environment = {**os.environ, "TPM2OPENSSL_TCTI": swtpm.tcti}
        subprocess.run(command, check=True, env=environment, capture_output=True, timeout=60)

    return run


@pytest.mark.parametrize("options", [["EC", "-pkeyopt", "group:P-256"], ["RSA", "-pkeyopt", "bits:2048"]])
def test_keys_of_tpm2_openssl(bench: Bench, swtpm: Swtpm, openssl: Openssl, options: list[str]) -> None:
    file = bench.home / "host.key"
    openssl("genpkey", "-propquery", "provider=tpm2", "-algorithm", *options, "-out", file)
    assert b"TSS2 PRIVATE KEY" in file.read_bytes()
    bench.use(file, swtpm.path)


@pytest.mark.parametrize("algorithm", ["ecc:ecdsa", "rsa:rsassa"])
def test_keys_of_tpm2_tools(bench: Bench, swtpm: Swtpm, algorithm: str) -> None:
    home = bench.home
    tpm2(swtpm, "createprimary", "-c", home / "primary")
    key = ("-G", algorithm, "-u", home / "pub", "-r", home / "priv", "-c", home / "key")
    tpm2(swtpm, "create", "-C", home / "primary", *key)
    tpm2(swtpm, "flushcontext", "-t")
    tpm2(swtpm, "evictcontrol", "-c", home / "key", hex(HANDLE))
    tpm2(swtpm, "flushcontext", "-t")
    bench.use(f"handle:{HANDLE:x}", swtpm.path)
    bench.use(hex(HANDLE), swtpm.path)
