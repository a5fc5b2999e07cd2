"""Writes results to files, in the formats of tpm2-tools."""

from typing import Any

from tpmwire.keys.bridges import to_der, to_pem
from tpmwire.keys.context_file import build_context_file
from tpmwire.keys.tools_files import MAGIC, CredentialFile, EncryptedCredential
from tpmwire.record import Record
from tpmwire.spec.commands.context import ContextSave
from tpmwire.spec.names import field_name, type_name
from tpmwire.spec.structures import TPM2B_PUBLIC, TPMT_PUBLIC
from tpmwire.wires import wire_of

from ...terminal.messages import UsageError
from .numbers import plain
from .positions import Plan
from .sources import WITH_SIZE
from .values import Outcome

__all__ = ["annotation_of", "file_content", "value_content", "write"]


def write(script: Any, outcome: Outcome, plan: Plan) -> None:
    """Writes the values of a result to the files that the command names.

    Raises UsageError for a value that has no file format, and UsageError or OSError if writing fails.
    """
    for name, path in plan.outputs.items():
        script.files.write(path, file_content(script, outcome, name, path))


def file_content(script: Any, outcome: Outcome, name: str, path: str) -> bytes:
    """Returns the content of a file with a value, as tpm2-tools writes it.

    A public area is a TPM2B_PUBLIC, or PEM or DER if the file's name ends so. `context` is the saved context of
    the object, `credentialFile` both parts of a credential. Raises UsageError for a value that is not bytes.
    """
    if name == "context" and outcome.has_handle:
        return _context(script, outcome)
    if name == "credentialFile":
        blob = EncryptedCredential.parse(outcome.get("credentialBlob"))
        return CredentialFile(MAGIC, 1, blob, outcome.get("secret")).build()
    try:
        value = outcome.get(name)
    except KeyError:
        raise UsageError(f"{name}=@{path}: the response has no {name}") from None
    return value_content(value, annotation_of(outcome, name), f"{name}=@{path}")


def value_content(value: Any, annotation: Any, where: str) -> bytes:
    """Returns the content of a file with `value`, whose type is `annotation`, or None if it is not known."""
    if isinstance(value, TPMT_PUBLIC):
        if where.endswith(".pem"):
            return to_pem(value).encode()
        return to_der(value) if where.endswith(".der") else TPM2B_PUBLIC.build(value)
    if isinstance(value, Record):
        return value.build()
    if isinstance(value, bytes):
        sized = annotation is not None and type_name(annotation) in WITH_SIZE
        return (len(value).to_bytes(2, "big") if sized else b"") + value
    if annotation is not None:
        built: bytes = wire_of(annotation).build(value)
        return built
    raise UsageError(f"{where}: the value is not bytes")


def annotation_of(outcome: Outcome, name: str) -> Any:
    """Returns the type of a field of the response, or None."""
    fields = type(outcome.command).Response.fields()
    return next((found for field, found in fields if plain(field_name(field)) == plain(name)), None)


def _context(script: Any, outcome: Outcome) -> bytes:
    """Saves the context of an object; the object stays loaded."""
    if not isinstance(outcome.public, TPMT_PUBLIC):
        raise UsageError("context=@FILE: only the contexts of objects can be saved")
    with script.unreported():
        context = script.tpm.execute(ContextSave(outcome.handle)).context
    return build_context_file(context, script.name_of(outcome.handle), outcome.public)
