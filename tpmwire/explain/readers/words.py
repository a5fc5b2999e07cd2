"""Interprets a word, a number or a log line: names, response codes, attributes, PCR lists."""

import errno
import os
import re
from collections.abc import Iterator
from enum import IntEnum, IntFlag
from functools import cache
from typing import Any

from ...errors import DecodeError, PolicyError
from ...policy.pcr_selection import format_pcrs, parse_pcrs, pcrs_in
from ...record import Record
from ...spec.command import Command
from ...spec.names import field_name, type_name
from ...spec.response_texts import explain
from ...spec.tss2_codes import BASE, LAYERS
from ..lookup import find_name
from ..table import declarations, table_of, wrap_line
from ..texts import field_meaning
from ..tss2_texts import find_codes
from ..windows_codes import windows_code, windows_number
from .numbers import KINDS, Interpretation, as_type, number_kinds, parse_numbers, vendor_number
from .tool_names import read_program, read_template

__all__ = ["log_lines", "read_as", "read_words"]

_LIMIT = 4096
"""Maximum number of characters of a word, and of a line that is searched for codes."""

_MOST = 32
"""Maximum number of different codes of a long log that are explained."""

_ABOUT = re.compile(r"tpm|tss2|esys|tcti|\btbs|hresult|bitlocker|0x8028", re.IGNORECASE)
"""What a line of a long log about a TPM contains."""

_ASKS = {table: ask for ask, (table, _) in KINDS.items()}


def read_words(text: str) -> list[Interpretation]:
    """Returns the interpretations of a word, a number, or a text with response codes, the most likely first.

    Examples: `0x98e`, `TPM_RC_AUTH_FAIL`, `fixedTPM|decrypt`, `sha256:0,7`, `GetRandom`, `tpm:session(1):the
    authorization HMAC check failed`, and log lines with one of these codes. In a long log, only the lines about
    TPMs are searched. Returns an empty list for any other text.
    """
    text = text.strip()
    if len(text) > _LIMIT and (logged := _search_log(text)):
        return logged
    text = text[:_LIMIT]
    word = text.strip("\"'`,;.:()[]{}<>!?|+ \t\r\n\0")
    if not word:
        return []
    fields, names = [*_field(word)], [*_name(word)]
    # A field begins with a small letter (hmac), an algorithm or command does not (HMAC).
    found = [*_number(word), *(fields + names if word[:1].islower() else names + fields)]
    found += [*_attributes(word), *_pcrs(word)]
    found += [*read_program(word), *_vendor(word), *(read_template(word) if ":" in word and not found else ())]
    return found or _remove_duplicates(_texts(text))


