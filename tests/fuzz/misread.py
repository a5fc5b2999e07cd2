"""Text that nothing may be read into: mutated messages, structures and files, printed in random notations.

python -m tests.fuzz.misread [CASES [SEED]]

Says its seed first, and the case where one fails; the same seed gives the same cases again.
"""

import contextlib
import io
import json
import random
import sys
import time
from pathlib import Path

from tests.support.notations import NOTATIONS
from tpmwire import parse_command
from tpmwire.errors import InputError
from tpmwire.explain import explain_stream
from tpmwire.explain.readers.recordings import open_recording
from tpmwire.spec.constants import TPM_CC

CASES = 100_000
FIXTURES = Path(__file__).parents[2] / "fixtures"
TAGS = (b"\x80\x01", b"\x80\x02", b"\0\xc4")
KINDS = ("command", "response")
READ_CLOCK = bytes.fromhex("80010000000a00000181")  # or TPM_RC_ASYMMETRIC for handle 1
PIECES = [b"\0", b"\xff", b"\0\0", b"\x80", b"\x80\1", b"\0\xc4", b"\0\0\0\x0a", b"\x80\1\0\0\0\x0c"]
LABELS = ["Command: ", "Response: ", "TX: ", "<- ", "data = ", "Nov 28 10:00:00 host prog[7]: ", "", "    "]
BETWEEN = ["", "\n", "the next one:\n", "```\n", "---\nsize 20\n", "error 0x98e in 8001\n"]
TEXT = [*'0123456789abcdef \n,:\\"x-[]', "\n\n", "80 01", "0x", "00000000: "]


def sources() -> dict[str, list[bytes]]:
    """Real bytes by what they are."""
    pairs = [json.loads(line) for line in (FIXTURES / "captures" / "tpm2-tools.jsonl").read_text().splitlines()]
    commands = sorted({bytes.fromhex(pair["command"]) for pair in pairs}, key=bytes.hex)
    responses = sorted({bytes.fromhex(pair["response"]) for pair in pairs}, key=bytes.hex)
    older = [bytes((0, 0xC1 + n % 6)) + message[2:] for n, message in enumerate(commands + responses)]
    structures = [
        message[10 + 4 * (n % 3) :] for n, message in enumerate(commands + responses) if len(message) > 30
    ]
    files = [
        path.read_bytes()[:3000] for path in sorted(FIXTURES.rglob("*")) if path.suffix in (".pem", ".pub", ".bin")
    ]
    return {"command": commands, "response": responses, "TPM 1.2": older, "structure": structures, "file": files}


def classify(message: bytes) -> str:
    """What a message is, by Part 1, §18 and Part 2, §6.5: independent of the readers."""
    tag, size, code = message[:2], int.from_bytes(message[2:6], "big"), int.from_bytes(message[6:10], "big")
    if len(message) < 10 or tag not in TAGS or size < len(message) or not 10 <= size <= 65536:
        return "nothing"
    if tag == TAGS[2]:
        return "response" if (size, code) == (10, 0x1E) else "nothing"
    if code == 0:
        return "response"
    if size > 10 or code in (TPM_CC.GetTestResult, TPM_CC.ReadClock) or code & 0x20000000:
        return "nothing" if code & 0xDFFF0000 else "command"
    return "response" if tag == TAGS[0] and code < 1 << 24 else "nothing"


def mutate(chance: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        place = min(chance.choice((chance.randint(0, 12), chance.randint(0, len(changed)))), len(changed))
        match chance.randrange(5):
            case 0 if place < len(changed):
                changed[place] ^= 1 << chance.randrange(8)
            case 1 if place < len(changed):
                changed[place] = chance.randrange(256)
            case 2:
                piece = chance.choice(PIECES)
                changed[place : place + chance.choice((0, len(piece)))] = piece
            case 3:
                del changed[place : place + chance.randint(1, 8)]
            case 4:
                del changed[place:]
    return bytes(changed)


def check(chance: random.Random, known: dict[str, list[bytes]]) -> int:
    """Prints, reads and checks one text; the number of messages that were explained."""
    text, pieces, changed, rows, row = "", [], False, b"", ("", "")
    for _ in range(chance.randint(1, 3)):
        kind = chance.choice(list(known))
        data = chance.choice(known[kind])[: chance.choice((40, 200, 3000))]
        if chance.random() < 0.7:
            data, changed = mutate(chance, data), True
        name = chance.choice(list(NOTATIONS))
        label = chance.choice(LABELS)
        # In a log, the next row with the same label continues a message that is cut off.
        rows, row = (rows if label and row == (label, name) else b"") + data, (label, name)
        pieces += [data, rows]
        text += label + NOTATIONS[name](data) + "\n" + chance.choice(BETWEEN[2:])
        changed |= kind in ("command", "response")
    edited = chance.random() < 0.3
    for _ in range(chance.randint(1, 6) if edited else 0):
        place = chance.randint(0, len(text))
        text = text[:place] + chance.choice(TEXT) + text[place + chance.randint(0, 3) :]
    exchanges: list[tuple[bytes, bytes]] = []
    with contextlib.suppress(InputError):
        exchanges.extend(open_recording(io.BytesIO(text.encode()), "the text"))
    found = [(kind, message) for pair in exchanges for kind, message in zip(KINDS, pair, strict=True) if message]
    for (kind, message), tree in zip(found, explain_stream(exchanges), strict=True):
        assert (tree.type, tree.octets) == (kind, message), text
        assert classify(message) == kind or message == READ_CLOCK, (
            f"{message.hex()} is explained as a {kind}:\n{text}"
        )
        if not edited:
            # od pads the last word with a zero.
            assert any(message in piece + b"\0" for piece in pieces), f"{message.hex()} is in no piece:\n{text}"
            assert changed, f"{message.hex()} is neither a command nor a response:\n{text}"
        if kind == "command" and not tree.error:
            assert parse_command(message).build() == message, text
    return len(found)


def main(cases: int = CASES, seed: int | None = None) -> int:
    seed = random.randrange(1 << 32) if seed is None else seed
    print(f"seed {seed}", flush=True)
    known, started, explained = sources(), time.monotonic(), 0
    for number in range(cases):
        try:
            explained += check(random.Random(seed + number), known)
        except BaseException:
            print(f"case {number}: python -m tests.fuzz.misread 1 {seed + number}", flush=True)
            raise
    print(f"{cases} cases, {explained} messages explained, {time.monotonic() - started:.0f} seconds")
    return explained


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
