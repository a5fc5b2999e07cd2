"""The plaintext of a cache file: temporary credentials, and the SigV4 signing key of the day."""

from __future__ import annotations

import json

from sigv4.credentials import Credentials
from tpmwire.typed import NamedTuple

__all__ = ["CachedCredentials", "SigningKey", "from_text", "to_text"]


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

    `root` is the HMAC by the TPM that opened the file; `nonce` is part of the HMAC's message.
    """

    credentials: Credentials
    signing_key: SigningKey | None
    nonce: bytes
    root: bytes

    def __repr__(self) -> str:
        return f"<CachedCredentials {self.credentials!r}>"


def to_text(credentials: Credentials, signing_key: SigningKey | None) -> bytes:
    """Returns the credentials and signing key as the plaintext of a cache file."""
    shown = {name: getattr(credentials, name) for name in type(credentials).__slots__}
    signing = None if signing_key is None else [*signing_key[:3], signing_key.key.hex()]
    return json.dumps({"credentials": shown, "signing_key": signing}).encode()


def from_text(text: bytes, nonce: bytes, root: bytes) -> CachedCredentials:
    """Parses the plaintext that `to_text` built. The format is not checked, since the text is authenticated."""
    found = json.loads(text)
    kept = None
    if found["signing_key"] is not None:
        day, region, service, key = found["signing_key"]
        kept = SigningKey(day, region, service, bytes.fromhex(key))
    return CachedCredentials(Credentials(**found["credentials"]), kept, nonce, root)
