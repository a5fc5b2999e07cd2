"""Loads keys under their parents, makes keys persistent, and evicts them."""

from typing import NamedTuple

from tpmwire.channel import Pin, open_channel, protected_sessions
from tpmwire.crypto.formulas import name_of
from tpmwire.errors import TpmError, TransportError
from tpmwire.keys import templates
from tpmwire.keys.keyfile import KeyFile
from tpmwire.primary import WELL_KNOWN, Loaded, WellKnown, create_primary, lacks_ecc, read_loaded
from tpmwire.secret import EMPTY_AUTH, Secret
from tpmwire.sessions import Password, Session, Use
from tpmwire.spec.commands.context import EvictControl
from tpmwire.spec.commands.objects import Load
from tpmwire.spec.constants import TPM_HT, TPM_RH, TPM_SE, TPMA_OBJECT
from tpmwire.spec.structures import TPMT_PUBLIC
from tpmwire.state import nv
from tpmwire.tpm import Tpm
from tpmwire.use.key import Key, explain_missing_key

from ..terminal.messages import UsageError, note

__all__ = [
    "LAST_OWNER_HANDLE",
    "ParentKey",
    "check_free",
    "check_parent",
    "evict",
    "is_occupied",
    "load_under",
    "make_persistent",
    "make_srk",
    "parent_at",
    "parent_of",
]


LAST_OWNER_HANDLE = 0x817FFFFF
"""The owner's last persistent handle; higher handles belong to the platform (TPM 2.0 Part 3, §28.5)."""


class ParentKey(NamedTuple):
    """A storage key in the TPM, its authValue, and a session salted to it (or to the pinned key)."""

    key: Loaded
    auth: Secret
    session: Session


def parent_of(tpm: Tpm, file: KeyFile, auth: Secret, pin: Pin | None) -> ParentKey:
    """Opens the parent key that a key file names (see `parent_at`). Raises the errors of `check_parent`."""
    check_parent(tpm, file)
    handle = file.parent if file.hierarchy is None else file.hierarchy
    with explain_missing_key(Key(file=file)):
        return parent_at(tpm, handle, auth, pin, rsa=bool(file.rsa_parent))


def check_parent(tpm: Tpm, file: KeyFile) -> None:
    """Raises UsageError if the file's parent is an endorsement key that needs a policy or is not persistent."""
    handle = file.endorsement_handle
    if handle is None or (
        is_occupied(tpm, handle) and read_loaded(tpm, handle).public.object_attributes & TPMA_OBJECT.USER_WITH_AUTH
    ):
        return
    raise UsageError(
        "the key's parent is this TPM's endorsement key, which is not supported here; wrap a new key "
        "on the machine "
        "that wrapped this key, or make this key persistent with `tpmwire import-key --persistent-handle`"
    )


def parent_at(tpm: Tpm, handle: int, auth: Secret, pin: Pin | None, *, rsa: bool = False) -> ParentKey:
    """Opens the parent at a persistent handle, or the standard primary of a hierarchy, created for this run.

    `auth` is the authValue of `handle`; `rsa` selects the hierarchy's RSA primary. The session that protects
    `auth` is opened first. The session is salted to the pinned key, else to the parent, or to a different key if
    creating the parent needs a password. All verbs that store keys in a TPM open their session here. Raises
    TpmError if the TPM refuses (empty handle, wrong password), SessionError if the pinned key is not this TPM's,
    and UsageError if only a policy authorizes the parent.
    """
    hmac = [TPM_SE.HMAC]
    if handle >> 24 == TPM_HT.PERSISTENT:
        sessions = protected_sessions(tpm, hmac, pin=pin) if pin is not None else None
        key = read_loaded(tpm, handle)
        if not key.public.object_attributes & TPMA_OBJECT.USER_WITH_AUTH:
            raise UsageError(
                f"the parent at 0x{handle:08x} requires its policy, as endorsement keys do; choose a storage key "
                "that a password authorizes, such as the one of --make-srk"
            )
        return ParentKey(key, auth, (sessions or protected_sessions(tpm, hmac, parent=key))[0])
    place = WellKnown(TPM_RH(handle), templates.h1_primary if rsa else templates.h2_primary, None)
    session = None
    if pin is not None or auth:
        channel = open_channel(tpm, hmac, pin=pin, passwords={handle: [auth]}, also=[place])
        session = channel.sessions[0]
        if channel.made == place:
            return ParentKey(channel.salt, EMPTY_AUTH, session)
        if channel.made is not None:
            tpm.flush(channel.salt.handle)
    use = Password() if session is None else session.use(auth)
    key = create_primary(tpm, handle, place.template(), use)
    # A primary key has an authValue of its own, not that of its hierarchy.
    return ParentKey(key, EMPTY_AUTH, session or protected_sessions(tpm, hmac, parent=key)[0])


