"""Reads the public key of the target TPM, for which a secret is wrapped, from a file in any supported format."""

import json
from typing import Any, NamedTuple, Self
from urllib.parse import unquote

from tpmwire.crypto.formulas import name_of
from tpmwire.crypto.public_keys import Found, read_public_key
from tpmwire.errors import KeyFileError
from tpmwire.keys.keyfile import KeyFile
from tpmwire.policy import strict_json
from tpmwire.spec.constants import TPM_RH
from tpmwire.spec.structures import TPMT_PUBLIC
from tpmwire.use.parents import ENDORSEMENT, PARENTS, fitting, is_of, of_public

from ..terminal.files import read_small
from ..terminal.messages import UsageError, note
from .tpmcopy import to_tpmcopy_json

__all__ = ["OTHER", "Target", "format_key_file", "read_target"]

OTHER = "other"
"""The kind of a parent key that matches no template of `tpmwire.use.parents.PARENTS`."""

JSON_FORMS = (
    "`tpmwire export-public`, `aws ec2 get-instance-tpm-ek-pub` or "
    "`gcloud compute instances get-shielded-identity --format=json`"
)
"""Programs whose JSON is supported."""


class Target(NamedTuple):
    """A parent key in the TPM of another machine.

    `host` is the machine's name, for messages and file names. `kind` is one of `tpmwire.use.parents.PARENTS`.
    `parent` is the parent handle for key files: a hierarchy if the target creates the primary key when the key is
    used, else a persistent handle. `certificate` is the EK certificate in PEM, if any.
    """

    host: str
    kind: str
    parent: int
    public: "TPMT_PUBLIC"
    certificate: str | None = None

    def to_json(self) -> str:
        """Returns the target as one line of JSON. The line's Name is for information only."""
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
    def from_fields(cls, fields: dict[str, Any], where: str, kind: str | None = None) -> Self:
        """Parses the fields of a CSV row, or of JSON from `tpmwire export-public` or a cloud provider.

        The field `public` may have any format that `read_target` supports. For invalid fields, raises UsageError
        with the name `where`.
        """
        if "public" not in fields:
            target = _parse_cloud_json(fields, where, kind)
            return cls(str(fields.get("host") or target.host), *target[1:])
        try:
            parent = int(str(fields["parent"]), 0) if fields.get("parent") else None
        except ValueError:
            raise UsageError(
                f"{where}: invalid parent {fields['parent']!r}; give a handle, such as 0x81000001"
            ) from None
        kind = kind or (str(fields["kind"]) if fields.get("kind") and fields["kind"] != OTHER else None)
        _check_kind(kind, f"{where}: ")
        host, certificate = str(fields.get("host") or "target"), fields.get("certificate") or None
        if certificate is not None and not (isinstance(certificate, str) and certificate.isascii()):
            raise UsageError(f"{where}: the certificate is not in PEM; convert it with `openssl x509 -inform DER`")
        target = _parse_text(str(fields["public"]).encode(), where, kind)
        if fields.get("name") and str(fields["name"]).lower() != name_of(target.public).hex():
            raise UsageError(
                f"{where}: the Name does not match the public area: one was changed; export the key again"
            )
        # Earlier versions wrote the hierarchy of an endorsement key here; in a key file it means a different key.
        if parent is not None and not (target.parent in ENDORSEMENT and parent == TPM_RH.ENDORSEMENT):
            target = target._replace(parent=parent)
        if not target.parent:
            raise UsageError(
                f"{where}: the parent's handle is missing, and the public area does not identify it; add `parent`"
            )
        return cls(host, target.kind, target.parent, target.public, certificate or target.certificate)

    @classmethod
    def from_json(cls, text: str, where: str, kind: str | None = None) -> Self:
        """Parses JSON printed by `tpmwire export-public` or a cloud provider's CLI.

        Raises UsageError for any other JSON.
        """
        try:
            # Examples in the clouds' documentation have line ends inside strings.
            fields = strict_json.loads(text, lines=True)
        except ValueError as error:
            many = "; wrap for many hosts with `tpmwire wrap --fleet`" if "Extra data" in str(error) else ""
            raise UsageError(f"{where} is not valid JSON: {error}{many}") from error
        if isinstance(fields, list) and len(fields) == 1:
            (fields,) = fields
        if not isinstance(fields, dict):
            raise UsageError(f"{where}: expected a JSON object, as printed by {JSON_FORMS}")
        return cls.from_fields(fields, where, kind)


def format_key_file(file: "KeyFile", target: Target, format: str) -> str:
    """Returns the text of an importable key file for the target, in a format that --format accepts.

    Raises UsageError if the format does not support the target.
    """
    if format == "tpmcopy":
        return to_tpmcopy_json(file, target.host, target.kind, target.public)
    return file.to_pem()


