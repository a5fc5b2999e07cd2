"""A TPM that lacks commands and algorithms which swtpm has: a part of a relay in front of one.

It refuses them with the codes of the reference code's unmarshalling (Part 2: "#TPM_RC_TYPE" and its like), and
hides them from TPM2_GetCapability.
"""

from collections.abc import Iterator
from typing import Any

from tests.support.interposer import Interposer
from tpmwire.record import Record
from tpmwire.spec.capabilities import TPMS_CAPABILITY_DATA, TPMS_TAGGED_PROPERTY
from tpmwire.spec.command import role_of
from tpmwire.spec.commands.capability import GetCapability
from tpmwire.spec.constants import TPM_ALG, TPM_CAP, TPM_CC, TPM_ECC
from tpmwire.spec.properties import TPM_PT
from tpmwire.spec.response_codes import TPM_RC
from tpmwire.spec.structures import TPMT_PUBLIC, TPMT_SYM_DEF, TPMT_SYM_DEF_OBJECT
from tpmwire.wire import CommandMessage, ResponseMessage, parse_command, parse_response

__all__ = ["Lacking"]

_PARAMETER = 0x040
_ECC_ONLY = {TPM_ALG.ECDSA, TPM_ALG.ECDH, TPM_ALG.ECDAA, TPM_ALG.ECSCHNORR, TPM_ALG.SM2, TPM_ALG.ECMQV}
_NUMBERS_OF_COMMANDS = (TPM_PT.TOTAL_COMMANDS, TPM_PT.LIBRARY_COMMANDS)


class Lacking:
    """Answers in the place of a TPM without `commands`, `algorithms` and `curves`; no ECC means no curves.

    `in_sessions` are algorithms and modes of ciphers that sessions cannot have, although keys can.
    """

    def __init__(
        self,
        *,
        commands: set[TPM_CC] | None = None,
        algorithms: set[TPM_ALG] | None = None,
        curves: set[TPM_ECC] | None = None,
        in_sessions: set[TPM_ALG] | None = None,
    ) -> None:
        self.commands = commands or set()
        self.algorithms = algorithms or set()
        self.curves = curves or set()
        self.in_sessions = in_sessions or set()
        if TPM_ALG.ECC in self.algorithms:
            self.algorithms = self.algorithms | _ECC_ONLY
            self.curves = self.curves | set(TPM_ECC)

    def before(self, bus: Interposer) -> Interposer:
        """Has the relay answer so."""
        bus.on_command, bus.on_forward, bus.on_response = self.refusal, self.forwarded, self.response
        return bus

    def refusal(self, octets: bytes) -> bytes | None:
        """The response to a command that needs what is lacking; None for others."""
        if int.from_bytes(octets[6:10], "big") in self.commands:
            return _error(TPM_RC.COMMAND_CODE)
        message = parse_command(octets)
        if not isinstance(message.command, Record):
            return None
        parameters = [name for name, annotation in message.command.fields() if not role_of(annotation)]
        for number, name in enumerate(parameters, 1):
            for code in self._lacking(getattr(message.command, name), None, name):
                return _error(code | _PARAMETER | number << 8)
        return None

    def _lacking(self, value: Any, owner: Record | None, name: str) -> Iterator[TPM_RC]:
        if isinstance(value, Record):
            for field, _ in value.fields():
                yield from self._lacking(getattr(value, field), value, field)
        elif isinstance(value, tuple):
            for one in value:
                yield from self._lacking(one, owner, name)
        elif isinstance(value, TPM_ECC) and value in self.curves:
            yield TPM_RC.CURVE
        elif isinstance(value, TPM_ALG) and value in self._unusable(owner):
            yield _code(owner, name)

    def _unusable(self, owner: Record | None) -> set[TPM_ALG]:
        return self.algorithms | (self.in_sessions if isinstance(owner, TPMT_SYM_DEF) else set())

    def forwarded(self, octets: bytes) -> bytes:
        """The command as swtpm gets it: asked for so many more commands as are then left out of its list."""
        if int.from_bytes(octets[6:10], "big") != TPM_CC.GetCapability:
            return octets
        message = parse_command(octets)
        asked = message.command
        if not isinstance(asked, GetCapability) or asked.capability != TPM_CAP.COMMANDS:
            return octets
        more = asked.replace(property_count=asked.property_count + len(self.commands))
        return CommandMessage(message.code, more, message.authorizations, message.tag).build()

    def response(self, octets: bytes, sent: bytes) -> bytes:
        """The TPM's response, without what is lacking in its lists of capabilities."""
        if int.from_bytes(sent[6:10], "big") != TPM_CC.GetCapability:
            return octets
        answer = parse_response(octets, sent)
        if not isinstance(answer.response, GetCapability.Response):
            return octets
        told = answer.response.capability_data
        kept = tuple(self._counted(one) for one in told.data if not self._is_lacking(told.capability, one))
        shown = answer.response.replace(capability_data=TPMS_CAPABILITY_DATA(told.capability, kept))
        return ResponseMessage(0, answer.code, shown, answer.authorizations, answer.tag).build()

    def _counted(self, one: Any) -> Any:
        """A property with the number of commands less those that are lacking: Linux compares it with the list."""
        if not isinstance(one, TPMS_TAGGED_PROPERTY) or one.property not in _NUMBERS_OF_COMMANDS:
            return one
        return one.replace(value=one.value - len(self.commands))

    def _is_lacking(self, capability: TPM_CAP, one: Any) -> bool:
        if capability == TPM_CAP.COMMANDS:
            return one & 0xFFFF in {code & 0xFFFF for code in self.commands}
        if capability == TPM_CAP.ALGS:
            return one.alg in self.algorithms
        if capability == TPM_CAP.PCRS:
            return one.hash in self.algorithms
        return capability == TPM_CAP.ECC_CURVES and one in self.curves


def _code(owner: Record | None, name: str) -> TPM_RC:
    """What the unmarshalling of the field answers to an algorithm that is not implemented."""
    if isinstance(owner, TPMT_PUBLIC) and name == "type":
        return TPM_RC.TYPE
    if isinstance(owner, (TPMT_SYM_DEF, TPMT_SYM_DEF_OBJECT)) and name in ("algorithm", "mode"):
        return TPM_RC.SYMMETRIC if name == "algorithm" else TPM_RC.MODE
    return TPM_RC.SCHEME if name == "scheme" else TPM_RC.HASH


def _error(code: int) -> bytes:
    return bytes.fromhex("80010000000a") + code.to_bytes(4, "big")
