"""`make demo`: shows the aws command with a key in a TPM, each step as a user would type it.

The steps are those of `tpmwire demo`. The STS is moto with authentication, which verifies every signature. The TPM
is swtpm, or tpmwire's own if swtpm is not installed. On a real machine, /dev/tpmrm0 and AWS take their places;
nothing else differs.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from cli.terminal.messages import UsageError  # noqa: E402
from cli.verbs.demo import has_swtpm, show_demo  # noqa: E402
from tests.support.sts import VerifyingSts  # noqa: E402


def main() -> int:
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
