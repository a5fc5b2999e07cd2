"""What the signing verbs load of ours: a signature needs no network, and none of what speaks with it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import keys
from tests.support.programs import KEY_ID, ROOT, machine

AROUND = """
import sys
from cli.toolbox import main
code = main(sys.argv[1:])
sys.stderr.write("\\n".join(sorted(sys.modules)))
raise SystemExit(code)
"""
SIGNER = [
    "sigv4",
    "sigv4.canonical",
    "sigv4.characters",
    "sigv4.errors",
    "sigv4.request",
    "sigv4.signer",
    "sigv4.times",
]
ENDPOINTS = ["sigv4.endpoints", "sigv4.partitions"]
REQUEST = [*SIGNER, "sigv4.files", "sigv4.host_names", "sigv4.hosts", "sigv4.partitions"]
VERBS = {
    "sign": (["https://iam.amazonaws.com/"], REQUEST),
    "presign": (["https://iam.amazonaws.com/"], REQUEST),
    "token eks": (["--cluster-name=a", "--region=eu-west-1"], [*SIGNER, *ENDPOINTS, "sigv4.tokens"]),
    "token rds": (
        ["--hostname=a.eu-west-1.rds.amazonaws.com", "--port=1", "--username=a"],
        [*SIGNER, *ENDPOINTS, "sigv4.tokens"],
    ),
    "token elasticache": (
        ["--cache-name=a", "--username=a", "--region=eu-west-1"],
        [*SIGNER, *ENDPOINTS, "sigv4.tokens"],
    ),
    "token msk": (["--region=eu-west-1"], [*SIGNER, *ENDPOINTS, "sigv4.tokens"]),
    "token codecommit": (["get"], [*SIGNER, *ENDPOINTS, "sigv4.files", "sigv4.tokens"]),
}
HEAVY = {"ssl", "http.client", "email", "cryptography", "boto3", "botocore", "asyncio"}
GIT = "protocol=https\nhost=git-codecommit.eu-west-3.amazonaws.com\npath=p\n"


@pytest.mark.parametrize("verb", VERBS)
def test_modules(verb: str, tmp_path: Path) -> None:
    words, expected = VERBS[verb]
    with machine(tmp_path) as box:
        key = [f"--aws-access-key-id={KEY_ID}", f"--persistentHandle={keys.PLAIN_HANDLE:#x}"]
        done = subprocess.run(
            [sys.executable, "-c", AROUND, *verb.split(), *words, *key, f"--tpm-path={box.swtpm.path}"],
            check=False,
            env=box.environment(),
            cwd=ROOT,
            input=GIT,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout
    modules = set(done.stderr.split())
    assert {name for name in modules if name.partition(".")[0] == "sigv4"} == set(expected)
    assert not modules & HEAVY
    verbs = {name for name in modules if name.startswith("cli.verbs.")}
    assert verbs == {f"cli.verbs.{verb.replace(' ', '_')}"}
