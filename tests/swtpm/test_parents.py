"""A storage root key at 0x81000001 that is not the usual P-256 one: RSA, as Windows has it, or larger."""

import hmac
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.tpm.pins import pin_from
from tests.support.interposer import Interposer
from tests.support.lacking import Lacking
from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Tool, held
from tpmwire.channel import Pin
from tpmwire.keys.keyfile import parse
from tpmwire.spec.constants import TPM_ALG
from tpmwire.tpm import Tpm
from tpmwire.use.hmac import HmacKey

SECRET = "wJalrXUtnFEMI+K7MDENG/bPxRfiCYEXAMPLEKEY"
DATE = b"20261124"
KDATE = hmac.digest(b"AWS4" + SECRET.encode(), DATE, "sha256")
SRK, HANDLE = 0x81000001, 0x81010061
ATTRIBUTES = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt"
OTHERS = {
    "Windows": ("-G", "rsa2048", "-a", ATTRIBUTES),
    "tpm2-tools": ("-G", "rsa2048"),
    "P-384": ("-G", "ecc384:aes256cfb", "-g", "sha384", "-a", ATTRIBUTES),
    "larger": ("-G", "rsa2048:aes256cfb", "-g", "sha384", "-a", ATTRIBUTES),
}


@pytest.fixture(
    scope="module",
    params=[(False, "Windows"), (True, "Windows"), (True, "larger"), (False, "tpm2-tools"), (False, "P-384")],
)
def bus(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Interposer]:
    without_ecc, kind = request.param
    context = tmp_path_factory.mktemp("srk") / "s.ctx"
    with Swtpm() as swtpm:
        tpm2(swtpm, "createprimary", "-C", "o", "-c", context, *OTHERS[kind])
        tpm2(swtpm, "evictcontrol", "-C", "o", "-c", context, f"{SRK:#x}")
        tpm2(swtpm, "flushcontext", "-t")
        with Interposer(swtpm.path) as bus:
            if without_ecc:
                Lacking(algorithms={TPM_ALG.ECC}).before(bus)
            yield bus
        assert held(swtpm) == ""


def used(bus: Interposer, key: HmacKey) -> None:
    with Tpm.open(bus.path, 20) as tpm:
        assert key.hmac(tpm, DATE) == KDATE


def test_a_secret_is_wrapped_for_it(bus: Interposer, tool: Tool, tmp_path: Path) -> None:
    where = ("--tpm-path", bus.path)
    ran = tool("export-public", "--key", "srk", "--out", tmp_path / "srk.json", *where)
    assert ran.code == 0, ran.err
    told = json.loads((tmp_path / "srk.json").read_text())
    assert told["parent"] == f"{SRK:#x}"
    assert told["name"] == tool("name", f"{SRK:#x}", *where).out.strip()
    ran = tool("wrap", "--to", tmp_path / "srk.json", "--out", tmp_path / "w.pem", stdin=SECRET.encode())
    assert ran.code == 0, ran.err
    ran = tool("import-key", tmp_path / "w.pem", "--out", tmp_path / "k.pem", *where)
    assert ran.code == 0, ran.err
    file = parse((tmp_path / "k.pem").read_bytes())
    assert (file.persistent_parent, file.rsa_parent) == (SRK, None)
    used(bus, HmacKey(file=file))


def test_a_secret_is_imported_under_it(bus: Interposer, tool: Tool, tmp_path: Path) -> None:
    words = ("import", "--parent", f"{SRK:#x}", "--out", tmp_path / "k.pem", "--tpm-path", bus.path)
    ran = tool(*words, "--persistent-handle", f"{HANDLE:#x}", "--force", stdin=SECRET.encode())
    assert ran.code == 0, ran.err
    written = pin_from(None, ran.out.split("--tpm-session-encrypt-with-public=")[1].split()[0])
    assert written is not None
    assert written.where == SRK
    file = parse((tmp_path / "k.pem").read_bytes())
    for pin in (None, written, Pin(written.name, None, SRK), Pin(written.name)):
        used(bus, HmacKey(file=file, pin=pin))
        used(bus, HmacKey(handle=HANDLE, pin=pin))
    used(bus, HmacKey(file=file, protected=False))
