"""The AWS config files, beside botocore's reading of them."""

import os
from pathlib import Path

import botocore.configloader
import botocore.session
import pytest

from sigv4 import config
from sigv4.errors import RequestError

CONFIG = """\
# a comment
[default]
region = eu-west-3
[profile one]
Role_Arn = arn:aws:iam::123456789012:role/demo
source_profile = two
mfa_serial: arn:aws:iam::123456789012:mfa/me
external_id = a=b # kept
duration_seconds = 3600
s3 =
  addressing_style = path
  max_concurrent_requests=20
[profile "with blank"]
region = us-west-2
[profile two]
source_profile = two
role_arn = arn:aws:iam::123456789012:role/two
[profilethree]
region = no-profile
[preview]
cloudfront = true
[services mine]
sts =
  endpoint_url = http://sts.example
[sso-session s]
sso_region = eu-west-1
"""
CREDENTIALS = """\
[two]
aws_access_key_id = AKIAMADEUP
aws_secret_access_key = the+secret
[four]
region = ap-south-1
[default]
region = wins-1
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "config").write_text(CONFIG)
    (tmp_path / "credentials").write_text(CREDENTIALS)
    return {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
    }


def test_profiles_are_botocores(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    theirs = botocore.session.Session().full_config["profiles"]
    ours = config.load_config(environ)
    assert set(ours) == set(theirs) == {"default", "one", "with blank", "two", "four"}
    for name, values in theirs.items():
        profile = ours.profile(name)
        for key, value in values.items():
            assert (profile.section(key) if isinstance(value, dict) else profile.get(key)) == value, (name, key)


def test_a_profile_is_read(environ: dict[str, str]) -> None:
    one = config.load_config(environ).profile("one")
    assert one.get("role_arn") == "arn:aws:iam::123456789012:role/demo"
    assert one.get("s3") is None
    assert one.section("s3") == {"addressing_style": "path", "max_concurrent_requests": "20"}
    assert one.section("role_arn") == one.section("absent") == {}
    assert one.integer("duration_seconds") == 3600
    assert one.integer("absent") is None
    with pytest.raises(RequestError, match=r"external_id of profile one is 'a=b # kept'; use a whole number"):
        one.integer("external_id")


def test_no_repr_shows_a_secret(environ: dict[str, str]) -> None:
    loaded = config.load_config(environ)
    two = loaded.profile("two")
    assert two.get("aws_secret_access_key") == "the+secret"
    assert "the+secret" not in repr(two) + str(two) + repr(loaded)


def test_which_profile(environ: dict[str, str]) -> None:
    loaded = config.load_config(environ)
    assert loaded.profile().name == "default"
    assert config.profile_name({}) is None
    assert config.profile_name({"AWS_PROFILE": "a"}) == "a"
    assert config.profile_name({"AWS_PROFILE": ""}) is None
    # As in botocore, where the older name wins.
    assert config.profile_name({"AWS_PROFILE": "a", "AWS_DEFAULT_PROFILE": "b"}) == "b"
    with pytest.raises(
        RequestError, match=r"profile 'none' not found .* profiles: default, four, one, two, with blank"
    ):
        loaded.profile("none")
    assert "one" in loaded
    assert "none" not in loaded


def test_which_region(environ: dict[str, str]) -> None:
    default = config.load_config(environ).profile()
    assert config.configured_region({}, default) == "wins-1"
    assert config.configured_region({"AWS_DEFAULT_REGION": "a-1"}, default) == "a-1"
    assert config.configured_region({"AWS_REGION": "b-1", "AWS_DEFAULT_REGION": "a-1"}, default) == "b-1"
    assert config.configured_region({}) is None


def test_a_chain_of_profiles(environ: dict[str, str]) -> None:
    assert [profile.name for profile in config.load_config(environ).chain("one")] == ["one", "two"]
    assert [profile.name for profile in config.load_config(environ).chain("four")] == ["four"]


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("[profile a]\nrole_arn = r\nsource_profile = b\n", "source_profile = 'b', which is not in"),
        (
            "[profile a]\nrole_arn=r\nsource_profile=b\n[profile b]\nrole_arn=r\nsource_profile=a\n",
            "source_profile chain of profile b has a loop",
        ),
        (
            "".join(f"[profile {a}]\nrole_arn=r\nsource_profile={chr(ord(a) + 1)}\n" for a in "abcdefghijklmn"),
            "has a loop or more than 10",
        ),
    ],
)
def test_a_chain_that_does_not_end(environ: dict[str, str], text: str, pattern: str) -> None:
    Path(environ["AWS_CONFIG_FILE"]).write_text(text)
    with pytest.raises(RequestError, match=pattern):
        config.load_config(environ).chain("a")


def test_a_services_section_that_is_not_there(environ: dict[str, str]) -> None:
    Path(environ["AWS_CONFIG_FILE"]).write_text("[default]\nservices = none\n")
    with pytest.raises(
        RequestError, match=r"profile default has services = 'none', but the config file has no such"
    ):
        config.load_config(environ).profile().service("sts")


@pytest.mark.parametrize(
    ("data", "pattern"),
    [
        (b"the+secret\n", r"line 1: text before the first \[section\]"),
        (b"[a]\nthe+secret\n", r"line 2: expected KEY = VALUE"),
        (b"[a]\nk = 1\nk = the+secret\n", r"line 3: duplicate key"),
        (b"\xef\xbb\xbf[a]\nk = the+secret\n", "begins with a byte order mark"),
        (b"[a]\n[a]\n", r"line 2: duplicate section"),
        (b"[a]\ns3 =\n  the+secret\n", r"an indented line without ="),
        (b"[a]\nkey = \xff the+secret\n", "is not valid UTF-8"),
        (b"#" * (1 << 20) + b"#", "larger than 1048576 bytes"),
    ],
)
def test_a_file_that_is_none_is_refused_without_showing_it(
    environ: dict[str, str], data: bytes, pattern: str
) -> None:
    Path(environ["AWS_SHARED_CREDENTIALS_FILE"]).write_bytes(data)
    with pytest.raises(RequestError, match=pattern) as caught:
        config.load_config(environ)
    assert "\n" not in str(caught.value)
    assert "the+secret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_each_system(environ: dict[str, str], end: str) -> None:
    """As botocore has them, whose files are open in Python's text mode."""
    path = Path(environ["AWS_CONFIG_FILE"])
    path.write_bytes(f"[profile a]{end}region = r{end}s3 ={end}  k = v{end}".encode())
    profile = config.load_config(environ).profile("a")
    (theirs,) = botocore.configloader.load_config(str(path))["profiles"].values()
    assert (profile.get("region"), profile.section("s3")) == (theirs["region"], theirs["s3"]) == ("r", {"k": "v"})


