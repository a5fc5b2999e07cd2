"""Trees of DER: keys, certificates and TPM key files, with field names and the names of known OIDs.

Accepts any DER with definite lengths. The depth and the number of nodes are limited; everything beyond a limit
becomes one node. TPM structures inside a TPM key file are also explained.
"""

from typing import Any, NamedTuple

from ...crypto import der
from ...errors import DecodeError
from ...spec.structures import TPM2B_ENCRYPTED_SECRET, TPM2B_PRIVATE, TPM2B_PUBLIC
from ...wires import byte_count
from ..meanings import handle_words
from ..tree import Node
from .structures import tree_of

__all__ = ["explain_der", "is_der"]

DEPTH, NODES = 16, 2000

_OIDS = {
    "1.2.840.113549.1.1.1": "rsaEncryption",
    "1.2.840.113549.1.1.7": "id-RSAES-OAEP",
    "1.2.840.113549.1.1.5": "sha1WithRSAEncryption",
    "1.2.840.113549.1.1.10": "id-RSASSA-PSS",
    "1.2.840.113549.1.1.11": "sha256WithRSAEncryption",
    "1.2.840.113549.1.1.12": "sha384WithRSAEncryption",
    "1.2.840.113549.1.1.13": "sha512WithRSAEncryption",
    "1.2.840.10045.2.1": "id-ecPublicKey",
    "1.2.840.10045.3.1.7": "P-256",
    "1.3.132.0.34": "P-384",
    "1.3.132.0.35": "P-521",
    "1.2.840.10045.4.3.2": "ecdsa-with-SHA256",
    "1.2.840.10045.4.3.3": "ecdsa-with-SHA384",
    "1.2.840.10045.4.3.4": "ecdsa-with-SHA512",
    "2.5.4.3": "commonName",
    "2.5.4.6": "countryName",
    "2.5.4.7": "localityName",
    "2.5.4.8": "stateOrProvinceName",
    "2.5.4.10": "organizationName",
    "2.5.4.11": "organizationalUnitName",
    "2.5.29.9": "subjectDirectoryAttributes",
    "2.5.29.14": "subjectKeyIdentifier",
    "2.5.29.15": "keyUsage",
    "2.5.29.17": "subjectAltName",
    "2.5.29.19": "basicConstraints",
    "2.5.29.31": "cRLDistributionPoints",
    "2.5.29.32": "certificatePolicies",
    "2.5.29.35": "authorityKeyIdentifier",
    "2.5.29.37": "extKeyUsage",
    "1.3.6.1.5.5.7.1.1": "authorityInfoAccess",
    "2.23.133.2.1": "tcg-at-tpmManufacturer",
    "2.23.133.2.2": "tcg-at-tpmModel",
    "2.23.133.2.3": "tcg-at-tpmVersion",
    "2.23.133.2.16": "tcg-at-tpmSpecification",
    "2.23.133.2.18": "tcg-at-tpmSecurityAssertions",
    "2.23.133.8.1": "tcg-kp-EKCertificate",
    "2.23.133.8.3": "tcg-kp-AIKCertificate",
    "2.23.133.10.1.3": "id-loadablekey",
    "2.23.133.10.1.4": "id-importablekey",
    "2.23.133.10.1.5": "id-sealedkey",
}


class Shape(NamedTuple):
    """Field names of a SEQUENCE: `names` by position, `tagged` by context tag (0xA0 for [0])."""

    names: tuple[str, ...] = ()
    tagged: tuple[str, ...] = ()


_ALGORITHM = ("algorithm", "parameters")
_SHAPES = {
    "TPMKey": Shape(
        ("type", "parent", "pubkey", "privkey"),
        ("emptyAuth", "policy", "secret", "authPolicy", "description", "rsaParent"),
    ),
    "Certificate": Shape(("tbsCertificate", "signatureAlgorithm", "signature")),
    "tbsCertificate": Shape(
        ("serialNumber", "signature", "issuer", "validity", "subject", "subjectPublicKeyInfo"),
        ("version", "issuerUniqueID", "subjectUniqueID", "extensions"),
    ),
    "validity": Shape(("notBefore", "notAfter")),
    "SubjectPublicKeyInfo": Shape(("algorithm", "subjectPublicKey")),
    "subjectPublicKeyInfo": Shape(("algorithm", "subjectPublicKey")),
    "RSAPublicKey": Shape(("modulus", "publicExponent")),
    "Ecdsa-Sig-Value": Shape(("r", "s")),
    "CertificationRequest": Shape(("certificationRequestInfo", "signatureAlgorithm", "signature")),
    **dict.fromkeys(("algorithm", "signatureAlgorithm"), Shape(_ALGORITHM)),
}
_STRUCTURES: dict[str, Any] = {
    "pubkey": TPM2B_PUBLIC,
    "privkey": TPM2B_PRIVATE,
    "secret": TPM2B_ENCRYPTED_SECRET,
}
_INSIDE = {"subjectPublicKey": "RSAPublicKey", "signature": "Ecdsa-Sig-Value"}
"""Names of the DER inside the BIT STRING or OCTET STRING of a field."""
_STRINGS = {0x0C, 0x12, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1A}
_NAMES = {0x11: "SET", 0x31: "SET", 0x13: "PrintableString", 0x17: "UTCTime", 0x18: "GeneralizedTime"}


def is_der(data: bytes) -> bool:
    """Returns whether `data` is exactly one SEQUENCE with definite lengths.

    Only elements down to the maximum depth are checked.
    """
    try:
        _, size = _header(data, 0, len(data))
        return data[0] == 0x30 and size == len(data) and not explain_der(data, "DER").error
    except DecodeError:
        return False


