"""`tpmwire certify` and `checkcertify`, tpm2_certify, and the library's verification of other statements."""

import json
from pathlib import Path

import pytest

import tpmwire
from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Tool
from tpmwire import attest, calls, templates
from tpmwire.attest import AttestationError
from tpmwire.crypto.formulas import name_of
from tpmwire.primary import create_primary
from tpmwire.spec.commands.attestation import CertifyCreation, GetTime
from tpmwire.spec.commands.hierarchy import CreatePrimary
from tpmwire.spec.commands.nv import NV_Certify
from tpmwire.spec.constants import TPM_ALG, TPM_RH
from tpmwire.spec.structures import TPMS_SENSITIVE_CREATE, TPMT_SIG_SCHEME
from tpmwire.tpm import Tpm

NONCE = "0011223344556677"
INDEX = 0x01800001
OWN = TPMT_SIG_SCHEME(TPM_ALG.NULL)


@pytest.fixture
def ak(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> Path:
    """A key file; ak.pub beside it."""
    path = tmp_path / "ak.pem"
    assert tool("ak", "--out", path, "--public", tmp_path / "ak.pub", "--tpm-path", swtpm.path).code == 0
    return path


def test_a_key_file_is_certified(swtpm: Swtpm, tool: Tool, ak: Path, tmp_path: Path) -> None:
    where = ("--tpm-path", swtpm.path)
    assert tool("ak", "--out", tmp_path / "key.pem", "--public", tmp_path / "key.pub", *where).code == 0
    made = tool("certify", tmp_path / "key.pem", "--by", ak, "--nonce", NONCE, *where)
    assert made.code == 0, made.err
    (tmp_path / "certified.json").write_text(made.out)
    check = ("checkcertify", tmp_path / "certified.json", "--public", tmp_path / "ak.pub", "--nonce", NONCE)
    good = tool(*check, "--item", tmp_path / "key.pub")
    assert (good.code, good.err) == (0, "")
    assert good.out.startswith("valid statement: the object is in the TPM\n")
    assert tool(*check, "--item", json.loads(made.out)["name"]).code == 0
    for words, said in (
        ((*check, "--item", tmp_path / "ak.pub"), "Name: expected"),
        ((*check[:-1], "00", "--item", tmp_path / "key.pub"), "nonce: expected 00"),
        (
            (*check[:2], "--public", tmp_path / "key.pub", *check[4:], "--item", tmp_path / "key.pub"),
            "signature: ",
        ),
        ((*check, "--item", hex(INDEX), "--contents", ""), "--item"),
    ):
        bad = tool(*words)
        assert bad.code in (2, 8)
        assert said in bad.err


def test_keys_that_no_verifier_accepts(swtpm: Swtpm, tool: Tool, ak: Path, tmp_path: Path) -> None:
    where = ("--tpm-path", swtpm.path)
    key = ("-G", "ecc:ecdsa-sha256:null", "-a", "sign|fixedtpm|fixedparent|sensitivedataorigin|userwithauth")
    tpm2(swtpm, "createprimary", "-C", "o", *key, "-c", "key.ctx", cwd=tmp_path)
    tpm2(swtpm, "flushcontext", "-t")
    refused = tool("certify", ak, "--by", tmp_path / "key.ctx", "--nonce", NONCE, *where)
    assert (refused.code, refused.out) == (8, "")
    assert "without restricted" in refused.err
    assert tool("ak", "--out", tmp_path / "x.pem", "--algorithm", "aes128", *where).code == 2
    missing = tool("quote", "0x81010009", "--pcrs", "sha256:0", "--nonce", NONCE, *where)
    assert missing.code == 4
    assert "access key" not in missing.err


def test_go_attestation_does_not_verify_rsapss(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    where, key = ("--tpm-path", swtpm.path), tmp_path / "pss.pem"
    assert tool("ak", "--out", key, "--algorithm", "rsa2048:rsapss-sha256", *where).code == 0
    refused = tool("certify", key, "--by", key, "--nonce", NONCE, "--format", "go", *where)
    assert (refused.code, refused.out) == (2, "")
    assert "go-attestation does not verify RSAPSS; use a key with RSASSA or ECDSA" in refused.err
    assert tool("certify", key, "--by", key, "--nonce", NONCE, *where).code == 0


def test_files_of_tpm2_certify(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    for words in (
        ("createek", "-c", "ek.ctx", "-G", "ecc", "-u", "ek.pub"),
        ("createak", "-C", "ek.ctx", "-G", "rsa", "-s", "rsassa", "-g", "sha256", "-c", "ak.ctx", "-u", "ak.pub"),
        ("createprimary", "-C", "o", "-c", "key.ctx"),
        ("readpublic", "-c", "key.ctx", "-o", "key.pub", "-f", "tss"),
        ("certify", "-c", "key.ctx", "-C", "ak.ctx", "-g", "sha256", "-o", "m", "-s", "s", "--scheme", "rsassa"),
    ):
        tpm2(swtpm, *words, cwd=tmp_path)
        tpm2(swtpm, "flushcontext", "-t")
    nonce = tmp_path / "nonce"
    statement = attest.parse_statement((tmp_path / "m").read_bytes())
    nonce.write_bytes(statement.extra_data)
    ran = tool(
        *("checkcertify", "--message", tmp_path / "m", "--signature", tmp_path / "s", "--nonce", f"@{nonce}"),
        *("--public", tmp_path / "ak.pub", "--item", tmp_path / "key.pub"),
    )
    assert (ran.code, ran.err) == (0, "")
    ours = tool(
        "certify", tmp_path / "key.ctx", "--by", tmp_path / "ak.ctx", "--nonce", NONCE, "--tpm-path", swtpm.path
    )
    assert ours.code == 0, ours.err


def test_an_nv_index_is_certified(swtpm: Swtpm, tool: Tool, ak: Path, tmp_path: Path) -> None:
    with Tpm.open(swtpm.path, timeout=60) as tpm:
        calls.nv_define(tpm, INDEX, 4)
        calls.nv_write(tpm, INDEX, b"\1\2\3\4")
    made = tool("certify", hex(INDEX), "--by", ak, "--nonce", NONCE, "--tpm-path", swtpm.path)
    assert made.code == 0, made.err
    (tmp_path / "certified.json").write_text(made.out)
    check = ("checkcertify", tmp_path / "certified.json", "--public", tmp_path / "ak.pub", "--nonce", NONCE)
    good = tool(*check, "--item", hex(INDEX), "--contents", "01020304", "--json")
    assert json.loads(good.out)["type"] == "ATTEST_NV"
    for item, contents, said in (
        (hex(INDEX), "01020305", "NV contents: expected 01020305"),
        (hex(INDEX + 1), "01020304", "Name: the statement is about the NV index 0x01800001"),
        ("000b" + "00" * 32, "01020304", "Name: expected"),
    ):
        bad = tool(*check, "--item", item, "--contents", contents)
        assert bad.code == 8
        assert said in bad.err


def test_statements_of_the_library(swtpm: Swtpm) -> None:
    with tpmwire.Tpm.open(swtpm.path, timeout=60) as tpm:
        key = create_primary(tpm, TPM_RH.ENDORSEMENT, templates.attestation())
        other = create_primary(tpm, TPM_RH.ENDORSEMENT, templates.attestation("ecc384")).public
        item = tpm.execute(
            CreatePrimary(TPM_RH.OWNER, TPMS_SENSITIVE_CREATE(b"", b""), templates.srk_ecc(), b"outside")
        )
        made = tpm.execute(
            CertifyCreation(key.handle, item.object_handle, b"n", item.creation_hash, OWN, item.creation_ticket)
        )
        creation = (made.certify_info, made.signature)
        certified = calls.certify(tpm, item.object_handle, key, b"n")
        calls.nv_define(tpm, INDEX, 4)
        calls.nv_write(tpm, INDEX, b"\1\2\3\4")
        area = calls.nv_read_public(tpm, INDEX)
        stored = tpm.execute(NV_Certify(key.handle, INDEX, INDEX, b"n", OWN, 0, 0))
        clock = tpm.execute(GetTime(TPM_RH.ENDORSEMENT, key.handle, b"n", OWN))
    signer = attest.qualified_name(key.name, bytes.fromhex("4000000b"))
    qualified = attest.qualified_name(name_of(item.out_public), bytes.fromhex("40000001"))
    common = {"nonce": b"n", "signer": signer}
    about = {"item": item.out_public, "item_qualified_name": qualified}
    assert attest.verify_certified(*certified, key.public, **common, **about)  # type: ignore[arg-type]
    data = item.creation_data
    assert data.outside_info == b"outside"
    given = {**common, "item": item.out_public, "creation": data}
    assert attest.verify_creation(*creation, key.public, **given)
    # With size and offset 0, the statement has a digest of the whole index (version 1.59 and later).
    contents = b"\1\2\3\4" if attest.parse_statement(stored.certify_info).type.name == "ATTEST_NV_DIGEST" else b""
    nv = (stored.certify_info, stored.signature)
    assert attest.verify_nv(*nv, key.public, **common, index=area, contents=contents)  # type: ignore[arg-type]
    time = attest.verify_time(clock.time_info, clock.signature, key.public, **common)  # type: ignore[arg-type]
    assert time.time.clock_info.reset_count == 1  # GetTime attests it in plain text

    for refused_by, attempt in (
        ("Qualified Name", lambda: attest.verify_certified(
            *certified, key.public, nonce=b"n", item=item.out_public, item_qualified_name=signer)),
        ("Name", lambda: attest.verify_certified(*certified, key.public, nonce=b"n", item=other)),
        ("type", lambda: attest.verify_time(*certified, key.public, nonce=b"n")),
        ("type", lambda: attest.verify_certified(*creation, key.public, nonce=b"n", item=item.out_public)),
        ("signer", lambda: attest.verify_time(
            clock.time_info, clock.signature, key.public, nonce=b"n", signer=qualified)),
        ("creation data", lambda: attest.verify_creation(
            *creation, key.public, nonce=b"n", item=item.out_public, creation=data.replace(outside_info=b"x"))),
        ("NV contents", lambda: attest.verify_nv(
            *nv, key.public, nonce=b"n", index=area, contents=b"\1\2\3\5")),
        ("Name", lambda: attest.verify_nv(
            *nv, key.public, nonce=b"n", index=area.replace(data_size=5), contents=contents)),
    ):  # fmt: skip
        with pytest.raises(AttestationError) as error:
            attempt()
        assert error.value.check == refused_by
