"""`tpmwire spec`: tables made from the declarations, and what a value means in them."""

import json
from collections.abc import Callable

import pytest

from cli import toolbox
from tpmwire.explain.table import declarations, kinds, table_of
from tpmwire.spec.command import command_class
from tpmwire.spec.constants import TPM_CC

Spec = Callable[..., tuple[int, str]]


@pytest.fixture
def spec(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Spec:
    """Runs the verb: exit code, and what it says."""
    monkeypatch.setitem(toolbox.VERBS, "spec", "")

    def run(*words: str) -> tuple[int, str]:
        code = toolbox.main(["spec", *words])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def test_everything_has_a_table() -> None:
    for name in declarations():
        table = table_of(name)
        assert table.name == name
        assert any(rows for _, rows in table.parts), name
        assert json.loads(json.dumps(table.as_json()))["name"] == name
    commands = kinds()["commands (Part 3)"]
    assert commands == [f"TPM2_{code.name}" for code in TPM_CC if command_class(code)]


def test_a_command(spec: Spec) -> None:
    code, said = spec("TPM2_HMAC")
    assert code == 0
    assert said == (
        "TPM2_HMAC  Returns the HMAC of buffer with the key at handle. hashAlg NULL means the key's hash."
        "  [Part 3 §15.5]\n"
        "  meaning\n"
        "    Computes an HMAC with a key that never leaves the TPM. Same command code as TPM2_MAC.\n"
        "  command code\n"
        "    0x00000155  TPM_CC_HMAC\n"
        "  sessions\n"
        "    3 at most, 1 of them for its handles; possible uses: audit, decrypt, encrypt\n"
        "  handles\n"
        "    handle  TPMI_DH_OBJECT  role USER: authorized by the object's authValue or policy\n"
        "        the HMAC key: keyedhash, sign set, restricted clear.\n"
        "  parameters\n"
        "    buffer   TPM2B_MAX_BUFFER  UINT16 size and its bytes, a session can encrypt it\n"
        "        the data, at most TPM_PT_INPUT_BUFFER bytes; longer data needs a sequence.\n"
        "    hashAlg  TPMI_ALG_HASH     UINT16\n"
        "        the hash; TPM_ALG_NULL for the key's own.\n"
        "  response handles: none\n"
        "  response parameters\n"
        "    outHMAC  TPM2B  UINT16 size and its bytes, at most 64, secret, a session can encrypt it  the HMAC.\n"
        "  typical errors\n"
        "    TPM_RC_TYPE          the object is not a keyedhash key\n"
        "    TPM_RC_ATTRIBUTES    the key lacks sign, or is restricted\n"
        "    TPM_RC_VALUE         hashAlg is not the key's own\n"
        "    TPM_RC_COMMAND_CODE  many chips do not implement it; use TPM2_HMAC_Start and TPM2_SequenceComplete\n"
    )
    assert spec("hmac")[1] == spec("TPM_CC_HMAC")[1] == said


@pytest.mark.parametrize(
    ("command", "sessions"),
    [
        ("GetRandom", "3 at most; possible uses: audit, encrypt"),
        ("Certify", "3 at most, 2 of them for its handles; possible uses: audit, decrypt, encrypt"),
        ("Clear", "3 at most, 1 of them for its handles; possible uses: audit"),
        ("FlushContext", "none: the tag is always TPM_ST_NO_SESSIONS"),
    ],
)
def test_the_sessions_of_a_command(spec: Spec, command: str, sessions: str) -> None:
    assert f"  sessions\n    {sessions}\n" in spec(command)[1]


def test_the_roles_that_are_not_user() -> None:
    """As Part 3 gives them in the descriptions of the handles; all other authorized handles have role USER."""
    special = {
        f"{code.name}.{name}": role.name
        for code in TPM_CC
        if (kind := command_class(code))
        for name, role in kind.handle_fields()
        if role.name in ("ADMIN", "DUP")
    }
    assert special == {
        "ActivateCredential.activate_handle": "ADMIN",
        "AC_Send.send_object": "DUP",
        "Certify.object_handle": "ADMIN",
        "CertifyX509.object_handle": "ADMIN",
        "Duplicate.object_handle": "DUP",
        "FieldUpgradeStart.authorization": "ADMIN",
        "NV_ChangeAuth.nv_index": "ADMIN",
        "NV_UndefineSpaceSpecial.nv_index": "ADMIN",
        "ObjectChangeAuth.object_handle": "ADMIN",
    }


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("TPMT_PUBLIC", "objectAttributes  TPMA_OBJECT"),
        ("TPMT_PUBLIC", "TPMU_PUBLIC_PARMS  member selected by type"),
        ("TPMU_PUBLIC_PARMS", "TPM_ALG_ECC         TPMS_ECC_PARMS"),
        ("TPM2B_PUBLIC", "UINT16 size of TPMT_PUBLIC"),
        ("TPML_PCR_SELECTION", "UINT32 count of TPMS_PCR_SELECTION"),
        ("TPMI_ALG_HASH", "the values of TPM_ALG"),
        ("TPMA_OBJECT", "bit 18  0x00040000  signEncrypt"),
        ("TPM_SU", "0x0001  TPM_SU_STATE"),
        ("TPM_RC", "TPM_RC_AUTH_FAIL           wrong password"),
        ("TPM_RC", "0x0b  TSS2_RESMGR_RC      a resource manager, such as the kernel's /dev/tpmrm0"),
        (
            "TPMA_OBJECT 0x40472",
            "fixedTPM|fixedParent|sensitiveDataOrigin|userWithAuth|noDA|signEncrypt\n  bit 1   fixed",
        ),
        ("TPMA_OBJECT fixedTPM|decrypt", "0x20002: fixedTPM|decrypt\n  bit 1   fixedTPM: the object never leaves"),
        ("TPMA_NV 0x62040012", "written|platformcreate, TPM_NT_COUNTER"),
        ("TPM_RC 0x98e", "session 1 (bits 10:8)\n  bits 5:0 are 0x0e: TPM_RC_AUTH_FAIL is 0x08e"),
        ("TPM_RC 0x2c4", "bit 6 is set: parameter 2 (bits 11:8)"),
        ("TPM_RC 0x18b", "handle 1 (bits 10:8)"),
        ("TPM_RC 0x922", "bit 11 is set: a warning"),
        ("TPM_RC 0x101", "bit 11 is clear: an error"),
        ("TPM_RC 0x80001", "TSS2_SYS_RC_GENERAL_FAILURE: general failure\n  bits 23:16 are 0x08"),
        ("TPM_RC 0xa000a", "TSS2_TCTI_RC_IO_ERROR: I/O failed"),
        ("TPM_RC 0xb0143", "TPM_RC_COMMAND_CODE: the TPM does not implement this command\n  bits 23:16 are 0x0b"),
        ("TPM_RC 0xb0143", "/dev/tpmrm0\n  bits 11:0 are 0x143: a code of the TPM\n  bit 7 is clear"),
        ("TPM_RC 0xb098e", "session 1 (bits 10:8)\n  bits 5:0 are 0x0e: TPM_RC_AUTH_FAIL is 0x08e"),
        ("TPM_RC 0xb0005", "bits 15:0 are 0x0005: an error of that layer, not of the TPM"),
        ("TPM_RC 0x10001", "not a code of the TPM or of a TSS2 layer"),
        ("TPM_RC_AUTH_FAIL", "TPM_RC_AUTH_FAIL: wrong password"),
        ("TPM_RH", "0x40000009  TPM_RS_PW"),
        ("TPM_RS_PW", "0x40000009: TPM_RS_PW\n"),
        ("TPM_PS", "0x00000001  TPM_PS_PC"),
        ("TPM_AE", "0x00000000  TPM_AE_NONE"),
        ("TPM_HT", "0x81  TPM_HT_PERSISTENT"),
        ("TPM_NT", "0x08  TPM_NT_PIN_FAIL"),
        ("TPM_ALG 0x61", "0x61: TPM_ALG_HASH_EDDSA\n"),
        ("TPM_ALG_EDDSA_PH", "0x61: TPM_ALG_HASH_EDDSA\n"),
        ("TPM_ALG_SHA", "0x4: TPM_ALG_SHA1\n"),
        ("TPM_MLKEM_768", "0x2: TPM_MLKEM_768\n"),
        ("TPM_MLDSA TPM_MLDSA_87", "0x3: TPM_MLDSA_87\n"),
        ("TPM_RH TPM_RS_PW", "0x40000009: TPM_RS_PW\n"),
        ("TPMS_SIGNATURE_EDDSA", "TPMS_SIGNATURE_ECC  An ECC signature."),
        ("TPMS_KDF_SCHEME_KDF2", "TPMS_SCHEME_HASH  A scheme"),
        ("TPMU_SIGNATURE_CTX", "on the wire it is the buffer of TPM2B_SIGNATURE_CTX."),
        ("TPMI_SM4_KEY_BITS", "a UINT16, the size of a key in bits."),
        ("TPM2_MAC", "TPM2_HMAC  Returns the HMAC of"),
        ("TPM_ALG 0x000b", "0xb: TPM_ALG_SHA256\n"),
        ("TPM_ALG sha256", "0xb: TPM_ALG_SHA256\n"),
        ("TPM_ALG 0x7777", "unknown"),
        ("TPM_CC 0x17b", "0x17b: TPM_CC_GetRandom\n"),
        ("TPMI_YES_NO 1", "yes"),
        ("TPMI_DH_OBJECT 0x81010002", "0x81010002, persistent object"),
    ],
)
def test_tables_and_values(spec: Spec, words: str, says: str) -> None:
    code, said = spec(*words.split(" "))
    assert code == 0
    assert says in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("TPM2_HMCA", "did you mean TPM2_HMAC"),
        ("hmca", "did you mean TPM2_HMAC"),
        ("TPMT_PUBLC", "did you mean TPMT_PUBLIC"),
        ("TPM_RC_AUTH_FIAL", "did you mean TPM_RC_AUTH_FAIL"),
        ("zzzzzzzzzz", "'zzzzzzzzzz' (`tpmwire spec` lists all names)"),
        ("TPMT_PUBLIC 3", "TPMT_PUBLIC: expected bytes in hex, such as 000b"),
        ("TPMU_HA 3", "TPMU_HA is not a numeric type"),
        ("TPM2_HMAC 3", "TPM2_HMAC is not a numeric type"),
        ("TPMI_ALG_HASH 0x12345", "is too large for the 2 bytes"),
        ("TPM_ALG 0x12345", "is too large for the 2 bytes"),
        ("TPMA_SESSION 0x100", "is too large for the 1 byte of"),
        ("TPM_RC 0x123456789", "is too large for the 4 bytes"),
        ("TPM_ALG SHA257", "TPM_ALG has no constant 'SHA257'"),
        ("TPMI_ALG_HASH SHA256", "'SHA256' is not a number"),
        ("TPM_RC -3", "negative"),
        ("TPMU_NAME 3", "TPMU_NAME has no values: a Name's parts"),
        ("TPM_MLKEM_76", "did you mean TPM_MLKEM_768"),
    ],
)
def test_mistakes_are_one_line(spec: Spec, words: str, says: str) -> None:
    code, said = spec(*words.replace(" -", " -- -").split(" "))
    assert code == 2
    assert says in said
    assert said.count("\n") == 1


