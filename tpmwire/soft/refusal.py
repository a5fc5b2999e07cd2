"""The exception with which a command handler refuses a command, and the response code for the client."""

from ..record import Record
from ..spec.command import role_of
from ..spec.response_codes import TPM_RC

__all__ = ["Refusal", "require"]

_FORMAT_ONE = 0x080
_PARAMETER = 0x040
_SESSION = 0x800


class Refusal(Exception):
    """An error response: the TPM refuses the command with response code `code`.

    `field` is the name of the invalid handle or parameter. `handle`, `parameter` and `session` are the number,
    from 1, of the invalid handle, parameter or session. At most one of the four is set. `reason` is a text for the
    observer of the TPM, where the code alone does not tell the cause.
    """

    def __init__(
        self,
        code: TPM_RC,
        field: str = "",
        *,
        handle: int = 0,
        parameter: int = 0,
        session: int = 0,
        reason: str = "",
    ) -> None:
        super().__init__(code.name)
        self.code = code
        self.field = field
        self.handle = handle
        self.parameter = parameter
        self.session = session
        self.reason = reason

    def rc(self, command: type[Record] | None = None) -> int:
        """Returns the response code with the number of the handle, parameter or session (Part 2, §6.6.1).

        `command` is the class of the refused command; its declaration gives the number of `field`.
        """
        if not self.code & _FORMAT_ONE or self.code & 0x100:
            return int(self.code)
        handle, parameter = self.handle, self.parameter
        if self.field and command is not None:
            handle, parameter = _number(command, self.field)
        if parameter:
            return self.code | _PARAMETER | parameter << 8
        if self.session:
            return self.code | _SESSION | self.session << 8
        return self.code | handle << 8


def _number(command: type[Record], field: str) -> tuple[int, int]:
    """Returns (number of the handle `field`, 0) or (0, number of the parameter `field`), counted from 1."""
    handles = [name for name, annotation in command.fields() if role_of(annotation) is not None]
    parameters = [name for name, annotation in command.fields() if role_of(annotation) is None]
    return (handles.index(field) + 1, 0) if field in handles else (0, parameters.index(field) + 1)


def require(condition: object, code: TPM_RC, field: str = "") -> None:
    """Raises Refusal with `code` and `field` unless `condition` is true."""
    if not condition:
        raise Refusal(code, field)
