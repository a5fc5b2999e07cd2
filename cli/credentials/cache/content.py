"""The plaintext of a cache file: temporary credentials, and the SigV4 signing key of the day."""

from __future__ import annotations

from sigv4.credentials import Credentials
from tpmwire.constructs import construct
from tpmwire.typed import NamedTuple

__all__ = ["CachedCredentials", "SigningKey", "from_text", "to_text"]

# Not JSON: importing json takes 1.5 ms of each run.
_STRINGS = construct.GreedyRange(construct.PascalString(construct.Int32ub, "utf8"))


class SigningKey(NamedTuple):
    """SigV4's signing key for one day (YYYYMMDD), region and service."""

    day: str
    region: str
    service: str
    key: bytes

    def __repr__(self) -> str:
        return f"<SigningKey {self.day}/{self.region}/{self.service}, secret hidden>"


class CachedCredentials(NamedTuple):
    """Credentials and signing key from a cache file.

    `root` is the TPM's HMAC, which opened the file; `nonce` is part of the HMAC's message.
    """

    credentials: Credentials
    signing_key: SigningKey | None
    nonce: bytes
    root: bytes

    def __repr__(self) -> str:
        return f"<CachedCredentials {self.credentials!r}>"


def to_text(credentials: Credentials, signing_key: SigningKey | None) -> bytes:
    """Returns the credentials and signing key as the plaintext of a cache file."""
    found = credentials
    values = [found.access_key_id, found.secret_access_key, found.session_token, found.expiration]
    values += [found.account_id or "", str(found.clock_offset)]
    if signing_key is not None:
        values += [*signing_key[:3], signing_key.key.hex()]
    text: bytes = _STRINGS.build(values)
    return text


def from_text(text: bytes, nonce: bytes, root: bytes) -> CachedCredentials:
    """Parses the plaintext that `to_text` built. The format is not checked, since the text is authenticated."""
    key_id, secret, token, expiration, account, offset, *signing = _STRINGS.parse(text)
    signing_key = None
    if signing:
        day, region, service, key = signing
        signing_key = SigningKey(day, region, service, bytes.fromhex(key))
    credentials = Credentials(key_id, secret, token, expiration, account or None, int(offset))
    return CachedCredentials(credentials, signing_key, nonce, root)