def test_each_field_has_a_meaning() -> None:
    tables = [table_of(name) for names in kinds().values() for name in names]
    rows = [
        (table.name, row) for table in tables for part, rows in table.parts if part == "fields" for row in rows
    ]
    assert len(rows) > 150
    assert [(name, row[0]) for name, row in rows if not row[-1]] == []


def test_the_list_and_json(spec: Spec) -> None:
    assert "TPM2_HMAC" in spec()[1]
    assert json.loads(spec("--json")[1]) == kinds()
    assert json.loads(spec("--json", "TPM_SU")[1])["parts"][-1]["rows"][1][:2] == ["0x0001", "TPM_SU_STATE"]
    assert json.loads(spec("--json", "TPM_ALG", "11")[1])["meaning"][0] == "0xb: TPM_ALG_SHA256"


def test_octets_of_a_structure(spec: Spec) -> None:
    code, said = spec("TPMS_PCR_SELECTION", "000b03800080")
    assert code == 0
    assert "hash: TPM_ALG_SHA256" in said
    assert "PCR 7,23" in said
    assert "2 bytes" in spec("TPM2B_DIGEST", "0002abcd")[1]
    code, said = spec("TPMS_PCR_SELECTION", "000b0380")
    assert code == 1
    assert "hash: TPM_ALG_SHA256" in said
    assert "! " in said
    code, said = spec("--json", "TPML_PCR_SELECTION", "00000001000b03800080")
    assert json.loads(said)["children"][0]["text"] == "1 element"
