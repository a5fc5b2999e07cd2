"""A virtual machine with a TPM: QEMU's tpm-tis before a swtpm, read through its serial console."""

import json
import os
import queue
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from ..support.lacking import Lacking
from ..support.swtpm import Swtpm
from .image import Image
from .valve import Valve

MARK = "@@ "
"""Begins a line of the console that holds a report of the guest's, as JSON."""


class MachineError(Exception):
    """The machine ended or fell silent before the guest's last report; the text holds its console."""


class Machine:
    """Boots an image with the files of `job` under /job; alive inside `with`.

    `tpm` is its swtpm, `valve` what holds back that TPM's answers, `console` all its lines so far. `lacking` is
    what its TPM lacks.
    """

    def __init__(self, image: Image, job: dict[str, bytes], lacking: Lacking | None = None) -> None:
        self.tpm = Swtpm("qemu")
        self.valve: Valve
        self.console: list[str] = []
        self._image = image
        self._lacking = lacking
        self._job = job
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.tpm.__enter__()
        self.valve = Valve(self.tpm.path, self._lacking)
        self.valve.__enter__()
        try:
            # In /dev/shm where there is one: QEMU reads it once, and it holds the guest's secret.
            shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
            with tempfile.NamedTemporaryFile(dir=shared, prefix="initramfs-") as initramfs:
                initramfs.write(self._image.initramfs(self._job))
                initramfs.flush()
                self._start(initramfs.name)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    def _start(self, initramfs: str) -> None:
        # No -enable-kvm: it hangs on machines that are virtual themselves, and emulation is fast enough.
        command = ["qemu-system-x86_64", "-m", "1024", "-nographic", "-no-reboot", "-nic", "user,model=e1000"]
        command += ["-kernel", str(self._image.kernel), "-initrd", initramfs]
        # The kernel would take random numbers from the TPM every minute, at moments that no step chooses.
        command += ["-append", "console=ttyS0 quiet panic=-1 rng_core.default_quality=0"]
        command += ["-chardev", f"socket,id=c,path={self.valve.path}", "-tpmdev", "emulator,id=t,chardev=c"]
        command += ["-device", "tpm-tis,tpmdev=t"]
        # A session of its own, as swtpm has: Ctrl-C is for the test.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()
        self._next(30)  # The firmware's first line: by now the initramfs is read.

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._lines.put(line.rstrip("\r\n"))
        self._lines.put(None)

    def _next(self, seconds: float) -> str:
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            raise MachineError(f"no word for {seconds:.0f} s; the console said:\n" + self._tail()) from None
        if line is None:
            raise MachineError("the machine ended; the console said:\n" + self._tail())
        self.console.append(line)
        return line

    def reports(self, seconds: float = 1500) -> Iterator[dict[str, Any]]:
        """The guest's reports as they come, up to the one named "end".

        Raises MachineError where that does not come within `seconds`.
        """
        deadline = time.monotonic() + seconds
        while True:
            line = self._next(max(0.0, deadline - time.monotonic()))
            if line.startswith(MARK):
                report: dict[str, Any] = json.loads(line.removeprefix(MARK))
                if report["report"] == "end":
                    return
                yield report

    def _tail(self) -> str:
        return "\n".join(self.console[-60:])

    def close(self) -> None:
        """Switch it off and remove its TPM."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None
        self.valve.__exit__(None, None, None)
        self.tpm.close()
