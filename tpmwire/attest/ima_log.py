"""Measurement lists of Linux IMA: binary_runtime_measurements and ascii_runtime_measurements.

Source: security/integrity/ima in the Linux kernel. The numbers of the binary list are little-endian.
"""

import re
from collections.abc import Iterator, Mapping

from ..crypto.formulas import digest, digest_size
from ..errors import DecodeError
from ..spec.constants import TPM_ALG
from .events import Event, EventLog

__all__ = ["boot_aggregate", "explain_ima", "looks_like_ima", "parse_ima_log"]

BANKS = (TPM_ALG.SHA1, TPM_ALG.SHA256, TPM_ALG.SHA384, TPM_ALG.SHA512)

_FIELDS = {
    "ima": ("d", "n"),
    "ima-ng": ("d-ng", "n-ng"),
    "ima-ngv2": ("d-ngv2", "n-ng"),
    "ima-sig": ("d-ng", "n-ng", "sig"),
    "ima-sigv2": ("d-ngv2", "n-ng", "sig"),
    "ima-buf": ("d-ng", "n-ng", "buf"),
    "ima-modsig": ("d-ng", "n-ng", "sig", "d-modsig", "modsig"),
    "evm-sig": tuple(
        ["d-ng", "n-ng", "evmsig", "xattrnames", "xattrlengths", "xattrvalues", "iuid", "igid", "imode"]
    ),
}
"""The fields of the kernel's templates; other templates are lists of the same fields, such as `d-ng|n-ng`."""

_LINE = re.compile(rb"^(\d{1,2}) ([0-9a-f]{40,128}) (\S+) (.+)$")


def looks_like_ima(data: bytes) -> bool:
    """Returns whether `data` starts like an IMA measurement list, binary or as text."""
    if _LINE.match(data.partition(b"\n")[0]):
        return True
    size = int.from_bytes(data[24:28], "little")
    return len(data) > 28 and int.from_bytes(data[:4], "little") < 24 and data[28 : 28 + size] in _known_names()


def _known_names() -> set[bytes]:
    return {name.encode() for name in _FIELDS}


def parse_ima_log(data: bytes) -> EventLog:
    """Parses an IMA measurement list, binary or as text. Raises DecodeError if the list is damaged."""
    events = _parse_text(data) if _LINE.match(data.partition(b"\n")[0]) else _parse_binary(data)
    return EventLog("IMA", tuple(events), {alg: 0 for alg in BANKS})


def _parse_binary(data: bytes) -> Iterator[Event]:
    at = number = 0

    def take(size: int) -> bytes:
        nonlocal at
        if at + size > len(data):
            reason = f"event {number} is truncated: expected {size} bytes, got {len(data) - at}"
            raise DecodeError(reason, at, len(data) - at)
        at += size
        return data[at - size : at]

    def take_number() -> int:
        return int.from_bytes(take(4), "little")

    while at < len(data):
        number += 1
        start, pcr = at, take_number()
        stated, name = take(20), take(take_number()).decode("latin-1")
        if name == "ima":
            # This oldest template has no size: a digest, then the name with its size.
            begin = at
            hashed, path = take(20), take(take_number())
            content = data[begin:at]
            padded = hashed + path.ljust(256, b"\0")
        else:
            content = take(take_number())
            begin, padded = at - len(content), content
        yield _event(number, (start, at - start), pcr, stated, name, content, padded, begin)


def _event(
    number: int,
    place: tuple[int, int],
    pcr: int,
    stated: bytes,
    template: str,
    content: bytes,
    hashed: bytes,
    begin: int,
) -> Event:
    """Returns an event with digests for all banks. IMA extends each bank with the hash of the same data.

    `place` is (offset, size) of the entry in bytes, `stated` is the digest in the log. `content` is the template
    data, `hashed` the bytes that IMA hashes, `begin` the offset of `content`.
    """
    digests: dict[int, bytes] = {alg: digest(alg, hashed) for alg in BANKS}
    violation = not any(stated)
    if not violation and stated not in digests.values():
        digests = {TPM_ALG.SHA1: stated} if len(stated) == 20 else {}
    return Event(number, *place, pcr, -1, digests, content, begin, template, violation)


