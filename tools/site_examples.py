"""Examples of every command for the site: bytes built by tpmwire, and responses of a soft TPM."""

import shlex
from collections.abc import Mapping
from enum import IntEnum, IntFlag
from functools import cache
from typing import Any, NamedTuple

from cli.inspect.command_auth import CommandAuthorizer
from cli.inspect.command_fields import command_from
from cli.inspect.command_plans import plans_from_words
from tpmwire.explain import as_text, explain_command, explain_response
from tpmwire.explain.names import type_name
from tpmwire.record import Record, Struct
from tpmwire.soft import SoftTransport
from tpmwire.spec.command import Command, command_class, role_of
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_ECC, TPM_HT, TPM_RH, TPM_ST
from tpmwire.spec.structures import TPMS_AUTH_COMMAND
from tpmwire.spec.versioned import Versioned
from tpmwire.tpm import Tpm
from tpmwire.wire import build_command, split
from tpmwire.wires import Counted, Empty, Fixed, Number, Select, SizedRecord, YesNo, wire_of

__all__ = ["Example", "examples"]

_PRIMARY = "CreatePrimary primaryHandle=owner inPublic=template:srk-ecc"
_INDEX = "publicInfo.nameAlg=SHA256 publicInfo.dataSize=8 publicInfo.attributes='OWNERREAD|OWNERWRITE'"
_DEFINE = f"NV_DefineSpace authHandle=owner publicInfo.nvIndex=0x01000001 {_INDEX}"
_WRITE = "NV_Write authHandle=owner nvIndex=0x01000001 data=text:12345678 offset=0"
_SESSION = "StartAuthSession tpmKey=null bind=null nonceCaller=000102030405060708090a0b0c0d0e0f"
_TRIAL = f"{_SESSION} sessionType=TRIAL symmetric.algorithm=NULL authHash=SHA256"

_LINES = f"""
GetRandom bytesRequested=8
StirRandom inData=text:entropy
Hash data=text:hello hashAlg=SHA256 hierarchy=owner
SelfTest fullTest=1
GetTestResult
GetCapability capability=TPM_PROPERTIES property=0x100 propertyCount=8
PCR_Read pcrSelectionIn=sha256:0,23
PCR_Event pcrHandle=23 eventData=text:boot
PCR_Reset pcrHandle=23
ReadClock
{_PRIMARY}
{_PRIMARY} + ReadPublic objectHandle=$1
{_PRIMARY} + ContextSave saveHandle=$1
{_PRIMARY} + FlushContext flushHandle=$1
{_PRIMARY} + EvictControl auth=owner objectHandle=$1 persistentHandle=0x81000010
{_DEFINE}
{_DEFINE} + NV_ReadPublic nvIndex=0x01000001
{_DEFINE} + {_WRITE}
{_DEFINE} + {_WRITE} + NV_Read authHandle=owner nvIndex=0x01000001 size=8 offset=0
{_DEFINE} + NV_UndefineSpace authHandle=owner nvIndex=0x01000001
{_TRIAL}
{_TRIAL} + PolicyPCR policySession=$1 pcrs=sha256:7
{_TRIAL} + PolicyCommandCode policySession=$1 code=Unseal
{_TRIAL} + PolicyAuthValue policySession=$1
{_TRIAL} + PolicyPassword policySession=$1
{_TRIAL} + PolicyAuthValue policySession=$1 + PolicyGetDigest policySession=$1
HashSequenceStart hashAlg=SHA256
ECC_Parameters curveID=NIST_P256
Clear authHandle=lockout
DictionaryAttackLockReset lockHandle=lockout
Shutdown shutdownType=STATE
"""
"""Lines of `tpmwire send`, each an example of its last command."""


class Example(NamedTuple):
    """An example of a command: the explained bytes, and the explained response or "".

    `line` has the words of `tpmwire send`, and `before` those of the commands that it needs.
    """

    command: str
    response: str = ""
    line: str = ""
    before: tuple[str, ...] = ()


