"""What every test begins with, whoever started the run."""

import os
import resource
import signal
import sys
from pathlib import Path

import pytest

import cli.messages


def pytest_configure() -> None:
    """Sets up what programs that tests start inherit.

    `aws` and others that pip installed are those beside this Python, whatever else the machine's PATH has. Signals
    are as from a terminal, even if nohup or a shell had some ignored.
    """
    os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    resource.setrlimit = _without_core
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _own_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A verb that is run in this process leaves its limits alone, which all later tests would inherit."""
    monkeypatch.setattr(cli.messages, "protect_memory", lambda: None)


_setrlimit = resource.setrlimit


def _without_core(which: int, limits: tuple[int, int]) -> None:
    """A program that runs inside the test process sets no limit there that later tests could not raise again."""
    if which != resource.RLIMIT_CORE:
        _setrlimit(which, limits)
