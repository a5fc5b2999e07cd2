"""`tpmwire explain`: what it takes each thing for, and what it says of it."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.support.verbs import Tool, shell
from tpmwire.explain.readers.numbers import KINDS
from tpmwire.explain.readers.words import read_words
from tpmwire.spec.constants import TPM_CC, TPM_RH, TPMA_NV, TPMA_OBJECT
from tpmwire.spec.response_codes import TPM_RC


@pytest.mark.parametrize(
    ("thing", "kind", "says"),
    [
        ("0x98e", "rc", "TPM_RC_AUTH_FAIL"),
        ("98e", "rc", "TPM_RC_AUTH_FAIL"),
        ("0X98E", "rc", "TPM_RC_AUTH_FAIL"),
        ("98eh", "rc", "TPM_RC_AUTH_FAIL"),
        ("2446", "rc", "TPM_RC_AUTH_FAIL"),
        ("  0x98e.\n", "rc", "TPM_RC_AUTH_FAIL"),
        ("(0x0000098e)", "rc", "TPM_RC_AUTH_FAIL"),
        ("TPM_RC_AUTH_FAIL", "rc", "0x8e: TPM_RC_AUTH_FAIL"),
        ("tpm2_rc_auth_fail", "rc", "0x8e: TPM_RC_AUTH_FAIL"),
        ("AUTH_FAIL", "rc", "0x8e: TPM_RC_AUTH_FAIL"),
        ("922", "rc", "TPM_RC_RETRY"),
        ("2337", "rc", "TPM_RC_LOCKOUT"),
        ("257", "rc", "TPM_RC_FAILURE"),
        ("0x143", "rc", "TPM_RC_COMMAND_CODE"),
        ("0xb0143", "rc", "TPM_RC_COMMAND_CODE"),
        ("0xa000a", "rc", "TSS2_TCTI_RC_IO_ERROR"),
        ("TSS2_ESYS_RC_BAD_TR", "rc", "0x70018: TSS2_ESYS_RC_BAD_TR"),
        ("0x80280921", "windows", "TPM_20_E_LOCKOUT"),
        ("-2144859871", "windows", "TPM_20_E_LOCKOUT"),
        ("0x8028400f", "windows", "TBS_E_TPM_NOT_FOUND"),
        ("0x80290401", "windows", "TPM_E_PCP_DEVICE_NOT_READY"),
        ("TBS_E_TPM_NOT_FOUND", "windows", "0x8028400f"),
        ("0x80280001", "windows", "TPM_E_AUTHFAIL, from a TPM 1.2"),
        ("0x81010001", "handle", "persistent object"),
        ("0x80000000", "handle", "transient object"),
        ("0x01c00002", "handle", "NV index"),
        ("0x40000007", "handle", "TPM_RH_NULL"),
        ("0x17b", "command", "TPM_CC_GetRandom"),
        ("0x00000153", "command", "TPM_CC_Create"),
        ("GetRandom", "name", "TPM2_GetRandom"),
        ("tpm2_createprimary", "name", "TPM2_CreatePrimary"),
        ("Esys_Load", "name", "TPM2_Load"),
        ("Tss2_Sys_Create_Complete", "name", "TPM2_Create"),
        ("0x40472", "object", "fixedTPM|fixedParent|sensitiveDataOrigin|userWithAuth|noDA|signEncrypt"),
        ("0x30072", "object", "restricted|decrypt"),
        ("fixedtpm|fixedparent|sign", "object", ""),
        ("noDA", "object", "noDA"),
        ("0x62040012", "nv", "TPM_NT_COUNTER"),
        ("ownerwrite|authread|nt=counter", "nv", "TPM_NT_COUNTER"),
        ("0x02000153", "command-attributes", "TPM2_Create, 1 handle"),
        ("0x000b", "algorithm", "TPM_ALG_SHA256"),
        ("sha256", "algorithm", "TPM_ALG_SHA256"),
        ("SHA-256", "algorithm", "TPM_ALG_SHA256"),
        ("p256", "curve", "TPM_ECC_NIST_P256"),
        ("secp384r1", "curve", "TPM_ECC_NIST_P384"),
        ("0x105", "property", "TPM_PT_MANUFACTURER"),
        ("MANUFACTURER", "property", "0x105"),
        ("0x8002", "tag", "TPM_ST_SESSIONS"),
        ("0xff544347", "magic", "TPM_GENERATED_VALUE"),
        ("0x494e5443", "vendor", "Intel"),
        ("sha256:0,7", "pcrs", "00000001000b03810000"),
        ("0,2,7", "pcrs", "sha256:0,2,7"),
        ("sha1:all", "pcrs", "24 PCRs"),
        ("TPMT_PUBLIC", "name", "objectAttributes"),
        ("nameAlg", "field", "TPMT_PUBLIC"),
        ("tpm:session(1):the authorization HMAC check failed and DA counter incremented", "rc", "0x98e"),
        ("tpm:session(1):authorization failure…", "rc", "0x9a2"),
        ("tpm:parameter(2):structure is the wrong size", "rc", "0x2d5"),
        ("tcti:IO failure", "rc", "0xa000a"),
        ("tpm tpm0: A TPM error (2446) occurred attempting to read a pcr value", "rc", "0x98e"),
        ("[    1.2] tpm tpm0: A TPM error (256) occurred attempting the self test", "rc", "TPM_RC_INITIALIZE"),
        ("WARNING:esys:src/tss2-esys/api/Esys_Load.c:324:Esys_Load_Finish() Received TPM Error", None, ""),
        ("ERROR: Eys_Load(0x1DF) - tpm:parameter(1):integrity check failed", "rc", "0x1df"),
        ("session 1, error code 0xe : the authorization HMAC check failed", "rc", "0x98e"),
        ("warning code 0x22 : the TPM was not able to start the command", "rc", "TPM_RC_RETRY"),
        ("TPM_RC_AUTH_FAIL (session 1): wrong password", "rc", "0x98e"),
        ("load: failed, rc 0000018b", "rc", "TPM_RC_HANDLE"),
        ("Tbsip_Submit_Command failed with hr = 0x80280921", "windows", "LOCKOUT"),
        ("Error code: -2144845809", "windows", "TBS_E_TPM_NOT_FOUND"),
    ],
)
def test_what_a_word_is_taken_for(thing: str, kind: str | None, says: str) -> None:
    found = read_words(thing)
    assert (found[0].ask if found else None) == kind
    assert not found or says in "\n".join(found[0].lines)


def test_a_number_can_be_several_things(tool: Tool) -> None:
    said = tool("explain", "0x143").out
    assert said.startswith("'0x143', taken as a response code (TPM_RC):\n  0x143: TPM_RC_COMMAND_CODE:")
    assert (
        "\nIt can also be:\n  a command code: 0x143: TPM_CC_SelfTest  (tpmwire explain --as command 0x143)\n"
        in said
    )
    assert tool("explain", "--as", "command", "0x143").out.startswith(
        "'0x143', taken as a command code (TPM_CC):\n"
    )
    assert "TPM_RC_NEEDS_TEST" in tool("explain", "0x00000153").out
    assert "an error code of Windows" in tool("explain", "-2144859871").out
    assert "PCR 7" in tool("explain", "7").out


@pytest.mark.parametrize("kind", KINDS)
def test_each_listed_meaning_can_be_chosen(tool: Tool, kind: str) -> None:
    number = {"windows": "0x80280921", "session": "0x21", "tag": "0x8001", "algorithm": "11", "curve": "3"}
    ran = tool("explain", "--as", kind, number.get(kind, "0x17b" if kind != "capability" else "6"))
    assert ran.code == 0, ran.err
    assert KINDS[kind][1] in ran.out


def test_names_that_the_standard_uses_twice(tool: Tool) -> None:
    said = tool("explain", "HMAC").out
    assert said.startswith("'HMAC', taken as a command of TPM 2.0 Part 3:\n  TPM2_HMAC ")
    for other in ("TPM_ALG_HMAC", "TPM_SE_HMAC", "TPM_RC_HMAC"):
        assert other in said


def test_every_constant_is_found_by_its_name() -> None:
    for kind in (TPM_RC, TPM_RH, TPM_CC):
        for name, member in kind.__members__.items():
            (found, *_) = read_words(f"{kind.__name__}_{name}")
            assert found.value == member or found.type == f"TPM2_{TPM_CC(member).name}"
    for words in (TPMA_OBJECT, TPMA_NV):
        for flag in words:
            assert any(each.value == flag for each in read_words(words(flag).described()))


def test_spec_says_the_same(tool: Tool) -> None:
    for word in ("0x98e", "2446", "0xa000a", "sha256", "0x81010001", "fixedTPM|decrypt", "tcti:IO failure"):
        assert tool("spec", word) == tool("explain", word)
    for name in ("TPM_RC_AUTH_FAIL", "TPMT_PUBLIC", "TPM2_Create"):
        explained = tool("explain", name).out
        assert all(line.strip() in explained for line in tool("spec", name).out.splitlines())


def test_bytes_and_files(tool: Tool, tmp_path: Path) -> None:
    message = "80010000000c0000017b0010"
    for words in ([message], [*message[:12].split(), message[12:]], ["8001 0000 000c", "0000 017b 0010"]):
        ran = tool("explain", *words)
        assert ran.code == 0
        assert "TPM2_GetRandom" in ran.out
    path = tmp_path / "message.bin"
    path.write_bytes(bytes.fromhex(message))
    assert "TPM2_GetRandom" in tool("explain", str(path)).out
    assert "TPM2_GetRandom" in shell("explain", stdin=bytes.fromhex(message)).out
    log = b"tpm tpm0: A TPM error (2446) occurred attempting to read a pcr value\n"
    assert "TPM_RC_AUTH_FAIL" in shell("explain", "-", stdin=log).out
    assert "PCR 7,23" in tool("explain", "--as", "TPMS_PCR_SELECTION", "000b03800080").out
    assert "TPM2B_PUBLIC: 1 byte " in tool("explain", "--as", "TPM2B_PUBLIC", "00").out
    assert "PCR 7,23" in shell("explain", "--as", "tpms_pcr_selection", "-", stdin=b"00 0b 03 80 00 80").out
    truncated = tool("explain", "80010000000c0000017b00")
    assert truncated.code == 1


def test_several_things(tool: Tool) -> None:
    said = tool("explain", "0x98e", "0x81010001").out
    assert "TPM_RC_AUTH_FAIL" in said
    assert "persistent object" in said
    listed = json.loads(tool("explain", "--json", "0x98e", "TPM_SU", "80010000000c0000017b0010").out)
    assert [each["kind"] for each in listed][:2] == ["a response code", "a type of TPM 2.0 Part 2"]
    assert listed[0]["value"] == 0x98E
    assert listed[1]["table"]["name"] == "TPM_SU"
    assert listed[2]["trees"][0]["children"][2]["text"] == "0x0000017b, TPM2_GetRandom"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["TPM_RC_AUTH_FIAL"], "did you mean TPM_RC_AUTH_FAIL"),
        (["zzzzzz"], "expected a code, a handle"),
        ([""], "is empty"),
        (["."], "is a directory"),
        (["--as", "nothing", "1"], "unknown kind 'nothing'; use one of rc, handle"),
        (["--as", "rc", "sha256"], "'sha256' is not a response code"),
        (["--as", "algorithm", "0x12345"], "too large for the 2 bytes"),
        (["--as", "TPMT_HA", "zz"], "expected bytes in hex, or a file"),
        (["0x1234567890"], "is not recognized"),
    ],
)
def test_mistakes_are_one_line(tool: Tool, words: list[str], says: str) -> None:
    ran = tool("explain", *words)
    assert ran.code == 2
    assert says in ran.err
    assert ran.err.count("\n") == 1
    assert not ran.out


@pytest.mark.parametrize(
    ("words", "says", "refused"),
    [
        (["0x98e", "bogus", "0x921"], ["TPM_RC_AUTH_FAIL", "TPM_RC_LOCKOUT"], ["bogus"]),
        (["0x98e", "bogus"], ["TPM_RC_AUTH_FAIL"], ["bogus"]),
        (["bogus", "0x98e", "0x921"], ["TPM_RC_AUTH_FAIL", "TPM_RC_LOCKOUT"], ["bogus"]),
        (["TPM2_Create", "bogus"], ["TPM2_Create"], ["bogus"]),
        (["0x98e", f"80010000001400000000{'00' * 10}"], ["TPM_RC_AUTH_FAIL", "TPM_RC_SUCCESS"], []),
        (["tpm", "tpm0:", "A", "TPM", "error", "(2446)", "occurred"], ["TPM_RC_AUTH_FAIL"], []),
        (["failed", "with", "error", "code", "2337"], ["TPM_RC_LOCKOUT"], []),
        (["0x80090016", "Keyset", "does", "not", "exist"], ["0x80090016"], []),
        (["TPM2_Load", "failed", "395:", "TPM_RC_HANDLE"], ["0x18b"], []),
        (["80", "01", "00", "00", "00", "0c", "00", "00", "01", "7b", "00", "10"], ["TPM2_GetRandom"], []),
    ],
)
def test_an_unrecognized_argument_hides_no_other(
    tool: Tool, words: list[str], says: list[str], refused: list[str]
) -> None:
    ran = tool("explain", *words)
    assert ran.code == (2 if refused else 0), ran
    assert ran.out.count(", taken as ") == len(says)
    assert all(text in ran.out for text in says)
    assert [line.split()[1] for line in ran.err.splitlines()] == [repr(word) for word in refused]


def test_each_code_of_a_log_can_be_selected(tool: Tool, tmp_path: Path) -> None:
    path = tmp_path / "two.log"
    path.write_text("A TPM error (2446) occurred\nA TPM error (256) occurred\n")
    for ran in (tool("explain", path), tool("explain", "-", stdin=path.read_bytes())):
        (command,) = re.findall(r"\(tpmwire explain (.*)\)", ran.out)
        assert command == "0x100"
    assert "TPM_RC_INITIALIZE" in tool("explain", command).out


@pytest.mark.parametrize("size", [10_000, 1_200_000])
def test_the_lines_about_tpms_in_a_long_log(tool: Tool, tmp_path: Path, size: int) -> None:
    noise = "[  {n:9}.5] usb 1-1: an old device\u00ae, error 0x98e, device number {n}\n"
    lines = [noise.format(n=n) for n in range(size // len(noise))]
    for n in range(0, len(lines), 9):
        lines[n] += f"[  {n:9}.7] tpm tpm0: A TPM error (2337) occurred attempting the self test\n"
    lines += ["tpm_tis: 2.0 TPM (device-id 0xA3, rev-id 22)\n", "ERROR:esys: failed 0x00000143"]
    (tmp_path / "kernel.log").write_bytes("".join(lines).encode())
    out = tool("explain", tmp_path / "kernel.log").out
    assert "TPM_RC_LOCKOUT" in out
    assert "TPM_RC_COMMAND_CODE" in out
    assert "TPM_RC_AUTH_FAIL" not in out
    assert "0xa3" not in out


def test_text_in_utf16(tool: Tool, tmp_path: Path) -> None:
    for encoding in ("utf-16-le", "utf-16-be"):
        for text in ("tpm tpm0: A TPM error (2446) occurred\r\n", "0x98e"):
            data = f"\ufeff{text}".encode(encoding)
            (tmp_path / "windows.log").write_bytes(data)
            for ran in (tool("explain", tmp_path / "windows.log"), tool("explain", "-", stdin=data)):
                assert ran.code == 0
                assert "TPM_RC_AUTH_FAIL" in ran.out


FILES = json.loads((Path(__file__).parents[2] / "fixtures" / "files" / "tpm2-tools.json").read_text())


def test_every_file_of_tpm2_tools_is_named(tool: Tool, tmp_path: Path) -> None:
    for name, content in FILES.items():
        path = tmp_path / name
        path.write_bytes(bytes.fromhex(content))
        ran = tool("explain", str(path))
        assert ran.code == 0, (name, ran.err)
        assert ran.out.startswith(f"{path}, taken as "), name


@pytest.mark.parametrize("write", [bytes.hex, lambda data: base64.b64encode(data).decode()])
def test_a_file_can_be_pasted(tool: Tool, write: Callable[[bytes], str]) -> None:
    ran = tool("explain", write(bytes.fromhex(FILES["ek.pub"])))
    assert "taken as a TPM2B_PUBLIC:\n" in ran.out
    (plain,) = json.loads(tool("explain", "--json", write(bytes.fromhex(FILES["key.name"]))).out)
    assert plain["kind"] == "a Name of an object or NV index, or a qualified Name"
    assert plain["trees"][0]["children"][0]["text"] == "TPM_ALG_SHA256"


ODD = (
    "", " ", "\n", "0x", "x", "0", "-1", "-0", "-999", "4294967296", "9" * 400, "0x" + "f" * 400,
    "0x" + "0" * 50 + "98e", "1e9", "inf", "None", "0x98e;", "0x98e,0x143", "0x98e/0x143", "'0x98e'", "<0x98e>",
    "0x98E!", "0x9 8e", "98g", "0b2", "-2147483649", "0x8028ffff", "0xffffffff", "0xfffffffff", "TPM_RC_",
    "TPM_RC_A TPM_RC_B", "TPM2_", "TPMA_", "TPMA_OBJECT|TPMA_NV", "|", "||", "|decrypt", "decrypt||sign",
    "decrypt|foo", "sha256:", "sha256:99", "sha256:-1", "sha999:0", "sha256:0,,1", ":0", ",", "0,1,2,x",
    "sha1:0+sha1:1", "all", "sha256:0-7", "tpm:", "tpm:session(", "tpm:session(1):",
    "tpm:session(99):the signature is not valid", "tpm:0x", "tcti:0xFFFFF", "tpm:error(2.0):", "a TPM error ()",
    "TPM error (99999999999)", "TPM error (-99)", "error code 0x", "session 99, error code 0xfff :", "rc=0",
    "hr = 0x", "hresult 0x80070005", "é", "日本語", "\u202e0x98e", "\x1b[31m0x98e", "0x98e\x00", "a" * 5000,
    "80 01", "8001", "80010000000a", "80010000000affffffff", "80020000ffff00000144", "f" * 32, "00" * 100,
    "80" * 3000, "zz" * 50, "00c1 0000 000a 0000 0065", "MIIB", "-----BEGIN PUBLIC KEY-----", "{}", "[]",
    '{"a":1}', "/", "/dev/null", "/dev/full", "/proc/self/mem", "/nonexistent", "./no.pub", "~", "*", "$(id)",
    "%s%s%n", "{0}", "\\", "..", "...", "README.md", "name", "size", "auth", "o", "n", "HMAC", "null",
    "rsa2048:aes128cfb", "ecc:ecdsa-sha256:null", "ecc:ecdsa-sha999", "0x40000", "2.0", "IFX", "--help ",
    "what is 0x98e?", "TSS2_FOO_RC_BAR", "Esys_", "Esys_Foo", "tpm2_createek", "tpm2_pcrread sha256:0", "tpm2_",
    "NTE_BAD_KEYSET", "TBS_E_",
)  # fmt: skip


@pytest.mark.parametrize("json_option", [[], ["--json"]])
def test_odd_things(tool: Tool, tmp_path: Path, json_option: list[str]) -> None:
    """No traceback; it says what the thing was taken for, or in one line what is accepted."""
    random = Random(14)
    things = [
        *ODD,
        *(random.randbytes(random.randrange(1, 50)).decode("latin-1").replace("\0", "") for _ in range(40)),
    ]
    for number in range(40):
        path = tmp_path / str(number)
        head = random.choice(
            [b"", b"\x80\x01", b"\x00\xc4", b"0x", b"\0\x20", b"\x30\x82", b"\n\r\r\n", b"-----BEGIN "]
        )
        path.write_bytes(head + random.randbytes(random.choice([0, 1, 8, 60, 3000])))
        things.append(str(path))
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert len(things) + len(["loop"]) >= 200
    for thing in (*things, str(tmp_path / "loop")):
        ran = tool("explain", *json_option, "--", thing)
        assert ran.code in (0, 1, 2), (thing, ran)
        assert "internal error" not in ran.err, (thing, ran.err)
        assert not ran.err or (ran.code == 2 and ran.err.count("\n") == 1), (thing, ran)
        if ran.code == 2:
            assert not ran.out, (thing, ran)
        elif json_option:
            assert json.loads(ran.out)[0]["kind"], thing
        else:
            assert ", taken as " in ran.out, (thing, ran.out)


@pytest.mark.parametrize("word", ["TPM2_", "tpm2_"])
def test_a_prefix_alone_is_not_recognized(tool: Tool, word: str) -> None:
    ran = tool("explain", word)
    assert (ran.code, ran.out) == (2, "")
    assert f"{word!r} is not recognized" in ran.err


def test_unusual_files(tool: Tool, tmp_path: Path) -> None:
    assert "is a device" in tool("explain", "/dev/zero").err
    assert "is a device" in tool("explain", "--as", "TPMT_HA", "/dev/zero").err
    (tmp_path / "0x98e").write_text("0x143\n")
    assert "taken as a response code" in tool("explain", str(tmp_path / "0x98e")).out
    assert "0x143" in tool("explain", str(tmp_path / "0x98e")).out


@pytest.mark.parametrize(
    ("thing", "says"),
    [
        ("tpm2_createek", "TPM2_CreatePrimary"),
        ("IFX", "Infineon"),
        ("-62", "ETIME"),
        ("tpm tpm0: A TPM error (-62) occurred", "ETIME"),
        ("rsa2048:aes128cfb", "fixedTPM|fixedParent"),
        ("nameAlg", "a primary key"),
        ("0x98e,0x143", "0x143: TPM_RC_COMMAND_CODE"),
    ],
)
def test_other_words(tool: Tool, thing: str, says: str) -> None:
    ran = tool("explain", thing)
    assert says in ran.out
    asked = json.loads(tool("explain", "--json", thing).out)[0]["as"]
    assert tool("explain", "--as", asked, thing).code == 0


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("ERROR:esys:src/tss2-esys/api/Esys_Load.c:135:Esys_Load() Esys Finish ErrorCode (0x000009a2)", 0x9A2),
        ("ERROR: Esys_CreatePrimary(0x9A2) - tpm:session(1):authorization failure without DA implications", 0x9A2),
        ("TPM2_Load failed 395: TPM_RC_HANDLE", 0x18B),
        ("TPM2_Load failed 0x18b: TPM_RC_HANDLE", 0x18B),
        ("returned a non-zero response code 2466 (0x9a2)", 0x9A2),
        ("(Exception from HRESULT: 0x80280921)", 0x80280921),
        ("0x80090016 Keyset does not exist", 0x80090016),
        ("Failed to unseal secret using TPM2: tpm:session(1):a policy check failed", 0x99D),
        ("tpm2.Load: parameter 1, error code 0x1f : integrity check failed", 0x1DF),
        ("TPM_RC_INTEGRITY (parameter 1): integrity check failed", 0x1DF),
        ("create: failed, rc 000001d5\nTPM_RC_SIZE - structure is the wrong size Parameter number 1", 0x1D5),
        ("tpmrm0: tpm_try_transmit: send(): error -62", -62),
        ("tpm tpm0: A TPM error (2314) occurred attempting to create NULL primary", 0x90A),
        ("ima: Error Communicating to TPM chip, result: 256", 0x100),
        ("failed with error code 2337", 0x921),
        ("code = 0x1c4 (TPM_RC_VALUE param 1)", 0x1C4),
        ("the signature is not valid", 0x09B),
        ("RC_AUTH_FAIL", 0x08E),
        ("0x57f", 0x57F),
        ("tpm tpm0: [Hardware Error]: Adjusting reported timeouts", None),
        ("ERROR: Unable to run tpm2_createprimary", None),
    ],
)
def test_lines_of_logs(line: str, value: int | None) -> None:
    found = read_words(line)
    assert (found[0].value if found else None) == value
