"""Every command that swtpm implements, sent to it for real: it takes our octets apart, and we take its answer."""

from collections.abc import Iterator
from enum import IntEnum
from typing import Any

import pytest

from tests.support.swtpm import Swtpm
from tpmwire.explain import explain_command, explain_response
from tpmwire.keys.templates import h2_primary
from tpmwire.record import Record, Struct
from tpmwire.sessions import SessionStart
from tpmwire.spec.command import Command, command_class, role_of
from tpmwire.spec.commands.capability import GetCapability
from tpmwire.spec.commands.hierarchy import CreatePrimary
from tpmwire.spec.commands.nv import NV_DefineSpace
from tpmwire.spec.constants import (
    TPM_ALG,
    TPM_CAP,
    TPM_CC,
    TPM_ECC,
    TPM_RH,
    TPM_SE,
    TPM_ST,
    TPMA_LOCALITY,
    TPMA_NV,
)
from tpmwire.spec.names import type_name
from tpmwire.spec.response_codes import TPM_RC
from tpmwire.spec.response_texts import explain
from tpmwire.spec.storage import TPMS_NV_PUBLIC
from tpmwire.spec.structures import TPMS_AUTH_COMMAND, TPMS_ECC_POINT, TPMS_SENSITIVE_CREATE, TPMT_PUBLIC
from tpmwire.tpm import Tpm
from tpmwire.wire import build_command, parse_command, parse_response, split
from tpmwire.wires import Counted, Fixed, Number, Select, Sized, SizedRecord, YesNo

MISREAD = (TPM_RC.INSUFFICIENT, TPM_RC.COMMAND_SIZE, TPM_RC.AUTHSIZE, TPM_RC.AUTH_MISSING, TPM_RC.AUTH_CONTEXT)
"""What a TPM answers where a command's layout or its number of authorizations is not the one it expects."""

PLACES = {
    "TPMI_RH_PLATFORM": TPM_RH.PLATFORM,
    "TPMI_RH_CLEAR": TPM_RH.PLATFORM,
    "TPMI_RH_LOCKOUT": TPM_RH.LOCKOUT,
    "TPMI_RH_ENDORSEMENT": TPM_RH.ENDORSEMENT,
    "TPMI_DH_PCR": 16,
    "TPMI_DH_PERSISTENT": 0x81010001,
    "TPMI_RH_NV_INDEX": 0x01000001,
}


FIRST: dict[Any, Any] = {TPM_ECC: TPM_ECC.NIST_P256, TPM_ST: TPM_ST.HASHCHECK, TPMA_LOCALITY: TPMA_LOCALITY.ZERO}


class Samples:
    """Values for a command's fields, such as its types want them; no more, for a refusal is an answer too."""

    def __init__(self, key: int, policy: int) -> None:
        self._places = PLACES | {"TPMI_DH_OBJECT": key, "TPMI_SH_POLICY": policy}

    def record(self, kind: type[Record]) -> Any:
        if kind is TPMT_PUBLIC:
            return h2_primary()
        values: dict[str, Any] = {}
        for name, wire in kind.wire().fields:
            selects = [w for _, w in kind.wire().fields if isinstance(w, Select) and w.selector == name]
            if selects:
                members = selects[0].members
                values[name] = TPM_ALG.NULL if TPM_ALG.NULL in members else next(iter(members))
            else:
                values[name] = self._value(wire.member(values) if isinstance(wire, Select) else wire)
        return kind._from(values)

    def _value(self, wire: Any) -> Any:
        if isinstance(wire, Struct):
            return self.record(wire.record)
        if isinstance(wire, SizedRecord):
            return self._value(wire.inner)
        if isinstance(wire, Number):
            if wire.kind is TPM_ALG:
                return TPM_ALG.SHA256 if type_name(wire) == "TPMI_ALG_HASH" else TPM_ALG.NULL
            if wire.kind in FIRST:
                return FIRST[wire.kind]
            if issubclass(wire.kind, IntEnum):
                return next(iter(wire.kind))
            if type_name(wire).startswith(("TPMI_DH", "TPMI_RH", "TPMI_SH", "TPM_HANDLE")):
                return self._places.get(type_name(wire), TPM_RH.OWNER)
            return wire.kind(0)
        if isinstance(wire, YesNo):
            return False
        if isinstance(wire, Counted):
            return ()
        if isinstance(wire, Fixed):
            return bytes(wire.size)
        if type_name(wire) == "TPM2B_ENCRYPTED_SECRET":  # an ephemeral point, as the key is an ECC key
            return TPMS_ECC_POINT(b"", b"").build()
        return b"" if isinstance(wire, Sized) else None


