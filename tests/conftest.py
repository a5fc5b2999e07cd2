"""What every test begins with, whoever started the run."""

import signal

import pytest

import cli.messages


def pytest_configure() -> None:
    """Programs that tests start get signals as from a terminal, also where nohup or a shell had some ignored."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _own_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A verb that is run in this process leaves its limits alone, which all later tests would inherit."""
    monkeypatch.setattr(cli.messages, "protect_memory", lambda: None)
