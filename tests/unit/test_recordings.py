"""Recordings of real talk: swtpm's log, tpm2-tools' log, network captures; and the HTML page made of them."""

import contextlib
import io
import os
import signal
import subprocess
import time
from html.parser import HTMLParser
from pathlib import Path

import dpkt
import pytest

from cli.toolbox import main
from tests.support.captures import COMMAND, ERROR, FROM, RESPONSE, TO, frame, recorded
from tpmwire.errors import InputError
from tpmwire.explain import explain_command, explain_response
from tpmwire.explain.html import as_html
from tpmwire.explain.readers.recordings import detect_recording, open_recording

Talk = list[tuple[bytes, bytes]]


def read_exchanges(data: bytes) -> Talk:
    """The exchanges of a recording."""
    return list(open_recording(io.BytesIO(data), "the recording"))


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes, bytes]:
    """What swtpm and tpm2_getrandom log of the same talk, and the random octets."""
    place = tmp_path_factory.mktemp("log")
    path = f"{os.path.relpath(place)}/s"
    command = ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={place}", "--log", f"file={place}/log,level=20"]
    command += ["--server", f"type=unixio,path={path}", "--ctrl", f"type=unixio,path={path}.ctrl"]
    swtpm = subprocess.Popen([*command, "--flags", "not-need-init,startup-clear"])
    try:
        deadline = time.monotonic() + 60
        while not os.path.exists(f"{path}.ctrl") and time.monotonic() < deadline:
            time.sleep(0.01)
        environment = {**os.environ, "TPM2TOOLS_TCTI": f"swtpm:path={path}", "TSS2_LOG": "all+trace"}
        done = subprocess.run(
            ["tpm2_getrandom", "20"], check=True, env=environment, capture_output=True, timeout=120
        )
    finally:
        swtpm.send_signal(signal.SIGTERM)
        swtpm.wait(120)
    return (place / "log").read_bytes(), done.stderr, done.stdout


def test_both_logs_tell_the_same_talk(logs: tuple[bytes, bytes, bytes]) -> None:
    swtpm, tools, random = logs
    told = read_exchanges(swtpm)
    assert told == read_exchanges(tools)
    assert told[-1][0] == bytes.fromhex("80010000000c0000017b0014")
    assert told[-1][1] == bytes.fromhex("800100000020000000000014") + random
    assert all(command and response for command, response in told)


def test_a_log_with_a_prefix_that_is_cut(logs: tuple[bytes, bytes, bytes]) -> None:
    swtpm = b"".join(b"tpm: " + line + b"\n" for line in logs[0].splitlines())
    told = read_exchanges(swtpm)
    assert told == read_exchanges(logs[0])
    last = swtpm.rindex(b"SWTPM_IO_Write")
    cut = read_exchanges(swtpm[: last + 60])
    assert cut == [*told[:-1], (told[-1][0], b"")]


def conversation(asked: bytes, answered: bytes, *, start: int = 1000) -> list[bytes]:
    return [
        frame(TO, start, 0x02),
        frame(FROM, 5000, 0x12),
        frame(TO, start + 1, 0x18, asked),
        frame(FROM, 5001, 0x18, answered),
        frame(TO, start + 1 + len(asked), 0x11),
    ]


@pytest.mark.parametrize("writer", [dpkt.pcap.Writer, dpkt.pcapng.Writer])
def test_swtpm_over_tcp(writer: type) -> None:
    frames = conversation(COMMAND + COMMAND, RESPONSE + ERROR)
    assert read_exchanges(recorded(frames, writer)) == [(COMMAND, RESPONSE), (COMMAND, ERROR)]


def test_the_reference_simulator() -> None:
    sent = b"\0\0\0\x0f\0\0\0\1" + b"\0\0\0\x08\0" + len(COMMAND).to_bytes(4, "big") + COMMAND + b"\0\0\0\x14"
    answered = b"\0\0\0\1\0\0\0\3\0\0\0\0" + len(RESPONSE).to_bytes(4, "big") + RESPONSE + bytes(4)
    assert read_exchanges(recorded(conversation(sent, answered))) == [(COMMAND, RESPONSE)]


def test_segments_in_any_order_twice_and_over_the_end_of_the_numbers() -> None:
    start = 0xFFFFFFFF - 4
    frames = conversation(b"", RESPONSE, start=start)
    parts = [frame(TO, start + 1 + at, 0x18, COMMAND[at : at + 4]) for at in (8, 0, 0, 4)]
    overlap = frame(TO, start + 1 + 2, 0x18, COMMAND[2:7])
    assert read_exchanges(recorded([*frames[:2], *parts, overlap, *frames[3:]])) == [(COMMAND, RESPONSE)]


