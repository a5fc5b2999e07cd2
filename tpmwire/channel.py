"""The protected way into the TPM: a session salted to a key that only this TPM has (TPM 2.0 Part 1, §19.6.13).

Who reads the bus sees neither passwords nor results. Who changes it is noticed, as long as the salt key is the
TPM's own; a `Pin` says which key that is. Without one, the public area is the TPM's own word: safe against a
listener, not against somebody who answers in the TPM's place.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from . import templates
from .crypto import name_of
from .errors import LOST, SessionError, TpmError
from .secret import EMPTY_AUTH, Secret
from .sessions import Password, Session, SessionStart, Use
from .spec.codes import NO_ECC, TPM_RC_HANDLE, TPM_RC_MODE, TPM_RC_SYMMETRIC
from .spec.constants import TPM_ALG, TPM_RH, TPM_SE
from .spec.structures import TPMS_SENSITIVE_CREATE, TPMT_PUBLIC, TPMT_SYM_DEF
from .tpm import Tpm

__all__ = [
    "WELL_KNOWN",
    "Loaded",
    "Pin",
    "WellKnown",
    "create_primary",
    "open_session",
    "protected_sessions",
    "read_loaded",
]

ANOTHER = f"the TPM was cleared, this is another TPM, or somebody answers in its place; {LOST}"
"""Why a pinned key is not the TPM's: a clear or firmware reset changes the keys of the owner (Part 3, §24.6)."""


class Loaded(NamedTuple):
    """An object that is in the TPM now."""

    handle: int
    name: bytes
    public: TPMT_PUBLIC


class WellKnown(NamedTuple):
    """A primary key that the TCG's profiles define: its hierarchy, template and usual persistent handle."""

    hierarchy: TPM_RH
    template: Callable[[], TPMT_PUBLIC]
    handle: int | None


WELL_KNOWN = {
    "ek-rsa": WellKnown(TPM_RH.ENDORSEMENT, templates.ek_rsa, 0x81010001),
    "ek-ecc": WellKnown(TPM_RH.ENDORSEMENT, templates.ek_ecc, 0x81010002),
    "srk": WellKnown(TPM_RH.OWNER, templates.srk_ecc, 0x81000001),
    "srk-rsa": WellKnown(TPM_RH.OWNER, templates.srk_rsa, 0x81000001),
    "h2": WellKnown(TPM_RH.OWNER, templates.h2_primary, None),
    "h1": WellKnown(TPM_RH.OWNER, templates.h1_primary, None),
}
"""In the order in which a key is looked for; the slow one to make, RSA, is made last."""


class Pin(NamedTuple):
    """The salt key that is trusted: by its Name or, better, by its public area.

    `where` saves the search: a handle, or a key of `WELL_KNOWN`.
    """

    name: bytes
    public: TPMT_PUBLIC | None = None
    where: int | str | None = None

    def check(self, found: Loaded) -> None:
        """Raises SessionError where `found` is another key."""
        if found.name != self.name:
            raise SessionError(
                f"the key that the session is to be salted with has the Name {found.name.hex()}, not the pinned "
                f"{self.name.hex()}: {ANOTHER}"
            )


def create_primary(
    tpm: Tpm, hierarchy: int, template: TPMT_PUBLIC, *authorizations: Password | Use, outside: Secret = EMPTY_AUTH
) -> Loaded:
    """Makes a primary key from a template; its Name is computed here, from the public area that came back.

    A TPM without ECC refuses `templates.h2_primary`: it makes `h1_primary` then, its RSA counterpart.
    Raises SessionError where the answer is not a key of that template.
    """
    from .spec.commands.hierarchy import CreatePrimary

    sensitive = TPMS_SENSITIVE_CREATE(outside.reveal(), b"")
    try:
        answer = tpm.execute(CreatePrimary(hierarchy, sensitive, template), *authorizations)
    except TpmError as error:
        if error.code not in NO_ECC or error.parameter is None or template != templates.h2_primary():
            raise
        template = templates.h1_primary()
        answer = tpm.execute(CreatePrimary(hierarchy, sensitive, template), *authorizations)
    name = name_of(answer.out_public)
    if answer.out_public.replace(unique=template.unique) != template or name != answer.name:
        raise SessionError("the primary key that the TPM made is not the one that was asked for")
    tpm.trust_name(answer.object_handle, name)
    return Loaded(answer.object_handle, name, answer.out_public)


def read_loaded(tpm: Tpm, handle: int) -> Loaded:
    """The object at a handle, by TPM2_ReadPublic; its Name is computed here. Raises TpmError."""
    from .spec.commands.objects import ReadPublic

    answer = tpm.execute(ReadPublic(handle))
    name = name_of(answer.out_public)
    if name != answer.name:
        raise SessionError(f"the Name of 0x{handle:08x} does not belong to its public area")
    tpm.trust_name(handle, name)
    return Loaded(handle, name, answer.out_public)


