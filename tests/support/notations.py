"""How people and programs print bytes: a function for each notation."""

import base64
import json
from collections.abc import Callable

__all__ = ["NOTATIONS"]

Printer = Callable[[bytes], str]


def rows(data: bytes, size: int = 16) -> list[tuple[int, bytes]]:
    return [(place, data[place : place + size]) for place in range(0, len(data), size)]


def shown(row: bytes) -> str:
    return "".join(chr(octet) if 0x20 <= octet < 0x7F else "." for octet in row)


def pairs(row: bytes) -> str:
    return " ".join(row[place : place + 2].hex() for place in range(0, len(row), 2))


def words(data: bytes, form: str, offset: str) -> str:
    lines = []
    for place, row in rows(data):
        padded = row + bytes(len(row) % 2)
        values = [int.from_bytes(padded[n : n + 2], "little") for n in range(0, len(padded), 2)]
        lines.append(f"{place:{offset}} " + " ".join(f"{value:{form}}" for value in values))
    return "\n".join(lines)


def safe(data: bytes) -> str:
    """A C string: hex digits after an escape are escaped too."""
    return "".join(f"\\x{octet:02x}" for octet in data)


def octal(data: bytes) -> str:
    return "".join(
        f"\\{octet:o}" if octet < 0x20 or octet > 0x7E or chr(octet) in '\\"01234567' else chr(octet)
        for octet in data
    )


def logged(data: bytes, prefix: str, row: Callable[[int, bytes], str]) -> str:
    return "\n".join(f"{prefix}{row(place, part)}" for place, part in rows(data))


def wrapped(text: str, width: int) -> str:
    return "\n".join(text[place : place + width] for place in range(0, len(text), width))


