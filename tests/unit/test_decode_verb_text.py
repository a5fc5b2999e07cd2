"""`tpmwire decode` of pasted text: what is refused, and that text is explained while it arrives."""

import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.toolbox import main
from tests.support.captures import COMMAND, ERROR, RESPONSE
from tests.support.notations import NOTATIONS
from tests.support.verbs import started
from tests.unit.test_decode_verb_stream import DECODE, peak
from tpmwire.errors import InputError
from tpmwire.explain.readers.forms import FORMS
from tpmwire.explain.readers.lines import is_text
from tpmwire.explain.readers.logs import LOGS
from tpmwire.explain.readers.recordings import open_recording

OTHER = bytes.fromhex("80010000000c0000017b0011")
PLAIN = {
    "hex": lambda data: data.hex().encode() + b"\n",
    "hex without line ends": lambda data: data.hex().encode() + b" ",
    "binary": lambda data: data,
    "JSON Lines": lambda data: (
        json.dumps({"octets": data.hex(), "children": [{"octets": "8001"}]}).encode() + b"\n"
    ),
    "base64": lambda data: subprocess.run(["base64"], input=data, check=True, capture_output=True).stdout,
}


def octets(out: str) -> list[str]:
    return [json.loads(line)["octets"] for line in out.splitlines()]


def test_json_lines_can_be_read_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorded = Path(__file__).parents[2] / "fixtures" / "captures" / "tpm2-tools.jsonl"
    outputs = [recorded.read_text()]
    path = tmp_path / "again.jsonl"
    for _ in range(2):
        path.write_text(outputs[-1])
        assert main(["decode", "--format", "jsonl", str(path)]) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[1] == outputs[2]
    pairs = [json.loads(line) for line in outputs[0].splitlines()]
    assert octets(outputs[2]) == [pair[side] for pair in pairs for side in ("command", "response")]
    path.write_text(
        "".join(f"{json.dumps(json.loads(line), indent=2)}\n" for line in outputs[1].splitlines()[:40])
    )
    assert main(["decode", "--format", "jsonl", str(path)]) == 0
    assert octets(capsys.readouterr().out) == octets(outputs[1])[:40]
    assert main(["decode", "--json", str(path)]) == 0
    path.write_text(capsys.readouterr().out)
    assert main(["decode", "--format", "jsonl", str(path)]) == 0
    assert octets(capsys.readouterr().out) == octets(outputs[1])[:40]


