"""Headers that S3 Glacier (vaults and archives) needs in addition to the signature.

Source: "Common request headers" and "Computing checksums" in the Amazon S3 Glacier Developer Guide.
"""

import re
from collections.abc import Iterator
from hashlib import sha256

from .request import FileBody, Request, split_url

__all__ = ["headers", "tree_hash"]

_VERSION = "2012-06-01"
_CHUNK = 1 << 20  # bytes
_UPLOAD = re.compile(r"/[^/]+/vaults/[^/]+/(archives|multipart-uploads/[^/]+)")


def headers(request: Request) -> list[tuple[str, str]]:
    """Returns the headers that the request lacks: the API version and, for an upload, the body's tree hash."""
    pairs = [("x-amz-glacier-version", _VERSION)]
    if request.method in ("POST", "PUT") and request.body and _UPLOAD.fullmatch(split_url(request.url).path):
        pairs.append(("x-amz-sha256-tree-hash", tree_hash(request.body)))
    return [(name, value) for name, value in pairs if request.header(name) is None]


def tree_hash(body: bytes | FileBody) -> str:
    """Returns the SHA-256 tree hash in hex.

    Each 1 MiB chunk is hashed, then each pair of hashes, until one hash is left.
    """
    level = [sha256(chunk).digest() for chunk in _chunks(body)] or [sha256().digest()]
    while len(level) > 1:
        pairs = [level[index : index + 2] for index in range(0, len(level), 2)]
        level = [sha256(b"".join(pair)).digest() if len(pair) == 2 else pair[0] for pair in pairs]
    return level[0].hex()


def _chunks(body: bytes | FileBody) -> Iterator[bytes]:
    if isinstance(body, bytes):
        yield from (body[start : start + _CHUNK] for start in range(0, len(body), _CHUNK))
        return
    body.rewind()
    chunk = b""
    while piece := body.read(_CHUNK - len(chunk)):
        chunk += piece
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = b""
    if chunk:
        yield chunk
    body.rewind()
