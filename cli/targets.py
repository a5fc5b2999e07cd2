"""Targets: the public key of a TPM that a secret is to be wrapped for, as `tpmwire export-public` hands it out."""

import json
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from .messages import UsageError

if TYPE_CHECKING:
    from tpmwire.spec.structures import TPMT_PUBLIC

__all__ = ["Target"]


class Target(NamedTuple):
    """A parent in another TPM.

    `host` is a name for people and files, `kind` one of `channel.WELL_KNOWN`, `parent` the handle that goes into
    the key file (a hierarchy for a primary that is made, or a persistent handle), `certificate` the EK
    certificate in PEM where there is one.
    """

    host: str
    kind: str
    parent: int
    public: "TPMT_PUBLIC"
    certificate: str | None = None

    def to_json(self) -> str:
        """One line of JSON; the Name is there for people."""
        from tpmwire.crypto import name_of

        public = self.public.build()
        return json.dumps(
            {
                "host": self.host,
                "kind": self.kind,
                "parent": f"0x{self.parent:08x}",
                "name": name_of(self.public).hex(),
                "public": (len(public).to_bytes(2, "big") + public).hex(),
                "certificate": self.certificate,
            }
        )

    @classmethod
    def from_fields(cls, fields: dict[str, Any], where: str) -> Self:
        """From JSON's or a CSV row's fields. Raises UsageError, which names `where`."""
        from tpmwire.channel import WELL_KNOWN
        from tpmwire.crypto import name_of
        from tpmwire.errors import WireError
        from tpmwire.spec.structures import TPMT_PUBLIC

        try:
            octets = bytes.fromhex(str(fields["public"]))
            public = TPMT_PUBLIC.parse(
                octets[2:] if int.from_bytes(octets[:2], "big") == len(octets) - 2 else octets
            )
            kind = str(fields.get("kind") or "h2")
            place = WELL_KNOWN[kind]
            parent = int(str(fields.get("parent") or int(place.hierarchy)), 0)
        except KeyError as error:
            raise UsageError(f"{where}: {error} is missing or not known") from error
        except (ValueError, WireError) as error:
            raise UsageError(f"{where}: {error}") from error
        if fields.get("name") and str(fields["name"]).lower() != name_of(public).hex():
            raise UsageError(f"{where}: the Name does not belong to the public area: one of them was changed")
        template = place.template()
        if public.replace(unique=template.unique) != template:
            raise UsageError(f"{where}: the public area is not of the kind {kind}")
        host = str(fields.get("host") or "target")
        return cls(host, kind, parent, public, fields.get("certificate") or None)

    @classmethod
    def from_json(cls, text: str, where: str) -> Self:
        """From what `to_json` wrote. Raises UsageError."""
        try:
            fields = json.loads(text)
        except ValueError as error:
            raise UsageError(f"{where} is not JSON as `tpmwire export-public` writes it: {error}") from error
        if not isinstance(fields, dict):
            raise UsageError(f"{where} is not JSON as `tpmwire export-public` writes it")
        return cls.from_fields(fields, where)
