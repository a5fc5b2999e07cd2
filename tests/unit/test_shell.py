"""`tpmwire shell`: completion, what the history stores, and a session on a terminal."""

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.inspect.shell.completion import complete
from cli.inspect.shell.help import help_text
from cli.inspect.shell.numbers import names_of, parse_number
from cli.inspect.shell.secrecy import has_secret
from cli.inspect.shell.values import Values
from tests.support.programs import ROOT
from tpmwire.explain.meanings import value_words
from tpmwire.spec.names import type_name
from tpmwire.spec.storage import TPMA_NV_BITS
from tpmwire.spec.structures import TPM_ALG_ID, TPM_ECC_CURVE, TPM_ST_ID, TPMA_OBJECT_BITS, TPMA_SESSION_BITS
from tpmwire.wires import wire_of

RUN = "import sys; from cli.toolbox import main; sys.exit(main())"


@pytest.mark.parametrize(
    ("text", "some"),
    [
        ("GetR", "GetRandom"),
        ("expl", "explain"),
        ("x = Crea", "CreatePrimary"),
        ("Create ", "inPublic="),
        ("Create rsa2048:rsap", "rsa2048:rsapss-sha256"),
        ("Hash hashAlg=SHA3", "hashAlg=SHA384"),
        ("Create inPublic.objectAttributes=sign|fixedT", "inPublic.objectAttributes=sign|fixedTPM"),
        ("GetRandom 8 + Sign in", "inScheme="),
        ("CreatePrimary primaryHandle=en", "primaryHandle=endorsement"),
        ("SelfTest fullTest=", "fullTest=no"),
        ("Unseal policy=p", "policy=pcr:sha256:"),
        ("GetRandom 8 session=s", "session=salted"),
        ("session ", "salted-aes"),
        ("help GetC", "GetCapability"),
        ("CreatePrimary outPub", "outPublic=@"),
    ],
)
def test_completion(text: str, some: str) -> None:
    last, found = complete(text, Values())
    assert some in found
    assert text.endswith(last)


@pytest.mark.parametrize("word", ["explain", "python", "quit", "save", "secrets", "session", "show", "swap"])
def test_each_directive_has_help(word: str) -> None:
    assert help_text([word]).startswith(f"{word} ")


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("GetRandom 8", False),
        ("Sign $key text:hello", False),
        ("Create data=@file userAuth=@pw", False),
        ("Create data=text:hidden", True),
        ("Create text:hidden", True),
        ("Create inSensitive.userAuth=7077", True),
        ('CreatePrimary inSensitive={"userAuth":"7077"}', True),
        ("HierarchyChangeAuth text:pw", True),
        ("HierarchyChangeAuth newAuth=7077", True),
        ("HierarchyChangeAuth @pw", False),
        ("Unseal auth=text:pw", True),
        ("Unseal auth=env:PW", False),
        ("Unseal itemHandle.auth=text:pw", True),
        ("Unseal policy='PolicySecret o authHandle.auth=text:pw'", True),
        ("Unseal auth=text:pw + GetRandom 8", True),
        ("Unseal 'auth=text:pw", True),
        ("Unsel auth=text:pw", True),
        ("MakeCredential $ek $ak text:nonce", True),
        ("CreatePrimary ecc", False),
    ],
)
def test_the_history_stores_no_secret(line: str, secret: bool) -> None:
    assert has_secret(line) is secret


@pytest.mark.parametrize("declared", [TPMA_OBJECT_BITS, TPMA_NV_BITS, TPMA_SESSION_BITS])
def test_attributes_are_accepted_as_printed(declared: object) -> None:
    wire = wire_of(declared)
    bits = [1 << n for n in range(8 * wire.size)]
    for value in (*bits, 0x72, 0x00020012, (1 << 8 * wire.size) - 1):
        if value >> 8 * wire.size == 0:
            printed = value_words(wire, type_name(declared), wire.kind(value))
            assert parse_number(wire, printed, "x", {}) == value, printed


@pytest.mark.parametrize("declared", [TPM_ALG_ID, TPM_ECC_CURVE, TPM_ST_ID])
def test_constants_are_accepted_as_printed(declared: object) -> None:
    wire = wire_of(declared)
    for value in names_of(wire.kind).values():
        printed = value_words(wire, type_name(declared), wire.kind(value))
        assert parse_number(wire, printed, "x", {}) == value, printed


def test_a_session_on_a_terminal(tmp_path: Path) -> None:
    """Ctrl-C discards a line, Ctrl-D ends, and the history has no secret and one reader."""
    master, slave = pty.openpty()
    environment = os.environ | {"XDG_STATE_HOME": str(tmp_path), "TERM": "dumb", "PROMPT_TOOLKIT_NO_CPR": "1"}
    shell = subprocess.Popen(
        [sys.executable, "-c", RUN, "shell", "--tpm-path", "soft:seed=a"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=ROOT,
        env=environment,
        start_new_session=True,
    )
    os.close(slave)
    seen = b""

    def wait_for(text: bytes) -> None:
        nonlocal seen
        deadline = time.monotonic() + 60
        while text not in seen:
            assert time.monotonic() < deadline, seen
            if select.select([master], [], [], 1)[0]:
                seen += os.read(master, 4096)
        seen = seen.partition(text)[2]

    wait_for(b"tpm>")
    os.write(master, b"GetRandom 4\r")
    wait_for(b"randomBytes: ")
    wait_for(b"tpm>")
    os.write(master, b"Nonsense\x03")
    wait_for(b"tpm>")
    os.write(master, b"HierarchyChangeAuth text:hush\r")
    wait_for(b"TPM2_HierarchyChangeAuth")
    wait_for(b"tpm>")
    os.write(master, b"\x04")
    assert shell.wait(60) == 0
    os.close(master)
    history = tmp_path / "tpmwire" / "shell_history"
    assert "GetRandom 4" in history.read_text()
    assert "hush" not in history.read_text()
    assert history.stat().st_mode & 0o777 == 0o600
