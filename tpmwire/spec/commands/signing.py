"""TPM 2.0 Part 3, §20: signing and signature verification."""

from typing import Annotated

from ...record import Record
from ..command import HANDLE, USER, Command
from ..constants import TPM_CC
from ..structures import (
    TPM2B_DIGEST,
    TPMI_DH_OBJECT,
    TPMT_SIG_SCHEME,
    TPMT_SIGNATURE,
    TPMT_TK_HASHCHECK,
    TPMT_TK_VERIFIED,
)


class VerifySignature(Command, code=TPM_CC.VerifySignature, spec="Part 3 §20.1"):
    """Verifies a signature of a digest, and returns a ticket, for example for TPM2_PolicyAuthorize."""

    key_handle: Annotated[TPMI_DH_OBJECT, HANDLE]
    digest: TPM2B_DIGEST
    signature: TPMT_SIGNATURE

    class Response(Record):
        validation: TPMT_TK_VERIFIED


class Sign(Command, code=TPM_CC.Sign, spec="Part 3 §20.2"):
    """Signs a digest. A restricted key requires the ticket of TPM2_Hash."""

    key_handle: Annotated[TPMI_DH_OBJECT, USER]
    digest: TPM2B_DIGEST
    in_scheme: TPMT_SIG_SCHEME
    validation: TPMT_TK_HASHCHECK

    class Response(Record):
        signature: TPMT_SIGNATURE
