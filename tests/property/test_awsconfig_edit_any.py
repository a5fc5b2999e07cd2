"""Edits of AWS config files of any shape: botocore then reads what was meant, and all else as before."""

from pathlib import Path

import pytest
from botocore.configloader import raw_config_parse
from botocore.exceptions import ConfigParseError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cli.awsconfig.edit import get_setting, remove_settings, set_settings
from cli.terminal.messages import UsageError

INDENTS = st.sampled_from(["", "", " ", "  ", "\t", "    ", "\x0c", "\x1c"])
KEYS = ("aws_access_key_id", "aws_secret_access_key")
NAMES = st.sampled_from([*KEYS, "AWS_Secret_Access_Key", "region", "s3", "credential_process", "k"])
DELIMITERS = st.sampled_from(["=", " = ", ":", " : ", "\t=\t", "= ", " =\x0b"])
VALUES = st.sampled_from(
    ["x", "a b", "", "[b]", "v ; c", "v # c", "a = b", "a: b", "\\", "é", "x\u2028y", "x\x85", "'"]
)
SETTING = st.tuples(INDENTS, NAMES, DELIMITERS, VALUES).map("".join)
HEADER = st.tuples(
    INDENTS,
    st.sampled_from(["[a]", "[b]", "[default]", "[profile a]", "[a] ; c", "[ a ]", "[a]]", "[DEFAULT]", "[]"]),
).map("".join)
OTHER = st.sampled_from(
    ["", "  ", "# c", "; c", "  # c", "\t; aws_access_key_id = x", "  deeper", "=", "word", "]"]
)
ENDS = st.sampled_from(["\n", "\n", "\n", "\r\n", "\r"])
TEXTS = st.builds(
    lambda lines, last: "".join(line + end for line, end in lines) + last,
    st.lists(st.tuples(st.one_of(SETTING, SETTING, SETTING, HEADER, OTHER), ENDS), max_size=10).map(
        lambda lines: [("[a]", "\n"), *lines]
    ),
    st.one_of(st.just(""), SETTING),
)
SECTIONS = ["a", "b", "default", " a ", "profile a"]

Read = dict[str, dict[str, str]]


def _read(path: Path, text: str) -> Read | None:
    """The file as botocore reads it; None where it does not."""
    path.write_text(text, encoding="utf-8", newline="")
    try:
        return raw_config_parse(str(path), parse_subsections=False)  # type: ignore[no-any-return]
    except (ConfigParseError, AttributeError):  # the latter is configparser's own, of a key without a value
        return None


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS, section=st.sampled_from(SECTIONS))
def test_reading_is_botocores(tmp_path: Path, text: str, section: str) -> None:
    before = _read(tmp_path / "config", text)
    if before is None or "[DEFAULT]" in text:
        return
    for name in (*KEYS, "region", "s3", "credential_process", "k"):
        assert get_setting(text, section, name) == before.get(section, {}).get(name)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS, section=st.sampled_from(SECTIONS))
@example(text="[a]\n[DEFAULT]\nregion=x\n", section="a")
def test_what_is_removed_is_gone_and_nothing_else(tmp_path: Path, text: str, section: str) -> None:
    before = _read(tmp_path / "config", text)
    if before is None:
        with pytest.raises(UsageError):
            set_settings(text, section, {"region": "x"})
        return
    try:
        changed = remove_settings(text, section, KEYS)
    except UsageError:
        assert "[DEFAULT]" in text  # from which the section inherits
        return
    after = _read(tmp_path / "config", changed)
    assert after is not None
    for name in KEYS:
        before.get(section, {}).pop(name, None)
    assert {name: values for name, values in before.items() if values} == {
        name: values for name, values in after.items() if values
    }


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS, section=st.sampled_from(SECTIONS), name=st.sampled_from(["region", "credential_process"]))
def test_what_is_set_is_read_and_all_else_as_before(tmp_path: Path, text: str, section: str, name: str) -> None:
    before = _read(tmp_path / "config", text)
    if before is None:
        return
    changed = set_settings(text, section, {name: "new value", "output": "json"})
    inherited = _read(tmp_path / "config", f"{text}\n[other]") or {}
    before[section] = {**before.get(section, inherited.get("other", {})), name: "new value", "output": "json"}
    assert _read(tmp_path / "config", changed) == before
