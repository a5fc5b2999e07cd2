"""Whole processes, measured in turn, so that the machine's other work falls on all alike."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["Command", "Usage", "measure"]

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
    code = os.waitstatus_to_exitcode(status)
    print(code, 1000 * wall, 1000 * (used.ru_utime + used.ru_stime), used.ru_maxrss / 1024, flush=True)
"""


class Command(NamedTuple):
    """A program to measure, its environment, and its exit code."""

    argv: list[str]
    environment: Mapping[str, str]
    code: int = 0


class Usage(NamedTuple):
    """What one process used."""

    wall: float  # ms
    cpu: float  # ms, user and system
    memory: float  # MiB at most


def measure(commands: Mapping[str, Command], runs: int) -> dict[str, list[Usage]]:
    """Runs each command `runs` times, in turn, after one run that fills the caches.

    Raises SystemExit if a command ends with another exit code.
    """
    figures: dict[str, list[Usage]] = {name: [] for name in commands}
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", RUNNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as runner:
        assert runner.stdin is not None
        assert runner.stdout is not None
        for turn in range(runs + 1):
            for name, command in commands.items():
                runner.stdin.write(json.dumps([command.argv, dict(command.environment)]) + "\n")
                runner.stdin.flush()
                code, *used = map(float, runner.stdout.readline().split())
                if code != command.code:
                    _fail(name, command, code)
                if turn:
                    figures[name].append(Usage(*used))
        runner.stdin.close()
    return figures


def _fail(name: str, command: Command, code: float) -> None:
    again = subprocess.run(command.argv, env=command.environment, check=False, capture_output=True, text=True)
    raise SystemExit(
        f"{name}: {shlex.join(command.argv)}: exit {code:.0f}, expected {command.code}; run again: "
        f"exit {again.returncode}{os.linesep}{again.stderr}"
    )
