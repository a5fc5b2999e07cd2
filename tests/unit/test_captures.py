"""Captures of other programs: their own output in fixtures/captures/programs, and what they print in odd cases."""

import base64
import io
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tpmwire.errors import InputError
from tpmwire.explain import as_json, explain_recording
from tpmwire.explain.html import as_html
from tpmwire.explain.pcap import PcapBuilder
from tpmwire.explain.readers.captures import CAPTURES
from tpmwire.explain.readers.recordings import open_recording

PROGRAMS = Path("fixtures/captures/programs")
COMMAND = bytes.fromhex("80010000000c0000017b0008")
RESPONSE = bytes.fromhex("800100000014000000000008") + bytes(range(8))

FILES = {
    "strace.txt": "3cda8a122bd9912d",
    "strace-xx.txt": "931628b9296340b3",
    "strace-yy.txt": "95dc92c6d61131fc",
    "strace-threads.txt": "bf0ad0f84d27f551",
    "bpftrace.txt": "72bfbf207b2c40ca",
    "wireshark.json": "672cea4e8eb2a98c",
    "wireshark-raw.json": "672cea4e8eb2a98c",
    "wireshark.ek.json": "672cea4e8eb2a98c",
    "wireshark.pdml": "672cea4e8eb2a98c",
    "wireshark-x.txt": "672cea4e8eb2a98c",
    "wireshark-v.txt": "672cea4e8eb2a98c",
    "wireshark-vx.txt": "672cea4e8eb2a98c",
    "sigrok-transfers.txt": "4c1e63ebbcb7ccc1",
    "sigrok-bytes.txt": "4c1e63ebbcb7ccc1",
}


def read(text: str | bytes) -> list[tuple[bytes, bytes]]:
    recording = open_recording(io.BytesIO(text.encode() if isinstance(text, str) else text), "log")
    assert not isinstance(recording, bytes), "not recognized"
    return list(recording)


@pytest.mark.parametrize("name", FILES)
def test_output_of_the_program_itself(name: str) -> None:
    exchanges = read((PROGRAMS / name).read_bytes())
    assert exchanges == [(COMMAND, RESPONSE[:12] + bytes.fromhex(FILES[name]))]


def test_every_recorded_file_is_tested() -> None:
    assert {path.name for path in PROGRAMS.iterdir()} == {*FILES, "strace-shortened.txt", "README.md"}


def test_shortened_bytes_are_named() -> None:
    recording = open_recording(io.BytesIO((PROGRAMS / "strace-shortened.txt").read_bytes()), "log")
    assert not isinstance(recording, bytes)
    found = [next(recording)]
    with pytest.raises(InputError, match=r"^log: line 4: strace shortened a message; .* strace -s 65536$"):
        next(recording)
    assert [(command[8:10].hex(), len(response)) for command, response in found] == [("017a", 42)]


def test_strace_of_a_running_program(tmp_path: Path) -> None:
    """Bytes that strace shortens do not matter if no message is in them."""
    (tmp_path / "tpm").write_bytes(bytes(999 + len(COMMAND)) + RESPONSE)
    program = f"""
        import os
        tpm = os.open("tpm", os.O_RDWR)
        os.read(tpm, 999)
        os.writev(tpm, [{COMMAND[:10]!r}, {COMMAND[10:]!r}])
        os.read(tpm, 10)
        os.read(tpm, 4096)
    """
    for options in (["-s32"], ["-x", "-f"], ["-xx", "-y", "-ttt"], ["-T", "-r"]):
        command = ["strace", *options, "-o", "log", sys.executable, "-c", textwrap.dedent(program)]
        (tmp_path / "tpm").write_bytes(bytes(999 + len(COMMAND)) + RESPONSE)
        subprocess.run(command, check=True, timeout=120, cwd=tmp_path)
        assert read((tmp_path / "log").read_bytes()) == [(COMMAND, RESPONSE)]


KPROBE = """\
# tracer: nop
 tpm2_getrandom-4711    [001] .....  5123.401: cmd: (tpm_transmit+0x0/0x3f0) buf={{{command},0x0,0x0,0x0}}
 tpm2_getrandom-4711    [001] .....  5123.409: rsp: (tpm_dev_transmit+0x52 <- tpm_transmit) buf={{{response}}}
"""


def array(octets: bytes) -> str:
    return ",".join(f"0x{octet:x}" for octet in octets)


def test_arrays_of_kernel_probes() -> None:
    text = KPROBE.format(command=array(COMMAND), response=array(RESPONSE))
    assert read(text) == [(COMMAND, RESPONSE)]
    short = KPROBE.format(command=array(COMMAND), response=array(RESPONSE[:16]))
    with pytest.raises(InputError, match="line 3: the array of the probe is shorter than the message"):
        read(short)


