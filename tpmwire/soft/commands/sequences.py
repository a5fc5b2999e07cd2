"""Soft TPM: hash, HMAC and event sequences, and the start of signature sequences (Part 3, §17)."""

from ...crypto.formulas import digest, trimmed
from ...spec.commands.sequences import (
    EventSequenceComplete,
    HashSequenceStart,
    HMAC_Start,
    SequenceComplete,
    SequenceUpdate,
    SignSequenceStart,
    VerifySequenceStart,
)
from ...spec.constants import TPM_ALG, TPM_RH, TPM_ST, TPMA_OBJECT
from ...spec.response_codes import TPM_RC
from ...spec.structures import TPMT_HA, TPMT_SIG_SCHEME, TPMT_TK_HASHCHECK
from ..entities import KeyedObject
from ..pcr_banks import EXTEND_LOCALITIES
from ..refusal import Refusal, require
from ..registry import handles
from ..sequence import SoftSequence
from ..signing import choose_scheme
from ..tickets import hash_ticket
from ..tpm_state import TpmState
from .symmetric import compute_mac, hmac_algorithm, is_external


@handles(HashSequenceStart)
def hash_sequence_start(tpm: TpmState, command: HashSequenceStart) -> HashSequenceStart.Response:
    """Starts a hash sequence, or an event sequence for TPM_ALG_NULL (TPM2_HashSequenceStart)."""
    made = SoftSequence(0, trimmed(command.auth), hash_alg=command.hash_alg)
    return HashSequenceStart.Response(tpm.add_transient(made))


@handles(HMAC_Start)
def hmac_start(tpm: TpmState, command: HMAC_Start) -> HMAC_Start.Response:
    """Starts an HMAC or CMAC sequence with a loaded key (TPM2_HMAC_Start, TPM2_MAC_Start)."""
    key = tpm.key(command.handle)
    alg = hmac_algorithm(key, command.hash_alg, "handle")
    assert key.sensitive is not None
    made = SoftSequence(0, trimmed(command.auth), hash_alg=alg, key=key.sensitive.sensitive)
    return HMAC_Start.Response(tpm.add_transient(made))


def _sequence(tpm: TpmState, handle: int) -> SoftSequence:
    found = tpm.entity(handle)
    if not isinstance(found, SoftSequence):
        raise Refusal(TPM_RC.MODE, "sequence_handle")
    return found


@handles(SequenceUpdate)
def sequence_update(tpm: TpmState, command: SequenceUpdate) -> None:
    """Adds data to a hash, HMAC or event sequence (TPM2_SequenceUpdate)."""
    found = _sequence(tpm, command.sequence_handle)
    if found.first is None:
        found.first = command.buffer
    found.data += command.buffer


@handles(SequenceComplete)
def sequence_complete(tpm: TpmState, command: SequenceComplete) -> SequenceComplete.Response:
    """Adds the last data to a sequence, and returns its digest or HMAC (TPM2_SequenceComplete)."""
    found = _sequence(tpm, command.sequence_handle)
    require(found.hash_alg != TPM_ALG.NULL and not found.signer, TPM_RC.MODE, "sequence_handle")
    data = found.data + command.buffer
    if found.key is not None:
        result = compute_mac(found.hash_alg, found.key, data)
        ticket = TPMT_TK_HASHCHECK(TPM_ST.HASHCHECK, TPM_RH.NULL, b"")
    else:
        result = digest(found.hash_alg, data)
        external = is_external(found.first if found.first is not None else command.buffer)
        ticket = hash_ticket(tpm, command.hierarchy, found.hash_alg, result, external)
    del tpm.transient[command.sequence_handle]
    return SequenceComplete.Response(result, ticket)


@handles(EventSequenceComplete)
def event_sequence_complete(tpm: TpmState, command: EventSequenceComplete) -> EventSequenceComplete.Response:
    """Adds the last data to an event sequence, and extends a PCR in every bank (TPM2_EventSequenceComplete)."""
    found = _sequence(tpm, command.sequence_handle)
    require(found.hash_alg == TPM_ALG.NULL, TPM_RC.MODE, "sequence_handle")
    data = found.data + command.buffer
    results = tuple(TPMT_HA(TPM_ALG(alg), digest(alg, data)) for alg in tpm.pcrs.allocated)
    if command.pcr_handle != TPM_RH.NULL:
        require(EXTEND_LOCALITIES[command.pcr_handle] >> tpm.locality & 1, TPM_RC.LOCALITY)
        for one in results:
            tpm.pcrs.extend(command.pcr_handle, one.hash_alg, one.digest or b"")
    del tpm.transient[command.sequence_handle]
    return EventSequenceComplete.Response(results)


def _create_signature_sequence(key: KeyedObject, auth: bytes, context: bytes, verifies: bool) -> SoftSequence:
    """Returns a new signature sequence for a signing key, which must have a signature scheme of its own."""
    signs = key.has(TPMA_OBJECT.SIGN_ENCRYPT) and key.public.type != TPM_ALG.SYMCIPHER
    require(signs, TPM_RC.KEY, "key_handle")
    _, alg = choose_scheme(key, TPMT_SIG_SCHEME(TPM_ALG.NULL), "key_handle")
    return SoftSequence(0, trimmed(auth), hash_alg=alg, signer=key.name, context=context, verifies=verifies)


@handles(SignSequenceStart)
def sign_sequence_start(tpm: TpmState, command: SignSequenceStart) -> SignSequenceStart.Response:
    """Starts the signature of a message (TPM2_SignSequenceStart)."""
    made = _create_signature_sequence(tpm.key(command.key_handle), command.auth, command.context, False)
    return SignSequenceStart.Response(tpm.add_transient(made))


@handles(VerifySequenceStart)
def verify_sequence_start(tpm: TpmState, command: VerifySequenceStart) -> VerifySequenceStart.Response:
    """Starts the verification of a message's signature (TPM2_VerifySequenceStart)."""
    require(not command.hint, TPM_RC.VALUE, "hint")  # only EdDSA needs a hint
    made = _create_signature_sequence(tpm.key(command.key_handle), command.auth, command.context, True)
    return VerifySequenceStart.Response(tpm.add_transient(made))
