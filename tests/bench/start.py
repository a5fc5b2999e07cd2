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
CONSTRUCT = "python -c 'import construct'"
# What no run of ours can do without: construct's import, and for a cold one a TLS handshake with the same server.
HANDSHAKE = """
import construct, socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as plain:
    context.wrap_socket(plain, server_hostname="127.0.0.1")
"""
TLS = "python: construct, a TLS handshake"
# Our runs, what each is compared with, and how many times that it is to take at most.
WANTED = {
    "handle, warm cache, in clear": (CONSTRUCT, 1.6),
    "handle, warm cache": (CONSTRUCT, 1.6),
    "file, warm cache, in clear": (CONSTRUCT, 1.6),
    "file, warm cache": (CONSTRUCT, 1.6),
    "handle, TLS, in clear": (TLS, 2.0),
    "handle, TLS": (TLS, 2.0),
}


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
        secure = sts.tls_endpoint()
        tls = [*ours[:-1], f"--endpoint-url={secure}"]
        (home / "ca.pem").write_bytes(sts.authority().bundle.read_bytes())
        cases = {
            BASE: [sys.executable, "-I", "-c", "pass"],
            CONSTRUCT: [sys.executable, "-c", "import construct"],
            TLS: [sys.executable, "-c", HANDSHAKE, secure.rpartition(":")[2], f"{home}/ca.pem"],
            "handle, in clear": [*ours, handle, clear],
            "handle": [*ours, handle],
            "handle, TLS, in clear": [*tls, handle, clear],
            "handle, TLS": [*tls, handle],
            "handle, password": [
                *ours,
                f"--persistentHandle={keys.PASSWORD_HANDLE:#x}",
                f"--keyPass={keys.PASSWORD}",
            ],
            "file, in clear": [*ours, file, clear],
            "file": [*ours, file],
            "handle, warm cache, in clear": [*ours, handle, clear, "--cache"],
            "handle, warm cache": [*ours, handle, "--cache"],
            "file, warm cache, in clear": [*ours, file, clear, "--cache"],
            "file, warm cache": [*ours, file, "--cache"],
            OTHER: [sys.executable, "-c", BOTO],
        }
        measured = _measured(cases, box.environment(XDG_RUNTIME_DIR=str(home), AWS_CA_BUNDLE=f"{home}/ca.pem"))
    _print(measured)


Figures = dict[str, list[tuple[float, ...]]]


def _measured(cases: dict[str, list[str]], environment: dict[str, str]) -> Figures:
    """Wall ms, CPU ms and MiB of each turn, by case."""
    runner = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", RUNNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert runner.stdin is not None
    assert runner.stdout is not None
    figures: Figures = {name: [] for name in cases}
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
    return figures


def _print(figures: Figures) -> None:
    measured = {name: [median(column) for column in zip(*rows, strict=True)] for name, rows in figures.items()}
    print(f"whole processes, medians of {RUNS} runs, Python {sys.version.split()[0]}")
    print(f"{'':44}{'wall ms':>9}{'CPU ms':>9}{'MiB':>7}{'x python':>10}{'x boto3':>9}")
    for name, (wall, cpu, memory) in measured.items():
        python, boto = wall / measured[BASE][0], wall / measured[OTHER][0]
        label = name if name.startswith("python") else f"{CREDENTIAL_PROCESS.removeprefix('aws-')}: {name}"
        print(f"{label:44}{wall:9.1f}{cpu:9.1f}{memory:7.1f}{python:10.2f}{boto:9.2f}")
    for name, (base, most) in WANTED.items():
        # Turn by turn, so that what else the machine does falls on both.
        pairs = zip(figures[name], figures[base], strict=True)
        times = median(ours[0] / theirs[0] for ours, theirs in pairs)
        verdict = "" if times <= most else ": NOT reached"
        print(f"{name}: {times:.2f} times '{base}' (wanted: at most {most}){verdict}")
    print("the Go program, measured elsewhere, on another machine:")
    for name, (wall, cpu, memory) in GO.items():
        print(f"{name:44}{wall:9.1f}{cpu:9.1f}{memory:7.1f}")


if __name__ == "__main__":
    main()
