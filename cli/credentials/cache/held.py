"""What a cache file holds once it is open: credentials, and the signing key of their day."""

import json
from typing import NamedTuple

from sigv4.credentials import Credentials

__all__ = ["Held", "SigningKey", "from_text", "to_text"]


class SigningKey(NamedTuple):
    """SigV4's signing key: the one of that day (YYYYMMDD), region and service only."""

    day: str
    region: str
    service: str
    key: bytes

    def __repr__(self) -> str:
        return f"<SigningKey {self.day}/{self.region}/{self.service}, secret hidden>"


class Held(NamedTuple):
    """What a file held, the HMAC that opened it, and the nonce which that was of."""

    credentials: Credentials
    signing_key: SigningKey | None
    nonce: bytes
    root: bytes

    def __repr__(self) -> str:
        return f"<Held {self.credentials!r}>"


def to_text(credentials: Credentials, signing_key: SigningKey | None) -> bytes:
    """What is sealed."""
    shown = {name: getattr(credentials, name) for name in type(credentials).__slots__}
    signing = None if signing_key is None else [*signing_key[:3], signing_key.key.hex()]
    return json.dumps({"credentials": shown, "signing_key": signing}).encode()


def from_text(text: bytes, nonce: bytes, root: bytes) -> Held:
    """What was sealed. It is under a tag, so of the form that `to_text` gave it."""
    found = json.loads(text)
    kept = None
    if found["signing_key"] is not None:
        day, region, service, key = found["signing_key"]
        kept = SigningKey(day, region, service, bytes.fromhex(key))
    return Held(Credentials(**found["credentials"]), kept, nonce, root)
