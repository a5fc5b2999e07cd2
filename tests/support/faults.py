"""Whole runs of the program while something is wrong: what it said, what it cost, what it left behind."""

import contextlib
import os
import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support import keys
from tests.support.interposer import Interposer
from tests.support.programs import CREDENTIAL_PROCESS, KEY_ID, SECRET, Machine, left_behind, machine

__all__ = ["MARGIN", "Bench", "Fault", "Seen", "bench"]

MARGIN = 30.0
"""Seconds that a busy machine may take for what an idle one does in 0.3."""

_SECRETS = (SECRET, "made+up/secret", "made//up+token")
"""The key's, and those of tests.support.scripted.STS_ANSWER."""


class Fault(NamedTuple):
    """What a run shows of a fault; the rows of docs/faults.md are these.

    code       exit code
    says       a part of what is on stderr; in place of a number that differs from run to run stands #
    requests   requests that reached STS
    hmacs      TPM2_HMAC commands; nothing may be left in the TPM in any case
    within     seconds that the timeouts allow; MARGIN is added
    """

    code: int
    says: str
    requests: int = 1
    hmacs: int = 1
    within: float = 1.0


class Seen(NamedTuple):
    """A run that has ended."""

    code: int
    out: str
    err: str
    seconds: float


class Bench:
    """A machine, and somebody who counts on the bus to its TPM."""

    def __init__(self, box: Machine, bus: Interposer) -> None:
        self.box, self.bus = box, bus

    def words(self, url: str, *words: str) -> list[str]:
        """Options of a run with a key at a handle, in clear, so that it takes one command."""
        return [
            f"--tpm-path={self.bus.path}",
            f"--aws-access-key-id={KEY_ID}",
            f"--endpoint-url={url}",
            f"--persistentHandle={keys.PLAIN_HANDLE:#x}",
            "--no-session-encryption",
            *words,
        ]

    def run(self, url: str, *words: str, program: Path | None = None, **environment: str) -> Seen:
        """A run whose STS is at `url`."""
        self.bus.clear()
        start = time.monotonic()
        done = self.box.run(*self.words(url, *words), program=program, **environment)
        return Seen(done.returncode, done.stdout, done.stderr, time.monotonic() - start)

    def by_shell(self, line: str) -> Path:
        """A program that is this line of shell, in which `"$PROGRAM" "$@"` is ours with its words."""
        path = self.box.home / "by-shell"
        path.write_text(f"#!/bin/sh\nPROGRAM={self.box.bin / CREDENTIAL_PROCESS}\nexport PROGRAM\n{line}\n")
        path.chmod(0o755)
        return path

    def within(self, *preparation: str) -> Path:
        """Our program where these shell commands have run: in a mount namespace of its own, as root in it."""
        root = "" if os.geteuid() == 0 else "--map-root-user "
        lines = " && ".join((*preparation, 'exec "$PROGRAM" "$@"'))
        return self.by_shell(f'exec unshare {root}--mount sh -c {shlex.quote(lines)} sh "$@"')

    def holds(self, fault: Fault, seen: Seen, requests: int) -> None:
        """Asserts that the run was as `fault` says, in one line, without secrets, and left the TPM empty."""
        assert (seen.code, requests) == (fault.code, fault.requests), seen
        pattern = re.escape(fault.says).replace(r"\#", r"[\d.]+")
        assert re.search(pattern, seen.err), seen.err
        if fault.code:
            assert seen.out == ""
            assert re.fullmatch(rf"({CREDENTIAL_PROCESS}: warning: .*\n)*{CREDENTIAL_PROCESS}: .*\n", seen.err)
        assert not [secret for secret in _SECRETS if secret in seen.err]
        assert seen.seconds < fault.within + MARGIN
        # This waits until the program, or what it left in the background, has given the TPM back.
        assert left_behind(self.box.swtpm.path) == []
        assert self.bus.codes == ["HMAC"] * fault.hmacs


@contextlib.contextmanager
def bench(home: Path) -> Iterator[Bench]:
    """A bench whose machine's home is `home`."""
    with machine(home) as box, Interposer(box.swtpm.path) as bus:
        yield Bench(box, bus)
