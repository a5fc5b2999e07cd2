"""Finds the authValue of an object without an attempt that counts towards the TPM's lockout."""

from ..crypto.formulas import random_bytes
from ..crypto.salt import seal_secret
from ..errors import TpmError
from ..keys import templates
from ..policy.policy import Policy
from ..policy.statements import PolicyPassword
from ..primary import Loaded
from ..secret import EMPTY_AUTH, Secret
from ..sessions import SessionStart
from ..spec.commands.hierarchy import CreatePrimary
from ..spec.commands.objects import Unseal
from ..spec.constants import TPM_ALG, TPM_RH, TPM_SE, TPMA_OBJECT
from ..spec.structures import TPMS_SENSITIVE_CREATE, TPMT_SYM_DEF
from ..tpm import Tpm

__all__ = ["is_auth"]


def is_auth(tpm: Tpm, storage_key: Loaded, auth: Secret) -> bool | None:
    """Returns whether `auth` is a storage key's authValue; None if this TPM does not allow the test.

    The TPM does not verify an authValue during the test, and so counts no failure. The key of a session that is
    bound to the storage key is derived from the storage key's authValue (Part 1, §19.6.10). The session encrypts
    known data, of an object with a different authorization. The decrypted data is correct if and only if `auth`
    is right. The session is also salted, so that a listener cannot do the same test. Nothing that depends on
    `auth` is sent.
    """
    policy, data = Policy(PolicyPassword()), random_bytes(32)
    template = templates.sealed(policy.digest(TPM_ALG.SHA256))
    template = template.replace(object_attributes=template.object_attributes | TPMA_OBJECT.NO_DA)
    salt, sealed_salt = seal_secret(storage_key.public)
    start = SessionStart(
        TPM_SE.POLICY,
        TPM_ALG.SHA256,
        TPMT_SYM_DEF(TPM_ALG.XOR, TPM_ALG.SHA256),
        tpm_key=storage_key.handle,
        salt=salt,
        encrypted_salt=sealed_salt,
        bind=storage_key.handle,
        bind_name=storage_key.name,
        bind_auth=auth,
    )
    command = CreatePrimary(TPM_RH.NULL, TPMS_SENSITIVE_CREATE(b"", data), template)
    try:
        item = tpm.execute(command).object_handle
        session = tpm.start_session(start)
        for statement in policy.commands(session.handle):
            tpm.execute(statement)
        session.wants_password = True
        found = tpm.execute(Unseal(item), session.use(EMPTY_AUTH, keep=False, encrypt=True)).out_data
    except TpmError:
        return None  # closing the TPM flushes the remaining handles
    tpm.flush(item)
    return found == data
