"""Explains the data of measured boot events by event type.

The TPM protects only the digest of an event. `is_proven` returns whether the digest matches the data. Source: TCG
PC Client Platform Firmware Profile, §10.4 to §10.6.
"""

from collections.abc import Callable, Iterator

from ..crypto.formulas import digest
from ..errors import EncodeError
from ..policy.pcr_selection import bank_name
from .device_path import format_device_path, format_guid, utf16
from .events import Event
from .ima_log import explain_ima
from .windows_events import is_windows_tag, read_windows_events

__all__ = ["explain_event", "is_proven"]

Detail = tuple[str, str]
"""A field of an event's data, and its meaning."""

_LONGEST = 64
"""Maximum number of bytes of unknown data that is shown in hex."""

GUIDS = {
    "8be4df61-93ca-11d2-aa0d-00e098032b8c": "EFI_GLOBAL_VARIABLE",
    "d719b2cb-3d3a-4596-a3bc-dad00e67656f": "EFI_IMAGE_SECURITY_DATABASE",
    "605dab50-e046-4300-abb6-3dd810dd8b23": "shim",
    "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f": "systemd-boot",
    "a5c059a1-94e4-4aa7-87b5-ab155c2bf072": "X.509 certificate",
    "c1c41626-504c-4092-aca9-41f936934328": "SHA-256 hash",
    "826ca512-cf10-4ac9-b187-be01496631bd": "SHA-1 hash",
    "ff3e5307-9fd0-48c9-85f1-8ad56c701e01": "SHA-384 hash",
    "093e0fae-a6c4-4f50-9f1b-d41e2b89c19a": "SHA-512 hash",
    "3c5766e8-269c-4e34-aa14-ed776e85b3b6": "RSA 2048 key",
    "3bd2a492-96c0-4079-b420-fcf98ef103ed": "SHA-256 hash of a certificate",
    "77fa9abd-0359-4d32-bd60-28f4e78f784b": "Microsoft",
    "c12a7328-f81f-11d2-ba4b-00a0c93ec93b": "EFI system partition",
    "21686148-6449-6e6f-744e-656564454649": "BIOS boot partition",
    "0fc63daf-8483-4772-8e79-3d69d8477de4": "Linux file system",
    "4f68bce3-e8cd-4db1-96e7-fbcaf984b709": "Linux root (x86-64)",
    "bc13c2ff-59e6-4262-a352-b275fd6f7172": "Linux /boot",
    "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f": "Linux swap",
    "e6d6d379-f507-44c2-a23c-238f2a3df928": "Linux LVM",
    "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7": "Microsoft data",
    "e3c9e316-0b5c-4db8-817d-f92df00215ae": "Microsoft reserved",
    "de94bba4-06d1-4d40-a16a-bfd50179d6ac": "Windows recovery",
    "eb9d2d31-2d88-11d3-9a16-0090273fc14d": "SMBIOS table",
    "f2fd1544-9794-4a2c-992e-e5bbcf20e394": "SMBIOS 3 table",
    "8868e871-e4f1-11d3-bc22-0080c73c8881": "ACPI 2.0 table",
}
"""Well-known GUIDs."""

_TAGS = {
    0x8F3B22EC: "initrd, loaded by the Linux EFI stub",
    0x8F3B22ED: "kernel command line, loaded by the Linux EFI stub",
    0xF5BC582A: "systemd-boot: configuration file",
    0x6C46F751: "systemd-boot: device tree",
    0x13AED6DB: "systemd-stub: initrd credentials",
    0x4D9FAB11: "systemd-stub: unified kernel image",
}
"""Identifiers of EV_EVENT_TAG."""


def explain_event(event: Event) -> list[Detail]:
    """Returns the explanation of an event's data as (field, meaning) pairs. Damaged data is shown in hex."""
    if event.template:
        return explain_ima(event)
    try:
        found = list(_READERS.get(event.kind, _read_text)(event.data))
    except (IndexError, ValueError, _TruncatedError):
        found = [("damaged", _hex(event.data))]
    return found


