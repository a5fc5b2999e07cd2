"""Completions of both programs, in bash, zsh and fish themselves."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.tpm.inventory import list_handles
from tests.support.programs import CREDENTIAL_PROCESS, TOOLBOX, Machine, machine
from tests.support.shells import SHELLS, completions
from tests.support.verbs import Tool
from tpmwire.tpm import Tpm

CONFIG = """[default]
region = eu-central-1
[profile work]
[profile "a b"]
[services x]
"""

Complete = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    home = tmp_path_factory.mktemp("home")
    with machine(home) as made:
        (home / ".aws").mkdir()
        (home / ".aws" / "config").write_text(CONFIG)
        yield made


@pytest.fixture(params=SHELLS)
def complete(request: pytest.FixtureRequest, box: Machine, tmp_path: Path) -> Complete:
    """Returns the completions of a line in one of the shells, in a directory with a few files."""
    script = tmp_path / "script"
    with script.open("wb") as file:
        words = [box.bin / TOOLBOX, "completion", request.param]
        subprocess.run(words, env=box.environment(), stdout=file, check=True, timeout=60)
    place = tmp_path / "place"
    (place / "keys").mkdir(parents=True)
    for name in ("my key.pem", "key.pem", "notes.txt"):
        (place / name).touch()
    environment = box.environment(TPMWIRE_TPM_PATH=box.swtpm.path)
    return lambda line: completions(request.param, script, line, place, environment)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("tpmwire imp", ["import", "import-key"]),
        ("tpmwire token e", ["ecr", "eks", "elasticache"]),
        ("tpmwire aws who", ["whoami"]),
        ("tpmwire import --persistent", ["--persistent-handle"]),
        ("tpmwire sign --cache-key=", ["boot", "key"]),
        ("tpmwire sign --cache-key ", ["boot", "key"]),
        ("tpmwire sign --assumeRole --cache-key b", ["boot"]),
        ("tpmwire exec --profile ", ["a b", "default", "work"]),
        ("tpmwire exec --aws-region=x --profile=w", ["work"]),
        ("tpmwire show ", ["key.pem", "keys", "my key.pem"]),
        ("tpmwire policy --out=no", ["notes.txt"]),
        ("tpmwire exec --profile=work -- tpm2_getr", ["tpm2_getrandom"]),
        (f"{CREDENTIAL_PROCESS} --format p", ["powershell", "process"]),
        (f"{CREDENTIAL_PROCESS} --credential-file=k", ["key.pem", "keys"]),
        (f"{CREDENTIAL_PROCESS} --profile wo", ["work"]),
    ],
)
def test_completions(complete: Complete, line: str, expected: list[str]) -> None:
    found = complete(line)
    assert [word.rstrip("=") for word in found if not word.startswith(".")] == expected


@pytest.mark.parametrize("line", ["tpmwire evict ", f"{CREDENTIAL_PROCESS} --persistentHandle="])
def test_the_handles_of_the_tpm(complete: Complete, box: Machine, line: str) -> None:
    with Tpm.open(box.swtpm.path, 30) as tpm:
        handles = list_handles(tpm, "persistent")
    assert len(handles) > 1
    assert complete(line) == [f"0x{handle:08x}" for handle in handles]


def test_zsh_loads_the_script_from_its_path(box: Machine, tmp_path: Path) -> None:
    """As a package installs it: a function that zsh loads at the first completion."""
    (tmp_path / "functions").mkdir()
    text = box.toolbox("completion", "zsh", f"--program={TOOLBOX}")
    (tmp_path / "functions" / "_tpmwire").write_text(text)
    assert text.startswith("#compdef tpmwire\n")
    setup = tmp_path / "setup"
    setup.write_text(f"fpath=({tmp_path}/functions $fpath); compinit -u -d {tmp_path}/dump")
    assert completions("zsh", setup, "tpmwire tot", tmp_path, box.environment()) == ["totp"]


def test_nothing_to_complete_is_silent(tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TPMWIRE_TPM_PATH", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tool("completion", "--list", "handles") == (0, "", "")
    assert tool("completion", "--list", "profiles") == (0, "", "")
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[default\n")
    assert tool("completion", "--list", "profiles") == (0, "", "")
    assert tool("completion").code == 2


def test_one_program(tool: Tool) -> None:
    both, one = tool("completion", "fish"), tool("completion", "fish", "--program", CREDENTIAL_PROCESS)
    assert (both.code, one.code, one.err) == (0, 0, "")
    assert both.out.endswith(one.out)
    assert len(both.out) > len(one.out) > 1000
