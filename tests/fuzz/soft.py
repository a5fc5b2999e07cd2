"""Compares the soft TPM with swtpm over many random commands.

python -m tests.fuzz.soft [COMMANDS [SEED]]

Each seed gives new TPMs about a thousand commands; SEED is the first one. Prints each difference with its seed and
the commands before it. `python -m tests.fuzz.soft 1 SEED` repeats the commands of one seed. Differences that the
standard allows are in tests/support/soft_allowed.py.
"""

import contextlib
import random
import sys
import time
from collections import Counter

from tests.support.soft_pair import Pair
from tests.support.soft_pair_policies import PolicyPair
from tests.support.soft_pair_wide import WidePair
from tests.support.swtpm import Swtpm
from tpmwire.errors import TransportError
from tpmwire.soft import SoftTransport
from tpmwire.tpm import Tpm

KINDS = (Pair, WidePair, PolicyPair)
COMMANDS = 20_000
STEPS = 800
SHOWN, WIDTH = 40, 1000


def compare(seed: int, steps: int = STEPS) -> Pair:
    """Compares new TPMs, and returns the pair of a seed. `steps` is about the number of commands."""
    with Swtpm() as swtpm, Tpm.open(swtpm.path, 60) as real, Tpm(SoftTransport()) as soft:
        pair = KINDS[seed % len(KINDS)](seed, real, soft)
        if isinstance(pair, PolicyPair):
            pair.control = f"{swtpm.tcti.removeprefix('swtpm:path=')}.ctrl"
        with contextlib.suppress(TransportError):  # then it is one of the differences
            pair.run(steps)
    return pair


def main() -> int:
    """Compares until COMMANDS commands are done. Returns 1 if there are differences."""
    commands = int(sys.argv[1]) if sys.argv[1:] else COMMANDS
    first = seed = int(sys.argv[2]) if sys.argv[2:] else random.SystemRandom().randrange(1 << 32)
    count, differences, started = 0, 0, time.monotonic()
    kinds: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    while count < commands:
        pair = compare(seed)
        count += pair.count
        differences += len(pair.differences)
        for step in pair.history:
            kinds[type(step.command).__name__] += 1
            codes[type(step.command).__name__] += step.codes == (0, 0)
        if pair.differences:
            print(f"seed {seed}:", *(text[:WIDTH] for text in pair.differences), sep="\n  ", flush=True)
            last = int(pair.differences[0].split(":")[0])
            for number, step in enumerate(pair.history[max(0, last - SHOWN) : last], max(0, last - SHOWN) + 1):
                print(f"    {number} 0x{step.codes[0]:x} 0x{step.codes[1]:x} {step.command!r}", flush=True)
        seed += 1
        if not seed % 20:
            print(f"{count:,} commands, {differences} differences", flush=True)
    for name, number in sorted(kinds.items()):
        print(f"  {name:28} {number:7,} compared, {codes[name]:7,} accepted by both")
    seconds = time.monotonic() - started
    speed = f"{count / seconds:,.0f} commands/s"
    print(f"seeds {first} to {seed - 1}: {count:,} commands, {differences} differences; {speed}")
    return bool(differences)


if __name__ == "__main__":
    raise SystemExit(main())
