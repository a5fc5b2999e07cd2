"""Reports the internal steps of a soft TPM to an observer function, for learners and for debugging.

Secrets are shown as their size, such as [32 bytes], unless the observer asks for secrets.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

from ..crypto import formulas
from ..record import Record, Struct, is_secret
from ..spec.constants import TPM_ALG, TPM_CC, TPM_RH
from ..wires import SizedRecord, wire_of

__all__ = [
    "Report",
    "derive",
    "has_secrets",
    "hidden",
    "is_observed",
    "joined",
    "note",
    "observed_by",
    "plain_or_hidden",
    "show_code",
    "show_handle",
]

Report = Callable[[str, str], None]
"""A function that gets the name of an internal step, and its details."""

_report: ContextVar[Report | None] = ContextVar("report", default=None)
_secrets: ContextVar[bool] = ContextVar("secrets", default=False)


@contextmanager
def observed_by(report: Report | None, secrets: bool) -> Iterator[None]:
    """Context manager in which `note` calls `report`. `secrets` is true if secrets are shown in hex."""
    before = _report.set(report), _secrets.set(secrets)
    try:
        yield
    finally:
        _report.reset(before[0])
        _secrets.reset(before[1])


def is_observed() -> bool:
    """Returns whether an observer gets the internal steps of the current command."""
    return _report.get() is not None


def note(step: str, detail: str) -> None:
    """Reports an internal step to the observer, if there is one."""
    report = _report.get()
    if report is not None:
        report(step, detail)


def hidden(secret: bytes) -> str:
    """Returns the size of a secret, such as [32 bytes], or the secret in hex if the observer asks for secrets."""
    if _secrets.get():
        return secret.hex() or "empty"
    return f"[{len(secret)} bytes]"


def plain_or_hidden(data: bytes, *, secret: bool) -> str:
    """Returns data in hex, or as `hidden` does if it contains a secret."""
    return hidden(data) if secret else data.hex() or "empty"


@cache
def has_secrets(kind: type[Record]) -> bool:
    """Returns whether a structure, or the parameters of a command or response, can contain a secret."""
    for _, annotation in kind.fields():
        wire = wire_of(annotation)
        inner = wire.inner if isinstance(wire, SizedRecord) else wire
        if is_secret(annotation) or (isinstance(inner, Struct) and has_secrets(inner.record)):
            return True
    return False


def show_handle(handle: int) -> str:
    """Returns a handle in hex, with the name of a hierarchy."""
    known = TPM_RH(handle)
    return f"0x{handle:08x} ({known.name.lower()})" if known.known else f"0x{handle:08x}"


def show_code(code: int) -> str:
    """Returns a command code in hex, with the name of the command."""
    return f"{code:08x} ({TPM_CC(code).name})"


def joined(parts: Iterable[bytes]) -> str:
    """Returns non-empty byte strings in hex, joined by ||."""
    return " || ".join(part.hex() for part in parts if part) or "empty"


def derive(
    step: str, source: str, alg: int, key: bytes, label: bytes, party_u: bytes, party_v: bytes, bits: int
) -> bytes:
    """Returns `bits` bits that KDFa derives from `key`, and reports the step.

    `source` says where the key comes from, such as "seedValue of 0x80000000".
    """
    derived = formulas.kdfa(alg, key, label, party_u, party_v, bits)
    if is_observed():
        parties = f"contextU {joined([party_u])}, contextV {joined([party_v])}"
        inputs = f"{source} {hidden(key)}, label {label.decode()!r}, {parties}, {bits} bits"
        note(step, f"KDFa({TPM_ALG(alg).name}, {inputs}) = {hidden(derived)}")
    return derived
