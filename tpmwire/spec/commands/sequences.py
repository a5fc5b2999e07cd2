"""TPM 2.0 Part 3, §17: hash and HMAC sequences, and the start of signature sequences."""

from typing import Annotated

from ...record import NO_BYTES, SECRET, Record
from ...wires import Sized
from ..command import HANDLE, USER, Command
from ..constants import TPM_ALG, TPM_CC, TPM_RH
from ..structures import (
    MAX_DIGEST,
    TPM2B_AUTH,
    TPM2B_MAX_BUFFER,
    TPM2B_SIGNATURE_CTX,
    TPM2B_SIGNATURE_HINT,
    TPM_HANDLE,
    TPMI_ALG_HASH,
    TPMI_DH_OBJECT,
    TPMI_DH_PCR,
    TPMI_RH_HIERARCHY,
    TPML_DIGEST_VALUES,
    TPMT_TK_HASHCHECK,
)


class HMAC_Start(Command, code=TPM_CC.HMAC_Start, spec="Part 3 §17.2"):
    """Starts an HMAC sequence, for TPMs without TPM2_HMAC and for long data."""

    handle: Annotated[TPMI_DH_OBJECT, USER]
    auth: TPM2B_AUTH = NO_BYTES
    hash_alg: TPMI_ALG_HASH = TPM_ALG.NULL

    class Response(Record):
        sequence_handle: Annotated[TPM_HANDLE, HANDLE]


class HashSequenceStart(Command, code=TPM_CC.HashSequenceStart, spec="Part 3 §17.4"):
    """Starts a hash sequence or, with `hash_alg` NULL, an event sequence."""

    auth: TPM2B_AUTH
    hash_alg: TPMI_ALG_HASH

    class Response(Record):
        sequence_handle: Annotated[TPM_HANDLE, HANDLE]


class SequenceUpdate(Command, code=TPM_CC.SequenceUpdate, spec="Part 3 §17.5"):
    """Adds data to a sequence."""

    sequence_handle: Annotated[TPMI_DH_OBJECT, USER]
    buffer: TPM2B_MAX_BUFFER


class SequenceComplete(Command, code=TPM_CC.SequenceComplete, spec="Part 3 §17.6"):
    """Adds the last data, returns the result and flushes the sequence."""

    flushes = "sequence_handle"

    sequence_handle: Annotated[TPMI_DH_OBJECT, USER]
    buffer: TPM2B_MAX_BUFFER
    hierarchy: TPMI_RH_HIERARCHY = TPM_RH.NULL

    class Response(Record):
        result: Annotated[bytes, Sized(MAX_DIGEST), SECRET]
        validation: TPMT_TK_HASHCHECK


class EventSequenceComplete(Command, code=TPM_CC.EventSequenceComplete, spec="Part 3 §17.7"):
    """Ends an event sequence, and extends a PCR in each bank with the sequence's digest for that bank."""

    flushes = "sequence_handle"

    pcr_handle: Annotated[TPMI_DH_PCR, USER]
    sequence_handle: Annotated[TPMI_DH_OBJECT, USER]
    buffer: TPM2B_MAX_BUFFER

    class Response(Record):
        results: TPML_DIGEST_VALUES


class VerifySequenceStart(Command, code=TPM_CC.VerifySequenceStart, spec="Part 3 §17.6.2"):
    """Starts the verification of a message's signature. `hint` is the R of an EdDSA signature, else empty."""

    key_handle: Annotated[TPMI_DH_OBJECT, HANDLE]
    auth: TPM2B_AUTH = NO_BYTES
    hint: TPM2B_SIGNATURE_HINT = NO_BYTES
    context: TPM2B_SIGNATURE_CTX = NO_BYTES

    class Response(Record):
        sequence_handle: Annotated[TPM_HANDLE, HANDLE]


class SignSequenceStart(Command, code=TPM_CC.SignSequenceStart, spec="Part 3 §17.6.3"):
    """Starts a signature of a message. `context` is the context string of ML-DSA, else empty."""

    key_handle: Annotated[TPMI_DH_OBJECT, HANDLE]
    auth: TPM2B_AUTH = NO_BYTES
    context: TPM2B_SIGNATURE_CTX = NO_BYTES

    class Response(Record):
        sequence_handle: Annotated[TPM_HANDLE, HANDLE]
