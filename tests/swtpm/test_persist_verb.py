"""`tpmwire persist` on a real TPM, with tpm2-tools as the witness."""

from pathlib import Path

import pytest

from tests.support.handles import handles, is_command, name_at
from tests.support.interposer import Interposer
from tests.support.programs import ROOT
from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Tool
from tpmwire.spec.constants import TPM_CC

KEYS = ROOT / "fixtures" / "keys"
HANDLE, BESIDE = "0x81010009", "0x8101000a"

pytestmark = pytest.mark.swtpm(state=KEYS / "swtpm-state")


@pytest.mark.parametrize(
    "file", ["hmac", "hmac-password", "hmac-pcr", "hmac-persistent-parent", "rsa", "ecc", "sealed"]
)
def test_persist_keys_of_other_programs(swtpm: Swtpm, tool: Tool, tmp_path: Path, file: str) -> None:
    """A key's own password and policy are not asked for."""
    ran = tool("persist", KEYS / f"{file}.pem", HANDLE, "--tpm-path", swtpm.path)
    assert ran.code == 0, ran.err
    assert ran.out.strip() == name_at(swtpm, HANDLE, tmp_path)


def test_persist_refuses(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    pem, where = KEYS / "hmac.pem", ("--tpm-path", swtpm.path)
    srk = name_at(swtpm, "0x81000001", tmp_path)
    ran = tool("persist", pem, "0x81000001", *where)
    assert (ran.code, ran.out, "is occupied" in ran.err) == (2, "", True)
    assert name_at(swtpm, "0x81000001", tmp_path) == srk
    # A key of another TPM: what was there stays, forced or not.
    with Swtpm() as other:
        assert tool("import", "--out", tmp_path / "other.pem", "--tpm-path", other.path, stdin=b"x" * 40).code == 0
    ran = tool("persist", tmp_path / "other.pem", "0x81000001", "--force", *where)
    assert (ran.code, "TPM_RC_INTEGRITY" in ran.err) == (4, True)
    assert name_at(swtpm, "0x81000001", tmp_path) == srk
    assert tool("persist", tmp_path / "none.pem", HANDLE, *where).code == 2
    assert tool("persist", tmp_path / "name", HANDLE, *where).code == 5
    assert tool("persist", pem, "0x80000001", *where).code == 2
    tpm2(swtpm, "changeauth", "-c", "owner", "ownerpwd")
    ran = tool("persist", pem, HANDLE, *where, "--owner-auth", "wrong")
    assert (ran.code, HANDLE in handles(swtpm, "persistent")) == (4, False)
    assert tool("persist", pem, HANDLE, *where, "--owner-auth", "ownerpwd").code == 0


def test_persist_replaces_when_forced(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    for file in ("hmac", "ecc"):
        ran = tool("persist", KEYS / f"{file}.pem", HANDLE, "--force", "--tpm-path", swtpm.path)
        assert ran.out.strip() == name_at(swtpm, HANDLE, tmp_path)


@pytest.mark.parametrize(
    ("refused", "left"),
    [
        (1, {HANDLE: "ecc"}),  # no room for both
        (2, {HANDLE: "ecc"}),
        (3, {BESIDE: "hmac"}),
        (4, {HANDLE: "hmac", BESIDE: "hmac"}),
    ],
)
def test_persist_loses_no_key_where_it_cannot_replace(
    swtpm: Swtpm, tool: Tool, tmp_path: Path, refused: int, left: dict[str, str]
) -> None:
    """The new key is in the TPM before the old one goes: one of the two is there, whichever command is refused."""
    names = {}
    for file in ("hmac", "ecc"):
        names[file] = tool(
            "persist", KEYS / f"{file}.pem", HANDLE, "--force", "--tpm-path", swtpm.path
        ).out.strip()
    before = handles(swtpm, "persistent")
    assert BESIDE not in before
    full = bytes.fromhex("80010000000a0000014b")  # TPM_RC_NV_SPACE
    seen = []

    def refuse(sent: bytes) -> bytes | None:
        if not is_command(sent, TPM_CC.EvictControl):
            return None
        seen.append(sent)
        return full if len(seen) == refused else None

    with Interposer(swtpm.path) as bus:
        bus.on_command = refuse
        ran = tool("persist", KEYS / "hmac.pem", HANDLE, "--force", "--tpm-path", bus.path)
    assert (ran.code, "TPM_RC_NV_SPACE" in ran.err) == (4, True)
    assert (f"the old key at {HANDLE} is gone; the new key is at {BESIDE}" in ran.err) is (refused == 3)
    assert set(handles(swtpm, "persistent")) == {*before, *left} - ({HANDLE} - left.keys())
    assert {place: name_at(swtpm, place, tmp_path) for place in left} == {
        at: names[key] for at, key in left.items()
    }
    for place in left:
        assert tool("evict", place, "--tpm-path", swtpm.path).code == 0
