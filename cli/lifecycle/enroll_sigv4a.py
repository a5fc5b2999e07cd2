"""Creates the SigV4A key at enrolment, while the plaintext secret is still available."""

from tpmwire.keys.templates import hmac_key
from tpmwire.secret import Secret
from tpmwire.spec.structures import TPMT_PUBLIC
from tpmwire.tpm import Tpm

from ..keys.create import Order, make_key, policy_of
from ..keys.place import Place, Placement, put_in_place, read_public_at
from ..keys.sigv4a import make_sigv4a_key, sigv4a_areas
from ..terminal.messages import UsageError, note
from ..terminal.options import TpmSettings
from ..tpm.open import open_tpm

__all__ = ["enroll_sigv4a"]


def enroll_sigv4a(
    settings: TpmSettings, order: Order, place: Place, key_id: str, owner: Secret, *, force: bool
) -> None:
    """Derives the SigV4A key from the secret in `order`, and stores it at `place` unless an earlier run did so.

    `key_id` is the access key id, `owner` the owner's password. `force` replaces an existing key. Raises TpmError,
    SessionError, and UsageError if `place` holds a different object.
    """
    with open_tpm(settings) as tpm:
        policy = policy_of(tpm, order)
        hmac = hmac_key(policy.digest() if policy else b"", with_auth=bool(order.auth))
        if not force and _is_there(tpm, place, sigv4a_areas(order, hmac, key_id)[0]):
            note("the SigV4A key is already stored")
            return
        # This HMAC key is discarded: creating it proves that the TPM holds the parent.
        beside = make_key(tpm, order)
        key = make_sigv4a_key(tpm, order, beside, key_id)
        tpm.flush(beside.loaded.handle)
        put_in_place(tpm, [Placement.of(tpm, key, place, owner)], force=force)
    note(f"the SigV4A key: {place}")


def _is_there(tpm: Tpm, place: Place, wanted: TPMT_PUBLIC) -> bool:
    """Returns whether `place` holds the SigV4A key whose public area is `wanted`.

    Raises UsageError if a different key is stored, or if the key is missing from one of file and handle.
    """
    found = [read_public_at(tpm, part) for part in place.parts]
    for part, public in zip(place.parts, found, strict=True):
        if public is not None and (public.type, public.unique) != (wanted.type, wanted.unique):
            raise UsageError(
                f"{part} has a different key; choose another file or handle, or give --force to replace it"
            )
        if public is not None and public != wanted:
            raise UsageError(
                f"{part} has the key with a different password or different PCRs; give --force to recreate it"
            )
    if any(found) and not all(found):
        raise UsageError("the SigV4A key is missing from its file or from its handle; give --force to recreate it")
    return all(found)
