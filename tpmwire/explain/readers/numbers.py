"""Interprets a number as a response code, handle, command code, attributes or constant of the standard."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from ...spec.constants import TPM_ALG, TPM_CC, TPM_GENERATED_VALUE, TPM_HT, TPM_RH, TPM_ST, TPMA_OBJECT
from ...spec.properties import TPM_NT, TPM_PT, TPMA_CC, TPMA_NV
from ...spec.response_texts import explain
from ...spec.tss2_codes import BASE
from ..lookup import find_name
from ..table import declarations
from ..value import explain_value
from ..windows_codes import windows_code

__all__ = ["KINDS", "Interpretation", "as_type", "number_kinds", "parse_numbers", "vendor_number"]

KINDS = {
    "rc": ("TPM_RC", "a response code"),
    "handle": ("TPM_HANDLE", "a handle"),
    "command": ("TPM_CC", "a command code"),
    "object": ("TPMA_OBJECT", "attributes of an object"),
    "nv": ("TPMA_NV", "attributes of an NV index"),
    "session": ("TPMA_SESSION", "attributes of a session"),
    "command-attributes": ("TPMA_CC", "attributes of a command"),
    "algorithm": ("TPM_ALG", "an algorithm"),
    "curve": ("TPM_ECC", "an elliptic curve"),
    "property": ("TPM_PT", "a property of a TPM"),
    "tag": ("TPM_ST", "a structure tag"),
    "capability": ("TPM_CAP", "a capability"),
    "windows": ("HRESULT", "an error code of Windows"),
    "vendor": ("TPM_PT_MANUFACTURER", "four characters, such as a manufacturer's ID"),
    "magic": ("TPM_GENERATED_VALUE", "the magic number of TPMS_ATTEST"),
}
"""The kinds of numbers, by the word of `tpmwire explain --as`: (type in the standard, noun phrase)."""

_OTHERS = ("TPM_SU", "TPM_SE", "TPM_EO", "TPM_HT", "TPM_NT", "TPMA_LOCALITY", "TPMA_ALGORITHM")

_UNKNOWN = 5
"""Score of a response code without a name."""

_VENDORS = {
    "AMD": "AMD", "AMZN": "Amazon", "ANT": "Ant Group", "ATML": "Atmel", "BRCM": "Broadcom", "CSCO": "Cisco",
    "FLYS": "FlySlice", "GOOG": "Google", "HISI": "HiSilicon", "HPE": "HPE", "HPI": "HP", "IBM": "IBM or libtpms",
    "IFX": "Infineon", "INTC": "Intel", "LEN": "Lenovo", "MSFT": "Microsoft", "NSG": "NSING", "NSM": "National",
    "NTC": "Nuvoton", "NTZ": "Nationz", "QCOM": "Qualcomm", "ROCC": "Rockchip", "SECE": "SecEdge",
    "SMSC": "SMSC", "SMSN": "Samsung", "SNS": "Sinosun", "STM": "STMicroelectronics", "TXN": "Texas Instruments",
    "WEC": "Winbond", "XCOM": "VMware or Microsoft's simulator",
}  # fmt: skip
"""Manufacturers by TPM_PT_MANUFACTURER (TCG TPM Vendor ID Registry)."""


class Interpretation(NamedTuple):
    """One meaning of a word or number.

    `kind` is a noun phrase with its article, such as "a response code". `ask` is the word that selects this
    meaning (`tpmwire explain --as ASK`). `type` is the name of the type in the standard. `value` is the number, if
    any. `lines` is the explanation; its first line alone is a summary.
    """

    kind: str
    ask: str
    type: str
    value: int | None
    lines: list[str]


def parse_numbers(text: str) -> list[int]:
    """Returns the 32-bit numbers that a word can be, the most likely first; an empty list for any other word.

    Digits without a prefix can be decimal or hexadecimal. A negative decimal number is a Windows HRESULT.
    """
    word = text.strip().lower().rstrip(".,;:)").lstrip("(").replace("_", "").replace("'", "")
    found: list[int] = []
    if prefixed := re.fullmatch(r"(?:0x|\\x|x|#|\$)([0-9a-f]{1,40})u?l{0,2}", word):
        found = [int(prefixed[1], 16)]
    elif suffixed := re.fullmatch(r"([0-9][0-9a-f]{0,39})h", word):
        found = [int(suffixed[1], 16)]
    elif re.fullmatch(r"0b[01]{1,64}", word):
        found = [int(word, 2)]
    elif re.fullmatch(r"-[0-9]{1,10}", word):
        found = [int(word) + (1 << 32)] if int(word) >= -(1 << 31) else []
    elif re.fullmatch(r"[0-9]{1,10}", word):
        found = [int(word)] + ([int(word, 16)] if len(word) <= 8 else [])
        if len(word) == 8 or (word.startswith("0") and len(word) > 1) or _is_known_code(found[-1]):
            found.reverse()
    elif re.fullmatch(r"(?=.*[0-9])[0-9a-f]{1,8}", word):
        found = [int(word, 16)]
    return [number for number in dict.fromkeys(found) if number >> 32 == 0]


def _is_known_code(number: int) -> bool:
    """Returns whether `number`, read from digits without 0x, is a response code that TPMs return."""
    meaning = explain(number)
    return 0x80 <= number <= 0xFFF and meaning.code.known and not 0x80 <= number < 0xC0


def number_kinds(number: int, *, digits: int = 0) -> list[Interpretation]:
    """Returns the interpretations of a 32-bit number, the most likely first.

    `digits` is the number of hex digits in the input, 0 if unknown. It changes the order: 0x000b is more likely an
    algorithm than 0xb, and 0x00000153 is more likely a command code than 0x153.
    """
    scored = sorted(_score_kinds(number, digits), key=lambda each: -each[0])
    if any(score > _UNKNOWN for score, _ in scored):
        scored = [each for each in scored if each[0] > _UNKNOWN]
    return [as_type(ask, number) for _, ask in scored]


def as_type(ask: str, number: int) -> Interpretation:
    """Returns the interpretation of a number as `ask`: a word of KINDS, or the name of a type in the standard.

    Raises KeyError for an unknown name, and DecodeError if the type is not numeric or too small for the number.
    """
    name, kind = KINDS.get(ask.lower(), ("", ""))
    if not name:
        known = find_name(ask)
        if known is None or known[1] is not None:
            raise KeyError(ask)
        ask = name = known[0]
        kind = f"a value of {name}"
    rule = {"HRESULT": _windows, "TPM_PT_MANUFACTURER": _vendor, "TPM_GENERATED_VALUE": _magic}.get(name)
    if rule is not None:
        return Interpretation(kind, ask, name, number, rule(number))
    return Interpretation(kind, ask, name, number, explain_value(name, number))


def _score_kinds(number: int, digits: int) -> Iterator[tuple[int, str]]:
    """Yields (score, word of KINDS or type) for each interpretation of a number. A higher score is more likely."""
    known: tuple[tuple[bool, int, str], ...] = (
        (windows_code(number) is not None, 95, "windows"),
        (number == TPM_GENERATED_VALUE, 95, "magic"),
        (bool(score := _score_response(number, digits)), score, "rc"),
        (bool(score := _score_handle(number)), score, "handle"),
        (TPM_CC(number).known, 72 if digits == 8 else 65, "command"),
        (_is_subset(number, TPMA_OBJECT, 2), _score_object(number), "object"),
        (_is_nv_attributes(number), 76, "nv"),
        (number > 0xFFFF and TPM_CC(number & 0xFFFF).known and _is_command_attributes(number), 73,
         "command-attributes"),
        (number <= 0xFFFF and TPM_ST(number).known, 85 if number > 0x8000 else 15, "tag"),
        (TPM_PT(number).known and number > 0, 60, "property"),
        (number <= 0xFFFF and TPM_ALG(number).known, 90 if digits == 4 else 55, "algorithm"),
        (number <= 0xFFFF and _is_known("TPM_ECC", number), 50 if digits == 4 else 30, "curve"),
        (_is_known("TPM_CAP", number), 20, "capability"),
        (_is_subset_of("TPMA_SESSION", number), 18, "session"),
        (bool(text := _characters(number)), 90 if text.strip() in _VENDORS else 40, "vendor"),
    )  # fmt: skip
    yield from ((score, ask) for holds, score, ask in known if holds)
    yield from ((8, name) for name in _OTHERS if _is_known(name, number) or _is_subset_of(name, number))


def _score_response(number: int, digits: int) -> int:
    meaning = explain(number)
    if meaning.layer:
        known = meaning.code.known or number & 0xFFFF in BASE
        return 85 if known else 30
    if number > 0xFFF:
        return 0
    if number == 0:
        return 60
    if number & 0x580 == 0x500:  # a maker's own code
        return 40
    if not meaning.code.known or number < 0x80:
        return _UNKNOWN
    least = 10 if digits == 8 else 0
    if not number & 0x80:
        return 80 - least
    place = number >> 8 & (0xF if number & 0x40 else 7)
    if number < 0xC0:
        return 45
    return (81 if 0 < place <= 3 else 75 if place and number & 0x40 else 58) - least


def _score_object(number: int) -> int:
    # fixedTPM requires fixedParent (Part 2, §8.3.3.2).
    fixed = not number & TPMA_OBJECT.FIXED_TPM or bool(number & TPMA_OBJECT.FIXED_PARENT)
    return 25 if number < 0x10000 else 78 if fixed else 50


def _score_handle(number: int) -> int:
    kind = number >> 24
    if kind == TPM_HT.PCR:
        return 22 if number < 24 else 0
    if kind == TPM_HT.PERMANENT:
        return 90 if TPM_RH(number).known or 0x40000110 <= number <= 0x4000011F else 10
    if windows_code(number) is not None:
        return 20
    scores = {TPM_HT.NV_INDEX: 85, TPM_HT.HMAC_SESSION: 70, TPM_HT.POLICY_SESSION: 70, TPM_HT.TRANSIENT: 80}
    scores |= {TPM_HT.PERSISTENT: 88, TPM_HT.AC: 60, TPM_HT.EXTERNAL_NV: 50, TPM_HT.PERMANENT_NV: 50}
    return scores.get(TPM_HT(kind), 0)


def _is_known(name: str, number: int) -> bool:
    kind: Any = declarations()[name]
    return hasattr(kind, "known") and kind(number).known


def _is_subset(number: int, kind: Any, least: int) -> bool:
    """Returns whether all set bits of a number are attributes of `kind`, and at least `least` bits are set."""
    return number.bit_count() >= least and not number & ~sum(int(flag) for flag in kind)


def _is_subset_of(name: str, number: int) -> bool:
    kind: Any = declarations()[name]
    return not hasattr(kind, "known") and _is_subset(number, kind, 1)


def _is_nv_attributes(number: int) -> bool:
    """Returns whether a number can be TPMA_NV: no reserved bit set, and the index readable and writable."""
    writes = TPMA_NV.PPWRITE | TPMA_NV.OWNERWRITE | TPMA_NV.AUTHWRITE | TPMA_NV.POLICYWRITE
    reads = TPMA_NV.PPREAD | TPMA_NV.OWNERREAD | TPMA_NV.AUTHREAD | TPMA_NV.POLICYREAD
    known = TPM_NT(number >> 4 & 0xF).known and _is_subset(number & ~0xF0, TPMA_NV, 2)
    return bool(number & writes and number & reads) and known


def _is_command_attributes(number: int) -> bool:
    return not number & ~(sum(int(flag) for flag in TPMA_CC) | 0x0E00FFFF)


def _characters(number: int) -> str:
    """Returns the four ASCII characters of a number, or "" if they are not printable."""
    octets = number.to_bytes(4, "big").rstrip(b"\0")
    return octets.decode() if len(octets) > 2 and all(0x20 <= each < 0x7F for each in octets) else ""


def _vendor(number: int) -> list[str]:
    text = number.to_bytes(4, "big").rstrip(b"\0").decode("latin-1")
    maker = _VENDORS.get(text.strip())
    return [f"0x{number:08x}: the characters {text!r}" + (f", the manufacturer's ID of {maker}" if maker else "")]


def vendor_number(text: str) -> int | None:
    """Returns the number of a manufacturer ID (TPM_PT_MANUFACTURER) such as IFX, or None for other text."""
    known = text.upper() in _VENDORS
    return int.from_bytes(text.upper().encode().ljust(4, b"\0"), "big") if known else None


def _magic(number: int) -> list[str]:
    if number != TPM_GENERATED_VALUE:
        return [f"0x{number:x}: not TPM_GENERATED_VALUE (0x{TPM_GENERATED_VALUE:x}, Part 2 §6.2)"]
    return [
        f"0x{number:x}: TPM_GENERATED_VALUE",
        "  The bytes ff 'TCG' begin every structure that a TPM signs about itself (TPMS_ATTEST). A restricted",
        "  signing key signs no other data that begins so. [Part 2 §6.2]",
    ]


def _windows(number: int) -> list[str]:
    code = windows_code(number)
    if code is None:
        return [f"0x{number:08x}: not an error code of Windows about a TPM"]
    lines = [
        f"0x{number:08x}: {code.name}, from {code.source}",
        f"  as a signed decimal number: {number - (1 << 32)}",
    ]
    if code.rc is not None:
        lines += [f"  bits 11:0 are the TPM's response code 0x{code.rc:x}:"]
        lines += [f"  {line}" for line in explain_value("TPM_RC", code.rc)]
    return lines