def test_buffers_of_system_call_tracepoints() -> None:
    lines = [f' a-1 [0] 1.0: sys_write(fd: 3, buf: 0x7ff0 ({COMMAND.hex(":")}) "....", count: 12)']
    lines += [f" a-1 [0] 1.1: sys_read(fd: 3, buf: 0x7ff0 ({RESPONSE.hex(':')}), count: 4096)"]
    assert read("\n".join(lines)) == [(COMMAND, RESPONSE)]


def transfer(is_write: bool, address: int, data: bytes, waits: int = 0) -> list[tuple[int, int]]:
    """The bytes on MOSI and MISO of one SPI transfer with the TPM."""
    head = bytes([(0 if is_write else 0x80) | len(data) - 1]) + address.to_bytes(3, "big")
    mosi = head + bytes(waits) + (data if is_write else bytes(len(data)))
    miso = bytes(3) + (bytes(waits) + b"\1" if waits else b"\1") + (bytes(len(data)) if is_write else data)
    return list(zip(mosi, miso, strict=True))


def talk(locality: int = 0, waits: int = 0) -> list[list[tuple[int, int]]]:
    base = 0xD40000 + (locality << 12)
    return [
        transfer(False, base + 0xF00, b"\xd1\x15\x1b\0"),
        transfer(True, base + 0x18, b"\x40"),
        transfer(True, base + 0x24, COMMAND, waits),
        transfer(True, base + 0x18, b"\x20"),
        transfer(False, base + 0x18, b"\x90", waits),
        transfer(False, base + 0x24, RESPONSE[:10], waits),
        *[transfer(False, base + 0x24, RESPONSE[n : n + 1], waits) for n in range(10, len(RESPONSE))],
        transfer(True, base + 0x18, b"\x40"),
    ]


def logic_1(transfers: list[list[tuple[int, int]]], *, packets: bool = True) -> str:
    numbered = [(n if packets else "", pair) for n, pairs in enumerate(transfers) for pair in pairs]
    rows = [f"0.1,{n},0x{mosi:02X},0x{miso:02X}" for n, (mosi, miso) in numbered]
    return "\r\n".join(["Time [s],Packet ID,MOSI,MISO", *rows])


def logic_2(transfers: list[list[tuple[int, int]]], *, enable: bool = True) -> str:
    lines = ['name,type,start_time,duration,"mosi","miso"']
    for t in transfers:
        lines += ['"SPI","enable",0.1,8e-09,,'] * enable
        lines += [f'"SPI","result",0.1,4.52e-07,0x{a:02X},0x{b:02X}' for a, b in t]
        lines += ['"SPI","disable",0.1,8e-09,,'] * enable
    return "\n".join(lines)


def bus_pirate(transfers: list[list[tuple[int, int]]]) -> str:
    return "".join("[" + "".join(f"0x{a:02X}(0x{b:02X})" for a, b in t) + "]" for t in transfers)


def pulseview(transfers: list[list[tuple[int, int]]]) -> str:
    pairs = [pair for transfer in transfers for pair in transfer]
    return "\n".join(f"1-2 SPI: MOSI data: {mosi:02X}\n1-2 SPI: MISO data: {miso:02X}" for mosi, miso in pairs)


@pytest.mark.parametrize("locality", range(5))
@pytest.mark.parametrize("waits", [0, 1, 7])
def test_tables_of_spi(locality: int, waits: int) -> None:
    transfers = talk(locality, waits)
    decimal = re.sub(r"0x([0-9A-F]{2})", lambda found: f"'{int(found[1], 16)}'", logic_1(transfers))
    for text in (
        logic_1(transfers),
        logic_1(transfers, packets=False),
        logic_2(transfers),
        logic_2(transfers, enable=False),
        bus_pirate(transfers),
        pulseview(transfers),
        decimal,
    ):
        assert read(text) == [(COMMAND, RESPONSE)]


def test_response_that_is_read_twice() -> None:
    transfers = talk()
    again = [transfer(True, 0xD40018, b"\x02"), transfer(False, 0xD40024, RESPONSE)]
    cut = transfers[:-5] + again
    assert read(logic_1(cut)) == [(COMMAND, RESPONSE)]


def test_captures_without_the_bit_that_ends_wait_states() -> None:
    transfers = [[(a, 0 if n == 3 else b) for n, (a, b) in enumerate(t)] for t in talk()]
    assert read(logic_1(transfers)) == [(COMMAND, RESPONSE)]


