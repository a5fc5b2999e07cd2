"""docs/tasks.md: every line for the shell runs on the soft TPM, and the counts of keystrokes are right."""

import shlex
from pathlib import Path

import pytest

from cli.inspect.script import Script
from tests.support.verbs import Tool
from tools.tasks import PAGE, Task, prepare, read_tasks, run_tools, summary
from tpmwire import Tpm
from tpmwire.soft import SoftTransport

TASKS = read_tasks(PAGE.read_text())


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tasks")
    prepare(directory)
    return directory


@pytest.mark.parametrize("task", TASKS, ids=lambda task: str(task.number))
def test_the_lines_run_and_need_no_more_keystrokes_than_tpm2_tools(
    task: Task, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files)
    with Tpm(SoftTransport(seed=b"tasks")) as tpm, Script(tpm) as script:
        for line in task.lines:
            result = script.run(line)
            assert (result.code, line, result.text[-300:] if result.code else "") == (0, line, "")
    assert task.keystrokes[0] <= task.keystrokes[2]
    assert task.keystrokes[1] <= task.keystrokes[2] or task.number in (5, 6, 50)  # as the page says
    assert task.counts == task.true_counts


@pytest.mark.parametrize(
    "task", [task for task in TASKS if task.shorter or task.number in (10, 31)], ids=lambda task: str(task.number)
)
def test_the_command_lines_run(task: Task, files: Path, tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    monkeypatch.setenv("TPMWIRE_TPM_PATH", f"soft:{files}/{task.number}.tpm")
    for line in task.command_lines:
        ran = tool(*shlex.split(line)[1:])
        assert (ran.code, line, ran.err if ran.code else "") == (0, line, "")


@pytest.mark.parametrize("number", [1, 14, 35, 40])
def test_the_commands_of_tpm2_tools_run(number: int) -> None:
    """All of them take half a minute: python tools/tasks.py --run."""
    assert run_tools(TASKS[number - 1]) == ""


def test_there_are_fifty_tasks_and_the_sums_are_right() -> None:
    assert [task.number for task in TASKS] == list(range(1, 51))
    assert summary(TASKS) in PAGE.read_text()
