"""The single file on a Python without packages: key and credentials, and what a run loads."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import CREDENTIAL_PROCESS, ROOT, TOOLBOX
from tests.support.sts import VerifyingSts
from tests.support.swtpm import Swtpm
from tools.zipapp import pythons

HANDLE = "--persistentHandle=0x81010002"

# Writes to `out` a line for each module of ours that was loaded: its group of bytecode, or "source". The last line
# has the groups of `names`.
WATCH = """
import os, runpy, sys
leave = os._exit
def dump(code):
    (bytecode,) = (finder for finder in sys.meta_path if hasattr(finder, "groups"))
    with open({out!r}, "w") as out:
        for name, module in sys.modules.items():
            if name.partition(".")[0] in ("cli", "construct", "sigv4", "tpmwire"):
                print(name, bytecode.modules.get(name, ("source",))[0], file=out)
        print("group of", *(bytecode.modules[name][0] for name in {names!r}), file=out)
    leave(code)
os._exit = dump
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class Host:
    """A home whose PATH has the single file under its two names, and a python3 without packages."""

    def __init__(self, home: Path, tpm: Swtpm, sts: VerifyingSts) -> None:
        self.home, self.tpm, self.sts = home, tpm, sts
        self.pyz = home / "tpmwire.pyz"
        subprocess.run([sys.executable, ROOT / "tools/zipapp.py", self.pyz], check=True, capture_output=True)
        for name in (CREDENTIAL_PROCESS, TOOLBOX):
            (home / name).symlink_to(self.pyz)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", home / "venv"], check=True)
        self.options = (f"--tpm-path={tpm.path}", f"--aws-access-key-id={sts.access_key_id}")
        self.endpoint = f"--endpoint-url={sts.endpoint}"

    def run(self, *words: str | Path, stdin: str = "") -> str:
        """Runs a program in the home; returns what it printed. Fails unless it exits with 0."""
        done = self.attempt(*words, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def attempt(self, *words: str | Path, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        """Runs a program in the home to its end."""
        return subprocess.run(
            [*map(str, words)],
            input=stdin,
            check=False,
            cwd=self.home,
            env={"HOME": str(self.home), "PATH": f"{self.home}:{self.home}/venv/bin:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, sts: VerifyingSts) -> Iterator[Host]:
    with Swtpm() as tpm:
        host = Host(tmp_path_factory.mktemp("home"), tpm, sts)
        options = ["--persistent-handle=0x81010002", "--out=key.pem", "--write-profile=tpm"]
        host.run(host.home / TOOLBOX, "import", *host.options, *options, stdin=sts.secret_access_key)
        yield host


def test_a_key_is_imported_and_used(host: Host) -> None:
    """The line that import wrote names the file, and runs without a package of any kind."""
    assert host.run("python3", "-c", "import importlib.util as u; print(u.find_spec('construct'))") == "None\n"
    line = (host.home / ".aws/config").read_text().partition("credential_process = ")[2]
    for command in (line, f"{host.home / CREDENTIAL_PROCESS} {' '.join(host.options)} --credential-file=key.pem"):
        printed = host.run("/bin/sh", "-c", f"{command.strip()} {host.endpoint} --aws-region=us-east-1")
        assert json.loads(printed)["SessionToken"]


# A module of each group that a run need not load: what is rare, and what is for the network.
RARE, NETWORK = "cli.credentials.totp_key", "sigv4.http"
RUNS = {
    "handle": ([HANDLE], [RARE]),
    "key file": (["--credential-file=key.pem"], [RARE]),
    "cached": ([HANDLE, "--cache"], [RARE, NETWORK]),
    "cached, key file": (["--credential-file=key.pem", "--cache"], [RARE, NETWORK]),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_reads_bytecode_of_the_groups_it_needs(host: Host, tmp_path: Path, name: str) -> None:
    words, unused = RUNS[name]
    out = tmp_path / "loaded"
    for program, _ in pythons([]).values():
        watch = WATCH.format(out=str(out), names=unused)
        for _ in range(2 if "--cache" in words else 1):
            command = [
                program,
                "-E",
                "-S",
                "-c",
                watch,
                host.pyz,
                CREDENTIAL_PROCESS,
                *host.options,
                host.endpoint,
            ]
            host.run(*command, *words)
        *lines, last = out.read_text().splitlines()
        loaded = dict(line.split() for line in lines)
        assert {"cli.credential_process", "construct.core"} <= loaded.keys()
        needless = {"source", *last.split()[2:]}
        assert {name for name, group in loaded.items() if group in needless} == set()


PCAP = bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000")
NEEDS = {  # docs/requirements.md has these packages and options
    "cryptography": [
        ["import", "--out=a.pem", "--sigv4a-out=b.pem"],
        ["policy", "sign", "signed.pem", "--key=signer.pem", "--pcrs=sha256:7=" + "ab" * 32],
    ],
    "asn1crypto": [["ek", "--cert=ca.pem"], ["wrap", "--to=host.json", "--ca=ca.pem", "--out=wrapped.pem"]],
    "dpkt": [["decode", "recorded.pcap"]],
    "rich": [["decode", "--color=always", "80010000000c000001440000"]],
}


@pytest.mark.parametrize(("package", "words"), [(package, words) for package in NEEDS for words in NEEDS[package]])
def test_a_missing_package_is_named_in_one_line(host: Host, package: str, words: list[str]) -> None:
    (host.home / "host.json").write_text(host.run(host.home / TOOLBOX, "export-public", host.options[0]))
    (host.home / "recorded.pcap").write_bytes(PCAP)
    for name in ("ca.pem", "signer.pem"):
        (host.home / name).write_text("-----BEGIN X-----\nAAAA\n-----END X-----\n")
    (host.home / "signed.pem").write_bytes((host.home / "key.pem").read_bytes())
    options = {"import": host.options, "ek": host.options[:1]}.get(words[0], ())
    done = host.attempt(host.home / TOOLBOX, *words, *options, stdin=host.sts.secret_access_key)
    assert (done.returncode in (1, 2), done.stdout, done.stderr.count("\n")) == (True, "", 1), done.stderr
    assert package in done.stderr
