"""tools/rootfs.py: credentials in a root file system that has only what the script put into it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.toolbox import VERBS
from tests.support import keys
from tests.support.programs import ROOT
from tests.support.sts import VerifyingSts
from tests.support.swtpm import Swtpm
from tools.zipapp import LEFT_OUT
from tpmwire import __version__

Ran = subprocess.CompletedProcess[str]
PYTHON = "/usr/bin/python3"  # of the distribution: containers and images have it


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("image")
    pyz, root = directory / "tpmwire.pyz", directory / "root"
    subprocess.run([sys.executable, ROOT / "tools" / "zipapp.py", pyz], check=True, capture_output=True)
    subprocess.run([PYTHON, ROOT / "tools" / "rootfs.py", root, "--program", pyz], check=True, capture_output=True)
    return root


def run(root: Path, *words: str) -> Ran:
    """Run a program of the root file system there, as a container engine does."""
    namespace = [] if os.geteuid() == 0 else ["unshare", "--map-root-user"]
    return subprocess.run(
        [*namespace, "chroot", root, *words],
        check=False,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture(scope="module")
def first_run(root: Path, sts: VerifyingSts, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A credential run over HTTPS, with a CA of the image. Python's -v prints each imported module on stderr."""
    endpoint = sts.tls_endpoint()
    (directory,) = (root / "usr/lib").rglob("certs")
    command = ["openssl", "x509", "-hash", "-noout", "-in", sts.authority().bundle]
    hashed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    shutil.copy(sts.authority().bundle, directory / f"{hashed}.0")
    with Swtpm("tcp") as swtpm:
        keys.make_keys(swtpm, sts.secret_access_key, tmp_path_factory.mktemp("keys"))
        options = [f"--persistentHandle={keys.PLAIN_HANDLE:#x}", f"--tpm-path={swtpm.path}"]
        options += [f"--aws-access-key-id={sts.access_key_id}", f"--endpoint-url={endpoint}", "--timeout=20s"]
        return run(root, "/usr/bin/python3", "-E", "-v", "/usr/bin/aws-tpm-process-credential", *options)


def test_credentials_over_https(first_run: Ran) -> None:
    assert first_run.returncode == 0, first_run.stderr
    assert json.loads(first_run.stdout)["Version"] == 1


def test_the_standard_library_of_a_run_is_documented(root: Path, first_run: Ran) -> None:
    loaders = "(?:SourcelessFile|ExtensionFile|_Lazy)Loader"
    found = re.findall(rf"^import '(\w+).*{loaders}", first_run.stderr, re.MULTILINE)
    (library,) = (root / "usr/lib").glob("python3.*")
    text = (ROOT / "docs" / "images.md").read_text()
    (listed,) = re.findall(rf"{library.name.capitalize()[:6]} {library.name[6:]}[^:]*:\n\n((?:    .*\n)+)", text)
    assert " ".join(sorted(set(found))) == " ".join(listed.split())


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_is_complete(root: Path, verb: str) -> None:
    done = run(root, "/usr/bin/python3", "-E", "/usr/bin/tpmwire", *verb.split(), "--help")
    if f"cli/verbs/{verb.replace(' ', '_').replace('-', '_')}.py" in LEFT_OUT:
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert "the single-file tpmwire does not include" in done.stderr
    else:
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("program", ["tpmwire", "aws-tpm-process-credential"])
def test_the_programs_start_without_a_shell(root: Path, program: str) -> None:
    assert not (root / "bin/sh").exists()
    done = run(root, f"/usr/bin/{program}", "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{program} {__version__}\n", "")


def test_the_library_is_bytecode_without_source(root: Path) -> None:
    (library,) = (root / "usr/lib").glob("python3.*")
    assert not list(library.rglob("*.py"))
    assert (library / "os.pyc").exists()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["new", "--program", "none.pyz"], "none.pyz does not exist; run `make zipapp`"),
        ([".", "--program", sys.executable], ". exists already; name a new directory"),
    ],
)
def test_wrong_words(tmp_path: Path, words: list[str], error: str) -> None:
    command = [sys.executable, ROOT / "tools" / "rootfs.py", *words]
    done = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert error in done.stderr