def log_lines(text: str) -> dict[str, str]:
    """Returns the lines about TPMs in a log, without those that differ only in what precedes: {key: line}."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        if about := _ABOUT.search(line):
            found.setdefault(line[about.start() :][:_LIMIT], line[:_LIMIT])
    return found


def _search_log(text: str) -> list[Interpretation]:
    found: dict[tuple[str, int | None], Interpretation] = {}
    for line in log_lines(text).values():
        for each in _texts(line):
            found.setdefault((each.type, each.value), each)
        if len(found) >= _MOST:
            break
    return list(found.values())


def read_as(ask: str, text: str) -> list[Interpretation]:
    """Returns the interpretations of `text` as `ask`: a word of KINDS, `pcrs`, or a type of the standard.

    Raises KeyError for an unknown `ask`, and DecodeError if the text is not a value of that type.
    """
    if ask.lower() == "pcrs":
        return [_selection(text)]
    name = KINDS.get(ask.lower(), ("",))[0]
    if not name and (found := [each for each in read_words(text) if each.ask == ask.lower()]):
        return found
    if not name:
        known = find_name(ask)
        if known is None or known[1] is not None:
            raise KeyError(ask)
        name = known[0]
    numbers = parse_numbers(text)
    if numbers:
        return [as_type(ask, number) for number in numbers]
    constants = [each for each in read_words(text) if each.type == name]
    if not constants:
        raise DecodeError(f"{text!r} is not {KINDS.get(ask.lower(), ('', f'a value of {name}'))[1]}", 0, 0)
    return constants


def _remove_duplicates(found: Iterator[Interpretation]) -> list[Interpretation]:
    return list({(each.type, each.value): each for each in found}.values())


def _vendor(word: str) -> Iterator[Interpretation]:
    if (number := vendor_number(word)) is not None:
        yield as_type("vendor", number)


def _number(word: str) -> Iterator[Interpretation]:
    if re.fullmatch(r"-[0-9]{1,3}", word) and (found := _kernel_error(int(word))):
        yield found
        return
    digits = len(word) - 2 if word[:2].lower() == "0x" else 0
    values = parse_numbers(word)
    kinds = [number_kinds(value, digits=digits) for value in values]
    # A decimal and a hexadecimal number in turn, so that the likeliest meaning of each comes first.
    for place in range(max(map(len, kinds), default=0)):
        yield from (each[place] for each in kinds if place < len(each))


def _name(word: str) -> Iterator[Interpretation]:
    """Yields the interpretations of a name of the standard, of tpm2-tss or of Windows. The prefix is optional."""
    word = re.sub(
        r"^(?:Esys|Tss2_Sys|Tspi|TSS2_Sys)_(\w+?)(?:_Async|_Finish|_Complete|_Prepare)?$", r"TPM2_\1", word
    )
    known = find_name(word) or find_name(f"tpm_{word}")
    if known is not None:
        yield _interpret_name(*known)
        if "_" in word and known[1] is not None:
            return
    if (windows := windows_number(word)) is not None:
        yield as_type("windows", windows)
    if (layered := _layer_code(word)) is not None:
        yield as_type("rc", layered)
    key = _plain(_ALIASES.get(word.lower(), word))
    for name, member in _short_names().get(key, ()):
        if known != (name, member):
            yield _interpret_name(name, member)


def _interpret_name(name: str, member: str | None) -> Interpretation:
    kind: Any = declarations().get(name)
    if member is None:
        return Interpretation(_kind_of(name, kind), "name", name, None, table_of(name).as_text().splitlines())
    return as_type(_ASKS.get(name, name), int(kind[member]))


def _kind_of(name: str, kind: Any) -> str:
    if name.startswith("TPM2_"):
        return "a command of TPM 2.0 Part 3"
    if isinstance(kind, dict):
        return "a union of TPM 2.0 Part 2"
    if isinstance(kind, type) and issubclass(kind, Record):
        return "a structure of TPM 2.0 Part 2"
    if isinstance(kind, type) and issubclass(kind, IntFlag):
        return "an attribute word of TPM 2.0 Part 2"
    return "a type of TPM 2.0 Part 2"


def _plain(word: str) -> str:
    return re.sub(r"[\W_]", "", word).lower()


_ALIASES = {
    "p256": "NIST_P256", "p-256": "NIST_P256", "secp256r1": "NIST_P256", "prime256v1": "NIST_P256",
    "p384": "NIST_P384", "p-384": "NIST_P384", "secp384r1": "NIST_P384", "p521": "NIST_P521", "p-521": "NIST_P521",
    "secp521r1": "NIST_P521", "brainpoolp256r1": "BP_P256_R1", "brainpoolp384r1": "BP_P384_R1",
    "brainpoolp512r1": "BP_P512_R1", "x25519": "CURVE_25519", "ed25519": "CURVE_25519", "x448": "CURVE_448",
    "ecc256": "NIST_P256", "ecc384": "NIST_P384", "ecc521": "NIST_P521", "3des": "TDES", "sha": "SHA1",
    "sm3": "SM3_256",
    "o": "OWNER", "p": "PLATFORM", "e": "ENDORSEMENT", "n": "NULL", "l": "LOCKOUT",
}  # fmt: skip
"""{name in tpm2-tools, OpenSSL or NIST: constant of the standard}."""


@cache
def _short_names() -> dict[str, list[tuple[str, str]]]:
    """Returns {constant without prefix, in lower case and without underscores: [(table, constant)]}."""
    found: dict[str, list[tuple[str, str]]] = {}
    tables = [*dict.fromkeys(name for name, _ in KINDS.values()), *declarations()]
    for name in dict.fromkeys(tables):
        kind: Any = declarations().get(name)
        if isinstance(kind, type) and issubclass(kind, IntEnum) and name != "TPM_CC":
            for member in kind.__members__:
                found.setdefault(_plain(member), []).append((name, member))
    return found


def _layer_code(word: str) -> int | None:
    """Returns the response code of a tpm2-tss constant such as TSS2_TCTI_RC_IO_ERROR, or None."""
    found = re.fullmatch(r"tss2_(\w+?)_rc_(\w+)", word.lower())
    if found is None:
        return None
    layers = {layer.name.lower(): number for number, layer in LAYERS.items()} | {"esapi": 7, "sapi": 8, "base": 0}
    layers["policy"] = 13
    codes = {name.lower(): number for number, (name, _) in BASE.items()}
    if found[1] not in layers or found[2] not in codes:
        return None
    return layers[found[1]] << 16 | codes[found[2]]


def _attributes(word: str) -> Iterator[Interpretation]:
    """Yields the interpretations of attribute names joined by `|`, `,` or spaces: `fixedTPM|decrypt`."""
    words = [_plain(part) for part in re.split(r"[|,+\s]+", word) if part]
    for name, kind in declarations().items():
        if not (isinstance(kind, type) and issubclass(kind, IntFlag)):
            continue
        flags = {member.replace("_", "").lower(): int(value) for member, value in kind.__members__.items()}
        prefix = _plain(name)
        plain = [part.removeprefix(prefix).removeprefix(_TOOL_PREFIX.get(name, "\0")) for part in words]
        flags |= _MORE_FLAGS.get(name, {})
        if all(part in flags for part in plain):
            value = 0
            for part in plain:
                value |= flags[part]
            yield as_type(_ASKS.get(name, name), value)


_MORE_FLAGS: dict[str, dict[str, int]] = {
    "TPMA_NV": {"ntcounter": 1 << 4, "ntbits": 2 << 4, "ntextend": 4 << 4},
    "TPMA_OBJECT": {"sign": 1 << 18, "encrypt": 1 << 18},
}
"""Names of attributes in tpm2-tools that the standard does not have."""

_TOOL_PREFIX = {"TPMA_OBJECT": "tpma2object", "TPMA_NV": "tpma2nv", "TPMA_SESSION": "tpma2session"}


def _pcrs(word: str) -> Iterator[Interpretation]:
    """Yields the interpretation of a list of PCRs: `0,2,7`, `sha256:0,7`, `sha1:all`."""
    if ":" in word or "," in word:
        try:
            yield _selection(word)
        except DecodeError:
            return


def _selection(text: str) -> Interpretation:
    text = re.sub(r"\ball\b", ",".join(map(str, range(24))), text.strip().lower())
    try:
        selections = parse_pcrs(re.sub(r"\s", "", text))
    except PolicyError as error:
        raise DecodeError(str(error), 0, 0) from None
    listed = format_pcrs(selections)
    octets = len(selections).to_bytes(4, "big") + b"".join(each.build() for each in selections)
    lines = [
        f"{listed}: {len(pcrs_in(selections))} PCRs",
        f"  TPML_PCR_SELECTION: {octets.hex()} [Part 2 §10.9.7]",
    ]
    for number in sorted({number for _, number in pcrs_in(selections)}):
        lines.append(f"  PCR {number:<2}  {pcr_use(number)}")
    lines.append(f"  `tpmwire pcr` reads the values; `tpmwire policy --pcrs {listed}` computes a policy digest.")
    return Interpretation("a list of PCRs", "pcrs", "TPML_PCR_SELECTION", None, lines)


_PCR_USES = {
    0: "the firmware's own code (SRTM, boot block, UEFI)",
    1: "settings of the firmware, and of the platform",
    2: "drivers and option ROMs of plugged-in devices",
    3: "settings of these drivers and option ROMs",
    4: "the boot loader, and other UEFI programs before the system",
    5: "the partition table, and settings of the boot loader",
    6: "for the platform's manufacturer; wake-up events on old machines",
    7: "Secure Boot: whether it is on, its keys, and the certificate that approved the boot loader",
    8: "GRUB: its commands and the kernel's command line; Windows: the boot sector",
    9: "files that the boot loader or the kernel's EFI stub loads, such as kernel and initrd",
    10: "IMA of Linux: files that the kernel measures while it runs",
    11: "systemd-stub: the unified kernel image, and the phases of the boot; Windows: BitLocker",
    12: "systemd-stub: the kernel's command line and credentials",
    13: "systemd-stub: system extension images",
    14: "shim: the machine owner's keys (MOK)",
    15: "systemd: machine ID, file systems, and the volume key of the root file system",
    16: "for tests; any program can reset it",
    23: "for applications; any program can reset it",
}


def pcr_use(number: int) -> str:
    """Returns the usage of a PCR in a PC (TCG PC Client Platform Firmware Profile, §3.3.4; systemd; GRUB)."""
    if 17 <= number <= 22:
        return "a launch measured by the processor (DRTM: Intel TXT, AMD SKINIT); else all bits are set"
    return _PCR_USES.get(number, "not assigned on a PC")


def _field(word: str) -> Iterator[Interpretation]:
    """Yields the structures and commands that have a field of this name, such as nameAlg."""
    owners = _fields().get(word.lower())
    if owners:
        lines = [f"{owners[0][0]}: a field of {len(owners)} structure{'s' * (len(owners) != 1)} or commands"]
        for spelled, name, declared in owners:
            text = field_meaning(name.removeprefix("response of "), spelled)
            lines += wrap_line(f"  {name} [{declared}]" + (f": {text}" if text else ""), 6)
        yield Interpretation("a field", "field", "", None, lines)


@cache
def _fields() -> dict[str, list[tuple[str, str, str]]]:
    """Returns {field name in lower case: [(field, structure or command, type)]}."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for name, kind in declarations().items():
        if isinstance(kind, type) and issubclass(kind, Record):
            records = [(name, kind)]
            if issubclass(kind, Command):
                records.append((f"response of {name}", kind.Response))
            for owner, record in records:
                for field, annotation in record.fields():
                    spelled = field_name(field)
                    found.setdefault(spelled.lower(), []).append((spelled, owner, type_name(annotation)))
    return found


