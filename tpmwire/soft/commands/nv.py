"""Soft TPM: NV commands (Part 3, §31)."""

from ...crypto.formulas import digest, digest_size, trimmed
from ...spec.commands.nv import (
    NV_ChangeAuth,
    NV_DefineSpace,
    NV_Extend,
    NV_GlobalWriteLock,
    NV_Increment,
    NV_Read,
    NV_ReadLock,
    NV_ReadPublic,
    NV_SetBits,
    NV_UndefineSpace,
    NV_UndefineSpaceSpecial,
    NV_Write,
    NV_WriteLock,
)
from ...spec.constants import TPM_RH, TPMA_NV
from ...spec.properties import TPM_NT
from ...spec.response_codes import TPM_RC
from ...spec.storage import TPMS_NV_PUBLIC
from ..entities import NvIndex
from ..refusal import Refusal, require
from ..registry import handles
from ..tpm_state import TpmState

A = TPMA_NV
WRITERS = A.OWNERWRITE | A.PPWRITE | A.AUTHWRITE | A.POLICYWRITE
READERS = A.OWNERREAD | A.PPREAD | A.AUTHREAD | A.POLICYREAD
LARGEST = 2048
NUMBER_SIZE = 8
NUMBERS = (TPM_NT.COUNTER, TPM_NT.BITS, TPM_NT.PIN_FAIL, TPM_NT.PIN_PASS)


@handles(NV_DefineSpace)
def nv_define_space(tpm: TpmState, command: NV_DefineSpace) -> None:
    """Creates an NV index (TPM2_NV_DefineSpace)."""
    public = command.public_info
    auth = trimmed(command.auth)
    require(len(auth) <= digest_size(public.name_alg), TPM_RC.SIZE, "auth")
    _check_public(tpm, command.auth_handle, public)
    if public.nv_index in tpm.indices:
        raise Refusal(TPM_RC.NV_DEFINED)
    tpm.indices[public.nv_index] = NvIndex(public.nv_index, auth, public.auth_policy, public.name_alg, public, b"")


def _check_public(tpm: TpmState, by: int, public: TPMS_NV_PUBLIC) -> None:
    """Raises Refusal unless the public area of a new NV index is consistent (Part 3, §31.3.1).

    `by` is the handle of the hierarchy that authorizes the command.
    """
    attributes, kind = public.attributes, int(public.attributes) >> 4 & 0xF
    field = "public_info"
    size = digest_size(public.name_alg)
    require(len(public.auth_policy) in (0, size), TPM_RC.SIZE, field)
    require(public.data_size <= LARGEST, TPM_RC.SIZE, field)
    require(kind in (0, 1, 2, 4, 8, 9), TPM_RC.ATTRIBUTES, field)
    wanted = NUMBER_SIZE if kind in NUMBERS else size if kind == TPM_NT.EXTEND else public.data_size
    require(public.data_size == wanted, TPM_RC.SIZE, field)
    if kind in (TPM_NT.PIN_PASS, TPM_NT.PIN_FAIL):
        forbidden = A.AUTHWRITE | A.GLOBALLOCK | A.WRITEDEFINE
        require(not attributes & forbidden, TPM_RC.ATTRIBUTES, field)
        require(kind != TPM_NT.PIN_FAIL or attributes & A.NO_DA, TPM_RC.ATTRIBUTES, field)
    forbidden = A.WRITTEN | A.READLOCKED | A.WRITELOCKED
    require(not attributes & forbidden, TPM_RC.ATTRIBUTES, field)
    require(attributes & WRITERS and attributes & READERS, TPM_RC.ATTRIBUTES, field)
    if attributes & A.CLEAR_STCLEAR:
        require(kind != TPM_NT.COUNTER and not attributes & A.WRITEDEFINE, TPM_RC.ATTRIBUTES, field)
    platform = by == TPM_RH.PLATFORM
    require(bool(attributes & A.PLATFORMCREATE) == platform, TPM_RC.ATTRIBUTES, "auth_handle")
    require(platform or not attributes & A.POLICY_DELETE, TPM_RC.ATTRIBUTES, field)
    if attributes & A.POLICY_DELETE:
        require(public.auth_policy, TPM_RC.ATTRIBUTES, field)
    if attributes & A.WRITEALL:
        require(public.data_size <= 1024, TPM_RC.SIZE, field)


