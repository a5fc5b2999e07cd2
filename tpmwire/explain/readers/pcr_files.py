"""PCR values in the default format of tpm2_quote: C structures in memory layout.

The format is a TPML_PCR_SELECTION of 16 entries, a count, and as many TPML_DIGESTs of 8 entries each; numbers are
little-endian (tpm2-tools, lib/pcr.c, pcr_fwrite_serialized).
"""

from collections.abc import Iterator

from ...spec.constants import TPM_ALG
from ..reading import Reading
from ..tree import Node

__all__ = ["read_serialized_pcrs"]

SELECTIONS, ENTRY = 16, 8
"""Number of entries in TPML_PCR_SELECTION, and an entry's size: hash, sizeofSelect, pcrSelect, a padding byte."""
DIGESTS, DIGEST = 8, 66
"""Number of entries in TPML_DIGEST, and an entry's size in bytes: the size field and the longest digest."""
HEAD = 4 + SELECTIONS * ENTRY + 4
LIST = 4 + DIGESTS * DIGEST


def read_serialized_pcrs(data: bytes) -> Iterator[Reading]:
    """Yields the interpretation as PCR values in the default format of tpm2_quote."""
    lists = int.from_bytes(data[HEAD - 4 : HEAD], "little")
    if len(data) < HEAD or len(data) != HEAD + lists * LIST:
        return
    selections = int.from_bytes(data[:4], "little")
    if not 1 <= selections <= SELECTIONS:
        return
    root = Node("PCR values", 0, data, "", "")
    selected, names = _selections(data, selections)
    root.children = [selected, _number("count", data, HEAD - 4, f"{lists} lists of digests")]
    for index in range(lists):
        root.children.append(_digests(data, HEAD + index * LIST, names))
    total = sum(len(child.children) - 2 for child in root.children[2:])
    root.text = f"{total} values; tpm2_checkquote -f reads them"
    if total:
        yield Reading("a file of PCR values of tpm2_quote -o (serialized)", [root])


def _number(name: str, data: bytes, offset: int, text: str, size: int = 4) -> Node:
    return Node(name, offset, data[offset : offset + size], f"UINT{8 * size}, little-endian", text)


def _selections(data: bytes, count: int) -> tuple[Node, Iterator[str]]:
    """Returns (node of the PCR selections, iterator over the names of the selected PCRs)."""
    end = 4 + SELECTIONS * ENTRY
    banks = f"{count} bank{'s' * (count != 1)}"
    root = Node("pcrSelections", 0, data[:end], "TPML_PCR_SELECTION", banks)
    root.children = [_number("count", data, 0, banks)]
    names: list[str] = []
    for place in range(4, 4 + count * ENTRY, ENTRY):
        alg = TPM_ALG(int.from_bytes(data[place : place + 2], "little"))
        bits = int.from_bytes(data[place + 3 : place + 7], "little")
        pcrs = [bit for bit in range(8 * min(data[place + 2], 4)) if bits >> bit & 1]
        names += [f"{alg.name.lower()}:{pcr}" for pcr in pcrs]
        text = f"{alg.name.lower()}:{','.join(map(str, pcrs)) or 'none'}"
        root.children.append(
            Node(f"[{place // ENTRY}]", place, data[place : place + ENTRY], "TPMS_PCR_SELECTION", text)
        )
    unused = 4 + count * ENTRY
    if unused < end:
        root.children.append(Node("unused", unused, data[unused:end], "", f"{SELECTIONS - count} empty entries"))
    return root, iter(names)


def _digests(data: bytes, start: int, names: Iterator[str]) -> Node:
    count = min(int.from_bytes(data[start : start + 4], "little"), DIGESTS)
    digests = f"{count} digest{'s' * (count != 1)}"
    root = Node("pcrValues", start, data[start : start + LIST], "TPML_DIGEST", digests)
    root.children = [_number("count", data, start, digests)]
    for place in range(start + 4, start + 4 + count * DIGEST, DIGEST):
        size = min(int.from_bytes(data[place : place + 2], "little"), DIGEST - 2)
        digest = data[place + 2 : place + 2 + size]
        node = Node(next(names, "digest"), place, data[place : place + DIGEST], "TPM2B_DIGEST", digest.hex())
        root.children.append(node)
    unused = start + 4 + count * DIGEST
    if unused < start + LIST:
        text = f"{DIGESTS - count} empty entries"
        root.children.append(Node("unused", unused, data[unused : start + LIST], "", text))
    return root
