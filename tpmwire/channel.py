"""Protected sessions: salted to a key that only this TPM has (TPM 2.0 Part 1, §19.6.13).

A listener on the bus sees neither passwords nor results, and cannot guess a password from a recording. All
passwords, including the hierarchies' passwords, are used in salted sessions only. Changes on the bus are detected
if the salt key is the TPM's own, which a `Pin` identifies. Without a pin, the salt key is unverified. The session
then protects against a listener, but not against an attacker who impersonates the TPM.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .errors import LOST, SessionError, TpmError
from .keys import templates
from .primary import WELL_KNOWN, Loaded, WellKnown, create_primary, read_loaded
from .secret import EMPTY_AUTH, Secret
from .sessions import Password, Session, SessionStart, Use
from .spec.codes import TPM_RC_BAD_AUTH, TPM_RC_HANDLE, TPM_RC_MODE, TPM_RC_PARMS, TPM_RC_SYMMETRIC
from .spec.constants import TPM_ALG, TPM_RH, TPM_SE, TPMA_OBJECT
from .spec.structures import TPMT_PUBLIC, TPMT_SYM_DEF
from .tpm import Tpm
from .typed import NamedTuple

__all__ = [
    "WELL_KNOWN",
    "Channel",
    "Loaded",
    "Passwords",
    "Pin",
    "WellKnown",
    "authorized_once",
    "create_primary",
    "open_channel",
    "open_session",
    "protected_sessions",
    "read_loaded",
]

ANOTHER = "the TPM was cleared, this is a different TPM, or an attacker responds in its place"
"""Why a pinned key is missing: a clear or firmware reset changes the owner's keys (Part 3, §24.6)."""

Passwords = Mapping[int, Sequence[Secret]]
"""The authValues to try for each hierarchy, in order. They do not count towards lockout (Part 1, §19.8.2)."""

OF_THIS_BOOT = WellKnown(TPM_RH.NULL, templates.h2_primary, None)
"""A primary key of the null hierarchy, which has no password. Each reset changes it."""


class Pin(NamedTuple):
    """The trusted salt key, identified by its Name and, preferably, also by its public area.

    `where` is the location of the key, so that no search is needed: a handle, or a name in `WELL_KNOWN`.
    """

    name: bytes
    public: TPMT_PUBLIC | None = None
    where: int | str | None = None

    def check(self, found: Loaded) -> None:
        """Raises SessionError if `found` is not the pinned key."""
        if found.name != self.name:
            raise SessionError(
                f"{ANOTHER}: the session's salt key has the Name {found.name.hex()}, not the pinned "
                f"{self.name.hex()}; {LOST}"
            )


class Channel(NamedTuple):
    """Open sessions and their salt key.

    `made` is the template of the salt key if `open_channel` created the key, else None. The caller flushes a
    created key.
    """

    sessions: list[Session]
    salt: Loaded
    made: WellKnown | None = None


def protected_sessions(
    tpm: Tpm,
    kinds: Sequence[TPM_SE],
    auth_hash: TPM_ALG = TPM_ALG.SHA256,
    *,
    pin: Pin | None = None,
    parent: Loaded | None = None,
    passwords: Passwords | None = None,
) -> list[Session]:
    """Opens sessions as `open_channel` does, flushes a salt key that was created, and returns the sessions.

    Raises the errors of `open_channel`.
    """
    channel = open_channel(tpm, kinds, auth_hash, pin=pin, parent=parent, passwords=passwords)
    if channel.made is not None:
        # A TPM may have only three object slots, and the salt key is no longer needed.
        tpm.flush(channel.salt.handle)
    return channel.sessions


def authorized_once(tpm: Tpm, auth: Secret) -> Password | Use:
    """Returns an authorization for one command, by the authValue `auth`.

    The authorization uses a new salted session, or a password if the authValue is empty.
    """
    return protected_sessions(tpm, [TPM_SE.HMAC])[0].use(auth, keep=False) if auth else Password()


