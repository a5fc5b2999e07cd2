"""A key file that can be read only once, as a shell's <(...) and a secret store's standard output are."""

import shlex
import subprocess
from pathlib import Path

from tests.support.faults import bench
from tests.support.programs import CREDENTIAL_PROCESS, KEY_ID
from tests.support.scripted import STS_ANSWER, ScriptedServer, http, say


def test_a_key_file_from_a_pipe(tmp_path: Path) -> None:
    with bench(tmp_path) as runs, ScriptedServer(say(http("200 OK", STS_ANSWER))) as sts:
        words = [f"--tpm-path={runs.box.swtpm.path}", f"--aws-access-key-id={KEY_ID}", "--cache"]
        line = shlex.join([str(runs.box.bin / CREDENTIAL_PROCESS), *words, f"--endpoint-url={sts.endpoint}"])
        for _ in range(2):
            done = subprocess.run(
                ["bash", "-c", f"{line} --credential-file <(cat {shlex.quote(str(tmp_path))}/plain.pem)"],
                env=runs.box.environment(XDG_RUNTIME_DIR=str(tmp_path)),
                check=False,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert (done.returncode, done.stderr) == (0, "")
        assert len(sts.requests) == 1
