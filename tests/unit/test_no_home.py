"""Without HOME and an entry in passwd: `~` is resolved to nothing, least of all to a folder of that name."""

import os
import pwd
from pathlib import Path

import pytest

from sigv4.authorities import Authorities
from sigv4.config import load_config
from sigv4.errors import RequestError
from tests.support.verbs import Tool

SECRET = b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.fixture(autouse=True)
def homeless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory has a folder `~`, as somebody may put it there."""

    def unknown(_uid: object) -> object:
        raise KeyError("no such user")

    for name in list(os.environ):
        if name.startswith(("AWS_", "XDG_")) or name == "HOME":
            monkeypatch.delenv(name)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "~" / ".aws"
    folder.mkdir(parents=True)
    (folder / "config").write_text("[profile work]\ncredential_process = aws-tpm-process-credential --x\n")
    (folder / "credentials").write_text(f"[work]\naws_access_key_id = AKIA\naws_secret_access_key = {'s' * 40}\n")
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ["import", "--out=k.pem", "--aws-access-key-id=AKIAMADEUP", "--write-profile=x"],
        ["import", "--out=k.pem", "--from-profile=work"],
        ["enroll", "--profile=work"],
        ["rotate", "--profile=work"],
        ["wrap", "--to=k.json", "--out=k.pem", "--from-profile=work"],
        ["sign", "--profile=work", "https://sts.amazonaws.com/"],
        ["serve", "--profile=work", "--token-file=t"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_verbs_say_that_there_is_no_home(homeless: Path, tool: Tool, words: list[str]) -> None:
    before = {path: path.read_bytes() for path in homeless.rglob("*")}
    (homeless.parent.parent / "k.json").write_text("{}")
    ran = tool(*words, *([] if words[0] in ("wrap", "rotate") else ["--tpm-path=/nonexistent/tpm"]), stdin=SECRET)
    assert (ran.code, ran.err.count("\n")) == (2, 1), ran.err
    assert "HOME" in ran.err
    assert {path: path.read_bytes() for path in homeless.rglob("*")} == before


def test_no_file_is_read_from_a_folder_of_that_name(homeless: Path) -> None:
    assert list(load_config({})) == []
    assert list(load_config({"AWS_CONFIG_FILE": str(homeless / "config")})) == ["work"]


def test_ca_certificates_are_not_taken_from_there(homeless: Path) -> None:
    import ssl

    with pytest.raises(RequestError, match="set HOME"):
        Authorities({"AWS_CA_BUNDLE": "~/.aws/config"}).load(ssl.create_default_context())
