"""Creates signers and HTTP clients for the signed requests of a verb."""

import time
from typing import TYPE_CHECKING

from sigv4.signer import Signer, hmac_from_secret
from sigv4.times import timestamp

from ..credentials.sts import access_key_id, obtain, signer_from, uses_temporary_credentials
from ..terminal.messages import warn
from ..terminal.progress import activity
from .options import Caller

if TYPE_CHECKING:
    from ..terminal.network import ShownHttpClient  # a signature alone needs no network

__all__ = ["http_client", "key_of", "signer_of"]


def http_client(caller: Caller) -> "ShownHttpClient":
    """Returns an HTTP client, with the caller's timeout, for requests to services other than STS."""
    from ..terminal.network import ShownHttpClient  # noqa: PLC0415 - a signature alone needs no network

    return ShownHttpClient(caller.timeout, caller.aws.environ, user_agent="tpmwire", warn=warn)


def signer_of(caller: Caller, sigv4a: str | None = None, region_set: str | None = None) -> Signer:
    """Returns a signer: with temporary credentials for a role, federated user or MFA, else with the TPM's key.

    With `sigv4a` (a key's handle or file) or `region_set`, it signs with SigV4A. The TPM is closed on return.
    Raises the errors of `obtain`.
    """
    return key_of(caller, sigv4a, region_set)[0]


def key_of(caller: Caller, sigv4a: str | None = None, region_set: str | None = None) -> tuple[Signer, str | None]:
    """Returns (signer as from `signer_of`, its expiration in RFC 3339 text, or None for the TPM's key)."""
    run = caller.run
    if sigv4a is not None or region_set is not None:
        from .sigv4a import sigv4a_key_of  # noqa: PLC0415 - SigV4 needs none of it

        return sigv4a_key_of(run, sigv4a, region_set)

    if uses_temporary_credentials(run):
        with activity("getting temporary credentials"):
            found = obtain(run)
        signer = Signer(found.access_key_id, hmac_from_secret(found.secret_access_key), found.session_token)
        return signer, found.expiration
    with activity("waiting for the TPM"):
        signer = signer_from(run, access_key_id(run), checked=True)
        signer.prime(timestamp(time.time())[:8])
    return signer, None