def is_proven(event: Event) -> bool | None:
    """Returns whether the event's digest is the digest of its data, or None if there is no digest or no data.

    Returns False for loaded images and firmware, whose digest covers the image instead of the data in the event.
    """
    banks = [bank for bank, value in event.digests.items() if any(value)]
    if not event.extends or not event.data or not banks:
        return None
    for candidate in _candidates(event):
        try:
            if digest(banks[-1], candidate) == event.digests[banks[-1]]:
                return True
        except (EncodeError, ValueError):
            return None
    return False


def _candidates(event: Event) -> Iterator[bytes]:
    """Yields the byte strings that firmware and boot loaders may have hashed for this event."""
    data = event.data
    yield data
    yield data.rstrip(b"\0")
    for separator in (b": ", b":", b" "):  # GRUB logs "grub_cmd: COMMAND", and hashes the command
        _, found, rest = data.partition(separator)
        if found:
            yield rest.rstrip(b"\0")
            yield rest
    if event.kind in (0x80000001, 0x80000002, 0x8000000C, 0x800000E0) and len(data) >= 32:
        yield data[32 + 2 * int.from_bytes(data[16:24], "little") :]  # of the variable, only its value
    if event.kind == 6:
        yield data[8:]


class _TruncatedError(Exception):
    """The data of an event is truncated within a field."""