def make_srk(tpm: Tpm, handle: int, owner: Secret) -> None:
    """Makes the standard storage root key persistent at `handle`, unless a storage key is already there.

    `owner` is the owner's password. The key is RSA if the TPM lacks ECC. Raises TpmError if the TPM refuses,
    UsageError if the object at `handle` is not a storage key.
    """
    if is_occupied(tpm, handle):
        storage = TPMA_OBJECT.RESTRICTED | TPMA_OBJECT.DECRYPT
        if read_loaded(tpm, handle).public.object_attributes & storage != storage:
            raise UsageError(
                f"the key at 0x{handle:08x} is not a storage key; give the parent with --parent HANDLE"
            )
        return
    (session,) = protected_sessions(tpm, [TPM_SE.HMAC])
    place = WELL_KNOWN["srk"]
    try:
        made = create_primary(tpm, place.hierarchy, place.template(), session.use(owner))
    except TpmError as error:
        if not lacks_ecc(error):
            raise
        made = create_primary(tpm, place.hierarchy, WELL_KNOWN["srk-rsa"].template(), session.use(owner))
    make_persistent(tpm, made, handle, owner, session)
    tpm.flush(made.handle)
    tpm.flush(session.handle)
    note(f"made the storage root key persistent at 0x{handle:08x}")


def load_under(tpm: Tpm, parent: ParentKey, public: TPMT_PUBLIC, private: bytes) -> Loaded:
    """Loads a key under the parent (TPM2_Load). Raises TpmError if the TPM refuses."""
    answer = tpm.execute(Load(parent.key.handle, private, public), parent.session.use(parent.auth))
    # The Name is computed from the public area, not taken from the response, so that a substituted key is
    # detected.
    name = name_of(public)
    tpm.trust_name(answer.object_handle, name)
    return Loaded(answer.object_handle, name, public)


def is_occupied(tpm: Tpm, handle: int) -> bool:
    """Returns whether a persistent handle is occupied."""
    return nv.handles(tpm, handle, handle) == [handle]


def check_free(tpm: Tpm, handle: int, *, force: bool) -> None:
    """Raises UsageError if the handle is occupied and `force` is False."""
    if is_occupied(tpm, handle) and not force:
        raise UsageError(
            f"0x{handle:08x} is occupied; choose another handle (see `tpmwire list`), "
            "or use --force to replace the object"
        )


def make_persistent(tpm: Tpm, key: Loaded, handle: int, owner: Secret, session: Session) -> None:
    """Makes the key persistent at a free handle (TPM2_EvictControl).

    Raises TpmError if the TPM refuses, TransportError if it does not respond.
    """
    try:
        tpm.execute(EvictControl(TPM_RH.OWNER, key.handle, handle), session.use(owner))
    except TransportError as error:
        raise TransportError(f"{error}; check with `tpmwire list` whether the key is at 0x{handle:08x}") from error


def evict(tpm: Tpm, handle: int, owner: Password | Use) -> None:
    """Removes the key at a persistent handle (TPM2_EvictControl). Raises TpmError if the TPM refuses."""
    tpm.execute(EvictControl(TPM_RH.OWNER, handle, handle), owner)
