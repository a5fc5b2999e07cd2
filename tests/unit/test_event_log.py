"""Event logs: recorded ones lead to the PCR values of their TPM, made ones to those of tpm2_eventlog."""

import hashlib
import random
import re
import struct
import subprocess
from pathlib import Path

import pytest

from tests.support.event_logs import RECORDED, agile_log, recorded, recorded_values, sha1_log
from tests.support.verbs import Tool
from tpmwire.attest.event_data import explain_event, is_proven
from tpmwire.attest.event_log import differences, first_value, parse_event_log, replay
from tpmwire.attest.ima_log import boot_aggregate, explain_ima
from tpmwire.errors import DecodeError
from tpmwire.explain import as_text
from tpmwire.explain.readers.event_logs import read_event_log
from tpmwire.policy.pcr_selection import bank_name
from tpmwire.spec.constants import TPM_ALG

SEPARATOR = (7, 4, bytes(4))


@pytest.mark.parametrize("boot", RECORDED)
@pytest.mark.parametrize("form", ["bin", "txt"])
def test_recorded_logs_lead_to_the_values_of_the_tpm(boot: str, form: str) -> None:
    firmware = parse_event_log(recorded(f"{boot}.bin").read_bytes())
    ima = parse_event_log(recorded(f"{boot}-ima.{form}").read_bytes())
    values = recorded_values(boot)
    assert differences([firmware, ima], values) == []  # type: ignore[arg-type]
    replayed = replay([firmware, ima])
    assert {pcr for _, pcr in replayed} >= {*range(8), 10}
    # The same comparison finds that IMA's list is missing.
    assert not differences([firmware], values)  # type: ignore[arg-type]
    shorter = ima._replace(events=ima.events[:-1])
    (sha1, sha256) = differences([firmware, shorter], values)  # type: ignore[arg-type]
    assert (sha1.pcr, sha256.pcr) == (10, 10)
    assert boot_aggregate(ima.events[0], replayed) is True
    assert boot_aggregate(ima.events[0], {key: bytes(len(value)) for key, value in replayed.items()}) is False


def test_the_text_of_ima_is_its_binary_list() -> None:
    for boot in RECORDED:
        binary, text = (parse_event_log(recorded(f"{boot}-ima.{form}").read_bytes()) for form in ("bin", "txt"))
        assert [(one.data, one.digests, one.violation) for one in binary.events] == [
            (one.data, one.digests, one.violation) for one in text.events
        ]
        facts = [dict(explain_ima(event)) for event in binary.events]
        assert [one["file"] for one in facts] == [
            "boot_aggregate",
            "/hello",
            "/with_space",
            "/violated",
            "/violated",
        ]
        assert ["violation" in one for one in facts] == [False, False, False, True, False]


