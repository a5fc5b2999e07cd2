"""Selections of PCRs as text: `sha256:7,23`, and `sha256:7=HEX` with a value."""

from ..crypto.formulas import digest_size
from ..errors import PolicyError
from ..spec.constants import TPM_ALG
from ..spec.structures import TPMS_PCR_SELECTION

__all__ = ["bank_name", "format_pcrs", "parse_pcr_values", "parse_pcrs", "pcrs_in"]

PCR_COUNT = 24
"""PCRs of a PC's TPM (TCG PC Client Platform TPM Profile, §4.6)."""

_BANKS = {
    "sha1": TPM_ALG.SHA1,
    "sha256": TPM_ALG.SHA256,
    "sha384": TPM_ALG.SHA384,
    "sha512": TPM_ALG.SHA512,
    "sm3_256": TPM_ALG.SM3_256,
    "sha3_256": TPM_ALG.SHA3_256,
    "sha3_384": TPM_ALG.SHA3_384,
    "sha3_512": TPM_ALG.SHA3_512,
}


def parse_pcrs(text: str) -> tuple[TPMS_PCR_SELECTION, ...]:
    """Parses a selection of PCRs: `23`, `7,23`, `0-7`, `all`, `sha256:7,23`, `sha1:0+sha256:1`.

    Raises PolicyError for any other text.
    """
    selections: list[TPMS_PCR_SELECTION] = []
    for part in text.split("+"):
        prefix, colon, listed = part.rpartition(":")
        bank = _BANKS.get(prefix.strip().lower() if colon else "sha256")
        if bank is None:
            raise PolicyError(f"unknown PCR bank {_quote(prefix)}; expected one of {', '.join(_BANKS)}")
        if any(selection.hash == bank for selection in selections):
            raise PolicyError(f"bank {bank_name(bank)} is named twice; list its PCRs together, such as 7,23")
        bits = 0
        for item in listed.split(","):
            bits |= _parse_range(item.strip())
        selections.append(TPMS_PCR_SELECTION(bank, bits.to_bytes(PCR_COUNT // 8, "little")))
    return tuple(selections)


def parse_pcr_values(
    text: str,
) -> tuple[tuple[TPMS_PCR_SELECTION, ...], dict[tuple[TPM_ALG, int], bytes]]:
    """Parses a list of PCRs, some with values, such as `sha256:7=HEX,23`. Returns the selection and the values.

    The values are keyed by bank and PCR number. Raises PolicyError for an invalid list.
    """
    selection = parse_pcrs("+".join(_remove_values(part) for part in text.split("+")))
    values: dict[tuple[TPM_ALG, int], bytes] = {}
    for chosen, part in zip(selection, text.split("+"), strict=True):
        for item in part.rpartition(":")[2].split(","):
            number, equals, digits = item.partition("=")
            if not equals:
                continue
            try:
                value = bytes.fromhex(digits.strip())
            except ValueError:
                raise PolicyError(f"invalid PCR value {_quote(digits)}; expected hex") from None
            if len(value) != digest_size(chosen.hash):
                raise PolicyError(
                    f"PCR {number.strip()} in bank {bank_name(chosen.hash)}: expected {digest_size(chosen.hash)} "
                    f"bytes, got {len(value)}"
                )
            values[chosen.hash, _pcr_number(number.strip())] = value
    return selection, values


def _remove_values(part: str) -> str:
    bank, colon, listed = part.rpartition(":")
    return bank + colon + ",".join(item.partition("=")[0] for item in listed.split(","))


def _parse_range(text: str) -> int:
    """Returns the bits of a PCR number, a range such as `0-7`, or `all`."""
    if text == "all":
        return (1 << PCR_COUNT) - 1
    first, dash, last = text.partition("-")
    if not (dash and first and last):
        return 1 << _pcr_number(text)
    low, high = _pcr_number(first), _pcr_number(last)
    if low > high:
        raise PolicyError(f"invalid range of PCRs {_quote(text)}; expected e.g. 0-7")
    return (2 << high) - (1 << low)


def _pcr_number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 4):
        raise PolicyError(f"invalid PCR {_quote(text)}; use e.g. 7,23 or sha256:7,23")
    number = int(text)
    if number >= PCR_COUNT:
        raise PolicyError(f"invalid PCR {number}; expected 0 to {PCR_COUNT - 1}")
    return number


def _quote(text: str) -> str:
    """Returns the user's text in quotes, shortened for a message."""
    return repr(text if len(text) <= 40 else text[:37] + "...")


def bank_name(bank: int) -> str:
    """Returns the name of a PCR bank, such as `sha256`, or its number in hex."""
    return next((name for name, alg in _BANKS.items() if alg == bank), f"0x{bank:x}")


def pcrs_in(pcrs: tuple[TPMS_PCR_SELECTION, ...]) -> tuple[tuple[TPM_ALG, int], ...]:
    """Returns (bank, number) of every selected PCR, in the order in which the TPM hashes them (Part 1, §17.5)."""
    return tuple(
        (selection.hash, number)
        for selection in pcrs
        for number in range(8 * len(selection.pcr_select))
        if selection.pcr_select[number // 8] >> number % 8 & 1
    )


def format_pcrs(pcrs: tuple[TPMS_PCR_SELECTION, ...]) -> str:
    """Returns a selection of PCRs as text, which `parse_pcrs` parses: `sha256:7,23`."""
    return "+".join(
        f"{bank_name(selection.hash)}:{','.join(str(number) for _, number in pcrs_in((selection,)))}"
        for selection in pcrs
    )
