"""Identifies files: TPM structures, files of tpm2-tools, keys, certificates, event logs, files of tpmwire.

for reading in read_file(data):
    print(reading.kind)
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from ...errors import TpmwireError
from ...keys.tools_files import MAGIC
from ...spec.constants import TPM_ALG
from ..known_digests import describe_policy_digest
from ..reading import Reading
from ..tree import Node
from .event_logs import read_event_log
from .headers import TAGS
from .key_files import read_der, read_key_text, read_pem
from .own_files import read_cache, read_json
from .packets import is_capture
from .pcr_files import read_serialized_pcrs
from .structures import HASH_SIZES, read_structure
from .tool_outputs import read_tool_output

__all__ = ["LARGEST_FILE", "read_file"]

LARGEST_FILE = 1 << 20
"""Maximum size of a file in bytes. Keys and structures are much smaller."""

_TAGS_OF_12 = tuple(bytes([0, tag]) for tag in range(0xC1, 0xC7))
"""Tags of commands and responses of TPM 1.2."""
_DIGESTS = {20: "SHA-1", 32: "SHA-256", 48: "SHA-384", 64: "SHA-512"}
_MODULI = {128: 1024, 256: 2048, 384: 3072, 512: 4096}


def read_file(data: bytes) -> list[Reading]:
    """Returns the possible interpretations of a file, the most likely first; an empty list if there are none.

    Never raises an error for any data. The list is empty for a TPM message (command or response) and for a network
    capture.
    """
    if not data or len(data) > LARGEST_FILE or _is_message(data) or is_capture(data[:4]):
        return []
    found: list[Reading] = []
    for read in _READERS:
        with suppress(TpmwireError):
            found += read(data)
    if not found and not _is_text(data):
        found += _read_plain(data)
    return found


def _is_message(data: bytes) -> bool:
    return data[:2] in (*TAGS, *_TAGS_OF_12) and int.from_bytes(data[2:6], "big") == len(data)


def _is_text(data: bytes) -> bool:
    return data.isascii() and "".join(data.decode("ascii").split()).isprintable()


def _read_name(data: bytes) -> Iterator[Reading]:
    """Yields the interpretation as a Name: the nameAlg identifier followed by a digest."""
    alg = TPM_ALG(int.from_bytes(data[:2], "big"))
    if HASH_SIZES.get(alg) != len(data) - 2:
        return
    root = Node("Name", 0, data, "TPM2B_NAME", "identifies an object; tpm2_load -n writes it")
    root.children = [
        Node("nameAlg", 0, data[:2], "TPMI_ALG_HASH", f"TPM_ALG_{alg.name}"),
        Node("digest", 2, data[2:], "", "of the public area"),
    ]
    yield Reading("a Name of an object or NV index, or a qualified Name", [root])


def _read_unknown_version(data: bytes) -> Iterator[Reading]:
    if data.startswith(MAGIC) and next(read_structure(data), None) is None:
        yield Reading("a file of tpm2-tools, damaged or of an unknown version", [])


def _read_plain(data: bytes) -> Iterator[Reading]:
    """Yields interpretations of unstructured bytes by their size, such as a digest."""
    size = len(data)
    if data[:2] in TAGS:
        return
    if size >= 10 and int.from_bytes(data[:2], "big") == size - 2:
        reading = _plain(f"a TPM2B of {size - 2} bytes", "a buffer with its size, such as a TPM2B_PRIVATE", data)
        reading.trees[0].children = [Node("size", 0, data[:2], "UINT16"), Node("buffer", 2, data[2:])]
        yield reading
    if policy := describe_policy_digest(data):
        yield _plain(f"a policy digest ({_DIGESTS[size]})", f"{policy}; tpm2_policy… -L writes it", data)
    elif size in _DIGESTS and _are_hashes(data, size):
        text = "policy digest (tpm2_policy… -L), hash (tpm2_hash), HMAC (tpm2_hmac) or one PCR value"
        yield _plain(f"{size} bytes, the size of a {_DIGESTS[size]} digest", text, data)
    elif size in _MODULI and _are_hashes(data, size) and not _has_blank(data):
        text = "plain signature (tpm2_sign -f plain) or ciphertext (tpm2_rsaencrypt)"
        yield _plain(f"{size} bytes, the size of an RSA-{_MODULI[size]} number", text, data)
    for step, name in _DIGESTS.items():
        count, rest = divmod(size, step)
        if not rest and 2 <= count <= 24 and _are_hashes(data, step) and (step < 64 or size > 24 * 48):
            values = [Node(f"[{n}]", n * step, data[n * step : (n + 1) * step]) for n in range(count)]
            text = "tpm2_pcrread -o and tpm2_quote -F values write such files"
            reading = _plain(f"{size} bytes, the size of {count} {name} digests (PCR values)", text, data)
            reading.trees[0].children = values
            yield reading


def _has_blank(data: bytes) -> bool:
    """Returns whether a block of the size of a digest is one repeated byte, as in a PCR after a reset."""
    return any(len(set(data[start : start + 32])) == 1 for start in range(0, len(data), 32))


def _are_hashes(data: bytes, step: int) -> bool:
    """Returns whether each block of `step` bytes looks random, or is one repeated byte, as in a PCR after a reset.

    More than one zero byte in eight is unlikely for a digest, but common in other binary data.
    """
    parts = (data[start : start + step] for start in range(0, len(data), step))
    return all(len(set(part)) == 1 or part.count(0) <= step // 8 for part in parts)


def _plain(kind: str, text: str, data: bytes) -> Reading:
    return Reading(kind, [Node("bytes", 0, data, "", text)])


_READERS: tuple[Callable[[bytes], Iterable[Reading]], ...] = (
    read_event_log,
    read_pem,
    read_cache,
    read_json,
    read_key_text,
    read_tool_output,
    read_der,
    _read_name,
    read_structure,
    read_serialized_pcrs,
    _read_unknown_version,
)
