"""NV indices: ordinary indices of any length, counters, bit fields, and extend indices."""

from collections.abc import Sequence

from ..policy.policy import Policy
from ..secret import EMPTY_AUTH, Secret
from ..sessions import Password, Use
from ..spec.commands.nv import (
    NV_Certify,
    NV_DefineSpace,
    NV_Extend,
    NV_Increment,
    NV_Read,
    NV_ReadLock,
    NV_ReadPublic,
    NV_SetBits,
    NV_UndefineSpace,
    NV_Write,
    NV_WriteLock,
)
from ..spec.constants import TPM_ALG, TPM_NT, TPM_RH, TPMA_NV
from ..spec.storage import TPMS_NV_PUBLIC
from ..state.nv import most_at_once
from ..tpm import Tpm
from .arguments import NOBODY, Item, digest_of, reach, secret_of
from .attestations import Attested, scheme_of
from .signatures import Scheme

__all__ = [
    "nv_certify",
    "nv_define",
    "nv_extend",
    "nv_increment",
    "nv_read",
    "nv_read_lock",
    "nv_read_public",
    "nv_set_bits",
    "nv_undefine",
    "nv_write",
    "nv_write_lock",
]

_USUAL = TPMA_NV.AUTHREAD | TPMA_NV.AUTHWRITE | TPMA_NV.OWNERREAD | TPMA_NV.OWNERWRITE
_BY_POLICY = TPMA_NV.POLICYREAD | TPMA_NV.POLICYWRITE


def nv_define(
    tpm: Tpm,
    index: int,
    size: int,
    attributes: TPMA_NV | None = None,
    *,
    kind: TPM_NT = TPM_NT.ORDINARY,
    auth: Secret | bytes = EMPTY_AUTH,
    policy: Policy | bytes = b"",
    name_alg: TPM_ALG = TPM_ALG.SHA256,
    hierarchy: int = TPM_RH.OWNER,
    by: Password | Use = NOBODY,
) -> TPMS_NV_PUBLIC:
    """Creates an NV index of `size` bytes (Part 3, §31.3), and returns its public area.

    By default, the authValue of the index or of the owner authorizes reads and writes; with a `policy`, only the
    policy does. `auth` is the authValue of the index. `kind` is `TPM_NT.COUNTER` or `BITS` (8 bytes), `EXTEND`
    (the size of a digest of `name_alg`) or another type. `policy` is a policy, or its digest with hash algorithm
    `name_alg`.
    """
    digest = digest_of(policy, name_alg)
    chosen = attributes if attributes is not None else _BY_POLICY if digest else _USUAL
    public = TPMS_NV_PUBLIC(index, name_alg, TPMA_NV(chosen | kind << 4), digest, size)
    tpm.execute(NV_DefineSpace(hierarchy, secret_of(auth).reveal(), public), by)
    return public


def nv_undefine(tpm: Tpm, index: int, *, hierarchy: int = TPM_RH.OWNER, by: Password | Use = NOBODY) -> None:
    """Removes an NV index (Part 3, §31.4)."""
    tpm.execute(NV_UndefineSpace(hierarchy, index), by)


def nv_read_public(tpm: Tpm, index: int) -> TPMS_NV_PUBLIC:
    """Returns the public area of an NV index: its size, attributes and policy (Part 3, §31.6)."""
    return tpm.execute(NV_ReadPublic(index)).nv_public


def nv_write(
    tpm: Tpm,
    index: int,
    data: bytes,
    offset: int = 0,
    *,
    authority: int | None = None,
    by: Password | Use = NOBODY,
) -> None:
    """Writes bytes of any length to an NV index, with several commands if necessary (Part 3, §31.7).

    `authority` is the handle that authorizes the write: the index itself (default), the owner or the platform. A
    policy session authorizes only one command, which writes at most TPM_PT_NV_BUFFER_MAX bytes.
    """
    who, piece = index if authority is None else authority, most_at_once(tpm)
    for start in range(0, len(data), piece):
        tpm.execute(NV_Write(who, index, data[start : start + piece], offset + start), by)


def nv_read(
    tpm: Tpm,
    index: int,
    size: int | None = None,
    offset: int = 0,
    *,
    authority: int | None = None,
    by: Password | Use = NOBODY,
) -> bytes:
    """Returns bytes of an NV index, by default all of them, with several commands if necessary (Part 3, §31.13).

    The value of a counter or a bit field is 8 bytes, big-endian. `authority` is as in `nv_write`.
    """
    if size is None:
        size = max(nv_read_public(tpm, index).data_size - offset, 0)
    who, piece = index if authority is None else authority, most_at_once(tpm)
    found = b""
    for start in range(0, size, piece):
        found += tpm.execute(NV_Read(who, index, min(piece, size - start), offset + start), by).data
    return found


def nv_increment(tpm: Tpm, index: int, *, authority: int | None = None, by: Password | Use = NOBODY) -> None:
    """Adds 1 to an NV counter (Part 3, §31.8). The first call sets the counter to a value that the TPM chooses."""
    tpm.execute(NV_Increment(index if authority is None else authority, index), by)


def nv_extend(
    tpm: Tpm, index: int, data: bytes, *, authority: int | None = None, by: Password | Use = NOBODY
) -> None:
    """Extends an NV index of type EXTEND like a PCR: H(old value || data) (Part 3, §31.9)."""
    tpm.execute(NV_Extend(index if authority is None else authority, index, data), by)


def nv_set_bits(
    tpm: Tpm, index: int, bits: int, *, authority: int | None = None, by: Password | Use = NOBODY
) -> None:
    """Sets those bits of a 64-bit NV bit field that are 1 in `bits` (Part 3, §31.10). Bits cannot be cleared."""
    tpm.execute(NV_SetBits(index if authority is None else authority, index, bits), by)


def nv_write_lock(tpm: Tpm, index: int, *, authority: int | None = None, by: Password | Use = NOBODY) -> None:
    """Locks an NV index that has WRITEDEFINE or WRITE_STCLEAR against writes (Part 3, §31.11)."""
    tpm.execute(NV_WriteLock(index if authority is None else authority, index), by)


def nv_read_lock(tpm: Tpm, index: int, *, authority: int | None = None, by: Password | Use = NOBODY) -> None:
    """Locks an NV index that has READ_STCLEAR against reads until the next TPM restart (Part 3, §31.14)."""
    tpm.execute(NV_ReadLock(index if authority is None else authority, index), by)


def nv_certify(
    tpm: Tpm,
    index: int,
    key: Item,
    nonce: bytes,
    size: int | None = None,
    offset: int = 0,
    scheme: Scheme = None,
    *,
    authority: int | None = None,
    index_by: Password | Use = NOBODY,
    by: Password | Use = NOBODY,
    companions: Sequence[Use] = (),
) -> Attested:
    """Returns an attestation, signed by `key`, of the contents of an NV index (Part 3, §31.16).

    `by` authorizes the key, `index_by` the index. `nonce` is the verifier's random number. `size` and `offset` are
    in bytes; without `size`, the attestation contains all bytes from `offset` on.
    """
    if size is None:
        size = nv_read_public(tpm, index).data_size - offset
    chosen = scheme_of(tpm, key, scheme)
    with reach(tpm, key, by) as (handle, authorization):
        command = NV_Certify(
            handle,
            index if authority is None else authority,
            index,
            nonce,
            chosen,
            size,
            offset,
        )
        response = tpm.execute(command, authorization, index_by, *companions)
    return Attested(response.certify_info, response.signature)
