"""Files with PCR values: files of tpm2_quote and tpm2_pcrread, and JSON and text of `tpmwire pcr`."""

import json
import re

from ..crypto.formulas import digest_size
from ..errors import EncodeError, PolicyError
from ..policy.pcr_selection import bank_name, parse_pcrs, pcrs_in
from ..spec.constants import TPM_ALG
from ..spec.structures import TPMS_PCR_SELECTION
from .quotes import PcrValues

__all__ = ["build_pcr_file", "parse_pcr_file", "pcr_json", "pcrs_from_json"]

_BANKS, _BANK_SIZE = 16, 8
"""Slots for banks in a TPML_PCR_SELECTION of tpm2-tss in memory, and bytes of a slot."""
_DIGESTS, _DIGEST_SIZE = 8, 66
"""Slots for digests in a TPML_DIGEST in memory, and bytes of a slot: the size and 64 bytes."""

_LINE = re.compile(r"^(?:PCR\s*)?(?:(\w+)\s*:\s*)?(\d{1,2})\s*[:= ]\s*(?:0x)?([0-9A-Fa-f]+)\s*$")


def build_pcr_file(selection: tuple[TPMS_PCR_SELECTION, ...], values: PcrValues) -> bytes:
    """Returns PCR values in the format of `tpm2_quote -o`, which `tpm2_checkquote -f` reads.

    The format is the memory layout of tpm2-tss structures, little-endian: a TPML_PCR_SELECTION, the number of
    TPML_DIGESTs, and TPML_DIGESTs with up to eight values each.
    """
    banks = b"".join(
        one.hash.to_bytes(2, "little") + bytes([len(one.pcr_select)]) + one.pcr_select.ljust(5, b"\0")
        for one in selection
    )
    found = [values[place] for place in pcrs_in(selection)]
    lists = [found[start : start + _DIGESTS] for start in range(0, len(found), _DIGESTS)]
    return b"".join(
        [
            len(selection).to_bytes(4, "little"),
            banks.ljust(_BANKS * _BANK_SIZE, b"\0"),
            len(lists).to_bytes(4, "little"),
            *(_build_list(one) for one in lists),
        ]
    )


def _build_list(values: list[bytes]) -> bytes:
    slots = b"".join(len(value).to_bytes(2, "little") + value.ljust(64, b"\0") for value in values)
    return len(values).to_bytes(4, "little") + slots.ljust(_DIGESTS * _DIGEST_SIZE, b"\0")


def parse_pcr_file(data: bytes, selection: tuple[TPMS_PCR_SELECTION, ...]) -> dict[tuple[TPM_ALG, int], bytes]:
    """Returns {(bank, PCR number): value} from a file with PCR values.

    The file is from tpm2_quote (format serialized, values or marshaled), from tpm2_pcrread, or text or JSON of
    `tpmwire pcr`. `selection` contains the expected PCRs, because the format "values" does not name them. Raises
    PolicyError if the file is not valid.
    """
    for parse in (_parse_text, _parse_serialized, _parse_marshaled):
        if (found := parse(data)) is not None:
            return found
    places = pcrs_in(selection)
    if len(data) == sum(digest_size(bank) for bank, _ in places):
        return dict(_split(data, places))
    raise PolicyError("not PCR values; expected a file of tpm2_quote, tpm2_pcrread or tpmwire pcr")


def pcr_json(values: PcrValues) -> dict[str, dict[str, str]]:
    """Returns PCR values as a JSON object: {bank: {PCR number: hex}}."""
    document: dict[str, dict[str, str]] = {}
    for (bank, number), value in values.items():
        document.setdefault(bank_name(bank), {})[str(number)] = value.hex()
    return document


def pcrs_from_json(document: object) -> dict[tuple[TPM_ALG, int], bytes]:
    """Returns the PCR values in a JSON object with the format of `pcr_json`.

    Raises PolicyError if the object is not valid.
    """
    if not isinstance(document, dict) or not all(isinstance(values, dict) for values in document.values()):
        raise PolicyError('invalid PCR values in JSON; expected {"sha256": {"0": "00..."}}')
    return {
        (_bank(bank), _number(number)): _value(_bank(bank), str(value))
        for bank, values in document.items()
        for number, value in values.items()
    }


def _split(data: bytes, places: tuple[tuple[TPM_ALG, int], ...]) -> list[tuple[tuple[TPM_ALG, int], bytes]]:
    found, start = [], 0
    for place in places:
        end = start + digest_size(place[0])
        found.append((place, data[start:end]))
        start = end
    return found


