"""The package's own door: what `import tpmwire` costs, what it offers, and that whole messages come back."""

import json
import subprocess
import sys

import pytest

import tpmwire
from tests.support.programs import ROOT
from tpmwire.errors import DecodeError
from tpmwire.spec.commands.random import GetRandom

CAPTURED = [json.loads(line) for line in (ROOT / "fixtures/captures/tpm2-tools.jsonl").read_text().splitlines()]


def _modules(code: str) -> set[str]:
    program = f"import sys\nbefore = set(sys.modules)\n{code}\nprint(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT)
    return set(done.stdout.split())


def test_the_import_alone_loads_nothing_else() -> None:
    assert {name for name in _modules("import tpmwire") if name != "typing"} <= {
        "tpmwire",
        "_typing",
        "__future__",
    } | _modules("import typing")


def test_whole_messages_load_neither_transports_nor_cryptography() -> None:
    loaded = _modules("import tpmwire\ntpmwire.parse_command(bytes.fromhex('80010000000c0000017b0008'))")
    assert "tpmwire.wire" in loaded
    assert not {"tpmwire.tpm", "tpmwire.transport", "cryptography", "socket", "ssl"} & loaded


def test_every_name_that_is_offered_is_there() -> None:
    for name in tpmwire.__all__:
        assert getattr(tpmwire, name) is getattr(tpmwire, name), name
    assert set(tpmwire.__all__) <= set(dir(tpmwire))
    with pytest.raises(AttributeError, match="nonsense"):
        tpmwire.nonsense  # type: ignore[attr-defined]  # noqa: B018


def test_messages_come_back_the_same() -> None:
    assert len(CAPTURED) > 200
    for pair in CAPTURED:
        command, response = bytes.fromhex(pair["command"]), bytes.fromhex(pair["response"])
        assert tpmwire.parse_command(command).build() == command
        assert tpmwire.parse_response(response, command).build() == response


def test_values_are_typed() -> None:
    message = tpmwire.parse_command(bytes.fromhex("80010000000c0000017b0008"))
    assert message.command == GetRandom(8)
    answer = tpmwire.parse_response(bytes.fromhex("80010000000e000000000002abcd"), message)
    assert answer.response == GetRandom.Response(b"\xab\xcd")


def test_a_tpm_of_version_1_2_asked_by_mistake() -> None:
    # TPM_TAG_RSP_COMMAND, TPM_BAD_TAG (Part 1, §18.4; Part 3, §5.2).
    octets = bytes.fromhex("00c40000000a0000001e")
    answer = tpmwire.parse_response(octets, GetRandom)
    assert (answer.rc, answer.build()) == (0x1E, octets)
    with pytest.raises(DecodeError, match="tag"):
        tpmwire.parse_command(octets)


def test_a_secret_is_bytes() -> None:
    with pytest.raises(TypeError, match=r"not str; use e.g. Password\(b'text'\)") as caught:
        tpmwire.Password("hunter2")  # type: ignore[arg-type]
    assert "hunter2" not in str(caught.value)
