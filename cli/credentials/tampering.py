"""A check, after AWS refused a signature, whether the TPM's result was modified in transit.

AWS verifies the signatures of a credential run, so the run itself omits the extra command for a check (see
`tpmwire.use.run.Run.check_cipher`). The command is sent only after a refusal.
"""

import time

from sigv4.errors import StsError
from sigv4.signer import Signer
from sigv4.times import timestamp
from tpmwire.errors import SessionError, TpmError, TransportError

from .key import ask_tpm, key_from
from .options import RunSettings

__all__ = ["check_result"]


def check_result(settings: RunSettings, signer: Signer, refused: StsError) -> None:
    """Repeats the TPM's HMAC with the session's cipher checked. Raises SessionError if the result was changed.

    Otherwise adds the remaining possible cause to the refusal's hint: a substituted key.
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
