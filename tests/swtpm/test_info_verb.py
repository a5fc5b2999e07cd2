"""`tpmwire info` and `tpmwire pcr` on a real TPM, beside what tpm2-tools read."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.interposer import Interposer
from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Tool
from tpmwire.spec.constants import TPM_CC


def told(swtpm: Swtpm, capability: str) -> str:
    return tpm2(swtpm, "getcap", capability).decode()


def number(text: str, name: str) -> int:
    """A property as tpm2-tools print it: on the line of its name, or as `raw:` on the next."""
    found = re.search(rf"TPM2_PT_{name}:\s+(?:raw: )?(0x[0-9A-Fa-f]+)", text)
    assert found is not None, name
    return int(found[1], 16)


def test_info(swtpm: Swtpm, tool: Tool) -> None:
    document: dict[str, Any] = json.loads(tool("info", "--json", "--tpm-path", swtpm.path).out)
    fixed, variable = told(swtpm, "properties-fixed"), told(swtpm, "properties-variable")
    assert document["manufacturer"].encode() == number(fixed, "MANUFACTURER").to_bytes(4, "big").strip(b"\0 ")
    assert document["vendor"] == "SWTPM"
    assert document["family"] == "2.0"
    major, minor, third, fourth = map(int, document["firmware"].split("."))
    assert major << 16 | minor == number(fixed, "FIRMWARE_VERSION_1")
    assert third << 16 | fourth == number(fixed, "FIRMWARE_VERSION_2")
    assert document["specification"]["revision"].replace(".", "") == str(number(fixed, "REVISION"))
    year, day = number(fixed, "YEAR"), number(fixed, "DAY_OF_YEAR")
    assert document["specification"]["date"].startswith(f"{year}-")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", document["specification"]["date"])
    assert int(document["specification"]["date"][5:7]) == pytest.approx(day / 30.5 + 0.5, abs=1)
    for name in ("INPUT_BUFFER", "HR_TRANSIENT_MIN", "MAX_COMMAND_SIZE", "PCR_COUNT"):
        assert document["limits"][name.lower()] == number(fixed, name.replace("HR_", "HR_"))
    assert document["limits"]["hr_persistent_avail"] == number(variable, "HR_PERSISTENT_AVAIL")
    assert document["lockout"]["max_failures"] == number(variable, "MAX_AUTH_FAIL")
    assert [name.upper() for name in document["curves"]] == re.findall(
        r"TPM2_ECC_(\w+):", told(swtpm, "ecc-curves")
    )
    algorithms = re.findall(r"^(\w+):", told(swtpm, "algorithms"), re.M)
    assert len(document["algorithms"]) == len(algorithms)
    assert {name.upper() for name in algorithms} >= {"RSA", "SHA256", "HMAC"} <= set(document["algorithms"])
    assert {bank: len(numbers) for bank, numbers in document["pcr_banks"].items()} == {
        "sha1": 24,
        "sha256": 24,
        "sha384": 24,
        "sha512": 24,
    }
    assert document["commands"] == [
        TPM_CC(int(code, 16)).name
        for code in re.findall(r"commandIndex: +(0x[0-9a-fA-F]+)", told(swtpm, "commands"))
    ]
    assert document["missing_commands"] == []


def test_info_follows_lockout_and_passwords(swtpm: Swtpm, tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    where = ("--tpm-path", swtpm.path)
    monkeypatch.setenv("TPM_KEY_AUTH", "testpwd")
    assert tool("import", "--persistent-handle", "0x81010002", *where, stdin=b"x" * 40).code == 0
    tpm2(swtpm, "changeauth", "-c", "lockout", "lockoutpwd")
    tpm2(swtpm, "dictionarylockout", "-s", "-n", "1", "-t", "1000", "-l", "2000", "-p", "lockoutpwd")
    before = json.loads(tool("info", "--json", *where).out)
    assert before["permanent"] == ["lockoutAuthSet", "tpmGeneratedEPS"]
    assert before["lockout"] == {
        "locked_out": False,
        "failures": 0,
        "max_failures": 1,
        "interval_seconds": 1000,
        "recovery_seconds": 2000,
    }
    with pytest.raises(Exception, match="authorization HMAC check failed"):
        tpm2(swtpm, "hmac", "-c", "0x81010002", "-p", "wrong", "/dev/null")
    after = json.loads(tool("info", "--json", *where).out)["lockout"]
    assert (after["locked_out"], after["failures"]) == (True, 1)
    text = tool("info", *where).out
    assert "lockout:      LOCKED OUT: 1 of 1 wrong passwords" in text
    assert "commands:     110; of those that tpmwire uses, none is missing\n" in text


def test_info_of_a_tpm_that_lacks_the_hmac_command_and_the_year(swtpm: Swtpm, tool: Tool) -> None:
    def lacking(octets: bytes, _sent: bytes) -> bytes:
        # TPMA_CC of TPM2_HMAC becomes a vendor's command; the year of the standard becomes 0.
        changed = octets.replace(bytes.fromhex("02000155"), bytes.fromhex("22000155"))
        return re.sub(rb"(?<=\x00\x00\x01\x04)....", bytes(4), changed, flags=re.S)

    with Interposer(swtpm.path) as bus:
        bus.on_response = lacking
        ran = tool("info", "--tpm-path", bus.path)
    assert ran.code == 0, ran.err
    assert "of those that tpmwire uses, missing: HMAC\n" in ran.out
    assert "level 0, no date\n" in ran.out


def banks_by_tools(swtpm: Swtpm) -> dict[str, dict[str, str]]:
    """Every PCR as tpm2_pcrread prints it."""
    banks: dict[str, dict[str, str]] = {}
    bank: dict[str, str] = {}
    for line in tpm2(swtpm, "pcrread").decode().splitlines():
        name, _, value = line.strip().partition(":")
        if value:
            bank[name.strip()] = value.strip()[2:].lower()
        else:
            bank = banks.setdefault(name, {})
    return banks


def test_pcr(swtpm: Swtpm, tool: Tool) -> None:
    for pcr in (0, 7, 16, 23):
        digests = ",".join(
            f"{bank}={'5a' * size}" for bank, size in (("sha1", 20), ("sha256", 32), ("sha512", 64))
        )
        tpm2(swtpm, "pcrextend", f"{pcr}:{digests}")
    expected = banks_by_tools(swtpm)
    assert [len(bank) for bank in expected.values()] == [24] * 4
    where = ("--tpm-path", swtpm.path)
    assert json.loads(tool("pcr", "--json", *where).out) == expected
    lines = [f"{bank}:{pcr:<2}  {value}" for bank, values in expected.items() for pcr, value in values.items()]
    assert tool("pcr", *where).out.splitlines() == lines
    ran = tool("pcr", "sha512:23,0+sha1:7", *where)
    assert ran.out.splitlines() == [
        f"sha512:0   {expected['sha512']['0']}",
        f"sha512:23  {expected['sha512']['23']}",
        f"sha1:7   {expected['sha1']['7']}",
    ]
    assert json.loads(tool("pcr", "7", "--json", *where).out) == {"sha256": {"7": expected["sha256"]["7"]}}


def test_pcr_reads_again_where_one_changed_meanwhile(swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    """All values are of one moment: after an extension between two reads, the first ones are old."""
    twice: list[bytes] = []

    def extend(sent: bytes) -> None:
        if sent[6:10] != TPM_CC.PCR_Read.to_bytes(4, "big"):
            return
        twice.append(sent)
        if len(twice) == 2 or always:
            bus_counter[0] += 1

    def moved(octets: bytes, sent: bytes) -> bytes:
        if sent[6:10] != TPM_CC.PCR_Read.to_bytes(4, "big"):
            return octets
        counter = int.from_bytes(octets[10:14], "big") + bus_counter[0]
        return octets[:10] + counter.to_bytes(4, "big") + octets[14:]

    for always, code in ((False, 0), (True, 4)):
        bus_counter = [0]
        twice.clear()
        with Interposer(swtpm.path) as bus:
            bus.on_command, bus.on_response = extend, moved
            ran = tool("pcr", "sha256:0,1,2,3,4,5,6,7,8,9,10", "--tpm-path", bus.path)
        assert ran.code == code
        if always:
            assert (ran.out, len(twice), "changed 8 times" in ran.err) == ("", 16, True)
        else:
            assert (len(ran.out.splitlines()), len(twice)) == (11, 4)


@pytest.mark.parametrize(
    ("selection", "code", "says"),
    [
        ("24", 2, "invalid PCR 24"),
        ("sha9:1", 2, "unknown PCR bank"),
        ("7,", 2, "invalid PCR"),
        ("sha3_256:1", 4, "does not implement sha3_256:1"),
    ],
)
def test_pcr_that_there_is_not(swtpm: Swtpm, tool: Tool, selection: str, code: int, says: str) -> None:
    ran = tool("pcr", selection, "--tpm-path", swtpm.path)
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)
    assert says in ran.err


def test_pcr_of_a_bank_that_was_taken_away(swtpm: Swtpm, tool: Tool) -> None:
    where = ("--tpm-path", swtpm.path)
    tpm2(swtpm, "pcrallocate", "sha1:none+sha256:all+sha384:none+sha512:none")
    tpm2(swtpm, "shutdown", "-c")
    swtpm.restart()
    assert json.loads(tool("pcr", "--json", *where).out) == {"sha256": banks_by_tools(swtpm)["sha256"]}
    ran = tool("pcr", "sha1:1+sha256:1", *where)
    assert (ran.code, ran.out) == (4, "")
    assert "does not implement sha1:1;" in ran.err
    assert list(json.loads(tool("info", "--json", *where).out)["pcr_banks"]) == ["sha256"]
