"""Builds the command of a plan: loose values and messages placed, and defaults for what is missing."""

from collections.abc import Mapping
from typing import Any

from tpmwire.crypto.formulas import digest
from tpmwire.errors import EncodeError, TpmwireError
from tpmwire.keys.keyfile import LOADABLE, KeyFile, parse
from tpmwire.keys.private_areas import private_areas
from tpmwire.keys.wrapping import duplicate
from tpmwire.record import Record
from tpmwire.spec.constants import TPM_ALG, TPM_CC
from tpmwire.spec.names import field_name
from tpmwire.wires import wire_of

from ...terminal.messages import UsageError
from .defaults import CommandDefaults
from .positions import PSEUDO, Plan, place_loose
from .reader import Reader
from .scope import ScriptScope
from .sources import parse_bytes, parse_credential
from .values import UNKNOWN, Outcome

__all__ = ["build_planned", "read_message"]


def build_planned(plan: Plan, scope: ScriptScope, fixed: Mapping[str, Any] | None = None) -> Any:
    """Returns the command of a plan, with the defaults of missing fields.

    `fixed` contains handles by the Python names of their fields. Raises UsageError for an invalid field.
    """
    values, message = place_loose(plan, scope)
    for name, value in (fixed or {}).items():
        values[field_name(name)] = int(value)
    if message is not None:
        _expand(plan, values, message, scope)
    command = Reader(scope).command(plan.kind, values)
    try:
        if UNKNOWN not in vars(command).values():
            command.build()
    except EncodeError as error:
        raise UsageError(f"{plan.label}: {error}") from error
    return command


def read_message(scope: ScriptScope, text: str, where: str) -> Any:
    """Returns the bytes that `text` states: $VALUE, @FILE, text:WORDS or hex.

    Raises UsageError if `text` is none of these, or its value is not bytes.
    """
    if not text.startswith("$"):
        return parse_bytes(scope.files, text, where)
    found = scope.values.find(text, where)
    if isinstance(found, Outcome):  # of a result with one value, such as TPM2_PolicyGetDigest
        found = found.only_bytes()
    data = found.build() if isinstance(found, Record) else found
    if data is not UNKNOWN and not isinstance(data, bytes):
        raise UsageError(f"{where}: {text} is not bytes")
    return data


def _expand(plan: Plan, values: dict[str, Any], message: str, scope: ScriptScope) -> None:
    """Sets the fields that other words stand for: the digest of a message, the parts of a credential."""
    if (plan.kind.code.name, "message") in PSEUDO:
        data = read_message(scope, message, f"{plan.label}.message")
        if data is UNKNOWN:
            values["digest"] = "00" * 32
            return
        values["digest"] = "hex:" + digest(_hash_for(plan, values, scope), data).hex()
        return
    if plan.kind.code == TPM_CC.Load:
        file = _read_key_file(message, scope)
        values["inPublic"], values["inPrivate"] = "hex:" + file.public.build().hex(), "hex:" + file.private.hex()
        return
    if (plan.kind.code.name, "keyFile") in PSEUDO:
        _wrap_key(plan, values, message, scope)
        return
    where = f"{plan.label}.credentialFile"
    blob, secret = parse_credential(parse_bytes(scope.files, str(message), where), where)
    values["credentialBlob"], values["secret"] = "hex:" + blob.hex(), "hex:" + secret.hex()


def _read_key_file(text: str, scope: ScriptScope) -> KeyFile:
    where = "TPM2_Load.keyFile"
    try:
        file = parse(parse_bytes(scope.files, text, where))
    except TpmwireError as error:
        raise UsageError(f"{where}: {text.removeprefix('@')} is not a valid key file: {error}") from error
    if file.type != LOADABLE:
        raise UsageError(f"{where}: expected a loadable key; `tpmwire import-key` loads a wrapped key")
    return file


def _wrap_key(plan: Plan, values: dict[str, Any], text: str, scope: ScriptScope) -> None:
    """Sets the fields of TPM2_Import to a private key in PEM or DER, encrypted to the parent."""
    where = f"{plan.label}.keyFile"
    try:
        public, sensitive = private_areas(_load_private_key(parse_bytes(scope.files, text, where)))
    except (ValueError, TypeError, EncodeError) as error:
        raise UsageError(f"{where}: expected an unencrypted private key in PEM or DER: {error}") from None
    given = values.get("parentHandle", CommandDefaults(plan.kind, scope, values).of("parent_handle", {}))
    wire = wire_of(dict(plan.kind.fields())["parent_handle"])
    handle = given if isinstance(given, int) else Reader(scope).value(wire, given, f"{plan.label}.parentHandle")
    parent = None if scope.dry else scope.public_of(handle)
    if parent is None and not scope.dry:
        raise UsageError(f"{where}: the TPM has no parent at 0x{handle:08x}; give the handle of a storage key")
    values["objectPublic"] = "hex:" + public.build().hex()
    wrapped = None if parent is None else duplicate(public, sensitive, parent)
    values["duplicate"] = "hex:" + (b"" if wrapped is None else wrapped.private).hex()
    values["inSymSeed"] = "hex:" + (b"" if wrapped is None else wrapped.seed).hex()
    values.setdefault("encryptionKey", "")


def _load_private_key(data: bytes) -> Any:
    """Returns the private key in PEM or DER. Raises ValueError or TypeError if it is invalid or encrypted."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - only this field needs the package

    if b"-----BEGIN" in data:
        return serialization.load_pem_private_key(data, None)
    return serialization.load_der_private_key(data, None)


def _hash_for(plan: Plan, values: dict[str, Any], scope: ScriptScope) -> TPM_ALG:
    """Returns the hash of a message to sign or verify: the scheme's, the key's, or SHA-256."""
    reader, defaults = Reader(scope), CommandDefaults(plan.kind, scope, values)
    found: dict[str, Any] = {}
    annotations = dict(plan.kind.fields())
    for name in ("keyHandle", "inScheme", "signature"):
        field = {"keyHandle": "key_handle", "inScheme": "in_scheme"}.get(name, name)
        if field not in annotations:
            continue
        given = values.get(name, defaults.of(field, found))
        if isinstance(given, Record | int):
            found[field] = given
        elif given is not None and given is not UNKNOWN:
            found[field] = reader.value(wire_of(annotations[field]), given, f"{plan.label}.{name}", found)
    public = scope.public_of(found.get("key_handle", 0))
    own = getattr(getattr(public, "parameters", None), "scheme", None)
    for record in (found.get("in_scheme"), found.get("signature"), own):
        details = getattr(record, "details", None) or getattr(record, "signature", None)
        alg = getattr(details, "hash_alg", None) or getattr(details, "hash", None)
        if alg is not None:
            return TPM_ALG(alg)
    return TPM_ALG.SHA256