NOTATIONS: dict[str, Printer] = {
    "hex": lambda data: data.hex(),
    "HEX": lambda data: data.hex().upper(),
    "hex with blanks": lambda data: data.hex(" "),
    "hex with colons": lambda data: data.hex(":"),
    "hex with hyphens": lambda data: data.hex("-").upper(),
    "hex in words": lambda data: data.hex(" ", -4),
    "hex wrapped": lambda data: wrapped(data.hex(), 32),
    "one number": lambda data: f"0x{data.hex()}",
    "xxd": lambda data: logged(data, "", lambda place, row: f"{place:08x}: {pairs(row):39}  {shown(row)}"),
    "xxd -g1": lambda data: logged(data, "", lambda place, row: f"{place:08x}: {row.hex(' '):47}  {shown(row)}"),
    "xxd -b": lambda data: "\n".join(
        f"{place:08x}: " + " ".join(f"{octet:08b}" for octet in row) + f"  {shown(row)}"
        for place, row in rows(data, 6)
    ),
    "xxd -p": lambda data: wrapped(data.hex(), 60),
    "xxd -i": lambda data: "unsigned char m[] = {\n  "
    + ",\n  ".join(", ".join(f"0x{octet:02x}" for octet in row) for _, row in rows(data, 12))
    + f"\n}};\nunsigned int m_len = {len(data)};",
    "hexdump -C": lambda data: logged(
        data, "", lambda place, row: f"{place:08x}  {row[:8].hex(' ')}  {row[8:].hex(' '):23}  |{shown(row)}|"
    )
    + f"\n{len(data):08x}",
    "hexdump": lambda data: words(data, "04x", "07x") + f"\n{len(data):07x}",
    "od": lambda data: words(data, "06o", "07o") + f"\n{len(data):07o}",
    "od -x": lambda data: words(data, "04x", "07o"),
    "od -t u2": lambda data: words(data, "5d", "07o"),
    "od -t x1": lambda data: logged(data, "", lambda place, row: f"{place:07o} {row.hex(' ')}"),
    "od -An -t x1": lambda data: logged(data, " ", lambda place, row: row.hex(" ")),
    "od -t x1z": lambda data: logged(
        data, "", lambda place, row: f"{place:07o} {row.hex(' '):47}  >{shown(row)}<"
    ),
    "od -t u1": lambda data: logged(
        data, "", lambda place, row: f"{place:07o} " + " ".join(f"{octet:3}" for octet in row)
    ),
    "od -An -t u1": lambda data: logged(data, "", lambda place, row: "".join(f" {octet:3}" for octet in row)),
    "od -t o1": lambda data: logged(
        data, "", lambda place, row: f"{place:07o} " + " ".join(f"{octet:03o}" for octet in row)
    ),
    "C array": lambda data: "uint8_t cmd[] = { " + ", ".join(f"0x{octet:02X}" for octet in data) + " };",
    "Java array": lambda data: "byte[] b = {" + ", ".join(f"(byte) 0x{octet:02x}" for octet in data) + "};",
    "Java list": lambda data: str([octet - 256 if octet > 127 else octet for octet in data]),
    "Rust array": lambda data: "let cmd: [u8] = [" + ", ".join(f"{octet}u8" for octet in data) + "];",
    "C string": lambda data: f'"{safe(data)}"',
    "C strings": lambda data: "\n".join(f'    "{safe(row)}"' for _, row in rows(data)) + ";",
    "C string in octal": lambda data: f'"{octal(data)}"',
    "Python bytes": repr,
    "Python bytearray": lambda data: repr(bytearray(data)),
    "Python hex": lambda data: f'data = bytes.fromhex("{data.hex()}")',
    "Python list": lambda data: str(list(data)),
    "JSON list": lambda data: json.dumps({"command": list(data)}),
    "JSON list in lines": lambda data: json.dumps(list(data), indent=2),
    "JSON string": lambda data: json.dumps({"command": data.hex()}, indent=2),
    "Go slice": lambda data: "[]byte{" + ", ".join(f"0x{octet:x}" for octet in data) + "}",
    "Go printed": lambda data: f"[{' '.join(str(octet) for octet in data)}]",
    "Go % x": lambda data: f"% x: {data.hex(' ')}",
    "without leading zeros": lambda data: " ".join(f"{octet:x}" for octet in data),
    "PowerShell": lambda data: f"[byte[]]({','.join(f'0x{octet:02X}' for octet in data)})",
    "base64": lambda data: base64.b64encode(data).decode(),
    "base64 wrapped": lambda data: base64.encodebytes(data).decode(),
    "base64 without padding": lambda data: base64.b64encode(data).decode().rstrip("="),
    "base64url": lambda data: base64.urlsafe_b64encode(data).decode().rstrip("="),
    "dmesg": lambda data: logged(
        data, "[  123.456789] tpm tpm0: cmd ", lambda place, row: f"{place:08x}: {row.hex(' ')}"
    ),
    "journald": lambda data: logged(
        data, "Nov 28 10:00:00 host prog[123]: ", lambda place, row: f"{place:04x}: {row.hex():34}{shown(row)}"
    ),
    "logger": lambda data: f"2026-11-28T10:00:00.123Z DEBUG tpm::io - sending {len(data)} bytes: {data.hex(' ')}",
    "Python logging": lambda data: f"DEBUG:root:command {data!r}",
    "quoted": lambda data: "\n".join(f"> {row.hex(' ')}" for _, row in rows(data)),
    "fenced": lambda data: f"What is this?\n\n```\n{data.hex(' ')}\n```\n",
    "colored": lambda data: f"\x1b[32mTX\x1b[0m: \x1b[1m{data.hex(' ')}\x1b[0m",
    "one byte a line": lambda data: "\n".join(f"{octet:02x}" for octet in data),
    "base32": lambda data: wrapped(base64.b32encode(data).decode(), 76),
    "Perl string": lambda data: '"' + "".join(f"\\x{{{octet:02x}}}" for octet in data) + '"',
    "Verilog": lambda data: ", ".join(f"8'h{octet:02x}" for octet in data),
    "openssl": lambda data: "\n".join(f"    {row.hex(':')}:" for _, row in rows(data, 15)).removesuffix(":"),
    "address": lambda data: logged(
        data, "0x16fdff0", lambda place, row: f"{place:05x}: {row.hex(' '):47}  {shown(row)}"
    ),
    "URL": lambda data: "".join(f"%{octet:02X}" for octet in data),
}  # fmt: skip
"""How people and programs print bytes."""
