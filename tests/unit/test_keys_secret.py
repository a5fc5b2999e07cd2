"""What cannot be an AWS secret access key is refused, and never shown."""

import io
import sys

import pytest

from cli.keys.secret import check_key_id, read_key
from cli.terminal.messages import UsageError

ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def _read(monkeypatch: pytest.MonkeyPatch, text: str, *, force: bool = False) -> bytes:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    return read_key(None, force=force).reveal()


@pytest.mark.parametrize("text", [SECRET, f"{SECRET}\n", f"{SECRET}\r\n", f"AWS4{SECRET}"])
def test_a_secret(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    assert _read(monkeypatch, text) == f"AWS4{SECRET}".encode()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (ID, "access key id"),
        ("ASIAIOSFODNN7EXAMPLE", "access key id"),
        (f'"{SECRET}"', "quotes"),
        (f"'{SECRET}'", "quotes"),
        ("hello", "has 5 characters"),
        (SECRET[:-1], "has 39 characters"),
        (SECRET + "x", "has 41 characters"),
        (SECRET[:-1] + ",", "characters that"),
        (SECRET[:-1] + "\\", "characters that"),
    ],
)
def test_what_is_none_is_refused_but_by_force(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    with pytest.raises(UsageError, match=f"{says}.*--force") as told:
        _read(monkeypatch, text)
    assert text not in str(told.value)
    assert _read(monkeypatch, text, force=True) == f"AWS4{text}".encode()
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "a b" * 13, "é" * 20, f"aws_secret_access_key = {SECRET}", "x" * 125])
def test_the_impossible_is_refused_always(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    with pytest.raises(UsageError):
        _read(monkeypatch, text, force=True)


def test_ids() -> None:
    check_key_id(ID, force=False)
    for bad in (SECRET, "ASIAIOSFODNN7EXAMPLE"):
        with pytest.raises(UsageError) as told:
            check_key_id(bad, force=False)
        assert bad not in str(told.value)
        check_key_id(bad, force=True)
