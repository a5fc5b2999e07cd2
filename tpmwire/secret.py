"""A wrapper for secrets, so that no repr, traceback or log shows one by accident."""


class Secret:
    """The bytes of a password, a key or a salt. Only `reveal()` returns the bytes.

    >>> Secret(b"password")
    <secret>
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        if not isinstance(value, (bytes, bytearray, memoryview)):
            # The message omits the value, because tracebacks show it.
            raise TypeError(f"a secret must be bytes, not {type(value).__name__}; use e.g. Password(b'text')")
        self._value = bytes(value)

    def reveal(self) -> bytes:
        """Returns the bytes. Call it only where the bytes are used."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "<secret>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a secret cannot be pickled")


EMPTY_AUTH = Secret(b"")
