"""Disks that are full or read-only, other users' files, outputs that are closed: a cache is only a cache."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.faults import Bench, Fault
from tests.support.programs import CREDENTIAL_PROCESS
from tests.support.scripted import STS_ANSWER, ScriptedServer, http, say

OK = say(http("200 OK", STS_ANSWER))
NOBODY = 65534
# With the right to read everything, so that it is not the kernel alone that keeps other users' files away.
AS_NOBODY = (
    f"exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups --inh-caps=+dac_read_search "
    '--ambient-caps=+dac_read_search "$PROGRAM" "$@"'
)


@pytest.fixture(scope="module", autouse=True)
def bus_for_all_users(runs: Bench) -> None:
    Path(runs.bus.path).chmod(0o777)


OUTPUTS = {
    "stdout is full": ('"$PROGRAM" "$@" >/dev/full', Fault(1, "stdout: No space left on device")),
    "stdout is closed": ('"$PROGRAM" "$@" >&-', Fault(2, "standard output is closed; redirect it", 0, 0)),
    "stdout cannot be written to": ('"$PROGRAM" "$@" 1</dev/null', Fault(1, "stdout: Bad file descriptor")),
}

KEPT_NOT = "cache: could not cache the credentials: cannot write to "
RUN = "$XDG_RUNTIME_DIR"
NO_CACHE = "cache: not used: cannot open "
NOT_MINE = "tpmwire must belong to you, with mode 0700; run chmod 700 on it, or remove it"

DISKS = {
    "the cache's disk is full": (
        ["mount -t tmpfs -o size=8k,mode=700 tmpfs {run}", "mkdir -m 700 {run}/tpmwire",
         "(head -c 9000 /dev/zero >{run}/fill 2>/dev/null || true)"],
        Fault(0, KEPT_NOT + RUN + "/tpmwire: No space left on device", 1, 2),
    ),
    "the cache's disk has no free inode": (
        ["mount -t tmpfs -o nr_inodes=3,mode=700 tmpfs {run}", "mkdir -m 700 {run}/tpmwire", "touch {run}/fill"],
        Fault(0, "cache: not used: cannot open a lock file in " + RUN + "/tpmwire: No space left on device"),
    ),
    "the cache's disk is read-only": (
        ["mount -t tmpfs -o ro,mode=700 tmpfs {run}"],
        Fault(0, NO_CACHE + RUN + "/tpmwire: Read-only file system"),
    ),
    "the cache directory is a file": (
        ["touch {run}/tpmwire"],
        Fault(0, NO_CACHE + RUN + "/tpmwire: Not a directory"),
    ),
    "the cache directory is a link": (
        ["mkdir -m 700 {run}/real", "ln -s real {run}/tpmwire"],
        Fault(0, NO_CACHE + RUN + "/tpmwire: Not a directory"),
    ),
    "the cache directory is open to others": (
        ["mkdir -m 755 {run}/tpmwire"], Fault(0, "cache: not used: " + RUN + "/" + NOT_MINE)
    ),
    "the cache directory is another user's": (
        ["mkdir -m 700 {run}/tpmwire", f"chown {NOBODY} {{run}}/tpmwire"],
        Fault(0, "cache: not used: " + RUN + "/" + NOT_MINE),
    ),
}  # fmt: skip


def _said(fault: Fault, directory: Path) -> Fault:
    return fault._replace(says=fault.says.replace(RUN, str(directory)))


@pytest.mark.parametrize("name", OUTPUTS)
def test_output(runs: Bench, name: str) -> None:
    line, fault = OUTPUTS[name]
    with ScriptedServer(OK) as sts:
        seen = runs.run(sts.endpoint, "--timeout=5s", program=runs.by_shell(line))
        runs.holds(fault, seen, len(sts.requests))


@pytest.mark.parametrize("name", DISKS)
def test_disk(runs: Bench, tmp_path: Path, name: str) -> None:
    preparation, fault = DISKS[name]
    program = runs.within(*(line.format(run=tmp_path) for line in preparation))
    with ScriptedServer(OK) as sts:
        seen = runs.run(sts.endpoint, "--timeout=5s", "--cache", program=program, XDG_RUNTIME_DIR=str(tmp_path))
        runs.holds(_said(fault, tmp_path), seen, len(sts.requests))
    assert json.loads(seen.out)["AccessKeyId"] == "ASIAMADEUPMADEUP0000"
    assert seen.err.count("\n") == 1


USERS = {
    "another user's runtime directory": ("700", Fault(0, NO_CACHE + RUN + "/tpmwire: Permission denied")),
    "a runtime directory that cannot be written": (
        "755",
        Fault(0, NO_CACHE + RUN + "/tpmwire: Permission denied"),
    ),
}


@pytest.mark.parametrize("name", USERS)
def test_user(runs: Bench, tmp_path: Path, name: str) -> None:
    """Of root, for a run by nobody."""
    mode, fault = USERS[name]
    directory = tmp_path / "run"
    directory.mkdir(int(mode, 8))
    with ScriptedServer(OK) as sts:
        seen = runs.run(
            sts.endpoint,
            "--timeout=5s",
            "--cache",
            program=runs.by_shell(AS_NOBODY),
            XDG_RUNTIME_DIR=str(directory),
        )
        runs.holds(_said(fault, directory), seen, len(sts.requests))


def _kept(runs: Bench, directory: Path, url: str) -> Path:
    """The file in which a run by root has kept its credentials."""
    seen = runs.run(url, "--timeout=5s", "--cache", XDG_RUNTIME_DIR=str(directory))
    assert (seen.code, seen.err) == (0, "")
    (file,) = [path for path in (directory / "tpmwire").iterdir() if path.suffix == ""]
    return file


def test_roots_cache_is_not_nobodys(runs: Bench, tmp_path: Path) -> None:
    """Even where nobody may read it, as the capability of this test's user lets it."""
    with ScriptedServer(OK) as sts:
        _kept(runs, tmp_path, sts.endpoint)
        program = runs.by_shell(AS_NOBODY)
        seen = runs.run(sts.endpoint, "--timeout=5s", "--cache", program=program, XDG_RUNTIME_DIR=str(tmp_path))
        runs.holds(Fault(0, f"cache: not used: {tmp_path}/{NOT_MINE}"), seen, len(sts.requests) - 1)


