"""Adds derived values to the trees of explained messages: decrypted values, keys, digests, validity of HMACs."""

import contextlib
from typing import Any

from ..errors import DecodeError
from ..record import Record
from ..spec.command import role_of
from ..spec.names import field_name
from .session_history import cipher_name
from .traced_session import TracedSession, Verdict
from .tree import Node
from .walk import Walk

__all__ = [
    "INVALID_HMAC",
    "UNKNOWN_KEY",
    "VALID_HMAC",
    "attach_digest",
    "attach_key",
    "attach_plain",
    "attach_verdict",
]

VALID_HMAC, INVALID_HMAC = "holds", "DOES NOT HOLD"
"""The results of the verification of an HMAC, in the meaning of its node."""

UNKNOWN_KEY = 'KDFa(authHash, salt, "ATH", nonceTPM, nonceCaller, bits); the salt is not known'
"""The text for a session key that cannot be computed: the key's formula."""


def attach_plain(
    tree: Node, kind: type[Record], offset: int, octets: bytes, session: TracedSession, fitting: int
) -> None:
    """Adds the decrypted value of the first parameter to the parameter's node, which is at `offset` in `tree`.

    `kind` is the class of the command or response. `octets` is the decrypted TPM2B, size field included. `fitting`
    is the number of candidate authValues that the decrypted parameters do not rule out; 0 if the authValue is
    certain.
    """
    sealed = next((node for node in _all(tree) if node.children and node.offset == offset), None)
    name, annotation = next((name, a) for name, a in kind.fields() if role_of(a) is None)
    walk = Walk(octets)
    error = ""
    try:
        with walk.area(len(octets)):
            walk.value(field_name(name), annotation, {}, secret=False, field=(kind, name))
    except DecodeError as fault:
        error = f"the decrypted value is not valid: {fault}; check the authValue"
    if sealed is None:
        return
    doubt = (
        ("", "; if the authValue is empty")[fitting]
        if fitting < 2
        else f"; if the right one of {fitting} authValues was used"
    )
    cipher = cipher_name(session.start.symmetric)
    for node in walk.nodes:
        node.text = f"{node.text} (plain; {cipher}{doubt})"
        for inside in _all(node):
            inside.offset += offset
        node.error = error
        sealed.beside.append(node)


def attach_key(tree: Node | None, session: TracedSession) -> None:
    """Adds the session key to the tree of the response that opens the session.

    If the key is unknown, or several keys are possible, adds the formula of the key.
    """
    if tree is None:
        return
    node = Node("sessionKey", len(tree.octets), type="", text="")
    node.spec, node.secret = "Part 1 §19.6.8", True
    if not session.keys:
        node.text = UNKNOWN_KEY
    elif len(session.keys) == 1:
        node.octets = session.keys[0].session_key.reveal()
        node.text = session.keys[0].formula
    else:
        node.text = f"{session.keys[0].formula}; {len(session.keys)} are possible: see its first valid HMAC"
        session.key_unknown = True
    tree.beside.append(node)


def attach_verdict(asked: Node, answered: Node | None, index: int, verdict: Verdict, wants: TracedSession) -> None:
    """Adds to the trees of command and response whether the HMACs of authorization `index` are valid.

    `asked` is the tree of the command, `answered` of the response. If a valid HMAC shows which of several session
    keys is the right one, adds the key too.
    """
    for tree, holds in ((asked, verdict.command), (answered, verdict.response)):
        node = None if tree is None else _hmac(tree, index + 1)
        if node is None:
            continue
        if verdict.command is False and verdict.response and tree is asked:
            said = "not valid, but the TPM accepted it: the recording is incomplete or was changed"
        elif holds is not None:
            said = f"{VALID_HMAC if holds else INVALID_HMAC} {verdict.reason}"
        else:
            said = verdict.reason.partition("; ")[2] or verdict.reason
        node.text = f"{node.text}; {said}"
    if verdict.key is not None and (verdict.command or verdict.response) and wants.key_unknown:
        proven = asked if verdict.command or answered is None else answered
        key = Node("sessionKey", len(proven.octets), verdict.key.session_key.reveal(), "", verdict.key.formula)
        key.spec, key.secret = "Part 1 §19.6.8", True
        proven.beside.append(key)
        wants.key_unknown = False


def attach_digest(tree: Node | None, digest: bytes | None, formula: str) -> None:
    """Adds policyDigest, as a policy command leaves it, to the tree of the command's response.

    `digest` is None if it is unknown. `formula` says how it is computed.
    """
    if tree is None or (digest is not None and not formula):
        return
    node = Node("policyDigest", len(tree.octets), digest or b"", "", formula)
    node.spec = "Part 3 §23.2"
    if digest is None:
        node.text = "unknown: not in this recording"
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
