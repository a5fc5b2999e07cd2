"""`make demo`: shows the aws command with a key in a TPM, each step as a user would type it.

The TPM is a software TPM (swtpm), and the STS is moto with authentication, which verifies every signature. On a
real machine, /dev/tpmrm0 and AWS take their places; nothing else differs.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.support.programs import Machine  # noqa: E402
from tests.support.sts import VerifyingSts  # noqa: E402
from tests.support.swtpm import Swtpm, SwtpmError  # noqa: E402

STEPS = (
    (
        "Import the secret access key into the TPM, from standard input. The TPM never releases it.",
        'printf %s "$SECRET" | tpmwire import --aws-access-key-id "$KEY_ID" '
        "--persistent-handle 0x81010020 --out key.pem --write-profile tpm",
    ),
    (
        "Add a role to the new profile. The profile has no secret.",
        'sed -i "s|^credential_process.*|& --assumeRole --aws-arn=$ROLE --aws-session-name=demo|" ~/.aws/config; '
        "cat ~/.aws/config",
    ),
    (
        "Use the profile. STS verifies two signatures: the TPM's, and that of the role's credentials.",
        "aws sts get-caller-identity --profile tpm",
    ),
    (
        "Show the TPM commands. The salted session encrypts the response: nothing secret crosses the bus.",
        """eval "$(sed -n 's/^credential_process = //p' ~/.aws/config) --verbose" >/dev/null""",
    ),
    (
        "Use the same key from its file, which only this TPM can load.",
        'aws-tpm-process-credential --verbose --aws-access-key-id "$KEY_ID" --credential-file key.pem >/dev/null',
    ),
    (
        "Search for the secret: no file has it.",
        'grep -rF "$SECRET" ~ && exit 1; echo "not found"',
    ),
)


def follow(steps: Iterable[tuple[str, str]], environment: Mapping[str, str], directory: Path) -> int:
    """Shows and runs each step; returns the exit code of the first that fails, else 0."""
    for why, command in steps:
        print(f"\n# {why}\n$ {command}", flush=True)
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            env=environment,
            cwd=directory,
            check=False,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )
        if done.returncode:
            print(f"demo: that step failed (exit code {done.returncode})", file=sys.stderr)
            return done.returncode
    return 0


def main() -> int:
    print("# Starting a software TPM and an STS that verifies signatures ...", flush=True)
    with tempfile.TemporaryDirectory(prefix="demo-") as home, Swtpm() as tpm, VerifyingSts() as sts:
        box = Machine(Path(home), tpm)
        given = {"TPMWIRE_TPM_PATH": tpm.path, "AWS_ENDPOINT_URL_STS": sts.endpoint, "KEY_ID": sts.access_key_id}
        given |= {"ROLE": sts.role_arn, "AWS_DEFAULT_REGION": "eu-central-1"}
        for name, value in given.items():
            print(f"$ export {name}={value}")
        print("$ read -rs SECRET    # paste the secret access key", flush=True)
        return follow(STEPS, box.environment(**given, SECRET=sts.secret_access_key), box.home)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except (OSError, RuntimeError, SwtpmError, subprocess.SubprocessError) as error:
        sys.exit(f"demo: {error}; `make demo` installs what it needs")
