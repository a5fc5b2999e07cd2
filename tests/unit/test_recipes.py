"""The recipes of docs/architecture.md work: applied to a copy of the sources, each adds what it says."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.programs import ROOT
from tests.support.swtpm import Swtpm

pytestmark = pytest.mark.once

PAGE = (ROOT / "docs" / "architecture.md").read_text()
COPIED = ("cli", "docs", "sigv4", "tests", "tools", "tpmwire")
LINKED = ("fixtures", "CHANGELOG.md", "pyproject.toml", "tpmwire_programs.py")
FILE = re.compile(r"`((?:cli|docs|tests|tpmwire)/[\w/-]+\.(?:py|md))`")

# Passes what comes from standard input on to a socket, and its responses back.
RELAY = """
import os, socket, sys
tpm = socket.socket(socket.AF_UNIX)
tpm.connect(sys.argv[1])
while command := os.read(0, 4096):
    tpm.sendall(command)
    os.write(1, tpm.recv(4096))
"""


class Step(NamedTuple):
    """A code block of a recipe: its language, its text, and the file that the sentence before it names."""

    language: str
    text: str
    file: str | None


def recipe(title: str) -> tuple[list[Step], list[str]]:
    """The blocks of a recipe in order, and the tests that it names."""
    section = re.split(r"\n##", PAGE.split(f"\n### {title}\n", 1)[1])[0]
    steps = []
    for before, language, text in re.findall(r"(.*?)```(\w+)\n(.*?)```\n", section, re.DOTALL):
        named = FILE.findall(before.strip().rpartition("\n\n")[2])
        steps.append(Step(language, text, named[-1] if named else None))
    return steps, re.findall(r"`(tests/\w+/\w+\.py(?:::\w+)?)`", section)


def inserted(source: str, patch: str) -> str:
    """The source with the + lines of a patch between its other lines, which are in the source once."""
    lines = patch.splitlines(keepends=True)
    assert {line[0] for line in lines} <= set("+- \n"), "a patch has lines with +, - or a blank"
    before = "".join(line[1:] or line for line in lines if line[0] != "+")
    after = "".join(line[1:] or line for line in lines if line[0] != "-")
    assert source.count(before) == 1, f"{source.count(before)} times in the source:\n{before}"
    return source.replace(before, after)


class Copy:
    """A copy of the sources in which recipes are followed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in COPIED:
            # *.pyc.* are those that another process is about to rename.
            ignored = shutil.ignore_patterns("node_modules", "*.pyc.*")
            shutil.copytree(ROOT / name, root / name, ignore=ignored)
        for name in LINKED:
            (root / name).symlink_to(ROOT / name)

    def follow(self, title: str) -> tuple[str, list[str]]:
        """Applies every block but the last; returns the last, and the tests that the recipe names."""
        (*changes, check), tests = recipe(title)
        assert changes
        for change in changes:
            assert change.file is not None, change.text
            path = self.root / change.file
            if change.language == "diff":
                path.write_text(inserted(path.read_text(), change.text))
            else:
                assert not path.exists(), path
                path.write_text(change.text)
        return check.text, tests

    def run(self, *words: str, **environment: str) -> str:
        """What Python prints with these arguments, in the copy. Nothing but the copy is on its search path."""
        clean = {"PATH": os.environ["PATH"], "HOME": str(self.root), "PYTHONPATH": str(self.root)}
        done = subprocess.run(
            [sys.executable, *words],
            check=False,
            cwd=self.root,
            env=clean | environment,
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def verb(self, *words: str) -> str:
        """What a verb of the copy's toolbox prints."""
        return self.run("-c", "from cli.toolbox import main; raise SystemExit(main())", *words)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    made = Copy(tmp_path / "copy")
    where = "import cli, sigv4, tpmwire; print(*(each.__file__ for each in (cli, sigv4, tpmwire)))"
    assert all(file.startswith(str(made.root)) for file in made.run("-c", where).split())
    return made


def test_a_command(copy: Copy) -> None:
    check, tests = copy.follow("Add a command")
    copy.run("tools/coverage.py")
    copy.run("-c", check)
    assert "Vendor_GetSerial" in copy.verb("spec", "TPM_CC", "0x20001001")
    copy.run("-m", "pytest", "-q", *tests)


def test_a_policy_statement(copy: Copy) -> None:
    check, tests = copy.follow("Add a policy statement")
    copy.run("-c", check)
    copy.run("-m", "pytest", "-q", *tests)


def test_an_option(copy: Copy) -> None:
    check, tests = copy.follow("Add an option to the run")
    assert '"AccessKeyId": "ASIA..."' in copy.run("-c", check)
    assert "--print-expiration " in copy.run("-m", "cli.credential_process", "--help")
    copy.run("-m", "pytest", "-q", *tests)


def test_a_verb(copy: Copy) -> None:
    check, tests = copy.follow("Add a verb")
    verb, *words = check.split()[1:]
    with Swtpm() as swtpm:
        printed = copy.verb(verb, *(word.replace('"$TPM"', swtpm.path) for word in words))
    assert re.fullmatch(r"[0-9a-f]{32}\n", printed)
    assert re.search(r"^ +random +print random bytes", copy.verb("--help"), re.MULTILINE)
    copy.run("-m", "pytest", "-q", *tests)


def test_a_transport(copy: Copy) -> None:
    check, _ = copy.follow("Add a transport")
    (command,) = re.findall(r'"program:(.*)"', check)
    (copy.root / "relay.py").write_text(RELAY)
    with Swtpm() as swtpm:
        here = f"{sys.executable} relay.py {swtpm.path.removeprefix('swtpm:path=')}"
        copy.run("-c", check.replace(command, here))
        assert "IBM" in copy.verb("info", f"--tpm-path=program:{here}", "--timeout=60")


def test_every_recipe_is_tried() -> None:
    titles = re.findall(r"^### (Add .*)$", PAGE, re.MULTILINE)
    tried = Path(__file__).read_text()
    assert len(titles) == 5
    assert all(f'copy.follow("{title}")' in tried for title in titles)
