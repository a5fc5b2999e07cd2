"""What a whole run costs: `python -m tests.bench.start`. BENCH_RUNS says how often (default 21).

Wall time, CPU time and peak memory of processes, run in turn so that the machine's other work falls on all alike;
medians. The TPM is swtpm, the STS is moto with authentication on, over http: their answers are in the wall time.
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from tests.support import keys
from tests.support.programs import CREDENTIAL_PROCESS, machine
from tests.support.sts import VerifyingSts

RUNS = int(os.environ.get("BENCH_RUNS", "21"))

# A process's peak memory starts at that of the process it is forked from: so from a small one.
RUNNER = """
import json, os, sys, time
null = os.open(os.devnull, os.O_RDWR)
for line in sys.stdin:
    argv, environment = json.loads(line)
    started = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, environment, file_actions=[(os.POSIX_SPAWN_DUP2, null, n) for n in (0, 1)])
    _, status, used = os.wait4(pid, 0)
    wall = time.perf_counter() - started
    print(status, 1000 * wall, 1000 * (used.ru_utime + used.ru_stime), used.ru_maxrss / 1024, flush=True)
"""

# Of the Go program aws-tpm-process-credential, commit 497f983, on swtpm 0.7.1, a machine of 2 cores, medians: wall
# ms, CPU ms, MiB. Measured elsewhere: the machine is another one, so only the order of magnitude says something.
GO = {
    "handle, this STS (moto)": (26, 18, 11.6),
    "handle, a local STS under TLS": (21, 19, 11.7),
    "file": (22, 20, 11.7),
    "handle, --tpm-session-encrypt-with-name": (211, 21, 11.8),
}

BOTO = (
    "import boto3; boto3.client('sts', region_name='us-east-1', aws_access_key_id='x', aws_secret_access_key='x')"
)
BASE, OTHER = "python -I -c pass", "python: boto3.client('sts'), nothing sent"


def main() -> None:
    """Prints the table."""
    with ExitStack() as stack:
        sts = stack.enter_context(VerifyingSts())
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        box = stack.enter_context(machine(home, sts.secret_access_key))
        ours = [
            str(box.bin / CREDENTIAL_PROCESS),
            f"--tpm-path={box.swtpm.path}",
            f"--aws-access-key-id={sts.access_key_id}",
            f"--endpoint-url={sts.endpoint}",
        ]
        handle, file = f"--persistentHandle={keys.PLAIN_HANDLE:#x}", f"--credential-file={home}/plain.pem"
        clear = "--no-session-encryption"
        cases = {
            BASE: [sys.executable, "-I", "-c", "pass"],
            "python -c 'import construct'": [sys.executable, "-c", "import construct"],
            "handle, in clear": [*ours, handle, clear],
            "handle": [*ours, handle],
            "handle, password": [
                *ours,
                f"--persistentHandle={keys.PASSWORD_HANDLE:#x}",
                f"--keyPass={keys.PASSWORD}",
            ],
            "file, in clear": [*ours, file, clear],
            "file": [*ours, file],
            "handle, warm cache, in clear": [*ours, handle, clear, "--cache"],
            "handle, warm cache": [*ours, handle, "--cache"],
            OTHER: [sys.executable, "-c", BOTO],
        }
        measured = _measured(cases, box.environment(XDG_RUNTIME_DIR=str(home)))
    _print(measured)


def _measured(cases: dict[str, list[str]], environment: dict[str, str]) -> dict[str, tuple[float, float, float]]:
    runner = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", RUNNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert runner.stdin is not None
    assert runner.stdout is not None
    figures: dict[str, list[tuple[float, ...]]] = {name: [] for name in cases}
    for turn in range(RUNS + 1):
        for name, argv in cases.items():
            runner.stdin.write(json.dumps([argv, environment]) + "\n")
            runner.stdin.flush()
            status, *rest = map(float, runner.stdout.readline().split())
            if status:
                raise SystemExit(f"start: {shlex.join(argv)} failed (wait status {status:.0f})")
            if turn:  # the first fills the caches
                figures[name].append(tuple(rest))
    runner.stdin.close()
    runner.wait()
    return {
        name: (median(row[0] for row in rows), median(row[1] for row in rows), median(row[2] for row in rows))
        for name, rows in figures.items()
    }


def _print(measured: dict[str, tuple[float, float, float]]) -> None:
    print(f"whole processes, medians of {RUNS} runs, Python {sys.version.split()[0]}")
    print(f"{'':44}{'wall ms':>9}{'CPU ms':>9}{'MiB':>7}{'x python':>10}{'x boto3':>9}")
    for name, (wall, cpu, memory) in measured.items():
        python, boto = wall / measured[BASE][0], wall / measured[OTHER][0]
        label = name if name.startswith("python") else f"{CREDENTIAL_PROCESS.removeprefix('aws-')}: {name}"
        print(f"{label:44}{wall:9.1f}{cpu:9.1f}{memory:7.1f}{python:10.2f}{boto:9.2f}")
    warm = measured["handle, warm cache"][0] / measured["python -c 'import construct'"][0]
    print(f"a warm run takes {warm:.2f} times python -c 'import construct' (wanted: at most 1.6)")
    print("the Go program, measured elsewhere, on another machine:")
    for name, (wall, cpu, memory) in GO.items():
        print(f"{name:44}{wall:9.1f}{cpu:9.1f}{memory:7.1f}")


if __name__ == "__main__":
    main()
