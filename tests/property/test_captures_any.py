"""Any messages, printed as other programs print them, are read back; any damage to the text is survived."""

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.inspect.writers import JsonWriter
from tests.unit.test_captures import bus_pirate, logic_1, logic_2, pulseview, transfer
from tpmwire.errors import InputError
from tpmwire.explain import Node, as_json, as_text, explain_command, explain_response
from tpmwire.explain.pcap import PcapBuilder
from tpmwire.explain.readers.recordings import open_recording
from tpmwire.explain.show import blank_secrets
from tpmwire.spec.constants import TPM_CC

Exchanges = list[tuple[bytes, bytes]]


def message(tag: int, code: int, body: bytes) -> bytes:
    return tag.to_bytes(2, "big") + (10 + len(body)).to_bytes(4, "big") + code.to_bytes(4, "big") + body


commands = st.builds(
    message,
    st.sampled_from([0x8001, 0x8002]),
    st.sampled_from(sorted(TPM_CC)),
    st.binary(min_size=1, max_size=300),
)
responses = st.builds(message, st.sampled_from([0x8001, 0x8002]), st.just(0), st.binary(max_size=300)) | st.builds(
    message, st.just(0x8001), st.sampled_from([0x101, 0x98E]), st.just(b"")
)
talks = st.lists(st.tuples(commands, responses), min_size=1, max_size=4)
"""Commands and their responses. A body of at least one byte tells a command from an error response."""


def read(text: str | bytes) -> Exchanges:
    recording = open_recording(io.BytesIO(text.encode() if isinstance(text, str) else text), "log")
    return [] if isinstance(recording, bytes) else list(recording)


def octal(octets: bytes) -> str:
    """The way of strace without -x: the shortest octal escape that the next character allows."""
    named = {9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
    text = ""
    for n, octet in enumerate(octets):
        if octet in named or 32 <= octet < 127:
            text += named.get(octet, chr(octet))
        else:
            digit = n + 1 < len(octets) and 48 <= octets[n + 1] <= 57
            text += f"\\{octet:03o}" if digit else f"\\{octet:o}"
    return text


def hexed(octets: bytes) -> str:
    return "".join(f"\\x{octet:02x}" for octet in octets)


def strace(escape: Callable[[bytes], str]) -> Callable[[Exchanges], str]:
    def write(talk: Exchanges) -> str:
        lines = []
        for command, response in talk:
            lines += [f'[pid 7] write(3, "{escape(command)}", {len(command)}) = {len(command)}']
            lines += ["[pid 7] read(3,  <unfinished ...>", '[pid 8] write(2, "x", 1) = 1']
            lines += [f'[pid 7] <... read resumed>"{escape(response[:10])}", 10) = 10 <0.01>']
            if rest := response[10:]:
                lines += [f'[pid 7] read(3, "{escape(rest)}", 4096) = {len(rest)}']
        return "\n".join(lines)

    return write


def bpftrace(talk: Exchanges) -> str:
    def escape(octets: bytes) -> str:
        return "".join(chr(o) if 32 <= o < 127 and o not in (34, 39, 92) else f"\\x{o:02x}" for o in octets)

    return "\n".join(
        f"tool 3 write {escape(command)}\ntool 3 read {escape(response)}" for command, response in talk
    )


def probe(talk: Exchanges) -> str:
    def array(octets: bytes) -> str:
        return "{" + ",".join(f"0x{octet:x}" for octet in octets + bytes(3)) + "}"

    return "\n".join(f" a-1 [0] 1: c: (f) buf={array(c)}\n a-1 [0] 1: r: (f) buf={array(r)}" for c, r in talk)


def packets(talk: Exchanges) -> str:
    """The way of `tshark -T json`, with the frames of the reference simulator."""
    lines = []
    for command, response in talk:
        sent = b"\0\0\0\x08\0" + len(command).to_bytes(4, "big") + command
        received = len(response).to_bytes(4, "big") + response + bytes(4)
        for ports, octets in ((("50000", "2321"), sent), (("2321", "50000"), received)):
            for piece in (octets[:20], octets[20:]):
                fields = (
                    f'"tcp.srcport": "{ports[0]}", "tcp.dstport": "{ports[1]}", "tcp.payload": "{piece.hex(":")}"'
                )
                lines.append(f'{{ "_source": {{ "layers": {{ "tcp": {{ {fields} }} }} }} }}')
    return "[" + ",\n".join(lines) + "]"


def spi(write: Callable[..., str], **options: bool) -> Callable[[Exchanges], str]:
    def of(talk: Exchanges) -> str:
        transfers = []
        for command, response in talk:
            transfers.append(transfer(True, 0xD40018, b"\x40"))
            transfers += [transfer(True, 0xD40024, command[n : n + 64], 1) for n in range(0, len(command), 64)]
            transfers.append(transfer(True, 0xD40018, b"\x20"))
            transfers += [transfer(False, 0xD40024, response[n : n + 7]) for n in range(0, len(response), 7)]
        return write(transfers, **options)

    return of


def lpc(talk: Exchanges) -> str:
    lines = []
    for command, response in talk:
        lines += ["b'000000184002'", *(f"b'00000024{octet:02x}02'" for octet in command), "b'000000182002'"]
        lines += [f"b'00000024{octet:02x}00'" for octet in response]
    return "\n".join(lines)


def trees(talk: Exchanges) -> list[Node]:
    return [tree for c, r in talk for tree in (explain_command(c), explain_response(r, c))]


def json_lines(talk: Exchanges, *, secrets: bool = True) -> str:
    return "\n".join(json.dumps(as_json(tree, secrets=secrets)) for tree in trees(talk))


def json_list(talk: Exchanges, *, secrets: bool = True) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), JsonWriter(secrets=secrets) as writer:
        for tree in trees(talk):
            writer.add(tree)
    return out.getvalue()


