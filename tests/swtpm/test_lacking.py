"""TPMs that lack what most have: ECC, a curve, a hash, a cipher of sessions. What can be done is done, untold."""

import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.interposer import Interposer
from tests.support.lacking import Lacking
from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Tool, held
from tpmwire.channel import Pin, create_primary
from tpmwire.errors import TpmError
from tpmwire.keys.keyfile import KeyFile, parse
from tpmwire.keys.templates import h1_primary, h2_primary, srk_ecc
from tpmwire.keys.wrapping import wrap_hmac_key
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.spec.constants import TPM_ALG, TPM_ECC, TPM_RH
from tpmwire.tpm import Tpm
from tpmwire.use.hmac import HmacKey
from tpmwire.use.load import import_key

SECRET = "wJalrXUtnFEMI+K7MDENG/bPxRfiCYEXAMPLEKEY"
DATE = b"20261124"
KDATE = hmac.digest(b"AWS4" + SECRET.encode(), DATE, "sha256")
HANDLE, SRK = 0x81010060, 0x81000001
RSA_ONLY = {
    "no ECC": {"algorithms": {TPM_ALG.ECC}},
    "no P-256": {"curves": {TPM_ECC.NIST_P256}},
}
TPMS: dict[str, dict[str, Any]] = {
    **RSA_ONLY,
    "no RSA": {"algorithms": {TPM_ALG.RSA}},
    "no SHA-384": {"algorithms": {TPM_ALG.SHA384}},
    "no SHA-1": {"algorithms": {TPM_ALG.SHA1}},
    "no AES in sessions": {"in_sessions": {TPM_ALG.AES}},
    "no CFB in sessions": {"in_sessions": {TPM_ALG.CFB}},
    "no XOR in sessions": {"in_sessions": {TPM_ALG.XOR}},
}
PRIMARY, START, READ, LOAD, HMAC, FLUSH = (
    *("CreatePrimary", "StartAuthSession", "ReadPublic", "Load", "HMAC", "FlushContext"),
)


class Lacks(NamedTuple):
    """A TPM that lacks something, and a listener before it."""

    bus: Interposer
    target: Swtpm

    def used(self, key: HmacKey) -> list[str]:
        """The commands of a run that gives the right HMAC."""
        self.bus.dialogue.clear()
        with Tpm.open(self.bus.path, 20) as tpm:
            assert key.hmac(tpm, DATE) == KDATE
        return self.bus.codes


def lacking(what: dict[str, Any]) -> Iterator[Lacks]:
    with Swtpm() as swtpm:
        # The first HMAC after a start is answered by TPM_RC_RETRY.
        tpm2(swtpm, "selftest", "--fulltest")
        with Interposer(swtpm.path) as bus:
            Lacking(**what).before(bus)
            yield Lacks(bus, swtpm)


@pytest.fixture(scope="module", params=TPMS)
def lacks(request: pytest.FixtureRequest) -> Iterator[Lacks]:
    yield from lacking(TPMS[request.param])


@pytest.fixture(scope="module", params=RSA_ONLY)
def rsa_only(request: pytest.FixtureRequest) -> Iterator[Lacks]:
    yield from lacking(RSA_ONLY[request.param])


def test_a_secret_goes_in_and_is_used(lacks: Lacks, tool: Tool, tmp_path: Path) -> None:
    """As a file and at a handle, by its password and by PCRs, encrypted and in clear."""
    where = ("--tpm-path", lacks.bus.path, "--force")
    for options, key in (((), {}), (("--pcrs", "23"), {"pcrs": parse_pcrs("23")})):
        path = tmp_path / "key.pem"
        ran = tool(
            "import", "--out", path, "--persistent-handle", f"{HANDLE:#x}", *options, *where, stdin=SECRET.encode()
        )
        assert ran.code == 0, ran.err
        file = parse(path.read_bytes())
        for protected in (True, False):
            lacks.used(HmacKey(file=file, protected=protected, **key))
            lacks.used(HmacKey(handle=HANDLE, protected=protected, **key))
    pin = ran.out.split("--tpm-session-encrypt-with-name=")[1].split()[0]
    name, _, at = pin.partition("@")
    lacks.used(HmacKey(file=file, pin=Pin(bytes.fromhex(name), None, at)))


