"""The captures that tpmwire writes, read by Wireshark's own dissector of TPM 2.0."""

import json
import subprocess
from pathlib import Path

from tpmwire.explain.pcap import PcapBuilder
from tpmwire.spec.constants import TPM_CC

RECORDED = [json.loads(line) for line in Path("fixtures/captures/tpm2-tools.jsonl").read_text().splitlines()]

STRICT = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]


def tshark(path: Path, *words: str) -> str:
    return subprocess.run(
        ["tshark", "-r", path, *STRICT, *words], capture_output=True, text=True, check=True, timeout=120
    ).stdout


def test_wireshark_reads_each_command_and_response(tmp_path: Path) -> None:
    path = tmp_path / "talk.pcap"
    talk = [(bytes.fromhex(pair["command"]), bytes.fromhex(pair["response"])) for pair in RECORDED]
    builder = PcapBuilder()
    path.write_bytes(
        builder.begin(1e9) + b"".join(builder.exchange(*pair, 1e9 + n) for n, pair in enumerate(talk))
    )
    codes = [int(code, 0) for code in tshark(path, "-Y", "tpm.req.cc", "-T", "fields", "-e", "tpm.req.cc").split()]
    assert codes == [int.from_bytes(command[6:10], "big") for command, _ in talk]
    sizes = tshark(path, "-Y", "tpm.resp.tag", "-T", "fields", "-e", "tpm.resp.size").split()
    assert [int(size, 0) for size in sizes] == [len(response) for _, response in talk]
    shown = tshark(path, "-V")
    assert "TPM2_CC_GetRandom" in shown
    assert "Checksum Status: Bad" not in shown
    assert "Invalid Tag" not in shown
    assert shown.count("Checksum Status: Good") == shown.count("Frame Number:")


def test_codes_are_those_of_the_standard() -> None:
    assert {int.from_bytes(bytes.fromhex(pair["command"])[6:10], "big") for pair in RECORDED} <= set(TPM_CC)
