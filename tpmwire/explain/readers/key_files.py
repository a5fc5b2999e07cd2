"""Recognizes keys and certificates of other programs, and shows the corresponding TPM public area."""

import binascii
import re
from collections.abc import Iterator
from itertools import islice

from ...crypto.der import header_size
from ...crypto.jwk_ssh import parse_jwk, parse_ssh, parse_ssh_blob
from ...crypto.public_key_formats import area_of
from ...crypto.spki import PublicKey, certified_key, curve_of_oid, curve_size, parse_public_key_der
from ...errors import DecodeError, EncodeError, KeyFileError
from ...keys.keyfile import IMPORTABLE, LOADABLE, SEALED
from ...spec.structures import TPMS_ECC_POINT, TPMT_PUBLIC
from ..reading import Reading
from ..tree import Node
from .der_trees import explain_der, is_der
from .structures import object_kind, tree_of

__all__ = ["read_der", "read_key_text", "read_pem"]

_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,64})-----")
BLOCKS, BLOCK = 32, 1 << 17
"""Maximum number of PEM blocks, and maximum size of a block in bytes."""

_TSS2 = {
    LOADABLE: "a TPM key that its parent has encrypted, for TPM2_Load",
    IMPORTABLE: "a TPM key that is wrapped for another TPM, for TPM2_Import",
    SEALED: "sealed data, for TPM2_Unseal",
}
_EK, _AK = bytes.fromhex("06056781050801"), bytes.fromhex("06056781050803")
"""OIDs of the extended key usages tcg-kp-EKCertificate and tcg-kp-AIKCertificate, in DER."""

_LABELS = {
    "CERTIFICATE REQUEST": ("a certificate request in PEM", "CertificationRequest"),
    "NEW CERTIFICATE REQUEST": ("a certificate request in PEM", "CertificationRequest"),
    "X509 CRL": ("a certificate revocation list in PEM", "CertificateList"),
    "EC PARAMETERS": ("elliptic curve parameters in PEM", "parameters"),
    "TSS2 KEY BLOB": ("an old TPM key file in PEM (TSS2 KEY BLOB)", "TSS2 KEY BLOB"),
}


def read_pem(data: bytes) -> Iterator[Reading]:
    """Yields the interpretation of the blocks in a PEM text; nothing if the text has no blocks."""
    found = [_read_block(label.decode(), body) for label, body in islice(_split_blocks(data), BLOCKS)]
    if not found:
        begin = _BEGIN.match(data.strip())
        if begin and begin.end() < len(begin.string) and b"-----END " + begin[1] + b"-----" not in data:
            label = begin[1].decode()
            yield Reading(f"a damaged PEM file: its line -----END {label}----- is missing", [])
        return
    kinds = list(dict.fromkeys(reading.kind for reading in found))
    many = len(found) > 1 and len(kinds) == 1
    kind = f"{len(found)} blocks of PEM, each {kinds[0]}" if many else " and ".join(kinds)
    yield Reading(kind, [tree for reading in found for tree in reading.trees])


