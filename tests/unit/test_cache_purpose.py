"""Which caches are one, and which are not: by what shapes the credentials, wherever it is said."""

from pathlib import Path

import pytest

from cli.credentials.cache.purpose import SHAPELESS, cache_purpose
from cli.credentials.options import parse_run
from cli.credentials.role_chain import profile_settings

PROFILE = """[profile tpm]
region = eu-central-1
credential_process = aws-tpm-process-credential --aws-access-key-id=AKIAMADEUP --persistentHandle=0x81010002
"""


def of(path: Path, more: str = "") -> bytes:
    path.write_text(PROFILE + more)
    return cache_purpose(profile_settings("tpm"), None)


@pytest.mark.parametrize(
    "setting",
    [
        "use_fips_endpoint = true",
        "use_dualstack_endpoint = true",
        "sts_regional_endpoints = legacy",
        "endpoint_url = https://sts.example",
        "duration_seconds = 900",
    ],
)
def test_a_setting_of_the_profile_makes_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    path = tmp_path / "config"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    assert of(path) == of(path, "output = json\n")
    assert of(path) != of(path, setting)


def test_every_option_without_effect_is_an_option() -> None:
    assert set(vars(parse_run([]))) >= SHAPELESS