def test_a_secret_is_wrapped_for_it_elsewhere(lacks: Lacks, tool: Tool, tmp_path: Path) -> None:
    ran = tool("export-public", "--tpm-path", lacks.bus.path, "--out", tmp_path / "tpm.json")
    assert ran.code == 0, ran.err
    wrap = ("wrap", "--to", tmp_path / "tpm.json", "--out", tmp_path / "wrapped.pem")
    assert tool(*wrap, stdin=SECRET.encode()).code == 0
    out = ("--out", tmp_path / "key.pem", "--tpm-path", lacks.bus.path)
    ran = tool("import-key", tmp_path / "wrapped.pem", *out)
    assert ran.code == 0, ran.err
    lacks.used(HmacKey(file=parse((tmp_path / "key.pem").read_bytes())))


def test_a_tokens_secret(lacks: Lacks, tool: Tool, tmp_path: Path) -> None:
    ran = tool(
        "totp", "import", "--out", tmp_path / "t.pem", "--tpm-path", lacks.bus.path, stdin=b"JBSWY3DPEHPK3PXP"
    )
    if lacks.bus.target and TPM_ALG.SHA1 in _unknown(lacks):
        # Codes are made by HMAC-SHA1, so there is no other way.
        assert ran.code == 4
        (line,) = ran.err.splitlines()
        assert "this TPM does not support HMAC with SHA1, which this token needs" in line
        return
    assert ran.code == 0, ran.err
    assert tool("totp", "code", tmp_path / "t.pem", "--tpm-path", lacks.bus.path).code == 0


def _unknown(lacks: Lacks) -> set[TPM_ALG]:
    owner: Lacking = lacks.bus.on_command.__self__  # type: ignore[attr-defined]
    return owner.algorithms


def test_an_rsa_primary_is_taken_untold_and_said_in_the_file(rsa_only: Lacks, tool: Tool, tmp_path: Path) -> None:
    """One refused command at the import; the file says rsaParent, so that a run has none."""
    path = tmp_path / "key.pem"
    where = ("--tpm-path", rsa_only.bus.path)
    rsa_only.bus.dialogue.clear()
    ran = tool("import", "--out", path, *where, stdin=SECRET.encode())
    assert ran.code == 0, ran.err
    assert "@h1" in ran.out
    # Chips take seconds for an RSA key, a run's usual limit is two.
    assert "--timeout=30s" in ran.out
    assert "--make-srk creates it once" in ran.err
    assert rsa_only.bus.codes[:3] == [PRIMARY, PRIMARY, START]
    file = parse(path.read_bytes())
    assert file.rsa_parent is True
    assert rsa_only.used(HmacKey(file=file)) == [PRIMARY, START, LOAD, HMAC, FLUSH, FLUSH]
    shown = json.loads(tool("export-public", *where).out)
    assert (shown["kind"], shown["name"]) == ("h1", tool("name", "h1", *where).out.strip())
    # A file that does not tell: of a program that knows of no rsaParent.
    plain = file.replace(rsa_parent=None)
    assert rsa_only.used(HmacKey(file=plain)) == [PRIMARY, PRIMARY, START, LOAD, HMAC, FLUSH, FLUSH]


def test_a_storage_root_key_that_is_made_once_is_rsa(tool: Tool, tmp_path: Path) -> None:
    with Swtpm() as swtpm, Interposer(swtpm.path) as bus:
        Lacking(**RSA_ONLY["no ECC"]).before(bus)
        path, where = tmp_path / "key.pem", ("--tpm-path", bus.path)
        ran = tool("import", "--make-srk", "--out", path, *where, stdin=SECRET.encode())
        assert ran.code == 0, ran.err
        assert f"@{SRK:#x}" in ran.out
        assert "--timeout" not in ran.out
        tpm2(swtpm, "selftest", "--fulltest")
        key = HmacKey(file=parse(path.read_bytes()))
        assert Lacks(bus, swtpm).used(key) == [READ, START, LOAD, HMAC, FLUSH]
        assert held(swtpm) == ""


