"""The key of SigV4A at enrolment: beside the HMAC key while the plaintext is still there to derive it from."""

from tpmwire.keys.templates import hmac_key
from tpmwire.secret import Secret
from tpmwire.spec.structures import TPMT_PUBLIC
from tpmwire.tpm import Tpm

from ..keys.create import Order, make_key, policy_of
from ..keys.place import Placed, put_in_place
from ..keys.sigv4a import areas, make_sigv4a_key, places_of
from ..terminal.messages import UsageError, note
from ..terminal.options import Untyped
from ..tpm.open import open_tpm
from .profile_command import Place, public_at

__all__ = ["enroll_sigv4a"]


def enroll_sigv4a(args: Untyped, order: "Order", owner: "Secret") -> None:
    """Makes the key of `order`'s secret and puts it in its places, or finds it there, left by an earlier run.

    Raises UsageError where something else is there, TpmError, SessionError.
    """
    file, key_id = args.sigv4a_out, args.aws_access_key_id
    with open_tpm(args) as tpm:
        policy = policy_of(tpm, order)
        wanted = areas(order, hmac_key(policy.digest() if policy else b"", with_auth=bool(order.auth)), key_id)[0]
        if not args.force and _is_there(tpm, args, file, wanted):
            note("the key of SigV4A is in its place already")
            return
        # It shows that the parent is the TPM's own, and is not kept.
        beside = make_key(tpm, order)
        made = make_sigv4a_key(tpm, order, beside, key_id)
        tpm.flush(beside.key.handle)
        put_in_place(tpm, [Placed(made, file, args.sigv4a_handle)], owner, force=args.force)
    note(f"the key of SigV4A: {' and '.join(places_of(args))}")


def _is_there(tpm: "Tpm", args: Untyped, file: str | None, wanted: "TPMT_PUBLIC") -> bool:
    """Whether the key is where it is to be. Raises UsageError for another key, and where one of two has none."""
    places = [Place(file=file)] if file else []
    places += [Place(args.sigv4a_handle)] if args.sigv4a_handle is not None else []
    found = [public_at(tpm, place) for place in places]
    for place, public in zip(places, found, strict=True):
        if public is not None and (public.type, public.unique) != (wanted.type, wanted.unique):
            raise UsageError(f"{place} has another key; take another place, or --force replaces it")
        if public is not None and public != wanted:
            raise UsageError(f"{place} has the key with another password, or other PCRs; --force makes it anew")
    if any(found) and not all(found):
        raise UsageError("the key of SigV4A is in one of its two places only; --force makes it anew")
    return all(found)
