"""What a run of `roles-anywhere credential-process` loads: start-up is most of its time."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import TOOLBOX, Machine, machine, write_program
from tests.support.roles_anywhere import ANCHOR, PROFILE, ROLE, Authority, VerifyingRolesAnywhere, pem
from tests.support.signing_keys import make_signing_key, public_key_of_file
from tpmwire.tpm import Tpm

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
HANDLE = 0x81010070
NAMES = """
    cli cli.credentials cli.credentials.key cli.credentials.options cli.credentials.output
    cli.credentials.roles_anywhere cli.credentials.roles_anywhere.certificate cli.credentials.roles_anywhere.key
    cli.credentials.roles_anywhere.options cli.credentials.roles_anywhere.session
    cli.credentials.roles_anywhere.settings cli.credentials.settings cli.credentials.sts cli.terminal
    cli.terminal.files cli.terminal.memory
    cli.terminal.messages cli.terminal.options cli.terminal.streams cli.toolbox
    cli.tpm cli.tpm.cleanup cli.tpm.path cli.verbs cli.verbs.roles_anywhere_credential_process
    sigv4 sigv4.canonical sigv4.characters sigv4.credentials sigv4.endpoints sigv4.errors sigv4.files
    sigv4.operation sigv4.partitions sigv4.request sigv4.roles_anywhere sigv4.signer sigv4.times sigv4.xml
    tpmwire tpmwire.channel tpmwire.constructs tpmwire.crypto tpmwire.crypto.formulas tpmwire.crypto.pure
    tpmwire.crypto.der tpmwire.crypto.ml_keys tpmwire.crypto.pure.comb
    tpmwire.crypto.pure.curves tpmwire.crypto.spki
    tpmwire.errors tpmwire.exchange tpmwire.keys tpmwire.keys.templates
    tpmwire.keys.x509 tpmwire.primary tpmwire.record tpmwire.secret
    tpmwire.sessions tpmwire.tpm tpmwire.typed tpmwire.use tpmwire.use.asymmetric tpmwire.use.hmac tpmwire.use.key
    tpmwire.use.run tpmwire.wire tpmwire.wires
    tpmwire.spec tpmwire.spec.command tpmwire.spec.constants tpmwire.spec.numbers tpmwire.spec.structures
    tpmwire.spec.versioned
    tpmwire.spec.codes tpmwire.spec.commands tpmwire.spec.commands.sessions tpmwire.spec.commands.signing
    tpmwire.spec.commands.symmetric
    tpmwire.transport tpmwire.transport.base tpmwire.transport.sockets
"""
LOCAL = set(NAMES.split())
NETWORK = {
    *("sigv4.authorities", "sigv4.client", "sigv4.http", "sigv4.http_message", "sigv4.proxy", "sigv4.retry"),
    *("sigv4.roles_anywhere_client", "sigv4.sockets"),
}
FILE = {"tpmwire.keys.keyfile", "tpmwire.spec.commands.context", "tpmwire.spec.commands.hierarchy"} | {
    "tpmwire.spec.commands.objects"
}
NEVER = {
    *("boto3", "botocore", "cryptography", "asn1crypto", "OpenSSL"),
    *("asyncio", "concurrent", "ctypes", "logging", "subprocess", "tempfile", "threading"),
    *("bz2", "lzma", "shutil", "zlib", "calendar", "datetime", "locale", "typing"),
    *("http", "email", "urllib.request"),
}


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, VerifyingRolesAnywhere]]:
    home, authority = tmp_path_factory.mktemp("home"), Authority()
    with machine(home) as made, VerifyingRolesAnywhere([authority.root]) as server:
        with Tpm.open(made.swtpm.path, 30) as tpm:
            key = public_key_of_file(make_signing_key(tpm, handle=HANDLE, out=home / "key.pem"))
        (home / "host.pem").write_bytes(pem(authority.issue(key), authority.intermediate))
        yield made, server


def _loaded(at: tuple[Machine, VerifyingRolesAnywhere], directory: Path, *words: str, **more: str) -> set[str]:
    machine, server = at
    dump = directory / "modules"
    program = write_program(directory, TOOLBOX, DUMP.format(path=str(dump)), "program")
    done = machine.run(
        *("roles-anywhere", "credential-process", "--certificate", str(machine.home / "host.pem")),
        *("--trust-anchor-arn", ANCHOR, "--profile-arn", PROFILE, "--role-arn", ROLE, "--timeout=20s"),
        *("--endpoint", server.endpoint, f"--tpm-path={machine.swtpm.path}", *words),
        program=program,
        **more,
    )
    assert (done.returncode, done.stderr) == (0, "")
    bare = machine.run("-c", "import sys; print(*sys.modules)", program=Path(sys.executable)).stdout.split()
    return set(dump.read_text().split()) - set(bare)


def _ours(loaded: set[str]) -> set[str]:
    return {name for name in loaded if name.partition(".")[0] in ("cli", "sigv4", "tpmwire")}


def _unwanted(loaded: set[str], *more: str) -> set[str]:
    return {name for name in loaded for no in (*NEVER, *more) if name == no or name.startswith(no + ".")}


@pytest.mark.parametrize("way", ["handle", "file"])
def test_the_modules_of_a_run(at: tuple[Machine, VerifyingRolesAnywhere], tmp_path: Path, way: str) -> None:
    key = f"handle:{HANDLE:#x}" if way == "handle" else str(at[0].home / "key.pem")
    loaded = _loaded(at, tmp_path, "--private-key", key)
    assert _ours(loaded) == LOCAL | NETWORK | (FILE if way == "file" else set())
    assert _unwanted(loaded) == set()


def test_a_run_with_cached_credentials_loads_nothing_for_the_network(
    at: tuple[Machine, VerifyingRolesAnywhere], tmp_path: Path
) -> None:
    words = ("--private-key", f"handle:{HANDLE:#x}", "--cache")
    _loaded(at, tmp_path, *words, XDG_RUNTIME_DIR=str(tmp_path))
    warm = _loaded(at, tmp_path, *words, XDG_RUNTIME_DIR=str(tmp_path))
    assert not _ours(warm) & NETWORK
    assert _unwanted(warm, "ssl", "_ssl") == set()
