"""Events of the Windows boot manager in PCRs 11 to 14: nested records with type and size (wbcl.h)."""

from collections.abc import Iterator

from .device_path import utf16

__all__ = ["is_windows_tag", "read_windows_events"]

_AGGREGATE = 0x40000000
_MOST = 200
"""Maximum number of records of an event that are shown."""

_GROUPS = {
    0x00020000: "information|boot counter|transfer of control|return of application|BitLocker unlock|event counter"
    "|counter ID|MOR bit not cancelable|application SVN|SVN chain status|MOR bit status",
    0x00040000: "boot debugging|boot revocation list",
    0x00050000: "kernel debugging|code integrity|test signing|data execution prevention|safe mode|Windows PE"
    "|physical address extension|OS device|system root|hypervisor launch type|hypervisor path"
    "|hypervisor IOMMU policy|hypervisor debugging|driver load policy|SI policy|hypervisor MMIO NX policy"
    "|hypervisor MSR filter policy|VSM launch type|OS revocation list",
    0x00060000: "no authority|authority's public key",
    0x00070000: "file|image size|hash algorithm|Authenticode hash|issuer|serial number|image base|publisher"
    "|SHA-1 thumbprint|image validated|module SVN",
    0x00090000: "ELAM key|ELAM configuration|ELAM policy|ELAM measured",
    0x000A0000: "VBS: VSM required|VBS: Secure Boot required|VBS: IOMMU required|VBS: NX required"
    "|VBS: MSR filtering required|VBS: mandatory enforcement|VBS: HVCI policy"
    "|VBS: Microsoft boot chain required",
}
_NAMES = {
    base + number: name for base, names in _GROUPS.items() for number, name in enumerate(names.split("|"), 1)
}
_TEXTS = ("file", "system root", "hypervisor path", "issuer", "publisher")


def is_windows_tag(tag: int) -> bool:
    """Returns whether the tag of an EV_EVENT_TAG event is defined by Windows."""
    return tag & ~_AGGREGATE in _NAMES or 0x00010000 <= tag & 0x0FFFFFFF < 0x00020000


def read_windows_events(data: bytes, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yields (name, value) of the records in an event, including the records in aggregations."""
    at = shown = 0
    while at + 8 <= len(data) and shown < _MOST:
        kind, size = (int.from_bytes(data[start : start + 4], "little") for start in (at, at + 4))
        value = data[at + 8 : at + 8 + size]
        at += 8 + size
        shown += 1
        if kind & _AGGREGATE and depth < 4:
            yield from read_windows_events(value, depth + 1)
        else:
            name = _NAMES.get(kind, f"record 0x{kind:08x}")
            yield name, _value(name, value)


def _value(name: str, value: bytes) -> str:
    if name in _TEXTS:
        return utf16(value)
    if 1 < len(value) <= 8:
        return str(int.from_bytes(value, "little"))
    if len(value) == 1:
        return {0: "off", 1: "on"}.get(value[0], str(value[0]))
    return value.hex() if len(value) <= 64 else f"{value[:64].hex()}... ({len(value)} bytes)"
