"""Reads from a file the public area of a key to pin, or the Name of an object."""

from tpmwire.channel import WELL_KNOWN
from tpmwire.crypto.formulas import name_of
from tpmwire.crypto.public_keys import read_public_key
from tpmwire.crypto.spki import PublicKey, into_template
from tpmwire.errors import KeyFileError
from tpmwire.spec.structures import TPMT_PUBLIC

from ..terminal.files import read_small
from ..terminal.messages import UsageError

__all__ = ["name_in_file", "read_public_file"]


def read_public_file(path: str, pinned: bytes | None, where: int | str | None) -> TPMT_PUBLIC:
    """Returns the public area to pin from a file: a TPM public area, or a bare public key completed by a template.

    `pinned` is the expected Name, `where` the key's handle or kind, such as `h2`, each None if unknown. For a bare
    public key, they select the template of the TCG's endorsement and storage keys. Raises UsageError if the file
    contains no public key, or if the key matches no template or several templates.
    """
    try:
        found = read_public_key(read_small(path))
    except KeyFileError as error:
        raise UsageError(f"{path}: {error}") from error
    if found.public is not None:
        return found.public
    assert found.key is not None  # one of the two is there
    return _match_key(path, found.key, pinned, where)


def name_in_file(path: str, data: bytes) -> bytes:
    """Returns the Name of the public area in `data`, the content of the file at `path`.

    Raises UsageError if the file contains no public area.
    """
    try:
        found = read_public_key(data).public
    except KeyFileError as error:
        raise UsageError(f"{path}: {error}") from error
    if found is None:
        raise UsageError(
            f"{path} has a public key without a public area, so its Name is unknown; "
            "give the public area, as from `tpm2_readpublic -o`"
        )
    return name_of(found)


def _match_key(path: str, key: PublicKey, pinned: bytes | None, where: int | str | None) -> TPMT_PUBLIC:
    made = {name: into_template(key, place.template()) for name, place in WELL_KNOWN.items()}
    fitting = {name: public for name, public in made.items() if public is not None}
    if not fitting:
        raise UsageError(
            f"{path}: no template of the TCG's endorsement and storage keys has this type of key; "
            "give a file with the key's public area (TPM2B_PUBLIC)"
        )
    if pinned is not None:
        fitting = {name: public for name, public in fitting.items() if name_of(public) == pinned}
        if not fitting:
            raise UsageError(
                f"{path}: no standard template gives this public key the Name {pinned.hex()} of "
                "--tpm-session-encrypt-with-name; correct the Name, or give a file with the key's public area "
                "(TPM2B_PUBLIC)"
            )
    elif isinstance(where, str):
        fitting = {name: public for name, public in fitting.items() if name == where}
        if not fitting:
            raise UsageError(
                f"{path}: the public key does not match the template {where}; correct @{where}, or give another "
                "file"
            )
    if len(set(fitting.values())) > 1:
        raise UsageError(
            f"{path}: the public key matches several templates ({', '.join(fitting)}); give its Name with "
            "--tpm-session-encrypt-with-name NAME, or a file with its public area"
        )
    return next(iter(fitting.values()))
