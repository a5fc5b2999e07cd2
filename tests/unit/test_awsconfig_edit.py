"""Edits of AWS's files: what is asked for and nothing else; as botocore reads them."""

from pathlib import Path

import pytest
from botocore.configloader import raw_config_parse
from hypothesis import given
from hypothesis import strategies as st

from cli.awsconfig.edit import get_setting, has_section, remove_settings, section_of, set_settings
from cli.terminal.messages import UsageError

TEXT = """\
# mine
[default]
region = eu-central-1   ; near

[profile  work]   # at work
s3 =
  max_concurrent_requests = 10
region=us-east-1
credential_process = old \\
  --more

# the end"""


def test_a_setting_is_replaced_and_another_added() -> None:
    changed = set_settings(TEXT, "profile work", {"credential_process": "new", "output": "json"})
    assert (
        changed
        == TEXT.replace("credential_process = old \\\n  --more\n", "credential_process = new\n")
        .replace("# at work\n", "# at work\noutput = json\n")
        .rstrip()
        + "\n"
    )


def test_a_section_is_added_at_the_end() -> None:
    assert set_settings(TEXT, "profile tpm", {"a": "b"}) == TEXT + "\n\n[profile tpm]\na = b\n"
    assert set_settings("", "default", {"a": "b"}) == "[default]\na = b\n"


def test_reading() -> None:
    assert get_setting(TEXT, "profile work", "region") == "us-east-1"
    assert get_setting(TEXT, "profile work", "nothing") is None
    assert get_setting(TEXT, "profile none", "region") is None
    assert has_section(TEXT, "profile work")
    assert not has_section(TEXT, "work")


CREDENTIALS = """\
[default]
# rotated in spring
aws_access_key_id = AKIA1
aws_secret_access_key = secret1

[other]
aws_access_key_id = AKIA2
aws_secret_access_key = secret2
region = eu-west-1
"""
SECRETS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")


def test_removing() -> None:
    less = remove_settings(CREDENTIALS, "other", SECRETS)
    assert less == CREDENTIALS.replace("aws_access_key_id = AKIA2\naws_secret_access_key = secret2\n", "")
    less = remove_settings(less, "default", SECRETS)
    assert less == "# rotated in spring\n\n[other]\nregion = eu-west-1\n"
    assert remove_settings(less, "default", SECRETS) == less


def test_a_section_that_is_there_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="more than once"):
        set_settings("[a]\n[b]\n[a]\n", "a", {"x": "y"})


def test_names_of_profiles() -> None:
    assert section_of("default") == "default"
    assert section_of("my profile-1") == "profile 'my profile-1'"  # as `aws configure` writes it
    for bad in ("", "a]", "a\nb", " a", "a ", "[x", "ü"):
        with pytest.raises(UsageError):
            section_of(bad)


NAMES = st.sampled_from(["region", "output", "credential_process", "role_arn"])
VALUES = st.text("abcXYZ019 =/:-.", min_size=1, max_size=20).map(str.strip).filter(bool)
SECTIONS = st.sampled_from(["default", "profile a", "profile b"])


@given(st.dictionaries(SECTIONS, st.dictionaries(NAMES, VALUES), min_size=1), SECTIONS, NAMES, VALUES)
def test_botocore_reads_what_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    before: dict[str, dict[str, str]],
    section: str,
    name: str,
    value: str,
) -> None:
    text = ""
    for each, settings in before.items():
        text = set_settings(text, each, settings)
    text = set_settings(text, section, {name: value})
    path = Path(tmp_path_factory.getbasetemp()) / "config"
    path.write_text(text)
    expected = {**before, section: {**before.get(section, {}), name: value}}
    assert raw_config_parse(str(path)) == expected
