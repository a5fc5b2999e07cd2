"""Manual pages: one for each program and verb, with every option, and nothing that mandoc warns about."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cli.credentials.options import run_parser
from cli.terminal.help import ENVIRONMENT, actions_of
from cli.toolbox import VERBS
from tests.support.programs import CREDENTIAL_PROCESS, ROOT, TOOLBOX
from tools.manpages import pages
from tools.parsers import verb_parsers

SECTIONS = [
    *("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO")
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, as the tool writes them for a package."""
    folder = tmp_path_factory.mktemp("man") / "man1"
    words = [sys.executable, ROOT / "tools" / "manpages.py", folder]
    subprocess.run(words, check=True, env={"SOURCE_DATE_EPOCH": "1764547200"}, timeout=120)
    return folder


def _plain(text: str) -> str:
    return re.sub(r"\\f.|\\&", "", text).replace("\\-", "-").replace("\\(aq", "'")


def test_each_program_and_verb_has_a_page(folder: Path) -> None:
    names = {TOOLBOX, CREDENTIAL_PROCESS, *(f"{TOOLBOX}-{verb.replace(' ', '-')}" for verb in VERBS)}
    assert {path.name for path in folder.iterdir()} == {f"{name}.1" for name in names}
    assert (
        (folder / "tpmwire.1").read_text().splitlines()[1].startswith('.TH "TPMWIRE" "1" "2025-12-01" "tpmwire ')
    )
    for path in folder.iterdir():
        sections = re.findall(r"^\.SH (.*)$", path.read_text(), re.MULTILINE)
        assert sections == [name for name in SECTIONS if name in sections]
        assert {"NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "SEE ALSO"} <= {*sections}
        for name in re.findall(r"^\.BR (\S+) \(1\)", path.read_text(), re.MULTILINE):
            assert _plain(name) in names


def test_every_option_is_on_its_page(folder: Path) -> None:
    for verb, parser in [*verb_parsers(), (None, run_parser())]:
        page = CREDENTIAL_PROCESS if verb is None else f"{TOOLBOX}-{verb.replace(' ', '-')}"
        text = _plain((folder / f"{page}.1").read_text())
        for action in actions_of(parser):
            for name in action.option_strings:
                assert re.search(rf"^{name}\b|, {name}\b", text, re.MULTILINE), f"{page}: {name}"


def test_every_variable_that_an_option_names_has_a_meaning() -> None:
    for _, parser in [*verb_parsers(), (None, run_parser())]:
        for action in actions_of(parser):
            for names in re.findall(r"\benv: ([A-Z0-9_, ]+[A-Z0-9_])", str(action.help)):
                assert set(names.split(", ")) <= set(ENVIRONMENT)


INTERNAL = {
    *("COLUMNS", "DISPLAY", "HOME", "TERM", "WAYLAND_DISPLAY", "REQUEST_METHOD"),  # of the system
    *("LISTEN_FDS", "LISTEN_PID", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"),  # of systemd
    "KUBERNETES_EXEC_INFO",  # of kubectl
    *("AWS_ACCOUNT_ID", "AWS_DEFAULT_PROFILE", "AWS_NEW_RETRIES_2026", "AWS_S3_DISABLE_EXPRESS_SESSION_AUTH"),
    "REQUESTS_CA_BUNDLE",
}
"""Variables that are read, but that no manual page has to name."""


def test_every_variable_that_is_read_has_a_meaning() -> None:
    read = set()
    for path in [*(ROOT / "cli").rglob("*.py"), *(ROOT / "sigv4").rglob("*.py")]:
        read |= set(re.findall(r'environ(?:\.get\(|\[)\s*"([A-Z0-9_]+)"', path.read_text()))
    assert len(read) > 10
    assert read - set(ENVIRONMENT) - INTERNAL == set()


def test_mandoc_has_nothing_to_warn_about(folder: Path) -> None:
    words = ["mandoc", "-T", "lint", "-W", "warning", *sorted(folder.iterdir())]
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_mandoc_shows_examples_as_they_are_typed(folder: Path) -> None:
    done = subprocess.run(
        ["mandoc", "-T", "ascii", folder / "tpmwire-import.1"], check=True, capture_output=True, text=True
    )
    shown = re.sub(".\b", "", done.stdout)
    assert 'printf %s "$SECRET" | tpmwire import --persistent-handle 0x81010020' in shown
    assert "~/.aws/credentials" in shown


def test_the_wheel_has_the_pages(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(words, check=True, cwd=ROOT, stdout=subprocess.DEVNULL, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        members = {name.partition(".data/data/")[2] for name in archive.namelist()}
        assert {f"share/man/man1/{name}" for name in pages()} <= members
        assert "share/bash-completion/completions/tpmwire" in members