def test_ports_used_again_a_start_in_the_middle_and_strangers() -> None:
    twice = conversation(COMMAND, RESPONSE) + conversation(COMMAND, ERROR, start=90000)
    assert read_exchanges(recorded(twice)) == [(COMMAND, RESPONSE), (COMMAND, ERROR)]
    middle = [frame(FROM, 1, 0x18, RESPONSE), frame(TO, 7, 0x18, COMMAND), frame(FROM, 29, 0x18, ERROR)]
    assert read_exchanges(recorded(middle)) == [(COMMAND, ERROR)]
    strange = [b"", b"\0" * 13, bytes(60), *conversation(b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n")]
    assert read_exchanges(recorded([*strange, *twice])) == read_exchanges(recorded(twice))
    with pytest.raises(InputError, match=r"no TPM 2\.0 command or response"):
        read_exchanges(recorded(strange))


def test_broken_captures_are_refused_or_read_as_far_as_they_go() -> None:
    for writer in (dpkt.pcap.Writer, dpkt.pcapng.Writer):
        whole = recorded(conversation(COMMAND, RESPONSE), writer)
        for place in range(4, len(whole)):
            with contextlib.suppress(InputError):
                read_exchanges(whole[:place])
            with contextlib.suppress(InputError):
                read_exchanges(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        with pytest.raises(InputError, match="capture"):
            read_exchanges(whole[:20])


def test_what_is_no_recording() -> None:
    """A reader of other files gets the bytes; decode says what it expects."""
    for data in (b"", b"nothing", bytes(20), b"\x00\x04\x00\x72", b"# a comment\n0xabcd\n"):
        assert detect_recording(io.BytesIO(data), "it") == data
        with pytest.raises(InputError, match="it"):
            list(open_recording(io.BytesIO(data), "it"))
    found = detect_recording(io.BytesIO(COMMAND), "it")
    assert not isinstance(found, bytes)
    assert list(found) == [(COMMAND, b"")]
    with pytest.raises(InputError, match="no TPM"):
        detect_recording(io.BytesIO(b"much\n" * 300_000), "it")


class Page(HTMLParser):
    """Checks that elements close in order; collects bytes, and the fields with the bytes that they light."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.octets = ""
        self.fields: list[tuple[int, int]] = []
        self.names: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "input"):
            self.open.append(tag)
        given = dict(attrs)
        # It loads nothing; links lead to other places of the page.
        assert "src" not in given
        assert (given.get("href") or "#").startswith("#")
        if "data-o" in given:
            first, size = map(int, (given["data-o"] or "").split())
            self.fields.append((first, first + size))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-2:] == ["pre", "b"]:
            self.octets += f" {data}"
        if self.open[-2:] == ["span", "b"] and "nav" not in self.open:
            self.names.append(data)


def test_the_page_has_every_octet_and_a_field_for_it() -> None:
    for tree, data in (
        (explain_command(COMMAND), COMMAND),
        (explain_response(RESPONSE, COMMAND), RESPONSE),
        (explain_command(COMMAND[:11]), COMMAND[:11]),
    ):
        page = Page(as_html([tree], "<script>alert(1)</script>"))
        assert bytes.fromhex(page.octets) == data
        assert {octet for first, last in page.fields for octet in range(first, last)} == set(range(len(data)))
        # A field lights exactly its own octets.
        by_name = dict(zip(page.names, page.fields, strict=True))
        first, last = by_name["tag"]
        assert (first, last) == (0, 2)
    page = Page(as_html([explain_command(COMMAND)]))
    first, last = dict(zip(page.names, page.fields, strict=True))["bytesRequested"]
    assert bytes.fromhex(page.octets)[first:last] == bytes.fromhex("0010")


def test_the_verb_reads_recordings_and_writes_the_page(
    logs: tuple[bytes, bytes, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, capture, page = tmp_path / "swtpm.log", tmp_path / "talk.pcap", tmp_path / "talk.html"
    log.write_bytes(logs[0])
    capture.write_bytes(recorded(conversation(COMMAND, RESPONSE)))
    assert main(["decode", str(log)]) == 0
    assert "randomBytes: 20 bytes" in capsys.readouterr().out
    assert main(["decode", "--html", str(page), str(log), str(capture)]) == 0
    assert capsys.readouterr().out == ""
    octets = bytes.fromhex(Page(page.read_text()).octets)
    assert octets.endswith(COMMAND + RESPONSE)
    assert logs[2] in octets
    capture.write_bytes(capture.read_bytes()[:20])
    assert main(["decode", str(capture)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["decode", str(tmp_path)]) == 2
    assert "Is a directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("place", "code", "says"),
    [
        ("missing/page.html", 1, "{path}: No such file or directory"),
        ("fifo", 2, "'{path}' is not a regular file; choose another path"),
        ("", 2, "'{path}' is not a regular file; choose another path"),
        ("/dev/stdout", 2, "'{path}' is not a regular file; choose another path"),
    ],
)
def test_a_page_that_has_no_place(
    place: str, code: int, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "fifo")
    path = str(tmp_path / place)
    assert main(["decode", "--html", path, COMMAND.hex()]) == code
    assert capsys.readouterr() == ("", f"tpmwire: {says.format(path=path)}\n")
    assert os.listdir(tmp_path) == ["fifo"]
    assert main(["decode", "--html", "", COMMAND.hex()]) == 2


def test_a_commands_header_alone_is_a_command_cut_short(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", COMMAND.hex()[:20]]) == 1
    assert "! size: expected 12 bytes, got 10" in capsys.readouterr().out
