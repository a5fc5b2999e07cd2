"""Signals that come together, as when a terminal closes or systemd ends a service."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_two_at_once_are_one_line() -> None:
    program = """
import os, signal
from cli.messages import guarded

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
