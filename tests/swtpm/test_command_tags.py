"""Which commands may come with sessions (Part 3: the tag in each command's table), asked of a real TPM.

A TPM looks at the handles first, then refuses sessions where the command takes none: TPM_RC_AUTH_CONTEXT. So
handles are put in until the TPM finds no fault in them, and then the session is what it looks at.
"""

import pytest

from tests.support.swtpm import Swtpm
from tpmwire import Tpm, calls
from tpmwire.sessions import SessionStart
from tpmwire.spec.command import Command, command_class
from tpmwire.spec.commands.startup import Startup
from tpmwire.spec.constants import TPM_CC, TPM_RH, TPM_SE, TPM_SU, TPMA_SESSION
from tpmwire.spec.structures import TPMS_AUTH_COMMAND
from tpmwire.wire import Area, build_command, split

TPM_RC_AUTH_CONTEXT = 0x145
TPM_RC_AUTH_TYPE, TPM_RC_AUTH_MISSING, TPM_RC_LOCKOUT, TPM_RC_RETRY = 0x124, 0x125, 0x921, 0x922
NV_INDEX = 0x01000020


@pytest.fixture(scope="module")
def answers() -> dict[TPM_CC, int]:
    """The response code of each command that this TPM has, sent with a session whose HMAC is wrong."""
    with Swtpm() as swtpm, Tpm.open(swtpm.path, timeout=30) as tpm:
        return _answers(tpm)


def _answers(tpm: Tpm) -> dict[TPM_CC, int]:
    session = tpm.start_session(SessionStart())
    policy = tpm.start_session(SessionStart(TPM_SE.POLICY))
    calls.nv_define(tpm, NV_INDEX, 8)
    candidates = [
        calls.create_primary(tpm).handle,
        policy.handle,
        session.handle,
        NV_INDEX,
        TPM_RH.PLATFORM,
        TPM_RH.OWNER,
        TPM_RH.LOCKOUT,
        TPM_RH.ENDORSEMENT,
        TPM_RH.NULL,
        16,  # a PCR
        0x40000110,  # TPM_RH_ACT_0
    ]

    def answer(kind: type[Command]) -> int:
        places = [0] * len(kind.handle_fields())
        while True:
            auth = TPMS_AUTH_COMMAND(session.handle, bytes(16), TPMA_SESSION(0), bytes(32))
            area = Area(tuple(candidates[place] for place in places), b"")
            data = tpm.transport.transceive(build_command(kind.code, area, [auth]))
            rc = int.from_bytes(data[6:10], "big")
            wrong = _handle_at_fault(rc)
            if wrong is not None:
                places[wrong] += 1
                assert places[wrong] < len(candidates), f"{kind.__name__} takes none of them: {rc:#x}"
            elif rc != TPM_RC_RETRY:
                return rc

    # A TPM that has been started refuses TPM2_Startup before it looks at the tag.
    implemented = set(calls.commands(tpm)) - {TPM_CC.Startup}
    return {code: answer(kind) for code in implemented if (kind := command_class(code))}


def _handle_at_fault(rc: int) -> int | None:
    """The position of the handle that a response code blames, from 0 (Part 2, §6.6.2 and §6.6.3)."""
    if 0x910 <= rc <= 0x916:  # TPM_RC_REFERENCE_H0 to H6
        return rc - 0x910
    format_one, parameter, number = rc & 0x80, rc & 0x40, rc >> 8 & 0xF
    return number - 1 if format_one and not parameter and 0 < number < 8 else None


def test_commands_that_take_no_sessions_refuse_them(answers: dict[TPM_CC, int]) -> None:
    refused = {code for code, rc in answers.items() if rc == TPM_RC_AUTH_CONTEXT}
    declared = {code for code in answers if (kind := command_class(code)) and not kind.sessions}
    assert refused == declared == {TPM_CC.FlushContext, TPM_CC.ContextSave, TPM_CC.ContextLoad}


class Unstarted(Swtpm):
    """A software TPM that waits for TPM2_Startup."""

    def _address(self) -> tuple[list[str], int]:
        words, listens = super()._address()
        return [word.replace(",startup-clear", "") for word in words], listens


def test_startup_takes_no_sessions() -> None:
    assert not Startup.sessions
    parameters = split(Startup(TPM_SU.CLEAR))
    with Unstarted() as swtpm, Tpm.open(swtpm.path, timeout=30) as tpm:
        with_session = build_command(Startup.code, parameters, [TPMS_AUTH_COMMAND()])
        assert int.from_bytes(tpm.transport.transceive(with_session)[6:10], "big") == TPM_RC_AUTH_CONTEXT
        tpm.execute(Startup(TPM_SU.CLEAR))


def test_with_the_others_it_is_the_session_that_is_looked_at(answers: dict[TPM_CC, int]) -> None:
    others = {code: rc for code, rc in answers.items() if (kind := command_class(code)) and kind.sessions}
    assert len(others) > 100
    known = {TPM_RC_AUTH_TYPE, TPM_RC_AUTH_MISSING, TPM_RC_LOCKOUT}
    elsewhere = {
        code.name: hex(rc) for code, rc in others.items() if not _session_at_fault(rc) and rc not in known
    }
    assert elsewhere == {}


def _session_at_fault(rc: int) -> bool:
    return bool(rc & 0x80 and not rc & 0x40 and rc & 0x800)
