"""AWS config files of every kind: the profiles in them are those that botocore finds."""

from pathlib import Path

import botocore.session
import pytest
from botocore.exceptions import ConfigParseError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sigv4 import config
from sigv4.errors import RequestError

pytestmark = pytest.mark.once

HEADS = ["[default]", "[profile a]", "[profile b]", "[a]", "[profile  a ]", "[ profile a]", "[profile 'a b']"]
HEADS += ['[profile "a"]', "[profile default]", "[Profile a]", "[profilex a]", "[services s]", "[profile a b]"]
HEADS += ["[profile]", "[sso-session t]", "[profile a'b]", "[profile a] ; c", "[profile a]x"]
LINES = ["region = x", "REGION=y", "Region : z", "key", "k =", "k = v # c", "k = v ; c", "# c", "; c", "  # c"]
LINES += ["s3 =", "  a = b", "  a=b", "\ta = b = c", "  nokey", "", "  ", "k = a%%b %(x)s", "k : v = w", "=v"]
LINES += ['x = "q"', "x=  sp  ", "s3 = \n  max = 1\n  addr = p", "credential_process = a\n  b\n\n  c", "k = v\r"]
LINES += ["ké = ü", "\x0c = 1", "  deep =\n    a = b"]
OTHER = ["", "[a]\nk = 1\n", "[profile a]\nk=2\n", "[b]\naws_access_key_id = x\ns3 =\n  a=1\n"]

texts = st.builds(
    lambda head, lines, end: "\n".join([*head, *lines]) + end,
    st.lists(st.sampled_from(HEADS), max_size=1),
    st.lists(st.sampled_from(LINES) | st.sampled_from(HEADS), max_size=8),
    st.sampled_from(["", "\n"]),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=texts, other=st.sampled_from(OTHER))
def test_the_profiles_are_botocores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, other: str
) -> None:
    environ = {name: str(tmp_path / name) for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")}
    for name, content in zip(environ, (text, other), strict=True):
        (tmp_path / name).write_text(content, encoding="utf-8", newline="")
        monkeypatch.setenv(name, environ[name])
    try:
        theirs = botocore.session.Session().full_config["profiles"]
    except (ConfigParseError, AttributeError):  # the latter is configparser's own, of a key without a value
        with pytest.raises(RequestError):
            config.load_config(environ)
        return
    ours = config.load_config(environ)
    assert set(ours) == set(theirs)
    for name, values in theirs.items():
        profile = ours.profile(name)
        for key, value in values.items():
            assert (profile.section(key) if isinstance(value, dict) else profile.get(key)) == value
