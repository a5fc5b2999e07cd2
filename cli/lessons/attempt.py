"""The input of a lesson's checks: the learner's commands and answers, and the TPM."""

import re
from typing import Any, NamedTuple

from tpmwire.spec.codes import tpm_code
from tpmwire.spec.constants import TPM_CC
from tpmwire.tpm import Tpm

__all__ = ["Attempt", "Sent"]


class Sent(NamedTuple):
    """A command that the learner sent, its response, and the bytes of both.

    `command` and `response` contain decrypted parameters; `sent` and `received` are the bytes on the bus.
    `response` is None if the TPM refused the command, or if the response was not authentic. `flipped` is "command"
    or "response" if the word `flip` changed a bit in it, else "".
    """

    command: Any
    response: Any
    rc: int
    sent: bytes
    received: bytes
    flipped: str


class Attempt:
    """The learner's commands and answers in a lesson, in order, and the open TPM.

    `error` is the message of the last error that was found on this side of the bus, such as a wrong HMAC in a
    response. `memory` is for `prepare`, which can leave values in it for the checks.
    """

    def __init__(self, tpm: Tpm) -> None:
        self.tpm = tpm
        self.sent: list[Sent] = []
        self.answers: list[str] = []
        self.errors: list[str] = []
        self.memory: dict[str, Any] = {}

    def done(self, name: str) -> list[Sent]:
        """Returns the successful commands with this name, such as `PCR_Read`, in order."""
        return [each for each in self.all(name) if each.rc == 0 and each.response is not None]

    def refused(self, name: str, code: int | None = None) -> list[Sent]:
        """Returns the commands with this name that the TPM refused, in order.

        With `code`, such as TPM_RC.POLICY_FAIL, only those with this code, for any handle, parameter or session.
        """
        return [each for each in self.all(name) if each.rc and code in (None, _base_code(each.rc))]

    def all(self, name: str) -> list[Sent]:
        """Returns all commands with this name, in order."""
        code = TPM_CC[name]
        return [each for each in self.sent if each.command.code == code]

    def answered(self, value: int | str | bytes) -> bool:
        """Returns whether one of the answers is this number, text or these bytes in hex. Ignores case."""
        return any(_matches(answer, value) for answer in self.answers)


def _base_code(rc: int) -> int:
    """Returns a response code without the number of a handle, parameter or session (Part 2, §6.6.2)."""
    code = tpm_code(rc)
    return code & 0xBF if code & 0x80 else code


def _matches(answer: str, value: int | str | bytes) -> bool:
    if isinstance(value, int):
        try:
            return int(answer, 0) == value
        except ValueError:
            return False
    if isinstance(value, bytes):
        return re.sub(r"0x|[\s:]", "", answer.lower()) == value.hex()
    return answer.strip().lower() == value.lower()
