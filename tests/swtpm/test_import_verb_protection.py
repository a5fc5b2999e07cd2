"""Protection that was asked for is not dropped silently: no empty values, and a warning for PCRs without use."""

import json
from pathlib import Path

import pytest

from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Tool

ID, SECRET = "AKIAIOSFODNN7EXAMPLE", b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.fixture(scope="module", autouse=True)
def pcr(shared_swtpm: Swtpm) -> None:
    tpm2(shared_swtpm, "pcrextend", f"7:sha256={'ab' * 32}")


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


EMPTY = ["--key-auth-file=empty", "--key-auth-file=newline", "--key-auth-file=", "--key-auth=", "--pcrs="]
EMPTY += ["--parent-auth-file=empty", "--owner-auth-file=empty", "--policy=", "--duplicable-to="]
EMPTY += ["--tpm-session-encrypt-with-name=", "--tpm-session-encrypt-with-public="]


@pytest.mark.parametrize("option", EMPTY)
@pytest.mark.parametrize("verb", ["import", "enroll", "totp import", "wrap"])
def test_an_empty_value_makes_no_key(
    shared_swtpm: Swtpm, tool: Tool, tmp_path: Path, verb: str, option: str
) -> None:
    """As a variable that is not set leaves it: `--pcrs "$PCRS"`."""
    for name, text in (("empty", ""), ("newline", "\n")):
        (tmp_path / name).touch(0o600)
        (tmp_path / name).write_text(text)
    secret, words = SECRET, ["--out", "k.pem", f"--tpm-path={shared_swtpm.path}"]
    if verb == "wrap":
        words = ["--to", "target.json", "--out", "k.pem"]
        (tmp_path / "target.json").write_text(tool("export-public", f"--tpm-path={shared_swtpm.path}").out)
    elif verb == "enroll":
        words += ["--profile", "p"]
        if "=empty" in option or "=newline" in option:
            pytest.skip("it reads passwords once AWS has told whose the key is")
    elif verb == "totp import":
        secret = b"JBSWY3DPEHPK3PXP" * 2
    ran = tool(*verb.split(), *words, option, stdin=secret)
    assert (ran.code, (tmp_path / "k.pem").exists()) == (2, False), ran.err
    known = "unrecognized arguments" not in ran.err
    assert not known or ("empty" in ran.err and ran.err.count("\n") == 1), ran.err


@pytest.mark.parametrize("option", ["--keyPass-file=empty", "--parentPass-file=empty", "--key-name="])
def test_an_empty_value_in_a_run(shared_swtpm: Swtpm, tool: Tool, tmp_path: Path, option: str) -> None:
    (tmp_path / "empty").touch(0o600)
    words = (
        f"--aws-access-key-id={ID}",
        "--region=us-east-1",
        f"--tpm-path={shared_swtpm.path}",
        "s3://bucket/key",
    )
    ran = tool("presign", *words, option)
    assert (ran.code, "empty" in ran.err) == (2, True), ran.err


def test_a_variable_that_is_set_and_empty_is_told(
    shared_swtpm: Swtpm, tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("import", "--out", "k.pem", "--force", f"--tpm-path={shared_swtpm.path}")
    monkeypatch.setenv("TPM_KEY_AUTH", "")
    ran = tool(*words, stdin=SECRET)
    assert (ran.code, "TPM_KEY_AUTH is set but empty" in ran.err) == (0, True)
    monkeypatch.delenv("TPM_KEY_AUTH")
    assert "TPM_KEY_AUTH" not in tool(*words, stdin=SECRET).err


def test_an_empty_pin_in_a_run_is_told(shared_swtpm: Swtpm, tool: Tool) -> None:
    """The Go program's own option, whose lines go on working."""
    assert tool("import", "--out", "k.pem", f"--tpm-path={shared_swtpm.path}", stdin=SECRET).code == 0
    words = (
        f"--aws-access-key-id={ID}",
        "--region=us-east-1",
        f"--tpm-path={shared_swtpm.path}",
        "s3://bucket/key",
    )
    ran = tool("presign", *words, "--credential-file=k.pem", "--tpm-session-encrypt-with-name=", "--timeout=20s")
    assert (ran.code, "no key is pinned" in ran.err) == (0, True)


ZERO, OTHER = "00" * 32, "ab" * 32
PCRS = {
    "7": (),
    "23": ("can reset PCR 23", "nothing is measured into PCR 23"),
    "7,16": ("can reset PCR 16", "nothing is measured into PCR 16"),
    "8": ("nothing is measured into PCR 8 ",),
    "7,8,9": ("nothing is measured into PCRs 8, 9",),
    # Without a dynamic launch: all ones.
    "17": ("nothing is measured into PCR 17",),
    f"sha256:7={OTHER}": (),
    f"sha256:23={OTHER}": ("can reset PCR 23",),
    f"sha256:7={ZERO}": ("nothing is measured into PCR 7",),
}


@pytest.mark.parametrize("pcrs", PCRS)
def test_pcrs_that_bind_to_nothing_are_told(shared_swtpm: Swtpm, tool: Tool, pcrs: str) -> None:
    ran = tool("import", "--out", "k.pem", f"--pcrs={pcrs}", f"--tpm-path={shared_swtpm.path}", stdin=SECRET)
    assert ran.code == 0, ran.err
    warnings = [line for line in ran.err.splitlines() if line.startswith("tpmwire: warning:")]
    assert len(warnings) == bool(PCRS[pcrs])
    for said in PCRS[pcrs]:
        assert said in warnings[0]


def test_a_policy_of_such_pcrs_is_told(shared_swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    for number, value in ((23, OTHER), (7, ZERO)):
        policy = {"type": "PolicyPCR", "pcrs": f"sha256:{number}={value}"}
        (tmp_path / "policy.json").write_text(json.dumps([policy]))
        ran = tool(
            "import",
            "--out",
            "k.pem",
            "--force",
            "--policy",
            "policy.json",
            f"--tpm-path={shared_swtpm.path}",
            stdin=SECRET,
        )
        assert (ran.code, f"PCR {number}" in ran.err) == (0, True), ran.err
    (tmp_path / "target.json").write_text(tool("export-public", f"--tpm-path={shared_swtpm.path}").out)
    ran = tool("wrap", "--to", "target.json", "--out", "w.pem", "--pcrs=7", stdin=SECRET)
    assert (ran.code, "nothing is measured into PCR 7" in ran.err) == (0, True), ran.err
