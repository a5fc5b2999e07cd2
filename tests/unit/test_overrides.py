"""What wins over a profile's credential_process: as botocore decides it."""

from pathlib import Path

import botocore.session
import pytest

from cli.awsconfig.overrides import check_overrides, warn_of_environment
from cli.terminal.messages import UsageError
from sigv4.config import load_config

PROCESS = """credential_process = echo '{"Version": 1, "AccessKeyId": "ASIA", "SecretAccessKey": "s"}'\n"""
OVERRIDES = {
    "a role": "role_arn = arn:aws:iam::123456789012:role/r\nsource_profile = x\n",
    "a web identity": "role_arn = arn:aws:iam::123456789012:role/r\nweb_identity_token_file = /nonexistent\n",
    "SSO": "sso_account_id = 123456789012\nsso_role_name = r\nsso_region = eu-west-1\nsso_start_url = https://x\n",
    "an SSO session": "sso_session = s\nsso_account_id = 123456789012\nsso_role_name = r\n",
    "aws login": "login_session = arn:aws:iam::123456789012:user/me\n",
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable, name in (("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")):
        monkeypatch.setenv(variable, str(tmp_path / name))
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def _method() -> str:
    """The provider that botocore takes the profile's credentials from, or the error that it ends with."""
    try:
        found = botocore.session.Session(profile="p").get_credentials()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is not the process
        return type(error).__name__
    return "none" if found is None else str(found.method)


def _check(*, force: bool = False) -> None:
    import os

    check_overrides(load_config(os.environ).profile("p"), force=force)


def test_a_profile_with_settings_that_matter_not(files: Path) -> None:
    (files / "config").write_text(f"[profile p]\nregion = eu-west-1\nca_bundle = /x\nmfa_serial = m\n{PROCESS}")
    assert _method() == "custom-process"
    _check()


@pytest.mark.parametrize("what", OVERRIDES)
def test_settings_that_win_are_refused(files: Path, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = f"[profile p]\n{OVERRIDES[what]}{PROCESS}[profile x]\nregion = eu-west-1\n"
    (files / "config").write_text(f"{text}[sso-session s]\nsso_region = eu-west-1\nsso_start_url = https://x\n")
    assert _method() != "custom-process"
    name = OVERRIDES[what].partition(" ")[0]
    with pytest.raises(UsageError, match=name):
        _check()
    _check(force=True)
    assert name in capsys.readouterr().err


def test_a_static_key_of_the_same_name(files: Path) -> None:
    (files / "config").write_text(f"[profile p]\n{PROCESS}")
    (files / "credentials").write_text("[p]\n  AWS_ACCESS_KEY_ID: AKIA\n  aws_secret_access_key: s\n")
    assert _method() == "shared-credentials-file"
    with pytest.raises(UsageError, match="tpmwire enroll --profile p"):
        _check()


def test_variables_are_told(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    warn_of_environment("p")
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "t")
    warn_of_environment("p")
    assert "AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN" in capsys.readouterr().err
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_SESSION_TOKEN")
    monkeypatch.setenv("AWS_PROFILE", "other")
    warn_of_environment("p")
    assert capsys.readouterr().err == ""
    warn_of_environment("default")
    assert "other" in capsys.readouterr().err
