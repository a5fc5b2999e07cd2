"""Returns cached credentials while they are valid; otherwise requests new ones and caches them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable

from tpmwire.typed import NamedTuple, Protocol

from ...terminal.messages import note
from ..settings import PROGRAM, RunSettings
from .content import CachedCredentials, SigningKey, from_text, to_text
from .keys import Keys
from .purpose import cache_purpose
from .sealed import ClearPart, DamagedError, label, read_clear, seal_text, unseal_text
from .store import CacheFile, UnfitError, place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sigv4.credentials import Credentials
    from sigv4.signer import Signer

__all__ = ["CredentialSource", "Fetched", "cached", "cached_from"]

AHEAD = 900
"""Remaining lifetime in seconds at which credentials are renewed: below this limit, botocore runs a program for
each use. At most a third of the whole lifetime, so that short-lived credentials are cached too."""

JITTER = 120
"""Maximum number of seconds to renew earlier, at random, so that a fleet does not call STS all at once."""

LEAST = 120
"""Minimum remaining lifetime in seconds of cached credentials that are used because AWS is not reachable."""

MOST = 36 * 3600
"""Maximum lifetime in seconds of temporary credentials (GetSessionToken)."""

DAMAGED = "ignored: damaged, or sealed by a different key or TPM, or before the last reset; replacing it"

PATIENCE = 60.0
"""Maximum number of seconds to wait for another run that calls STS.

SDKs wait about as long for a credential_process.
"""

ANSWERS = 5
"""The wait for another run is at most this number of timeouts (--timeout): for the TPM and STS, with one retry."""


class Fetched(NamedTuple):
    """New credentials, and the signing key and the root that a source obtained with them, or None for each."""

    credentials: Credentials
    signing_key: SigningKey | None
    root: bytes | None


class CredentialSource(Protocol):
    """A source of credentials and of the secret that opens their cache file.

    `about` describes the credentials: the key, role or user, and region.
    """

    settings: RunSettings
    about: str

    def root(self, label: bytes) -> bytes:
        """Returns the TPM's secret for `label`, a result of `sealed.label`."""

    def fetch(self, label: bytes | None, held: CachedCredentials | None) -> Fetched:
        """Returns new credentials, and the root of `label` if given; may use the signing key of `held`."""


class HmacSource:
    """A source whose HMAC key in the TPM signs the request; `ask(signer)` sends it."""

    def __init__(self, keys: Keys, key_id: str, ask: Callable[[Signer], Credentials]) -> None:
        self.settings = keys.settings
        self.about = _about(keys.settings, key_id)
        self._keys = keys
        self._key_id = key_id
        self._ask = ask

    def root(self, label: bytes) -> bytes:
        """Returns the cache key's HMAC of `label`."""
        return self._keys.root(label)

    def fetch(self, label: bytes | None, held: CachedCredentials | None) -> Fetched:
        """Returns new credentials, as `CredentialSource.fetch` does."""
        from .signing_key import KeptSigner  # noqa: PLC0415 - cached credentials need no signature

        root: bytes | None = None

        def day_key(date: bytes) -> bytes:
            nonlocal root
            if label is None or root is not None:
                return self._keys.day_key(date)
            # Both HMACs are requested together, so that the TPM is opened once and is closed before the network is
            # used.
            day, root = self._keys.day_key_and_root(date, label)
            return day

        signer = KeptSigner(self._key_id, day_key, held and held.signing_key)
        credentials = self._ask(signer)
        return Fetched(credentials, signer.kept, root)


def cached(settings: RunSettings, key_id: str, ask: Callable[[Signer], Credentials]) -> Credentials:
    """Returns the cached credentials for these options, or else calls `ask(signer)` and caches the result.

    Raises the errors of `ask` and of the TPM.
    """
    keys = Keys.of(settings)
    return cached_from(HmacSource(keys, key_id, ask), cache_purpose(settings, keys.key.file))


def cached_from(source: CredentialSource, use: bytes) -> Credentials:
    """Returns the cached credentials for the purpose `use`, or else those of `source`, which are then cached.

    Only one of several concurrent runs with the same purpose uses `source`. Problems of the cache are warnings,
    not errors. Raises the errors of `source`.
    """
    try:
        store = CacheFile(place(), use.hex()[:32])
    except UnfitError as error:
        _note(f"not used: {error}")
        return _ask_and_store(source, use, None, None)
    try:
        return _from(store, source, use)
    finally:
        store.close()


def _from(store: CacheFile, source: CredentialSource, use: bytes) -> Credentials:
    unfit = None
    clear = _read(store)
    if clear is not None and _is_fresh(clear):
        held = _open(source, clear, use)
        if held is not None:
            return held.credentials
        unfit = clear
    with contextlib.ExitStack() as stack:
        try:
            patience = min(PATIENCE, ANSWERS * source.settings.timeout)
            if not stack.enter_context(store.alone(patience)):
                _note(f"another run has waited for AWS for {patience:.0f} seconds; this run no longer waits")
        except UnfitError as error:
            _note(f"not used: {error}")
            return _ask_and_store(source, use, None, None)
        from sigv4.errors import SigV4Error  # noqa: PLC0415 - cached credentials need nothing of the network
        from sigv4.times import timestamp  # noqa: PLC0415 - likewise

        # Another run may have stored new credentials while this one waited for the lock.
        later = _read(store, quiet=True)
        if later is None or later == unfit or not _is_fresh(later):
            today = later is not None and later != unfit and later.day == timestamp(time.time())[:8]
            held = _open(source, later, use) if later and today else None
            try:
                return _ask_and_store(source, use, held, store)
            except SigV4Error as error:
                # Raised before the TPM is used again, so that a wrong password counts as one failed attempt.
                if not _is_temporary(error):
                    raise
                last = None if later == unfit else held or _last(source, later, use)
                if last is None or not _may_use_cached(last.credentials, error):
                    raise
                return last.credentials
    # The lock is released before this, because other runs wait for it.
    held = _open(source, later, use)
    return _ask_and_store(source, use, None, store) if held is None else held.credentials