def field(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data


@pytest.mark.parametrize(
    ("template", "fields", "text"),
    [
        ("ima-sig", [b"sha256:\0" + b"\1" * 32, b"/a\0", b"\3\2\1"], f"sha256:{'01' * 32} /a 030201"),
        ("ima-ngv2", [b"verity:sha256:\0" + b"\1" * 32, b"/a\0"], f"verity:sha256:{'01' * 32} /a"),
        ("ima-sigv2", [b"ima:sha512:\0" + b"\1" * 64, b"/a b\0", b"\1"], f"ima:sha512:{'01' * 64} /a b 01"),
        ("ima-buf", [b"sha256:\0" + b"\1" * 32, b"kexec\0", b"\x61"], f"sha256:{'01' * 32} kexec 61"),
        ("d-ng|n-ng", [b"sha1:\0" + b"\1" * 20, b"/a\0"], f"sha1:{'01' * 20} /a"),
    ],
)
def test_templates_of_ima(template: str, fields: list[bytes], text: str) -> None:
    data = b"".join(map(field, fields))
    sha1 = hashlib.sha1(data).digest()
    binary = struct.pack("<I", 10) + sha1 + field(template.encode()) + field(data)
    first = recorded("ovmf-ima.bin").read_bytes()
    known = parse_event_log(first + binary).events[-1]
    line = f"10 {sha1.hex()} {template} {text}\n".encode()
    assert parse_event_log(line).events[0].digests == known.digests
    assert known.digests[TPM_ALG.SHA256] == hashlib.sha256(data).digest()
    shown = dict(explain_ima(known))
    assert shown["file"] == fields[1].rstrip(b"\0").decode()
    assert shown["hash"].endswith("01" * 20)


def by_tools(path: Path) -> dict[tuple[str, int], str]:
    done = subprocess.run(["tpm2_eventlog", path], capture_output=True, text=True, check=True, timeout=60)
    found, bank = {}, ""
    for line in done.stdout.partition("\npcrs:\n")[2].splitlines():
        if head := re.fullmatch(r"  (\w+):", line):
            bank = head[1]
        elif row := re.fullmatch(r"    (\d+) *: 0x([0-9a-f]+)", line):
            found[bank, int(row[1])] = row[2]
    return found


MADE = {
    "agile": agile_log(SEPARATOR, (0, 8, b"a\0b\0"), (4, 0x80000007, b"Calling EFI Application from Boot Option")),
    "all banks": agile_log(SEPARATOR, (14, 13, b"MokList\0"), banks=(0x04, 0x0B, 0x0C, 0x0D)),
    "one bank": agile_log(SEPARATOR, (1, 1, b"ACPI DATA"), banks=(0x0B,)),
    "SHA-1": sha1_log(SEPARATOR, (4, 5, b"an action"), (4, 4, bytes(4))),
    "without events": agile_log(),
}


@pytest.mark.parametrize("name", [*MADE, *(f"{boot}.bin" for boot in RECORDED)])
def test_replay_is_that_of_tpm2_eventlog(name: str, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(MADE[name] if name in MADE else recorded(name).read_bytes())
    ours = replay([parse_event_log(path.read_bytes())])
    assert {(bank_name(bank), pcr): value.hex() for (bank, pcr), value in ours.items()} == by_tools(path)


def test_the_first_value_of_pcr_0() -> None:
    crtm = (0, 0x80000010, b"HCRTM")
    locality = (0, 3, b"StartupLocality\0\3")
    for events, start in (((SEPARATOR,), 0), ((crtm,), 4), ((locality, crtm), 3)):
        log = parse_event_log(agile_log(*events, (0, 8, b"v"), banks=(0x0B,)))
        value = bytes(31) + bytes([start])
        assert first_value(0, 32, log.locality) == value
        for data in [b"HCRTM", b"v"] if crtm in events else [b"v"]:
            value = hashlib.sha256(value + hashlib.sha256(data).digest()).digest()
        assert replay([log])[TPM_ALG.SHA256, 0] == value


def test_the_event_that_is_not_in_the_pcr_is_named() -> None:
    events = [(4, 5, b"one"), (4, 5, b"two"), (4, 5, b"three"), (4, 4, bytes(4))]
    true = replay([parse_event_log(agile_log(*events))])
    for changed, text in (
        ([*events, (4, 5, b"four")], "event 6 (EV_ACTION) is not in the PCR"),
        ([*events[:2], (4, 5, b"more"), *events[2:]], "event 4 (EV_ACTION) is not in the PCR"),
        (
            [*events, (4, 5, b"four"), (4, 5, b"five")],
            "event 6 (EV_ACTION) is not in the PCR, nor are later events",
        ),
        (events[:-1], "an event was changed, or is missing in the log"),
    ):
        found = differences([parse_event_log(agile_log(*changed))], true)
        assert {one.pcr for one in found} == {4}
        assert str(found[0]).endswith(text)


def test_events_in_words() -> None:
    log = parse_event_log(recorded("ovmf.bin").read_bytes())
    said = "\n".join(f"{name}: {text}" for event in log.events for name, text in explain_event(event))
    for text in (
        "Spec ID Event03, version 2.0",
        "variable: SecureBoot of EFI_GLOBAL_VARIABLE",
        "certificate: Microsoft Corporation UEFI CA 2011, SHA-256 48e99b991f57fc52f76149599bff0a58",
        "separator: 0x00000000: normal",
        "title: UiApp",
        "Calling EFI Application from Boot Option",
        "initrd, loaded by the Linux EFI stub",
    ):
        assert text in said
    assert [event.number for event in log.events if explain_event(event)[0][0] == "damaged"] == []
    by_kind = {event.name: is_proven(event) for event in log.events}
    assert by_kind["EV_SEPARATOR"] is by_kind["EV_EFI_VARIABLE_DRIVER_CONFIG"] is True
    assert by_kind["EV_EVENT_TAG"] is False  # the digest is that of the initrd
    changed = log.events[-1]._replace(data=b"Exit Boot Services Returned with Failure")
    assert (is_proven(log.events[-1]), is_proven(changed)) == (True, False)


def test_events_of_windows() -> None:
    def record(kind: int, value: bytes) -> bytes:
        return struct.pack("<II", kind, len(value)) + value

    records = record(0x00050003, b"\0") + record(0x00070001, "\\winload.efi\0".encode("utf-16-le"))
    inner = record(0x40010003, record(0x00070002, (2019328).to_bytes(8, "little")))
    (event,) = parse_event_log(agile_log((13, 6, record(0x40010001, records + inner)))).events[1:]
    assert explain_event(event) == [("test signing", "off"), ("file", "\\winload.efi"), ("image size", "2019328")]
    separator = parse_event_log(agile_log((12, 4, b"WBCL"))).events[1]
    assert explain_event(separator) == [("separator", "0x4c434257: Windows (WBCL)")]


def test_padding_after_the_last_event_is_ignored() -> None:
    log = agile_log(SEPARATOR)
    for padding in (bytes(500), b"\xff" * 500):
        assert parse_event_log(log + padding) == parse_event_log(log)
    with pytest.raises(DecodeError):
        parse_event_log(log + bytes(500) + b"\1")


def test_the_reader_of_explain() -> None:
    (reading,) = read_event_log(recorded("ovmf.bin").read_bytes())
    assert reading.kind == "an event log of the firmware (TCG, crypto-agile)"
    text = "\n".join(map(as_text, reading.trees))
    assert "eventType: EV_SEPARATOR" in text
    assert b"".join(tree.octets for tree in reading.trees) == recorded("ovmf.bin").read_bytes()
    for tree in reading.trees:
        assert b"".join(child.octets for child in tree.children) == tree.octets
    (reading,) = read_event_log(recorded("ovmf-ima.txt").read_bytes())
    assert "IMA" in reading.kind
    assert "file: /hello" in reading.trees[1].text
    for other in (b"", b"hello", bytes(100), bytes.fromhex("80010000000c0000017b0008"), b"\0\0\0\0\4\0\0\0"):
        assert read_event_log(other) == []


@pytest.mark.parametrize("name", ["ovmf.bin", "ovmf-ima.bin", "seabios-ima.txt", "SHA-1"])
def test_damaged_logs_are_refused_or_explained(name: str) -> None:
    data = MADE[name] if name in MADE else recorded(name).read_bytes()
    chance = random.Random(name)
    refused = 0
    for _ in range(400):
        changed = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(len(changed))] = chance.choice(
                (0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256))
            )
        del changed[chance.randrange(len(changed)) :]
        try:
            log = parse_event_log(bytes(changed))
        except DecodeError:
            refused += 1
            continue
        for event in log.events:
            explain_event(event)
            is_proven(event)
        replay([log])
    assert refused > 0


def test_decode_and_explain_say_what_it_is(tool: Tool) -> None:
    for name in ("ovmf.bin", "ovmf-ima.bin", "ovmf-ima.txt"):
        decoded, explained = tool("decode", recorded(name)), tool("explain", recorded(name))
        assert (decoded.code, explained.code) == (0, 0)
        assert "event log, event 1: " in decoded.out
        assert " an event log of " in explained.out.splitlines()[0]
