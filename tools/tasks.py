"""Counts the keystrokes of docs/tasks.md, and runs its commands of tpm2-tools.

python tools/tasks.py          update the counts in docs/tasks.md
python tools/tasks.py --run    run the lines of tpm2-tools, each task on a new swtpm
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "tasks.md"
sys.path.insert(0, str(ROOT))

from tests.support.swtpm import Swtpm  # noqa: E402

__all__ = ["PAGE", "Task", "prepare", "read_tasks", "run_tools", "summary"]

_TASK = re.compile(
    r"^## (\d+)\. ([^\n]+)\n\n```text\n(.*?)```\n\n```sh\n(.*?)```\n\n"
    r"(?:Shorter:\n\n```sh\n(.*?)```\n\n)?([^\n]*)$",
    re.M | re.S,
)


class Task(NamedTuple):
    """A task: lines of `tpmwire shell`, lines of tpm2-tools, and the text with the counts on the page.

    `shorter` has abbreviated command lines of `tpmwire`, if the page has them.
    """

    number: int
    title: str
    lines: list[str]
    tools: list[str]
    shorter: list[str]
    counts: str

    @property
    def command_lines(self) -> list[str]:
        """The command lines of `tpmwire`: one that has all lines of the shell, or the abbreviated ones."""
        words = [shlex.join(shlex.split(line)).replace("'+'", "+") for line in self.lines]
        return self.shorter or [f"tpmwire {'' if words[0][0].isupper() else 'send '}{' + '.join(words)}"]

    @property
    def keystrokes(self) -> tuple[int, int, int]:
        """Keystrokes with Enter: in the shell, on the command line of `tpmwire`, of tpm2-tools."""
        return _count(self.lines), _count(self.command_lines), _count(self.tools)

    @property
    def true_counts(self) -> str:
        """The text with the counts that the page must have."""
        return "Keystrokes: {} in the shell, {} on the command line, {} with tpm2-tools.".format(*self.keystrokes)


def _count(lines: list[str]) -> int:
    return sum(len(line) + 1 for line in lines)


def read_tasks(page: str) -> list[Task]:
    """Returns the tasks of the page."""
    found = _TASK.findall(page)
    return [
        Task(int(number), title, ours.splitlines(), tools.splitlines(), shorter.splitlines(), counts)
        for number, title, ours, tools, shorter, counts in found
    ]


def summary(tasks: list[Task]) -> str:
    """Returns the sentence with the sums."""
    shell, send, tools = (sum(column) for column in zip(*(task.keystrokes for task in tasks), strict=True))
    fewer = sum(task.keystrokes[1] <= task.keystrokes[2] for task in tasks)
    return (
        f"All {len(tasks)} tasks: {shell} keystrokes in the shell, {send} on the command line, {tools} with "
        f"tpm2-tools. In the shell, no task needs more than with tpm2-tools. "
        f"The command line needs no more in {fewer} tasks."
    )


def prepare(directory: Path) -> None:
    """Writes the files that the tasks name."""
    for name, data in (("m", b"hello"), ("s", b"secret"), ("pw", b"pw")):
        (directory / name).write_bytes(data)
        (directory / name).chmod(0o600)
    commands = "ecparam -name prime256v1 -genkey -noout -out k.pem", "ec -in k.pem -pubout -out k.pub.pem"
    for command in commands:
        subprocess.run(["openssl", *command.split()], cwd=directory, check=True, capture_output=True)


def run_tools(task: Task) -> str:
    """Runs the lines of tpm2-tools on a new swtpm, and returns the errors, or ""."""
    # tpm2-tools leave objects in the TPM, which has room for three.
    lines = [f"{line} && tpm2_flushcontext -t" for line in task.tools]
    with tempfile.TemporaryDirectory() as name, Swtpm() as swtpm:
        prepare(Path(name))
        done = subprocess.run(
            ["bash", "-e", "-c", "\n".join([*lines, ""])],
            cwd=name,
            env=os.environ | {"TPM2TOOLS_TCTI": swtpm.tcti},
            capture_output=True,
            text=True,
            check=False,
        )
    return done.stderr if done.returncode else ""


def main() -> int:
    """Updates the page, or runs the lines of tpm2-tools."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", action="store_true")
    args = parser.parse_args()
    page = PAGE.read_text()
    tasks = read_tasks(page)
    if args.run:
        failed = [(task.number, errors) for task in tasks if (errors := run_tools(task))]
        for number, errors in failed:
            print(number, errors)
        return len(failed)
    for task in tasks:
        head = f"## {task.number}. {task.title}\n"
        before, found, rest = page.partition(head)
        page = before + found + rest.replace(task.counts, task.true_counts, 1)
    PAGE.write_text(re.sub(r"^All \d+ tasks: .*$", lambda _: summary(tasks), page, flags=re.M))
    print(summary(tasks))
    return 0


if __name__ == "__main__":
    sys.exit(main())
