"""Recognizes the files of tpmwire: caches, manifests, states, policies, and JSON with keys in its fields."""

import binascii
import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Annotated, Any

from ...crypto.public_keys import read_public_key
from ...errors import DecodeError, KeyFileError, PolicyError
from ...policy.pcr_selection import bank_name
from ...policy.policy import Policy
from ...policy.text import from_json
from ...record import Record, declare
from ...spec.attestation import TPMS_ATTEST
from ...spec.storage import TPMS_NV_PUBLIC
from ...spec.structures import TPM2B_ENCRYPTED_SECRET, TPM2B_ID_OBJECT, TPMT_PUBLIC, TPMT_SIGNATURE, UINT64
from ...wires import Fixed, Rest, Sized
from ..reading import Reading
from ..tree import Node
from .structures import HASH_SIZES, object_kind, tree_of

__all__ = ["read_cache", "read_json"]

_CACHE = b"tpmwire cache "
LARGEST = 1 << 18
"""Maximum size of a JSON file in bytes."""
LARGEST_KEY = 1 << 14
"""Maximum number of characters of a key in a JSON field."""


class SealedCache(Record):
    """A cache file of aws-tpm-process-credential with credentials that are sealed by the TPM."""

    format: Annotated[bytes, Fixed(16)]
    about: Annotated[bytes, Sized()]
    refresh_at: UINT64
    day: Annotated[bytes, Fixed(8)]
    nonce: Annotated[bytes, Fixed(32)]
    salt: Annotated[bytes, Fixed(32)]
    sealed: Annotated[bytes, Rest()]


def read_cache(data: bytes) -> Iterator[Reading]:
    """Yields the interpretation as a cache file of aws-tpm-process-credential."""
    if not data.startswith(_CACHE):
        return
    kind = "a credential cache of aws-tpm-process-credential --cache"
    with contextlib.suppress(DecodeError):
        about = SealedCache.parse(data).about.decode("utf-8", "replace")
        text = f"{about if about.isprintable() else ''}; only the TPM's key opens it".removeprefix("; ")
        yield Reading(kind, [tree_of("cache", SealedCache, data, text)])
        return
    yield Reading(f"{kind}, damaged or of another version", [])


_FIELDS: tuple[tuple[set[str], str], ...] = (
    (
        {"host", "kind", "parent", "public"},
        "a parent key of `tpmwire export-public`, for `tpmwire wrap --to`",
    ),
    ({"parentKeyType", "key"}, "a wrapped key of tpmcopy, also from `tpmwire duplicate --format tpmcopy`"),
    ({"parentName", "key"}, "a wrapped key of tpmcopy, also from `tpmwire duplicate --format tpmcopy`"),
    ({"stage", "old"}, "the state of an unfinished `tpmwire rotate`"),
    ({"host", "file"}, "an entry of the manifest of `tpmwire wrap` for many hosts"),
    ({"host", "pem"}, "an entry that `tpmwire wrap --out -` prints"),
    ({"Version", "AccessKeyId", "SecretAccessKey"}, "AWS credentials of a credential_process: keep them secret"),
    ({"objectType"}, "an object of the FAPI's key store (tss2_createkey)"),
    ({"certificate", "pubhash"}, "an endorsement certificate as Intel's server and tpm2_getekcertificate have it"),
    ({"message", "signature", "pcrs"}, "a quote of `tpmwire quote`; `tpmwire checkquote` verifies it"),
    ({"message", "signature"}, "a statement of `tpmwire certify`; `tpmwire checkcertify` verifies it"),
    ({"Quotes", "PCRs"}, "PlatformParameters of go-attestation; `tpmwire checkquote` verifies the quotes"),
    ({"AK", "Quote", "Log"}, "the output of go-attestation's attest-tool; `tpmwire checkquote` verifies it"),
    ({"Credential", "Secret"}, "an EncryptedCredential of go-attestation, for `tpmwire activatecredential`"),
    ({"pcrs", "logs"}, "the output of `tpmwire eventlog --json`"),
    ({"map"}, "the state of a TPM in Python (soft:FILE), with its secrets"),
)