def _split_blocks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields (label, base64 text) of each PEM block. Stops after `BLOCKS` blocks without an END line."""
    place = unfinished = 0
    while unfinished < BLOCKS and (begin := _BEGIN.search(data, place)):
        end = data.find(b"-----END " + begin[1] + b"-----", begin.end(), begin.end() + BLOCK)
        place = max(end, begin.end())
        if end < 0:
            unfinished += 1
        else:
            yield begin[1], data[begin.end() : end]


def _read_block(label: str, body: bytes) -> Reading:
    if label.endswith("PRIVATE KEY") and label != "TSS2 PRIVATE KEY":
        return _read_private(label, body)
    try:
        contents = binascii.a2b_base64(b"".join(body.split()), strict_mode=True)
    except ValueError:
        return Reading(f"a PEM block with the label {label} and damaged base64", [])
    if label in _LABELS:
        kind, name = _LABELS[label]
        return Reading(kind, [explain_der(contents, name)])
    reading = next(read_der(contents), None)
    if reading is None:
        return Reading(f"a PEM block with the label {label}", [explain_der(contents, label)])
    return reading._replace(kind=f"{reading.kind.removesuffix(' in DER')} in PEM")


def _read_private(label: str, body: bytes) -> Reading:
    if label.startswith("OPENSSH"):
        return Reading("an OpenSSH private key in PEM: keep it secret", [])
    encrypted = label.startswith("ENCRYPTED") or b"ENCRYPTED" in body[:200]
    if encrypted:
        return Reading("an encrypted private key in PEM", [])
    try:
        key = private_to_public(binascii.a2b_base64(b"".join(body.split()), strict_mode=True))
    except (ValueError, DecodeError):
        key = None
    note = "a private key in PEM that is not encrypted: keep it secret"
    return Reading(note, _area(key) if key else [])


def private_to_public(data: bytes) -> PublicKey | None:
    """Returns the public key inside a private key in DER (PKCS #8, PKCS #1, SEC 1), or None if it has none.

    Raises DecodeError if the DER is damaged.
    """
    root = explain_der(data, "PrivateKey")
    parts = root.children[1:]
    if root.error:
        raise DecodeError(root.error)
    if [part.type for part in parts[:3]] == ["INTEGER", "SEQUENCE", "OCTET STRING"]:  # PKCS #8
        return _find_point(root) or private_to_public(_contents(parts[2]))
    if [part.type for part in parts[:2]] == ["INTEGER", "OCTET STRING"]:  # SEC 1
        return _find_point(root)
    numbers = [part for part in parts if part.type == "INTEGER"]
    if len(numbers) == len(parts) == 9:  # PKCS #1: version, modulus, publicExponent
        return _contents(numbers[1]).lstrip(b"\0"), int.from_bytes(_contents(numbers[2])[-4:], "big")
    return None


def _find_point(root: Node) -> PublicKey | None:
    """Returns the public key (curve and point) in an ECC private key, or None."""
    nodes, curve = [root], None
    while nodes:
        node = nodes.pop()
        nodes += node.children[:0:-1]
        curve = curve or (curve_of_oid(node.text.partition(",")[0]) if node.type == "OBJECT IDENTIFIER" else None)
        if node.type == "BIT STRING" and curve:
            size, point = curve_size(curve), _contents(node)
            if len(point) == 2 + 2 * size and point[:2] == b"\0\4":
                return curve, TPMS_ECC_POINT(point[2 : 2 + size], point[2 + size :])
    return None


def _contents(node: Node) -> bytes:
    return node.octets[node.children[0].size :]


def read_der(data: bytes) -> Iterator[Reading]:
    """Yields the interpretations of DER: TPM key file, public key, certificate, signature, or other DER."""
    if data[:1] != b"\x30":
        return
    start = data[:64]
    for oid, what in _TSS2.items():
        encoded = bytes.fromhex("06066781050a01") + bytes([int(oid.rsplit(".", 1)[1])])
        if encoded in start and is_der(data):
            yield Reading(f"a TSS2 PRIVATE KEY ({what}) in DER", [explain_der(data, "TPMKey")])
            return
    try:
        key = parse_public_key_der(data)
    except DecodeError:
        pass
    else:
        inner = data[header_size(data) : header_size(data) + 1]
        tree = explain_der(data, "SubjectPublicKeyInfo" if inner == b"\x30" else "RSAPublicKey")
        tree.text = tree.children[0].text = "openssl and tpm2_readpublic -f write it"
        yield Reading("a public key in DER", [tree, *_area(key)])
        return
    if (reading := _read_certificate(data)) is not None:
        yield reading
        return
    if not is_der(data):
        return
    tree = explain_der(data, "Ecdsa-Sig-Value")
    types = [child.type for child in tree.children[1:]]
    if types == ["INTEGER", "INTEGER"]:
        tree.text = tree.children[0].text = "tpm2_sign -f plain and openssl write it"
        yield Reading("an ECDSA signature in DER", [tree])
    elif types[:2] in (["INTEGER", "OCTET STRING"], ["INTEGER", "SEQUENCE"]) or types == ["INTEGER"] * 9:
        note = "a private key in DER that is not encrypted: keep it secret"
        yield Reading(note, _area(private_to_public(data)))
    elif types == ["SEQUENCE", "OCTET STRING"]:
        yield Reading("an encrypted private key in DER", [])
    elif types == ["SEQUENCE", "BIT STRING"]:
        note = "a public key (neither RSA nor ECC) in DER"
        yield Reading(note, [explain_der(data, "SubjectPublicKeyInfo")])
    elif types == ["SEQUENCE", "SEQUENCE", "BIT STRING"]:
        yield Reading("an X.509 certificate or request in DER", [explain_der(data, "Certificate")])
    else:
        yield Reading("a DER structure of another kind", [explain_der(data, "DER")])


def _read_certificate(data: bytes) -> Reading | None:
    try:
        key, certificate = certified_key(data)
    except DecodeError:
        return None
    kind = "an X.509 certificate in DER"
    if _EK in certificate:
        kind = "an X.509 certificate of an endorsement key in DER"
    elif _AK in certificate:
        kind = "an X.509 certificate of an attestation key in DER"
    tree = explain_der(certificate, "Certificate")
    return Reading(kind, [tree, *_area(key)])


def read_key_text(data: bytes) -> Iterator[Reading]:
    """Yields the interpretation of text as an SSH public key or a JWK."""
    for kind, read in (("a JSON Web Key (JWK)", parse_jwk), ("an SSH public key", parse_ssh)):
        try:
            key = read(data)
        except KeyFileError as error:
            yield Reading(f"{kind} that cannot be used: {error}", [])
            return
        if key is not None:
            yield Reading(kind, _area(key))
    if key := parse_ssh_blob(data):
        yield Reading("an SSH public key in binary", _area(key))
    elif data.startswith((b"ssh-ed25519 ", b"sk-")):
        yield Reading("an SSH public key of a type that TPMs do not have", [])


def _area(key: PublicKey | None) -> list[Node]:
    """Returns the tree of the public area that TPM2_LoadExternal would use for a key; an empty list for None."""
    if key is None:
        return []
    try:
        public = area_of(key)
        octets = public.build()
    except EncodeError:
        return []
    text = f"public area that tpm2_loadexternal would use: {object_kind(public)}"
    return [tree_of("TPMT_PUBLIC", TPMT_PUBLIC, octets, text)]
