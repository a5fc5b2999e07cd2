"""Determines whether the TPM or the program notices that a bit of a recorded message changed on the bus."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..secret import Secret
from .meanings import CLEARTEXT
from .recording import explain_stream
from .tree import Node

__all__ = ["Change", "who_notices"]


class Change(NamedTuple):
    """A bit of a message: the message's index in the recording, the byte's offset, and the bit from 0 to 7."""

    place: int
    offset: int
    bit: int = 0


def who_notices(
    exchanges: Sequence[tuple[bytes, bytes]], change: Change, salts: Sequence[Secret], auths: Sequence[Secret]
) -> list[str]:
    """Returns sentences that say what the changed bit means, and which side notices the change and how.

    `exchanges` are the commands and responses of the recording. `salts` and `auths` are those of
    `explain_recording`. Raises IndexError if the recording has no such byte.
    """
    number, answered = _locate(exchanges, change.place)
    command, response = exchanges[number]
    octets = bytearray(response if answered else command)
    octets[change.offset] ^= 1 << change.bit
    before = exchanges[:number]
    # The recorded response fits the recorded command only, so a changed command is judged without it.
    original = [command, response] if answered else [command, b""]
    changed = [command, bytes(octets)] if answered else [bytes(octets), b""]
    tree, after = (_last([*before, (pair[0], pair[1])], salts, auths) for pair in (original, changed))
    return [_describe(tree, after, change.offset), *_notice(tree, after, change.offset, answered=answered)]


def _locate(exchanges: Sequence[tuple[bytes, bytes]], place: int) -> tuple[int, bool]:
    """Returns the number of the exchange with the message `place`, and whether the message is the response."""
    for number, (command, response) in enumerate(exchanges):
        sizes = bool(command) + bool(response) or 1
        if place < sizes:
            return number, place == 1 or not command
        place -= sizes
    raise IndexError("the recording has no such message")


def _last(exchanges: Sequence[tuple[bytes, bytes]], salts: Sequence[Secret], auths: Sequence[Secret]) -> Node:
    *_, last = explain_stream(exchanges, salts, auths, knowledge=True)
    return last


def _name_field(tree: Node, offset: int) -> tuple[str, str]:
    """Returns the name and the meaning of the field that contains the byte at `offset`.

    The name of a size or of a buffer is that of the TPM2B.
    """
    field, name = tree, "?"
    while inside := [node for node in field.children if node.offset <= offset < node.offset + node.size]:
        outer, field = field, inside[0]
        of = f"{outer.name}." if outer is not tree else ""
        name = f"{of}{field.name}" if field.name in ("size", "count", "buffer", "encrypted") else field.name
    return name, field.text.partition(";")[0]


def _describe(before: Node, after: Node, offset: int) -> str:
    (name, text), (other, changed) = _name_field(before, offset), _name_field(after, offset)
    if name != other:
        return f"The bit is part of {name}. With the change, the rest of the message has another meaning."
    return (
        f"The bit is part of {name}." if text == changed else f"The bit changes {name} from {text} to {changed}."
    )


def _notice(before: Node, after: Node, offset: int, *, answered: bool) -> Iterator[str]:
    side = "The program" if answered else "The TPM"
    if after.error and not before.error:
        reason = after.error.partition(" (at byte")[0]
        yield f"{side} notices, because it cannot parse the message: {reason}."
        return
    checked, unchecked = _hmacs(before)
    valid, _ = _hmacs(after)
    if lost := checked - valid:
        yield f"{side} notices, because the HMAC of {_names(lost)} is not valid."
        if not answered:
            yield "The TPM responds with TPM_RC_AUTH_FAIL or TPM_RC_BAD_AUTH."
    elif unchecked:
        yield f"{side} notices if the HMAC of {_names(unchecked)} covers the byte. The HMAC's key is unknown here."
    elif _in_password(before, offset):
        yield "The TPM notices, because the password is wrong."
    elif checked:
        yield f"No HMAC covers this byte, but {side[0].lower()}{side[1:]} may refuse the message."
    else:
        yield (
            "Neither the TPM nor the program notices: no HMAC protects this message. "
            f"{side} uses the changed value."
        )


def _names(titles: set[str]) -> str:
    """Returns text that names sessions by the handles in their titles, such as "session 0x02000000"."""
    return " and ".join(sorted(f"session {title.partition(',')[0].split()[-1]}" for title in titles))


def _hmacs(tree: Node) -> tuple[set[str], set[str]]:
    """Returns the sessions whose HMAC in the message is valid, and those whose HMAC cannot be checked."""
    valid, unknown = set(), set()
    for known in tree.knowledge:
        for fact in known.facts:
            if fact.name == "hmac":
                if fact.text.startswith("valid"):
                    valid.add(known.title)
                elif not fact.wrong:
                    unknown.add(known.title)
    return valid, unknown


def _in_password(tree: Node, offset: int) -> bool:
    found = (
        field
        for node in tree.children
        for field in node.children
        if field.name == "hmac" and CLEARTEXT in field.text and field.offset <= offset < field.offset + field.size
    )
    return next(found, None) is not None
