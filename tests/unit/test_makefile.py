"""The Makefile: what its targets install, say beforehand, and remove."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ABSENT = ("a first reason:", "no-such-program:first-package", "sh:dash", "/no/such/*.so:second-package")
MORE = ("a second reason:", "another-absent:third-package", "a reason for nothing missing:", "sh:dash")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in which nothing was built."""
    for name in ("Makefile", "pyproject.toml", ".gitignore", ".ci"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, tmp_path / name)
    (tmp_path / "tests" / "js").mkdir(parents=True)
    shutil.copy(ROOT / "tests/js/package-lock.json", tmp_path / "tests/js")
    (tmp_path / "tools" / "playground").mkdir(parents=True)
    shutil.copy(ROOT / "tools/playground/package-lock.json", tmp_path / "tools/playground")
    return tmp_path


def make(checkout: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["make", *words], check=False, cwd=checkout, capture_output=True, text=True)


@pytest.mark.parametrize("target", ["zipapp", "demo"])
def test_installs_only_what_it_needs(checkout: Path, target: str) -> None:
    plan = make(checkout, "--dry-run", target).stdout
    heavy = ("swtpm:swtpm", "npm", "chromium", "qemu", "fish", "[dev]", "tpm2-tools", "mkdocs")
    assert [word for word in heavy if word in plan] == []
    assert [word for word in heavy if word in make(checkout, "--dry-run", "test").stdout] == list(heavy)
    assert ("swtpm:swtpm" in plan, "[demo]" in plan) == (False, target == "demo")


@pytest.mark.parametrize("target", ["test", "test-quick", "site", "release", "test-deb"])
def test_the_first_step_names_all_packages_of_a_target(checkout: Path, target: str) -> None:
    first, *others = re.findall(r"^\.ci/packages (.*)$", make(checkout, "--dry-run", target).stdout, re.MULTILINE)
    for line in others:
        assert set(re.findall(r"\S+:[\w-]+", line)) <= set(re.findall(r"\S+:[\w-]+", first)), line


def test_another_user_gets_each_reason_and_the_command() -> None:
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*user, "/bin/sh", "-s", ":", *ABSENT, *MORE],
        check=False,
        input=(ROOT / ".ci/packages").read_text(),
        capture_output=True,
        text=True,
        cwd="/",
    )
    assert (done.returncode, done.stdout.splitlines()) == (
        1,
        [
            "setup: Debian packages for a first reason: first-package second-package",
            "setup: Debian packages for a second reason: third-package",
        ],
    )
    packages = "first-package second-package third-package"
    assert done.stderr in (
        f"setup: run this, then try again: sudo apt-get install --no-install-recommends {packages}\n",
        f"setup: this machine has no apt-get; install these packages with its own tools: {packages}\n",
    )


def test_clean_removes_what_git_ignores(checkout: Path) -> None:
    before = set(checkout.rglob("*"))
    # Backups of editors are not from a target, and stay.
    lines = [line for line in (checkout / ".gitignore").read_text().split() if line.endswith("/")]
    ignored = [line.strip("/").replace("*", "x") for line in lines]
    for name in (
        *ignored,
        ".venv-3.13",
        "cli/verbs/__pycache__",
        "tests/js/node_modules/x",
        "tools/playground/node_modules/x",
    ):
        (checkout / name).mkdir(parents=True, exist_ok=True)
    shutil.move(checkout / "node_modules", checkout / "tests" / "js" / "node_modules" / "y")
    for marked in ("env", ".env"):  # make demo VENV=env
        (checkout / marked).mkdir()
        (checkout / marked / ".demo").touch()
    (checkout / "mine").mkdir()
    assert make(checkout, "clean").returncode == 0
    left = set(checkout.rglob("*"))
    assert left - before == {checkout / "mine", checkout / "cli", checkout / "cli" / "verbs"}
    assert before - left == set()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs files of two users")
def test_clean_says_that_files_of_root_are_left(checkout: Path) -> None:
    checkout.chmod(0o755)
    (checkout / "build" / "deb").mkdir(parents=True)
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    # As in a directory that only root can enter, pytest's, the test begins inside.
    done = subprocess.run([*user, "make", "clean"], check=False, cwd=checkout, capture_output=True, text=True)
    assert done.returncode == 2
    assert "clean: files of another user are left; run: sudo make clean\n" in done.stderr
