"""`tpmwire list` on a real TPM shows what tpm2-tools list."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support import keys
from tests.support.handles import handles, is_command, leave_things, name_at
from tests.support.interposer import Interposer
from tests.support.programs import ROOT, machine
from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Tool, held
from tpmwire.spec.constants import TPM_CC, TPM_HT

KEYS = ROOT / "fixtures" / "keys"
HANDLE = "0x81010009"

pytestmark = pytest.mark.swtpm(state=KEYS / "swtpm-state")


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


def test_the_profiles_that_use_a_key(tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with machine(tmp_path) as box:
        path, where = box.swtpm.path, ("--tpm-path", box.swtpm.path)
        name = name_at(box.swtpm, f"{keys.PLAIN_HANDLE:#x}", tmp_path)
        handle = f"--persistentHandle={keys.PLAIN_HANDLE:#x}"
        (tmp_path / "mfa.pem").write_text("not a key")
        lines = {
            "default": f"{handle} --tpm-path={path}",
            "socket": f"{handle} --tpm-path={path.removeprefix('swtpm:path=')} --key-name={name}",
            "replaced": f"{handle} --key-name=000b{'00' * 32}",
            "elsewhere": f"{handle} --tpm-path=/dev/tpmrm7",
            "file": f"--credential-file={tmp_path}/plain.pem",
            "same-file": f"--credential-file={tmp_path}/plain.pem --mfa-serial=x --mfa-totp={tmp_path}/mfa.pem",
            "pipe": f"--credential-file={tmp_path}/pipe.pem",
            "broken": "--no-such-option",
        }
        (tmp_path / ".aws").mkdir()
        config = tmp_path / ".aws" / "config"
        program = "/x/aws-tpm-process-credential --aws-access-key-id=AKIAMADEUP"
        config.write_text(
            "".join(
                f"[{'' if profile == 'default' else 'profile '}{profile}]\ncredential_process = {program} {line}\n"
                for profile, line in lines.items()
            )
        )
        os.mkfifo(tmp_path / "pipe.pem")
        ran = tool("list", "--json", *where)
        assert ran.err.startswith(
            "tpmwire: warning: profile broken is not shown: unrecognized arguments: --no-such"
        )
        assert ran.err.count("\n") == 1
        rows = json.loads(ran.out)
        used = {row["handle"] or row["file"]: row["profiles"] for row in rows if row["profiles"]}
        assert used == {
            f"0x{keys.PLAIN_HANDLE:08x}": ["default", "socket"],
            f"{tmp_path}/plain.pem": ["file", "same-file"],
            f"{tmp_path}/mfa.pem": ["same-file"],
            f"{tmp_path}/pipe.pem": ["pipe"],
        }
        (row,) = (row for row in rows if row["file"] == f"{tmp_path}/pipe.pem")
        assert (row["type"], row["problem"]) == ("unknown", "not a regular file, and was not read")
        (row,) = (row for row in rows if row["file"] == f"{tmp_path}/plain.pem")
        assert (row["kind"], row["handle"], row["type"]) == ("key file", None, "HMAC key, SHA256")
        text = tool("list", *where).out
        assert "    profiles     default, socket\n" in text
        assert f"{tmp_path}/mfa.pem  key file: unknown\n    profiles     same-file\n    problem      " in text
        config.write_text("[profile x\n")
        ran = tool("list", *where)
        assert ran.code == 0
        assert "tpmwire: warning: profiles are not shown: " in ran.err