_RC_NAME = r"\bTPM2?_(?:20_E|RC)_[A-Z0-9_]+\b"
_PLACES = re.compile(
    rf"({_RC_NAME})(?:[^\n]{{0,12}}?\b(session|handle|parameter)[ :#]*(\d{{1,2}}))?", re.IGNORECASE
)
_LEGACY = re.compile(
    r"(?:(session|handle|parameter) (\d{1,2}), )?(error|warning) code (0x[0-9a-f]{1,3})\b", re.IGNORECASE
)
_HEX = re.compile(r"(?<![\w.])(?<!device-id )0x([0-9a-f]{1,8})\b", re.IGNORECASE)
_DECIMAL = re.compile(
    r"(?:error|failed|code|rc|returned|result|status|hr|hresult)\b[\s:=(#]{0,4}(-?\d{1,10})(?![\w.])",
    re.IGNORECASE,
)
_BARE = re.compile(r"\b(?:rc|error|code)\b[\s:=(#]{0,4}([0-9a-f]{3,8})\b", re.IGNORECASE)


def _texts(text: str) -> Iterator[Interpretation]:
    """Yields the response codes in a text, such as a log line of the kernel or a program."""
    if kernel := re.search(r"TPM error \((-?\d{1,10}|0x[0-9a-f]{1,8})\)", text, re.IGNORECASE):
        number = int(kernel[1], 0)
        error = _kernel_error(number)
        yield error or as_type("rc", number & 0xFFFFFFFF)
    yield from (as_type("rc", code) for code in find_codes(text, only_prefixed=True))
    for found in _LEGACY.finditer(text):
        warning = found[3].lower() == "warning"
        yield as_type("rc", _add_place(found[1], found[2], int(found[4], 16), warning=warning))
    hexes = [int(found[1], 16) for found in _HEX.finditer(text)]
    decimals = [int(found[1]) for found in _DECIMAL.finditer(text) if not re.match(r"0\d", found[1])]
    numbers = [*hexes, *decimals, *(int(found[1], 16) for found in _BARE.finditer(text))]
    codes = [number for number in numbers if _is_code(number)]
    for number in numbers:
        if error := _kernel_error(number):
            yield error
        elif windows_code(number & 0xFFFFFFFF):
            yield as_type("windows", number & 0xFFFFFFFF)
    yield from (as_type("rc", number) for number in codes)
    for found in _PLACES.finditer(text):
        for each in _name(found[1]):
            value = each.value or 0
            if each.type == "TPM_RC" and not any(explain(code).code == value for code in codes):
                placed = found[2] and value & 0x80
                yield as_type("rc", _add_place(found[2], found[3], value & 0x3F)) if placed else each
    yield from (as_type("rc", code) for code in find_codes(text))