@handles(NV_UndefineSpace)
def nv_undefine_space(tpm: TpmState, command: NV_UndefineSpace) -> None:
    """Removes an NV index (TPM2_NV_UndefineSpace). The owner cannot remove an index of the platform."""
    index = tpm.indices[command.nv_index]
    require(not index.has(A.POLICY_DELETE), TPM_RC.ATTRIBUTES, "nv_index")
    if command.auth_handle == TPM_RH.OWNER and index.has(A.PLATFORMCREATE):
        raise Refusal(TPM_RC.NV_AUTHORIZATION)
    del tpm.indices[command.nv_index]


@handles(NV_UndefineSpaceSpecial)
def nv_undefine_space_special(tpm: TpmState, command: NV_UndefineSpaceSpecial) -> None:
    """Removes a platform NV index that has TPMA_NV_POLICY_DELETE (TPM2_NV_UndefineSpaceSpecial)."""
    index = tpm.indices[command.nv_index]
    require(index.has(A.POLICY_DELETE), TPM_RC.ATTRIBUTES, "nv_index")
    del tpm.indices[command.nv_index]
    index.auth = b""


@handles(NV_ReadPublic)
def nv_read_public(tpm: TpmState, command: NV_ReadPublic) -> NV_ReadPublic.Response:
    """Returns the public area and the Name of an NV index (TPM2_NV_ReadPublic)."""
    index = tpm.indices[command.nv_index]
    return NV_ReadPublic.Response(index.public, index.name)


def _check_access(
    tpm: TpmState, auth: int, handle: int, lock: TPMA_NV, owner: TPMA_NV, platform: TPMA_NV
) -> NvIndex:
    """Returns the NV index `handle`. Raises Refusal if `lock` is set, or if the entity `auth` may not access it.

    The index itself may; the owner needs the attribute `owner`, the platform `platform`.
    """
    index = tpm.indices[handle]
    if index.has(lock):
        raise Refusal(TPM_RC.NV_LOCKED)
    needed = {TPM_RH.OWNER: owner, TPM_RH.PLATFORM: platform}.get(TPM_RH(auth))
    if not (auth == handle if needed is None else index.has(needed)):
        raise Refusal(TPM_RC.NV_AUTHORIZATION)
    return index


def check_write(tpm: TpmState, auth: int, handle: int) -> NvIndex:
    """Returns the NV index `handle`. Raises Refusal unless the entity `auth` may write it now (Part 3, §31.7)."""
    return _check_access(tpm, auth, handle, A.WRITELOCKED, A.OWNERWRITE, A.PPWRITE)


def check_read(tpm: TpmState, auth: int, handle: int) -> NvIndex:
    """Returns the NV index `handle`. Raises Refusal unless the entity `auth` may read it now (Part 3, §31.13)."""
    index = _check_access(tpm, auth, handle, A.READLOCKED, A.OWNERREAD, A.PPREAD)
    if not index.has(A.WRITTEN):
        raise Refusal(TPM_RC.NV_UNINITIALIZED)
    return index


def _store(index: NvIndex, data: bytes) -> None:
    index.data = data
    index.set(A.WRITTEN)


@handles(NV_Write)
def nv_write(tpm: TpmState, command: NV_Write) -> None:
    """Writes data to an NV index at an offset (TPM2_NV_Write). Bytes never written read as 0xff.

    In an orderly index, they read as 0, as in swtpm.
    """
    index = check_write(tpm, command.auth_handle, command.nv_index)
    require(index.type in (TPM_NT.ORDINARY, TPM_NT.PIN_FAIL, TPM_NT.PIN_PASS), TPM_RC.ATTRIBUTES)
    size, end = index.public.data_size, command.offset + len(command.data)
    require(command.offset <= size, TPM_RC.VALUE, "offset")
    if end > size:
        raise Refusal(TPM_RC.NV_RANGE)
    if index.has(A.WRITEALL) and len(command.data) < size:
        raise Refusal(TPM_RC.NV_RANGE)
    before = index.data if index.has(A.WRITTEN) else (b"\0" if index.has(A.ORDERLY) else b"\xff") * size
    _store(index, before[: command.offset] + command.data + before[end:])


