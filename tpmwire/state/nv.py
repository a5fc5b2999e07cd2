"""Reads the contents of NV indices, in as many commands as the TPM's buffer size requires."""

from ..errors import NvError
from ..spec.capabilities import TPMS_TAGGED_PROPERTY
from ..spec.commands.capability import GetCapability
from ..spec.commands.nv import NV_Read, NV_ReadPublic
from ..spec.constants import TPM_CAP, TPM_PT, TPM_RH, TPMA_NV
from ..tpm import Tpm

__all__ = ["handles", "most_at_once", "read_index"]

LEAST_PIECE = 64
"""Bytes to read at once if the TPM does not tell its maximum."""


def handles(tpm: Tpm, first: int, last: int) -> list[int]:
    """Returns the TPM's handles from `first` to `last`, which have the same handle type.

    Source: Part 3, §30.2; Part 2, §6.12.
    """
    found: list[int] = []
    start = first
    while start <= last:
        answer = tpm.execute(GetCapability(TPM_CAP.HANDLES, start, 64))
        page = [h for h in answer.capability_data.data if isinstance(h, int)]
        found += [h for h in page if start <= h <= last]
        if not answer.more_data or not page or page[-1] < start:
            break
        start = page[-1] + 1
    return found


def read_index(tpm: Tpm, index: int) -> bytes:
    """Returns the contents of an NV index, read with an empty password of the index or of the owner.

    Raises NvError if the index cannot be read with either password, TpmError if the TPM refuses for another
    reason.
    """
    public = tpm.execute(NV_ReadPublic(index)).nv_public
    attributes = public.attributes
    if not attributes & TPMA_NV.WRITTEN:
        raise NvError(f"NV index 0x{index:08x} has not been written")
    if attributes & TPMA_NV.READLOCKED:
        raise NvError(f"NV index 0x{index:08x} is locked for reading until the next restart of the machine")
    if attributes & TPMA_NV.AUTHREAD:
        authority = index
    elif attributes & TPMA_NV.OWNERREAD:
        authority = TPM_RH.OWNER
    else:
        raise NvError(
            f"cannot read NV index 0x{index:08x}: reading requires platform authorization or a policy, which is "
            "not supported here"
        )
    piece, data = most_at_once(tpm), b""
    while len(data) < public.data_size:
        size = min(piece, public.data_size - len(data))
        got = tpm.execute(NV_Read(authority, index, size, len(data))).data
        if len(got) != size:
            raise NvError(f"invalid data of NV index 0x{index:08x}: expected {size} bytes, got {len(got)}")
        data += got
    return data


def most_at_once(tpm: Tpm) -> int:
    """Returns the maximum size, in bytes, of one TPM2_NV_Read or TPM2_NV_Write (TPM_PT_NV_BUFFER_MAX)."""
    answer = tpm.execute(GetCapability(TPM_CAP.TPM_PROPERTIES, TPM_PT.NV_BUFFER_MAX, 1))
    for found in answer.capability_data.data:
        if isinstance(found, TPMS_TAGGED_PROPERTY) and found.property == TPM_PT.NV_BUFFER_MAX and found.value:
            return found.value
    return LEAST_PIECE
