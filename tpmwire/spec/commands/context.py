"""TPM 2.0 Part 3, §28: context management."""

from ...record import Record
from ...typed import Annotated
from ..command import HANDLE, USER, Command
from ..constants import TPM_CC
from ..structures import (
    TPM_HANDLE,
    TPMI_DH_CONTEXT,
    TPMI_DH_OBJECT,
    TPMI_DH_PERSISTENT,
    TPMI_RH_PROVISION,
    TPMS_CONTEXT,
)


class ContextSave(Command, code=TPM_CC.ContextSave, spec="Part 3 §28.2"):
    """Returns an object or session as an encrypted blob; a session is removed from the TPM's memory."""

    sessions = False

    save_handle: Annotated[TPMI_DH_CONTEXT, HANDLE]

    class Response(Record):
        context: TPMS_CONTEXT


class ContextLoad(Command, code=TPM_CC.ContextLoad, spec="Part 3 §28.3"):
    """Loads a saved context."""

    sessions = False

    context: TPMS_CONTEXT

    class Response(Record):
        loaded_handle: Annotated[TPM_HANDLE, HANDLE]


class FlushContext(Command, code=TPM_CC.FlushContext, spec="Part 3 §28.4"):
    """Flushes an object or session. The handle is a parameter, which needs no authorization."""

    flushes = "flush_handle"
    sessions = False

    flush_handle: TPMI_DH_CONTEXT


class EvictControl(Command, code=TPM_CC.EvictControl, spec="Part 3 §28.5"):
    """Makes a loaded object persistent, or removes a persistent object."""

    auth: Annotated[TPMI_RH_PROVISION, USER]
    object_handle: Annotated[TPMI_DH_OBJECT, HANDLE]
    persistent_handle: TPMI_DH_PERSISTENT
