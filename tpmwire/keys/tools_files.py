"""Files of tpm2-tools 5 that are not plain structures of the standard, and their libtss2-esys metadata.

tpm2-tools adds a header to saved contexts, sessions and credentials: a magic number and a version. The saved
context of the TPM is inside a structure of libtss2-esys, which also has the object's public area or the session's
keys. Sources: tpm2-tools (lib/files.c, lib/tpm2_session.c, lib/pcr.c), tpm2-tss (esys_types.h).
"""

from typing import Annotated

from ..record import SECRET, Record, declare
from ..spec.storage import TPM2B_NV_PUBLIC, TPMS_NV_PUBLIC
from ..spec.structures import (
    TPM2B_CONTEXT_DATA,
    TPM2B_DIGEST,
    TPM2B_ENCRYPTED_SECRET,
    TPM2B_NAME,
    TPM2B_NONCE,
    TPM2B_PUBLIC,
    TPM_HANDLE,
    TPM_SE_ID,
    TPMA_SESSION_BITS,
    TPMI_ALG_HASH,
    TPMI_DH_SAVED,
    TPMI_RH_HIERARCHY,
    TPML_DIGEST,
    TPML_PCR_SELECTION,
    TPMT_PUBLIC,
    TPMT_SYM_DEF,
    UINT16,
    UINT32,
    UINT64,
)
from ..wires import EMPTY, Counted, Fixed, Rest, Sized, SizedRecord, select

__all__ = [
    "IESYS_CONTEXT_DATA",
    "IESYS_METADATA",
    "IESYS_RESOURCE",
    "IESYS_SESSION",
    "MAGIC",
    "CredentialFile",
    "EncryptedCredential",
    "ObjectContextFile",
    "OtherContextFile",
    "PcrValuesFile",
    "SessionContextFile",
]

MAGIC = b"\xba\xdc\xc0\xde"
"""The first four bytes of tpm2-tools' own formats."""


class IESYS_SESSION(Record):
    """A session of libtss2-esys, with its keys."""

    bound_entity: TPM2B_NAME
    encrypted_salt: TPM2B_ENCRYPTED_SECRET
    salt: Annotated[bytes, Sized(), SECRET]
    symmetric: TPMT_SYM_DEF
    auth_hash: TPMI_ALG_HASH
    session_key: Annotated[bytes, Sized(), SECRET]
    session_type: TPM_SE_ID
    session_attributes: TPMA_SESSION_BITS
    nonce_caller: TPM2B_NONCE
    nonce_tpm: TPM2B_NONCE
    encrypt: UINT32
    decrypt: UINT32
    type_policy_session: UINT32
    session_value: Annotated[bytes, Sized(), SECRET]
    size_hmac_value: UINT16


IESYS_RSRC_UNION = {0: EMPTY, 1: TPM2B_PUBLIC, 2: TPM2B_NV_PUBLIC, 3: IESYS_SESSION}
"""The type of a resource's `misc` field, by its `rsrcType`: other, key, NV index, session."""


class IESYS_RESOURCE(Record):
    """A TPM resource with its Name and public area, as tpm2_evictcontrol -o and tpm2_tr_encode write it."""

    handle: TPM_HANDLE
    name: TPM2B_NAME
    rsrc_type: UINT32
    misc: Annotated[TPMT_PUBLIC | TPMS_NV_PUBLIC | IESYS_SESSION | None, select("rsrc_type", IESYS_RSRC_UNION)]


class IESYS_METADATA(Record):
    """A resource of libtss2-esys, after a size field that is always zero."""

    size: UINT16
    data: IESYS_RESOURCE


class IESYS_CONTEXT_DATA(Record):
    """The context that the TPM saved, and the libtss2-esys metadata of the object or session."""

    reserved: UINT32
    tpm_context: TPM2B_CONTEXT_DATA
    esys_metadata: IESYS_METADATA


class _ContextHeader(Record):
    """The fields before the context blob: tpm2-tools' header, and fields of TPMS_CONTEXT in another order."""

    magic: Annotated[bytes, Fixed(4)]
    version: UINT32
    hierarchy: TPMI_RH_HIERARCHY
    saved_handle: TPMI_DH_SAVED
    sequence: UINT64


class ObjectContextFile(_ContextHeader):
    """The saved context of an object or session, as tpm2-tools writes it with libtss2-esys."""

    context_blob: Annotated[IESYS_CONTEXT_DATA, SizedRecord(IESYS_CONTEXT_DATA)]


class OtherContextFile(_ContextHeader):
    """The saved context of an object or session without metadata of libtss2-esys."""

    context_blob: TPM2B_CONTEXT_DATA


class SessionContextFile(Record):
    """A session saved by tpm2-tools for the next command, as written by tpm2_startauthsession -S."""

    magic: Annotated[bytes, Fixed(4)]
    version: UINT32
    session_type: TPM_SE_ID
    auth_hash: TPMI_ALG_HASH
    context: ObjectContextFile


class EncryptedCredential(Record):
    """The content of a TPM2B_ID_OBJECT: a TPMS_ID_OBJECT whose identity field (with its size) is encrypted."""

    integrity_hmac: TPM2B_DIGEST
    enc_identity: Annotated[bytes, Rest()]


class CredentialFile(Record):
    """An encrypted credential, as tpm2_makecredential -o writes it."""

    magic: Annotated[bytes, Fixed(4)]
    version: UINT32
    credential_blob: Annotated[EncryptedCredential, SizedRecord(EncryptedCredential)]
    secret: TPM2B_ENCRYPTED_SECRET


class PcrValuesFile(Record):
    """Selected PCRs and their values, as tpm2_quote -F marshaled writes them."""

    selection: TPML_PCR_SELECTION
    values: Annotated[tuple[tuple[bytes, ...], ...], Counted(TPML_DIGEST)]


declare(globals())