def _is_code(number: int) -> bool:
    """Returns whether `number` is a known response code of a TPM or of a layer above the TPM."""
    if number < 0x80 or number >> 32:
        return False
    meaning = explain(number)
    return meaning.code.known if not meaning.layer else meaning.code.known or number & 0xFFFF in BASE


def _kernel_error(number: int) -> Interpretation | None:
    """Returns the interpretation of a negative errno of the Linux TPM driver, or None."""
    name = errno.errorcode.get(-number)
    if name is None:
        return None
    lines = [f"{number}: {name}: {os.strerror(-number)}", *_DRIVER_ERRORS.get(name, ())]
    return Interpretation("an error number of Linux", "errno", "errno", number, lines)


_DRIVER_ERRORS = {
    "ETIME": ("  The chip did not respond in time: reset the machine; check its firmware.",),
    "ETIMEDOUT": ("  The chip did not respond in time: reset the machine; check its firmware.",),
    "EBUSY": ("  Another program has /dev/tpm0 open; use /dev/tpmrm0.",),
    "ENODEV": ("  The driver found no TPM: is it enabled in the firmware's settings?",),
    "EIO": ("  The transfer to the chip failed, or its response was damaged.",),
    "EPERM": ("  The user may not open the device; add them to the group tss.",),
    "EACCES": ("  The user may not open the device; add them to the group tss.",),
    "ENOENT": ("  The device does not exist: is the TPM enabled, and the driver loaded?",),
}


def _add_place(kind: str | None, number: str | None, code: int, *, warning: bool = False) -> int:
    """Returns the response code with the number of a session, handle or parameter.

    `kind` is "session", "handle" or "parameter", and `code` the error number.
    """
    if kind is None or number is None:
        return (0x900 if warning else 0x100) | code
    bits = {"session": 0x880, "handle": 0x080, "parameter": 0x0C0}[kind.lower()]
    return bits | (int(number) & 0xF) << 8 | code & 0x3F
