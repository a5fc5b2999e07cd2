"""Attestations signed by the TPM: quotes and certifications."""

from collections.abc import Sequence

from ..sessions import Password, Use
from ..spec.commands.attestation import Certify, Quote
from ..spec.commands.objects import ActivateCredential
from ..spec.constants import TPM_ALG
from ..spec.structures import TPMT_SIG_SCHEME
from ..tpm import Tpm
from ..use.attesting import Attested
from .arguments import NOBODY, Item, Pcrs, pcrs_of, reach

__all__ = ["Attested", "activate_credential", "certify", "quote"]


def quote(
    tpm: Tpm,
    key: Item,
    pcrs: Pcrs,
    nonce: bytes,
    scheme: TPMT_SIG_SCHEME | None = None,
    *,
    by: Password | Use = NOBODY,
    companions: Sequence[Use] = (),
) -> Attested:
    """Returns an attestation of PCR values (TPM2_Quote; Part 3, §18.4), by default with the key's scheme.

    `pcrs` is a selection such as `sha256:0,7+sha1:23`. `nonce` is the verifier's random number, at most as long as
    the TPM's largest digest. Raises PolicyError if `pcrs` is not valid.
    """
    chosen = scheme or TPMT_SIG_SCHEME(TPM_ALG.NULL)
    with reach(tpm, key, by) as (handle, authorization):
        response = tpm.execute(Quote(handle, nonce, chosen, pcrs_of(pcrs)), authorization, *companions)
    return Attested(response.quoted, response.signature)


def certify(
    tpm: Tpm,
    item: Item,
    key: Item,
    nonce: bytes,
    scheme: TPMT_SIG_SCHEME | None = None,
    *,
    item_by: Password | Use = NOBODY,
    by: Password | Use = NOBODY,
    companions: Sequence[Use] = (),
) -> Attested:
    """Returns an attestation, signed by `key`, that the object `item` is loaded (TPM2_Certify; Part 3, §18.2).

    `item_by` authorizes the object, `by` the signing key. `nonce` is the verifier's random number.
    """
    chosen = scheme or TPMT_SIG_SCHEME(TPM_ALG.NULL)
    with reach(tpm, item, item_by) as (certified, first), reach(tpm, key, by) as (handle, second):
        response = tpm.execute(Certify(certified, handle, nonce, chosen), first, second, *companions)
    return Attested(response.certify_info, response.signature)


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
