"""`tpmwire serve` with few descriptors and more silent clients: it answers and renews, and loses no descriptor."""

import contextlib
import signal
import socket
from pathlib import Path

from tests.support.keys import PLAIN_HANDLE
from tests.support.programs import TOOLBOX, machine, write_program
from tests.support.serving import Serving, await_
from tests.support.sts import VerifyingSts

FEW = "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))"


def test_it_outlives_a_time_without_descriptors(tmp_path: Path) -> None:
    with VerifyingSts() as sts, machine(tmp_path, sts.secret_access_key) as at, contextlib.ExitStack() as stack:
        write_program(at.bin, TOOLBOX, FEW)
        systemd = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        systemd.bind(str(tmp_path / "notify"))
        words = [f"--tpm-path={at.swtpm.path}", f"--endpoint-url={sts.endpoint}", "--timeout=20s"]
        words += [f"--aws-access-key-id={sts.access_key_id}", f"--persistentHandle={PLAIN_HANDLE:#x}"]
        words += ["--assumeRole=true", f"--aws-arn={sts.role_arn}"]
        with Serving(at, *words, NOTIFY_SOCKET=str(tmp_path / "notify")) as service:
            first = service.ask()
            before = len(list(Path(f"/proc/{service.process.pid}/fd").iterdir()))
            with contextlib.ExitStack() as clients:
                for _ in range(30):
                    clients.enter_context(socket.create_connection(("127.0.0.1", service.port)))
                assert service.ask() == first
                service.process.send_signal(signal.SIGHUP)
                old = first[1]["AccessKeyId"]
                await_(lambda: service.ask()[1]["AccessKeyId"] != old, lambda: service.text, 90)
                assert service.process.poll() is None
            await_(
                lambda: len(list(Path(f"/proc/{service.process.pid}/fd").iterdir())) <= before, lambda: "closed"
            )
            assert "Traceback" not in service.text
