"""Requests that hold in several regions: signed by the P-256 key in the TPM, or by temporary credentials' own."""

import argparse
import re

from sigv4.sigv4a import Sigv4aSigner, der_signature, private_key, sign_digest_with
from tpmwire.errors import TpmError
from tpmwire.use.ecdsa import EcdsaKey

from ..credentials.key import key_from
from ..credentials.sts import access_key_id, obtain
from ..terminal.messages import UsageError
from ..terminal.options import Untyped, persistent_handle
from ..tpm.open import open_tpm
from ..tpm.verbose import trace
from .options import use_args

__all__ = ["sigv4a_key_of"]


def sigv4a_key_of(args: Untyped) -> "tuple[Sigv4aSigner, str | None]":
    """Signs by SigV4A, and when what it signs with expires (RFC 3339 text); None for the TPM's key itself.

    With --sigv4a the TPM is opened for each signature, and closed again; `args` has the options of
    `add_sigv4a_use_options` and `add_use_options`. Raises UsageError, RequestError and KeyFileError before the TPM
    is asked, and for temporary credentials what `obtain` does.
    """
    used, regions = use_args(args), args.region_set
    by_session = bool(used.assumeRole or used.federation_name or used.root_of or used.mfa_serial)
    if args.sigv4a and by_session:
        raise UsageError(
            "--sigv4a is the key of the long-term secret, and a role or a session has its own: leave one out"
        )
    if args.sigv4a:
        key = _key(used, args.sigv4a)
        signer = Sigv4aSigner(access_key_id(used), lambda digest: _signed(used, key, digest), region_set=regions)
        return signer, None
    if not by_session:
        raise UsageError(
            "--region-set needs the key of SigV4A, which no HMAC gives: --sigv4a FILE, "
            "made by `tpmwire import --sigv4a-out FILE`"
        )
    found = obtain(used)
    sign = sign_digest_with(private_key(found.access_key_id, found.secret_access_key))
    return Sigv4aSigner(found.access_key_id, sign, found.session_token, region_set=regions), found.expiration


def _key(used: Untyped, place: str) -> "EcdsaKey":
    """The key of --sigv4a: all but its place is as the options say of the HMAC key. Raises UsageError."""
    described = argparse.Namespace(**vars(used))
    # What is known of the HMAC key does not hold for this one.
    described.key_name, described.cache = None, False
    described.credential_file = described.persistentHandle = None
    if re.fullmatch("0[xX][0-9a-fA-F]+|[0-9]+", place):
        try:
            described.persistentHandle = persistent_handle(place)
        except argparse.ArgumentTypeError as error:
            raise UsageError(f"--sigv4a {place}: {error}") from error
    else:
        described.credential_file = place
    how = vars(key_from(described))
    # A digest and its signature are no secrets: a session is for passwords alone, the key's and its parent's.
    secret = how["auth"] or how["parent_auth"]
    return EcdsaKey(**{**how, "protected": how["protected"] and bool(secret)})


def _signed(used: Untyped, key: "EcdsaKey", digest: bytes) -> bytes:
    with open_tpm(used, for_one_use=True) as tpm:
        if used.verbose:
            tpm.observe = trace
        try:
            return der_signature(*key.sign(tpm, digest))
        except TpmError as error:
            if error.name in ("TPM_RC_SCHEME", "TPM_RC_KEY"):
                # Of the two keys that are named, the HMAC key is easily taken for the other.
                error.hint = "what --sigv4a names is no key of SigV4A; `tpmwire import --sigv4a-out` makes one"
            raise
