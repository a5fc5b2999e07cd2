"""A holder for secrets, so that no repr, traceback or log shows one by accident."""


class Secret:
    """The bytes of a password, a key or a salt. `reveal()` is the only way to them."""

    __slots__ = ("_octets",)

    def __init__(self, octets: bytes) -> None:
        if not isinstance(octets, (bytes, bytearray, memoryview)):
            # Without the value, which a traceback would show.
            raise TypeError(f"a secret is bytes, not {type(octets).__name__}: Password(b'text')")
        self._octets = bytes(octets)

    def reveal(self) -> bytes:
        """The bytes, for the place that uses them."""
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
        raise TypeError("a secret is not pickled")


EMPTY_AUTH = Secret(b"")
