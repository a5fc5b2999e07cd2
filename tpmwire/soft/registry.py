"""The handlers of commands, by command code."""

from collections.abc import Callable
from typing import Any, TypeVar

from ..spec.command import Command
from .tpm_state import TpmState

__all__ = ["HANDLERS", "handles"]

C = TypeVar("C", bound=Command)

HANDLERS: dict[int, Callable[[TpmState, Any], Any]] = {}


def handles(kind: type[C]) -> Callable[[Callable[[TpmState, C], Any]], Callable[[TpmState, C], Any]]:
    """Registers a function as the handler of a command.

    The function gets the TPM's state and the command, whose handles exist and whose authorizations are right. It
    returns the command's Response, or None if the response is empty. It raises Refusal before it changes anything.
    """

    def register(handler: Callable[[TpmState, C], Any]) -> Callable[[TpmState, C], Any]:
        HANDLERS[kind.code] = handler
        return handler

    return register
