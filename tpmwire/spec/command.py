"""Declarations of commands (TPM 2.0 Part 3), and the command class of a command code."""

from __future__ import annotations

from enum import Enum

from ..record import Record, marks
from ..typed import Protocol, TypeVar
from .constants import TPM_CC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar

__all__ = ["ADMIN", "DUP", "HANDLE", "USER", "Answered", "Command", "Role", "command_class"]

R_co = TypeVar("R_co", covariant=True)


class Role(Enum):
    """An annotation of a handle field: its authorization role (Part 1, §19.2; Part 3, §4)."""

    HANDLE = "a handle that needs no authorization"
    USER = "authorized by the object's authValue or policy"
    ADMIN = "authorized according to its attribute adminWithPolicy"
    DUP = "authorized by policy only"

    @property
    def authorized(self) -> bool:
        """Returns whether the handle needs an authorization."""
        return self is not Role.HANDLE


HANDLE, USER, ADMIN, DUP = Role.HANDLE, Role.USER, Role.ADMIN, Role.DUP


def role_of(annotation: Any) -> Role | None:
    """Returns the role in an annotation, or None for a parameter."""
    return next((mark for mark in marks(annotation) if isinstance(mark, Role)), None)


class Command(Record):
    """Base class of every command. Handles are the fields with a `Role`, which come first.

    `Response` is the response's class, nested in the command's class. `flushes` names the handle field that a
    successful command flushes. `auth_after` names the field with the first handle's new authValue, which the
    response HMAC uses; it is "" if the command removes the entity or its authValue. `alters_nv` is true if
    the command may change the Names of NV indices. `sessions` is false if Part 3 allows the tag
    TPM_ST_NO_SESSIONS only.
    """

    code: ClassVar[TPM_CC]
    spec: ClassVar[str]
    flushes: ClassVar[str | None] = None
    auth_after: ClassVar[str | None] = None
    alters_nv: ClassVar[bool] = False
    sessions: ClassVar[bool] = True

    class Response(Record):
        """Base class of every response, without handles and parameters."""

    def __init_subclass__(cls, *, code: TPM_CC, spec: str) -> None:
        cls.code = code
        cls.spec = spec
        _by_code[code] = cls

    @classmethod
    def handle_fields(cls) -> list[tuple[str, Role]]:
        """Returns (name, role) of each handle field, in order."""
        return [(name, role) for name, a in cls.fields() if (role := role_of(a)) is not None]


class Answered(Protocol[R_co]):
    """Protocol of a command, for type checkers: `Tpm.execute` returns an instance of the command's `Response`."""

    @property
    def Response(self) -> type[R_co]: ...


_by_code: dict[int, type[Command]] = {}


def command_class(code: int) -> type[Command] | None:
    """Returns the class of the command with this code, or None if the command is not declared.

    Loads the modules of all chapters of Part 3 if the code is not known yet.
    """
    if code not in _by_code:
        from importlib import import_module  # late: a credential run does not need it

        from .commands import CHAPTERS  # late: the modules of `commands` import this one

        for chapter in CHAPTERS:
            import_module(f".commands.{chapter}", __package__)
    return _by_code.get(code)