def test_crb_interface_on_spi() -> None:
    base = 0xD40000
    transfers = [transfer(True, base + 0x40, b"\1\0\0\0")]
    transfers += [transfer(True, base + 0x80 + n, COMMAND[n : n + 8]) for n in range(0, len(COMMAND), 8)]
    transfers += [transfer(True, base + 0x4C, b"\1\0\0\0"), transfer(False, base + 0x4C, b"\0\0\0\0")]
    transfers += [transfer(False, base + 0x80, RESPONSE[:6]), transfer(False, base + 0x80, RESPONSE)]
    assert read(logic_1(transfers)) == [(COMMAND, RESPONSE)]


ANALYZER = """\
name,type,start_time,duration,"register","addr","data","waits"
"TPM","write",0.1,1e-06,"TPM_STS_0","d40018","40",0
"TPM","write",0.1,1e-06,"TPM_DATA_FIFO_0","d40024","{command}",0
"TPM","write",0.1,1e-06,"TPM_STS_0","d40018","20",0
"TPM","read",0.1,1e-06,"TPM_DATA_FIFO_0","d40024","{response}",2
"""


def test_table_of_a_high_level_analyzer() -> None:
    assert read(ANALYZER.format(command=COMMAND.hex(), response=RESPONSE.hex())) == [(COMMAND, RESPONSE)]


def lpc() -> list[tuple[bool, int, int]]:
    """The accesses on LPC: is_write, address, data."""
    accesses = [(True, 0x18, 0x40), *((True, 0x24, octet) for octet in COMMAND), (True, 0x18, 0x20)]
    return [*accesses, *((False, 0x24 + n % 4, octet) for n, octet in enumerate(RESPONSE)), (True, 0x18, 0x40)]


def test_sniffers_of_lpc() -> None:
    hexed = "\n".join(f"b'{address:08x}{data:02x}{2 * write:02x}'" for write, address, data in lpc())
    words = "\n".join(f" io: {'write' if w else ' read'} {a:08x}:   {d:02x}" for w, a, d in lpc())
    sigrok = "\n".join(
        f"lpc-1: Reserved\nlpc-1: Cycle type: I/O {'write' if w else 'read'}\nlpc-1: Address: 0x{a:04x}\n"
        f"lpc-1: SYNC, cycle 0: Ready\nlpc-1: DATA: 0x{d:02x}"
        for w, a, d in lpc()
    )
    table = "Time [s],Cycle,Address,Data\n" + "\n".join(
        f"0.1,{'I/O Write' if w else 'I/O Read'},0x{a:04X},0x{d:02X}" for w, a, d in lpc()
    )
    for text in (hexed, words, sigrok, table):
        assert read(text) == [(COMMAND, RESPONSE)]


def test_each_capture_has_its_own_pattern() -> None:
    """A file of one program must not look like that of another, or like prose."""
    prose = b"The address, the data, and the size: read(3) and write(3) return them; see [0x80] and {0x80,0x1}.\n"
    assert not [capture.name for capture in CAPTURES if capture.mark.search(prose)]


def packets() -> list[bytes]:
    """The Ethernet packets of one exchange with the reference simulator, as Wireshark shows them."""
    capture, found = PcapBuilder().exchange(COMMAND, RESPONSE, 1.0), []
    while capture:
        size = int.from_bytes(capture[8:12], "little")
        found.append(bytes(12) + b"\x08\x00" + capture[16 : 16 + size])
        capture = capture[16 + size :]
    return found


def c_array(octets: bytes) -> str:
    return "unsigned char p[] = {\n" + ", ".join(f"0x{octet:02x}" for octet in octets) + "\n};\n"


COPIES = {
    "hex stream": lambda packet: packet.hex() + "\n",
    "base64": lambda packet: base64.b64encode(packet).decode() + "\n",
    "C array": c_array,
    "escaped string": lambda packet: '"' + "".join(f"\\x{octet:02x}" for octet in packet) + '"\n',
    "hex dump": lambda packet: "".join(
        f"{n:04x}   {packet[n : n + 16].hex(' '):47}  {'.' * len(packet[n : n + 16])}\n"
        for n in range(0, len(packet), 16)
    ),
}


@pytest.mark.parametrize("form", COPIES)
def test_packets_that_wireshark_copies(form: str) -> None:
    assert read("".join(COPIES[form](packet) for packet in packets())) == [(COMMAND, RESPONSE)]


ETW = """\
Event Name,Type,Event ID,Version,Channel,Level,Clock-Time,Kernel(ms),User(ms),User Data
TBS,Info,1,0,0,4,133772256001234567,0,15,"SubmitCommand",12,0x{command}
TBS,Info,2,0,0,4,133772256001244567,0,15,"Result",20,0x{response}
"""