def sent(tpm: Tpm, command: Command) -> tuple[bytes, bytes]:
    """The octets of a command with the empty password at each handle that wants one, and of the answer."""
    roles = (role_of(annotation) for _, annotation in command.fields())
    passwords = [TPMS_AUTH_COMMAND() for role in roles if role is not None and role.authorized]
    octets = build_command(command.code, split(command), passwords)
    return octets, tpm.transport.transceive(octets)


@pytest.fixture
def tpm() -> Iterator[Tpm]:
    with Swtpm() as running, Tpm.open(running.path, timeout=60) as opened:
        yield opened


def implemented(tpm: Tpm) -> list[TPM_CC]:
    """TPM_CAP_COMMANDS: attribute words whose low bits are the code (Part 2, §8.9)."""
    answer = tpm.execute(GetCapability(TPM_CAP.COMMANDS, 0, 1000))
    assert not answer.more_data
    return [TPM_CC(int(word) & 0xFFFF | int(word) & 1 << 29) for word in answer.capability_data.data]


def test_every_command_that_swtpm_implements(tpm: Tpm) -> None:
    codes = implemented(tpm)
    assert len(codes) > 100
    assert [code for code in codes if not code.known] == []
    # Those that end a TPM's life, or what others need, come last.
    last = {TPM_CC.Shutdown, TPM_CC.Clear, TPM_CC.ClearControl, TPM_CC.HierarchyControl}
    last |= {TPM_CC.ChangeEPS, TPM_CC.ChangePPS, TPM_CC.FlushContext, TPM_CC.NV_UndefineSpace}
    made = tpm.execute(CreatePrimary(TPM_RH.OWNER, TPMS_SENSITIVE_CREATE(b"", b""), h2_primary()))
    attributes = TPMA_NV.OWNERREAD | TPMA_NV.OWNERWRITE | TPMA_NV.AUTHREAD | TPMA_NV.AUTHWRITE
    index = TPMS_NV_PUBLIC(PLACES["TPMI_RH_NV_INDEX"], TPM_ALG.SHA256, attributes, b"", 8)
    tpm.execute(NV_DefineSpace(TPM_RH.OWNER, b"", index))
    session = tpm.start_session(SessionStart(TPM_SE.POLICY))
    samples = Samples(made.object_handle, session.handle)
    outcomes: dict[str, str] = {}
    for code in sorted(codes, key=lambda code: code in last):
        kind = command_class(code)
        assert kind is not None, code
        command, answer = sent(tpm, samples.record(kind))
        assert parse_command(command).build() == command
        parsed = parse_response(answer, command)
        assert parsed.build() == answer
        assert not explain_command(command).error
        assert not explain_response(answer, command).error
        rc = explain(parsed.rc)
        assert rc.code not in MISREAD, f"TPM2_{code.name}: {parsed.error}"
        assert rc.code != TPM_RC.COMMAND_CODE, f"TPM2_{code.name} is implemented and is not"
        outcomes[code.name] = rc.name
    # Not all of them refused: in as many the answer's own layout was seen.
    assert sum(name == "TPM_RC_SUCCESS" for name in outcomes.values()) >= 45, outcomes
