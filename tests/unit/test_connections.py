"""TCP connections of a capture while they are read: missing segments, cut packets, and bounded state."""

import io

import pytest

from tests.support.captures import COMMAND, ERROR, FROM, RESPONSE, TO, Capture, frame, recorded
from tpmwire.errors import InputError
from tpmwire.explain.readers.connections import EARLY, OPEN, UNANSWERED, read_connections
from tpmwire.explain.readers.packets import read_segments

OTHER = bytes.fromhex("80010000000c0000017b0011")
warnings: list[str] = []
LONGER = bytes.fromhex("80010000000c0000017b0012")


def exchanges(frames: list[bytes]) -> list[tuple[bytes, bytes]]:
    warnings.clear()
    return list(read_connections(read_segments(io.BytesIO(recorded(frames)), "talk"), warnings.append))


def test_exchanges_of_two_connections_come_in_their_order() -> None:
    one, two = Capture(40000), Capture(40001)
    one.to(COMMAND)
    two.to(OTHER)
    one.back(RESPONSE).to(LONGER).back(ERROR)
    two.back(ERROR)
    frames = [*one.frames[:3], *two.frames[:3], *one.frames[3:], *two.frames[3:]]
    assert exchanges(frames) == [(COMMAND, RESPONSE), (LONGER, ERROR), (OTHER, ERROR)]


@pytest.mark.parametrize("captured", [(False, True), (True, False), (False, False)])
def test_what_a_capture_lacks_costs_no_other_message(captured: tuple[bool, bool]) -> None:
    talk = Capture().to(COMMAND).back(RESPONSE)
    talk.to(OTHER, captured=captured[0]).back(ERROR, captured=captured[1])
    for _ in range(2):
        talk.to(LONGER).back(RESPONSE)
    middle = [(OTHER, b"")] if captured[0] else []
    assert exchanges(talk.frames) == [(COMMAND, RESPONSE), *middle, (LONGER, RESPONSE), (LONGER, RESPONSE)]
    assert "the capture lacks packets" in warnings[0]
    assert len(warnings) == 1


def test_a_missing_part_of_a_message() -> None:
    talk = Capture().to(OTHER[:5]).to(OTHER[5:], captured=False).back(ERROR).to(COMMAND).back(RESPONSE)
    assert exchanges(talk.frames) == [(COMMAND, RESPONSE)]
    assert "lacks packets" in warnings[0]


def test_a_segment_that_never_comes_does_not_hold_the_others() -> None:
    # Without acknowledgments: the number of later segments shows that it is lost.
    frames = [frame(TO, 0, 0x02), frame(TO, 1, 0x18, COMMAND[:6])]
    frames += [frame(TO, 1 + 12 * n, 0x18, OTHER) for n in range(1, EARLY + 3)]
    assert exchanges(frames) == [(OTHER, b"")] * (EARLY + 2)


def test_no_warning_for_what_is_complete_or_not_a_tpms() -> None:
    web = Capture().to(b"GET / HTTP/1.1\r\n").to(b"Host: x\r\n\r\n", captured=False).back(b"HTTP/1.1 200 OK\r\n")
    web.to(b"GET / HTTP/1.1\r\n\r\n").back(b"HTTP/1.1 200 OK\r\n")
    talk = Capture(40001).to(COMMAND).back(RESPONSE)
    assert exchanges([*web.frames, *talk.frames]) == [(COMMAND, RESPONSE)]
    assert warnings == []


def test_simulators_frames_in_single_segments() -> None:
    talk = Capture().to(b"\0\0\0\x0f").to(b"\0\0\0\1").back(bytes.fromhex("000000010000000300000000"))
    for command, response in ((COMMAND, RESPONSE), (OTHER, ERROR)):
        talk.to(b"\0\0\0\x08").to(b"\0").to(len(command).to_bytes(4, "big")).to(command[:4]).to(command[4:])
        talk.back(len(response).to_bytes(4, "big")).back(response).back(bytes(4))
    assert exchanges(talk.to(b"\0\0\0\x14").frames) == [(COMMAND, RESPONSE), (OTHER, ERROR)]
    # Captured from the middle, where a response is first.
    assert exchanges(talk.frames[10:]) == [(OTHER, ERROR)]


def test_a_response_alone_at_the_beginning_shows_the_direction() -> None:
    for first in (RESPONSE, ERROR):
        frames = [frame(FROM, 1, 0x18, first), frame(TO, 7, 0x18, COMMAND)]
        assert exchanges([*frames, frame(FROM, 1 + len(first), 0x18, ERROR)]) == [(COMMAND, ERROR)]


def test_one_direction_only() -> None:
    count = UNANSWERED + 5
    frames = [frame(TO, 1 + 12 * n, 0x18, COMMAND) for n in range(count)]
    assert exchanges(frames) == [(COMMAND, b"")] * count


def test_more_connections_than_are_followed() -> None:
    frames: list[bytes] = []
    for port in range(40000, 40000 + 2 * OPEN):
        frames += Capture(port).to(COMMAND).frames
    assert exchanges(frames) == [(COMMAND, b"")] * (2 * OPEN)


def test_a_truncated_packet_costs_only_itself() -> None:
    frames = Capture().to(COMMAND).back(RESPONSE).to(OTHER).back(ERROR).frames
    whole, shorter = recorded(frames), recorded(frames[:-1])
    for size in range(len(shorter) + 1, len(whole)):
        found: list[tuple[bytes, bytes]] = []
        with pytest.raises(InputError, match=r"talk: the capture is truncated: expected \d+ bytes, got \d+; "):
            found.extend(read_connections(read_segments(io.BytesIO(whole[:size]), "talk")))
        assert found == [(COMMAND, RESPONSE), (OTHER, b"")]
