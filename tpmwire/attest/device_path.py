"""UEFI device paths as text, in the notation of the UEFI specification (§10.6.1)."""

from collections.abc import Iterator

__all__ = ["format_device_path", "format_guid", "utf16"]


def format_guid(data: bytes) -> str:
    """Returns a GUID of 16 bytes as text. The first three fields of the GUID are little-endian."""
    first, second, third = (int.from_bytes(data[a:b], "little") for a, b in ((0, 4), (4, 6), (6, 8)))
    return f"{first:08x}-{second:04x}-{third:04x}-{data[8:10].hex()}-{data[10:16].hex()}"


def utf16(data: bytes) -> str:
    """Returns the UTF-16 text in `data` up to the first NUL."""
    return data[: len(data) & ~1].decode("utf-16-le", "replace").partition("\0")[0]


def format_device_path(data: bytes) -> str:
    """Returns a device path as text, such as `PciRoot(0x0)/Pci(0x1f,0x2)/HD(1,GPT,...)/\\EFI\\BOOTX64.EFI`."""
    return "/".join(_nodes(data))


def _nodes(data: bytes) -> Iterator[str]:
    at = 0
    while at + 4 <= len(data):
        kind, subtype, size = data[at], data[at + 1], int.from_bytes(data[at + 2 : at + 4], "little")
        if kind == 0x7F and subtype == 0xFF:
            return
        if size < 4 or at + size > len(data):
            yield f"(damaged: {data[at:].hex()})"
            return
        body = data[at + 4 : at + size]
        yield "," if kind == 0x7F else _node(kind, subtype, body)
        at += size


def _node(kind: int, subtype: int, body: bytes) -> str:
    def number(start: int, size: int) -> int:
        return int.from_bytes(body[start : start + size], "little")

    if (kind, subtype) == (4, 1) and len(body) >= 38:
        return _hard_drive(body)
    simple = {
        (1, 1): lambda: f"Pci(0x{body[1]:x},0x{body[0]:x})",
        (1, 3): lambda: f"MemoryMapped(0x{number(0, 4):x},0x{number(4, 8):x},0x{number(12, 8):x})",
        (1, 4): lambda: f"VenHw({format_guid(body[:16])})",
        (2, 1): lambda: _acpi(number(0, 4), number(4, 4)),
        (3, 1): lambda: (
            f"Ata({'Secondary' if body[0] else 'Primary'},{'Slave' if body[1] else 'Master'},0x{number(2, 2):x})"
        ),
        (3, 2): lambda: f"Scsi(0x{number(0, 2):x},0x{number(2, 2):x})",
        (3, 5): lambda: f"USB(0x{body[0]:x},0x{body[1]:x})",
        (3, 10): lambda: f"VenMsg({format_guid(body[:16])})",
        (3, 11): lambda: f"MAC({body[:6].hex()},0x{body[32]:x})",
        (3, 12): lambda: f"IPv4({'.'.join(map(str, body[4:8]))})",
        (3, 13): lambda: f"IPv6({body[16:32].hex(':', 2)})",
        (3, 17): lambda: f"Unit(0x{body[0]:x})",
        (3, 18): lambda: f"Sata(0x{number(0, 2):x},0x{number(2, 2):x},0x{number(4, 2):x})",
        (3, 23): lambda: f"NVMe(0x{number(0, 4):x},{body[4:12][::-1].hex('-')})",
        (3, 24): lambda: f"Uri({body.decode('utf-8', 'replace')})",
        (3, 26): lambda: f"SD(0x{body[0]:x})",
        (3, 29): lambda: f"eMMC(0x{body[0]:x})",
        (4, 2): lambda: f"CDROM(0x{number(0, 4):x},0x{number(4, 8):x},0x{number(12, 8):x})",
        (4, 3): lambda: f"VenMedia({format_guid(body[:16])})",
        (4, 4): lambda: utf16(body),
        (4, 6): lambda: f"FvFile({format_guid(body[:16])})",
        (4, 7): lambda: f"Fv({format_guid(body[:16])})",
        (4, 8): lambda: f"Offset(0x{number(4, 8):x},0x{number(12, 8):x})",
        (5, 1): lambda: f"BBS(0x{number(0, 2):x},{body[4:].rstrip(bytes(1)).decode('latin-1')})",
    }
    try:
        return simple[kind, subtype]()
    except (KeyError, IndexError):
        return f"Path({kind},{subtype},{body.hex()})"


def _acpi(hid: int, uid: int) -> str:
    if hid & 0xFFFF == 0x41D0:  # the maker PNP, in five bits a letter
        product = hid >> 16
        name = {0x0A03: "PciRoot", 0x0A08: "PcieRoot", 0x0604: "Floppy"}.get(product)
        return f"{name}(0x{uid:x})" if name else f"Acpi(PNP{product:04X},0x{uid:x})"
    return f"Acpi(0x{hid:08x},0x{uid:x})"


def _hard_drive(body: bytes) -> str:
    partition, start, size = (int.from_bytes(body[a:b], "little") for a, b in ((0, 4), (4, 12), (12, 20)))
    signature, kind = body[20:36], body[37]
    identity = {
        1: lambda: f"MBR,0x{int.from_bytes(signature[:4], 'little'):x}",
        2: lambda: f"GPT,{format_guid(signature)}",
    }.get(kind, lambda: "0,0")()
    return f"HD({partition},{identity},0x{start:x},0x{size:x})"