def test_tables_of_windows() -> None:
    assert read(ETW.format(command=COMMAND.hex().upper(), response=RESPONSE.hex().upper())) == [
        (COMMAND, RESPONSE)
    ]
    events = [{"Id": n, "Properties": [{"Value": m.hex("-").upper()}]} for n, m in enumerate((COMMAND, RESPONSE))]
    assert read(json.dumps(events, indent=2)) == [(COMMAND, RESPONSE)]
    assert read(json.dumps([{"Command": list(COMMAND), "Response": list(RESPONSE)}])) == [(COMMAND, RESPONSE)]


def test_dumps_of_the_kernel() -> None:
    """print_hex_dump, and an event that prints the bytes with __print_hex."""
    dumps = "".join(
        f"[    5.{n}] tpm tpm0: {name}: {at:08x}: {m[at : at + 16].hex(' ')}\n"
        for n, (name, m) in enumerate((("cmd", COMMAND), ("rsp", RESPONSE)))
        for at in range(0, len(m), 16)
    )
    assert read(dumps) == [(COMMAND, RESPONSE)]
    lines = [
        f" a-1 [001] ..... 5.{n}: tpm_x: len={len(m)} data={m.hex(' ')}" for n, m in enumerate((COMMAND, RESPONSE))
    ]
    assert read("\n".join(lines)) == [(COMMAND, RESPONSE)]


@pytest.mark.parametrize(
    ("first", "repeated"),
    [
        (b'write(3, "\\200", 1) = 1\n', b"write(1<"),
        (b'write(3, "\\200", 1) = 1\n', b'writev(3, [{iov_base="'),
        (b"<pdml>\n", b'<field name="tcp.payload" '),
        (b'"_source": {\n', b'"tcp.payload":   '),
        (b"[0x80(0x00)0xD4(0x00)0x00(0x00)0x24(0x01)\n", b"0x80(0x00)"),
        (b"Time [s],Packet ID,MOSI,MISO\n0,,0x80,0\n0,,0xd4,0\n0,,0,0\n0,,0x24,0\n", b"0.1,,0x00,0x00\n"),
        (b'{"name": "response", "offset": 0, "size": 10, "children": ', b'[{"children":'),
    ],
)
def test_time_is_proportional_to_the_size(first: bytes, repeated: bytes) -> None:
    """Each takes seconds. A pattern whose time grows with the square would take longer than a test may."""
    with pytest.raises(InputError):
        read(first + repeated * (2_000_000 // len(repeated)))


def test_json_of_other_programs_is_not_taken_for_packets() -> None:
    """Elasticsearch has `_source` too."""
    logs = [{"_index": "logs", "_source": {"message": f"sent {COMMAND.hex()}"}}]
    assert read(json.dumps(logs, indent=1)) == [(COMMAND, b"")]


def test_tables_of_spi_from_other_programs() -> None:
    """Hex without prefix, a whole transfer in each row, and MISO before MOSI."""
    bare = "MISO;MOSI\n" + "\n".join(f"{miso:02x};{mosi:02x}" for t in talk() for mosi, miso in t)
    rows = [(bytes(mosi for mosi, _ in t).hex(" "), bytes(miso for _, miso in t).hex(" ")) for t in talk(waits=2)]
    whole = "Time,MOSI,MISO\n" + "\n".join(f'0.1,"{mosi}","{miso}"' for mosi, miso in rows)
    assert read(bare) == read(whole) == [(COMMAND, RESPONSE)]


def test_arrays_of_trace_cmd() -> None:
    lines = [f" a-1 [001] 5.1: tpm_x: buf=ARRAY[{m.hex(' ').replace(' ', ', ')}]" for m in (COMMAND, RESPONSE)]
    assert read("\n".join(lines)) == [(COMMAND, RESPONSE)]


def test_times_of_a_capture_are_on_the_page_and_in_json() -> None:
    builder = PcapBuilder()
    data = builder.begin(1e9) + builder.exchange(COMMAND, RESPONSE, 1e9 + 1, 1e9 + 1.012)
    data += builder.exchange(COMMAND, RESPONSE, 1e9 + 2, 1e9 + 3.5) + builder.exchange(COMMAND, RESPONSE, 1e9 + 4)
    trees = explain_recording(open_recording(io.BytesIO(data), "capture")).trees
    assert [tree.seconds and round(tree.seconds, 3) for tree in trees] == [None, 0.012, None, 1.5, None, None]
    assert [round(as_json(tree).get("seconds", 0), 3) for tree in trees[:2]] == [0, 0.012]
    page = as_html(trees)
    assert [page.count(f"<small>{text}</small>") for text in ("12 ms", "1.5 s")] == [1, 1]
    assert page.count('<em class="mark">12 ms</em>') == 1
