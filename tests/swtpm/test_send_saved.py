"""`tpmwire send --save NAME`, and `$NAME` in later runs."""

import json
import os
import re
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.swtpm import Swtpm
from tests.support.verbs import Ran, Tool, held

SECRETS = {"pw": b"a password of 17", "s": b"the sealed bytes"}


@pytest.fixture
def values(send: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    """Runs `tpmwire send --format values` in a folder with files that have secrets."""
    for name, data in SECRETS.items():
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(0o600)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Ran:
        return send("--format", "values", *words)

    return run


def results() -> Path:
    return Path(os.environ["XDG_STATE_HOME"], "tpmwire", "results")


def test_objects_and_values_are_used_in_later_runs(swtpm: Swtpm, values: Tool) -> None:
    steps = [
        ("--save", "p", "CreatePrimary"),
        ("Create", "$p", "ecc:ecdsa", "--save", "made"),
        ("Load", "$p", "$made", "--save", "key"),
        ("Sign", "$key", "text:hello", "--save", "sig"),
        ("VerifySignature", "$key", "$sig", "text:hello"),
    ]
    for words in steps:
        ran = values(*words)
        assert ran.code == 0, ran.err
        assert held(swtpm) == ""
    assert values("VerifySignature", "$key", "$sig", "text:other").code == 4
    assert sorted(path.stem for path in results().iterdir()) == ["key", "made", "p", "sig"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in results().iterdir()} == {0o600}
    assert stat.S_IMODE(results().stat().st_mode) == 0o700


def test_a_policy_session_goes_on_in_the_next_run(swtpm: Swtpm, values: Tool) -> None:
    words = [
        "--save",
        "p",
        "CreatePrimary",
        "+",
        "Create",
        "data=@s",
        "authPolicy=pcr:23;auth-value",
        "userAuth=@pw",
    ]
    assert values(*words, "+", "Load", "--save", "k").code == 0
    for step in (
        ["--save", "t", "StartAuthSession", "POLICY"],
        ["PolicyPCR", "$t", "23"],
        ["PolicyAuthValue", "$t"],
    ):
        assert values(*step).code == 0
    ran = values("--secrets", "Unseal", "$k", "session=$t", "auth=@pw")
    assert ran.code == 0, ran.err
    assert SECRETS["s"].hex() in ran.out
    # The session has satisfied its policy once, and begins anew.
    assert values("Unseal", "$k", "session=$t", "auth=@pw").code == 4
    assert values("FlushContext", "$t").code == 0
    assert held(swtpm) == ""
    assert not (results() / "t.json").exists()


def test_no_file_has_a_secret(values: Tool) -> None:
    sealed = values("CreatePrimary", "+", "Create", "data=@s", "userAuth=@pw", "--save", "made", "+", "Load")
    assert sealed.code == 0
    opened = values(
        *["CreatePrimary", "--save", "p", "+", "Load", "$p", "$made", "+", "Unseal", "auth=@pw"], "--save", "u"
    )
    assert "note: $u is saved without outData, which is secret" in opened.err
    assert "$u.outData does not exist" in values("Hash", "$u.outData").err
    salted = values("StartAuthSession", "HMAC", "$p", "--save", "h")
    assert salted.code == 0
    assert "$h is not saved for later runs: a salted" in salted.err
    files = {path.name: path.read_text() for path in results().iterdir()}
    assert sorted(files) == ["made.json", "p.json", "u.json"]
    for secret in SECRETS.values():
        assert not [name for name, text in files.items() if secret.hex() in text or secret.decode() in text]


def test_points_of_ecdh_are_not_saved(values: Tool) -> None:
    assert values("--save", "k", "CreatePrimary", "ecc;decrypt|userwithauth|sensitivedataorigin").code == 0
    made = values("ECDH_KeyGen", "$k", "--save", "e")
    opened = values("ECDH_ZGen", "$k", "$e.pubPoint", "--save", "z")
    for ran, name, field in ((made, "e", "zPoint"), (opened, "z", "outPoint")):
        assert f"note: ${name} is saved without {field}, which is secret" in ran.err
        points = [line.partition(": ")[2] for line in ran.out.partition(field)[2].split("\n")[1:3]]
        assert [len(point) for point in points] == [64, 64], ran.out
        text = (results() / f"{name}.json").read_text()
        assert not [point for point in points if point in text]


def test_forgotten_foreign_and_damaged_results(values: Tool, tool: Tool, tmp_path: Path) -> None:
    assert values("--save", "p", "CreatePrimary").code == 0
    assert values("--save", "q", "GetRandom", "8").code == 0
    foreign = tool("send", "--tpm-path", f"soft:{tmp_path}/other", "ReadPublic", "$p")
    assert foreign.code == 2
    assert "$p cannot be loaded: TPM2_ContextLoad: TPM_RC_INTEGRITY" in foreign.err
    assert "--forget p" in foreign.err
    assert tool("send", "--forget", "$q").code == 0
    gone = tool("send", "--forget", "q")
    assert (gone.code, "no such saved result; saved: p" in gone.err) == (2, True)
    for text in ("{", "[]", "null", json.dumps({"version": 2}), json.dumps({"version": 1, "command": "00"})):
        (results() / "p.json").write_text(text)
        damaged = values("ReadPublic", "$p")
        assert damaged.code == 2
        assert damaged.err.endswith(
            ": the saved result $p is damaged, or from another version of tpmwire; remove it with `tpmwire send "
            "--forget p`\n"
        )
    (results() / "p.json").unlink()
    os.mkfifo(results() / "p.json")
    assert "unknown result $p" in values("ReadPublic", "$p").err


@pytest.mark.parametrize("name", ["../x", "1", "", "a-b", "x" * 65, "\u00e9"])
def test_names_are_checked_before_a_command_is_sent(values: Tool, name: str) -> None:
    for words in (
        ["--save", name, "Clear", "lockout"],
        ["GetRandom", "8", "+", "Clear", "lockout", "--save", name],
    ):
        ran = values(*words)
        assert (ran.code, ran.out) == (2, "")
        assert f"{name!r} is not a valid name for a result" in ran.err
    assert not results().exists()


def test_save_with_json(values: Tool, tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text('{"command": "CreatePrimary", "save": "inner"}')
    assert values("--json", "one.json", "--save", "p").code == 0
    assert values("ReadPublic", "$p").code == 0
    (tmp_path / "one.json").write_text('{"command": "GetRandom", "bytesRequested": 8, "save": 1}')
    assert "1 is not a valid name for a result" in values("--json", "one.json").err


def test_a_folder_that_cannot_be_written_is_a_note(values: Tool, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("not a folder")
    ran = values("--save", "p", "GetRandom", "8", "+", "Hash", "$p")
    assert ran.code == 0
    assert (
        f"note: $p is not saved for later runs: {tmp_path / 'state'}/tpmwire/results: Not a directory\n" in ran.err
    )


def test_send_can_be_omitted(swtpm: Swtpm, tool: Tool) -> None:
    assert tool("GetRandom", "8", "--tpm-path", swtpm.path).code == 0
    assert "did you mean GetRandom" in tool("GetRandm", "8", "--tpm-path", swtpm.path).err
    assert "unknown verb 'getrandom'" in tool("getrandom", "8").err


def test_a_private_key_in_plaintext_is_not_saved(values: Tool, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    number = f"{key.private_numbers().private_value:064x}"
    pem = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "k.pem").write_bytes(key.private_bytes(*pem))
    made = [
        "CreatePrimary",
        "--save",
        "p",
        "+",
        "Import",
        "@k.pem",
        "--save",
        "i",
        "+",
        "Load",
        "$i",
        "--save",
        "k",
    ]
    assert values(*made).code == 0
    policy = "authPolicy=command-code:Duplicate"
    words = ["Create", "$p", "ecc;sign|decrypt|sensitiveDataOrigin", policy, "+", "Load", "$p"]
    ran = values(*words, "+", "Duplicate", "newParent=null", "policy=command-code", "--save", "d")
    assert ran.code == 0, ran.err
    assert "$d is saved without duplicate" in ran.err
    plain = re.findall(r"duplicate: (\w{64,})", ran.out)[0]
    texts = "".join(path.read_text() for path in results().iterdir())
    assert "d.json" in {path.name for path in results().iterdir()}
    assert plain not in texts
    assert number not in texts
    assert values("Sign", "$k", "text:x").code == 0
