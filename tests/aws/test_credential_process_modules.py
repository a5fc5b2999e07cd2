"""What a run loads. Start-up is most of its time, so that growth here is to be seen and meant."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from cli.tpm.pins import encode_public
from tests.support import keys
from tests.support.programs import CREDENTIAL_PROCESS, KEY_ID, SECRET, Machine, write_program
from tests.support.scripted import STS_ANSWER, ScriptedServer, http, say
from tpmwire.channel import read_loaded
from tpmwire.tpm import Tpm

pytestmark = pytest.mark.box(SECRET)

DUMP = """
import os
leave = os._exit
def dump(code):
    import sys
    with open({path!r}, "w") as file:
        file.write(" ".join(sys.modules))
    leave(code)
os._exit = dump
"""

OURS = {"cli", "sigv4", "tpmwire"}


def _loaded(box: Machine, directory: Path, *words: str, code: int = 0, around: str = DUMP) -> set[str]:
    """The names that a run writes: with DUMP, the modules that it has loaded at its end."""
    dump = directory / "modules"
    program = write_program(directory, CREDENTIAL_PROCESS, around.format(path=str(dump)), "program")
    with ScriptedServer(say(http("200 OK", STS_ANSWER))) as sts:
        done = box.run(
            f"--tpm-path={box.swtpm.path}",
            f"--aws-access-key-id={KEY_ID}",
            f"--endpoint-url={sts.endpoint}",
            "--timeout=20",
            *words,
            program=program,
        )
    assert (done.returncode, bool(done.stderr)) == (code, code != 0), done.stderr
    return set(dump.read_text().split())


def _bare(before: str) -> set[str]:
    """What Python itself and the machine's site-packages have loaded before a program begins, and `before`."""
    code = f"{before}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


HANDLE = f"--persistentHandle={keys.PLAIN_HANDLE:#x}"

NAMES = """
    cli cli.credential_process cli.credentials cli.credentials.key cli.credentials.options cli.credentials.output
    cli.credentials.settings cli.credentials.sts cli.terminal cli.terminal.memory cli.terminal.messages
    cli.terminal.options
    cli.terminal.streams cli.tpm cli.tpm.cleanup cli.tpm.path
    sigv4 sigv4.authorities sigv4.canonical sigv4.characters sigv4.client sigv4.credentials sigv4.endpoints
    sigv4.errors sigv4.http sigv4.http_message sigv4.operation sigv4.partitions sigv4.proxy sigv4.request
    sigv4.retry sigv4.signer sigv4.sockets sigv4.sts sigv4.times sigv4.xml
    tpmwire tpmwire.channel tpmwire.constructs tpmwire.crypto tpmwire.crypto.formulas tpmwire.errors
    tpmwire.exchange tpmwire.keys tpmwire.keys.templates tpmwire.primary tpmwire.record tpmwire.secret
    tpmwire.sessions tpmwire.tpm tpmwire.typed tpmwire.use tpmwire.use.hmac tpmwire.use.key tpmwire.use.run
    tpmwire.wire tpmwire.wires
    tpmwire.spec tpmwire.spec.command tpmwire.spec.constants tpmwire.spec.numbers tpmwire.spec.structures
    tpmwire.spec.versioned
    tpmwire.spec.codes tpmwire.spec.commands tpmwire.spec.commands.sessions tpmwire.spec.commands.symmetric
    tpmwire.transport tpmwire.transport.base tpmwire.transport.sockets
"""
PLAIN = set(NAMES.split())
PROTECTED = PLAIN | {
    "tpmwire.crypto.pure",
    "tpmwire.crypto.pure.comb",
    "tpmwire.crypto.pure.curves",
    "tpmwire.crypto.salt",
    "tpmwire.spec.commands.objects",
}
FILE = PROTECTED | {
    "cli.terminal.files",
    "sigv4.files",
    "tpmwire.crypto.der",
    "tpmwire.keys.keyfile",
    "tpmwire.spec.commands.context",
    "tpmwire.spec.commands.hierarchy",
}

WAYS = {
    "handle": ([HANDLE, "--no-session-encryption"], PLAIN),
    "handle, protected": ([HANDLE], PROTECTED),
    "file, protected": (["--credential-file={home}/plain.pem"], FILE),
    "PCR, protected": (
        [f"--persistentHandle={keys.PCR_HANDLE:#x}", "--pcrs=23"],
        PROTECTED
        | {
            "tpmwire.policy",
            "tpmwire.policy.pcr_selection",
            "tpmwire.use.policy",
            "tpmwire.spec.commands.policies",
            "tpmwire.spec.properties",
        },
    ),
}

