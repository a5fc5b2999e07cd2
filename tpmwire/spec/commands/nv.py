"""TPM 2.0 Part 3, §31: non-volatile storage.

`auth_handle` authorizes the command: the index itself, the owner or the platform, as the index's attributes allow.
"""

from typing import Annotated

from ...record import Record
from ..command import ADMIN, HANDLE, USER, Command
from ..constants import TPM_CC
from ..storage import TPM2B_MAX_NV_BUFFER, TPM2B_NV_PUBLIC, TPM2B_NV_PUBLIC_2
from ..structures import (
    TPM2B_ATTEST,
    TPM2B_AUTH,
    TPM2B_DATA,
    TPM2B_NAME,
    TPMI_DH_OBJECT,
    TPMI_RH_NV_AUTH,
    TPMI_RH_NV_INDEX,
    TPMI_RH_PLATFORM,
    TPMI_RH_PROVISION,
    TPMT_SIG_SCHEME,
    TPMT_SIGNATURE,
    UINT16,
    UINT64,
)


class NV_DefineSpace(Command, code=TPM_CC.NV_DefineSpace, spec="Part 3 §31.3"):
    """Creates an NV index with this authValue and this public area."""

    auth_handle: Annotated[TPMI_RH_PROVISION, USER]
    auth: TPM2B_AUTH
    public_info: TPM2B_NV_PUBLIC


class NV_UndefineSpace(Command, code=TPM_CC.NV_UndefineSpace, spec="Part 3 §31.4"):
    """Removes an NV index."""

    alters_nv = True

    auth_handle: Annotated[TPMI_RH_PROVISION, USER]
    nv_index: Annotated[TPMI_RH_NV_INDEX, HANDLE]


class NV_UndefineSpaceSpecial(Command, code=TPM_CC.NV_UndefineSpaceSpecial, spec="Part 3 §31.5"):
    """Removes an NV index of the platform by the index's policy (TPMA_NV_POLICY_DELETE)."""

    alters_nv = True
    auth_after = ""

    nv_index: Annotated[TPMI_RH_NV_INDEX, ADMIN]
    platform: Annotated[TPMI_RH_PLATFORM, USER]


class NV_ReadPublic(Command, code=TPM_CC.NV_ReadPublic, spec="Part 3 §31.6"):
    """Returns the public area and the Name of an NV index."""

    nv_index: Annotated[TPMI_RH_NV_INDEX, HANDLE]

    class Response(Record):
        nv_public: TPM2B_NV_PUBLIC
        nv_name: TPM2B_NAME


class NV_Write(Command, code=TPM_CC.NV_Write, spec="Part 3 §31.7"):
    """Writes at most TPM_PT_NV_BUFFER_MAX bytes at an offset. The first write changes the Name of the index."""

    alters_nv = True

    auth_handle: Annotated[TPMI_RH_NV_AUTH, USER]
    nv_index: Annotated[TPMI_RH_NV_INDEX, HANDLE]
    data: TPM2B_MAX_NV_BUFFER
    offset: UINT16 = 0


class NV_Increment(Command, code=TPM_CC.NV_Increment, spec="Part 3 §31.8"):
    """Adds 1 to a counter (TPM_NT_COUNTER)."""

    alters_nv = True

    auth_handle: Annotated[TPMI_RH_NV_AUTH, USER]
    nv_index: Annotated[TPMI_RH_NV_INDEX, HANDLE]


class NV_Extend(Command, code=TPM_CC.NV_Extend, spec="Part 3 §31.9"):
    """Extends an NV index of type TPM_NT_EXTEND, as TPM2_PCR_Extend extends a PCR."""

    alters_nv = True

    auth_handle: Annotated[TPMI_RH_NV_AUTH, USER]
    nv_index: Annotated[TPMI_RH_NV_INDEX, HANDLE]
    data: TPM2B_MAX_NV_BUFFER