def test_a_salt_key_for_a_handle_is_rsa(rsa_only: Lacks, tool: Tool) -> None:
    where = ("--tpm-path", rsa_only.bus.path, "--persistent-handle", f"{HANDLE:#x}", "--force")
    assert tool("import", *where, stdin=SECRET.encode()).code == 0
    commands = rsa_only.used(HmacKey(handle=HANDLE))
    # The last read shows that the session has its cipher, beside a salt key that was made (docs/security.md).
    assert commands == [READ, READ, PRIMARY, PRIMARY, START, FLUSH, READ, HMAC]


def test_what_only_ecc_can_do_is_said_in_one_line(rsa_only: Lacks, tool: Tool) -> None:
    for kind in ("ek-ecc", "srk"):
        ran = tool("name", kind, "--tpm-path", rsa_only.bus.path)
        assert ran.code == 4
        (line,) = ran.err.splitlines()
        assert "RSA" in line
    with Tpm.open(rsa_only.bus.path, 20) as tpm, pytest.raises(TpmError):
        create_primary(tpm, TPM_RH.OWNER, srk_ecc())


def test_a_file_of_another_program_with_an_rsa_parent(tmp_path: Path) -> None:
    """On a TPM that has ECC as well: rsaParent alone decides."""
    from tpmwire.secret import Secret

    with Swtpm() as swtpm, Tpm.open(swtpm.path, 20) as tpm:
        made = create_primary(tpm, TPM_RH.OWNER, h1_primary())
        tpm.flush(made.handle)
        file = wrap_hmac_key(Secret(b"AWS4" + SECRET.encode()), made.public, TPM_RH.OWNER)
        assert file.rsa_parent is True
        loadable = import_key(HmacKey(file=file), tpm)
        assert loadable.rsa_parent is True
        assert HmacKey(file=loadable).hmac(tpm, DATE) == KDATE
        assert HmacKey(file=loadable, pin=Pin(made.name, None, "h1")).hmac(tpm, DATE) == KDATE
        assert isinstance(parse(loadable.to_pem()), KeyFile)


@pytest.mark.parametrize("rc", [0x184, 0x984, 0x9A2, 0x2D6, 0x12F])
def test_another_refusal_of_a_primary_is_no_lack_of_ecc(rc: int) -> None:
    """Of a handle, a session, a cipher, a password: an RSA key would take seconds and be refused as well."""
    refusal = bytes.fromhex("80010000000a") + rc.to_bytes(4, "big")
    with Swtpm() as swtpm, Interposer(swtpm.path) as bus, Tpm.open(bus.path, 20) as tpm:
        bus.on_command = lambda sent: refusal if sent[6:10] == bytes.fromhex("00000131") else None
        with pytest.raises(TpmError) as refused:
            create_primary(tpm, TPM_RH.OWNER, h2_primary())
        assert (refused.value.rc, bus.codes) == (rc, [PRIMARY])


@pytest.mark.parametrize("rc", [0x2CA, 0x08A, 0x2E6, 0x2C1, 0x2C4, 0xB02CA])
def test_ways_to_refuse_ecc(rc: int) -> None:
    """With and without the parameter's number, and through a resource manager."""
    refusal = bytes.fromhex("80010000000a") + rc.to_bytes(4, "big")
    with Swtpm() as swtpm, Interposer(swtpm.path) as bus, Tpm.open(bus.path, 20) as tpm:
        bus.on_command = lambda sent: refusal if len(bus.dialogue) == 0 else None
        assert create_primary(tpm, TPM_RH.OWNER, h2_primary()).public.type == TPM_ALG.RSA
