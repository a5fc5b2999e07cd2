"""Soft TPM: signature commands (Part 3, §20)."""

from ...crypto.formulas import digest_size, equal
from ...spec.commands.signing import (
    Sign,
    SignDigest,
    SignSequenceComplete,
    VerifyDigestSignature,
    VerifySequenceComplete,
    VerifySignature,
)
from ...spec.constants import TPM_ALG, TPM_RH, TPM_ST, TPMA_OBJECT
from ...spec.response_codes import TPM_RC
from ...spec.structures import TPMS_MLDSA_PARMS, TPMT_SIG_SCHEME, TPMT_TK_HASHCHECK, TPMT_TK_VERIFIED
from .. import postquantum
from ..creation import at_field
from ..entities import KeyedObject
from ..refusal import Refusal, require
from ..registry import handles
from ..sequence import SoftSequence
from ..signing import choose_scheme, sign_digest, sign_message, verify_message, verify_signature
from ..tickets import ticket_digest
from ..tpm_state import TpmState
from .symmetric import GENERATED

NO_SCHEME = TPMT_SIG_SCHEME(TPM_ALG.NULL)
MU_SIZE = 64


def _find_signer(tpm: TpmState, handle: int) -> KeyedObject:
    """Returns the key with this handle. Raises Refusal unless it may sign data that the caller supplies."""
    key = tpm.key(handle)
    signs = key.has(TPMA_OBJECT.SIGN_ENCRYPT) and key.public.type != TPM_ALG.SYMCIPHER
    require(signs, TPM_RC.KEY, "key_handle")
    require(not key.has(TPMA_OBJECT.X509_SIGN), TPM_RC.ATTRIBUTES, "key_handle")
    return key


def _check_ticket(tpm: TpmState, key: KeyedObject, alg: int, digest: bytes, ticket: TPMT_TK_HASHCHECK) -> None:
    """Raises Refusal unless the ticket, which a restricted key requires, is valid for the digest."""
    if not (key.has(TPMA_OBJECT.RESTRICTED) or ticket.digest):
        return
    if not ticket.digest or ticket.hierarchy not in tpm.hierarchies:
        raise Refusal(TPM_RC.TICKET, "validation")
    ours = ticket_digest(tpm, ticket.hierarchy, TPM_ST.HASHCHECK, alg.to_bytes(2, "big"), digest)
    require(equal(ours, ticket.digest), TPM_RC.TICKET, "validation")


@handles(Sign)
def sign(tpm: TpmState, command: Sign) -> Sign.Response:
    """Signs a digest (TPM2_Sign). A restricted key needs the ticket of TPM2_Hash or TPM2_SequenceComplete."""
    key = _find_signer(tpm, command.key_handle)
    require(key.public.type not in postquantum.SIGNING, TPM_RC.KEY, "key_handle")
    scheme, alg = choose_scheme(key, command.in_scheme)
    _check_ticket(tpm, key, alg, command.digest, command.validation)
    require(len(command.digest) == digest_size(alg), TPM_RC.SIZE, "digest")
    count = getattr(command.in_scheme.details, "count", 0)
    return Sign.Response(sign_digest(tpm, key, scheme, alg, command.digest, count=count))


@handles(VerifySignature)
def verify(tpm: TpmState, command: VerifySignature) -> VerifySignature.Response:
    """Verifies the signature of a digest, and returns a ticket for TPM2_PolicyAuthorize (TPM2_VerifySignature)."""
    key = tpm.key(command.key_handle)
    require(key.has(TPMA_OBJECT.SIGN_ENCRYPT), TPM_RC.ATTRIBUTES, "key_handle")
    with at_field("signature"):
        require(key.public.type not in postquantum.SIGNING, TPM_RC.SCHEME)
        require(verify_signature(key, command.digest, command.signature), TPM_RC.SIGNATURE)
    return VerifySignature.Response(_create_ticket(tpm, key, TPM_ST.VERIFIED, command.digest))


def _create_ticket(
    tpm: TpmState, key: KeyedObject, tag: TPM_ST, verified: bytes, hash_alg: TPM_ALG | None = None
) -> TPMT_TK_VERIFIED:
    """Returns the ticket of a verification; it is empty for a key in the null hierarchy (Part 2, §10.7.4).

    `verified` is the message or the digest, `hash_alg` the metadata of the ticket, if it has any.
    """
    metadata = b"" if hash_alg is None else hash_alg.to_bytes(2, "big")
    proof = b""
    if key.hierarchy != TPM_RH.NULL:
        proof = ticket_digest(tpm, key.hierarchy, tag, verified, key.name, metadata)
    return TPMT_TK_VERIFIED(tag, TPM_RH(key.hierarchy), hash_alg, proof)


def _select_algorithm(key: KeyedObject, digest: bytes) -> tuple[int, int]:
    """Returns (scheme, hash algorithm) with which the key signs a digest that the caller supplies.

    Raises Refusal if the key has no scheme or the HMAC scheme, if it is an ML-DSA key without allowExternalMu, or
    if the digest has the wrong size.
    """
    parameters = key.public.parameters
    scheme, alg = choose_scheme(key, NO_SCHEME, "key_handle")
    require(scheme != TPM_ALG.HMAC, TPM_RC.SCHEME, "key_handle")
    size = digest_size(alg)
    if isinstance(parameters, TPMS_MLDSA_PARMS):
        require(parameters.allow_external_mu, TPM_RC.ATTRIBUTES, "key_handle")
        size = MU_SIZE
    require(len(digest) == size, TPM_RC.SIZE, "digest")
    return scheme, alg


