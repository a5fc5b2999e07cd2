"""Verifies attestations of objects, their creation, NV indices and the TPM's time (Part 3, §18 and §31.16)."""

from typing import Any

from ..crypto.formulas import digest, name_of, nv_name_of
from ..errors import AttestationError
from ..spec.attestation import (
    TPMS_ATTEST,
    TPMS_CERTIFY_INFO,
    TPMS_CREATION_INFO,
    TPMS_NV_CERTIFY_INFO,
    TPMS_NV_DIGEST_CERTIFY_INFO,
    TPMS_SESSION_AUDIT_INFO,
    TPMS_TIME_ATTEST_INFO,
)
from ..spec.constants import TPM_ST
from ..spec.storage import TPMS_NV_PUBLIC
from ..spec.structures import TPMS_CREATION_DATA, TPMT_PUBLIC, TPMT_SIGNATURE
from .statement import parse_statement, verify_statement

__all__ = ["verify_certified", "verify_creation", "verify_nv", "verify_session", "verify_time"]


def verify_certified(
    message: bytes,
    signature: TPMT_SIGNATURE | bytes,
    key: Any,
    *,
    nonce: bytes,
    item: TPMT_PUBLIC | bytes,
    item_qualified_name: bytes | None = None,
    signer: bytes | None = None,
) -> TPMS_ATTEST:
    """Verifies an attestation of TPM2_Certify: the object `item` is loaded in the TPM. Returns the TPMS_ATTEST.

    `item` is the object's public area or Name. `item_qualified_name`, if given, verifies the object's ancestors
    (see `qualified_name`). The other arguments and the errors are as in `verify`. The caller must check the
    attributes of the object before trusting it.
    """
    statement, _, _ = verify_statement(message, signature, key, TPM_ST.ATTEST_CERTIFY, nonce=nonce, signer=signer)
    info = statement.attested
    assert isinstance(info, TPMS_CERTIFY_INFO)  # by the type
    _check_name(info.name, item)
    if item_qualified_name is not None and info.qualified_name != item_qualified_name:
        raise AttestationError(
            "Qualified Name",
            f"expected {item_qualified_name.hex()}, got {info.qualified_name.hex()}: the object is under another "
            "parent or hierarchy",
        )
    return statement


def verify_creation(
    message: bytes,
    signature: TPMT_SIGNATURE | bytes,
    key: Any,
    *,
    nonce: bytes,
    item: TPMT_PUBLIC,
    creation: TPMS_CREATION_DATA | bytes,
    signer: bytes | None = None,
) -> TPMS_ATTEST:
    """Verifies an attestation of TPM2_CertifyCreation: the TPM created `item` with creation data `creation`.

    `creation` can also be the bytes of a TPMS_CREATION_DATA. The other arguments and the errors are as in
    `verify`. Returns the TPMS_ATTEST.
    """
    statement, _, _ = verify_statement(message, signature, key, TPM_ST.ATTEST_CREATION, nonce=nonce, signer=signer)
    info = statement.attested
    assert isinstance(info, TPMS_CREATION_INFO)  # by the type
    _check_name(info.object_name, item)
    data = creation if isinstance(creation, bytes) else creation.build()
    if digest(item.name_alg, data) != info.creation_hash:
        raise AttestationError("creation data", "not the certified creation data: modified, or of another object")
    return statement


def verify_nv(
    message: bytes,
    signature: TPMT_SIGNATURE | bytes,
    key: Any,
    *,
    nonce: bytes,
    index: TPMS_NV_PUBLIC | bytes,
    contents: bytes,
    offset: int = 0,
    signer: bytes | None = None,
) -> TPMS_ATTEST:
    """Verifies an attestation of TPM2_NV_Certify: the index has `contents` at `offset`. Returns the TPMS_ATTEST.

    `index` is the public area or the Name of the index. The Name changes when the index is first written. If the
    attestation has a digest of the whole index, `contents` must be the whole index. The other arguments and the
    errors are as in `verify`.
    """
    whole = message[:4] == b"\xff\x54\x43\x47" and parse_statement(message).type == TPM_ST.ATTEST_NV_DIGEST
    kind = TPM_ST.ATTEST_NV_DIGEST if whole else TPM_ST.ATTEST_NV
    statement, _, hash_alg = verify_statement(message, signature, key, kind, nonce=nonce, signer=signer)
    info = statement.attested
    assert isinstance(info, (TPMS_NV_CERTIFY_INFO, TPMS_NV_DIGEST_CERTIFY_INFO))  # by the type
    _check_name(info.index_name, index)
    if isinstance(info, TPMS_NV_DIGEST_CERTIFY_INFO):
        if offset or digest(hash_alg, contents) != info.nv_digest:
            raise AttestationError("NV contents", "the digest of the contents is not the certified digest")
    elif info.offset != offset or info.nv_contents != contents:
        raise AttestationError(
            "NV contents",
            f"expected {contents.hex()} at offset {offset}, got {info.nv_contents.hex()} at offset {info.offset}",
        )
    return statement


def verify_time(
    message: bytes,
    signature: TPMT_SIGNATURE | bytes,
    key: Any,
    *,
    nonce: bytes,
    signer: bytes | None = None,
) -> TPMS_TIME_ATTEST_INFO:
    """Verifies an attestation of TPM2_GetTime, and returns the TPM's time, clock and firmware version.

    The arguments and the errors are as in `verify`. The returned values are in plain text for every key. Only
    `clock_info` and `firmware_version` of the enclosing TPMS_ATTEST are obfuscated, if the key is outside the
    endorsement and platform hierarchies.
    """
    statement, _, _ = verify_statement(message, signature, key, TPM_ST.ATTEST_TIME, nonce=nonce, signer=signer)
    info = statement.attested
    assert isinstance(info, TPMS_TIME_ATTEST_INFO)  # by the type
    return info


def verify_session(
    message: bytes,
    signature: TPMT_SIGNATURE | bytes,
    key: Any,
    *,
    nonce: bytes,
    session_digest: bytes | None = None,
    signer: bytes | None = None,
) -> TPMS_SESSION_AUDIT_INFO:
    """Verifies an attestation of TPM2_GetSessionAuditDigest, and returns its digest of the audited commands.

    `session_digest`, if given, is the expected digest. The digest starts with zeros; each audited command replaces
    it by the hash of the digest, cpHash and rpHash (Part 2, §10.12.6). The other arguments and the errors are as
    in `verify`.
    """
    kind = TPM_ST.ATTEST_SESSION_AUDIT
    statement, _, _ = verify_statement(message, signature, key, kind, nonce=nonce, signer=signer)
    info = statement.attested
    assert isinstance(info, TPMS_SESSION_AUDIT_INFO)  # by the type
    if session_digest is not None and info.session_digest != session_digest:
        raise AttestationError(
            "session digest",
            f"expected {session_digest.hex()}, got {info.session_digest.hex()}: other commands were audited",
        )
    return info


def _check_name(got: bytes, item: TPMT_PUBLIC | TPMS_NV_PUBLIC | bytes) -> None:
    if isinstance(item, TPMT_PUBLIC):
        expected = name_of(item)
    else:
        expected = nv_name_of(item) if isinstance(item, TPMS_NV_PUBLIC) else item
    if got != expected:
        raise AttestationError("Name", f"expected {expected.hex()}, got {got.hex()}: wrong object")