def explain_der(data: bytes, name: str) -> Node:
    """Returns the tree of one DER element of the type `name`, such as "Certificate" or "TPMKey".

    If an element is invalid, the tree is a single node, whose `error` describes the problem. The contents of an
    OCTET STRING or BIT STRING need not be DER.
    """
    walk = _Walk(data)
    try:
        node = walk.element(name, 0, len(data), 0)
    except DecodeError as error:
        node = Node(name, 0, data)
        node.error = str(error)
    return node


def _header(data: bytes, start: int, end: int) -> tuple[int, int]:
    """Returns (offset of an element's contents, offset of its end). Raises DecodeError for an invalid header."""
    if end - start < 2:
        raise DecodeError("an element needs at least 2 bytes", start, end - start)
    first, place = data[start + 1], start + 2
    if first >= 0x80:
        size = first & 0x7F
        if not 1 <= size <= 4 or place + size > end:
            raise DecodeError("the length is indefinite, too long or truncated", start, end - start)
        first, place = int.from_bytes(data[place : place + size], "big"), place + size
    if data[start] & 0x1F == 0x1F or place + first > end:
        raise DecodeError("the tag is too long, or the length exceeds the remaining bytes", start, end - start)
    return place, place + first


class _Walk:
    """Builds the nodes of DER elements in `data`, up to the limits."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.nodes = 0

    def element(self, name: str, start: int, end: int, depth: int) -> Node:
        """Returns the node of the element at `start`. Raises DecodeError if the element ends after `end`."""
        self.nodes += 1
        place, stop = _header(self.data, start, end)
        tag = self.data[start]
        node = Node(name, start, self.data[start:stop], _NAMES.get(tag) or der.tag_name(tag))
        contents = self.data[place:stop]
        node.children = [Node("size", start, self.data[start:place], "", "tag and length")]
        inside = self._inside(node, name, tag, place, stop, depth)
        if inside:
            node.children += inside
        elif contents:
            node.children.append(Node("buffer", place, contents))
        node.text = _words(name, tag, contents) if not inside else ""
        node.children[0].text = node.text
        return node

    def _inside(self, node: Node, name: str, tag: int, place: int, stop: int, depth: int) -> list[Node]:
        if depth > DEPTH or self.nodes > NODES:
            return []
        if tag & 0x20:
            return self._elements(name, node.offset, place, stop, depth)
        structure = _STRUCTURES.get(name) if tag == 0x04 else None
        if structure is not None:
            try:
                tree = tree_of(name, structure, self.data[place:stop])
            except DecodeError:
                return []
            _shift(tree, place)
            return [tree]
        padding = 1 if tag == 0x03 and self.data[place : place + 1] == b"\0" else 0
        if tag not in (0x03, 0x04) or self.data[place + padding : place + padding + 1] not in (b"\x30", b"\x04"):
            return []
        # Extensions and RSA keys are DER inside an OCTET STRING or a BIT STRING; other contents fail here.
        before = self.nodes
        try:
            inner = self.element(_INSIDE.get(name, "value"), place + padding, stop, depth + 1)
        except DecodeError:
            self.nodes = before
            return []
        if inner.offset + inner.size != stop:
            return []
        unused = [Node("unused bits", place, self.data[place : place + 1], "", "0")] if padding else []
        return [*unused, inner]

    def _elements(self, name: str, start: int, place: int, stop: int, depth: int) -> list[Node]:
        shape, position = _SHAPES.get(name, Shape()), 0
        nodes: list[Node] = []
        explicit = self.data[start] & 0xC0 == 0x80
        while place < stop:
            if self.nodes > NODES:
                return [*nodes, Node("more", place, self.data[place:stop], "", "further elements, not explained")]
            tag = self.data[place]
            own = ""
            if tag & 0xC0 == 0x80:
                own = shape.tagged[tag & 0x1F] if tag & 0x1F < len(shape.tagged) else ""
            elif shape.names:
                own = shape.names[position] if position < len(shape.names) else ""
                position += 1
            # The element inside an EXPLICIT tag has the name of its field.
            inherited = name if explicit and not nodes else f"[{len(nodes)}]"
            node = self.element(own or inherited, place, stop, depth + 1)
            nodes.append(node)
            place = node.offset + node.size
        return nodes


def _words(name: str, tag: int, contents: bytes) -> str:
    """Returns the meaning of a primitive DER element with the field name `name`, or ""."""
    if tag == 0x01 and len(contents) == 1:
        return "true" if contents[0] else "false"
    if tag == 0x02 and contents:
        if len(contents) > 8:
            return byte_count(len(contents))
        number = int.from_bytes(contents, "big", signed=True)
        return f"0x{number:08x}, {handle_words(number)}" if name == "parent" and number > 0 else str(number)
    if tag == 0x06:
        try:
            oid = der.OBJECT_IDENTIFIER.read(contents)
        except DecodeError:
            return "not a valid OBJECT IDENTIFIER"
        return f"{oid}, {_OIDS[oid]}" if oid in _OIDS else str(oid)
    if tag in _STRINGS:
        text = contents[:200].decode("utf-8", "replace")
        return text if text.isprintable() else byte_count(len(contents))
    return byte_count(len(contents)) if contents else "empty"


def _shift(node: Node, base: int) -> None:
    """Adds `base` to the offsets of all nodes in a tree."""
    node.offset += base
    for child in node.children:
        _shift(child, base)
