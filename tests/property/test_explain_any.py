"""Explanations of anything: never an exception, every octet once, and the page shows what the tree has."""

from hypothesis import given
from hypothesis import strategies as st

from tests.property.strategies import records
from tpmwire.errors import DecodeError
from tpmwire.explain import Node, as_json, as_text, explain_command, explain_response
from tpmwire.explain.html import as_html
from tpmwire.explain.table import declarations, table_of
from tpmwire.explain.value import explain_value
from tpmwire.spec.command import Command, command_class, role_of
from tpmwire.spec.constants import TPM_CC
from tpmwire.spec.structures import TPMS_AUTH_COMMAND
from tpmwire.wire import build_command, split

CODES = list(TPM_CC)
NUMBERS = sorted(
    name for name in declarations() if name.startswith(("TPMA_", "TPM_", "TPMI_ALG", "TPMI_DH", "TPMI_RH"))
)


def leaves(node: Node) -> bytes:
    return b"".join(map(leaves, node.children)) if node.children else node.octets


@st.composite
def commands(draw: st.DrawFn) -> bytes:
    """A command with drawn values, and with as many authorizations as it wants."""
    kind = command_class(draw(st.sampled_from(CODES)))
    assert kind is not None
    command: Command = draw(records(kind))
    roles = (role_of(annotation) for _, annotation in kind.fields())
    auths = [draw(records(TPMS_AUTH_COMMAND)) for role in roles if role is not None and role.authorized]
    return build_command(command.code, split(command), auths)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A command of which octets were changed, or that ends early."""
    octets = bytearray(draw(commands()))
    for _ in range(draw(st.integers(1, 3))):
        octets[draw(st.integers(0, len(octets) - 1))] = draw(st.integers(0, 255))
    return bytes(octets[: draw(st.integers(0, len(octets)))])


@given(commands() | damaged() | st.binary(max_size=80), st.sampled_from(CODES))
def test_every_octet_once_in_tree_text_and_page(octets: bytes, code: TPM_CC) -> None:
    for tree in (explain_command(octets), explain_response(octets, int(code))):
        assert leaves(tree) == octets
        as_text(tree)
        assert as_json(tree)["octets"] == octets.hex()
        body = as_html([tree]).partition('<pre class="d">')[2].partition("</pre>")[0]
        shown = "".join(part.rpartition(">")[2] for part in body.split("</b>"))
        assert bytes.fromhex(shown) == octets


@given(st.sampled_from(NUMBERS), st.integers(0, (1 << 32) - 1))
def test_every_number_means_something(name: str, value: int) -> None:
    lines, reason = [""], ""
    try:
        lines = explain_value(name, value)
    except DecodeError as error:
        reason = error.reason
    assert bool(lines[0]) != (f"0x{value:x} is too large" in reason)
    assert table_of(name).parts
