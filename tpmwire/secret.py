"""A holder for secrets, so that no repr, traceback or log shows one by accident."""


class Secret:
    """Octets that are a password, a key or a salt. `reveal()` is the only way in."""

    __slots__ = ("_octets",)

    def __init__(self, octets: bytes) -> None:
        self._octets = bytes(octets)

    def reveal(self) -> bytes:
        """The octets, for the place that uses them."""
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
