"""TPM 2.0 Part 3, §19: ephemeral EC keys."""

from typing import Annotated

from ...record import Record
from ...wires import Sized
from ..command import USER, Command
from ..constants import TPM_CC
from ..structures import TPM2B_ECC_PARAMETER, TPM2B_ECC_POINT, TPM_ECC_CURVE, TPMI_DH_OBJECT, UINT16


class Commit(Command, code=TPM_CC.Commit, spec="Part 3 §19.2"):
    """Computes the first half of an anonymous signature (ECDAA)."""

    sign_handle: Annotated[TPMI_DH_OBJECT, USER]
    p1: TPM2B_ECC_POINT
    s2: Annotated[bytes, Sized()]
    y2: TPM2B_ECC_PARAMETER

    class Response(Record):
        k: TPM2B_ECC_POINT
        l: TPM2B_ECC_POINT  # noqa: E741 - the standard's name
        e: TPM2B_ECC_POINT
        counter: UINT16


class EC_Ephemeral(Command, code=TPM_CC.EC_Ephemeral, spec="Part 3 §19.3"):
    """Creates an ephemeral key for a two-phase exchange; `counter` identifies the key."""

    curve_id: TPM_ECC_CURVE

    class Response(Record):
        q: TPM2B_ECC_POINT
        counter: UINT16