def test_nobodys_file_is_not_roots(runs: Bench, tmp_path: Path) -> None:
    """A file that another user has put into our directory, or to which he still has a descriptor."""
    with ScriptedServer(OK) as sts:
        os.chown(_kept(runs, tmp_path, sts.endpoint), NOBODY, NOBODY)
        seen = runs.run(sts.endpoint, "--timeout=5s", "--cache", XDG_RUNTIME_DIR=str(tmp_path))
    assert (seen.code, len(sts.requests)) == (0, 2)
    assert "must be a regular file that you own, with mode 0600; remove it" in seen.err


DAMAGED = "cache: ignored: damaged, or sealed by a different key or TPM, or before the last reset; replacing it"

CUTS: dict[str, tuple[Callable[[bytes], bytes], Fault]] = {
    "an empty cache": (lambda octets: b"", Fault(0, DAMAGED, 1, 2)),
    "a cache truncated in its header": (lambda octets: octets[:50], Fault(0, DAMAGED, 1, 2)),
    "a cache truncated in its data": (lambda octets: octets[:-40], Fault(0, DAMAGED, 1, 3)),
    "a cache truncated in its tag": (lambda octets: octets[:-1], Fault(0, DAMAGED, 1, 3)),
    "a cache with trailing bytes": (lambda octets: octets + b"x", Fault(0, DAMAGED, 1, 3)),
    "a cache that is too large": (lambda octets: octets + bytes(1 << 20), Fault(0, DAMAGED, 1, 2)),
}


@pytest.mark.parametrize("name", CUTS)
def test_cut(runs: Bench, tmp_path: Path, name: str) -> None:
    """tests/unit/test_cache_sealed.py has each octet changed and each length."""
    change, fault = CUTS[name]
    with ScriptedServer(OK) as sts:
        file = _kept(runs, tmp_path, sts.endpoint)
        file.write_bytes(change(file.read_bytes()))
        seen = runs.run(sts.endpoint, "--timeout=5s", "--cache", XDG_RUNTIME_DIR=str(tmp_path))
        runs.holds(fault, seen, len(sts.requests) - 1)
        assert seen.err == f"{CREDENTIAL_PROCESS}: {DAMAGED}\n"
        again = runs.run(sts.endpoint, "--timeout=5s", "--cache", XDG_RUNTIME_DIR=str(tmp_path))
        assert (again.code, again.err, len(sts.requests)) == (0, "", 2)


@pytest.mark.parametrize("home", [None, "/nonexistent"])
def test_no_home(runs: Bench, home: str | None) -> None:
    """Of a service user: its home is what the password database says, and there is none."""
    there = "env -u HOME" if home is None else f"env HOME={home}"
    program = runs.by_shell(AS_NOBODY.replace("exec", f"exec {there}", 1))
    with ScriptedServer(OK) as sts:
        plain = runs.run(sts.endpoint, "--timeout=5s", program=program)
        cached = runs.run(sts.endpoint, "--timeout=5s", "--cache", program=program)
    assert (plain.code, plain.err, cached.code) == (0, "", 0)
    assert f"{NO_CACHE}/nonexistent/.cache/tpmwire: Permission denied" in cached.err


def test_a_file_that_may_not_grow(runs: Bench, tmp_path: Path) -> None:
    with ScriptedServer(OK) as sts:
        program = runs.by_shell('ulimit -f 0; exec "$PROGRAM" "$@"')
        seen = runs.run(sts.endpoint, "--timeout=5s", "--cache", program=program, XDG_RUNTIME_DIR=str(tmp_path))
        runs.holds(Fault(0, KEPT_NOT + f"{tmp_path}/tpmwire: File too large", 1, 2), seen, len(sts.requests))
    assert not [path for path in (tmp_path / "tpmwire").iterdir() if path.suffix != ".lock"]


FAULTS = {name: fault for name, (_, fault) in (*OUTPUTS.items(), *DISKS.items(), *USERS.items(), *CUTS.items())}