@pytest.mark.parametrize("name", [name for name in PLAIN if name != "hex without line ends"])
def test_a_pipe_shows_each_message_when_it_arrives(name: str) -> None:
    with started([*DECODE, "--format=jsonl", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        for _ in range(2):
            for part in (COMMAND, RESPONSE):
                run.stdin.write(PLAIN[name](part))
                run.stdin.flush()
            found = [json.loads(run.stdout.readline())["octets"] for _ in range(2)]
            assert found == [COMMAND.hex(), RESPONSE.hex()]
        run.stdin.close()
        assert run.wait(120) == 0


@pytest.mark.parametrize("name", PLAIN)
def test_memory_does_not_grow(name: str, tmp_path: Path) -> None:
    peaks = []
    for count in (3000, 15000):
        path = tmp_path / "talk"
        path.write_bytes(PLAIN[name](OTHER) * count if name != "base64" else PLAIN[name](OTHER * count))
        peaks.append(peak(*DECODE, "--format=jsonl", str(path)))
    assert peaks[1] - peaks[0] < 6


@pytest.mark.parametrize(
    "noise",
    [
        *(b"(" * (1 << 20), b" " * (1 << 20), b"A" * (1 << 20), b"ab" * (1 << 19), b"80 01 " * (1 << 17)),
        *(b"\\x80\\x01" * (1 << 16), b"[1,2," * (1 << 17), b'{"a":' * (1 << 17), b"8001\n" * (1 << 14)),
        *(b"0000000 0180 0000 0000\n*\n" * 5000, b"8001 0000 ffff " * (1 << 15), b'"\\x80"' * (1 << 17)),
    ],
)
def test_much_noise_costs_little_time(noise: bytes, tmp_path: Path) -> None:
    path = tmp_path / "noise"
    path.write_bytes(noise + b"\n" + COMMAND.hex().encode() + b"\n")
    done = subprocess.run([*DECODE, str(path)], capture_output=True, check=False, timeout=120)
    assert b"bytesRequested: 16" in done.stdout, done.stderr[:500]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_encodings_of_windows(encoding: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "text"
    path.write_bytes(f"Command: {COMMAND.hex(' ')}\r\nResponse: {RESPONSE.hex(' ')}\r\n".encode(encoding))
    assert main(["decode", "--format=jsonl", str(path)]) == 0
    assert octets(capsys.readouterr().out) == [COMMAND.hex(), RESPONSE.hex()]


@pytest.mark.parametrize("text", [f"[{COMMAND.hex()}]", f'"{COMMAND.hex()}"', f"\n# {COMMAND.hex(' ')}\n"])
def test_utf_16_without_byte_order_mark(text: str) -> None:
    for encoding in ("utf-16-le", "utf-16-be"):
        assert list(open_recording(io.BytesIO(text.encode(encoding)), "the text")) == [(COMMAND, b"")]
    assert not is_text(bytes.fromhex("00580023000b00040072000000060080"))  # a TPM2B_PUBLIC


def test_an_error_response_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", ERROR.hex()]) == 0
    assert "response to an unknown command" in capsys.readouterr().out
    assert main(["decode", RESPONSE.hex(), COMMAND.hex(), ERROR.hex()]) == 0
    out = capsys.readouterr().out
    assert [out.count(f"response to {name}") for name in ("an unknown command", "TPM2_GetRandom")] == [1, 1]


def test_a_successful_response_alone(capsys: pytest.CaptureFixture[str]) -> None:
    properties = "80010000001b000000000100000006000000010000010678434720"
    assert main(["decode", properties]) == 0
    captured = capsys.readouterr()
    assert "response to TPM2_GetCapability" in captured.out
    assert captured.err.startswith("tpmwire: taken as a response to GetCapability, the only command that fits;")
    assert main(["explain", properties]) == 0
    assert "taken as a response to GetCapability:" in capsys.readouterr().out
    assert main(["decode", RESPONSE.hex()]) == 2
    assert "GetRandom" in capsys.readouterr().err
    assert main(["explain", RESPONSE.hex()]) == 0
    assert "tpmwire decode --command NAME" in capsys.readouterr().out


def test_an_unknown_command_stays_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", COMMAND.hex(), "80010000000e0000020f80000000"]) == 0
    out = capsys.readouterr().out
    assert "command 0x0000020f" in out
    assert "response" not in out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("hello\n", "no TPM 2.0 message found; expected a message (8001..., 8002...) as hex, dumps of xxd"),
        (f"\n\n{'ab' * 21}\n", "line 3 has bytes, but no TPM 2.0 message found"),
        (
            "00c100000012000000460000000000000004",
            "line 1: a TPM 1.2 message (tag 00c1); only TPM 2.0 is supported",
        ),
        ("00c40000000e0000000000000004", "line 1: a TPM 1.2 message (tag 00c4)"),
        (
            "x\n8001000000141234567800000000000000000000",
            "line 2: code 0x12345678 is not valid with the tag 8001",
        ),
        ("80020000000a00000100", "line 1: code 0x00000100 is not valid with the tag 8002"),
        ("80020000000a00000101", "line 1: code 0x00000101 is not valid with the tag 8002"),
        ("8001000000090000017b", "no TPM 2.0 message"),
        ("80010000000c", "line 1: 6 bytes of an incomplete header"),
    ],
)
def test_what_is_refused(text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "text"
    path.write_text(text)
    assert main(["decode", str(path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert says in captured.err


def test_bytes_after_a_message_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", f"{COMMAND.hex()}ab"]) == 0
    assert "line 1: 1 byte after the message: not part of it" in capsys.readouterr().err
    assert main(["decode", f"{COMMAND.hex()}{'00' * 50}"]) == 0
    assert capsys.readouterr().err == ""


def test_the_page_has_the_notations_and_the_logs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "decode.md").read_text()
    for form in FORMS:
        assert f"| {form.name} | `{form.example}` |" in page
        (tmp_path / "example").write_text(form.example)
        assert main(["decode", "--format=jsonl", str(tmp_path / "example")]) == 0
        assert octets(capsys.readouterr().out) == [COMMAND.hex()]
    for log in LOGS:
        assert f"\n| {log.name} | " in page


DUMPS = ["xxd", "xxd -e", "xxd -c 8", "xxd -i", "hexdump", "hexdump -C", "hexdump -b", "hexdump -c", "hexdump -d"]
DUMPS += ["od", "od -t x1", "od -x", "od -t x4", "od -b", "od -c", "od -d", "od -t d1", "od -A x -t x1z"]
DUMPS += ["od -A d -t u1", "od -t x8", "xxd -b -c 12", "xxd -c 4", "xxd -e -g2", "xxd -e -g8", "od -A d -w8 -t x1"]
DUMPS += ["od -t o4", "od -t o8", "od -t u4", "od -t d2", "od -t d4", "od -t d8", "od -A x -t u8", "od -w4 -t x1"]
DUMPS += [f"od --endian=big -t {kind}" for kind in ("x4", "o2", "o4", "o8", "u2", "d4", "u8", "d8")]
DUMPS += ["od -w4 -t x2", "od -t x1 -t c", "od -t c -t x1", "od -t x1z -t a"]


@pytest.mark.parametrize("program", DUMPS)
def test_dumps_of_real_programs_with_repeated_rows(program: str, tmp_path: Path) -> None:
    message = bytes.fromhex("80010000006c0000017b") + bytes(70) + b"Az0 af 12 98  cd" + bytes(11) + b"\x5a"
    if shutil.which(program.split(maxsplit=1)[0]) is None:
        pytest.skip(f"{program.split(maxsplit=1)[0]} is not installed")
    (tmp_path / "message").write_bytes(message + ERROR)
    dump = subprocess.run([*program.split(), tmp_path / "message"], check=True, capture_output=True).stdout
    assert list(open_recording(io.BytesIO(dump), "the dump")) == [(message, ERROR)]


def decorate(text: str, change: Callable[[int, str], str]) -> str:
    return "\n".join(change(number, line) for number, line in enumerate(text.split("\n"), 1))


DECORATIONS: dict[str, Callable[[str], str]] = {
    "line numbers of cat": lambda text: decorate(text, lambda number, line: f"{number:6}\t{line}"),
    "line numbers of less": lambda text: decorate(text, lambda number, line: f"{number:7} {line}"),
    "line numbers of grep": lambda text: decorate(text, lambda number, line: f"dump.txt:{number}:{line}"),
    "quoted": lambda text: decorate(text, lambda _, line: f"> {line}"),
    "quoted twice": lambda text: decorate(text, lambda _, line: f">> {line}"),
    "added in a diff": lambda text: decorate(text, lambda _, line: f"+{line}"),
    "removed in a diff": lambda text: decorate(text, lambda _, line: f"-{line}"),
    "blanks of a web page": lambda text: text.replace(" ", "\N{NO-BREAK SPACE}"),
    "blanks without width": lambda text: decorate(text, lambda _, line: f"\N{ZERO WIDTH SPACE}{line}"),
    "typographic quotes": lambda text: re.sub(
        "[\"']([^\"']*)[\"']", "\N{LEFT DOUBLE QUOTATION MARK}\\1\u201d", text
    ),
    "entities of HTML": lambda text: f"<pre>{text.replace('<', '&lt;').replace(chr(34), '&quot;')}</pre>",
    "line ends of old Mac OS": lambda text: text.replace("\n", "\r"),
    "prefix of a log": lambda text: decorate(text, lambda _, line: f"Nov 28 10:00:00 host prog[7]: {line}"),
}
DECORATED = [
    "hex with blanks",
    "xxd",
    "hexdump -C",
    "hexdump",
    "od -t x1",
    "C array",
    "C strings",
    "JSON list in lines",
]
DECORATED += ["base64 wrapped", "xxd -p", "Python list"]


@pytest.mark.parametrize("name", DECORATIONS)
@pytest.mark.parametrize("notation", DECORATED)
def test_what_programs_add_to_pasted_text(name: str, notation: str) -> None:
    message = bytes.fromhex("8001000000420000017b") + bytes(range(0x41, 0x79))
    text = f"{NOTATIONS[notation](message)}\n\n{NOTATIONS[notation](ERROR)}\n"
    found = list(open_recording(io.BytesIO(DECORATIONS[name](text).encode()), "the text"))
    assert found == [(message, ERROR)]


def test_an_unknown_number_of_rows(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rows = " 80 01 00 00 00 50 00 00 01 7b 00 00 00 00 00 00\n" + " 00" * 16 + "\n*\n 00 01\n"
    (tmp_path / "dump").write_text(rows)
    assert main(["decode", "--format=jsonl", str(tmp_path / "dump")]) == 1
    captured = capsys.readouterr()
    assert "line 3: '*' replaces an unknown number of rows; use od -v" in captured.err
    assert octets(captured.out) == [f"8001000000500000017b{'00' * 22}"]


@pytest.mark.parametrize("width", [61, 79])
def test_hex_that_is_wrapped_within_a_byte(width: int) -> None:
    message = bytes.fromhex("8001000000a60000017b") + bytes(range(0x41, 0xDD))
    for text in (message.hex(), message.hex("-")):
        wrapped = "\n".join(text[place : place + width] for place in range(0, len(text), width))
        assert list(open_recording(io.BytesIO(wrapped.encode()), "the text")) == [(message, b"")]


@pytest.mark.parametrize("size", [48, 50, 96])
def test_base32_with_a_short_last_row(size: int) -> None:
    message = bytes.fromhex("8001") + size.to_bytes(4, "big") + bytes.fromhex("0000017b") + bytes(range(size - 10))
    text = subprocess.run(["base32"], input=message, check=True, capture_output=True).stdout
    assert list(open_recording(io.BytesIO(text), "the text")) == [(message, b"")]


MARKED = [("app-1  | ", "> "), ("# ", "> "), ("# ", "TX: "), ("Nov 28 10:00:00 host prog[7]: ", "TX (66): ")]


@pytest.mark.parametrize(("prefix", "mark"), [*MARKED, ("[  12.345678] tpm0: ", "-> "), ("// ", "cmd = ")])
@pytest.mark.parametrize("notation", [*DECORATED, "base32", "hex wrapped", "od -An -t u1"])
def test_a_direction_only_in_the_first_row(prefix: str, mark: str, notation: str) -> None:
    message = bytes.fromhex("8001000000420000017b") + bytes(range(0x41, 0x79))
    lines = NOTATIONS[notation](message).split("\n")
    for other in ("", " " * len(mark)):
        text = prefix + mark + f"\n{prefix}{other}".join(lines) + "\n"
        assert list(open_recording(io.BytesIO(text.encode()), "the text")) == [(message, b"")]


def test_a_direction_only_in_the_first_row_of_a_truncated_message() -> None:
    text = f"# TX: {COMMAND[:8].hex()}\n# 0011\n# TX: {COMMAND.hex()}\n"
    found = list(open_recording(io.BytesIO(text.encode()), "the text"))
    assert found == [(COMMAND, b"")]


@pytest.mark.parametrize(
    "notation", ["od -An -t x1", "od -An -t u1", "xxd -i", "hex with blanks", "xxd", "JSON list"]
)
@pytest.mark.parametrize("width", [3, 7])
@pytest.mark.parametrize("first", [2, 8, 95, 99])
def test_line_numbers_without_a_sign(notation: str, width: int, first: int) -> None:
    message = bytes.fromhex("8001000000620000017b") + bytes(range(0x41, 0x99))
    text = NOTATIONS[notation](message)
    lines = decorate(text, lambda number, line: f"{number + first - 1:{width}} {line}")
    assert list(open_recording(io.BytesIO(lines.encode()), "the text")) == [(message, b"")]


@pytest.mark.parametrize("width", [4, 8])
@pytest.mark.parametrize("notation", ["od -An -t x1", "od -An -t u1", "hex with blanks"])
def test_rows_that_begin_like_line_numbers(notation: str, width: int) -> None:
    for first in (b"\x10\x11\x12\x13", bytes(range(129, 133)), bytes(range(16, 20))):
        rest = b"".join(bytes([octet]) + bytes(width - 1) for octet in first)
        message = (
            bytes.fromhex("8001") + (len(rest) + 16).to_bytes(4, "big") + bytes.fromhex("0000017b") + bytes(6)
        )
        message += rest
        text = "\n".join(
            NOTATIONS[notation](message[place : place + width]) for place in range(0, len(message), width)
        )
        assert list(open_recording(io.BytesIO(text.encode()), "the text")) == [(message, b"")]


def test_typed_arrays_of_javascript() -> None:
    text = json.dumps({"command": {str(place): octet for place, octet in enumerate(COMMAND)}})
    assert list(open_recording(io.BytesIO(text.encode()), "the text")) == [(COMMAND, b"")]


def test_values_that_are_no_message_in_their_notation() -> None:
    decimal = "  80   2   0   0   0  14   0   0   0   0   0   0   0  32\n"  # not 80 02 00 00 00 14
    for text in (decimal, f"TX: {decimal}", "[-80, 1, 0, 0, 0, 14, 0, 0, 0, 0, 0, 0, 0, 32]\n"):
        with pytest.raises(InputError, match="no TPM"):
            list(open_recording(io.BytesIO(text.encode()), "the text"))


def test_bytes_before_a_message_in_its_row() -> None:
    message = COMMAND + bytes(range(0x51, 0x60))
    message = message[:2] + len(message).to_bytes(4, "big") + message[6:]
    text = NOTATIONS["openssl"](b"\x00\x17" + message)
    assert list(open_recording(io.BytesIO(text.encode()), "the text")) == [(message, b"")]


def test_a_column_of_characters_that_begins_with_a_blank() -> None:
    text = (
        "00000000: 8001 0000 003b 0000 0000 0740 0000 0700  .....;.....@....\n"
        "00000010: 2046 66e8 f267 b878 4df2 683c 8cf7 347b   Ff..g.xM.h<..4{\n"
    )
    (found,) = open_recording(io.BytesIO(text.encode()), "the text")
    assert found[1].endswith(bytes.fromhex("f7347b"))
