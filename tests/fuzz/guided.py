"""Coverage-guided fuzzing of every reader with atheris, where it is installed (PyPI; it has wheels for Linux).

python -m tests.fuzz.guided [TARGET...]

FUZZ_SECONDS is how long each runs (60). A case that fails is kept as crash-... in the working directory;
`python -m tests.fuzz.guided TARGET FILE` repeats it.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SECONDS = int(os.environ.get("FUZZ_SECONDS", "60"))
MEMORY = 1024
"""MiB that the process may take in all; libFuzzer ends it above."""

NAMES = ("command", "response", "key-pem", "key-der", "xml", "aws-config")


def guided(name: str, options: list[str]) -> None:
    """Runs one reader under atheris in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=["tpmwire", "sigv4", "construct"]):
        from tests.fuzz.targets import TARGETS

    target = TARGETS[name]
    atheris.Setup([sys.argv[0], *options], lambda data: target.read(target.fitted(data)))
    atheris.Fuzz()


def main() -> int:
    """Runs each reader in a process of its own; the first failure's exit code."""
    if importlib.util.find_spec("atheris") is None:
        print("fuzz: atheris is not installed here, so no coverage-guided cases: pip install atheris")
        return 0
    if sys.argv[1:2] == ["--run"]:
        guided(sys.argv[2], sys.argv[3:])
        return 0
    from tests.fuzz.targets import TARGETS

    given = sys.argv[1:]
    names = [name for name in given if name in NAMES] or list(NAMES)
    files = [name for name in given if name not in NAMES]
    for name in names:
        with tempfile.TemporaryDirectory(prefix="tpmwire-corpus-") as corpus:
            for number, seed in enumerate(TARGETS[name].seeds):
                Path(corpus, str(number)).write_bytes(seed)
            options = files or [f"-max_total_time={SECONDS}", "-print_final_stats=1", corpus]
            options += ["-max_len=4096", "-timeout=10", f"-rss_limit_mb={MEMORY}", "-verbosity=0"]
            command = [sys.executable, "-m", "tests.fuzz.guided", "--run", name, *options]
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        stats = dict(line[6:].split(":", 1) for line in done.stderr.splitlines() if line.startswith("stat::"))
        if done.returncode:
            print(done.stderr[-6000:], file=sys.stderr)
            print(f"fuzz: {name} failed", file=sys.stderr)
            return done.returncode
        units, peak = (stats.get(key, "?").strip() for key in ("number_of_executed_units", "peak_rss_mb"))
        print(f"  {name:12} {units} cases in {SECONDS} s, guided by coverage; at most {peak} MiB", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