def test_files_that_are_absent(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path, tmp_path / "file" / "below"):
        (tmp_path / "file").write_text("")
        files = {"AWS_CONFIG_FILE": str(path), "AWS_SHARED_CREDENTIALS_FILE": str(path)}
        loaded = config.load_config(files)
        assert list(loaded) == []
        assert loaded.profile().get("region") is None


def test_the_home_directory_is_the_environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[profile home]\n")
    assert list(config.load_config({"HOME": str(tmp_path)})) == ["home"]
    monkeypatch.setenv("HOME", str(tmp_path))
    assert list(config.load_config({})) == ["home"]
    assert list(config.load_config({"AWS_CONFIG_FILE": "~/.aws/config"})) == ["home"]


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    os.symlink(loop, loop)
    for path in (loop, "\0"):
        with pytest.raises(RequestError, match="cannot read"):
            config.load_config({"AWS_CONFIG_FILE": str(path)})


def test_names_with_control_characters_are_escaped_in_messages(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        "[profile a\x1b[2J]\nrole_arn = arn:aws:iam::123456789012:role/a\nsource_profile = none\n"
    )
    found = config.load_config(
        {"AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    )
    (name,) = found
    with pytest.raises(RequestError) as missing:
        found.profile("other")
    with pytest.raises(RequestError) as unfinished:
        found.chain(name)
    for message in (str(missing.value), str(unfinished.value)):
        assert r"\x1b" in message
        assert message.isprintable()
