"""`tpmwire makecredential` and `activatecredential`, and both ways with tpm2-tools."""

import base64
import json
from pathlib import Path

import pytest

from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Tool
from tpmwire.attest import Credential, make_credential
from tpmwire.crypto.formulas import name_of
from tpmwire.errors import EncodeError, KeyFileError
from tpmwire.keys import templates
from tpmwire.primary import create_primary
from tpmwire.spec.constants import TPM_RH
from tpmwire.tpm import Tpm
from tpmwire.use.endorsement import KINDS

SECRET = b"a secret of up to 32 bytes......"


@pytest.fixture
def ak(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> Path:
    """A key file; ak.pub beside it."""
    path = tmp_path / "ak.pem"
    assert tool("ak", "--out", path, "--public", tmp_path / "ak.pub", "--tpm-path", swtpm.path).code == 0
    return path


def tools(swtpm: Swtpm, where: Path, *words: str) -> bytes:
    out = tpm2(swtpm, *words, cwd=where)
    tpm2(swtpm, "flushcontext", "-t")
    return out


def activate(tool: Tool, swtpm: Swtpm, key: Path, credential: Path, *more: object) -> bytes:
    ran = tool("activatecredential", key, credential, *map(str, more), "--tpm-path", swtpm.path)
    assert ran.code == 0, ran.err
    return bytes.fromhex(ran.out)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.name in ("L-1", "L-2", "H-1", "H-2", "H-3")])
def test_each_kind_of_endorsement_key(swtpm: Swtpm, tool: Tool, ak: Path, tmp_path: Path, kind: object) -> None:
    with Tpm.open(swtpm.path, timeout=60) as tpm:
        public = create_primary(tpm, TPM_RH.ENDORSEMENT, kind.template()).public  # type: ignore[attr-defined]
    (tmp_path / "ek.pub").write_bytes(public.build())
    for form in ("tools", "tss", "go"):
        made = tool(
            *("makecredential", "--ek", tmp_path / "ek.pub", "--for", tmp_path / "ak.pub", "--format", form),
            *("--out", tmp_path / form),
            stdin=SECRET,
        )
        assert made.code == 0, made.err
    assert json.loads((tmp_path / "go").read_bytes()).keys() == {"Credential", "Secret"}
    assert activate(tool, swtpm, ak, tmp_path / "tools") == SECRET
    assert activate(tool, swtpm, ak, tmp_path / "tss") == SECRET
    out = tmp_path / "out"
    ran = tool("activatecredential", ak, tmp_path / "go", "--out", out, "--tpm-path", swtpm.path)
    assert (ran.code, ran.out) == (0, "")
    again = tool("activatecredential", ak, tmp_path / "go", "--out", out, "--tpm-path", "/nonexistent")
    assert (again.code, "out exists; --force replaces it" in again.err) == (2, True)
    assert out.read_bytes() == SECRET
    assert out.stat().st_mode & 0o77 == 0


@pytest.mark.parametrize("algorithm", ["rsa", "ecc"])
def test_both_ways_with_tpm2_tools(swtpm: Swtpm, tool: Tool, tmp_path: Path, algorithm: str) -> None:
    tools(swtpm, tmp_path, "createek", "-c", "ek.ctx", "-G", algorithm, "-u", "ek.pub")
    tools(
        swtpm,
        tmp_path,
        *("createak", "-C", "ek.ctx", "-G", "ecc", "-g", "sha256", "-s", "ecdsa"),
        *("-c", "ak.ctx", "-u", "ak.pub", "-n", "ak.name"),
    )
    (tmp_path / "secret").write_bytes(SECRET)
    name = (tmp_path / "ak.name").read_bytes().hex()
    tools(swtpm, tmp_path, "makecredential", "-u", "ek.pub", "-s", "secret", "-n", name, "-o", "theirs")
    # The key by its context file, under the endorsement key, and the endorsement key by template or context file.
    assert activate(tool, swtpm, tmp_path / "ak.ctx", tmp_path / "theirs") == SECRET
    assert activate(tool, swtpm, tmp_path / "ak.ctx", tmp_path / "theirs", "--ek", tmp_path / "ek.ctx") == SECRET
    words = ("makecredential", "--ek", tmp_path / "ek.pub", "--out", tmp_path / "ours")
    assert tool(*words, "--for", tmp_path / "ak.name", stdin=SECRET).code == 0
    tpm2(swtpm, "startauthsession", "--policy-session", "-S", "session.ctx", cwd=tmp_path)
    tpm2(swtpm, "policysecret", "-S", "session.ctx", "-c", "e", cwd=tmp_path)
    tpm2(
        swtpm,
        *("activatecredential", "-c", "ak.ctx", "-C", "ek.ctx", "-i", "ours", "-o", "out"),
        *("-P", "session:session.ctx"),
        cwd=tmp_path,
    )
    tpm2(swtpm, "flushcontext", "session.ctx", cwd=tmp_path)
    tpm2(swtpm, "flushcontext", "-t")
    assert (tmp_path / "out").read_bytes() == SECRET


