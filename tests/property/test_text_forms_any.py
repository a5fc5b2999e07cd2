"""Messages printed in every notation that people paste are read back, with the decorations around them."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.notations import NOTATIONS
from tpmwire.explain.readers.recordings import open_recording

LABELS = [
    ("", ""),
    ("Command: ", "Response: "),
    ("-> ", "<- "),
    (">>> ", "<<< "),
    ("TX:\n", "RX:\n"),
    ("cmd=", "rsp="),
]
ENDS = ["\n", "\r\n", "\n\n"]


def read(text: str | bytes) -> list[bytes]:
    data = text.encode() if isinstance(text, str) else text
    found = open_recording(io.BytesIO(data), "the text")
    return [message for exchange in found for message in exchange if message]


@st.composite
def talks(draw: st.DrawFn) -> list[bytes]:
    found = []
    for _ in range(draw(st.integers(1, 3))):
        body = draw(st.binary(max_size=70))
        for code in (0x17B, 0)[: draw(st.integers(1, 2))]:
            tag = draw(st.sampled_from(["8001", "8002"]))
            size = 11 + len(body)
            found.append(bytes.fromhex(f"{tag}{size:08x}{code:08x}") + body + b"\x5a")
    return found


@pytest.mark.parametrize("name", NOTATIONS)
@given(talk=talks(), label=st.sampled_from(LABELS), end=st.sampled_from(ENDS))
def test_messages_in_every_notation(name: str, talk: list[bytes], label: tuple[str, str], end: str) -> None:
    text = ""
    for message in talk:
        text += label[not message[8]] + "\n" * (name == "one byte a line") + NOTATIONS[name](message) + "\n"
    assert read(text.replace("\n", end)) == talk