def open_channel(
    tpm: Tpm,
    kinds: Sequence[TPM_SE],
    auth_hash: TPM_ALG = TPM_ALG.SHA256,
    *,
    pin: Pin | None = None,
    parent: Loaded | None = None,
    passwords: Passwords | None = None,
    also: Sequence[WellKnown] = (),
    likely: TPMT_PUBLIC | None = None,
) -> Channel:
    """Opens salted sessions of the given kinds, with the hash `auth_hash` and a cipher.

    The salt key is the pinned key, else `parent`, which is a storage key that is already loaded. Without a pin and
    a parent, the salt key is the persistent storage root key, else a primary key of the null hierarchy.
    `passwords` are for a pinned key that has to be created. If only the Name is pinned, the search covers
    persistent keys, well-known keys and the keys in `also`. Templates that match `likely` are tried first. Raises
    TpmError if the TPM refuses a command. Raises SessionError if the pinned key is missing or the salt key is
    weak, before any secret is sent.
    """
    if pin is None and parent is not None:
        return Channel([open_session(tpm, kind, parent, auth_hash) for kind in kinds], parent)
    search = _Search(tpm, pin, passwords or {}, also, likely) if pin is not None else None
    salt, made = _find_salt_key(tpm) if search is None else search.key()
    try:
        sessions = [open_session(tpm, kinds[0], salt, auth_hash)]
    except TpmError as error:
        # The pinned key was assumed at its usual handle, which turned out to be empty or to have another key.
        if search is None or search.pin.public is None or error.handle is None or not search.fitting():
            raise
        salt, made = search.create(search.fitting())
        sessions = [open_session(tpm, kinds[0], salt, auth_hash)]
    sessions += [open_session(tpm, kind, salt, auth_hash) for kind in kinds[1:]]
    return Channel(sessions, salt, made)


class _Search(NamedTuple):
    """The search for a pinned key. See `open_channel` for the fields."""

    tpm: Tpm
    pin: Pin
    passwords: Passwords
    also: Sequence[WellKnown]
    likely: TPMT_PUBLIC | None

    def key(self) -> tuple[Loaded, WellKnown | None]:
        """Returns the pinned key, and its template if the key was created for this session, else None."""
        pin = self.pin
        if isinstance(pin.where, str):
            place = WELL_KNOWN[pin.where]
            return self._check(_make(self.tpm, place, self.passwords)), place
        if pin.public is None:
            return self._search() if pin.where is None else (self._check(read_loaded(self.tpm, pin.where)), None)
        if pin.where is not None:
            # Commands with this key as the parent need its Name, too. Their HMACs prove that it is this key.
            self.tpm.trust_name(pin.where, pin.name)
            return Loaded(pin.where, pin.name, pin.public), None
        places = self.fitting()
        handle = next((place.handle for place in places if place.handle is not None), None)
        if handle is None:
            return self._search()
        if len(places) == 1:
            return Loaded(handle, pin.name, pin.public), None
        # Assumed unread at its usual handle. If another key is there, the session's first HMAC fails.
        found = _read_salt_key(self.tpm, handle)
        return (found, None) if found is not None and found.name == pin.name else self.create(places)

    def fitting(self) -> list[WellKnown]:
        """Returns the templates that may have created the pinned key."""
        return [place for place in WELL_KNOWN.values() if self.pin.public is None or place.fits(self.pin.public)]

    def create(self, places: Iterable[WellKnown]) -> tuple[Loaded, WellKnown]:
        """Creates the pinned key from one of these templates, and returns the key and the template.

        Raises SessionError if no template results in the pinned key, TpmError if the TPM refuses a hierarchy's
        password or is out of memory.
        """
        refused: TpmError | None = None
        for place in places:
            try:
                found = _make(self.tpm, place, self.passwords)
            except TpmError as error:
                if error.parameter is not None or error.code == TPM_RC_PARMS:
                    continue  # the TPM does not support this template
                if error.code != TPM_RC_BAD_AUTH and error.handle is None:
                    raise
                # The hierarchy has an unknown password or is disabled, which does not suggest an attack.
                refused = refused or error
                continue
            if found.name == self.pin.name:
                return found, place
            self.tpm.flush(found.handle)
        if refused is not None:
            raise refused
        raise SessionError(
            f"no endorsement or storage key has the pinned Name {self.pin.name.hex()}: {ANOTHER}; {LOST}"
        )

    def _search(self) -> tuple[Loaded, WellKnown | None]:
        """Finds the key with the pinned Name. Returns the key, and its template if the key was created, else None.

        The persistent keys are searched first. Then a key is created from each candidate template.
        """
        for handle in _persistent_handles(self.tpm):
            if self.tpm.known_name(handle) not in (None, self.pin.name):
                continue
            found = _read_salt_key(self.tpm, handle)
            if found is not None and found.name == self.pin.name:
                return found, None
        places = [*self.fitting(), *self.also]
        if (likely := self.likely) is not None:
            places.sort(key=lambda place: not place.fits(likely))
        return self.create(places)

    def _check(self, found: Loaded) -> Loaded:
        self.pin.check(found)
        return found