@handles(NV_Increment)
def nv_increment(tpm: TpmState, command: NV_Increment) -> None:
    """Adds 1 to an NV counter (TPM2_NV_Increment). A new counter starts above every earlier counter of the TPM."""
    index = check_write(tpm, command.auth_handle, command.nv_index)
    require(index.type == TPM_NT.COUNTER, TPM_RC.ATTRIBUTES, "nv_index")
    value = int.from_bytes(index.data, "big") if index.has(A.WRITTEN) else tpm.highest_counter
    tpm.highest_counter = max(tpm.highest_counter, value + 1)
    _store(index, (value + 1).to_bytes(NUMBER_SIZE, "big"))


@handles(NV_Extend)
def nv_extend(tpm: TpmState, command: NV_Extend) -> None:
    """Extends the digest in an NV index (TPM2_NV_Extend)."""
    index = check_write(tpm, command.auth_handle, command.nv_index)
    require(index.type == TPM_NT.EXTEND, TPM_RC.ATTRIBUTES, "nv_index")
    alg = index.public.name_alg
    before = index.data if index.has(A.WRITTEN) else bytes(digest_size(alg))
    _store(index, digest(alg, before, command.data))


@handles(NV_SetBits)
def nv_set_bits(tpm: TpmState, command: NV_SetBits) -> None:
    """Sets bits in an NV bit field (TPM2_NV_SetBits)."""
    index = check_write(tpm, command.auth_handle, command.nv_index)
    require(index.type == TPM_NT.BITS, TPM_RC.ATTRIBUTES, "nv_index")
    before = int.from_bytes(index.data, "big") if index.has(A.WRITTEN) else 0
    _store(index, (before | command.bits).to_bytes(NUMBER_SIZE, "big"))


@handles(NV_WriteLock)
def nv_write_lock(tpm: TpmState, command: NV_WriteLock) -> None:
    """Prevents writes to an NV index until TPM2_Startup(CLEAR), or permanently with TPMA_NV_WRITEDEFINE."""
    try:
        index = check_write(tpm, command.auth_handle, command.nv_index)
    except Refusal as refusal:
        if refusal.code == TPM_RC.NV_LOCKED:
            return  # locked already
        raise
    require(index.has(A.WRITEDEFINE) or index.has(A.WRITE_STCLEAR), TPM_RC.ATTRIBUTES, "nv_index")
    index.set(A.WRITELOCKED)


@handles(NV_GlobalWriteLock)
def nv_global_write_lock(tpm: TpmState, command: NV_GlobalWriteLock) -> None:
    """Locks every NV index that has TPMA_NV_GLOBALLOCK against writes (TPM2_NV_GlobalWriteLock)."""
    for index in tpm.indices.values():
        if index.has(A.GLOBALLOCK):
            index.set(A.WRITELOCKED)


@handles(NV_Read)
def nv_read(tpm: TpmState, command: NV_Read) -> NV_Read.Response:
    """Returns data of an NV index from an offset (TPM2_NV_Read)."""
    index = check_read(tpm, command.auth_handle, command.nv_index)
    require(command.size <= 1024, TPM_RC.VALUE, "size")
    size = index.public.data_size
    require(command.offset <= size, TPM_RC.VALUE, "offset")
    if command.offset + command.size > size:
        raise Refusal(TPM_RC.NV_RANGE)
    return NV_Read.Response(index.data[command.offset : command.offset + command.size])


@handles(NV_ReadLock)
def nv_read_lock(tpm: TpmState, command: NV_ReadLock) -> None:
    """Prevents reads of an NV index until TPM2_Startup(CLEAR) (TPM2_NV_ReadLock)."""
    try:
        check_read(tpm, command.auth_handle, command.nv_index)
    except Refusal as refusal:
        if refusal.code == TPM_RC.NV_AUTHORIZATION:
            raise
        if refusal.code == TPM_RC.NV_LOCKED:
            return  # locked already
    index = tpm.indices[command.nv_index]
    require(index.has(A.READ_STCLEAR), TPM_RC.ATTRIBUTES, "nv_index")
    index.set(A.READLOCKED)


@handles(NV_ChangeAuth)
def nv_change_auth(tpm: TpmState, command: NV_ChangeAuth) -> None:
    """Changes the authValue of an NV index (TPM2_NV_ChangeAuth)."""
    index = tpm.indices[command.nv_index]
    auth = trimmed(command.new_auth)
    require(len(auth) <= digest_size(index.public.name_alg), TPM_RC.SIZE, "new_auth")
    index.auth = auth
