"""Registry of command handlers by command code."""

from collections.abc import Callable
from typing import Any, TypeVar

from ..spec.command import Command
from .tpm_state import TpmState

__all__ = ["HANDLERS", "handles"]

C = TypeVar("C", bound=Command)

HANDLERS: dict[int, Callable[[TpmState, Any], Any]] = {}


def handles(kind: type[C]) -> Callable[[Callable[[TpmState, C], Any]], Callable[[TpmState, C], Any]]:
    """Registers the decorated function as the handler of command `kind`.

    The handler gets the TPM's state and the command, whose handles and authorizations are already checked. The
    handler returns the command's Response, or None for an empty response. It raises Refusal before it changes any
    state.
    """

    def register(handler: Callable[[TpmState, C], Any]) -> Callable[[TpmState, C], Any]:
        HANDLERS[kind.code] = handler
        return handler

    return register
