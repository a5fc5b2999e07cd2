"""`tpmwire explain` of the JSON that the other verbs print."""

from pathlib import Path

import pytest

from tests.support.verbs import Tool

NONCE = "6ccd0011223344556677"
EVENT_LOG = Path(__file__).parents[2] / "fixtures" / "event_logs" / "ovmf.bin"


@pytest.fixture
def soft(tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A TPM with an attestation key in the files ak.pem and ak.pub."""
    monkeypatch.setenv("TPMWIRE_TPM_PATH", f"soft:{tmp_path / 'state'}")
    assert tool("ak", "--out", tmp_path / "ak.pem", "--public", tmp_path / "ak.pub").code == 0
    return tmp_path


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            f"quote ak.pem --pcrs sha256:0 --nonce {NONCE}",
            ("a quote of `tpmwire quote`", "TPM_ST_ATTEST_QUOTE", "TPMT_SIGNATURE", "TPMT_PUBLIC", NONCE[:4]),
        ),
        (
            f"quote ak.pem --pcrs sha256:0 --nonce {NONCE} --format go",
            ("go-attestation", "TPM_ST_ATTEST_QUOTE", "TPMT_SIGNATURE", "TPMT_PUBLIC"),
        ),
        (
            f"certify ak.pem --by ak.pem --nonce {NONCE}",
            ("a statement of `tpmwire certify`", "TPM_ST_ATTEST_CERTIFY", "public area of the certified object"),
        ),
        ("pcr sha256:0,7 --json", ("PCR values of `tpmwire pcr --json`",)),
        (f"eventlog {EVENT_LOG} --json", ("the output of `tpmwire eventlog --json`",)),
    ],
)
def test_output_is_recognized(line: str, says: tuple[str, ...], soft: Path, tool: Tool) -> None:
    words = [soft / word if word == "ak.pem" else word for word in line.split()]
    made = tool(*words)
    assert made.code == 0
    (soft / "made.json").write_text(made.out)
    ran = tool("explain", soft / "made.json")
    assert (ran.code, ran.err) == (0, "")
    assert all(text.replace(" ", "") in ran.out.replace(" ", "") for text in says), ran.out


def test_state_is_recognized(soft: Path, tool: Tool) -> None:
    assert "the state of a TPM in Python" in tool("explain", soft / "state").out


@pytest.mark.parametrize("text", ['{"sha256": {"0": "00"}}', '{"sha256": []}', "{}", '{"sha256": {"x": ""}}'])
def test_other_json_is_not_taken_for_pcr_values(text: str, tool: Tool, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text(text)
    assert "PCR values" not in tool("explain", tmp_path / "other.json").out
