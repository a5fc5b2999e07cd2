"""What every test begins with, whoever started the run."""

import signal


def pytest_configure() -> None:
    """Programs that tests start get SIGHUP as from a terminal; under nohup it would be ignored for all of them."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
