"""Serializes the state of a soft TPM as JSON, for saved contexts and state files."""

import json
from dataclasses import fields
from typing import Any

from ..record import Record

__all__ = ["Freezer"]


class Freezer:
    """Writes and reads values of the given classes: dataclasses and TPM structures.

    Bytes are written as hex, TPM structures as their marshaled bytes. Class names are part of the JSON.
    """

    def __init__(self, *kinds: type) -> None:
        self._kinds = {kind.__name__: kind for kind in kinds}

    def dump(self, value: Any) -> bytes:
        """Returns the value as JSON. Raises TypeError for a value of an unknown class."""
        return json.dumps(self._to_plain(value), separators=(",", ":")).encode()

    def load(self, data: bytes) -> Any:
        """Returns the value that `dump` serialized. Raises ValueError or KeyError for invalid data."""
        return self._to_value(json.loads(data))

    def _to_plain(self, value: Any) -> Any:
        if value is None or isinstance(value, (bool, str, float)):
            return value
        if isinstance(value, int):
            return int(value)
        if isinstance(value, bytes):
            return {"hex": value.hex()}
        if isinstance(value, (set, frozenset)):
            return {"set": sorted(value)}
        if isinstance(value, (list, tuple)):
            return [self._to_plain(one) for one in value]
        if isinstance(value, dict):
            return {"map": [[self._to_plain(k), self._to_plain(v)] for k, v in value.items()]}
        name = type(value).__name__
        if name not in self._kinds:
            raise TypeError(f"{name} cannot be saved")
        if isinstance(value, Record):
            return {"record": name, "hex": value.build().hex()}
        return {
            "of": name,
            "with": {
                f.name: self._to_plain(getattr(value, f.name))
                for f in fields(value)
                if f.metadata.get("saved", True)
            },
        }

    def _to_value(self, plain: Any) -> Any:
        if isinstance(plain, list):
            return [self._to_value(one) for one in plain]
        if not isinstance(plain, dict):
            return plain
        if "map" in plain:
            return {self._to_value(k): self._to_value(v) for k, v in plain["map"]}
        if "set" in plain:
            return set(plain["set"])
        if "record" in plain:
            record: Any = self._kinds[plain["record"]]
            return record.parse(bytes.fromhex(plain["hex"]))
        if "of" not in plain:
            return bytes.fromhex(plain["hex"])
        kind: Any = self._kinds[plain["of"]]
        made: Any = object.__new__(kind)
        for name, value in plain["with"].items():
            setattr(made, name, self._to_value(value))
        return made
