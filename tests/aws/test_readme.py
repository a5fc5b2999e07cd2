"""README.md: the commands that set up a machine work as they stand, one after the other."""

import subprocess
import sys
from pathlib import Path

from tests.support.programs import ROOT, Machine
from tests.support.sts import VerifyingSts
from tests.support.swtpm import Swtpm

README = (ROOT / "README.md").read_text()


def _block(heading: str) -> list[str]:
    """The indented lines under a heading, without comments."""
    lines = README.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0].splitlines()
    return [line.partition("  #")[0].strip() for line in lines if line.startswith("    ")]


def test_a_machine_is_set_up(tmp_path: Path) -> None:
    group, *commands = _block("Set up a machine")
    assert group == 'sudo usermod -aG tss "$USER"'  # changes this machine, so it is not run
    with Swtpm() as swtpm, VerifyingSts() as sts:
        box = Machine(tmp_path, swtpm)
        for program in box.bin.iterdir():
            program.unlink()
        environment = box.environment(AWS_ENDPOINT_URL_STS=sts.endpoint, AWS_DEFAULT_REGION="eu-central-1")
        command = "\n".join(commands)
        for told, meant in (
            ("sudo ", ""),
            ("/usr/local/bin/", f"{box.bin}/"),
            ("AKIA...", f"{sts.access_key_id} --tpm-path {swtpm.path}"),
            # moto knows the session tokens of roles only.
            (
                "aws sts",
                f"sed -i 's|^credential_process.*|& --assumeRole --aws-arn={sts.role_arn}|' .aws/config; aws sts",
            ),
        ):
            assert told in command
            command = command.replace(told, meant)
        done = subprocess.run(
            [
                "sh",
                "-ec",
                f"{sys.executable} tools/zipapp.py {tmp_path}/dist/tpmwire.pyz\ncd {tmp_path}\n{command}",
            ],
            check=False,
            cwd=ROOT,
            env=environment,
            input=sts.secret_access_key,
            capture_output=True,
            text=True,
            timeout=200,
        )
    assert done.returncode == 0, done.stderr
    assert '"Arn": "arn:aws:sts::' in done.stdout
    assert sts.secret_access_key not in (tmp_path / ".aws" / "config").read_text()


def test_the_two_commands_are_those_that_ci_runs() -> None:
    commands = _block("Try it")
    assert commands == ["make demo", "make test"]
    assert "; ".join(commands) in (ROOT / ".ci" / "run").read_text()
