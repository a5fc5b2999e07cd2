"""Parses Names and public areas that the user pins."""

from tpmwire.channel import WELL_KNOWN, Pin
from tpmwire.crypto.formulas import digest_size, name_of
from tpmwire.errors import EncodeError, KeyFileError
from tpmwire.keys.public_keys import read_public_key
from tpmwire.keys.spki import PublicKey, into_template
from tpmwire.spec.structures import TPMT_PUBLIC

from ..terminal.files import read_small
from ..terminal.messages import UsageError

__all__ = ["hex_name", "pin_from"]


def hex_name(option: str, text: str) -> bytes:
    """Parses a Name in hex: a hash algorithm and its digest (TPM 2.0 Part 1, §16). Raises UsageError."""
    try:
        name = bytes.fromhex(text.removeprefix("0x"))
        fits = len(name) == 2 + digest_size(int.from_bytes(name[:2], "big"))
    except (ValueError, EncodeError):
        fits = False
    if not fits:
        raise UsageError(
            f"{option} {text!r} is not a valid Name; expected e.g. 000b followed by 64 hex digits "
            "(run `tpmwire name`)"
        )
    return name


def pin_from(name: str | None, public_file: str | None) -> "Pin | None":
    """Returns the salt key that the user pins by Name, by public key file, or by both. Raises UsageError."""
    if not name and not public_file:
        return None

    text, _, place = (name or "").partition("@")
    pinned = hex_name("--tpm-session-encrypt-with-name", text) if name else None
    where = _where(place) if place else None
    if not public_file:
        assert pinned is not None
        return Pin(pinned, None, where)

    public = _public(public_file, pinned, where)
    computed = name_of(public)
    if pinned is not None and pinned != computed:
        raise UsageError(f"{public_file} has the Name {computed.hex()}, which is not the pinned Name")
    return Pin(computed, public, where)


def _where(text: str) -> int | str:
    if text in WELL_KNOWN:
        return text
    try:
        return int(text, 0)
    except ValueError:
        raise UsageError(f"@{text} is not valid; expected a handle or one of {', '.join(WELL_KNOWN)}") from None


def _public(path: str, pinned: bytes | None, where: int | str | None) -> "TPMT_PUBLIC":
    """Reads a public area from a file, or builds one from a bare public key and the template that fits the pin."""
    try:
        found = read_public_key(read_small(path))
    except KeyFileError as error:
        raise UsageError(f"{path}: {error}") from error
    if found.public is not None:
        return found.public
    assert found.key is not None  # one of the two is there
    return _of_key(path, found.key, pinned, where)


def _of_key(path: str, key: "PublicKey", pinned: bytes | None, where: int | str | None) -> "TPMT_PUBLIC":
    made = {name: into_template(key, place.template()) for name, place in WELL_KNOWN.items()}
    fitting = {name: public for name, public in made.items() if public is not None}
    if pinned is not None:
        fitting = {name: public for name, public in fitting.items() if name_of(public) == pinned}
    elif isinstance(where, str):
        fitting = {name: public for name, public in fitting.items() if name == where}
    if not fitting:
        raise UsageError(
            f"{path}: the public key does not match any endorsement or storage key of the TCG's profiles"
        )
    if len(set(fitting.values())) > 1:
        raise UsageError(
            f"{path}: this public key can be that of {' or '.join(fitting)}; state its Name with "
            "--tpm-session-encrypt-with-name NAME, or give the public area instead"
        )
    return next(iter(fitting.values()))
