"""The rules by which policy commands extend policyDigest (Part 3, §23.2).

A rule lists the fields that the TPM hashes, in order. The same rule computes the digest of a statement, and the
digest and its formula from a recorded command.
"""

import io
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from ..crypto.formulas import digest, digest_size, name_of
from ..errors import PolicyError
from ..record import Record
from ..spec.constants import TPM_ALG
from ..spec.structures import TPM2B_DIGEST
from ..wires import Counted, Sized, SizedRecord, wire_of

__all__ = ["DigestRule", "hashed_bytes"]

Part = str | tuple[str, ...]
"""A field, or several fields that are replaced by their hash."""


class DigestRule(NamedTuple):
    """The rule by which a command extends policyDigest: H(policyDigest || code || parts).

    With `then`, the result is extended once more: H(policyDigest || then). With `restarts`, the old policyDigest
    is first replaced by zeros. `names` maps each part that is an entity's Name to the command's field that has the
    entity's handle.
    """

    code: int
    parts: tuple[Part, ...] = ()
    then: str = ""
    restarts: bool = False
    names: Mapping[str, str] = MappingProxyType({})

    def extended(self, alg: TPM_ALG, before: bytes, value: Callable[[str], bytes]) -> bytes:
        """Returns policyDigest after the command; `before` is policyDigest before the command.

        `value` returns the bytes of the field with a name, as `hashed_bytes` does.
        """
        if self.restarts:
            before = bytes(digest_size(alg))
        parts = [value(part) if isinstance(part, str) else digest(alg, *map(value, part)) for part in self.parts]
        after = digest(alg, before, self.code.to_bytes(4, "big"), *parts)
        return digest(alg, after, value(self.then)) if self.then else after

    def formula(self, code_name: str, spelled: Callable[[str], str]) -> str:
        """Returns the rule as a formula in the standard's notation.

        `spelled` returns the standard's spelling of a field's name.
        """

        def shown(part: Part) -> str:
            if isinstance(part, tuple):
                return f"H({' || '.join(map(spelled, part))})"
            return f"Name of {spelled(self.names[part])}" if part in self.names else spelled(part)

        before = "zeros" if self.restarts else "policyDigest"
        inner = f"H({' || '.join([before, code_name, *map(shown, self.parts)])})"
        return f"H({inner} || {spelled(self.then)})" if self.then else inner


_DIGEST = wire_of(TPM2B_DIGEST)


def hashed_bytes(record: Record, name: str) -> bytes:
    """Returns a field's bytes as they are hashed into policyDigest.

    A size field is omitted. A public area is replaced by its Name. Numbers are encoded as in the command. Raises
    PolicyError for an empty TPM2B_DIGEST, because only the TPM then knows the digest.
    """
    value, wire = getattr(record, name), dict(type(record).wire().fields)[name]
    if wire is _DIGEST and not value:
        raise PolicyError(f"{type(record).__name__} has no {name}, so its policy digest is unknown; set {name}")
    match wire:
        case SizedRecord():
            return name_of(value)
        case Sized():
            return bytes(value)
        case Counted(element=Sized()):
            return b"".join(value)
    stream = io.BytesIO()
    wire._build(value, stream, {}, "")
    return stream.getvalue()