NEVER = {
    *("boto3", "botocore", "cryptography", "hypothesis"),
    *("asyncio", "concurrent", "ctypes", "importlib.metadata", "logging", "subprocess", "tempfile", "threading"),
    *("bz2", "lzma", "shutil", "zlib"),
    *("calendar", "datetime", "gettext", "json", "locale", "typing"),
    *("http", "email", "urllib.request", "uuid", "xml"),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_modules_of_a_run(box: Machine, tmp_path: Path, way: str) -> None:
    words, expected = WAYS[way]
    loaded = _loaded(box, tmp_path, *(word.format(home=box.home) for word in words)) - _bare("")
    assert {name for name in loaded if name.partition(".")[0] in OURS} == expected
    assert {name for name in loaded if any(name == no or name.startswith(no + ".") for no in NEVER)} == set()


def test_the_modules_of_a_run_with_the_line_that_import_writes(box: Machine, tmp_path: Path) -> None:
    with Tpm.open(box.swtpm.path, 20) as tpm:
        root, key = (read_loaded(tpm, handle) for handle in (keys.SRK_HANDLE, keys.PLAIN_HANDLE))
    pin = f"--tpm-session-encrypt-with-public={encode_public(root.public, root.handle)}"
    loaded = _loaded(box, tmp_path, HANDLE, pin, f"--key-name={key.name.hex()}") - _bare("")
    expected = PROTECTED - {"tpmwire.spec.commands.objects"} | {"cli.tpm.pins"}  # reads no public area
    assert {name for name in loaded if name.partition(".")[0] in OURS} == expected


WARM_NAMES = """
    cli cli.credential_process cli.credentials cli.credentials.key cli.credentials.options cli.credentials.output
    cli.credentials.cache cli.credentials.cache.content cli.credentials.cache.keys cli.credentials.cache.purpose
    cli.credentials.cache.run cli.credentials.cache.sealed cli.credentials.cache.store
    cli.credentials.settings cli.credentials.sts cli.terminal cli.terminal.memory cli.terminal.messages
    cli.terminal.options
    cli.terminal.streams cli.tpm cli.tpm.cleanup cli.tpm.path
    sigv4 sigv4.credentials
    tpmwire tpmwire.channel tpmwire.constructs tpmwire.crypto tpmwire.crypto.formulas tpmwire.errors
    tpmwire.exchange tpmwire.keys tpmwire.keys.templates tpmwire.primary tpmwire.record tpmwire.secret
    tpmwire.sessions tpmwire.tpm tpmwire.typed tpmwire.use tpmwire.use.hmac tpmwire.use.key tpmwire.use.run
    tpmwire.wire tpmwire.wires
    tpmwire.spec tpmwire.spec.command tpmwire.spec.constants tpmwire.spec.numbers tpmwire.spec.structures
    tpmwire.spec.versioned
    tpmwire.spec.codes tpmwire.spec.commands tpmwire.spec.commands.sessions tpmwire.spec.commands.symmetric
    tpmwire.transport tpmwire.transport.base tpmwire.transport.sockets
"""
WARM = set(WARM_NAMES.split())
REMEMBERED = WARM | {
    *("cli.credentials.cache.key_data", "tpmwire.use.cached_key", "tpmwire.spec.commands.context"),
    *("tpmwire.crypto.pure", "tpmwire.crypto.pure.comb", "tpmwire.crypto.pure.curves", "tpmwire.crypto.salt"),
}
READ = {"cli.terminal.files", "sigv4.files", "tpmwire.crypto.der", "tpmwire.keys.keyfile"}
WARM_WAYS = {
    "handle, in clear": ([HANDLE, "--no-session-encryption"], WARM),
    "handle": ([HANDLE], REMEMBERED),
    "file": (["--credential-file={home}/plain.pem"], REMEMBERED | READ),
}


@pytest.mark.parametrize("way", WARM_WAYS)
def test_a_warm_run_loads_nothing_for_the_network(
    box: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(box, "environment", partial(box.environment, XDG_RUNTIME_DIR=str(tmp_path)))
    options, expected = WARM_WAYS[way]
    # One server for both: its address is among the options that a cache is for.
    with ScriptedServer(say(http("200 OK", STS_ANSWER))) as sts:
        words = (*(word.format(home=box.home) for word in options), "--cache", f"--endpoint-url={sts.endpoint}")
        _loaded(box, tmp_path, *words)
        warm = _loaded(box, tmp_path, *words) - _bare("")
    assert {name for name in warm if name.partition(".")[0] in OURS} == expected
    no = NEVER | {"ssl", "_ssl"}
    assert {name for name in warm if any(name == n or name.startswith(n + ".") for n in no)} == set()


def test_a_run_loads_no_debugger(box: Machine, tmp_path: Path) -> None:
    """construct imports one, and with it dataclasses: several milliseconds, and more for each class."""
    unused = {"dataclasses", "inspect", "pdb", "pickle", "platform", "traceback"}
    loaded = _loaded(box, tmp_path, HANDLE)
    assert not loaded & unused
    assert unused <= _bare("import construct")
    assert {"socket", "construct"} <= loaded


# Writes the names of the modules for which Python compiles a regular expression.
WATCH = """
import os, re, sys
leave, compile, callers = os._exit, re._compiler.compile, set()
def watched(*given):
    frame = sys._getframe(1)
    while frame.f_globals["__name__"].partition(".")[0] == "re":
        frame = frame.f_back
    callers.add(frame.f_globals["__name__"])
    return compile(*given)
def dump(code):
    with open({path!r}, "w") as file:
        file.write(" ".join(callers))
    leave(code)
re._compiler.compile, os._exit = watched, dump
"""


def test_a_run_compiles_no_regular_expressions_of_ours(box: Machine, tmp_path: Path) -> None:
    """Each would take up to 0.7 ms. For a name or a date, `sigv4.characters` will do."""
    callers = _loaded(box, tmp_path, HANDLE, around=WATCH)
    assert "argparse" in callers
    assert {name for name in callers if name.partition(".")[0] in OURS} == set()


ATTRIBUTES = DUMP.replace("sys.modules", 'vars(sys.modules["ipaddress"])')


def test_a_run_loads_ipaddress_only_for_a_host_in_brackets(box: Machine, tmp_path: Path) -> None:
    """urllib.parse imports it, so it is in sys.modules."""
    assert "IPv6Address" not in _loaded(box, tmp_path, HANDLE, around=ATTRIBUTES)


def test_a_run_without_a_tpm_loads_no_layer(box: Machine, tmp_path: Path) -> None:
    loaded = _loaded(box, tmp_path, HANDLE, "--tpm-path=/dev/tpm-missing", code=3)
    assert {name for name in loaded if name.startswith("tpmwire.")} == {"tpmwire.secret", "tpmwire.typed"}
    assert not loaded & {"construct", "socket", "ssl"}