_STRUCTURES: tuple[tuple[str, Any, str], ...] = (
    ("message", TPMS_ATTEST, "the signed statement of a TPM"),
    ("Quote", TPMS_ATTEST, "the signed statement of a TPM"),
    ("signature", TPMT_SIGNATURE, ""),
    ("Signature", TPMT_SIGNATURE, ""),
    ("item", TPMT_PUBLIC, "public area of the certified object"),
    ("nv_public", TPMS_NV_PUBLIC, "public area of the certified NV index"),
    ("Credential", TPM2B_ID_OBJECT, ""),
    ("Secret", TPM2B_ENCRYPTED_SECRET, ""),
)
"""(JSON field, type of its bytes in hex or base64, meaning or "")."""


def read_json(data: bytes) -> Iterator[Reading]:
    """Yields the interpretation as a JSON file of tpmwire or of a related program, with the keys in its fields."""
    start = data.lstrip()[:1]
    if start not in (b"{", b"[") or len(data) > LARGEST:
        return
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        yield from _read_lines(data)
        return
    if isinstance(value, list) and value and all(isinstance(item, dict) and "type" in item for item in value):
        yield from _read_policy(data)
    elif isinstance(value, dict):
        yield from _read_object(value)


def _read_lines(data: bytes) -> Iterator[Reading]:
    first, _, rest = data.lstrip().partition(b"\n")
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        return
    if isinstance(value, dict) and rest.strip():
        for reading in _read_object(value):
            count = len(rest.splitlines()) + 1
            yield reading._replace(kind=f"a file of JSON Lines ({count} lines), the first one: {reading.kind}")


def _read_object(value: dict[str, Any]) -> Iterator[Reading]:
    kind = next((kind for fields, kind in _FIELDS if fields <= value.keys()), "")
    if kind:
        yield Reading(kind, [*_structures(value), *_keys(value)])
    elif value and all(_is_bank(name, values) for name, values in value.items()):
        yield Reading("PCR values of `tpmwire pcr --json`", [])


def _is_bank(name: str, values: Any) -> bool:
    """Returns whether a JSON field is a PCR bank: {PCR number: value in hex}."""
    size = next((size for alg, size in HASH_SIZES.items() if bank_name(alg) == name), 0)
    return (
        size > 0
        and isinstance(values, dict)
        and all(number.isdecimal() and len(_decode_text(value)) == size for number, value in values.items())
    )


def _structures(value: dict[str, Any]) -> Iterator[Node]:
    """Yields the trees of the TPM structures in a JSON object."""
    quotes = [each for each in (value.get("Quotes") or [value.get("Quote")]) if isinstance(each, dict)]
    for found in (value, *quotes):
        for field, declared, text in _STRUCTURES:
            with contextlib.suppress(DecodeError):
                if data := _decode_text(found.get(field)):
                    yield tree_of(field, declared, data, text)


def _decode_text(text: Any) -> bytes:
    """Returns the bytes of a text in hex or base64, or b"" for any other value."""
    if not isinstance(text, str) or len(text) > LARGEST_KEY:
        return b""
    for decode in (bytes.fromhex, binascii.a2b_base64):
        with contextlib.suppress(ValueError):
            return decode(text)
    return b""


def _keys(value: dict[str, Any]) -> Iterator[Node]:
    """Yields the trees of the public areas in a JSON object."""
    for field in ("public", "Public", "public_key", "certificate", "ekPub", "pubkey"):
        text = value.get(field)
        if not isinstance(text, str) or len(text) > LARGEST_KEY:
            continue
        try:
            found = read_public_key(text.encode())
        except (KeyFileError, UnicodeEncodeError):
            continue
        if found.public is not None:
            use = f"public area in the field {field!r}: {object_kind(found.public)}"
            yield tree_of("TPMT_PUBLIC", TPMT_PUBLIC, found.public.build(), use)


def _read_policy(data: bytes) -> Iterator[Reading]:
    try:
        policy = from_json(data.decode("utf-8", "strict"))
    except (PolicyError, UnicodeDecodeError):
        return
    root = Node("policy", 0, b"", "", "authorizes a key or data by these statements")
    if isinstance(policy, Policy):
        root.children = [Node(type(each).__name__, 0, b"", "", str(each)) for each in policy.statements]
    digest: Callable[[], bytes] = policy.digest
    root.beside.append(Node("policyDigest", 0, digest(), "TPM2B_DIGEST", "of SHA-256, for authPolicy"))
    yield Reading("a policy in JSON, as `tpmwire policy` writes it", [root])


declare(globals())
