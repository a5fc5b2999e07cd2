"""A fleet of key pairs in software: what is wrong with one host costs no other, and a killed run goes on."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.targets import SECRET, host
from tests.support.verbs import PROGRAM, Tool, shell, started
from tpmwire.keys.keyfile import parse
from tpmwire.keys.templates import h2_primary

BAD: dict[str, bytes] = {
    "no JSON": b"{",
    "no object": b"[1]",
    "deep": 50_000 * b"[",
    "no UTF-8": b'{"host": "\xff\xfe", "public": "00"}',
    "half a character": json.dumps(host("x", secret="\ud800")).encode(),
    "a number for a public area": json.dumps(host("x", public=5)).encode(),
    "a list for a kind": json.dumps(host("x", kind=["h2"])).encode(),
    "a parent beyond": json.dumps(host("x", parent="0x1ffffffff")).encode(),
    "a parent below": json.dumps(host("x", parent=-1)).encode(),
    "a parent that is none": json.dumps(host("x", parent="0x02000000")).encode(),
    "an object for a certificate": json.dumps(host("x", certificate={"a": 1})).encode(),
    "another alphabet's certificate": json.dumps(host("x", certificate="\u0436")).encode(),
    "a name that is a path": json.dumps(host("../x")).encode(),
    "a point off the curve": json.dumps(host("x", public=h2_primary().build().hex(), name=None)).encode(),
}


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("form", ["lines", "directory"])
def test_bad_hosts_cost_no_other(tmp_path: Path, form: str, jobs: str) -> None:
    good = [host(f"host-{number}") for number in range(70)]
    whole = [json.dumps(one).encode() for one in good]
    fleet, out = tmp_path / "fleet", tmp_path / "out"
    # Each bad one among its neighbours, and every name once.
    bad = [line.replace(b'"host": "x"', b'"host": "bad-%d"' % at) for at, line in enumerate(BAD.values())]
    if form == "lines":
        fleet = tmp_path / "fleet.jsonl"
        fleet.write_bytes(b"\n".join([*whole[:35], *bad, *whole[35:]]))
    else:
        fleet.mkdir()
        for at, line in enumerate([*whole[:35], *bad, *whole[35:]]):
            (fleet / f"{at:03}.json").write_bytes(line)
        (fleet / "gone.json").symlink_to("nowhere")
        bad.append(b"")
    ran = shell(
        "wrap", "--fleet", fleet, "--out", out, "--jobs", jobs, stdin=SECRET
    )  # forks, which pytest must not
    assert ran.code == 1
    assert f"70 of {70 + len(bad)} hosts wrapped" in ran.err
    assert "\r" not in ran.err
    assert {path.name for path in out.glob("*.pem")} == {f"{one['host']}.pem" for one in good}
    entries = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert len(entries) == 70 + len(bad)
    assert sum("error" in entry for entry in entries) == len(bad)
    assert SECRET.decode() not in ran.err


def test_a_certificate_that_is_none_is_told(tool: Tool, tmp_path: Path) -> None:
    lines = [host("a", certificate="x"), host("b", certificate="-----BEGIN CERTIFICATE-----\n"), host("c")]
    (tmp_path / "fleet.jsonl").write_text("\n".join(map(json.dumps, lines)))
    fleet = ("--fleet", tmp_path / "fleet.jsonl", "--out", tmp_path / "out")
    ran = tool("wrap", *fleet, "--ca", Authority(tmp_path, "maker").bundle, stdin=SECRET)
    assert ran.code == 1
    assert "0 of 3 hosts wrapped" in ran.err
    assert {line.partition(":")[0] for line in ran.err.splitlines()[:3]} == {"a", "b", "c"}
    assert not list((tmp_path / "out").glob("*.pem"))


def write_fleet(tmp_path: Path) -> list[str]:
    """Writes a fleet of 600 hosts; returns the verb that wraps a key for each with two workers."""
    (tmp_path / "fleet.jsonl").write_text("\n".join(json.dumps(host(f"h{number}")) for number in range(600)))
    return ["wrap", "--fleet", str(tmp_path / "fleet.jsonl"), "--out", str(tmp_path / "out"), "--jobs", "2"]


@contextlib.contextmanager
def begin(words: list[str], manifest: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own that has wrapped keys for some hosts."""
    with started([*PROGRAM, *words], stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write(SECRET)
        process.stdin.close()
        deadline = time.monotonic() + 60
        while not manifest.exists() or manifest.stat().st_size < 4000:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        yield process


def children(process: subprocess.Popen[bytes]) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def test_a_killed_worker_ends_the_run(tmp_path: Path) -> None:
    """As the kernel does when memory runs out. The run neither waits for the worker nor counts its hosts."""
    words = write_fleet(tmp_path)
    with begin(words, tmp_path / "out" / "manifest.jsonl") as process:
        os.kill(children(process)[0], signal.SIGKILL)
        assert process.stderr
        said = process.stderr.read().decode()
    assert process.returncode == 1
    assert "a worker process was killed (out of memory?); repeat the command with --resume" in said
    ran = shell(*words, "--resume", stdin=SECRET)
    assert ran.code == 0, ran.err
    assert len(list((tmp_path / "out").glob("*.pem"))) == 600


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    """SIGKILL in the middle: what is done stays as it is, the rest follows, and every line can be read."""
    words = write_fleet(tmp_path)
    out, manifest = tmp_path / "out", tmp_path / "out" / "manifest.jsonl"
    with begin(words, manifest) as process:
        workers = children(process)
        process.kill()
    assert len(workers) == 2
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{worker}/exe").exists() for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    whole = [json.loads(line) for line in manifest.read_text().splitlines(keepends=True) if line.endswith("\n")]
    assert 0 < len(whole) < 600
    with open(manifest, "a") as file:
        file.write('{"host": "h599", "fi')  # as a full disk or a power cut would leave it
    before = {entry["file"]: (out / entry["file"]).read_bytes() for entry in whole}
    ran = shell(*words, "--resume", stdin=SECRET)
    assert ran.code == 0, ran.err
    assert f"{len(whole)} of 600 hosts are done already" in ran.err
    assert len([parse(path.read_bytes()) for path in out.glob("*.pem")]) == 600
    assert {name: (out / name).read_bytes() for name in before} == before
    again = shell(*words, "--resume", stdin=SECRET)
    assert "600 of 600 hosts are done already" in again.err
    assert not list(out.glob("*.tmp"))


def test_one_run_at_a_time(tool: Tool, tmp_path: Path) -> None:
    """Another run, or what a killed one left behind, holds the manifest: a run waits for its end."""
    (tmp_path / "fleet.jsonl").write_text("\n".join(json.dumps(host(f"h{number}")) for number in range(3)))
    out = tmp_path / "out"
    words = ["wrap", "--fleet", str(tmp_path / "fleet.jsonl"), "--out", str(out), "--jobs", "1"]
    assert tool(*words, stdin=SECRET).code == 0
    manifest = out / "manifest.jsonl"
    entries = manifest.read_text().splitlines(keepends=True)
    manifest.write_text(entries[0])
    with open(manifest, "ab", buffering=0) as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        again = subprocess.Popen(
            [*PROGRAM, *words, "--resume"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert again.stdin
        assert again.stderr
        again.stdin.write(SECRET.decode())
        again.stdin.close()
        assert "in use by another run" in again.stderr.readline()
        other.write("".join(entries[1:]).encode())
    with again:
        assert "3 of 3 hosts are done already" in again.stderr.read()
    assert again.returncode == 0
    assert manifest.read_text() == "".join(entries)


def test_progress_is_shown_on_a_terminal_only(tmp_path: Path) -> None:
    (tmp_path / "fleet.jsonl").write_text("\n".join(json.dumps(host(f"h{number}")) for number in range(20)))
    words = [*PROGRAM, "wrap", "--fleet", str(tmp_path / "fleet.jsonl"), "--jobs", "1"]
    quiet = subprocess.run([*words, "--out", str(tmp_path / "a")], input=SECRET, capture_output=True, check=True)
    assert quiet.stdout == b""
    assert quiet.stderr.count(b"\n") == 1
    assert b"\r" not in quiet.stderr
    soon = "from cli.terminal import progress; progress.DELAY = progress.INTERVAL = 0.001; "
    words = [sys.executable, "-c", soon + PROGRAM[-1], *words[len(PROGRAM) :]]
    reader, writer = pty.openpty()
    try:
        shown = subprocess.run(
            [*words, "--out", str(tmp_path / "b")],
            input=SECRET,
            stdout=subprocess.PIPE,
            stderr=writer,
            check=True,
            env={**os.environ, "TERM": "xterm"},
        )
        assert select.select([reader], [], [], 10)[0]
        seen = os.read(reader, 65536)
    finally:
        os.close(reader)
        os.close(writer)
    assert shown.stdout == b""
    assert re.search(rb"\r\x1b\[Kwrapping keys: [0-9]+ %, 0 s", seen)
    assert b"\r\x1b[K20 of 20 hosts wrapped" in seen