class _Reader:
    """A cursor that reads consecutive fields of event data."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        """Returns the next `size` bytes. Raises _TruncatedError if fewer bytes are left."""
        if size < 0 or self.at + size > len(self.data):
            raise _TruncatedError
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size: int) -> int:
        """Returns the next `size` bytes as a little-endian number."""
        return int.from_bytes(self.take(size), "little")

    def guid(self) -> str:
        """Returns the next GUID, with its name if the GUID is well known."""
        text = format_guid(self.take(16))
        return f"{GUIDS[text]} ({text})" if text in GUIDS else text

    def rest(self) -> bytes:
        """Returns all remaining bytes."""
        return self.take(len(self.data) - self.at)


def _hex(data: bytes) -> str:
    return data.hex() if len(data) <= _LONGEST else f"{data[:_LONGEST].hex()}... ({len(data)} bytes)"


def _text(data: bytes) -> str | None:
    """Returns `data` as text if it is printable ASCII, UTF-8 or UTF-16, else None."""
    wide = not any(data[1:16:2]) and len(data) > 3
    try:
        text = utf16(data) if wide else data.decode().rstrip("\0")
    except UnicodeDecodeError:
        return None
    return text if text and all(letter.isprintable() or letter in "\t\n\r" for letter in text) else None


def _read_text(data: bytes) -> Iterator[Detail]:
    text = _text(data)
    yield ("text", text) if text is not None else ("data", _hex(data))


def _read_version(data: bytes) -> Iterator[Detail]:
    text = _text(data)
    if text is None and len(data) == 16:
        yield "version", format_guid(data)
    else:
        yield "version", _hex(data) if text is None else text


def _read_no_action(data: bytes) -> Iterator[Detail]:
    signature, reader = data[:16].rstrip(b"\0").decode("latin-1"), _Reader(data[16:])
    if signature.startswith("Spec ID Event") and len(data) >= 24:
        platform, minor, major, errata, words = (reader.number(size) for size in (4, 1, 1, 1, 1))
        yield "specification", f"{signature}, version {major}.{minor} errata {errata}"
        yield "platform", {0: "client", 1: "server"}.get(platform, str(platform)) + f", UINTN of {4 * words} bytes"
        if signature == "Spec ID Event03":
            banks = [(reader.number(2), reader.number(2)) for _ in range(reader.number(4))]
            yield "algorithms", ", ".join(f"{bank_name(bank)} ({size} bytes)" for bank, size in banks)
        vendor = reader.take(reader.number(1))
        if vendor:
            yield "vendor information", _hex(vendor)
    elif signature == "StartupLocality":
        yield "startup locality", f"{reader.number(1)}: the last byte of PCR 0 before its first event"
    elif signature.startswith("SP800-155 Event"):
        yield "reference manifest", f"of vendor {reader.number(4)}: {format_guid(reader.take(16))}"
    else:
        yield from _read_text(data)


def _read_separator(data: bytes) -> Iterator[Detail]:
    value = int.from_bytes(data, "little") if len(data) == 4 else None
    meanings = {
        0: "normal",
        0xFFFFFFFF: "normal",
        1: "the firmware reports an error",
        0x4C434257: "Windows (WBCL)",
    }
    if value is None:
        yield from _read_text(data)
    else:
        yield "separator", f"0x{value:08x}: {meanings.get(value, 'unknown')}"


def _read_variable(data: bytes) -> Iterator[Detail]:
    reader = _Reader(data)
    vendor, letters, size = reader.guid(), reader.number(8), reader.number(8)
    name = utf16(reader.take(2 * letters) + b"\0\0")
    value = reader.take(size)
    yield "variable", f"{name} of {vendor}"
    yield from _read_value(name, value)


def _read_value(name: str, value: bytes) -> Iterator[Detail]:
    if not value:
        yield "value", "absent or empty"
    elif name in ("SecureBoot", "SetupMode", "AuditMode", "DeployedMode", "MokSBState") and len(value) == 1:
        yield "value", {0: "0: off", 1: "1: on"}.get(value[0], str(value[0]))
    elif name in ("PK", "KEK", "db", "dbx", "dbt", "dbr", "MokList", "MokListX", "MokListRT"):
        yield from _read_signatures(value)
    elif name == "BootOrder" and len(value) % 2 == 0:
        order = (int.from_bytes(value[at : at + 2], "little") for at in range(0, len(value), 2))
        yield "boot order", ", ".join(f"Boot{one:04X}" for one in order)
    elif name.startswith(("Boot", "Driver", "SysPrep")) and len(value) > 6:
        yield from _read_load_option(value)
    else:
        yield from _read_text(value)


def _read_load_option(value: bytes) -> Iterator[Detail]:
    """Yields the fields of an EFI_LOAD_OPTION (UEFI specification, §3.1.3)."""
    reader = _Reader(value)
    attributes, size = reader.number(4), reader.number(2)
    title = utf16(value[reader.at :])
    reader.take(2 * len(title.encode("utf-16-le")) // 2 + 2)
    yield "title", title + ("" if attributes & 1 else " (not active)")
    yield "path", format_device_path(reader.take(size))
    if rest := reader.rest():
        text = _text(rest)
        yield "options", _hex(rest) if text is None else text


def _read_signatures(value: bytes) -> Iterator[Detail]:
    """Yields the entries of EFI_SIGNATURE_LISTs (UEFI specification, §32.4.1).

    A certificate is shown by its SHA-256 hash.
    """
    reader = _Reader(value)
    while reader.at < len(value):
        kind, size, header, each = reader.guid(), reader.number(4), reader.number(4), reader.number(4)
        reader.take(header)
        left = size - 28 - header
        if each <= 16 or left < 0 or left % each:
            raise _TruncatedError
        for _ in range(left // each):
            reader.guid()
            entry = reader.take(each - 16)
            if kind.startswith("X.509"):
                yield "certificate", f"{_subject(entry)}SHA-256 {digest(0x000B, entry).hex()}"
            else:
                yield kind.partition(" (")[0], _hex(entry)


def _subject(certificate: bytes) -> str:
    """Returns the last common name (OID 2.5.4.3) in a certificate, usually the subject's, and ", "; or ""."""
    names = certificate.split(b"\x06\x03\x55\x04\x03")[1:]
    texts = [_text(one[2 : 2 + one[1]]) for one in names if len(one) > 2]
    return f"{texts[-1]}, " if texts and texts[-1] else ""


