"""TPM 2.0 Part 3, §20: signing and signature verification."""

from ...record import Record
from ...typed import Annotated
from ..command import HANDLE, USER, Command
from ..constants import TPM_CC, TPM_RH, TPM_ST
from ..structures import (
    TPM2B_DIGEST,
    TPM2B_MAX_BUFFER,
    TPM2B_SIGNATURE_CTX,
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


class VerifySequenceComplete(Command, code=TPM_CC.VerifySequenceComplete, spec="Part 3 §20.3"):
    """Verifies the signature of a message in a sequence, returns a ticket and flushes the sequence."""

    flushes = "sequence_handle"

    sequence_handle: Annotated[TPMI_DH_OBJECT, USER]
    key_handle: Annotated[TPMI_DH_OBJECT, HANDLE]
    signature: TPMT_SIGNATURE

    class Response(Record):
        validation: TPMT_TK_VERIFIED


class VerifyDigestSignature(Command, code=TPM_CC.VerifyDigestSignature, spec="Part 3 §20.4"):
    """Verifies a signature of a digest or of an ML-DSA Mu, and returns a ticket."""

    key_handle: Annotated[TPMI_DH_OBJECT, HANDLE]
    context: TPM2B_SIGNATURE_CTX
    digest: TPM2B_DIGEST
    signature: TPMT_SIGNATURE

    class Response(Record):
        validation: TPMT_TK_VERIFIED


class SignSequenceComplete(Command, code=TPM_CC.SignSequenceComplete, spec="Part 3 §20.6"):
    """Adds the last part of the message, returns the message's signature and flushes the sequence."""

    flushes = "sequence_handle"

    sequence_handle: Annotated[TPMI_DH_OBJECT, USER]
    key_handle: Annotated[TPMI_DH_OBJECT, USER]
    buffer: TPM2B_MAX_BUFFER

    class Response(Record):
        signature: TPMT_SIGNATURE


class SignDigest(Command, code=TPM_CC.SignDigest, spec="Part 3 §20.7"):
    """Signs a digest, or an ML-DSA Mu that was computed outside the TPM if the key allows it."""

    key_handle: Annotated[TPMI_DH_OBJECT, USER]
    context: TPM2B_SIGNATURE_CTX
    digest: TPM2B_DIGEST
    validation: TPMT_TK_HASHCHECK = TPMT_TK_HASHCHECK(TPM_ST.HASHCHECK, TPM_RH.NULL, b"")

    class Response(Record):
        signature: TPMT_SIGNATURE