@cache
def examples() -> Mapping[str, Example]:
    """Returns an example of each command, keyed by the command's name in the standard."""
    found = {}
    for code in TPM_CC:
        command = command_class(code)
        if command is not None:
            found[f"TPM2_{code.name}"] = _build_shortest(command)
    for line in _LINES.strip().splitlines():
        example = _run(line)
        found[f"TPM2_{example.line.split()[0]}"] = example
    return found


class _Recorder:
    """A transport that stores the last command and response."""

    def __init__(self, transport: SoftTransport) -> None:
        self._transport = transport
        self.last = (b"", b"")

    def transceive(self, command: bytes) -> bytes:
        response = self._transport.transceive(command)
        self.last = (command, response)
        return response

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def _run(line: str) -> Example:
    recorder: Any = _Recorder(SoftTransport(seed=b"example"))
    tpm = Tpm(recorder)
    authorizer = CommandAuthorizer(tpm, "none")
    handles: list[int] = []
    for plan in plans_from_words(shlex.split(line)):
        command = command_from(plan.kind, plan.values, handles, public=False)
        response: Any = tpm.execute(command, *authorizer.of(plan.kind, [], None))
        last = recorder.last
        handles.append(next((getattr(response, name) for name, a in response.fields() if role_of(a)), 0))
    sent, received = last
    tpm.close()
    *before, shown = line.split(" + ")
    return Example(as_text(explain_command(sent)), as_text(explain_response(received, sent)), shown, tuple(before))


def _build_shortest(kind: type[Command]) -> Example:
    """Returns an example of a command with short fields and empty passwords."""
    command: Any = _record(kind)
    auths = [TPMS_AUTH_COMMAND() for _, role in kind.handle_fields() if role.authorized]
    message = build_command(kind.code, split(command), auths)
    return Example(as_text(explain_command(message)))


_HANDLES = {
    "PCR": 23,
    "SH": 0x03000000,
    "NV_INDEX": 0x01000001,
    "DH_PERSISTENT": 0x81000010,
    "RH_PLATFORM": TPM_RH.PLATFORM,
    "RH_LOCKOUT": TPM_RH.LOCKOUT,
    "RH_ENDORSEMENT": TPM_RH.ENDORSEMENT,
    "RH": TPM_RH.OWNER,
}
"""Handles by a part of their type's name; the first match counts. Others are 0x80000000, a transient object."""

_NUMBERS = {
    "HASH": TPM_ALG.SHA256,
    "ECC_CURVE": TPM_ECC.NIST_P256,
    "ALG_PUBLIC": TPM_ALG.ECC,
    "ST_ATTEST": TPM_ST.ATTEST_QUOTE,
    "TPMI_ALG": TPM_ALG.NULL,
    "TPM_ST": TPM_ST.VERIFIED,
    "TPM_HT": TPM_HT.NV_INDEX,
}
"""Numbers by a part of their type's name; the first match counts."""


def _record(kind: Any) -> Any:
    values: dict[str, Any] = {}
    for name, annotation in kind.fields():
        wire = wire_of(annotation)
        if isinstance(wire, Select):
            wire = wire.member(values)
        default = getattr(kind, name, None)
        values[name] = (
            default if isinstance(default, (int, bytes, Record)) else _value(wire, type_name(annotation))
        )
    return kind(**values)


def _value(wire: Any, name: str) -> Any:
    if isinstance(wire, Versioned):
        return _value(wire.newer, name)
    if isinstance(wire, Struct):
        return _record(wire.record)
    if isinstance(wire, SizedRecord):
        return _value(wire.inner, "")
    if isinstance(wire, Counted):
        return []
    if isinstance(wire, Fixed):
        return bytes(wire.size)
    if isinstance(wire, Empty):
        return None
    if isinstance(wire, YesNo):
        return 1
    if isinstance(wire, Number):
        return wire.kind(_number(wire, name or wire.label))
    return b""


def _number(wire: Number, name: str) -> int:
    if name.startswith(("TPMI_DH", "TPMI_RH", "TPMI_SH")):
        return next((int(handle) for part, handle in _HANDLES.items() if part in name), 0x80000000)
    for part, number in _NUMBERS.items():
        if part in name:
            return int(number)
    if issubclass(wire.kind, IntEnum) and not issubclass(wire.kind, IntFlag):
        return next(int(each) for each in wire.kind)
    return 0
