"""examples/aws_credentials.py: temporary credentials from an STS that verifies the signature."""

import os
import re
import subprocess
import sys

from tests.support.programs import ROOT, Machine
from tests.support.sts import VerifyingSts


def test_temporary_credentials(box: Machine, sts: VerifyingSts) -> None:
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "examples/aws_credentials.py",
            sts.access_key_id,
            box.home / "plain.pem",
            "us-east-1",
        ],
        check=False,
        env={
            **os.environ,
            "TPMWIRE_TPM_PATH": box.swtpm.path,
            "AWS_ENDPOINT_URL_STS": sts.endpoint,
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"A\w+ expires at \S+", done.stdout.strip())
