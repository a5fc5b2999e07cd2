"""A cache file's octets: what is told in clear, what is sealed, and under what.

Layout: FORMAT, what it is of, refresh_at, day, nonce, salt, the sealed text, a tag. `root` is the TPM's HMAC of
`label(nonce)`; from it and the salt SP 800-108 (KDFa of TPM 2.0 Part 1, §11.4.10.2) gives a stream as long as the
text and a key for the tag: HMAC-SHA256 over all octets before it and over what the cache was asked for.
Encrypt-then-MAC from hashlib, since importing `cryptography` would cost a run more than everything else together.
"""

import hmac
import os
from typing import NamedTuple

from tpmwire.constructs import construct
from tpmwire.crypto.formulas import kdfa
from tpmwire.spec.constants import TPM_ALG

__all__ = ["FORMAT", "LABEL", "LIMIT", "Clear", "DamagedError", "label", "read_clear", "seal", "unseal"]

FORMAT = b"tpmwire cache 2\n"
LABEL = b"tpmwire cache v1\0"
"""Begins every message that the key HMACs for a cache; no date, and no other message of SigV4, begins so."""
LIMIT = 1 << 16
"""Octets of the largest file; session tokens have some thousand."""

_TAG = 32
_HEADER = construct.Struct(
    "format" / construct.Const(FORMAT),
    "about" / construct.PascalString(construct.Int16ub, "utf8"),
    "refresh_at" / construct.Int64ub,
    "day" / construct.Bytes(8),
    "nonce" / construct.Bytes(32),
    "salt" / construct.Bytes(32),
    "rest" / construct.GreedyBytes,
)


class DamagedError(Exception):
    """The octets are no cache of this format, were changed, or were sealed by another key or for another use."""


class Clear(NamedTuple):
    """What a file tells without the TPM. Under the tag too, but not to be believed before `unseal`.

    `about` says for a person whose credentials they are. `refresh_at` (POSIX seconds) is when they are due for
    others; `day` (YYYYMMDD) is that of their signing key; `nonce` is what the TPM is asked about; `sealed` the
    octets as a whole.
    """

    about: str
    refresh_at: int
    day: str
    nonce: bytes
    salt: bytes
    sealed: bytes


def label(nonce: bytes, purpose: bytes) -> bytes:
    """The message whose HMAC by the TPM's key opens a file; `purpose` is the digest of what was asked for."""
    return LABEL + nonce + purpose


def read_clear(octets: bytes) -> Clear:
    """The part in clear. Raises DamagedError."""
    try:
        found = _HEADER.parse(octets)
        day = found.day.decode("ascii")
    except (construct.ConstructError, UnicodeDecodeError) as error:
        raise DamagedError from error
    if len(octets) > LIMIT or len(found.rest) <= _TAG:
        raise DamagedError
    return Clear(found.about, found.refresh_at, day, found.nonce, found.salt, octets)


def seal(
    text: bytes, refresh_at: int, day: str, nonce: bytes, root: bytes, purpose: bytes, about: str = ""
) -> bytes:
    """A file's octets. The salt is new for each, so that no two texts meet the same stream."""
    salt = os.urandom(32)
    stream, key = _keys(root, salt, len(text))
    header = _HEADER.build(
        {
            "about": about,
            "refresh_at": refresh_at,
            "day": day.encode("ascii"),
            "nonce": nonce,
            "salt": salt,
            "rest": b"",
        }
    )
    body = header + _xor(text, stream)
    return bytes(body + _tag(key, body, purpose))


def unseal(clear: Clear, root: bytes, purpose: bytes) -> bytes:
    """The sealed text. Raises DamagedError where one bit differs, or `root` or `purpose` is another."""
    header = len(clear.sealed) - len(_HEADER.parse(clear.sealed).rest)
    body, tag = clear.sealed[:-_TAG], clear.sealed[-_TAG:]
    stream, key = _keys(root, clear.salt, len(body) - header)
    if not hmac.compare_digest(_tag(key, body, purpose), tag):
        raise DamagedError
    return _xor(body[header:], stream)


def _keys(root: bytes, salt: bytes, size: int) -> tuple[bytes, bytes]:
    stream = kdfa(TPM_ALG.SHA256, root, b"tpmwire cache stream", salt, b"", 8 * size)
    return stream, kdfa(TPM_ALG.SHA256, root, b"tpmwire cache tag", salt, b"", 256)


def _tag(key: bytes, body: bytes, purpose: bytes) -> bytes:
    # Purpose first: its size is fixed, so that no two pairs make the same octets.
    return hmac.digest(key, purpose + body, "sha256")


def _xor(data: bytes, stream: bytes) -> bytes:
    return (int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(data), "big")
