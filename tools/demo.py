"""`make demo`: shows the aws command with a key in a TPM, each step as a user would type it.

With --roles-anywhere (`make demo-roles-anywhere`), the key belongs to a certificate, and the credentials come from
a local Roles Anywhere, which verifies the request as AWS documents it. There is no AWS secret then.

The steps are those of `tpmwire demo`. The STS is moto with authentication, which verifies every signature. The TPM
is swtpm, or tpmwire's own if swtpm is not installed. On a real machine, /dev/tpmrm0 and AWS take their places;
nothing else differs.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402
from cryptography.x509 import load_pem_x509_csr  # noqa: E402

from cli.serving.demo_tpm import software_tpm  # noqa: E402
from cli.terminal.messages import UsageError  # noqa: E402
from cli.verbs.demo import follow_steps, has_swtpm, show_demo  # noqa: E402
from tests.support.roles_anywhere import (  # noqa: E402
    ANCHOR,
    PROFILE,
    ROLE,
    Authority,
    VerifyingRolesAnywhere,
    pem,
    role_credentials,
)
from tests.support.sts import VerifyingSts  # noqa: E402

HANDLE = 0x81010050
LINE = (
    "tpmwire roles-anywhere credential-process --certificate $HOME/host.pem --private-key handle:$HANDLE "
    "--trust-anchor-arn $ANCHOR --profile-arn $PROFILE_ARN --role-arn $ROLE --endpoint $ROLES_ANYWHERE"
)
KEY_STEPS = [
    (
        "Create a signing key in the TPM. The private key never leaves the TPM.",
        "tpmwire roles-anywhere create-key --persistent-handle $HANDLE",
    ),
    (
        "Write a certificate request, signed in the TPM.",
        "tpmwire roles-anywhere csr --private-key handle:$HANDLE --subject CN=host-1.example.com --out ~/host.csr "
        "--extfile ~/ext",
    ),
]
STEPS = [
    (
        "The CA has issued the certificate of this machine.",
        "openssl x509 -in ~/host.pem -noout -subject -issuer -ext keyUsage,extendedKeyUsage",
    ),
    ("Get credentials: the TPM signs the request, and Roles Anywhere verifies it.", LINE),
    (
        "Write a profile. It has no secret.",
        f'echo "[profile work]" >~/.aws/config; echo "credential_process = {LINE}" >>~/.aws/config',
    ),
    ("Use the profile. STS verifies a signature by the role's credentials.", "tpmwire aws whoami --profile work"),
    ("Show the TPM commands: one signature.", f"{LINE} --verbose >/dev/null"),
    ("Check the certificate and its key.", "tpmwire doctor | grep certificates"),
]
"""Reasons and shell commands of the demo of Roles Anywhere, before and after the CA issues the certificate."""


def show_roles_anywhere() -> int:
    """Runs the demo of Roles Anywhere. Returns 0, or the exit code of the first step that fails."""
    authority, soft = Authority(), not has_swtpm()
    with (
        tempfile.TemporaryDirectory(prefix="tpmwire-demo-") as home,
        tempfile.TemporaryDirectory(prefix="tpmwire-tpm-") as directory,
        software_tpm(directory, soft=soft) as path,
        VerifyingSts() as sts,
        VerifyingRolesAnywhere([authority.root], role_credentials(sts)) as server,
    ):
        Path(home, ".aws").mkdir()
        shown = {"TPMWIRE_TPM_PATH": path, "ROLES_ANYWHERE": server.endpoint, "HANDLE": f"{HANDLE:#x}"}
        shown |= {"ANCHOR": ANCHOR, "PROFILE_ARN": PROFILE, "ROLE": ROLE, "AWS_ENDPOINT_URL_STS": sts.endpoint}
        for name, value in shown.items():
            print(f"$ export {name}={value}")
        search = os.pathsep.join([os.path.dirname(sys.executable), *os.get_exec_path()])
        environment = {**shown, "HOME": home, "PATH": search, "AWS_DEFAULT_REGION": "eu-central-1"}
        if code := follow_steps(KEY_STEPS, environment, home):
            return code
        key = load_pem_x509_csr(Path(home, "host.csr").read_bytes()).public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        Path(home, "host.pem").write_bytes(pem(authority.issue(key), authority.intermediate))
        steps = STEPS if shutil.which("openssl") else STEPS[1:]
        return follow_steps(steps, environment, home)


def main() -> int:
    if sys.argv[1:] == ["--roles-anywhere"]:
        print("# Starting a TPM in software, a Roles Anywhere and an STS that verify signatures ...", flush=True)
        return show_roles_anywhere()
    print("# Starting a TPM in software, and an STS that verifies signatures ...", flush=True)
    with VerifyingSts() as sts:
        return show_demo(sts, soft=not has_swtpm())


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except (OSError, RuntimeError, UsageError, subprocess.SubprocessError) as error:
        sys.exit(f"demo: {error}; `make demo` installs what it needs")
