"""Parsing recorded traffic: tpmwire, tpmstream and tpm2-pytss side by side, per second of CPU.

A structure is a command or a response against tpmstream, which reads whole messages, and a structure inside one
against tpm2-pytss, which reads only those: through its Python classes, which call the C library.

python -m tests.bench.parse [CAPTURES.jsonl]
"""

import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from tests.differential.jobs import CAPTURES, DEBIAN, answers, jobs, pairs, parser
from tests.differential.theirs import tpmstream_events
from tpmwire.wire import parse_command, parse_response

ROUNDS = 5


def best(work: Callable[[], None], repeat: int) -> float:
    """Returns the CPU seconds for one turn of the work, in the best of some rounds."""
    times = []
    for _ in range(ROUNDS):
        start = time.thread_time()
        for _ in range(repeat):
            work()
        times.append((time.thread_time() - start) / repeat)
    return min(times)


def main() -> int:
    """Prints the table."""
    talk = pairs(Path(sys.argv[1]) if sys.argv[1:] else CAPTURES)
    # tpmstream ends at a vendor's command; for a fair count neither reads it.
    talk = [pair for pair in talk if not pair[0][6] & 0x20]

    def ours() -> None:
        for command, response in talk:
            parse_command(command)
            parse_response(response, command)

    def theirs_too() -> None:
        for command, response in talk:
            deque(tpmstream_events(command, response), maxlen=0)

    ours()
    mine, theirs = 2 * len(talk) / best(ours, 10), 2 * len(talk) / best(theirs_too, 1)
    print(f"parsing {len(talk)} recorded commands and their responses, messages per second of CPU")
    print(f"  tpmwire       {mine:10,.0f}")
    print(f"  tpmstream     {theirs:10,.0f}   tpmwire is {mine / theirs:.0f} times as fast")
    if subprocess.run([DEBIAN, "-c", "import tpm2_pytss"], capture_output=True, check=False).returncode:
        print(f"  tpm2-pytss: {DEBIAN} has none (Debian package python3-tpm2-pytss)")
        return 0
    every = list(jobs(talk))
    known = [
        job
        for job, answer in zip(every, answers(every), strict=True)
        if answer and answer.get("class") and not job.type.startswith("TPMA")
    ]
    readers = [(parser(job.type), job.octets) for job in known]

    def structures() -> None:
        for parse, octets in readers:
            parse(octets)

    structures()
    mine = len(known) / best(structures, 20)
    theirs = len(known) * 20 / min(answers(known, "--bench", "20")[0] for _ in range(ROUNDS))
    print(f"parsing {len(known)} different structures inside them, structures per second of CPU")
    print(f"  tpmwire       {mine:10,.0f}")
    print(f"  tpm2-pytss    {theirs:10,.0f}   C, through its Python classes: {theirs / mine:.1f} times as fast")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
