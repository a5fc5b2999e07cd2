"""Settings of every test run, and the fixtures that tests of several folders share."""

import io
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import cli.terminal.messages
from cli.toolbox import main
from tests.support.interposer import Interposer
from tests.support.programs import left_behind
from tests.support.swtpm import Swtpm
from tests.support.verbs import Ran, Tool

# No deadline: how long an example takes says more about the machine's other work than about ours.
settings.register_profile("test", deadline=None)
settings.register_profile("fuzz", deadline=None, max_examples=1_000)


def pytest_configure(config: pytest.Config) -> None:
    """Sets up what programs that tests start inherit, and how hard hypothesis looks.

    `aws` and others that pip installed are those beside this Python, whatever else the machine's PATH has. Signals
    are as from a terminal, even if nohup or a shell had some ignored. AWS and TPM settings of this machine do not
    count. HYPOTHESIS_PROFILE is fuzz in `make fuzz`.
    """
    os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in [name for name in os.environ if name.startswith(("AWS_", "TPMWIRE_", "TPM2TOOLS_"))]:
        del os.environ[name]
    config.addinivalue_line("markers", "box(secret): the secret access key in the TPM of the fixture box")
    config.addinivalue_line("markers", "open_tpm: the module keeps its TPM open, where no other client can look")
    config.addinivalue_line("markers", "swtpm(kind, state=None): the TPM of the fixtures swtpm and shared_swtpm")
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "test"))


@pytest.fixture(autouse=True)
def _own_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A verb that is run in this process leaves its limits alone, which all later tests would inherit."""
    monkeypatch.setattr(cli.terminal.messages, "protect_memory", lambda: None)


@pytest.fixture
def tool(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Tool:
    """Runs a verb in this process: `tool("list", "--tpm-path", path, stdin=b"…")`."""

    def run(*arguments: str | Path, stdin: bytes = b"") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        return Ran(code, *capfd.readouterr())

    return run


@pytest.fixture
def without_tpm(tool: Tool) -> Tool:
    """Runs a verb that uses a key, on a machine without a TPM."""
    return lambda *arguments: tool(*arguments, "--aws-access-key-id=AKIAMADEUP", "--tpm-path=/nonexistent")


def _swtpm_of(request: pytest.FixtureRequest) -> Swtpm:
    """Returns the TPM that the mark `swtpm` describes, or one parameter that is its kind; not yet started."""
    marker = request.node.get_closest_marker("swtpm") or pytest.mark.swtpm().mark
    arguments = (request.param,) if hasattr(request, "param") else marker.args
    return Swtpm(*arguments, **marker.kwargs)


@pytest.fixture
def swtpm(request: pytest.FixtureRequest) -> Iterator[Swtpm]:
    """A new TPM for each test. `pytestmark = pytest.mark.swtpm("tcp")` sets the arguments of `Swtpm`."""
    with _swtpm_of(request) as running:
        yield running
        assert left_behind(running.path) == []


@pytest.fixture(scope="module")
def shared_swtpm(request: pytest.FixtureRequest) -> Iterator[Swtpm]:
    """One TPM for all tests of a module, with the same mark as `swtpm`."""
    with _swtpm_of(request) as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Checks after each test that no running TPM holds transient objects or sessions; resets the relays."""
    relays = [(relay, relay.on_response, relay.on_command, relay.on_forward) for relay in Interposer.running]
    yield
    for relay, *hooks in relays:
        relay.clear()
        relay.on_response, relay.on_command, relay.on_forward = hooks
    for swtpm in Swtpm.running if request.node.get_closest_marker("open_tpm") is None else ():
        assert left_behind(swtpm.path) == []
