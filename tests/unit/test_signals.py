"""What every program does around its work: signals that come together, and no core files."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_two_at_once_are_one_line() -> None:
    program = """
import os, signal
from cli.terminal.messages import guarded

def work():
    both = {signal.SIGHUP, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, both)
    for one in both:
        os.kill(os.getpid(), one)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, both)
    finally:
        for one in both:  # during the clean-up
            os.kill(os.getpid(), one)
        print("clean")
    return 0

raise SystemExit(guarded("program", work))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (129, "clean\n", "program: interrupted\n")


@pytest.mark.parametrize("hard", [resource.RLIM_INFINITY, 4096, 1, 0])
def test_no_core_file_and_no_core_handler(hard: int) -> None:
    """The limit is 1: for 0 the kernel still pipes the memory to a handler such as systemd-coredump (core(5))."""
    program = f"""
import contextlib, resource
from cli.terminal.messages import guarded

def work():
    print(resource.getrlimit(resource.RLIMIT_CORE))
    return 0

with contextlib.suppress(ValueError):  # where it is lower already
    resource.setrlimit(resource.RLIMIT_CORE, ({hard}, {hard}))
raise SystemExit(guarded("program", work))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=False, capture_output=True, text=True, timeout=60
    )
    limit = min(hard, 1) if hard != resource.RLIM_INFINITY else 1
    assert (done.stdout, done.stderr) == (f"({limit}, {limit})\n", "")
