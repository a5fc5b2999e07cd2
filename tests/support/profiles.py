"""AWS profiles, the last of which runs our program; used as a user does, against the verifying STS."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import keys
from tests.support.front import Front
from tests.support.programs import CREDENTIAL_PROCESS, TOOLBOX, Machine
from tests.support.sts import VerifyingSts

__all__ = ["CHAIN", "Run", "config", "run"]

Run = Callable[..., tuple[int, str, str]]

CHAIN = """
[profile middle]
role_arn = {role}
source_profile = tpm
role_session_name = middle
external_id = middle-id
duration_seconds = 7200
mfa_serial = arn:aws:iam::123456789012:mfa/me

[profile admin]
role_arn = arn:aws:iam::210987654321:role/elsewhere
source_profile = middle
role_session_name = admin
external_id = admin-id
duration_seconds = 1800
"""


@pytest.fixture
def config(box: Machine, sts: VerifyingSts, front: Front, tmp_path: Path) -> Callable[..., None]:
    """Writes the AWS config file: [profile tpm] with `more` options and `settings`, and `text`, {role} put in."""

    def write(text: str, more: str = "", settings: str = "") -> None:
        key = f"--aws-access-key-id={sts.access_key_id} --persistentHandle={keys.PLAIN_HANDLE:#x}"
        key += f" --tpm-path={box.swtpm.path} --timeout=20s"
        head = f"[profile tpm]\ncredential_process = {CREDENTIAL_PROCESS} {key} {more}\n{settings}\n"
        (tmp_path / "config").write_text(head + text.replace("{role}", sts.role_arn))

    return write


@pytest.fixture
def run(box: Machine, front: Front, tmp_path: Path) -> Run:
    """Runs our program, or another, with that file; STS is `front`."""

    def go(*words: str, program: str = CREDENTIAL_PROCESS, **environment: str) -> tuple[int, str, str]:
        path = box.bin / program if program in (CREDENTIAL_PROCESS, TOOLBOX) else Path(program)
        environment = {
            "AWS_ENDPOINT_URL_STS": front.url,
            "AWS_CONFIG_FILE": str(tmp_path / "config"),
            **environment,
        }
        done = box.run(*words, program=path, **environment)
        return done.returncode, done.stdout, done.stderr

    return go
