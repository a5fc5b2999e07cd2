"""`tpmwire eventlog`, and `checkquote --event-log`, with a TPM that has what the log says."""

import json
from pathlib import Path

import pytest

from tests.support.event_logs import agile_log, recorded
from tests.support.swtpm import Swtpm
from tests.support.verbs import Tool
from tpmwire import calls
from tpmwire.attest.event_log import parse_event_log
from tpmwire.spec.constants import TPM_ALG
from tpmwire.tpm import Tpm

NONCE = "0011223344556677"


@pytest.fixture
def log(swtpm: Swtpm) -> Path:
    """The recorded log of a boot, whose events are now in the TPM."""
    path = recorded("ovmf.bin")
    with Tpm.open(swtpm.path, timeout=60) as tpm:
        for event in parse_event_log(path.read_bytes()).events:
            for bank, value in event.digests.items() if event.extends else ():
                calls.pcr_extend(tpm, event.pcr, value, TPM_ALG(bank))
    return path


def test_a_log_is_compared_with_the_tpm(swtpm: Swtpm, tool: Tool, log: Path, tmp_path: Path) -> None:
    where = ("--tpm-path", swtpm.path)
    good = tool("eventlog", log, "--expect", "tpm", *where)
    assert (good.code, good.err) == (0, "tpmwire: the event log matches the expected PCR values\n")
    assert good.out.startswith("event log (crypto-agile), 23 events\n    1  no PCR  EV_NO_ACTION\n")
    assert "NOT PROVEN" not in good.out
    facts = json.loads(tool("eventlog", log, "--json").out)
    assert facts["logs"][0]["events"][4]["type"] == "EV_EFI_VARIABLE_DRIVER_CONFIG"
    values = tmp_path / "values"
    values.write_text(tool("pcr", *where).out)
    assert tool("eventlog", log, "--pcrs", "--expect", values).code == 0
    assert tool("eventlog", log, "--pcrs", "--expect", "sha256:7=" + facts["pcrs"]["sha256"]["7"]).code == 0
    with Tpm.open(swtpm.path, timeout=60) as tpm:
        calls.pcr_extend(tpm, 5, bytes(32))
    bad = tool("eventlog", log, "--pcrs", "--expect", "tpm", *where)
    assert bad.code == 8
    assert "event log: sha256:5: the log leads to" in bad.err
    assert tool("eventlog", log, "--expect", "sha256:23=" + "00" * 32).code == 2
    assert tool("eventlog", tmp_path / "values").code == 2


def test_a_quote_is_verified_with_the_log(swtpm: Swtpm, tool: Tool, log: Path, tmp_path: Path) -> None:
    where = ("--tpm-path", swtpm.path)
    assert tool("ak", "--out", tmp_path / "ak.pem", "--public", tmp_path / "ak.pub", *where).code == 0
    quote = ("quote", tmp_path / "ak.pem", "--pcrs", "sha256:0,4,7,9", "--nonce", NONCE, *where)
    bundle = tmp_path / "quote.json"
    bundle.write_text(tool(*quote).out)
    check = ("checkquote", bundle, "--public", tmp_path / "ak.pub", "--pcrs", "sha256:0,4,7,9", "--nonce", NONCE)
    good = tool(*check, "--event-log", log)
    assert (good.code, good.err) == (0, "")
    assert "the event log (crypto-agile, 23 events) leads to these values" in good.out
    # Without values, the log has to give the quoted digest.
    files = ("--message", tmp_path / "m", "--signature", tmp_path / "s")
    assert tool(*quote, *files).code == 0
    bare = ("checkquote", *files, *check[2:])
    assert tool(*bare, "--event-log", log).code == 0
    # A log in the JSON is verified without an option, and eventlog compares with the quote.
    bundle.write_text(tool(*quote, "--event-log", log).out)
    assert "leads to these values" in tool(*check).out
    assert tool("eventlog", log, "--pcrs", "--expect", bundle).code == 0
    other = tmp_path / "other.bin"
    banks = tuple(parse_event_log(log.read_bytes()).banks)
    added = agile_log((7, 4, bytes(4)), banks=banks).removeprefix(agile_log(banks=banks))
    other.write_bytes(log.read_bytes() + added)
    for words in ((*check, "--event-log", other), ("eventlog", other, "--expect", bundle)):
        refused = tool(*words)
        assert refused.code == 8
        assert "event 24 (EV_SEPARATOR) is not in the PCR" in refused.err
    assert tool(*bare, "--event-log", other).code == 8
    assert tool(*check, "--event-log", tmp_path / "ak.pub").code == 8


def test_logs_of_ima(tool: Tool) -> None:
    words = ("eventlog", recorded("ovmf.bin"), recorded("ovmf-ima.bin"), "--expect", recorded("ovmf-pcrs.json"))
    good = tool(*words)
    assert good.code == 0
    assert "file: /hello" in good.out
    assert "violation: " in good.out
    assert "NOT PROVEN" not in good.out
    other = tool(
        "eventlog", recorded("seabios.bin"), recorded("ovmf-ima.txt"), "--expect", recorded("ovmf-pcrs.json")
    )
    assert other.code == 8
    assert "NOT PROVEN: boot_aggregate" in other.out


def test_printed_values_can_be_expected(tool: Tool, tmp_path: Path) -> None:
    log, values = recorded("ovmf.bin"), tmp_path / "values"
    for words in (("--pcrs",), ("--pcrs", "--json"), ("--json",)):
        values.write_text(tool("eventlog", log, *words).out)
        assert tool("eventlog", log, "--expect", values).code == 0, words


def test_a_log_on_standard_input(tool: Tool) -> None:
    log = recorded("ovmf.bin")
    assert tool("eventlog", "-", stdin=log.read_bytes()) == tool("eventlog", log)


def test_a_machine_without_logs(tool: Tool) -> None:
    ran = tool("eventlog")
    assert ran.code == 2
    assert "this machine has no event log" in ran.err
