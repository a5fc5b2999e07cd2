"""The options that a profile stands for, and those that replace them."""

from cli.credentials.options import parse_run
from cli.credentials.role_chain import REPLACED


def test_every_replaced_option_is_an_option() -> None:
    options = vars(parse_run([]))
    assert options.keys() >= {*REPLACED, *(name for names in REPLACED.values() for name in names)}
