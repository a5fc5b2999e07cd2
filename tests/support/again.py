"""Plugin for pytest in CI: a test that failed is run once more, alone, after all others.

    python -m pytest -p tests.support.again

If each of them passes then, the run has passed, and its summary lists them under FLAKY. A test that needs
a second try shows a fault, of its own or of the product.
"""

import os
import platform
import subprocess
import sys

import pytest

MOST = 10
"""Failed tests that are tried again. More of them have a common cause."""


class Again:
    """What failed, and what passed at the second try."""

    def __init__(self) -> None:
        self.failed: dict[str, None] = {}
        self.flaky: list[str] = []
        self.collected = True

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.collected &= not report.failed

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed[report.nodeid] = None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        # Any other status is that of a run which was not finished.
        if exitstatus != pytest.ExitCode.TESTS_FAILED or not self.collected or not 0 < len(self.failed) <= MOST:
            return
        self.flaky = [test for test in self.failed if _passes(session, test)]
        if len(self.flaky) == len(self.failed):
            session.exitstatus = pytest.ExitCode.OK

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.flaky:
            terminalreporter.section("FLAKY")
        for test in self.flaky:
            terminalreporter.write_line(f"FLAKY {test} (Python {platform.python_version()})")


def _passes(session: pytest.Session, test: str) -> bool:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", test],
        check=False,
        cwd=session.config.rootpath,
        env={**os.environ, "PYTEST_ADDOPTS": ""},
        stdin=subprocess.DEVNULL,
    )
    return done.returncode == 0


def pytest_configure(config: pytest.Config) -> None:
    """Of xdist's processes, the one that sees all reports."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Again())
