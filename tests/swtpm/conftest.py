"""Fixtures that tests with a TPM share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.bench import Bench
from tests.support.bench import bench as made_bench
from tests.support.swtpm import SOFT, Swtpm
from tests.support.verbs import Ran, Tool
from tpmwire.keys import templates
from tpmwire.primary import create_primary
from tpmwire.sessions import Password
from tpmwire.spec.commands.context import EvictControl
from tpmwire.spec.constants import TPM_RH
from tpmwire.spec.structures import TPMT_PUBLIC
from tpmwire.tpm import Tpm
from tpmwire.use import parents

VENDOR = "expects swtpm's manufacturer, and its number of commands"
CAMELLIA = "needs Camellia, which the soft TPM does not have"
NOT_FOR_SOFT = {
    "test_doctor_chip.py::test_a_new_tpm_has_no_fault": VENDOR,
    "test_info_verb.py::test_info": VENDOR,
    "test_info_verb.py::test_info_follows_lockout_and_passwords": VENDOR,
    "test_library_page.py::test_the_page_runs": VENDOR,
    "test_import_verb_sigv4a.py::test_nothing_secret_crosses_the_bus_in_these_commands": (
        "expects TPM_RC_RETRY for the first use of a key, as in libtpms"
    ),
    "test_lacking.py::test_a_tokens_secret[no P-256]": "creates RSA keys, which takes seconds in Python",
    "test_lessons_on_swtpm.py::test_a_lesson_needs_algorithms_that_the_tpm_lacks": (
        "expects a TPM without post-quantum algorithms"
    ),
    "test_template_names_tools.py::test_a_name_has_the_tools_public_area[camellia": CAMELLIA,
    "test_template_names_tools.py::test_a_primary_has_the_tools_public_area[camellia": CAMELLIA,
}
"""Tests that do not apply to the soft TPM, with the reason; for parameters, the start of their names."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips the tests that do not apply to the TPM in use."""
    for item in items if SOFT else ():
        name = item.nodeid.removeprefix("tests/swtpm/")
        for test, reason in NOT_FOR_SOFT.items():
            if name == test or ("[" in test and name.startswith(test)):
                item.add_marker(pytest.mark.skip(reason=reason))


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


@pytest.fixture(scope="module")
def storage_root_key(shared_swtpm: Swtpm) -> None:
    """Makes a P-256 storage root key persistent in the shared TPM, and no endorsement key."""
    with Tpm.open(shared_swtpm.path, 20) as tpm:
        srk = create_primary(tpm, TPM_RH.OWNER, templates.srk_ecc())
        tpm.execute(EvictControl(TPM_RH.OWNER, srk.handle, 0x81000001), Password())


@pytest.fixture(scope="module")
def public_areas(shared_swtpm: Swtpm) -> dict[str, TPMT_PUBLIC]:
    """Returns the public area of each kind of parent in the shared TPM."""
    made = {}
    for name, parent in parents.PARENTS.items():
        if name in ("ek-rsa3072", "ek-rsa4096"):
            continue  # this TPM makes none, or takes long
        with Tpm.open(shared_swtpm.path, 20) as tpm:
            made[name] = create_primary(tpm, parent.hierarchy, parent.template()).public
    return made
