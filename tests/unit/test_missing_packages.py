"""A package that is not installed, as beside the single file: one line that names it, before anything is asked."""

import sys
from pathlib import Path

import pytest

from cli.messages import guarded
from tests.support.verbs import Tool, tool

__all__ = ["tool"]


def test_sigv4a_is_refused_before_tpm_and_secret_are_asked(
    tool: Tool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    places = [f"--out={tmp_path / 'key.pem'}", f"--sigv4a-out={tmp_path / 'v4a.pem'}"]
    done = tool("import", *places, "--aws-access-key-id=AKIAMADEUP", "--tpm-path=/nonexistent/tpm")
    wanted = f"tpmwire: this needs the Python package `cryptography`, which is not installed for {sys.executable}"
    assert (done.code, done.out) == (1, "")
    assert done.err == f"{wanted}: install it\n"


def test_rotate_asks_iam_for_no_key_of_which_half_could_not_be_made(
    tool: Tool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    (tmp_path / "config").write_text(
        "[profile work]\ncredential_process = aws-tpm-process-credential --aws-access-key-id=AKIAMADEUP "
        "--tpm-path=/nonexistent/tpm\n"
    )
    done = tool("rotate", "--profile=work", f"--sigv4a-out={tmp_path / 'v4a.pem'}")
    assert (done.code, done.out) == (1, "")
    assert "needs the Python package `cryptography`" in done.err


@pytest.mark.parametrize("name", ["cli.no_such", "tpmwire.no_such", "construct"])
def test_what_is_part_of_the_program_and_missing_is_told_in_full(name: str) -> None:
    def work() -> int:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    with pytest.raises(ModuleNotFoundError, match=name):
        guarded("tpmwire", work)
