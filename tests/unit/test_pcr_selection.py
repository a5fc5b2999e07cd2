"""PCR selections as text, and PCR values beside their numbers."""

import pytest

from tpmwire.errors import PolicyError
from tpmwire.policy.pcr_selection import format_pcrs, parse_pcr_values, parse_pcrs, pcrs_in
from tpmwire.spec.constants import TPM_ALG
from tpmwire.spec.structures import TPMS_PCR_SELECTION

SHA1, SHA256 = TPM_ALG.SHA1, TPM_ALG.SHA256

PCRS = {
    "23": [(SHA256, "000080")],
    "7,23": [(SHA256, "800080")],
    " 7 , 23 ": [(SHA256, "800080")],
    "23,7": [(SHA256, "800080")],
    "7,7": [(SHA256, "800000")],
    "0": [(SHA256, "010000")],
    "8": [(SHA256, "000100")],
    "016": [(SHA256, "000001")],
    "sha256:7,23": [(SHA256, "800080")],
    "SHA1:0": [(SHA1, "010000")],
    "sha1:0+sha256:1": [(SHA1, "010000"), (SHA256, "020000")],
    "sha3_384:3 + 4": [(TPM_ALG.SHA3_384, "080000"), (SHA256, "100000")],
    "sm3_256:1+sha512:2": [(TPM_ALG.SM3_256, "020000"), (TPM_ALG.SHA512, "040000")],
    "0-2,7, 22-23": [(SHA256, "8700c0")],
    "sha1:all+sha256:8-8": [(SHA1, "ffffff"), (SHA256, "000100")],
    ",".join(map(str, range(24))): [(SHA256, "ffffff")],
}


@pytest.mark.parametrize("text", PCRS)
def test_pcrs(text: str) -> None:
    selection = parse_pcrs(text)
    assert selection == tuple(TPMS_PCR_SELECTION(bank, bytes.fromhex(bits)) for bank, bits in PCRS[text])
    assert parse_pcrs(format_pcrs(selection)) == selection


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "invalid PCR ''; use e.g. 7,23 or sha256:7,23"),
        ("99", "invalid PCR 99; expected 0 to 23"),
        ("24", "invalid PCR 24"),
        ("a,b", "invalid PCR 'a'"),
        ("7,", "invalid PCR ''"),
        ("-1", "invalid PCR '-1'"),
        ("+7", "invalid PCR ''"),
        ("7;23", "invalid PCR '7;23'"),
        ("0x7", "invalid PCR '0x7'"),
        ("3-1", "invalid range of PCRs '3-1'"),
        ("1-", "invalid PCR '1-'"),
        ("1-24", "invalid PCR 24"),
        ("0-3-5", "invalid PCR '3-5'"),
        ("٧", "invalid PCR"),
        ("²", "invalid PCR"),
        ("9" * 5000, "'9999"),
        ("sha256:", "invalid PCR ''"),
        ("md5:7", "unknown PCR bank 'md5'; expected one of sha1, sha256"),
        (":7", "unknown PCR bank ''"),
        ("sha1:sha256:7", "unknown PCR bank 'sha1:sha256'"),
        ("7+sha256:8", "bank sha256 is named twice"),
        ("7\n8", "invalid PCR"),
    ],
)
def test_bad_pcrs(text: str, reason: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_pcrs(text)
    assert reason in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 160


def test_pcrs_in_the_order_of_their_hash() -> None:
    assert pcrs_in(parse_pcrs("sha1:7,0+sha256:23")) == ((SHA1, 0), (SHA1, 7), (SHA256, 23))
    assert pcrs_in((TPMS_PCR_SELECTION(SHA256, b"\0\0\0\x80"),)) == ((SHA256, 31),)
    assert format_pcrs((TPMS_PCR_SELECTION(TPM_ALG(0x99), b"\1"),)) == "0x99:0"


def test_pcr_values_beside_their_numbers() -> None:
    digests = {"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}
    for bank, size in digests.items():
        selection, values = parse_pcr_values(f"{bank}:7={'ab' * size},23+sha3_256:0")
        assert selection == parse_pcrs(f"{bank}:7,23+sha3_256:0")
        assert values == {(selection[0].hash, 7): b"\xab" * size}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sha256:7=ab", r"PCR 7 .*32.* 1"),
        ("sha256:7=" + "ab" * 20, r"PCR 7 .*32.* 20"),
        ("sha1:7=" + "ab" * 32, r"PCR 7 .*20.* 32"),
        ("sha256:7=", r"PCR 7 .*32.* 0"),
        ("sha256:7=" + "xy" * 32, "hex"),
        ("sha256:24=" + "ab" * 32, "24"),
    ],
)
def test_pcr_values_of_another_size_or_form(text: str, reason: str) -> None:
    """A key could be bound to them, and would never work."""
    with pytest.raises(PolicyError, match=reason):
        parse_pcr_values(text)
