"""Targets: the public key of a TPM that a secret is to be wrapped for, as `tpmwire export-public` hands it out."""

import json
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from .messages import UsageError

if TYPE_CHECKING:
    from tpmwire.spec.structures import TPMT_PUBLIC

__all__ = ["OTHER", "Target", "read_target"]

OTHER = "other"
"""The kind of a parent that is none of `channel.WELL_KNOWN`."""


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
            # Of a storage root key made from no well-known template only the handle tells where it is.
            place = None if kind == OTHER and fields.get("parent") else WELL_KNOWN[kind]
            parent = int(str(fields.get("parent") or (place and int(place.hierarchy))), 0)
        except KeyError as error:
            raise UsageError(f"{where}: {error} is missing or not known") from error
        except (ValueError, WireError) as error:
            raise UsageError(f"{where}: {error}") from error
        if fields.get("name") and str(fields["name"]).lower() != name_of(public).hex():
            raise UsageError(f"{where}: the Name does not belong to the public area: one of them was changed")
        template = place.template() if place else public
        if public.replace(unique=template.unique) != template:
            raise UsageError(f"{where}: the public area is not of the kind {kind}")
        host, certificate = str(fields.get("host") or "target"), fields.get("certificate") or None
        if certificate is not None and not (isinstance(certificate, str) and certificate.isascii()):
            raise UsageError(f"{where}: the certificate is no PEM text")
        return cls(host, kind, parent, public, certificate)

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


def read_target(path: str, handle: int | None = None) -> Target:
    """The target in a file: as `tpmwire export-public` wrote it, or a public area as tpm2-tools write it.

    `handle` is where the target has the key, if not in the usual way; a key of no well-known kind has the parent 0
    without it. Raises UsageError.
    """
    from .files import read_small

    data = read_small(path)
    if data.lstrip()[:1] == b"{":
        target = Target.from_json(data.decode("utf-8", "replace"), path)
    else:
        target = _of_public_area(data, path)
    return target if handle is None else target._replace(parent=handle)


def _of_public_area(data: bytes, path: str) -> Target:
    from tpmwire.channel import WELL_KNOWN
    from tpmwire.errors import WireError
    from tpmwire.spec.structures import TPMT_PUBLIC

    try:
        public = TPMT_PUBLIC.parse(data[2:] if int.from_bytes(data[:2], "big") == len(data) - 2 else data)
    except WireError as error:
        raise UsageError(
            f"{path} is neither what `tpmwire export-public` prints nor a public area (TPM2B_PUBLIC): {error}"
        ) from error
    for kind, place in WELL_KNOWN.items():
        template = place.template()
        # A storage root key and H-2 differ in where they are made only, which a public area does not tell.
        if kind.startswith("ek-") and public.replace(unique=template.unique) == template:
            return Target("target", kind, int(place.hierarchy), public)
    return Target("target", OTHER, 0, public)
