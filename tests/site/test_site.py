"""`make site` builds the site with no broken link, and no page loads anything from another server."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.programs import ROOT
from tools.site_pages import MODULES, find_broken_links

PYTHON = ROOT / ".venv-site" / "bin" / "python"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not PYTHON.exists():
        pytest.skip("mkdocs is not installed; run make setup")
    place = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [PYTHON, "-m", "mkdocs", "build", "--quiet", "--site-dir", place],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return place


def test_no_link_is_broken(site: Path) -> None:
    assert [*find_broken_links(site)] == []


def test_pages_load_nothing_from_other_servers(site: Path) -> None:
    for path in site.rglob("*.html"):
        tags = re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", path.read_text())
        assert [tag for tag in tags if re.search(r'\b(?:src|href)="(?:https?:)?//', tag)] == [], path


def test_the_api_reference_has_docstrings_and_fields(site: Path) -> None:
    for module in MODULES:
        assert "doc-object" in (site / "api" / f"{module}.html").read_text(), module
    commands = re.sub("<[^>]+>", "", (site / "api" / "tpmwire.commands.html").read_text())
    assert "bytes_requested: UINT16" in commands
    assert "Returns up to bytes_requested random bytes" in commands
    # Examples of docstrings are code, not quotations.
    assert "<blockquote>" not in "".join(path.read_text() for path in (site / "api").glob("*.html"))
