"""`tpmwire name` returns the Names that tpm2-tools return."""

import re
from pathlib import Path

import pytest

from tests.support.handles import name_at
from tests.support.programs import ROOT
from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Tool

KEYS = ROOT / "fixtures" / "keys"
HANDLE = "0x81010009"

pytestmark = pytest.mark.swtpm(state=KEYS / "swtpm-state")


def test_names(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    def name(what: str | Path, *options: str) -> str:
        ran = tool("name", what, "--tpm-path", swtpm.path, *options)
        assert ran.code == 0, ran.err
        assert re.fullmatch("[0-9a-f]+\n", ran.out)
        return ran.out.strip()

    for kind, algorithm in (("ek-rsa", "rsa"), ("ek-ecc", "ecc")):
        tpm2(swtpm, "createek", "-G", algorithm, "-c", "0x81010001", "-u", tmp_path / "ek.pub")
        assert name(kind) == name("0x81010001") == name_at(swtpm, "0x81010001", tmp_path)
        tpm2(swtpm, "evictcontrol", "-c", "0x81010001")
    assert name("0x81000001") == name(str(0x81000001)) == name_at(swtpm, "0x81000001", tmp_path)
    tpm2(swtpm, "nvdefine", "-s", "32", "0x1500016")
    assert f"name: {name('0x1500016')}\n" in tpm2(swtpm, "nvreadpublic", "0x1500016").decode()
    assert name("0x40000001") == "40000001"

    # In a file: no TPM is asked.
    tool("persist", KEYS / "hmac.pem", HANDLE, "--tpm-path", swtpm.path)
    tpm2(swtpm, "readpublic", "-c", HANDLE, "-o", tmp_path / "key.pub")
    offline = ("--tpm-path", str(tmp_path / "no-such-tpm"))
    for file in (KEYS / "hmac.pem", tmp_path / "key.pub"):
        ran = tool("name", file, *offline)
        assert ran.out.strip() == name_at(swtpm, HANDLE, tmp_path)

    tpm2(swtpm, "changeauth", "-c", "owner", "ownerpwd")
    assert tool("name", "h2", "--tpm-path", swtpm.path).code == 4
    assert name("h2", "--parent-auth", "ownerpwd") != name("srk", "--parent-auth", "ownerpwd")


@pytest.mark.parametrize(
    ("what", "code", "says"),
    [
        ("ek_rsa", 2, "is not an existing file"),
        ("0x1ffffffff", 2, "is not a handle"),
        ("0x81010077", 4, "no object at this handle"),
        ("0x80000000", 4, "TPM_RC_REFERENCE_H0"),
    ],
)
def test_names_of_nothing(swtpm: Swtpm, tool: Tool, what: str, code: int, says: str) -> None:
    ran = tool("name", what, "--tpm-path", swtpm.path)
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)
    assert says in ran.err
