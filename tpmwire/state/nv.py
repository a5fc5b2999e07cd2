"""What an NV index holds: read whole, in pieces as large as the TPM gives."""

from ..errors import NvError
from ..spec.capabilities import TPMS_TAGGED_PROPERTY
from ..spec.commands.capability import GetCapability
from ..spec.commands.nv import NV_Read, NV_ReadPublic
from ..spec.constants import TPM_CAP, TPM_PT, TPM_RH, TPMA_NV
from ..tpm import Tpm

__all__ = ["handles", "most_at_once", "read"]

LEAST_PIECE = 64
"""Octets to ask for at once where the TPM does not say how many it gives."""


def handles(tpm: Tpm, first: int, last: int) -> list[int]:
    """The handles from `first` to `last` that the TPM has, of one type (Part 3, §30.2; Part 2, §6.12)."""
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


def read(tpm: Tpm, index: int) -> bytes:
    """The octets of an index that the empty password of the index itself, or of the owner, lets read.

    Raises NvError for an index that nobody can read that way, TpmError where the TPM refuses.
    """
    public = tpm.execute(NV_ReadPublic(index)).nv_public
    attributes = public.attributes
    if not attributes & TPMA_NV.WRITTEN:
        raise NvError(f"NV index 0x{index:08x} is defined and was never written")
    if attributes & TPMA_NV.READLOCKED:
        raise NvError(f"NV index 0x{index:08x} is locked against reading until the machine starts again")
    if attributes & TPMA_NV.AUTHREAD:
        authority = index
    elif attributes & TPMA_NV.OWNERREAD:
        authority = TPM_RH.OWNER
    else:
        raise NvError(f"NV index 0x{index:08x} wants the platform or a policy to be read")
    piece, data = most_at_once(tpm), b""
    while len(data) < public.data_size:
        size = min(piece, public.data_size - len(data))
        got = tpm.execute(NV_Read(authority, index, size, len(data))).data
        if len(got) != size:
            raise NvError(f"NV index 0x{index:08x} gave {len(got)} octets where {size} were asked for")
        data += got
    return data


def most_at_once(tpm: Tpm) -> int:
    """The most octets that one TPM2_NV_Read gives, or TPM2_NV_Write takes (TPM_PT_NV_BUFFER_MAX)."""
    answer = tpm.execute(GetCapability(TPM_CAP.TPM_PROPERTIES, TPM_PT.NV_BUFFER_MAX, 1))
    for found in answer.capability_data.data:
        if isinstance(found, TPMS_TAGGED_PROPERTY) and found.property == TPM_PT.NV_BUFFER_MAX and found.value:
            return found.value
    return LEAST_PIECE
