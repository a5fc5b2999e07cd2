"""A wrapper for secrets, so that no repr, traceback or log shows one by accident."""


class Secret:
    """The bytes of a password, a key or a salt. Only `reveal()` returns them."""

    __slots__ = ("_octets",)

    def __init__(self, octets: bytes) -> None:
        if not isinstance(octets, (bytes, bytearray, memoryview)):
            # The message omits the value, because tracebacks show it.
            raise TypeError(f"a secret must be bytes, not {type(octets).__name__}: use e.g. Password(b'text')")
        self._octets = bytes(octets)

    def reveal(self) -> bytes:
        """Returns the bytes. Call it only where they are used."""
        return self._octets

    def __bool__(self) -> bool:
        return bool(self._octets)

    def __repr__(self) -> str:
        return "<secret>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._octets == other._octets

    def __hash__(self) -> int:
        return hash(self._octets)

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a secret cannot be pickled")


EMPTY_AUTH = Secret(b"")
