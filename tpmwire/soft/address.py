"""The address of a soft TPM: `soft:`, `soft:FILE` or `soft:seed=WORD`, then options: `?explain&NAME=VALUE`."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ..errors import TransportError

__all__ = ["FAULTS", "OPTIONS", "SoftAddress", "SoftOption", "parse_address", "parse_options"]


class SoftOption(NamedTuple):
    """An option of a soft TPM's address.

    `text` describes the option. `values` is a regular expression for the value, which is empty for `?NAME`.
    `usage` shows the option in error messages.
    """

    text: str
    usage: str
    values: str = ""


OPTIONS: dict[str, SoftOption] = {
    "explain": SoftOption("print each internal step on stderr", "explain or explain=secrets", "(secrets)?"),
    "without": SoftOption("do not support these commands", "without=COMMAND,...", r"\w+(,\w+)*"),
    "no-ecc": SoftOption("do not support elliptic curves", "no-ecc"),
    "retry": SoftOption("respond TPM_RC_RETRY N times before each command is executed", "retry=N", r"\d{1,4}"),
    "silent-after": SoftOption("do not respond after N commands", "silent-after=N", r"\d{1,6}"),
    "wrong-hmac": SoftOption(
        "return wrong response HMACs", "wrong-hmac or wrong-hmac=COMMAND,...", r"(\w+(,\w+)*)?"
    ),
    "lockout": SoftOption("start in lockout mode", "lockout"),
}
"""The options of an address, by name."""

FAULTS = {name: option for name, option in OPTIONS.items() if name != "explain"}
"""The options that simulate faults, by name."""


class SoftAddress(NamedTuple):
    """A parsed address. At most one of `seed` and `file` is set. `options` maps option names to values."""

    seed: bytes | None
    file: str | None
    options: Mapping[str, str]


def parse_options(where: str, parts: Iterable[str], known: Mapping[str, SoftOption]) -> dict[str, str]:
    """Returns the values of options such as NAME or NAME=VALUE, by name. `known` are the valid options.

    `where` tells users where the options are. Raises TransportError for an unknown option or value.
    """
    options: dict[str, str] = {}
    for part in parts:
        name, _, value = part.partition("=")
        if name not in known or not re.fullmatch(known[name].values, value, re.ASCII):
            usage = ", ".join(option.usage for option in known.values())
            raise TransportError(f"{where}: {part!r} is not a valid option of a soft TPM; use {usage}")
        if name in options:
            raise TransportError(f"{where}: the option {name} is given twice")
        options[name] = value
    return options


def parse_address(rest: str) -> SoftAddress:
    """Returns the parts of the address `soft:REST`. Raises TransportError for an unknown option or value."""
    location, _, query = rest.partition("?")
    options = parse_options(f"'soft:{rest}'", query.split("&") if query else (), OPTIONS)
    if location.startswith("seed="):
        return SoftAddress(location.removeprefix("seed=").encode(), None, options)
    return SoftAddress(None, location or None, options)