def text(talk: Exchanges, *, secrets: bool = True) -> str:
    return "\n\n".join(as_text(tree, secrets=secrets) for tree in trees(talk))


def pcap(talk: Exchanges) -> bytes:
    builder = PcapBuilder()
    return builder.begin(1.5) + b"".join(builder.exchange(*pair, 1e9 + n) for n, pair in enumerate(talk))


FORMS: dict[str, Callable[[Exchanges], str | bytes]] = {
    "strace": strace(octal),
    "strace -xx": strace(hexed),
    "bpftrace": bpftrace,
    "probe": probe,
    "packets": packets,
    "Logic 1": spi(logic_1),
    "Logic 1 without chip select": spi(logic_1, packets=False),
    "Logic 2": spi(logic_2),
    "Bus Pirate": spi(bus_pirate),
    "PulseView": spi(pulseview),
    "lpc_sniffer": lpc,
    "JSON Lines of tpmwire": json_lines,
    "JSON of tpmwire": json_list,
    "text of tpmwire": text,
    "pcap of tpmwire": pcap,
}


@pytest.mark.parametrize("form", FORMS)
@given(talk=talks)
def test_messages_are_read_back(form: str, talk: Exchanges) -> None:
    assert read(FORMS[form](talk)) == talk


@pytest.mark.parametrize("form", FORMS)
@given(talk=talks, changes=st.lists(st.tuples(st.integers(0, 1 << 30), st.binary(max_size=4)), max_size=8))
def test_damaged_text_is_survived(form: str, talk: Exchanges, changes: list[tuple[int, bytes]]) -> None:
    printed = FORMS[form](talk)
    data = printed.encode() if isinstance(printed, str) else printed
    for place, octets in changes:
        at = place % (len(data) + 1)
        data = data[:at] + octets + data[at + place % 5 :]
    with contextlib.suppress(InputError):
        assert all(len(command or response) >= 10 for command, response in read(data))


RECORDED = [json.loads(line) for line in Path("fixtures/captures/tpm2-tools.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("form", [json_lines, json_list, text])
def test_hidden_secrets_are_zeros(form: Callable[..., str]) -> None:
    talk = [(bytes.fromhex(pair["command"]), bytes.fromhex(pair["response"])) for pair in RECORDED]
    assert read(form(talk)) == talk
    blank = [(blank_secrets(explain_command(c)), blank_secrets(explain_response(r, c))) for c, r in talk]
    assert blank != talk
    assert b"secret" in b"".join(command for command, _ in talk)
    assert b"secret" not in b"".join(command for command, _ in blank)
    assert read(form(talk, secrets=False)) == blank
