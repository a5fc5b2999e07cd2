"""Names and public areas that the user pins."""

from typing import TYPE_CHECKING

from .messages import UsageError

if TYPE_CHECKING:
    from tpmwire.channel import Pin
    from tpmwire.spec.structures import TPMT_PUBLIC

__all__ = ["hex_name", "pin_from"]


def hex_name(option: str, text: str) -> bytes:
    """A Name in hex: a hash algorithm and its digest (TPM 2.0 Part 1, §16). Raises UsageError."""
    from tpmwire.crypto import digest_size
    from tpmwire.errors import EncodeError

    try:
        name = bytes.fromhex(text.removeprefix("0x"))
        fits = len(name) == 2 + digest_size(int.from_bytes(name[:2], "big"))
    except (ValueError, EncodeError):
        fits = False
    if not fits:
        raise UsageError(f"{option} {text!r} is no Name; it looks like 000b and 64 hex digits (`tpmwire name`)")
    return name


def pin_from(name: str | None, public_file: str | None) -> "Pin | None":
    """The salt key that --tpm-session-encrypt-with-name or -public pins. Raises UsageError."""
    if not name and not public_file:
        return None
    from tpmwire.channel import Pin

    text, _, place = (name or "").partition("@")
    pinned = hex_name("--tpm-session-encrypt-with-name", text) if name else None
    where = _where(place) if place else None
    if not public_file:
        assert pinned is not None
        return Pin(pinned, None, where)
    from tpmwire.crypto import name_of

    public = _public(public_file, pinned, where)
    computed = name_of(public)
    if pinned is not None and pinned != computed:
        raise UsageError(f"{public_file} has the Name {computed.hex()}, not the one that is pinned beside it")
    return Pin(computed, public, where)


def _where(text: str) -> int | str:
    from tpmwire.channel import WELL_KNOWN

    if text in WELL_KNOWN:
        return text
    try:
        return int(text, 0)
    except ValueError:
        raise UsageError(f"@{text} is neither a handle nor one of {', '.join(WELL_KNOWN)}") from None


def _public(path: str, pinned: bytes | None, where: int | str | None) -> "TPMT_PUBLIC":
    """A public area as the TPM has it, or one made of a PEM key and the template that gives its Name."""
    from tpmwire.errors import WireError
    from tpmwire.spec.structures import TPMT_PUBLIC

    from .files import read_small

    data = read_small(path)
    if data[:1] in (b"-", b"0"):
        return _from_pem(path, data, pinned, where)
    if len(data) > 2 and int.from_bytes(data[:2], "big") == len(data) - 2:
        data = data[2:]
    try:
        return TPMT_PUBLIC.parse(data)
    except WireError as error:
        raise UsageError(f"{path} holds no public area (TPM2B_PUBLIC or TPMT_PUBLIC): {error}") from error


def _from_pem(path: str, data: bytes, pinned: bytes | None, where: int | str | None) -> "TPMT_PUBLIC":
    from tpmwire.channel import WELL_KNOWN
    from tpmwire.crypto import name_of
    from tpmwire.spki import into_template, parse

    key = parse(data)
    made = {name: into_template(key, place.template()) for name, place in WELL_KNOWN.items()}
    fitting = {name: public for name, public in made.items() if public is not None}
    if pinned is not None:
        fitting = {name: public for name, public in fitting.items() if name_of(public) == pinned}
    elif isinstance(where, str):
        fitting = {name: public for name, public in fitting.items() if name == where}
    if not fitting:
        raise UsageError(f"{path}: no endorsement or storage key of the TCG's profiles can have this public key")
    if len(set(fitting.values())) > 1:
        raise UsageError(
            f"{path}: this public key can be that of {' or '.join(fitting)}; say which by "
            "--tpm-session-encrypt-with-name NAME, or give the public area instead"
        )
    return next(iter(fitting.values()))
