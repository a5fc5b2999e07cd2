"""TPM 2.0 in pure Python: commands, responses, sessions, policies and key files. Knows nothing of AWS.

with tpmwire.Tpm.open() as tpm:
    print(tpmwire.calls.random(tpm, 8).hex())

print(tpmwire.parse_command(bytes.fromhex("80010000000c0000017b0008")))
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import calls as calls
    from . import explain as explain
    from .tpm import Tpm as Tpm
    from .wire import parse_command as parse_command
    from .wire import parse_response as parse_response

__version__ = "0.1.0"

__all__ = ["Tpm", "__version__", "calls", "explain", "parse_command", "parse_response"]

_DOORS = {"Tpm": "tpm", "parse_command": "wire", "parse_response": "wire"}
_ROOMS = ("calls", "explain")


def __getattr__(name: str) -> object:
    # Loaded at first use: every module of a run imports this one, and pays for what is imported here.
    from importlib import import_module

    if name in _ROOMS:
        return import_module(f".{name}", __name__)
    if name in _DOORS:
        found = globals()[name] = getattr(import_module(f".{_DOORS[name]}", __name__), name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
