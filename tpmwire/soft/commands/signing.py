"""Part 3, §20: signatures."""

from ...crypto.formulas import digest_size, equal
from ...spec.commands.signing import Sign, VerifySignature
from ...spec.constants import TPM_ALG, TPM_RH, TPM_ST, TPMA_OBJECT
from ...spec.response_codes import TPM_RC
from ...spec.structures import TPMT_TK_VERIFIED
from ..creation import at_field
from ..refusal import Refusal, require
from ..registry import handles
from ..signing import choose_scheme, sign_digest, verify_signature
from ..tickets import ticket_digest
from ..tpm_state import TpmState


@handles(Sign)
def sign(tpm: TpmState, command: Sign) -> Sign.Response:
    """Signs a digest (TPM2_Sign). A restricted key needs the ticket of TPM2_Hash or TPM2_SequenceComplete."""
    key = tpm.key(command.key_handle)
    signs = key.has(TPMA_OBJECT.SIGN_ENCRYPT) and key.public.type != TPM_ALG.SYMCIPHER
    require(signs, TPM_RC.KEY, "key_handle")
    require(not key.has(TPMA_OBJECT.X509_SIGN), TPM_RC.ATTRIBUTES, "key_handle")
    scheme, alg = choose_scheme(key, command.in_scheme)
    ticket = command.validation
    if key.has(TPMA_OBJECT.RESTRICTED) or ticket.digest:
        if not ticket.digest or ticket.hierarchy not in tpm.hierarchies:
            raise Refusal(TPM_RC.TICKET, "validation")
        ours = ticket_digest(tpm, ticket.hierarchy, TPM_ST.HASHCHECK, alg.to_bytes(2, "big"), command.digest)
        require(equal(ours, ticket.digest), TPM_RC.TICKET, "validation")
    require(len(command.digest) == digest_size(alg), TPM_RC.SIZE, "digest")
    return Sign.Response(sign_digest(tpm, key, scheme, alg, command.digest))


@handles(VerifySignature)
def verify(tpm: TpmState, command: VerifySignature) -> VerifySignature.Response:
    """Verifies the signature of a digest, and returns a ticket for TPM2_PolicyAuthorize (TPM2_VerifySignature)."""
    key = tpm.key(command.key_handle)
    require(key.has(TPMA_OBJECT.SIGN_ENCRYPT), TPM_RC.ATTRIBUTES, "key_handle")
    with at_field("signature"):
        require(verify_signature(key, command.digest, command.signature), TPM_RC.SIGNATURE)
    if key.hierarchy == TPM_RH.NULL:
        return VerifySignature.Response(TPMT_TK_VERIFIED(TPM_ST.VERIFIED, TPM_RH.NULL, hmac=b""))
    proof = ticket_digest(tpm, key.hierarchy, TPM_ST.VERIFIED, command.digest, key.name)
    return VerifySignature.Response(TPMT_TK_VERIFIED(TPM_ST.VERIFIED, TPM_RH(key.hierarchy), hmac=proof))