def _ask_and_store(
    source: CredentialSource, use: bytes, held: CachedCredentials | None, store: CacheFile | None
) -> Credentials:
    """Gets new credentials, caches them in `store` unless it is None, and returns them.

    Reuses the signing key and the nonce of the cached credentials `held`, if given. `use` is from `cache_purpose`.
    """
    nonce = os.urandom(32) if held is None else held.nonce
    found = source.fetch(label(nonce, use) if store is not None and held is None else None, held)
    root, credentials = (found.root if held is None else held.root), found.credentials
    due = _get_renewal_time(source.settings, credentials)
    if store is not None and root is not None and due > time.time():
        try:
            text = to_text(credentials, found.signing_key)
            store.write(seal_text(text, due, _day(found.signing_key), nonce, root, use, source.about))
        except UnfitError as error:
            _note(f"could not cache the credentials: {error}")
    return credentials


def _last(source: CredentialSource, clear: ClearPart | None, use: bytes) -> CachedCredentials | None:
    """Returns the decrypted content of a cache file, or None if it is damaged or its credentials have expired.

    `clear` is the clear part of the file, or None if there is no file.
    """
    if clear is None or not time.time() < clear.refresh_at + AHEAD + JITTER < time.time() + MOST:
        return None
    return _open(source, clear, use)


def _is_temporary(error: Exception) -> bool:
    """Returns whether the error is a temporary failure of the network or AWS, as opposed to a refusal."""
    from sigv4.errors import NetworkError, ResponseError, StsError  # noqa: PLC0415 - for a failed request only
    from sigv4.retry import RetryPolicy  # noqa: PLC0415 - likewise

    return isinstance(error, NetworkError | ResponseError) or (
        isinstance(error, StsError) and RetryPolicy().retries(error)
    )


def _may_use_cached(credentials: Credentials, error: Exception) -> bool:
    """Returns whether the cached credentials are valid long enough to be used despite `error`; warns if so."""
    left = _end(credentials) - time.time()
    if left < LEAST:
        return False
    _note(f"could not renew: {error}; the cached credentials are valid for {left // 60:.0f} more minutes")
    return True


def _read(store: CacheFile, *, quiet: bool = False) -> ClearPart | None:
    try:
        octets = store.read()
        return None if octets is None else read_clear(octets)
    except UnfitError as error:
        text = f"ignored: {error}"
    except DamagedError:
        text = DAMAGED
    if not quiet:
        _note(text)
    return None


def _open(source: CredentialSource, clear: ClearPart, use: bytes) -> CachedCredentials | None:
    """Decrypts the cache file that has this clear part, with the TPM's HMAC.

    Warns and returns None if the file is damaged.
    """
    root = source.root(label(clear.nonce, use))
    try:
        text = unseal_text(clear, root, use)
    except DamagedError:
        _note(DAMAGED)
        return None
    return from_text(text, clear.nonce, root)


def _about(settings: RunSettings, key_id: str) -> str:
    """Returns the description of the credentials for `tpmwire cache`: key id, role or user, and region."""
    if settings.assumeRole and settings.aws_arn:
        what = str(settings.aws_arn[-1])
    elif settings.federation_name:
        what = f"federated user {settings.federation_name}"
    else:
        what = f"root of {settings.root_of}" if settings.root_of else "session"
    return f"{key_id} {what}" + (f" {settings.aws_region}" if settings.aws_region else "")


def _day(kept: SigningKey | None) -> str:
    return "00000000" if kept is None else kept.day


def _is_fresh(clear: ClearPart) -> bool:
    # The renewal time must not be too far ahead either: after a clock was set back, old credentials would look
    # new.
    return time.time() < clear.refresh_at < time.time() + MOST


def _get_renewal_time(settings: RunSettings, credentials: Credentials) -> int:
    """Returns the time in POSIX seconds at which the credentials should be renewed."""
    ends = _end(credentials)
    seconds = (settings.duration or "").removesuffix("s")
    if seconds.isdecimal():
        # Also assumed if AWS's response does not state the time.
        ends = min(ends, int(time.time()) + int(seconds))
    ahead = max(0, min(AHEAD, int(ends - time.time()) // 3))
    return ends - ahead - int.from_bytes(os.urandom(2), "big") % (min(JITTER, ahead // 7) + 1)


def _end(credentials: Credentials) -> int:
    """Returns the expiration of the credentials by this machine's clock, in POSIX seconds; 0 if unknown."""
    from sigv4.times import is_rfc3339, parse_rfc3339  # noqa: PLC0415 - the cache has the time of its credentials

    expiration = credentials.expiration
    if not is_rfc3339(expiration) or not expiration.endswith("Z"):
        return 0
    return parse_rfc3339(expiration) - credentials.clock_offset


def _note(text: str) -> None:
    note(f"{PROGRAM}: cache: {text}")
