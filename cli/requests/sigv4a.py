"""Signs requests for several regions: with the P-256 key in the TPM, or with temporary credentials."""

from sigv4.sigv4a import Sigv4aSigner, der_signature, private_key, sign_digest_with
from tpmwire.errors import TpmError
from tpmwire.use.ecdsa import EcdsaKey

from ..credentials.key import key_from
from ..credentials.settings import RunSettings
from ..credentials.sts import access_key_id, obtain, uses_temporary_credentials
from ..terminal.messages import UsageError
from ..terminal.progress import activity
from ..tpm.open import open_tpm
from ..tpm.verbose import print_command
from .options import sigv4a_place

__all__ = ["sigv4a_key_of"]


def sigv4a_key_of(run: RunSettings, place: str | None, region_set: str | None) -> tuple[Sigv4aSigner, str | None]:
    """Returns (SigV4A signer, expiration in RFC 3339 text); the expiration is None for the TPM's key.

    The signer uses the key at `place` and opens the TPM for each signature. If `place` is None, the key is derived
    from temporary credentials. Before the TPM is opened, raises UsageError or RequestError for invalid options,
    and KeyFileError for an invalid key file. Raises the errors of `obtain` for temporary credentials.
    """
    by_session = uses_temporary_credentials(run)
    if place and by_session:
        raise UsageError(
            "--sigv4a cannot be combined with a role or session: it needs a long-term key; remove --sigv4a "
            "or the role options"
        )
    if place:
        key = _key(run, sigv4a_place(place))
        signer = Sigv4aSigner(access_key_id(run), lambda digest: _sign(run, key, digest), region_set=region_set)
        return signer, None
    if not by_session:
        raise UsageError(
            "--region-set needs a SigV4A key; give --sigv4a FILE, created by `tpmwire import --sigv4a-out FILE`"
        )
    with activity("getting temporary credentials"):
        found = obtain(run)
    sign = sign_digest_with(private_key(found.access_key_id, found.secret_access_key))
    return Sigv4aSigner(found.access_key_id, sign, found.session_token, region_set=region_set), found.expiration


def _key(run: RunSettings, place: int | str) -> EcdsaKey:
    """Returns the P-256 key at `place`, with the run's options for sessions and passwords.

    Raises UsageError for invalid options, KeyFileError for an invalid key file.
    """
    described = run.copy()
    # Cached data about the HMAC key does not apply to the P-256 key.
    described.key_name = None
    if isinstance(place, int):
        described.credential_file, described.persistentHandle = None, place
    else:
        described.credential_file = place
    like = key_from(described)
    return EcdsaKey(
        file=like.file,
        handle=like.handle,
        auth=like.auth,
        parent_auth=like.parent_auth,
        parent_auth_otherwise=like.parent_auth_otherwise,
        pcrs=like.pcrs,
        ek_parent=like.ek_parent,
        # A digest and its signature are not secret: a session protects only the passwords of key and parent.
        protected=like.protected and bool(like.auth or like.parent_auth),
        pin=like.pin,
    )


def _sign(run: RunSettings, key: EcdsaKey, digest: bytes) -> bytes:
    with open_tpm(run, for_one_use=True) as tpm:
        if run.verbose:
            tpm.observe = print_command
        try:
            return der_signature(*key.sign(tpm, digest))
        except TpmError as error:
            if error.name in ("TPM_RC_SCHEME", "TPM_RC_KEY"):
                # Users may confuse this key with the HMAC key.
                error.hint = "the key of --sigv4a is not a SigV4A key; `tpmwire import --sigv4a-out` creates one"
            raise
