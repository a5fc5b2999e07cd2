"""The plaintext key of a profile: found where boto3 finds it, and gone for boto3 afterwards."""

from pathlib import Path

import boto3
import pytest

from cli.awsconfig.plaintext import check_removable, find_plaintext, remove_plaintext, sections_with
from cli.terminal.messages import UsageError

ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SHAPES = {
    "plain": f"[work]\naws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\n",
    "indented": f"[work]\n  aws_access_key_id = {ID}\n  aws_secret_access_key = {SECRET}\n",
    "colons": f"[work]\naws_access_key_id: {ID}\naws_secret_access_key:{SECRET}\n",
    "tabs": f"[work]\n\taws_access_key_id\t=\t{ID}\n\taws_secret_access_key\t=\t{SECRET}\n",
    "capitals": f"[work]\nAWS_Access_Key_ID = {ID}\nAWS_SECRET_ACCESS_KEY = {SECRET}\n",
    "Windows": f"[work]\r\naws_access_key_id = {ID}\r\naws_secret_access_key = {SECRET}\r\n",
    "old Mac": f"[work]\raws_access_key_id = {ID}\raws_secret_access_key = {SECRET}",
    "header with a comment": f"[work] ; mine\naws_access_key_id = {ID}\naws_secret_access_key = {SECRET}",
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable, name in (("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")):
        monkeypatch.setenv(variable, str(tmp_path / name))
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "config").write_text("[profile work]\nregion = eu-west-1\n")
    return tmp_path


def _boto_secret() -> str | None:
    found = boto3.Session(profile_name="work").get_credentials()
    return found.secret_key if found else None


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_that_boto3_reads(files: Path, shape: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = files / "credentials"
    path.write_bytes(SHAPES[shape].encode() + b"\n[other]\nregion = x\n")
    assert _boto_secret() == SECRET
    found = find_plaintext("work")
    assert found is not None
    assert (found.key_id, found.secret) == (ID, SECRET)
    assert SECRET not in repr(found)
    assert list(sections_with(ID)) == [(str(path), "work", "work")]
    check_removable("work")
    remove_plaintext("work", found)
    assert SECRET not in path.read_text()
    assert _boto_secret() is None
    assert path.read_text().endswith("[other]\nregion = x\n")
    assert "removed the plaintext key" in capsys.readouterr().err


def test_a_key_in_the_config_file(files: Path) -> None:
    (files / "config").write_text(
        f"[profile  'work']\naws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\noutput = json\n"
    )
    assert _boto_secret() == SECRET
    found = find_plaintext("work")
    assert found is not None
    remove_plaintext("work", found)
    assert (files / "config").read_text() == "[profile  'work']\noutput = json\n"


def test_a_key_that_is_inherited_is_refused_before_anything_is_done(files: Path) -> None:
    text = f"[DEFAULT]\naws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\n[work]\nregion = x\n"
    (files / "credentials").write_text(text)
    assert _boto_secret() == SECRET
    with pytest.raises(UsageError, match="DEFAULT"):
        check_removable("work")
    assert (files / "credentials").read_text() == text


def test_another_key_of_the_profile_is_left_and_told(files: Path) -> None:
    (files / "credentials").write_text(SHAPES["plain"])
    (files / "config").write_text(f"[profile work]\naws_access_key_id = {ID}\naws_secret_access_key = another\n")
    found = find_plaintext("work")
    assert found is not None
    with pytest.raises(UsageError, match=f"still has the key {ID}"):
        remove_plaintext("work", found)


def test_half_a_key_and_a_file_that_no_program_reads(files: Path) -> None:
    (files / "credentials").write_text(f"[work]\naws_access_key_id = {ID}\n")
    with pytest.raises(UsageError, match="not aws_secret_access_key"):
        find_plaintext("work")
    (files / "credentials").write_text(f"[work]\naws_access_key_id = {ID}\n{SECRET}\n")
    with pytest.raises(UsageError, match=r"credentials: .*line 3") as told:
        find_plaintext("work")
    assert SECRET not in str(told.value)


def test_an_id_in_a_comment_is_not_in_use(files: Path) -> None:
    (files / "credentials").write_text(f"# {ID}\n[other]\nregion = {ID}\n")
    assert list(sections_with(ID)) == []