def test_passwords(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    password, owner, endorsement = (tmp_path / name for name in ("password", "owner", "endorsement"))
    for path in (password, owner, endorsement):
        path.write_text(f"{path.name} one\n")
        path.chmod(0o600)
    with Tpm.open(swtpm.path, timeout=60) as tpm:
        public = create_primary(tpm, TPM_RH.ENDORSEMENT, templates.ek_ecc()).public
    (tmp_path / "ek.pub").write_bytes(public.build())
    tpm2(swtpm, "changeauth", "-c", "o", "owner one")
    tpm2(swtpm, "changeauth", "-c", "e", "endorsement one")
    protected = ("--key-auth-file", password, "--parent-auth-file", owner)
    key, credential = tmp_path / "ak.pem", tmp_path / "ak.cred"
    made = tool("ak", "--out", key, "--public", tmp_path / "ak.pub", *protected, "--tpm-path", swtpm.path)
    assert made.code == 0, made.err
    words = ("makecredential", "--ek", tmp_path / "ek.pub", "--for", tmp_path / "ak.pub", "--out", credential)
    assert tool(*words, stdin=SECRET).code == 0
    assert activate(tool, swtpm, key, credential, *protected, "--endorsement-auth-file", endorsement) == SECRET
    assert tool("activatecredential", key, credential, *protected, "--tpm-path", swtpm.path).code == 4


def test_a_credential_for_another_key_or_tpm(swtpm: Swtpm, tool: Tool, ak: Path, tmp_path: Path) -> None:
    with Tpm.open(swtpm.path, timeout=60) as tpm:
        ours = create_primary(tpm, TPM_RH.ENDORSEMENT, templates.ek_rsa()).public
        with Swtpm() as another, Tpm.open(another.path, timeout=60) as other:
            theirs = create_primary(other, TPM_RH.ENDORSEMENT, templates.ek_rsa()).public
    name = name_of(templates.srk_ecc())
    for number, credential in enumerate(
        (make_credential(ours, name, SECRET), make_credential(theirs, name, SECRET))
    ):
        path = tmp_path / str(number)
        path.write_bytes(credential.to_tools())
        ran = tool("activatecredential", ak, path, "--tpm-path", swtpm.path)
        assert (ran.code, ran.out) == (4, "")
        assert "for another TPM" in ran.err


def test_damaged_credentials_and_keys_that_do_not_fit() -> None:
    good = Credential(b"\0\x20" + bytes(32 + 34), bytes(256))
    assert Credential.parse(good.to_tools()) == Credential.parse(good.to_tss()) == good
    assert Credential.parse(good.to_go().encode()) == good
    for damaged in (b"", good.to_tools()[:-1], good.to_tools() + b"\0", b"{}", b'{"Credential": 1, "Secret": 2}'):
        with pytest.raises(KeyFileError):
            Credential.parse(damaged)
    with pytest.raises(EncodeError, match="not an endorsement key"):
        make_credential(templates.signing(), b"", SECRET)
    with pytest.raises(EncodeError, match="at most 32"):
        make_credential(templates.ek_ecc(), b"", bytes(33))


def test_a_key_that_certifies_its_creation(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    where = ("--tpm-path", swtpm.path)
    for name, algorithm in (("one", "ecc"), ("two", "rsa2048:rsassa-sha256")):
        made = tool(
            "ak", "--out", tmp_path / f"{name}.pem", "--go", tmp_path / name, "--algorithm", algorithm, *where
        )
        assert made.code == 0, made.err
    one, two = (json.loads((tmp_path / name).read_bytes()) for name in ("one", "two"))
    assert one.keys() == {
        *("Public", "UseTCSDActivationFormat", "CreateData", "CreateAttestation", "CreateSignature")
    }
    with Tpm.open(swtpm.path, timeout=60) as tpm:
        public = create_primary(tpm, TPM_RH.ENDORSEMENT, templates.ek_ecc()).public
    (tmp_path / "ek.pub").write_bytes(public.build())
    make = ("makecredential", "--ek", tmp_path / "ek.pub", "--format", "go", "--force", "--out", tmp_path / "cred")
    for name in ("one", "two"):
        assert tool(*make, "--for", tmp_path / name, stdin=SECRET).code == 0
        assert activate(tool, swtpm, tmp_path / f"{name}.pem", tmp_path / "cred") == SECRET
    changed = bytearray(base64.b64decode(one["CreateData"]))
    changed[-3] ^= 1  # in the parent's Qualified Name; both keys have the same creation data
    two["CreateData"] = base64.b64encode(changed).decode()
    for field in ("Public", "CreateData", "CreateAttestation", "CreateSignature"):
        (tmp_path / "mixed").write_text(json.dumps({**one, field: two[field]}))
        refused = tool(*make, "--for", tmp_path / "mixed", stdin=SECRET)
        assert refused.code == 8, field