class NV_SetBits(Command, code=TPM_CC.NV_SetBits, spec="Part 3 §31.10"):
    """Sets bits in a bit field (TPM_NT_BITS): the new value is the old one OR `bits`."""

    alters_nv = True

    auth_handle: Annotated[TPMI_RH_NV_AUTH, USER]
    nv_index: Annotated[TPMI_RH_NV_INDEX, HANDLE]
    bits: UINT64


class NV_WriteLock(Command, code=TPM_CC.NV_WriteLock, spec="Part 3 §31.11"):
    """Prevents writes to an NV index.

    The lock is permanent with TPMA_NV_WRITEDEFINE, and ends at the next TPM2_Startup(CLEAR) with
    TPMA_NV_WRITE_STCLEAR.
    """

    alters_nv = True

    auth_handle: Annotated[TPMI_RH_NV_AUTH, USER]
    nv_index: Annotated[TPMI_RH_NV_INDEX, HANDLE]


class NV_GlobalWriteLock(Command, code=TPM_CC.NV_GlobalWriteLock, spec="Part 3 §31.12"):
    """Locks all NV indices that have TPMA_NV_GLOBALLOCK, as TPM2_NV_WriteLock locks one index."""

    alters_nv = True

    auth_handle: Annotated[TPMI_RH_PROVISION, USER]


class NV_Read(Command, code=TPM_CC.NV_Read, spec="Part 3 §31.13"):
    """Reads `size` bytes at an offset, at most TPM_PT_NV_BUFFER_MAX at once."""

    auth_handle: Annotated[TPMI_RH_NV_AUTH, USER]
    nv_index: Annotated[TPMI_RH_NV_INDEX, HANDLE]
    size: UINT16
    offset: UINT16 = 0

    class Response(Record):
        data: TPM2B_MAX_NV_BUFFER


class NV_ReadLock(Command, code=TPM_CC.NV_ReadLock, spec="Part 3 §31.14"):
    """Prevents reads of an NV index that has TPMA_NV_READ_STCLEAR until the next TPM2_Startup(CLEAR)."""

    alters_nv = True

    auth_handle: Annotated[TPMI_RH_NV_AUTH, USER]
    nv_index: Annotated[TPMI_RH_NV_INDEX, HANDLE]


class NV_ChangeAuth(Command, code=TPM_CC.NV_ChangeAuth, spec="Part 3 §31.15"):
    """Changes the authValue of an NV index. The policy of the index must allow the command (PolicyCommandCode)."""

    auth_after = "new_auth"

    nv_index: Annotated[TPMI_RH_NV_INDEX, ADMIN]
    new_auth: TPM2B_AUTH


class NV_Certify(Command, code=TPM_CC.NV_Certify, spec="Part 3 §31.16"):
    """Returns a signed statement of an NV index's contents or, with size and offset 0, of their digest."""

    sign_handle: Annotated[TPMI_DH_OBJECT, USER]
    auth_handle: Annotated[TPMI_RH_NV_AUTH, USER]
    nv_index: Annotated[TPMI_RH_NV_INDEX, HANDLE]
    qualifying_data: TPM2B_DATA
    in_scheme: TPMT_SIG_SCHEME
    size: UINT16
    offset: UINT16 = 0

    class Response(Record):
        certify_info: TPM2B_ATTEST
        signature: TPMT_SIGNATURE


class NV_DefineSpace2(Command, code=TPM_CC.NV_DefineSpace2, spec="Part 3 §31.17"):
    """Creates an NV index of any handle type."""

    auth_handle: Annotated[TPMI_RH_PROVISION, USER]
    auth: TPM2B_AUTH
    public_info: TPM2B_NV_PUBLIC_2


class NV_ReadPublic2(Command, code=TPM_CC.NV_ReadPublic2, spec="Part 3 §31.18"):
    """Returns the public area and the Name of an NV index of any handle type."""

    nv_index: Annotated[TPMI_RH_NV_INDEX, HANDLE]

    class Response(Record):
        nv_public: TPM2B_NV_PUBLIC_2
        nv_name: TPM2B_NAME
