"""What a command declares (TPM 2.0 Part 3), and where to find one by its code."""

from enum import Enum
from importlib import import_module
from typing import Any, ClassVar, Protocol, TypeVar

from ..record import Record, marks
from .constants import TPM_CC

__all__ = ["ADMIN", "DUP", "HANDLE", "USER", "Answered", "Command", "Role", "command_class"]

R_co = TypeVar("R_co", covariant=True)


class Role(Enum):
    """Marks a field of the handle area, and how it is authorized (Part 1, §19.2; Part 3, §4)."""

    HANDLE = "a handle that needs no authorization"
    USER = "authorized by the object's authValue or policy"
    ADMIN = "authorized as its attribute adminWithPolicy says"
    DUP = "authorized by policy only"

    @property
    def authorized(self) -> bool:
        """Whether an authorization belongs to the handle."""
        return self is not Role.HANDLE


HANDLE, USER, ADMIN, DUP = Role.HANDLE, Role.USER, Role.ADMIN, Role.DUP


def role_of(annotation: Any) -> Role | None:
    """The role that an annotation carries, or None for a parameter."""
    return next((mark for mark in marks(annotation) if isinstance(mark, Role)), None)


class Command(Record):
    """Base of every command. Handles are the fields with a `Role`; they come first.

    `Response` is the response's class, nested in the command's. `flushes` names the handle field that the
    command itself closes when it succeeds. `auth_after` names the field that becomes the first handle's authValue:
    the response's HMAC is made with it; "" where nothing is left to have one. `alters_nv` says that the command
    may change the Names of NV indices. `sessions` says whether it may come with sessions; it is false where Part 3
    has the tag TPM_ST_NO_SESSIONS only.
    """

    code: ClassVar[TPM_CC]
    spec: ClassVar[str]
    flushes: ClassVar[str | None] = None
    auth_after: ClassVar[str | None] = None
    alters_nv: ClassVar[bool] = False
    sessions: ClassVar[bool] = True

    class Response(Record):
        """A response without handles and parameters."""

    def __init_subclass__(cls, *, code: TPM_CC, spec: str) -> None:
        cls.code = code
        cls.spec = spec
        _by_code[code] = cls

    @classmethod
    def handle_fields(cls) -> list[tuple[str, Role]]:
        """Names and roles of the handle area, in order."""
        return [(name, role) for name, a in cls.fields() if (role := role_of(a)) is not None]


class Answered(Protocol[R_co]):
    """A command, for the type checker: `execute()` of it gives an instance of its nested Response."""

    @property
    def Response(self) -> type[R_co]: ...


_by_code: dict[int, type[Command]] = {}


def command_class(code: int) -> type[Command] | None:
    """The class of a command code, or None for one that is not declared. Loads every chapter."""
    if code not in _by_code:
        from .commands import CHAPTERS

        for chapter in CHAPTERS:
            import_module(f".commands.{chapter}", __package__)
    return _by_code.get(code)
