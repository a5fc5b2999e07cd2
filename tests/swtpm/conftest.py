"""Fixtures that tests with a TPM share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.bench import Bench
from tests.support.bench import bench as made_bench
from tests.support.swtpm import Swtpm
from tests.support.verbs import Ran, Tool
from tpmwire.tpm import Tpm


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A TPM with keys, behind a relay that records what goes by."""
    with made_bench(tmp_path_factory.mktemp("keys")) as made:
        yield made


@pytest.fixture
def tpm(shared_swtpm: Swtpm) -> Iterator[Tpm]:
    """The module's TPM, open for one test."""
    with Tpm.open(shared_swtpm.path, 20) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`tpmwire send --save` writes nothing into the home of the user who runs the tests."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def send(swtpm: Swtpm, tool: Tool) -> Tool:
    """Runs `tpmwire send` on a TPM of the test's own."""

    def run(*arguments: str | Path, stdin: bytes = b"") -> Ran:
        return tool("send", "--tpm-path", swtpm.path, *arguments, stdin=stdin)

    return run
