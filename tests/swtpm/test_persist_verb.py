"""`tpmwire persist`, `evict`, `list`, `flush`, `name` on a real TPM, with tpm2-tools as the witness."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support import keys
from tests.support.interposer import Interposer
from tests.support.swtpm import Swtpm, tpm2
from tests.support.terminal import at_a_terminal
from tests.support.verbs import Tool, held
from tpmwire.spec.commands.sequences import HMAC_Start
from tpmwire.spec.constants import TPM_CC, TPM_HT
from tpmwire.tpm import Tpm

KEYS = Path(__file__).parents[2] / "fixtures" / "keys"

pytestmark = pytest.mark.swtpm(state=KEYS / "swtpm-state")
HANDLE, BESIDE = "0x81010009", "0x8101000a"


def name_at(swtpm: Swtpm, handle: str, directory: Path) -> str:
    tpm2(swtpm, "readpublic", "-c", handle, "-n", directory / "name")
    return (directory / "name").read_bytes().hex()


def is_command(octets: bytes, code: TPM_CC) -> bool:
    return octets[6:10] == code.to_bytes(4, "big")


def handles(swtpm: Swtpm, kind: str) -> list[str]:
    """What tpm2-tools list, as we write it."""
    listed = re.findall(r"0x[0-9A-Fa-f]+", tpm2(swtpm, "getcap", f"handles-{kind}").decode())
    return [f"0x{int(handle, 16):08x}" for handle in listed]


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
    assert (f"the old key at {HANDLE} is gone; the new one is at {BESIDE}" in ran.err) is (refused == 3)
    assert set(handles(swtpm, "persistent")) == {*before, *left} - ({HANDLE} - left.keys())
    assert {place: name_at(swtpm, place, tmp_path) for place in left} == {
        at: names[key] for at, key in left.items()
    }
    for place in left:
        assert tool("evict", place, "--tpm-path", swtpm.path).code == 0


def test_evict(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    where = ("--tpm-path", swtpm.path)
    tool("persist", KEYS / "hmac.pem", HANDLE, *where)
    tpm2(swtpm, "changeauth", "-c", "owner", "ownerpwd")
    (tmp_path / "password").write_text("ownerpwd")
    ran = tool("evict", HANDLE, *where)
    assert (ran.code, handles(swtpm, "persistent").count(HANDLE)) == (4, 1)
    with Interposer(swtpm.path) as bus:
        ran = tool("evict", HANDLE, "--tpm-path", bus.path, "--owner-auth-file", tmp_path / "password")
        assert b"ownerpwd" not in bus.octets
    assert (ran.code, ran.out, handles(swtpm, "persistent").count(HANDLE)) == (0, "", 0)
    ran = tool("evict", HANDLE, *where)
    assert (ran.code, "no object at" in ran.err) == (2, True)
    assert tool("evict", "0x80000000", *where).code == 2


def test_list_shows_the_keys_of_the_go_programs_users(tool: Tool, tmp_path: Path) -> None:
    with Swtpm() as swtpm:
        keys.make_keys(swtpm, "x" * 40, tmp_path)
        rows: list[dict[str, Any]] = json.loads(tool("list", "--json", "--tpm-path", swtpm.path).out)
        persistent = {row["handle"]: row for row in rows if row["kind"] == "persistent"}
        assert list(persistent) == handles(swtpm, "persistent")
        for handle, row in persistent.items():
            assert row["name"] == name_at(swtpm, handle, tmp_path)
        plain, bound = (persistent[f"0x{handle:08x}"] for handle in (keys.PLAIN_HANDLE, keys.PCR_HANDLE))
        assert plain["type"] == bound["type"] == "HMAC key, SHA256"
        assert persistent["0x81000001"]["type"] == "ECC NIST_P256 storage key"
        assert plain["attributes"] == ["userWithAuth", "signEncrypt"]
        assert bound["attributes"] == ["noDA", "signEncrypt"]
        public = tpm2(swtpm, "readpublic", "-c", f"{keys.PCR_HANDLE:#x}").decode().lower()
        assert plain["auth_policy"] == ""
        assert f"authorization policy: {bound['auth_policy']}\n" in public
        text = tool("list", "--tpm-path", swtpm.path).out
        assert f"    auth policy  {bound['auth_policy']}\n" in text
        assert f"    Name         {plain['name']}\n    auth policy  none\n" in text


def leave_things(swtpm: Swtpm, directory: Path) -> None:
    """What careless programs leave behind: two objects, two loaded sessions, two saved ones."""
    for number in range(2):
        tpm2(swtpm, "startauthsession", "-S", directory / f"saved{number}.ctx")
    tpm = Tpm.open(swtpm.path, 20)
    from tpmwire.sessions import SessionStart
    from tpmwire.spec.constants import TPM_SE

    tpm.start_session(SessionStart())
    tpm.start_session(SessionStart(TPM_SE.POLICY))
    # A sequence object has no public area.
    tpm.execute(HMAC_Start(int(HANDLE, 16)))
    tpm.transport.close()
    tpm2(swtpm, "createprimary", "-c", directory / "primary.ctx")


def test_list_and_flush_what_was_left(
    swtpm: Swtpm, tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ("--tpm-path", swtpm.path)
    tool("persist", KEYS / "hmac.pem", HANDLE, *where)
    tpm2(swtpm, "nvdefine", "-s", "8", "-a", "ownerread|ownerwrite|nt=counter", "0x1500016")
    leave_things(swtpm, tmp_path)
    seen = {
        kind: handles(swtpm, kind)
        for kind in ("transient", "persistent", "loaded-session", "saved-session", "nv-index", "permanent")
    }
    assert [len(seen[kind]) for kind in ("transient", "loaded-session", "saved-session")] == [2, 2, 2]
    document = tool("list", "--json", *where).out
    rows = json.loads(document)
    for kind, listed in seen.items():
        ours = kind.replace("-", " ").replace("nv index", "NV index")
        assert [row["handle"] for row in rows if row["kind"] == ours] == listed
    types = {row["type"] for row in rows}
    assert {"hash or HMAC sequence", "RSA 2048 storage key", "HMAC session", "policy or trial session"} <= types
    (index,) = (row for row in rows if row["kind"] == "NV index")
    assert (index["type"], index["attributes"]) == ("counter, 8 bytes", ["ownerwrite", "ownerread"])
    nv = tpm2(swtpm, "nvreadpublic", "0x1500016").decode()
    assert f"name: {index['name']}\n" in nv

    # However little the TPM gives at once, all of it comes together.
    monkeypatch.setattr("cli.tpm.inventory.PAGE", 1)
    assert tool("list", "--json", *where).out == document
    monkeypatch.undo()

    ran = tool("flush", "--transient", *where)
    assert ran.out.splitlines() == [f"{handle}  transient" for handle in seen["transient"]]
    assert [handles(swtpm, kind) for kind in ("transient", "saved-session")] == [[], seen["saved-session"]]
    ran = tool("flush", "--sessions", *where)
    assert (ran.code, len(ran.out.splitlines()), held(swtpm)) == (0, 4, "")
    leave_things(swtpm, tmp_path)
    ran = tool("flush", *where)
    assert (ran.code, len(ran.out.splitlines()), held(swtpm)) == (0, 6, "")
    assert tool("flush", *where) == (0, "", "nothing to flush\n")
    assert handles(swtpm, "persistent") == seen["persistent"]


def test_flush_goes_on_after_what_it_cannot_remove(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    tool("persist", KEYS / "hmac.pem", HANDLE, "--tpm-path", swtpm.path)
    leave_things(swtpm, tmp_path)
    gone = bytes.fromhex("80010000000a000001c4")  # TPM_RC_VALUE (parameter 1): somebody was faster
    with Interposer(swtpm.path) as bus:
        bus.on_command = lambda sent: (
            gone if is_command(sent, TPM_CC.FlushContext) and "FlushContext" not in bus.codes else None
        )
        ran = tool("flush", "--tpm-path", bus.path)
    assert (ran.code, len(ran.out.splitlines()), ran.err.count("\n")) == (4, 5, 1)
    assert tool("flush", "--tpm-path", swtpm.path).code == 0


def test_list_where_something_goes_meanwhile(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    tpm2(swtpm, "createprimary", "-c", tmp_path / "primary.ctx")
    none = bytes.fromhex("80010000000a0000018b")  # TPM_RC_HANDLE (handle 1)
    with Interposer(swtpm.path) as bus:
        bus.on_command = lambda sent: (
            none if is_command(sent, TPM_CC.ReadPublic) and sent[10] == TPM_HT.TRANSIENT else None
        )
        ran = tool("list", "--json", "--tpm-path", bus.path)
    assert ran.code == 0
    assert {row["kind"] for row in json.loads(ran.out)} == {"persistent", "permanent"}
    tpm2(swtpm, "flushcontext", "-t")


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
        ("ek_rsa", 2, "nor a file"),
        ("0x1ffffffff", 2, "is not a handle"),
        ("0x81010077", 4, "no object at this handle"),
        ("0x80000000", 4, "TPM_RC_REFERENCE_H0"),
    ],
)
def test_names_of_nothing(swtpm: Swtpm, tool: Tool, what: str, code: int, says: str) -> None:
    ran = tool("name", what, "--tpm-path", swtpm.path)
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)
    assert says in ran.err


def test_at_a_terminal_a_key_is_removed_when_the_user_agrees(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    handle, where = "0x81010077", ("--tpm-path", swtpm.path)
    secret = b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

    def there() -> bool:
        return handle in tool("list", *where).out

    assert tool("import", "--persistent-handle", handle, *where, stdin=secret).code == 0
    for no in (b"n", b"", b"\x04"):
        code, shown = at_a_terminal(["evict", handle, *where], [no], b"[y/N] ")
        assert (code, "nothing was changed" in shown, there()) == (2, True, True), shown
    code, shown = at_a_terminal(["evict", handle, *where], [b"y"], b"[y/N] ")
    assert (code, "permanently?" in shown, there()) == (0, True, False), shown
    assert tool("import", "--persistent-handle", handle, *where, stdin=secret).code == 0
    code, shown = at_a_terminal(["evict", handle, *where, "--yes"], [], b"[y/N] ")
    assert (code, "permanently?" in shown, there()) == (0, False, False), shown


@pytest.mark.parametrize("words", [["--delete-old"], ["--resume", "--discard=AKIANEW"]])
def test_at_a_terminal_an_access_key_is_deleted_when_the_user_agrees(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    code, shown = at_a_terminal(["rotate", "--profile=made-up", *words], [b"n"], b"[y/N] ")
    assert (code, "nothing was changed" in shown) == (2, True), shown
    code, shown = at_a_terminal(["rotate", "--profile=made-up", *words, "--yes"], [], b"[y/N] ")
    assert (code, "permanently" in shown) == (2, False), shown
