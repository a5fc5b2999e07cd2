"""What every test begins with, whoever started the run."""

import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import settings

import cli.terminal.messages

# No deadline: how long an example takes says more about the machine's other work than about ours.
settings.register_profile("test", deadline=None)
settings.register_profile("fuzz", deadline=None, max_examples=1_000)


def pytest_configure() -> None:
    """Sets up what programs that tests start inherit, and how hard hypothesis looks.

    `aws` and others that pip installed are those beside this Python, whatever else the machine's PATH has. Signals
    are as from a terminal, even if nohup or a shell had some ignored. HYPOTHESIS_PROFILE is fuzz in `make fuzz`.
    """
    os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "test"))


@pytest.fixture(autouse=True)
def _own_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A verb that is run in this process leaves its limits alone, which all later tests would inherit."""
    monkeypatch.setattr(cli.terminal.messages, "protect_memory", lambda: None)
