"""What is known beside the octets, hung into their trees: plain values, keys, digests, and which HMACs hold."""

import contextlib
from typing import Any

from ..errors import DecodeError
from ..record import Record
from ..spec.command import role_of
from .follow import Followed, Verdict
from .life import cipher_name
from .names import field_name
from .tree import Node
from .walk import Walk

__all__ = ["attach_digest", "attach_key", "attach_plain", "attach_verdict"]


def attach_plain(
    tree: Node, kind: type[Record], offset: int, octets: bytes, session: Followed, fitting: int
) -> None:
    """The first parameter's plain value, size in front, beside the encrypted one at `offset`.

    `fitting` is the number of authValues that may be the right one and no HMAC tells; 0 where there is no doubt.
    """
    sealed = next((node for node in _all(tree) if node.children and node.offset == offset), None)
    name, annotation = next((name, a) for name, a in kind.fields() if role_of(a) is None)
    walk = Walk(octets)
    error = ""
    try:
        with walk.area(len(octets)):
            walk.value(field_name(name), annotation, {}, secret=False, field=(kind, name))
    except DecodeError as fault:
        error = f"the plain value does not parse: {fault}; was it opened with the right authValue?"
    if sealed is None:
        return
    doubt = (
        ("", "; if the authValue is empty")[fitting]
        if fitting < 2
        else f"; if by the right authValue of {fitting}"
    )
    cipher = cipher_name(session.start.symmetric)
    for node in walk.nodes:
        node.text = f"{node.text} (plain; {cipher}{doubt})"
        for inside in _all(node):
            inside.offset += offset
        node.error = error
        sealed.beside.append(node)


def attach_key(tree: Node | None, session: Followed) -> None:
    """The session's key, at the response that opens it; where several are possible, only how it comes about."""
    if tree is None:
        return
    node = Node("sessionKey", len(tree.octets), type="", text="")
    node.spec, node.secret = "Part 1 §19.6.8", True
    if not session.keys:
        node.text = 'KDFa(authHash, salt, "ATH", nonceTPM, nonceCaller, bits); the salt is not given (--salt)'
    elif len(session.keys) == 1:
        node.octets = session.keys[0].session_key.reveal()
        node.text = session.keys[0].formula
    else:
        node.text = f"{session.keys[0].formula}; {len(session.keys)} are possible with what is given"
        # Which one it is a later HMAC tells; the session fills the node in then.
        session.key_node = node
    tree.beside.append(node)


def attach_verdict(asked: Node, answered: Node | None, index: int, verdict: Verdict, wants: Followed) -> None:
    """Whether the HMACs of an authorization hold."""
    for tree, holds in ((asked, verdict.command), (answered, verdict.response)):
        node = None if tree is None else _hmac(tree, index + 1)
        if node is None:
            continue
        if verdict.command is False and verdict.response and tree is asked:
            said = "does not fit, though the TPM took it: messages before it are missing, or it was changed since"
        elif holds is not None:
            said = f"{'holds' if holds else 'DOES NOT HOLD'} {verdict.reason}"
        else:
            said = verdict.reason.partition("; ")[2] or verdict.reason
        node.text = f"{node.text}; {said}"
    if verdict.key is not None and (verdict.command or verdict.response) and wants.key_node is not None:
        wants.key_node.octets = verdict.key.session_key.reveal()
        wants.key_node.text = verdict.key.formula
        wants.key_node = None


def attach_digest(tree: Node | None, digest: bytes | None, formula: str) -> None:
    """policyDigest after a step, at the response to it."""
    if tree is None or (digest is not None and not formula):
        return
    node = Node("policyDigest", len(tree.octets), digest or b"", "", formula)
    node.spec = "Part 3 §23.2"
    if digest is None:
        node.text = "not to be known from this recording"
    tree.beside.append(node)


def _hmac(tree: Node, number: int) -> Node | None:
    with contextlib.suppress(StopIteration):
        authorization = next(node for node in tree.children if node.name == f"authorization {number}")
        return next(node for node in authorization.children if node.name == "hmac")
    return None


def _all(node: Node) -> Any:
    yield node
    for child in node.children:
        yield from _all(child)
