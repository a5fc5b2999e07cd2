"""Strict JSON (RFC 8259), which refuses texts that parsers read in different ways."""

import json
from typing import Any, NoReturn

__all__ = ["describe_error", "loads"]


def loads(text: str | bytes, *, lines: bool = False) -> Any:
    """Returns the value of a JSON text. With `lines`, strings can have line ends and other control characters.

    Raises ValueError for invalid JSON, a duplicate name in an object, NaN or Infinity, half of a surrogate pair,
    or nesting that is too deep. Its message never contains a value of the text.
    """
    try:
        value = json.loads(text, strict=not lines, object_pairs_hook=_object, parse_constant=_constant)
        if "\\u" in (text if isinstance(text, str) else text.decode(errors="replace")):
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except UnicodeError:
        raise ValueError("invalid Unicode characters") from None
    return value


def describe_error(error: Exception) -> str:
    """Returns why a JSON value does not have the expected fields, from the error that reading them raised."""
    if isinstance(error, KeyError):
        return f"missing field {error}"
    if isinstance(error, TypeError | AttributeError):
        return "a value has the wrong type"
    return str(error)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"duplicate name {twice!a} in an object")
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not allowed")
