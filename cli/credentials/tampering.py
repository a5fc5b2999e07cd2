"""Checks, after AWS refused a signature, whether the TPM's HMAC was modified in transit.

AWS verifies the signatures of a credential run, so the extra command that detects tampering
(`tpmwire.use.run.Run.check_cipher`) is sent only after a refusal.
"""

import time

from sigv4.errors import StsError
from sigv4.signer import Signer
from sigv4.times import timestamp
from tpmwire.errors import SessionError, TpmError, TransportError

from .key import ask_tpm, key_from
from .settings import RunSettings

__all__ = ["check_result"]


def check_result(settings: RunSettings, signer: Signer, refused: StsError) -> None:
    """Requests the TPM's HMAC again, with a check for tampering. Raises SessionError if the two HMACs differ.

    If no option pins the AWS key, also adds to the hint of `refused` that an attacker may have substituted the
    key.
    """
    if settings.credential_file is None and not settings.key_name:
        refused.hint += (
            "; or an attacker between tpmwire and the TPM substituted a different key (--key-name prevents that)"
        )
    if settings.no_session_encryption:
        return
    key = key_from(settings)
    key.checked = True
    again = Signer(signer.access_key_id, lambda message: ask_tpm(settings, key, message))
    signed = "", timestamp(time.time())[:8], "", ""
    try:
        same = again.signature(*signed) == signer.signature(*signed)
    except (TpmError, TransportError):
        return
    if not same:
        raise SessionError(
            "AWS refused the signature, and the TPM now returns a different HMAC for the same date: an "
            "attacker between tpmwire and the TPM changed one of them"
        )
