"""`--format`, read by the shells themselves: whatever the values are, they are what the shell then has."""

import subprocess

import pytest
import tree_sitter_powershell
from hypothesis import given, settings
from hypothesis import strategies as st
from tree_sitter import Language, Node, Parser

from cli.credentials.output import text
from cli.terminal.messages import UsageError
from sigv4.sts import Credentials

NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION")
# printenv ends each value with NUL, so that line ends in one are no matter.
READ_BACK = f"printenv -0 {' '.join(NAMES)} AWS_ACCOUNT_ID"

# The form, and a command of the shell that takes a script on its standard input.
SHELLS = {
    "bash": ("export", ["bash", "--norc", "--noprofile", "-s"]),
    "dash": ("export", ["dash", "-s"]),
    "sh in bash's POSIX mode": ("export", ["bash", "--posix", "-s"]),
    "fish": ("fish", ["fish", "--no-config"]),
}

# What means something to one shell or another is in most of them; a session token's / + = too.
MEANING = st.sampled_from("'\"\\$`!#*?[]{}()<>|&;~%^ \t\n\r/+=,@:-AZaz09") | st.sampled_from(
    ["\\'", "\\\\", "$HOME", "`id`", "$(id)", "''", "\\n", "$'", "\u2019", "\u00e9", "-e", "!!", "\n\n"]
)
VALUES = st.lists(
    MEANING | st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12
).map("".join)


def _read_by(shell: str, values: tuple[str, ...]) -> tuple[str, ...]:
    form, command = SHELLS[shell]
    script = f"{text(Credentials(*values), form)}\n{READ_BACK}\n"
    done = subprocess.run(command, input=script.encode(), capture_output=True, check=True, timeout=60, env=_ENV)
    assert done.stderr == b""
    return tuple(value.decode() for value in done.stdout.split(b"\0")[:-1])


# fish makes directories in its home where it can.
_ENV = {"PATH": "/usr/bin:/bin", "HOME": "/dev/null", "LC_ALL": "C.UTF-8"}


@pytest.mark.parametrize("shell", SHELLS)
@given(values=st.tuples(*[VALUES] * 5))
@settings(max_examples=40, deadline=None)
def test_a_shell_has_the_values(shell: str, values: tuple[str, ...]) -> None:
    assert _read_by(shell, values) == values


@pytest.mark.parametrize("shell", SHELLS)
def test_each_character_of_ascii_by_itself_and_before_a_quote(shell: str) -> None:
    every = [chr(code) for code in range(1, 128)]
    values = ("".join(every), "'".join(every), "\\".join(every), "\\'".join(every), "".join(reversed(every)))
    assert _read_by(shell, values) == values


POWERSHELL = Parser(Language(tree_sitter_powershell.language()))
TYPOGRAPHIC = str.maketrans("", "", "\u2018\u2019\u201a\u201b")  # quotes to PowerShell, not to this grammar


def _nodes(node: Node, kind: str) -> list[Node]:
    return [node] * (node.type == kind) + [found for child in node.children for found in _nodes(child, kind)]


def _words(nodes: list[Node]) -> list[str]:
    return [node.text.decode() for node in nodes if node.text is not None]


@given(values=st.tuples(*[VALUES.map(lambda value: value.translate(TYPOGRAPHIC)).filter(bool)] * 5))
@settings(max_examples=100, deadline=None)
def test_powershells_grammar_sees_assignments_of_verbatim_strings(values: tuple[str, ...]) -> None:
    """No PowerShell is at hand on every machine; this grammar of it is the one that editors use."""
    tree = POWERSHELL.parse(text(Credentials(*values), "powershell").encode()).root_node
    assert not tree.has_error
    assert len(_nodes(tree, "pipeline_chain")) == len(_nodes(tree, "assignment_expression")) == 5
    assert _words(_nodes(tree, "variable")) == [f"$Env:{name}" for name in (*NAMES, "AWS_ACCOUNT_ID")]
    strings = _words(_nodes(tree, "verbatim_string_characters"))
    assert tuple(string[1:-1].replace("''", "'") for string in strings) == values


def test_powershells_other_quotes_are_doubled() -> None:
    """As its tokenizer has them (about_Quoting_Rules): the second one is what is kept."""
    said = text(Credentials("a\u2018b\u2019c\u201ad\u201be'f", "s", "t", "e"), "powershell")
    assert "'a\u2018\u2018b\u2019\u2019c\u201a\u201ad\u201b\u201be''f'\n" in said


@pytest.mark.parametrize("end", ["\n", "\r", "\0", "\x1b", "\u2028"])
def test_an_env_file_takes_no_second_line_from_a_value(end: str) -> None:
    with pytest.raises(UsageError, match="AWS_SESSION_TOKEN contains characters that an env file cannot hold"):
        text(Credentials("a", "b", f"c{end}LD_PRELOAD=x", "e"), "env")
