"""Seals and opens cache files: a clear part, and a part encrypted with keys derived from an HMAC of the TPM.

Layout: FORMAT, a description, refresh_at, day, nonce, salt, the sealed text, a tag. `root` is the TPM's HMAC of
`label(nonce, purpose)`. SP 800-108 (KDFa of TPM 2.0 Part 1, §11.4.10.2) derives two values from `root` and the
salt: a stream as long as the text, and a key for the tag. The tag is HMAC-SHA256 of the purpose of the cache and
all preceding bytes. This encrypt-then-MAC needs hashlib only: importing `cryptography` would take longer than the
rest of a run.
"""

from __future__ import annotations

import hmac
import os

from tpmwire.constructs import construct
from tpmwire.crypto.formulas import kdfa
from tpmwire.spec.constants import TPM_ALG
from tpmwire.typed import NamedTuple

__all__ = [
    "FORMAT",
    "LABEL",
    "LIMIT",
    "ClearPart",
    "DamagedError",
    "label",
    "read_clear",
    "seal_text",
    "unseal_text",
]

FORMAT = b"tpmwire cache 3\n"
LABEL = b"tpmwire cache v1\0"
"""Prefix of every message that the key HMACs for a cache; no date or other message of SigV4 begins with it."""
LIMIT = 1 << 16
"""Maximum size of a file in bytes; session tokens have a few thousand."""

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
    """Raised for a cache file that was modified, has another format, or was sealed for other keys or options."""


class ClearPart(NamedTuple):
    """The clear part of a cache file. The file's tag covers the clear part, but only `unseal_text` checks the tag.

    `about` describes the credentials: key id, role or user, and region. `refresh_at` is the time of their renewal
    in POSIX seconds; `day` (YYYYMMDD) is the date of their signing key. `nonce` is part of the message of the
    TPM's HMAC (see `label`); `sealed` is the whole file.
    """

    about: str
    refresh_at: int
    day: str
    nonce: bytes
    salt: bytes
    sealed: bytes


def label(nonce: bytes, purpose: bytes) -> bytes:
    """Returns the message whose HMAC by the TPM's key opens a cache file; `purpose` comes from `cache_purpose`."""
    return LABEL + nonce + purpose


def read_clear(octets: bytes) -> ClearPart:
    """Parses the clear part of a cache file. Raises DamagedError if the file has another format."""
    try:
        found = _HEADER.parse(octets)
        day = found.day.decode("ascii")
    except (construct.ConstructError, UnicodeDecodeError) as error:
        raise DamagedError from error
    if len(octets) > LIMIT or len(found.rest) <= _TAG:
        raise DamagedError
    return ClearPart(found.about, found.refresh_at, day, found.nonce, found.salt, octets)


def seal_text(
    text: bytes, refresh_at: int, day: str, nonce: bytes, root: bytes, purpose: bytes, about: str = ""
) -> bytes:
    """Encrypts and authenticates `text`; returns the content of a cache file. Each call uses a new random salt.

    `root` is the TPM's HMAC of `label(nonce, purpose)`. `refresh_at`, `day` and `about` are stored unencrypted.
    """
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


def unseal_text(clear: ClearPart, root: bytes, purpose: bytes) -> bytes:
    """Checks the tag of a cache file and returns its plaintext.

    Raises DamagedError if the file was modified, or `root` or `purpose` does not match.
    """
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
    # The purpose comes first: its size is fixed, so different pairs never give the same bytes.
    return hmac.digest(key, purpose + body, "sha256")


def _xor(data: bytes, stream: bytes) -> bytes:
    return (int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(data), "big")
