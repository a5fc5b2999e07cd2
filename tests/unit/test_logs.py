"""Logs of programs that print TPM messages, each in the layout of its sources; some print a message repeatedly."""

import contextlib
import io

import pytest

from tests.support.captures import COMMAND, ERROR, RESPONSE
from tpmwire.errors import InputError
from tpmwire.explain.readers.logs import LOGS, find_log
from tpmwire.explain.readers.recordings import open_recording

TALK = [(COMMAND, RESPONSE), (COMMAND, ERROR)]


def read(text: str) -> list[tuple[bytes, bytes]]:
    return list(open_recording(io.BytesIO(text.encode()), "the log"))


def rows(data: bytes) -> list[bytes]:
    return [data[place : place + 16] for place in range(0, len(data), 16)]


def shown(row: bytes) -> str:
    return "".join(chr(octet) if 0x20 <= octet < 0x7F else "." for octet in row)


def blob(data: bytes, prefix: str = "") -> str:
    """The dump of tpm2-tss, src/util/log.c."""
    return "".join(f"{prefix}{n * 16:04x}: {row.hex():34}{shown(row)}\n" for n, row in enumerate(rows(data)))


def tss2(prefix: str, level: str) -> str:
    head = f"{prefix}{level}:tcti:src/tss2-tcti/tcti-swtpm.c"
    text = ""
    for command, response in TALK:
        text += f"{head}:170:tcti_send() Sending 12 bytes to socket 3: (size=12):\n{blob(command, prefix)}"
        text += f"{head}:107:read_all() Received 10 bytes: (size=10):\n{blob(response[:10], prefix)}"
        text += f"{head}:243:spi_access() read register 0x24 (10 bytes) (size=10):\n{blob(response[:10], prefix)}"
        text += f"{head}:432:tcti_receive() Response received: (size={len(response)}):\n{blob(response, prefix)}"
        text += f"{prefix}WARNING:esys:src/tss2-esys/api/Esys_GetRandom.c:290:Esys_GetRandom() TPM Error\n"
    return text


def swtpm(prefix: str) -> str:
    text = f"{prefix} Ctrl Cmd: length 5\n{prefix} 00 00 00 05 00 \n"
    for command, response in TALK:
        for name, data in (("Read", command), ("Write", response)):
            text += f"{prefix} SWTPM_IO_{name}: length {len(data)}\n"
            text += "".join(f"{prefix} {row.hex(' ').upper()} \n" for row in rows(data))
    return text


def abrmd() -> str:
    """Src/resource-manager.c, src/util.c, src/response-sink.c: pieces, then the whole message three times."""
    lines = []
    for command, response in TALK:
        for heading, data in (
            ("successfully read 10 bytes", command[:10]),
            ("successfully read 2 bytes", command[10:]),
            ("read_tpm_buffer_alloc: read TPM buffer of size: 12", command),
            ("Tpm2Command", command),
            ("Tpm2Response", response),
            (f"response_sink: writing 0x{len(response):x} bytes", response),
        ):
            lines += [heading, *(f"    {row.hex(' ')}" for row in rows(data))]
    return "".join(f"** (tpm2-abrmd:4711): DEBUG: 10:00:{n:02}.123: {line}\n" for n, line in enumerate(lines))


def qemu() -> str:
    text = ""
    for talk in TALK:
        for way, data in zip(("To", "From"), talk, strict=True):
            text += f"4711@1732788000.{len(text):06}:tpm_util_show_buffer_header "
            text += f"direction: {way} TPM len: {len(data)}\n"
            lines = "\n".join(row.hex(" ").upper() for row in rows(data))
            text += f"4711@1732788000.{len(text):06}:tpm_util_show_buffer_content {lines}\n"
    return text


def edk2() -> str:
    text = "Loading driver at 0x0007EDC0000 EntryPoint=0x0007EDC4FC5 Tcg2Dxe.efi\n"
    for command, response in TALK:
        text += f"PtpCrbTpmCommand Send - {command.hex(' ')} \n"
        text += f"PtpCrbTpmCommand ReceiveHeader - {response[:10].hex(' ')} \n"
        text += f"PtpCrbTpmCommand Receive - {response.hex(' ')} \n"
        text += "Tpm2GetCapabilityPcrs Count - 00000004\n"
    return text


def wolftpm() -> str:
    text = "TPM2: Caps 0x30000697, Did 0x001b, Vid 0x15d1, Rid 0x10\r\n"
    for talk in TALK:
        for name, data in zip(("Command", "Response"), talk, strict=True):
            text += f"{name}: {len(data)}\r\n"
            text += "".join(f"\t{row.hex(' '):47} | {shown(row)}\r\n" for row in rows(data))
            if name == "Command":
                for part in (data[:8], data[8:]):
                    text += f"TIS write addr 24, len {len(part)}\r\n\t{part.hex(' '):47} | {shown(part)}\r\n"
    return text


def ibm() -> str:
    text = "TSS_Execute: Command 0000017b marshal\n"
    for talk in TALK:
        for name, data in zip(("SendCommand", "ReceiveResponse"), talk, strict=True):
            text += f" TSS_Socket_{name} length {len(data)}\n"
            text += "".join(f" {row.hex(' ')} \n" for row in rows(data))
    return text


LAYOUTS = {
    "tpm2-tss": tss2("", "debug"),
    "tpm2-tss with journald's prefix": tss2("Nov 28 10:00:00 host systemd-cryptenroll[123]: ", "debug"),
    "tpm2-tss with a time": tss2("2026-11-28T10:00:00.123456+0100 ", "trace"),
    "swtpm": swtpm(""),
    "swtpm with a prefix": swtpm("[id=1] "),
    "swtpm in journald": "".join(
        f"Nov 28 10:00:{n:02} host swtpm[7]: {line}\n" for n, line in enumerate(swtpm("").splitlines())
    ),
    "tpm2-abrmd": abrmd(),
    "QEMU": qemu(),
    "EDK2": edk2(),
    "wolfTPM": wolftpm(),
    "IBM TSS": ibm(),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_message_once(name: str) -> None:
    assert read(LAYOUTS[name]) == TALK


def test_each_log_has_a_layout_here() -> None:
    found = {
        log.name for text in LAYOUTS.values() for line in text.splitlines() if (log := find_log(line.encode()))
    }
    assert found == {log.name for log in LOGS}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_log_that_is_cut_at_any_byte(name: str) -> None:
    text = LAYOUTS[name]
    for place in range(0, len(text), 7):
        messages = [message for pair in TALK for message in pair]
        found = []
        with contextlib.suppress(InputError):
            found = [message for pair in read(text[:place]) for message in pair if message]
        whole = [message for message in found if message in messages]
        assert whole == messages[: len(whole)]
        assert len(found) - len(whole) <= 1
        assert all(any(message.startswith(part) for message in messages) for part in found)
