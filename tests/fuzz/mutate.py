"""Many cases, fast: known octets with some changed, cut, put in or spliced, given to every reader.

python -m tests.fuzz.mutate [CASES [SEED [TARGET...]]]

Says its seed first, and the case where one fails; the same seed gives the same cases again.
"""

import random
import resource
import sys
import time

from tests.fuzz.targets import TARGETS, Target

CASES = 60_000
MEMORY = 64 << 10
"""KiB that a million cases may add to the process: room for the readers' tables, none for a leak."""

PIECES = [b"\0", b"\xff", b"\0\0", b"\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0"]


def case(chance: random.Random, target: Target) -> bytes:
    """Octets near those of a seed; a message's own size is mostly true."""
    data = bytearray(chance.choice(target.seeds))
    for _ in range(chance.randint(1, 4)):
        place = chance.randint(0, len(data))
        match chance.randrange(7):
            case 0 if place < len(data):
                data[place] ^= 1 << chance.randrange(8)
            case 1 if place < len(data):
                data[place] = chance.randrange(256)
            case 2:
                piece = chance.choice(PIECES)
                data[place : place + len(piece)] = piece
            case 3:
                data[place:place] = chance.randbytes(chance.randint(1, 8))
            case 4:
                del data[place : place + chance.randint(1, 8)]
            case 5:
                data[place:place] = data[place : place + 40]
            case _:
                other = chance.choice(target.seeds)
                data[place:] = other[chance.randint(0, len(other)) :]
    return target.fitted(bytes(data)) if chance.randrange(8) else bytes(data)


def run(name: str, cases: int, seed: int) -> float:
    """Gives one reader its cases; seconds for them. Says which case it was, and raises what the reader raised."""
    target, chance = TARGETS[name], random.Random(f"{seed} {name}")
    start = time.perf_counter()
    for number in range(cases):
        data = case(chance, target)
        try:
            target.read(data)
        except BaseException:
            print(f"fuzz: {name}, seed {seed}, case {number}: {data.hex()}", file=sys.stderr)
            raise
    return time.perf_counter() - start


def main() -> int:
    """Runs every reader, or those that are named."""
    cases = int(sys.argv[1]) if sys.argv[1:] else CASES
    seed = int(sys.argv[2]) if sys.argv[2:] else random.SystemRandom().randrange(1 << 32)
    names = sys.argv[3:] or list(TARGETS)
    print(f"seed {seed}; {cases} cases for each of {', '.join(names)}", flush=True)
    for name in names:
        for data in TARGETS[name].seeds:
            TARGETS[name].read(data)
        run(name, min(cases, 2000), seed + 1)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        seconds = run(name, cases, seed)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(f"  {name:12} {cases} cases, {cases / seconds:,.0f} a second, {grown} KiB more memory", flush=True)
        if grown > MEMORY:
            print(f"fuzz: {name} took {grown} KiB more, over {MEMORY}", file=sys.stderr)
            return 1
    print(f"{cases * len(names)} cases, nothing but values and documented errors")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