def _read_authority(data: bytes) -> Iterator[Detail]:
    reader = _Reader(data)
    vendor, letters, size = reader.guid(), reader.number(8), reader.number(8)
    name = utf16(reader.take(2 * letters) + b"\0\0")
    value = reader.take(size)
    yield "variable", f"{name} of {vendor}"
    if name in ("SbatLevel", "MokListTrusted", "Shim") or len(value) < 16:
        yield from _read_value(name, value)
        return
    owner, entry = format_guid(value[:16]), value[16:]
    kind = "certificate" if entry[:1] == b"\x30" else "data"
    yield kind, f"{_subject(entry)}SHA-256 {digest(0x000B, entry).hex()}, owner {GUIDS.get(owner, owner)}"


def _read_image(data: bytes) -> Iterator[Detail]:
    reader = _Reader(data)
    base, size, linked, length = (reader.number(8) for _ in range(4))
    yield "path", format_device_path(reader.take(length)) or "(none)"
    yield "image", f"{size} bytes at 0x{base:x}" + (f", linked for 0x{linked:x}" if linked else "")


def _read_blob(data: bytes) -> Iterator[Detail]:
    reader = _Reader(data)
    base, size = reader.number(8), reader.number(8)
    yield "firmware", f"{size} bytes at 0x{base:x}"


def _read_post_code(data: bytes) -> Iterator[Detail]:
    text = _text(data)
    if len(data) == 16 and text is None:
        yield from _read_blob(data)
    else:
        yield from _read_text(data)


def _read_blob2(data: bytes) -> Iterator[Detail]:
    reader = _Reader(data)
    yield "description", _text(reader.take(reader.number(1))) or "(none)"
    yield from _read_blob(reader.rest())


def _read_tables(data: bytes) -> Iterator[Detail]:
    reader = _Reader(data)
    for _ in range(reader.number(8)):
        yield "table", f"{reader.guid()} at 0x{reader.number(8):x}"


def _read_tables2(data: bytes) -> Iterator[Detail]:
    reader = _Reader(data)
    yield "description", _text(reader.take(reader.number(1))) or "(none)"
    yield from _read_tables(reader.rest())


def _read_partitions(data: bytes) -> Iterator[Detail]:
    reader = _Reader(data)
    header = reader.take(92)
    yield "disk", f"GPT {format_guid(header[56:72])}"
    for _ in range(reader.number(8)):
        kind, identity = reader.guid(), format_guid(reader.take(16))
        first, last, _ = (reader.number(8) for _ in range(3))
        name = utf16(reader.take(72))
        yield "partition", f"{name or '(no name)'}: {kind}, {identity}, blocks {first} to {last}"


def _read_tag(data: bytes) -> Iterator[Detail]:
    reader = _Reader(data)
    tag, size = reader.number(4), reader.number(4)
    if is_windows_tag(tag):
        yield from read_windows_events(data)
        return
    yield "tag", f"0x{tag:08x}" + (f": {_TAGS[tag]}" if tag in _TAGS else "")
    yield from _read_text(reader.take(size))


_READERS: dict[int, Callable[[bytes], Iterator[Detail]]] = {
    1: _read_post_code,
    3: _read_no_action,
    4: _read_separator,
    6: _read_tag,
    8: _read_version,
    19: _read_blob2,
    0x80000001: _read_variable,
    0x80000002: _read_variable,
    0x80000003: _read_image,
    0x80000004: _read_image,
    0x80000005: _read_image,
    0x80000006: _read_partitions,
    0x80000008: _read_blob,
    0x80000009: _read_tables,
    0x8000000A: _read_blob2,
    0x8000000B: _read_tables2,
    0x8000000C: _read_variable,
    0x8000000D: _read_partitions,
    0x800000E0: _read_authority,
}