def _parse_text(data: bytes) -> Iterator[Event]:
    at = 0
    for number, line in enumerate(data.splitlines(keepends=True), 1):
        found = _LINE.match(line.rstrip(b"\r\n"))
        if found is None:
            if line.strip():
                raise DecodeError(
                    f"line {number} is not a valid entry of an IMA measurement list", at, len(data) - at
                )
            continue
        template, stated = found[3].decode("latin-1"), bytes.fromhex(found[2].decode())
        content, hashed = _rebuild(template, found[4])
        place = (at, len(line))
        yield _event(number, place, int(found[1]), stated, template, content, hashed, at + found.start(4))
        at += len(line)


def _rebuild(template: str, text: bytes) -> tuple[bytes, bytes]:
    """Returns (template data of an entry, bytes that IMA hashes), from the entry's text."""
    names = _FIELDS.get(template, tuple(template.split("|")))
    first, _, rest = text.partition(b" ")
    tail: list[bytes] = []
    if len(names) > 2:
        rest, *tail = _split_tail(rest, len(names) - 2)
    if template == "ima":
        hashed, path = _unhex(first), rest
        return hashed + len(path).to_bytes(4, "little") + path, hashed + path.ljust(256, b"\0")
    label, _, value = first.rpartition(b":")
    fields = [label + b":\0" + _unhex(value), rest + b"\0", *map(_unhex, tail)]
    content = b"".join(len(field).to_bytes(4, "little") + field for field in fields)
    return content, content


def _split_tail(text: bytes, count: int) -> list[bytes]:
    """Splits an entry into a path, which may contain spaces, and up to `count` hex fields, which may be empty."""
    parts = text.split(b" ")
    number = 0
    while number < count and len(parts) > number + 1 and re.fullmatch(rb"(?:[0-9a-f]{2})*", parts[-1 - number]):
        number += 1
    path, tail = parts[: len(parts) - number], parts[len(parts) - number :]
    return [b" ".join(path), *tail, *[b""] * (count - number)]


def _unhex(text: bytes) -> bytes:
    try:
        return bytes.fromhex(text.decode())
    except ValueError:
        return text


def explain_ima(event: Event) -> list[tuple[str, str]]:
    """Returns the (field, text) pairs of an entry: file, hash, signature."""
    if event.template == "ima":
        path = event.data[24:].rstrip(b"\0").decode("utf-8", "replace")
        found = [("file", path), ("hash", f"sha1:{event.data[:20].hex()}")]
    else:
        found = list(_explain_fields(event))
    if event.violation:
        found.append(("violation", "the file was open for writing while it was measured, so IMA extended ones"))
    return found


def _explain_fields(event: Event) -> Iterator[tuple[str, str]]:
    names = _FIELDS.get(event.template, tuple(event.template.split("|")))
    at, data = 0, event.data
    for name in names:
        size = int.from_bytes(data[at : at + 4], "little")
        value = data[at + 4 : at + 4 + size]
        at += 4 + size
        if name.startswith("d-"):
            label, _, hashed = value.partition(b"\0")
            if hashed:
                yield "hash", label.decode("latin-1") + hashed.hex()
        elif name == "n-ng":
            yield "file", value.rstrip(b"\0").decode("utf-8", "replace")
        elif value:
            yield {"sig": "signature", "buf": "data"}.get(name, name), value.hex()


def boot_aggregate(event: Event, values: Mapping[tuple[TPM_ALG, int], bytes]) -> bool | None:
    """Returns whether a `boot_aggregate` entry is the hash of PCRs 0 to 7 or 0 to 9 with the given values.

    A missing PCR value counts as zeros. Returns None for another entry, and if PCR 0 has no value in the entry's
    bank.
    """
    facts = dict(explain_ima(event))
    name, _, hashed = facts.get("hash", "").rpartition(":")
    if facts.get("file") != "boot_aggregate" or name.rpartition(":")[2].upper() not in TPM_ALG.__members__:
        return None
    bank = TPM_ALG[name.rpartition(":")[2].upper()]
    zeros = bytes(digest_size(bank))
    found = [values.get((bank, pcr), zeros) for pcr in range(10)]
    if (bank, 0) not in values:
        return None
    return hashed in (digest(bank, *found[:8]).hex(), digest(bank, *found).hex())
