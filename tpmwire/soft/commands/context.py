"""Soft TPM: context management commands (Part 3, §28)."""

from dataclasses import replace

from ...spec.commands.context import ContextLoad, ContextSave, EvictControl, FlushContext
from ...spec.constants import TPM_HT, TPM_RH
from ...spec.response_codes import TPM_RC
from ..contexts import open_context, seal_context
from ..creation import at_field
from ..entities import KeyedObject
from ..objects import split_buffer
from ..refusal import Refusal, require
from ..registry import handles
from ..sequence import SoftSequence
from ..session import SoftSession
from ..tpm_state import LOADED_MAX, TpmState

INDEX = 0xFFFFFF
"""The part of a session's handle without its type."""

PLATFORM_FIRST = 0x81800000
"""The first persistent handle of the platform. Lower persistent handles belong to the owner."""


@handles(FlushContext)
def flush_context(tpm: TpmState, command: FlushContext) -> None:
    """Removes an object or a session from the TPM's memory (TPM2_FlushContext)."""
    handle = command.flush_handle
    kind = handle >> 24
    if kind in (TPM_HT.HMAC_SESSION, TPM_HT.POLICY_SESSION):
        # The type of a saved session is not checked: TPM2_GetCapability lists all of them as HMAC sessions.
        saved = [one for one in tpm.saved_sessions if one & INDEX == handle & INDEX]
        require(handle in tpm.sessions or saved, TPM_RC.HANDLE, "flush_handle")
        if tpm.sessions.pop(handle, None) is None:
            del tpm.saved_sessions[saved[0]]
    elif kind == TPM_HT.TRANSIENT:
        require(tpm.transient.pop(handle, None), TPM_RC.HANDLE, "flush_handle")
    else:
        raise Refusal(TPM_RC.VALUE, "flush_handle")


@handles(EvictControl)
def evict_control(tpm: TpmState, command: EvictControl) -> None:
    """Makes a loaded object persistent, or removes a persistent object (TPM2_EvictControl)."""
    handle = command.persistent_handle
    require(handle >> 24 == TPM_HT.PERSISTENT, TPM_RC.VALUE, "persistent_handle")
    found = tpm.entity(command.object_handle)
    if not isinstance(found, KeyedObject) or isinstance(found, SoftSequence):
        raise Refusal(TPM_RC.ATTRIBUTES, "object_handle")
    platform = command.auth == TPM_RH.PLATFORM
    lasting = found.sensitive is not None and not found.external and not found.st_clear
    require(lasting and found.hierarchy != TPM_RH.NULL, TPM_RC.ATTRIBUTES, "object_handle")
    require(not found.persistent or handle == found.handle, TPM_RC.HANDLE, "object_handle")
    own = (found.hierarchy == TPM_RH.PLATFORM) == platform
    require(own or found.persistent, TPM_RC.HIERARCHY, "object_handle")
    if found.persistent:
        require(platform or handle < PLATFORM_FIRST, TPM_RC.RANGE, "persistent_handle")
        del tpm.persistent[handle]
        return
    require(platform == (handle >= PLATFORM_FIRST), TPM_RC.RANGE, "persistent_handle")
    if handle in tpm.persistent:
        raise Refusal(TPM_RC.NV_DEFINED)
    tpm.persistent[handle] = replace(found, handle=handle)


def _saved_handle(found: KeyedObject) -> int:
    """Returns savedHandle for the context of an object: it encodes the type of the object (Part 2, §14.5)."""
    if isinstance(found, SoftSequence):
        return 0x80000001
    return 0x80000002 if found.st_clear else 0x80000000


@handles(ContextSave)
def context_save(tpm: TpmState, command: ContextSave) -> ContextSave.Response:
    """Returns the context of an object or session (TPM2_ContextSave). A saved session leaves the TPM's memory."""
    handle = command.save_handle
    tpm.context_counter += 1
    sequence = tpm.context_counter
    if handle in tpm.sessions:
        session = tpm.sessions.pop(handle)
        tpm.saved_sessions[handle] = sequence
        return ContextSave.Response(seal_context(tpm, session, sequence, handle, TPM_RH.NULL))
    found = tpm.key(handle)
    return ContextSave.Response(seal_context(tpm, found, sequence, _saved_handle(found), found.hierarchy))


@handles(ContextLoad)
def context_load(tpm: TpmState, command: ContextLoad) -> ContextLoad.Response:
    """Loads an object or session from its saved context (TPM2_ContextLoad)."""
    context = command.context
    split_buffer(context.context_blob)  # Like the reference code, without the number of the parameter.
    with at_field("context"):
        found = open_context(tpm, context)
    if not isinstance(found, SoftSession):
        return ContextLoad.Response(tpm.add_transient(found))
    current = tpm.saved_sessions.get(found.handle) == context.sequence
    require(current, TPM_RC.HANDLE, "context")
    if len(tpm.sessions) >= LOADED_MAX:
        raise Refusal(TPM_RC.SESSION_MEMORY)
    del tpm.saved_sessions[found.handle]
    tpm.sessions[found.handle] = found
    return ContextLoad.Response(found.handle)
