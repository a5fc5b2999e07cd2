"""TPM 2.0 Part 3, §15: symmetric primitives."""

from typing import Annotated

from ...record import SECRET, Record, Sized
from ..command import USER, Command
from ..constants import TPM_ALG, TPM_CC, TPM_RH
from ..structures import (
    MAX_DIGEST,
    TPM2B_DIGEST,
    TPM2B_MAX_BUFFER,
    TPMI_ALG_HASH,
    TPMI_DH_OBJECT,
    TPMI_RH_HIERARCHY,
    TPMT_TK_HASHCHECK,
)


class Hash(Command, code=TPM_CC.Hash, spec="Part 3 §15.4"):
    """Hashes up to a buffer of data."""

    data: TPM2B_MAX_BUFFER
    hash_alg: TPMI_ALG_HASH
    hierarchy: TPMI_RH_HIERARCHY = TPM_RH.NULL

    class Response(Record):
        out_hash: TPM2B_DIGEST
        validation: TPMT_TK_HASHCHECK


class HMAC(Command, code=TPM_CC.HMAC, spec="Part 3 §15.5"):
    """HMAC of `buffer` with the key at `handle`. `hash_alg` NULL is the key's own hash."""

    handle: Annotated[TPMI_DH_OBJECT, USER]
    buffer: TPM2B_MAX_BUFFER
    hash_alg: TPMI_ALG_HASH = TPM_ALG.NULL

    class Response(Record):
        out_hmac: Annotated[bytes, Sized(MAX_DIGEST), SECRET]
