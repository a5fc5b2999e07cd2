"""Creates signing keys in the TPM, and tests them with a signature."""

from tpmwire.crypto.formulas import random_bytes
from tpmwire.crypto.spki import public_key_of
from tpmwire.errors import EncodeError, TpmError
from tpmwire.keys import templates
from tpmwire.spec.codes import NO_ECC
from tpmwire.spec.constants import TPMA_OBJECT
from tpmwire.spec.response_codes import TPM_RC
from tpmwire.spec.structures import TPMS_RSA_PARMS, TPMT_PUBLIC
from tpmwire.tpm import Tpm
from tpmwire.use.asymmetric import AsymmetricKey, explain_unfit_key

from ..terminal.messages import UsageError
from ..terminal.progress import activity
from .create import NewKey, Order, create_in, policy_of, usable_key
from .persist import parent_at

__all__ = ["make_signing_key", "signing_template"]

_LEAST_RSA = 2048
_PUBLIC = 2
"""The number of inPublic among the parameters of TPM2_Create (Part 3, §12.1)."""
_NAMES = "use ecc, ecc384, ecc521, rsa2048, rsa3072 or rsa4096"


def signing_template(algorithm: str) -> TPMT_PUBLIC:
    """Returns the template of a signing key that Roles Anywhere supports, such as "ecc", "ecc384" or "rsa2048".

    Raises UsageError for any other name.
    """
    try:
        template = templates.signing(algorithm)
    except EncodeError:
        raise UsageError(f"--algorithm: {algorithm!r} is not a valid name; {_NAMES}") from None
    unfit = explain_unfit_key(template)
    parameters = template.parameters
    if isinstance(parameters, TPMS_RSA_PARMS) and parameters.key_bits < _LEAST_RSA:
        unfit = f"Roles Anywhere requires at least {_LEAST_RSA} bits"
    if unfit is not None:
        raise UsageError(f"--algorithm {algorithm}: {unfit}; {_NAMES}")
    return template


def make_signing_key(tpm: Tpm, order: Order, template: TPMT_PUBLIC) -> NewKey:
    """Creates and loads a signing key, and verifies a test signature, unless `order.ways` has policies.

    The TPM generates the key, which never leaves it (fixedTPM, fixedParent, sensitiveDataOrigin). Raises TpmError
    if the TPM refuses, PolicyError for invalid PCRs, and SessionError if the signature is invalid.
    """
    parent = parent_at(tpm, order.parent, order.parent_auth, order.pin)
    policy = policy_of(tpm, order)
    attributes = template.object_attributes & ~(TPMA_OBJECT.USER_WITH_AUTH | TPMA_OBJECT.NO_DA)
    attributes |= TPMA_OBJECT.FIXED_TPM | TPMA_OBJECT.FIXED_PARENT | TPMA_OBJECT.SENSITIVE_DATA_ORIGIN
    if policy is None:
        attributes |= TPMA_OBJECT.USER_WITH_AUTH
    if not order.auth:
        attributes |= TPMA_OBJECT.NO_DA
    digest = policy.digest() if policy else b""
    wanted = template.replace(object_attributes=TPMA_OBJECT(attributes), auth_policy=digest)
    with activity("creating the key in the TPM"):
        try:
            key = create_in(tpm, order, parent, wanted, policy)
        except TpmError as error:
            if error.code in (*NO_ECC, TPM_RC.KEY_SIZE) and error.parameter == _PUBLIC:
                error.add_note("this TPM does not create such keys; choose another --algorithm")
            raise
    if not order.ways:
        public = key.file.public
        usable_key(AsymmetricKey, order, key).sign_message(tpm, random_bytes(32), public_key_of(public))
    return key