def _parse_text(data: bytes) -> dict[tuple[TPM_ALG, int], bytes] | None:
    """Returns the PCR values in JSON, in lines such as `sha256:7  HEX`, or in the output of tpm2_pcrread.

    Returns None for other data.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    if "\0" in text:
        return None
    if text.lstrip().startswith("{"):
        try:
            document = json.loads(text)
            return pcrs_from_json(document.get("pcrs", document))  # "pcrs" in JSON of `tpmwire eventlog`
        except ValueError as error:
            raise PolicyError(f"not valid JSON: {error}") from error
    values: dict[tuple[TPM_ALG, int], bytes] = {}
    bank = None
    for line in filter(None, map(str.strip, text.splitlines())):
        if re.fullmatch(r"\w+:", line):
            bank = _bank(line[:-1])
        elif found := _LINE.match(line):
            of = _bank(found[1]) if found[1] else bank
            if of is None:
                raise PolicyError(f"missing bank before {line!r}; use e.g. sha256:{found[2]}")
            values[of, _number(found[2])] = _value(of, found[3])
        else:
            return None
    return values


def _bank(name: str) -> TPM_ALG:
    return parse_pcrs(f"{name}:0")[0].hash


def _number(text: object) -> int:
    number = int(text) if isinstance(text, str) and re.fullmatch("[0-9]{1,2}", text) else -1
    if not 0 <= number < 24:
        raise PolicyError(f"invalid PCR {text!r}; expected 0 to 23")
    return number


def _value(bank: TPM_ALG, text: str) -> bytes:
    try:
        value = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise PolicyError(f"invalid PCR value {text[:80]!r}; expected hex") from None
    if len(value) != digest_size(bank):
        raise PolicyError(
            f"invalid PCR value in bank {bank_name(bank)}: expected {digest_size(bank)} bytes, got {len(value)}"
        )
    return value


def _parse_serialized(data: bytes) -> dict[tuple[TPM_ALG, int], bytes] | None:
    head = 8 + _BANKS * _BANK_SIZE
    count, lists = int.from_bytes(data[:4], "little"), int.from_bytes(data[head - 4 : head], "little")
    one = 4 + _DIGESTS * _DIGEST_SIZE
    if not 1 <= count <= _BANKS or len(data) != head + lists * one:
        return None
    slots = [data[4 + n * _BANK_SIZE : 4 + (n + 1) * _BANK_SIZE] for n in range(count)]
    digests: list[bytes] = []
    for start in range(head, len(data), one):
        for n in range(min(int.from_bytes(data[start : start + 4], "little"), _DIGESTS)):
            at = start + 4 + n * _DIGEST_SIZE
            digests.append(data[at + 2 : at + 2 + int.from_bytes(data[at : at + 2], "little")])
    return _pair([(int.from_bytes(slot[:2], "little"), slot[3 : 3 + min(slot[2], 4)]) for slot in slots], digests)


def _parse_marshaled(data: bytes) -> dict[tuple[TPM_ALG, int], bytes] | None:
    """Returns the PCR values in a marshaled TPML_PCR_SELECTION, a count, and as many TPML_DIGESTs.

    Returns None for other data.
    """
    at = 0

    def take(size: int) -> bytes:
        nonlocal at
        at += size
        if at > len(data):
            raise EncodeError("truncated")
        return data[at - size : at]

    try:
        banks = []
        for _ in range(int.from_bytes(take(4), "big")):
            alg = int.from_bytes(take(2), "big")
            banks.append((alg, take(take(1)[0])))
        digests: list[bytes] = []
        for _ in range(int.from_bytes(take(4), "big")):
            digests += [take(int.from_bytes(take(2), "big")) for _ in range(int.from_bytes(take(4), "big"))]
    except EncodeError:
        return None
    return _pair(banks, digests) if banks and at == len(data) else None


def _pair(banks: list[tuple[int, bytes]], digests: list[bytes]) -> dict[tuple[TPM_ALG, int], bytes] | None:
    try:
        places = pcrs_in(tuple(TPMS_PCR_SELECTION(TPM_ALG(alg), bits) for alg, bits in banks))
        fits = [digest_size(bank) for bank, _ in places] == [len(value) for value in digests]
    except (ValueError, EncodeError):
        return None
    return dict(zip(places, digests, strict=True)) if fits else None