def _make(tpm: Tpm, place: WellKnown, passwords: Passwords) -> Loaded:
    """Creates a primary key, and returns it. Tries the passwords of the hierarchy in order.

    Raises TpmError if the TPM refuses all of them, or the template.
    """
    tries = [*(passwords.get(place.hierarchy) or [EMPTY_AUTH])]
    session: Session | None = None
    while True:
        auth = tries.pop(0)
        if auth and session is None:
            session = protected_sessions(tpm, [TPM_SE.HMAC])[0]
        use = Password() if session is None else session.use(auth, keep=False)
        try:
            return create_primary(tpm, place.hierarchy, place.template(), use)
        except TpmError as error:
            if error.code == TPM_RC_BAD_AUTH and tries:
                continue
            if session is not None:
                tpm.flush(session.handle)
            raise


def _find_salt_key(tpm: Tpm) -> tuple[Loaded, WellKnown | None]:
    handle = WELL_KNOWN["srk"].handle
    assert handle is not None
    found = _read_salt_key(tpm, handle)
    if found is not None:
        return found, None
    return _make(tpm, OF_THIS_BOOT, {}), OF_THIS_BOOT


def _read_salt_key(tpm: Tpm, handle: int) -> Loaded | None:
    """Returns the key at a persistent handle; None if no key at that handle can decrypt a salt."""
    try:
        found = read_loaded(tpm, handle)
    except TpmError as error:
        if error.code == TPM_RC_HANDLE:
            return None
        raise
    asymmetric = found.public.type in (TPM_ALG.RSA, TPM_ALG.ECC, TPM_ALG.MLKEM)
    return found if asymmetric and found.public.object_attributes & TPMA_OBJECT.DECRYPT else None


def _persistent_handles(tpm: Tpm) -> list[int]:
    """Returns the TPM's persistent handles, with well-known handles first."""
    from .state import nv  # late: only a search needs it

    present = nv.handles(tpm, 0x81000000, 0x81FFFFFF)
    usual = [place.handle for place in WELL_KNOWN.values() if place.handle in present]
    return list(dict.fromkeys([*usual, *present]))


def open_session(tpm: Tpm, kind: TPM_SE, salt: Loaded | None, auth_hash: TPM_ALG = TPM_ALG.SHA256) -> Session:
    """Opens a session of `kind` that is salted to the key `salt` and has a cipher.

    Without `salt`, the session is unsalted and has no cipher. Raises TpmError if the TPM refuses, SessionError if
    the salt key is not suitable.
    """
    if salt is None:
        return tpm.start_session(SessionStart(kind, auth_hash))
    from .crypto.salt import seal_secret  # late: a run without session encryption must not load it

    secret, sealed = seal_secret(salt.public)

    def opened(cipher: TPMT_SYM_DEF) -> Session:
        return tpm.start_session(
            SessionStart(kind, auth_hash, cipher, tpm_key=salt.handle, salt=secret, encrypted_salt=sealed)
        )

    # XOR is preferred because it needs hashlib only; AES is for a TPM that refuses XOR (see docs/security.md).
    try:
        return opened(TPMT_SYM_DEF(TPM_ALG.XOR, auth_hash))
    except TpmError as error:
        # `symmetric` is parameter 4. Some TPMs omit the number, but the response code is clear enough.
        if error.parameter != 4 and error.code not in (TPM_RC_SYMMETRIC, TPM_RC_MODE):
            raise
    return opened(TPMT_SYM_DEF(TPM_ALG.AES, 128, TPM_ALG.CFB))