def read_target(path: str, handle: int | None = None, kind: str | None = None) -> Target:
    """Reads a target's public key from a file in any supported format; prints a note if the kind is assumed.

    `handle` is the key's handle in the target TPM, if not the standard one. `kind` is the kind of the key, if the
    file does not state it. A key of unknown kind without `handle` gets the parent 0. Raises UsageError if the file
    cannot be read, has no public key, or does not match `kind`.
    """
    data = _decode_text(read_small(path))
    _check_kind(kind, "")
    if data.lstrip()[:1] in (b"{", b"["):
        target = Target.from_json(data.decode("utf-8", "replace"), path, kind)
    else:
        target = _parse_text(data, path, kind, tell=True)
    return target if handle is None else target._replace(parent=handle)


def _decode_text(data: bytes) -> bytes:
    """Returns text as UTF-8 without a byte order mark; converts UTF-16 that has one, as PowerShell writes it."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace").encode()
    return data.removeprefix(b"\xef\xbb\xbf")


def _check_kind(kind: str | None, before: str) -> None:
    if kind is not None and kind not in PARENTS:
        raise UsageError(f"{before}{kind!r} is not a kind of key; expected one of {', '.join(PARENTS)}")


def _parse_text(
    data: bytes, where: str, kind: str | None, likely: str | None = None, *, tell: bool = False
) -> Target:
    """Parses a public key in any supported format except JSON.

    `likely` is the kind that the key's source suggests. With `tell`, prints a note if the kind is assumed. For any
    other text, raises UsageError with the input name `where`.
    """
    try:
        found = read_public_key(data)
    except KeyFileError as error:
        raise UsageError(f"{where}: {error}, or JSON printed by {JSON_FORMS}") from error
    choices = _choices(found, where, kind)
    name = likely if likely in choices else next(iter(choices))
    if tell and found.certificate is None and len(choices) > 1:
        others = ", ".join(other for other in choices if other != name)
        note(f"tpmwire: note: {where} does not state the kind of key; assuming {name} (it can also be {others})")
    public, parent = choices[name], PARENTS[name].parent if name in PARENTS else 0
    return Target("target", name, parent, public, found.certificate)


def _choices(found: "Found", where: str, kind: str | None) -> "dict[str, TPMT_PUBLIC]":
    """Returns the kinds that the key can have, likeliest first, each with the public area of such a key.

    Raises UsageError if no kind matches, or if the given `kind` does not match.
    """
    if found.public is not None:
        kinds = of_public(found.public) if kind is None else [PARENTS[kind]]
        choices = {one.name: found.public for one in kinds if kind is None or is_of(found.public, one)}
        if not choices and kind is None:
            return {OTHER: found.public}
    else:
        assert found.key is not None  # one of the two always exists
        fits = fitting(found.key)
        if not fits:
            raise UsageError(
                f"{where}: the public key does not match any endorsement or storage key of the TCG's profiles"
            )
        choices = {name: public for name, public in fits.items() if kind in (None, name)}
        if kind is None and found.certificate is not None:
            choices = {name: public for name, public in choices.items() if name.startswith("ek-")} or choices
    if not choices:
        raise UsageError(f"{where}: this public key is not of kind {kind}; give its actual kind, or omit the kind")
    return choices


def _parse_cloud_json(fields: dict[str, Any], where: str, kind: str | None) -> Target:
    """Parses JSON printed by a cloud provider's CLI, which is recognized by its fields."""
    values = {name.lower().replace("_", "").replace("-", ""): value for name, value in fields.items()}
    host = str(values.get("instanceid") or "target")
    if isinstance(values.get("keyvalue"), str):
        # AWS: an RSA 2048 or a P-384 endorsement key, as TPMT_PUBLIC or in DER, in base64.
        found = _parse_text(values["keyvalue"].encode(), where, kind, "ek-rsa")
        return found._replace(host=host)
    entry = _find_google_key(values, kind)
    if entry is not None:
        texts = [str(entry[name]) for name in ("ekPub", "ekCert") if entry.get(name)]
        return _parse_text("\n".join(texts).encode(), where, kind, "ek-rsa")
    if isinstance(values.get("certificate"), str):
        # Intel's server of EK certificates: base64 for URLs, whose padding is quoted.
        return _parse_text(unquote(values["certificate"]).encode(), where, kind)
    if "parentname" in values or "TSS2 PRIVATE KEY" in str(fields.get("key")):
        raise UsageError(f"{where} is an already wrapped key; run `tpmwire import-key {where}` on the target")
    names = ", ".join(map(repr, list(fields)[:6])) or "none"
    raise UsageError(f"{where} is unrecognized JSON (fields: {names}); expected JSON printed by {JSON_FORMS}")


def _find_google_key(values: dict[str, Any], kind: str | None) -> dict[str, Any] | None:
    """Returns an endorsement key's entry in Google Cloud's JSON, or None if the JSON has no such key.

    Prefers the key of `kind`, then the P-256 key, since RSA is slower.
    """
    if "ekpub" in values or "ekcert" in values:
        return {"ekPub": values.get("ekpub"), "ekCert": values.get("ekcert")}
    entries = {"ek-ecc": values.get("eccp256encryptionkey"), "ek-rsa": values.get("encryptionkey")}
    usable = {name: entry for name, entry in entries.items() if isinstance(entry, dict) and any(entry.values())}
    return usable.get(kind or "", next(iter(usable.values()), None))
