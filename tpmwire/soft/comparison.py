"""Compares operands for TPM2_PolicyNV and TPM2_PolicyCounterTimer (Part 2, §6.12; Part 3, §23.9)."""

from collections.abc import Callable

from ..spec.properties import TPM_EO

__all__ = ["holds"]


def _signed(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


_OPERATIONS: dict[int, Callable[[bytes, bytes], bool]] = {
    TPM_EO.EQ: lambda a, b: a == b,
    TPM_EO.NEQ: lambda a, b: a != b,
    TPM_EO.SIGNED_GT: lambda a, b: _signed(a) > _signed(b),
    TPM_EO.UNSIGNED_GT: lambda a, b: a > b,
    TPM_EO.SIGNED_LT: lambda a, b: _signed(a) < _signed(b),
    TPM_EO.UNSIGNED_LT: lambda a, b: a < b,
    TPM_EO.SIGNED_GE: lambda a, b: _signed(a) >= _signed(b),
    TPM_EO.UNSIGNED_GE: lambda a, b: a >= b,
    TPM_EO.SIGNED_LE: lambda a, b: _signed(a) <= _signed(b),
    TPM_EO.UNSIGNED_LE: lambda a, b: a <= b,
    TPM_EO.BITSET: lambda a, b: all(x & y == y for x, y in zip(a, b, strict=True)),
    TPM_EO.BITCLEAR: lambda a, b: not any(x & y for x, y in zip(a, b, strict=True)),
}


def holds(value: bytes, operand: bytes, operation: int) -> bool:
    """Returns whether `value` and `operand` satisfy the comparison `operation` (TPM_EO). They have equal sizes."""
    return _OPERATIONS[operation](value, operand)