def protected_sessions(
    tpm: Tpm,
    kinds: Sequence[TPM_SE],
    auth_hash: TPM_ALG = TPM_ALG.SHA256,
    *,
    pin: Pin | None = None,
    parent: Loaded | None = None,
    salted: Callable[[Loaded], None] = lambda _salt: None,
) -> list[Session]:
    """Opens sessions of these kinds in the hash `auth_hash`, salted and with a cipher.

    The salt key is the pinned one; without a pin `parent`, a storage key that is loaded anyway; without that the
    storage root key. `salted` is told which it was, while that is still in the TPM. Raises SessionError where the
    pinned key is not to be found, before anything secret is sent.
    """
    if pin is None and parent is not None:
        sessions = [open_session(tpm, kind, parent, auth_hash) for kind in kinds]
        salted(parent)
        return sessions
    salt, ours = _unpinned(tpm) if pin is None else _pinned(tpm, pin)
    try:
        sessions = [open_session(tpm, kinds[0], salt, auth_hash)]
    except TpmError as error:
        # A pinned public area was taken to be at its usual handle, unread; there is nothing, or another key.
        if pin is None or pin.public is None or error.handle is None:
            raise
        salt, ours = _made(tpm, pin), True
        sessions = [open_session(tpm, kinds[0], salt, auth_hash)]
    sessions += [open_session(tpm, kind, salt, auth_hash) for kind in kinds[1:]]
    salted(salt)
    if ours:
        # A TPM may have three object slots, and the salt key has done its work.
        tpm.flush(salt.handle)
    return sessions


def _pinned(tpm: Tpm, pin: Pin) -> tuple[Loaded, bool]:
    """The pinned key, and whether it is ours to flush."""
    if isinstance(pin.where, int):
        if pin.public is not None:
            return Loaded(pin.where, pin.name, pin.public), False
        return _checked(read_loaded(tpm, pin.where), pin), False
    if pin.where is not None:
        return _made(tpm, pin), True
    if pin.public is None:
        return _found(tpm, pin)
    handle = next(
        (place.handle for place in WELL_KNOWN.values() if place.handle and _fits(place, pin.public)), None
    )
    return (_made(tpm, pin), True) if handle is None else (Loaded(handle, pin.name, pin.public), False)


def _made(tpm: Tpm, pin: Pin) -> Loaded:
    """The pinned key from its template."""
    if isinstance(pin.where, str):
        place = WELL_KNOWN[pin.where]
    else:
        fitting = [place for place in WELL_KNOWN.values() if pin.public is not None and _fits(place, pin.public)]
        if not fitting:
            raise SessionError("the pinned public area is of no endorsement or storage key that can be made here")
        place = fitting[0]
    return _checked(create_primary(tpm, place.hierarchy, place.template()), pin)


def _checked(found: Loaded, pin: Pin) -> Loaded:
    pin.check(found)
    return found


def _unpinned(tpm: Tpm) -> tuple[Loaded, bool]:
    handle = WELL_KNOWN["srk"].handle
    assert handle is not None
    found = _at(tpm, handle)
    if found is not None:
        return found, False
    place = WELL_KNOWN["h2"]
    return create_primary(tpm, place.hierarchy, place.template()), True


def _at(tpm: Tpm, handle: int) -> Loaded | None:
    """The key at a persistent handle; None where there is none, or none that can take a salt."""
    try:
        found = read_loaded(tpm, handle)
    except TpmError as error:
        if error.code == TPM_RC_HANDLE:
            return None
        raise
    return found if found.public.type in (TPM_ALG.RSA, TPM_ALG.ECC) else None


def _found(tpm: Tpm, pin: Pin) -> tuple[Loaded, bool]:
    """Looks for the pinned Name at the well-known handles, then among the well-known keys; the slow RSA last."""
    for handle in dict.fromkeys(place.handle for place in WELL_KNOWN.values() if place.handle is not None):
        found = _at(tpm, handle)
        if found is not None and found.name == pin.name:
            return found, False
    for place in sorted(WELL_KNOWN.values(), key=lambda place: place.template().type == TPM_ALG.RSA):
        made = create_primary(tpm, place.hierarchy, place.template())
        if made.name == pin.name:
            return made, True
        tpm.flush(made.handle)
    raise SessionError(
        f"no endorsement or storage key of this TPM has the pinned Name {pin.name.hex()}: {ANOTHER}"
    )


def _fits(place: WellKnown, public: TPMT_PUBLIC) -> bool:
    template = place.template()
    return public.replace(unique=template.unique) == template


def open_session(tpm: Tpm, kind: TPM_SE, salt: Loaded | None, auth_hash: TPM_ALG = TPM_ALG.SHA256) -> Session:
    """Opens a session of `kind`: salted to `salt` and with a cipher, or (None) neither.

    Raises TpmError, SessionError.
    """
    if salt is None:
        return tpm.start_session(SessionStart(kind, auth_hash))
    from .salt import seal_secret

    secret, sealed = seal_secret(salt.public)

    def opened(cipher: TPMT_SYM_DEF) -> Session:
        return tpm.start_session(
            SessionStart(kind, auth_hash, cipher, tpm_key=salt.handle, salt=secret, encrypted_salt=sealed)
        )

    # XOR first: it needs hashlib only. AES where a TPM refuses XOR (docs/security.md says why).
    try:
        return opened(TPMT_SYM_DEF(TPM_ALG.XOR, auth_hash))
    except TpmError as error:
        if error.code not in (TPM_RC_SYMMETRIC, TPM_RC_MODE):
            raise
    return opened(TPMT_SYM_DEF(TPM_ALG.AES, 128, TPM_ALG.CFB))
