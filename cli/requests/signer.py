"""Credentials and signatures from the key that a verb uses."""

import time
from typing import TYPE_CHECKING

from sigv4.signer import Signer, hmac_from_secret
from sigv4.times import timestamp

from ..credentials.sts import access_key_id, obtain, signer_from
from ..terminal.options import Untyped
from .options import use_args

if TYPE_CHECKING:
    from sigv4.sts import Credentials

__all__ = ["key_of", "signer_of", "temporary"]


def temporary(args: Untyped) -> "Credentials":
    """Temporary credentials, one HMAC of the TPM and one STS request, by the profile as it is now.

    Raises what `obtain` does.
    """
    args.__dict__.pop("used", None)
    return obtain(use_args(args))


def signer_of(args: Untyped) -> "Signer":
    """Signs with temporary credentials where a role, a user or MFA is asked for, else with the TPM's key itself.

    The TPM is closed again when this returns. Raises what `obtain` does.
    """
    return key_of(args)[0]


def key_of(args: Untyped) -> "tuple[Signer, str | None]":
    """As `signer_of`, and when what it signs with expires (RFC 3339 text); None for the TPM's key itself.

    With --sigv4a or --region-set, of the verbs that have them, it signs by SigV4A for that set of regions.
    """
    if getattr(args, "sigv4a", None) is not None or getattr(args, "region_set", None) is not None:
        from .sigv4a import sigv4a_key_of  # late: SigV4 needs none of it

        return sigv4a_key_of(args)

    used = use_args(args)
    if used.assumeRole or used.federation_name or used.root_of or used.mfa_serial:
        found = obtain(used)
        signer = Signer(found.access_key_id, hmac_from_secret(found.secret_access_key), found.session_token)
        return signer, found.expiration
    signer = signer_from(used, access_key_id(used), checked=True)
    signer.prime(timestamp(time.time())[:8])
    return signer, None
