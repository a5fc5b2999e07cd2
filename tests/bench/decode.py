"""`tpmwire decode` of network captures: messages per second and peak memory, for each form of output.

One capture has two short commands again and again. The other one has the recorded commands of tpm2-tools, which
are longer. Start-up is not counted: it is the time for the shortest capture.

python -m tests.bench.decode [MESSAGES]
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import dpkt

from tests.differential.jobs import CAPTURES, pairs
from tests.support.captures import FROM, TO, frame

MESSAGES = 20_000
OUTPUTS = (["--format=text"], ["--format=jsonl"], ["--json"], ["--html", "page.html"])
SHORT = [
    ("80010000000c0000017b0010", "80010000001c00000000001000112233445566778899aabbccddeeff"),
    ("8001000000160000017a000000060000010000000001", "80010000001b0000000001000000060000000100000100322e3000"),
]

CHILD = """
import os, resource, subprocess, sys
with open(os.devnull, "wb") as nothing:
    subprocess.run(sys.argv[1:], stdout=nothing, check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""


def write_capture(path: Path, talk: list[tuple[bytes, bytes]], count: int) -> None:
    """Writes a capture of `count` messages."""

    def frames() -> Iterable[bytes]:
        places = [1, 1]
        for number in range(count // 2):
            for end, octets in enumerate(talk[number % len(talk)]):
                yield frame((TO, FROM)[end], places[end], 0x18, octets, places[1 - end])
                places[end] += len(octets)

    with path.open("wb") as file:
        writer = dpkt.pcap.Writer(file)
        for number, octets in enumerate(frames()):
            writer.writepkt(octets, ts=number)


def measured(path: Path, output: list[str]) -> tuple[float, float]:
    """The CPU time in seconds and the peak memory in MiB of a run."""
    words = [sys.executable, "-m", "cli.toolbox", "decode", *output[:1]]
    words += [str(path.parent / word) for word in output[1:]] + [str(path)]
    done = subprocess.run([sys.executable, "-c", CHILD, *words], check=True, stdout=subprocess.PIPE)
    seconds, memory = map(float, done.stdout.split())
    return seconds, memory


def main() -> int:
    """Prints the table."""
    count = int(sys.argv[1]) if sys.argv[1:] else MESSAGES
    talks = {
        "short commands": [(bytes.fromhex(command), bytes.fromhex(response)) for command, response in SHORT],
        "tpm2-tools": [pair for pair in pairs(CAPTURES) if pair[1] and len(pair[0]) >= 10],
    }
    print(f"tpmwire decode of {count} messages{'messages/s':>23}{'MiB':>8}{'MiB for 2':>11}")
    with tempfile.TemporaryDirectory() as place:
        for name, talk in talks.items():
            long, short = Path(place, "long.pcap"), Path(place, "short.pcap")
            write_capture(long, talk, count)
            write_capture(short, talk, 2)
            for output in OUTPUTS:
                (least, floor), (seconds, peak) = measured(short, output), measured(long, output)
                print(f"{name:16}{output[0]:36}{(count - 2) / (seconds - least):10.0f}{peak:8.1f}{floor:11.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
