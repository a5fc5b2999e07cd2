"""The wheel, installed by pip, pipx and uv in fresh environments: key and credentials, without the sources."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.programs import CREDENTIAL_PROCESS, ROOT, TOOLBOX
from tests.support.sts import VerifyingSts
from tests.support.swtpm import Swtpm

HERE = Path(sys.executable).parent
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


class Home:
    """A home directory. Programs run in it with PATH and the settings of package indexes, and nothing else."""

    def __init__(self, path: Path, wheel: Path) -> None:
        self.path, self.wheel = path, wheel
        self.bin = path / "bin"
        self._environment = {
            **{name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_"))},
            **{name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")},
            "HOME": str(path),
            "PATH": os.environ["PATH"],
            "PIPX_HOME": str(path / "pipx"),
            "PIPX_BIN_DIR": str(self.bin),
            "UV_TOOL_BIN_DIR": str(self.bin),
            "UV_PYTHON_DOWNLOADS": "never",
        }
        if os.path.exists(CERTIFICATES):  # uv has its own, without those of a company's proxy
            self._environment.setdefault("SSL_CERT_FILE", CERTIFICATES)
        # uv does not read pip's configuration.
        if index := self._pip_setting("index-url"):
            self._environment.setdefault("UV_DEFAULT_INDEX", index)

    def _pip_setting(self, name: str) -> str:
        command = [sys.executable, "-m", "pip", "config", "get", f"global.{name}"]
        return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()

    def run(self, *words: str | Path, stdin: str = "", **more: str) -> str:
        """Runs a command in the home; returns what it printed. Fails unless it exits with 0."""
        done = subprocess.run(
            [*map(str, words)],
            input=stdin,
            check=False,
            cwd=self.path,
            env={**self._environment, **more},
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


Command = Callable[[str], list[str | Path]]


def _pip(home: Home) -> Command:
    home.run(sys.executable, "-m", "venv", home.path / "venv")
    home.run(home.path / "venv/bin/python", "-m", "pip", "install", "--quiet", home.wheel)
    return lambda program: [home.path / "venv/bin" / program]


def _pipx(home: Home) -> Command:
    home.run(HERE / "pipx", "install", "--python", sys.executable, home.wheel)
    return lambda program: [home.bin / program]


def _uv_tool_install(home: Home) -> Command:
    home.run(HERE / "uv", "tool", "install", "--python", sys.executable, home.wheel)
    return lambda program: [home.bin / program]


def _uvx(home: Home) -> Command:
    return lambda program: [HERE / "uvx", "--python", sys.executable, "--from", home.wheel, program]


INSTALLERS = (_pip, _pipx, _uv_tool_install, _uvx)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source archive."""
    place = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(place)]
    subprocess.run([*build, "-t", "sdist"], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    (archive,) = place.glob("*.tar.gz")
    subprocess.run(["tar", "-xf", archive, "-C", place], check=True)
    sources = place / archive.name.removesuffix(".tar.gz")
    subprocess.run([*build, "-t", "wheel"], check=True, cwd=sources, stdout=subprocess.DEVNULL)
    (built,) = place.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def tpm() -> Iterator[Swtpm]:
    with Swtpm() as running:
        yield running


@pytest.mark.parametrize("install", INSTALLERS, ids=lambda install: install.__name__.lstrip("_"))
def test_a_key_is_imported_and_used(
    tmp_path: Path, wheel: Path, tpm: Swtpm, sts: VerifyingSts, install: Callable[[Home], Command]
) -> None:
    home = Home(tmp_path, wheel)
    command = install(home)
    key = (f"--aws-access-key-id={sts.access_key_id}", f"--tpm-path={tpm.path}")
    home.run(*command(TOOLBOX), "import", *key, "--out=key.pem", stdin=sts.secret_access_key)
    for name in ("cli", "sigv4", "tpmwire"):  # as a program may have them that runs a credential_process
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the caller ran')\n")
    options = ("--credential-file=key.pem", f"--endpoint-url={sts.endpoint}", "--aws-region=us-east-1")
    printed = home.run(*command(CREDENTIAL_PROCESS), *key, *options, PYTHONPATH=str(tmp_path))
    assert json.loads(printed)["SessionToken"]
