"""`tpmwire ak`, `quote` and `checkquote` against a software TPM, and both ways with tpm2-tools."""

import base64
import json
from pathlib import Path

import pytest

from tests.support.swtpm import Swtpm, SwtpmError, tpm2
from tests.support.verbs import Tool

NONCE = "00112233445566778899aabbccddeeff"


@pytest.fixture
def ak(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> Path:
    """A key file; ak.pub beside it."""
    path = tmp_path / "ak.pem"
    made = tool("ak", "--out", path, "--public", tmp_path / "ak.pub", "--tpm-path", swtpm.path)
    assert made.code == 0, made.err
    return path


def quote(tool: Tool, swtpm: Swtpm, key: object, *more: object, pcrs: str = "sha256:0,7") -> str:
    ran = tool("quote", str(key), "--pcrs", pcrs, "--nonce", NONCE, "--tpm-path", swtpm.path, *map(str, more))
    assert ran.code == 0, ran.err
    return ran.out


def test_a_quote_is_verified_without_a_tpm(swtpm: Swtpm, tool: Tool, ak: Path, tmp_path: Path) -> None:
    tpm2(swtpm, "pcrextend", "7:sha256=" + "ab" * 32)
    bundle = tmp_path / "quote.json"
    bundle.write_text(quote(tool, swtpm, ak, pcrs="sha256:0,7+sha1:0"))
    check = ("checkquote", bundle, "--public", tmp_path / "ak.pub", "--pcrs", "sha1:0+sha256:0,7")
    good = tool(*check, "--nonce", NONCE, "--json")
    assert good.code == 0, good.err
    facts = json.loads(good.out)
    assert set(facts["pcrs"]["sha256"]) == {"0", "7"}
    assert facts["attributes_checked"] is True
    text = tool(*check, "--nonce", NONCE)
    assert text.out.startswith("valid quote of sha256:0,7+sha1:0\n")
    assert text.err == ""
    for words, said in (
        ((*check, "--nonce", "00"), "nonce: expected 00, got 0011"),
        (
            (*check[:-1], "sha256:0,7", "--nonce", NONCE),
            "PCR selection: expected sha256:0,7, got sha256:0,7+sha1:0",
        ),
        ((*check[:-1], f"sha256:0={'01' * 32},7+sha1:0", "--nonce", NONCE), "PCR values: sha256:0: expected 0101"),
    ):
        bad = tool(*words)
        assert (bad.code, bad.out) == (8, "")
        assert said in bad.err
    name = tool("name", tmp_path / "ak.pub").out.strip()
    by_name = tool("checkquote", bundle, "--name", name, "--pcrs", "sha1:0+sha256:0,7", "--nonce", NONCE)
    assert by_name.code == 0, by_name.err
    other = tool("checkquote", bundle, "--name", name[:-2] + "00", "--pcrs", "sha1:0+sha256:0,7", "--nonce", NONCE)
    assert other.code == 8
    assert tool("checkquote", bundle, "--pcrs", "sha256:0", "--nonce", NONCE).code == 2


def test_tpm2_checkquote_accepts_our_files(swtpm: Swtpm, tool: Tool, ak: Path, tmp_path: Path) -> None:
    files = ("--message", tmp_path / "m", "--signature", tmp_path / "s", "--values", tmp_path / "p")
    pcrs = "sha1:1,2,3+sha256:0,1,2,3,4,5,6,7,8,9"
    assert quote(tool, swtpm, ak, *files, pcrs=pcrs) == ""
    pem = tmp_path / "ak.pub.pem"
    tpm2(swtpm, "print", "-t", "TPM2B_PUBLIC", "-f", "pem", tmp_path / "ak.pub")
    pem.write_bytes(tpm2(swtpm, "print", "-t", "TPM2B_PUBLIC", "-f", "pem", tmp_path / "ak.pub"))
    checked = ("checkquote", "-u", pem, "-m", tmp_path / "m", "-s", tmp_path / "s", "-f", tmp_path / "p")
    tpm2(swtpm, *checked, "-g", "sha256", "-q", NONCE)
    with pytest.raises(SwtpmError):
        tpm2(swtpm, *checked, "-g", "sha256", "-q", "00")


@pytest.mark.parametrize("algorithm", ["ecc", "rsa"])
@pytest.mark.parametrize("values", ["serialized", "values", "pcrread"])
def test_quotes_of_tpm2_quote(swtpm: Swtpm, tool: Tool, tmp_path: Path, algorithm: str, values: str) -> None:
    def tools(*words: str) -> None:
        tpm2(swtpm, *words, cwd=tmp_path)
        tpm2(swtpm, "flushcontext", "-t")

    tools("createek", "-c", "ek.ctx", "-G", "rsa", "-u", "ek.pub")
    scheme = "ecdsa" if algorithm == "ecc" else "rsapss"
    words = ("-G", algorithm, "-g", "sha256", "-s", scheme, "-u", "ak.pub", "-n", "ak.name", "-c", "ak.ctx")
    tools("createak", "-C", "ek.ctx", *words)
    form = "serialized" if values == "pcrread" else values
    tools(
        *("quote", "-c", "ak.ctx", "-l", "sha256:0,7", "-q", NONCE, "-g", "sha256"),
        *("-m", "m", "-s", "s", "-o", "p", "-F", form, "--scheme", scheme),
    )
    if values == "pcrread":
        (tmp_path / "p").write_bytes(tpm2(swtpm, "pcrread", "sha256:0,7"))
    ran = tool(
        *("checkquote", "--message", tmp_path / "m", "--signature", tmp_path / "s", "--values", tmp_path / "p"),
        *("--public", tmp_path / "ak.pub", "--pcrs", "sha256:0,7", "--nonce", NONCE),
    )
    assert (ran.code, ran.err) == (0, "")
    # The same key by its context file, which tpmwire loads and flushes.
    (tmp_path / "quote.json").write_text(quote(tool, swtpm, tmp_path / "ak.ctx"))
    ran = tool(
        *("checkquote", tmp_path / "quote.json", "--public", tmp_path / "ak.pub"),
        *("--pcrs", "sha256:0,7", "--nonce", NONCE),
    )
    assert (ran.code, ran.err) == (0, "")


def test_the_form_of_go_attestation(swtpm: Swtpm, tool: Tool, ak: Path, tmp_path: Path) -> None:
    one, two = (
        json.loads(quote(tool, swtpm, ak, "--format", "go", pcrs=pcrs)) for pcrs in ("sha1:0,7", "sha256:0,7")
    )
    assert one.keys() == {"Public", "Quotes", "PCRs", "EventLog"}
    assert {each["DigestAlg"] for each in one["PCRs"]} == {3}
    both = {**one, "Quotes": one["Quotes"] + two["Quotes"], "PCRs": one["PCRs"] + two["PCRs"]}
    path = tmp_path / "platform.json"
    path.write_text(json.dumps(both))
    check = ("checkquote", path, "--public", tmp_path / "ak.pub", "--nonce", NONCE, "--pcrs")
    ran = tool(*check, "sha256:0,7+sha1:0,7")
    assert (ran.code, ran.err) == (0, "")
    assert tool(*check, "sha256:0,7").code == 8
    assert tool(*check, "sha256:0,7+sha384:0,7").code == 8
    both["PCRs"][0]["Digest"] = base64.b64encode(b"\1" * 20).decode()
    path.write_text(json.dumps(both))
    assert "PCR values" in tool(*check, "sha256:0,7+sha1:0,7").err


def test_a_key_with_a_password(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    password, path = tmp_path / "password", tmp_path / "ak.pem"
    password.write_text("a password\n")
    password.chmod(0o600)
    made = tool("ak", "--out", path, "--key-auth-file", password, "--algorithm", "rsa", "--tpm-path", swtpm.path)
    assert made.code == 0, made.err
    assert "message" in json.loads(quote(tool, swtpm, path, "--key-auth-file", password))
    refused = tool("quote", path, "--pcrs", "sha256:0", "--nonce", NONCE, "--tpm-path", swtpm.path)
    assert refused.code == 4


def test_a_key_that_signs_anything_is_refused(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    key = ("-G", "ecc:ecdsa-sha256:null", "-a", "sign|fixedtpm|fixedparent|sensitivedataorigin|userwithauth")
    files = ("-m", "m", "-s", "s", "-o", "p")
    for words in (
        ("createprimary", "-C", "o", *key, "-c", "key.ctx"),
        ("readpublic", "-c", "key.ctx", "-o", "key.pub", "-f", "tss"),
        ("readpublic", "-c", "key.ctx", "-o", "key.pem", "-f", "pem"),
        ("quote", "-c", "key.ctx", "-l", "sha256:0", "-q", NONCE, "-g", "sha256", *files),
    ):
        tpm2(swtpm, *words, cwd=tmp_path)
        tpm2(swtpm, "flushcontext", "-t")
    check = ("checkquote", "--message", tmp_path / "m", "--signature", tmp_path / "s", "--values", tmp_path / "p")
    expected = ("--pcrs", "sha256:0", "--nonce", NONCE)
    refused = tool(*check, "--public", tmp_path / "key.pub", *expected)
    assert refused.code == 8
    assert "without restricted" in refused.err
    bare = tool(*check, "--public", tmp_path / "key.pem", *expected)
    assert bare.code == 0
    assert "attributes are unknown" in bare.err
