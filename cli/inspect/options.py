"""Options for the keys of recorded sessions."""

import argparse

from ..terminal.options import filled

__all__ = ["SessionKeySettings", "add_session_key_options"]


class SessionKeySettings:
    """The values of the options for the keys of recorded sessions."""

    salt: list[str]
    salt_file: list[str]
    auth: list[str]
    auth_file: list[str]


def add_session_key_options(parser: argparse.ArgumentParser) -> None:
    """Adds --salt, --salt-file, --auth and --auth-file."""
    keys = parser.add_argument_group("keys of the recorded sessions; each option is repeatable")
    keys.add_argument(
        "--salt",
        action="append",
        type=filled,
        default=[],
        metavar="HEX",
        help="plaintext salt of a recorded session; repeatable",
    )
    keys.add_argument(
        "--salt-file",
        action="append",
        default=[],
        metavar="FILE",
        help="file with the plaintext salt of a recorded session, in hex or binary; repeatable",
    )
    keys.add_argument(
        "--auth",
        action="append",
        default=[],
        metavar="VALUE",
        help="authValue of an entity in the recording: text:WORD, or hex; repeatable",
    )
    keys.add_argument(
        "--auth-file",
        action="append",
        default=[],
        metavar="FILE",
        help="file with the password of an entity in the recording; repeatable",
    )
