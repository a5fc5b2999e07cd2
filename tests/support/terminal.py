"""Verbs at a terminal of their own, where they prompt."""

import os
import pty
import select
import sys
import time

from tests.support.verbs import PROGRAM

__all__ = ["at_a_terminal"]


def at_a_terminal(words: list[str], answers: list[bytes], *prompts: bytes) -> tuple[int, str]:
    """Runs a verb at a terminal and answers its prompts; returns its exit code and all that it showed.

    `prompts` are how prompts end, by default that of a secret.
    """
    prompts = prompts or (b"(not shown): ",)
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [*PROGRAM, *words])
    shown, left, deadline = b"", list(answers), time.monotonic() + 150
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            shown += os.read(terminal, 4096)
        except OSError:
            break  # the program has ended
        # Each prompt ends so; what is typed before a prompt would be thrown away.
        while left and sum(map(shown.count, prompts)) > len(answers) - len(left):
            os.write(terminal, left.pop(0) + b"\n")
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode()