def _check_context(key: KeyedObject, context: bytes) -> None:
    """Raises Refusal for a context string unless the key is a HashML-DSA key; a Mu already contains it."""
    require(not context or key.public.type == TPM_ALG.HASH_MLDSA, TPM_RC.VALUE, "context")


@handles(SignDigest)
def sign_external_digest(tpm: TpmState, command: SignDigest) -> SignDigest.Response:
    """Signs a digest, or an ML-DSA Mu if the key allows it (TPM2_SignDigest)."""
    key = _find_signer(tpm, command.key_handle)
    scheme, alg = _select_algorithm(key, command.digest)
    _check_context(key, command.context)
    _check_ticket(tpm, key, alg, command.digest, command.validation)
    return SignDigest.Response(sign_digest(tpm, key, scheme, alg, command.digest, command.context))


@handles(VerifyDigestSignature)
def verify_digest(tpm: TpmState, command: VerifyDigestSignature) -> VerifyDigestSignature.Response:
    """Verifies the signature of a digest or of an ML-DSA Mu, and returns a ticket (TPM2_VerifyDigestSignature)."""
    key = tpm.key(command.key_handle)
    require(key.has(TPMA_OBJECT.SIGN_ENCRYPT), TPM_RC.KEY, "key_handle")
    scheme, alg = _select_algorithm(key, command.digest)
    _check_context(key, command.context)
    with at_field("signature"):
        require(command.signature.sig_alg == scheme, TPM_RC.SCHEME)
        valid = verify_signature(key, command.digest, command.signature, command.context)
        require(valid, TPM_RC.SIGNATURE)
    if key.public.type == TPM_ALG.MLDSA:  # no hash algorithm describes a Mu (version 1.85, errata §2.5)
        return VerifyDigestSignature.Response(TPMT_TK_VERIFIED(TPM_ST.DIGEST_VERIFIED, TPM_RH.NULL, TPM_ALG.NULL))
    return VerifyDigestSignature.Response(
        _create_ticket(tpm, key, TPM_ST.DIGEST_VERIFIED, command.digest, TPM_ALG(alg))
    )


def _find_sequence(tpm: TpmState, handle: int, key: KeyedObject, verifies: bool) -> SoftSequence:
    """Returns a signature sequence. Raises Refusal for another kind of sequence, or if `key` did not start it."""
    found = tpm.entity(handle)
    if not isinstance(found, SoftSequence) or not found.signer or found.verifies != verifies:
        raise Refusal(TPM_RC.MODE, "sequence_handle")
    require(found.signer == key.name, TPM_RC.SIGN_CONTEXT_KEY, "key_handle")
    return found


@handles(SignSequenceComplete)
def sign_sequence_complete(tpm: TpmState, command: SignSequenceComplete) -> SignSequenceComplete.Response:
    """Adds the last data to a message, and returns its signature (TPM2_SignSequenceComplete)."""
    key = tpm.key(command.key_handle)
    found = _find_sequence(tpm, command.sequence_handle, key, False)
    require(not key.has(TPMA_OBJECT.X509_SIGN), TPM_RC.ATTRIBUTES, "key_handle")
    message = found.data + command.buffer
    if key.has(TPMA_OBJECT.RESTRICTED):
        require(not message.startswith(GENERATED), TPM_RC.VALUE, "buffer")
    scheme, alg = choose_scheme(key, NO_SCHEME, "key_handle")
    if scheme == TPM_ALG.HMAC:  # over the message, where TPM2_Sign and attestations use its digest
        signature = sign_digest(tpm, key, scheme, alg, message)
    else:
        signature = sign_message(tpm, key, scheme, alg, message, found.context)
    del tpm.transient[command.sequence_handle]
    return SignSequenceComplete.Response(signature)


@handles(VerifySequenceComplete)
def verify_sequence_complete(tpm: TpmState, command: VerifySequenceComplete) -> VerifySequenceComplete.Response:
    """Verifies the signature of the message in a sequence, and returns a ticket (TPM2_VerifySequenceComplete)."""
    key = tpm.key(command.key_handle)
    found = _find_sequence(tpm, command.sequence_handle, key, True)
    with at_field("signature"):
        scheme, alg = choose_scheme(key, NO_SCHEME, "key_handle")
        require(command.signature.sig_alg == scheme, TPM_RC.SCHEME)
        if scheme == TPM_ALG.HMAC:
            valid = verify_signature(key, found.data, command.signature)
        else:
            valid = verify_message(key, alg, found.data, command.signature, found.context)
        require(valid, TPM_RC.SIGNATURE)
    ticket = _create_ticket(tpm, key, TPM_ST.MESSAGE_VERIFIED, found.data)
    del tpm.transient[command.sequence_handle]
    return VerifySequenceComplete.Response(ticket)
