"""Imports a secret access key into a software TPM, and gets temporary credentials with it, step by step.

  tpmwire demo
  tpmwire demo --soft

The demo prints each command as you would type it, and runs it. It needs no TPM, no AWS account and no root. It
uses a new software TPM (swtpm), or tpmwire's TPM in Python if swtpm is not installed. A stand-in for STS on
127.0.0.1 verifies every signature as AWS does. If the aws command is installed, one step uses it.

A new temporary directory is the home directory of the commands. At the end, the demo removes this directory, and
stops the TPM and the stand-in.
"""

import argparse
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from typing import Protocol

from ..lifecycle.process_line import find_program
from ..serving.demo_steps import demo_steps
from ..serving.demo_tpm import software_tpm
from ..serving.sts_stand_in import StsStandIn
from ..terminal.messages import UsageError, note

__all__ = ["Settings", "configure", "follow_steps", "has_swtpm", "run", "show_demo"]


class DemoSts(Protocol):
    """An STS with one user and one role that the user can assume."""

    @property
    def endpoint(self) -> str:
        """The URL of the STS."""

    access_key_id: str
    secret_access_key: str
    role_arn: str


class Settings:
    """The verb's options."""

    soft: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument("--soft", action="store_true", help="use the TPM in Python even if swtpm is installed")


def follow_steps(steps: Iterable[tuple[str, str]], environment: Mapping[str, str], directory: str) -> int:
    """Prints and runs each step in a shell. Returns the exit code of the first one that fails, else 0."""
    bash = shutil.which("bash")
    shell = [bash, "-o", "pipefail", "-c"] if bash else ["sh", "-c"]
    for why, command in steps:
        print(f"\n# {why}\n$ {command}", flush=True)
        done = subprocess.run(  # noqa: S603 - the demo's own commands
            [*shell, command],
            env=environment,
            cwd=directory,
            check=False,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )
        if done.returncode:
            note(f"demo: that step failed (exit code {done.returncode})")
            return done.returncode
    return 0


def show_demo(sts: DemoSts, *, soft: bool) -> int:
    """Runs the demo with a running STS. Returns 0, or the exit code of the first step that fails.

    `soft` selects the TPM in Python. Raises UsageError if the programs or the TPM cannot be started.
    """
    [program, *rest], problem = find_program()
    if problem or rest:
        raise UsageError(problem or "the demo needs installed programs; install tpmwire with pip")
    with (
        tempfile.TemporaryDirectory(prefix="tpmwire-demo-") as home,
        tempfile.TemporaryDirectory(prefix="tpmwire-tpm-") as directory,
        software_tpm(directory, soft=soft) as tpm_path,
    ):
        search = os.pathsep.join([os.path.dirname(program), *os.get_exec_path()])
        shown = {"TPMWIRE_TPM_PATH": tpm_path, "AWS_ENDPOINT_URL_STS": sts.endpoint, "KEY_ID": sts.access_key_id}
        shown |= {"ROLE": sts.role_arn, "AWS_DEFAULT_REGION": "eu-central-1"}
        for name, value in shown.items():
            print(f"$ export {name}={value}")
        print("$ read -rs SECRET    # paste the secret access key", flush=True)
        environment = {**shown, "SECRET": sts.secret_access_key, "HOME": home, "PATH": search}
        # An SDK that finds no credentials would ask the cloud's metadata service, for seconds.
        environment["AWS_EC2_METADATA_DISABLED"] = "true"
        environment |= {name: value for name, value in os.environ.items() if name.startswith("PYENV_")}
        steps = demo_steps(aws=shutil.which("aws", path=search) is not None, soft=soft)
        return follow_steps(steps, environment, home)


def has_swtpm() -> bool:
    """Returns whether swtpm is installed. If not, prints that the demo uses the TPM in Python."""
    if shutil.which("swtpm") is not None:
        return True
    print("# swtpm is not installed: the TPM is tpmwire's own, in Python (for learning, not secure).")
    return False


def run(args: Settings) -> int:
    """Runs the demo. Returns 0, or the exit code of the first step that fails."""
    print("# Starting a TPM in software, and a stand-in for STS that verifies signatures.", flush=True)
    with StsStandIn() as sts:
        return show_demo(sts, soft=args.soft or not has_swtpm())
