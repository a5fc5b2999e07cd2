"""Our two programs as a user has them: files on the PATH, each run a process of its own, nothing inherited."""

import contextlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from tests.support import keys
from tests.support.swtpm import Swtpm
from tpmwire.spec.commands.capability import GetCapability
from tpmwire.spec.constants import TPM_CAP
from tpmwire.tpm import Tpm

__all__ = [
    "CREDENTIAL_PROCESS",
    "KEY_ID",
    "SECRET",
    "TOOLBOX",
    "Machine",
    "left_behind",
    "machine",
    "write_program",
]

ROOT = Path(__file__).parents[2]
CREDENTIAL_PROCESS, TOOLBOX = "aws-tpm-process-credential", "tpmwire"
_ENTRY = {  # as in pyproject.toml
    CREDENTIAL_PROCESS: ("tpmwire_programs", "credential_process"),
    TOOLBOX: ("tpmwire_programs", "toolbox"),
}

KEY_ID, SECRET = "AKIAMADEUPMADEUP0000", "made/up+SecretAccessKeyOfFortyCharacters"


def write_program(directory: Path, name: str, around: str = "", run_as: str | None = None) -> Path:
    """An executable like the one that pip makes. `around` is Python that runs first."""
    path = directory / (run_as or name)
    module, function = _ENTRY[name]
    path.write_text(
        f"#!{sys.executable}\n"
        f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{textwrap.dedent(around)}\n"
        f"from {module} import {function}\nsys.exit({function}())\n"
    )
    path.chmod(0o755)
    return path


class Machine:
    """A home directory, a TPM with the keys of `keys` in it, and our programs on the PATH."""

    def __init__(self, home: Path, swtpm: Swtpm) -> None:
        self.home = home
        self.swtpm = swtpm
        self.bin = home / "bin"
        self.bin.mkdir()
        for name in _ENTRY:
            write_program(self.bin, name)

    def environment(self, **more: str) -> dict[str, str]:
        """What a login shell would have, and `more`; the machine's own AWS settings do not count."""
        path = os.pathsep.join((str(self.bin), str(Path(sys.executable).parent), os.environ["PATH"]))
        kept = {name: os.environ[name] for name in ("PYENV_ROOT", "PYENV_VERSION") if name in os.environ}
        # An SDK that finds no credentials would ask the cloud's metadata service, for seconds.
        return {**kept, "PATH": path, "HOME": str(self.home), "AWS_EC2_METADATA_DISABLED": "true", **more}

    def start(self, *words: str, **environment: str) -> "subprocess.Popen[str]":
        """Starts `aws-tpm-process-credential` with these words."""
        return subprocess.Popen(
            [CREDENTIAL_PROCESS, *words],
            env=self.environment(**environment),
            executable=self.bin / CREDENTIAL_PROCESS,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self, *words: str, program: Path | None = None, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        """Runs `aws-tpm-process-credential`, or `program`, to its end."""
        return subprocess.run(
            [program or self.bin / CREDENTIAL_PROCESS, *words],
            env=self.environment(**environment),
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def toolbox(self, *words: str, stdin: str = "") -> str:
        """Runs `tpmwire` in the home directory; returns what it printed. Fails unless it exits with 0."""
        done = subprocess.run(
            [self.bin / TOOLBOX, *words],
            env=self.environment(),
            cwd=self.home,
            check=False,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextlib.contextmanager
def machine(home: Path, secret: str = SECRET) -> Iterator[Machine]:
    """A machine whose TPM has the keys of `keys` for `secret`; the key files are in its home."""
    with Swtpm() as swtpm:
        keys.make_keys(swtpm, secret, home)
        yield Machine(home, swtpm)


def left_behind(path: str) -> list[int]:
    """Handles of transient objects and sessions in the TPM at `path`; waits until it takes another client."""
    with Tpm.open(path, 30) as tpm:
        found: list[int] = []
        for first in (0x80000000, 0x02000000, 0x03000000):
            found += tpm.execute(GetCapability(TPM_CAP.HANDLES, first, 8)).capability_data.data
        return found
