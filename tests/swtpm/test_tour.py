"""docs/tour: current with its run and the code; and true for a run of now, in which every nonce is another."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs import ROOT

sys.path.insert(0, str(ROOT))
from tools import tour, tour_run


@pytest.fixture(scope="module")
def run() -> dict[str, str]:
    values: dict[str, str] = json.loads(tour.RUN.read_text())
    return values


@pytest.fixture(scope="module")
def fresh() -> dict[str, str]:
    return tour_run.record()


def test_the_pages_are_current() -> None:
    command = [sys.executable, str(ROOT / "tools" / "tour.py"), "--check"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", tour.pages(), ids=lambda path: path.stem)
def test_the_pages_hold_for_a_run_of_now(path: Path, run: dict[str, str], fresh: dict[str, str]) -> None:
    # The Python in the page asserts what the page says of the octets; what is left is their form.
    page = tour.filled(path, fresh)
    assert _form(page) == _form(path.read_text())
    told = {words for marker in re.findall("<!-- tour: (.*?) -->", page) for words in marker.split()[1:]}
    if any(name.startswith("salted") for name in told):
        assert page != path.read_text()


def _form(page: str) -> str:
    """A page without the octets that are new in each run."""
    page = re.sub(r"(?m)^[0-9a-f]{4}  [0-9a-f ]{5,48}", "", page)
    return re.sub(r"[0-9a-f]{32,}|(?m:^    \"[0-9a-f]+\"$)", "", page)


def test_both_runs_have_the_same_messages(run: dict[str, str], fresh: dict[str, str]) -> None:
    assert {name: len(octets) for name, octets in fresh.items()} == {
        name: len(octets) for name, octets in run.items()
    }
    for name in (
        "hmac_command",
        "hmac_response",
        "policy_digest_response",
        "file_load_command",
        "request_headers",
    ):
        assert fresh[name] == run[name]
    for name in ("salted_scalar", "salted_start_response", "salted_hmac_response"):
        assert fresh[name] != run[name]


@pytest.mark.parametrize(
    "name", ["hmac_response", "policy_digest_response", "salted_start_response", "salted_hmac_response"]
)
def test_an_octet_that_is_wrong_is_noticed(name: str, run: dict[str, str]) -> None:
    wrong = bytearray.fromhex(run[name])
    wrong[20] ^= 1
    with pytest.raises(tour.TourError, match="AssertionError"):
        dict.fromkeys(tour.filled(path, run | {name: wrong.hex()}) for path in tour.pages())


def test_what_the_run_does_not_have_is_said(run: dict[str, str]) -> None:
    with pytest.raises(tour.TourError, match="no 'nothing_command'"):
        tour.Page(run).filled("<!-- tour: command nothing -->\n```text\n```\n")
    with pytest.raises(tour.TourError, match="unknown block 'nonsense'"):
        tour.Page(run).filled("<!-- tour: nonsense -->\n```text\n```\n")
