"""Attestations signed by the TPM: quotes and certifications."""

from collections.abc import Sequence

from ..sessions import Password, Session, Use
from ..spec.commands.attestation import Certify, GetSessionAuditDigest, GetTime, Quote
from ..spec.commands.objects import ActivateCredential
from ..spec.constants import TPM_ALG, TPM_RH
from ..spec.structures import TPMT_SIG_SCHEME
from ..tpm import Tpm
from ..use.attesting import Attested
from .arguments import NOBODY, Item, Pcrs, pcrs_of, reach
from .signatures import Scheme, scheme_for

__all__ = ["Attested", "activate_credential", "certify", "certify_session", "certify_time", "quote", "scheme_of"]


def quote(
    tpm: Tpm,
    key: Item,
    pcrs: Pcrs,
    nonce: bytes,
    scheme: Scheme = None,
    *,
    by: Password | Use = NOBODY,
    companions: Sequence[Use] = (),
) -> Attested:
    """Returns an attestation of PCR values (TPM2_Quote; Part 3, §18.4), by default with the key's scheme.

    `pcrs` is a selection such as `sha256:0,7+sha1:23`. `nonce` is the verifier's random number, at most as long as
    the TPM's largest digest. Raises PolicyError if `pcrs` is not valid.
    """
    chosen = scheme_of(tpm, key, scheme)
    with reach(tpm, key, by) as (handle, authorization):
        response = tpm.execute(Quote(handle, nonce, chosen, pcrs_of(pcrs)), authorization, *companions)
    return Attested(response.quoted, response.signature)


def certify(
    tpm: Tpm,
    item: Item,
    key: Item,
    nonce: bytes,
    scheme: Scheme = None,
    *,
    item_by: Password | Use = NOBODY,
    by: Password | Use = NOBODY,
    companions: Sequence[Use] = (),
) -> Attested:
    """Returns an attestation, signed by `key`, that the object `item` is loaded (TPM2_Certify; Part 3, §18.2).

    `item_by` authorizes the object, `by` the signing key. `nonce` is the verifier's random number.
    """
    chosen = scheme_of(tpm, key, scheme)
    with reach(tpm, item, item_by) as (certified, first), reach(tpm, key, by) as (handle, second):
        response = tpm.execute(Certify(certified, handle, nonce, chosen), first, second, *companions)
    return Attested(response.certify_info, response.signature)


def certify_time(
    tpm: Tpm,
    key: Item,
    nonce: bytes,
    scheme: Scheme = None,
    *,
    admin_by: Password | Use = NOBODY,
    by: Password | Use = NOBODY,
) -> Attested:
    """Returns an attestation of the TPM's time and clock (TPM2_GetTime; Part 3, §18.7), for `attest.verify_time`.

    `admin_by` authorizes the endorsement hierarchy, `by` the key. `nonce` is the verifier's random number.
    """
    chosen = scheme_of(tpm, key, scheme)
    with reach(tpm, key, by) as (handle, authorization):
        response = tpm.execute(GetTime(TPM_RH.ENDORSEMENT, handle, nonce, chosen), admin_by, authorization)
    return Attested(response.time_info, response.signature)


def certify_session(
    tpm: Tpm,
    session: Session,
    key: Item,
    nonce: bytes,
    scheme: Scheme = None,
    *,
    admin_by: Password | Use = NOBODY,
    by: Password | Use = NOBODY,
) -> Attested:
    """Returns an attestation of the commands that `session` audited, for `attest.verify_session`.

    A session audits a command in which it is used by `session.use(audit=True)`. `admin_by` authorizes the
    endorsement hierarchy, `by` the key. `nonce` is the verifier's random number. Source:
    TPM2_GetSessionAuditDigest (Part 3, §18.5).
    """
    chosen = scheme_of(tpm, key, scheme)
    with reach(tpm, key, by) as (handle, authorization):
        command = GetSessionAuditDigest(TPM_RH.ENDORSEMENT, handle, session.handle, nonce, chosen)
        response = tpm.execute(command, admin_by, authorization)
    return Attested(response.audit_info, response.signature)


def scheme_of(tpm: Tpm, key: Item, scheme: Scheme) -> TPMT_SIG_SCHEME:
    """Returns a scheme for an attestation. None stands for the key's scheme, a name without a hash for SHA-256."""
    return TPMT_SIG_SCHEME(TPM_ALG.NULL) if scheme is None else scheme_for(tpm, key, bytes(32), scheme)


def activate_credential(
    tpm: Tpm,
    key: Item,
    ek: Item,
    credential: tuple[bytes, bytes],
    *,
    ek_by: Password | Use = NOBODY,
    by: Password | Use = NOBODY,
) -> bytes:
    """Returns the secret in a credential (Part 3, §12.5), which proves that this TPM has the key.

    `credential` is (encrypted secret, encrypted seed), as returned by `tpmwire.attest.make_credential`. `ek_by`
    authorizes the endorsement key, usually a policy session with PolicySecret of the endorsement hierarchy.
    """
    with reach(tpm, key, by) as (handle, first), reach(tpm, ek, ek_by) as (decrypting, second):
        command = ActivateCredential(handle, decrypting, *credential)
        return tpm.execute(command, first, second).cert_info
