"""Reads a public key, a key file or a signature in any format, and converts it to another format."""

import contextlib
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from tpmwire.errors import DecodeError, EncodeError, KeyFileError
from tpmwire.keys import bridges, keyfile
from tpmwire.keys.keyfile import IMPORTABLE, LOADABLE, SEALED, KeyFile
from tpmwire.keys.template_names import parse_template
from tpmwire.keys.tools_files import ObjectContextFile
from tpmwire.primary import WELL_KNOWN
from tpmwire.spec.constants import TPM_ALG, TPM_ECC, TPMA_OBJECT
from tpmwire.spec.structures import (
    TPM2B_ENCRYPTED_SECRET,
    TPM2B_PRIVATE,
    TPM2B_PUBLIC,
    TPMS_SIGNATURE_ECC,
    TPMS_SIGNATURE_RSA,
    TPMT_PUBLIC,
    TPMT_SIGNATURE,
)
from tpmwire.use.parents import endorsement_kind

from ..terminal.messages import UsageError

__all__ = ["FORMATS", "SCHEMES", "Conversion", "Item", "PrivatePart", "convert_item", "read_item"]

FORMATS = (
    "pem",
    "der",
    "jwk",
    "ssh",
    "tpm2b-public",
    "tpmt-public",
    "tss2",
    "tpm2b-private",
    "tpmt-signature",
    "jws",
)
SCHEMES = {"ecdsa": TPM_ALG.ECDSA, "rsassa": TPM_ALG.RSASSA, "rsapss": TPM_ALG.RSAPSS}
_MODULI = (128, 256, 384, 512)


class Conversion(NamedTuple):
    """Values that some input formats lack: template of the public area, SSH comment, signature scheme and hash."""

    template: str | None
    comment: str
    scheme: str | None
    hash_alg: TPM_ALG


class PrivatePart(NamedTuple):
    """The file contents that turn a public area into a key file: private area, seed (may be empty), and parent."""

    private: bytes
    seed: bytes
    parent: int


Item = TPMT_PUBLIC | KeyFile | TPMT_SIGNATURE


def read_item(data: bytes, how: Conversion) -> Item:
    """Returns the public area, the key file or the signature in `data`.

    A public key without a public area gets the attributes and schemes of the template in `how`. Raises UsageError
    if the format is not recognized, KeyFileError if the content is invalid.
    """
    if b"TSS2 PRIVATE KEY" in data:
        return keyfile.parse(data)
    with contextlib.suppress(DecodeError):
        inside = ObjectContextFile.parse(data).context_blob.esys_metadata.data.misc
        if isinstance(inside, TPMT_PUBLIC):
            return inside
    if (signature := _read_signature(data, how)) is not None:
        return signature
    try:
        public = bridges.parse_public(data, template := _template(how.template))
    except EncodeError as error:
        raise UsageError(f"--template does not match the key: {error}") from error
    except KeyFileError as error:
        raise KeyFileError(f"{error}, a signature, or a TPM key file") from error
    if template is not None:
        _check_size(public, template, how.template or "")
    return public


def _check_size(public: TPMT_PUBLIC, template: TPMT_PUBLIC, name: str) -> None:
    """Raises UsageError if the template `name` is for another key size or curve. The names rsa and ecc fit any."""
    if name.partition(":")[0] in ("rsa", "ecc"):
        return
    key, expected = public.parameters, template.parameters
    for field in ("key_bits", "curve_id"):
        got, needed = getattr(key, field, None), getattr(expected, field, None)
        if None not in (got, needed) and got != needed:
            raise UsageError(f"--template does not match the key: expected {_size(needed)}, got {_size(got)}")


def _size(value: Any) -> str:
    return value.name if isinstance(value, TPM_ECC) else f"{value} bits"


def _template(name: str | None) -> TPMT_PUBLIC | None:
    if name is None:
        return None
    if name in WELL_KNOWN:
        return WELL_KNOWN[name].template()
    if (kind := endorsement_kind(name)) is not None:
        return kind.template()
    try:
        return parse_template(name)
    except EncodeError as error:
        raise UsageError(f"--template: {error}; or use one of {', '.join(WELL_KNOWN)}") from error


def _read_signature(data: bytes, how: Conversion) -> TPMT_SIGNATURE | None:
    """Returns the signature in `data`, or None if `data` is not a signature.

    The formats are TPMT_SIGNATURE, DER (ECDSA) and, if `how` has an RSA scheme, the plain bytes of an RSA
    signature.
    """
    if how.scheme in ("rsassa", "rsapss") and len(data) in _MODULI:
        return bridges.signature_from_der(data, SCHEMES[how.scheme], how.hash_alg)
    try:
        signature: TPMT_SIGNATURE = TPMT_SIGNATURE.parse(data)
        value = signature.signature
        if isinstance(value, TPMS_SIGNATURE_ECC | TPMS_SIGNATURE_RSA) and value.hash.known:
            return signature
    except DecodeError:
        pass
    try:
        return bridges.signature_from_der(data, TPM_ALG.ECDSA, how.hash_alg)
    except DecodeError:
        return None


def convert_item(item: Item, to: str, how: Conversion, private: PrivatePart | None) -> bytes:
    """Returns an item in the format `to`, one of `FORMATS`. `private` completes a public area to a key file.

    Raises UsageError if the item has no such format, and EncodeError if the format does not support the key.
    """
    if isinstance(item, TPMT_SIGNATURE):
        signatures: dict[str, Callable[[TPMT_SIGNATURE], bytes]] = {
            "der": bridges.signature_to_der,
            "tpmt-signature": TPMT_SIGNATURE.build,
            "jws": bridges.signature_to_jws,
        }
        return _choose(signatures, to, "a signature")(item)
    if isinstance(item, KeyFile):
        files: dict[str, Callable[[KeyFile], bytes]] = {
            "tpm2b-private": lambda file: file.privkey,
            "tss2": lambda file: file.to_pem().encode(),
        }
        if to in files:
            return files[to](item)
        item = item.public
    elif to == "tss2":
        return _key_file(item, private).to_pem().encode()
    keys: dict[str, Callable[[TPMT_PUBLIC], bytes]] = {
        "pem": lambda public: bridges.to_pem(public).encode(),
        "der": bridges.to_der,
        "jwk": lambda public: json.dumps(bridges.to_jwk(public), indent=2).encode() + b"\n",
        "ssh": lambda public: bridges.to_ssh(public, how.comment).encode(),
        "tpm2b-public": TPM2B_PUBLIC.build,
        "tpmt-public": TPMT_PUBLIC.build,
    }
    return _choose(keys, to, "a public key")(item)


def _choose(formats: dict[str, Callable[..., bytes]], to: str, what: str) -> Callable[..., bytes]:
    if to not in formats:
        raise UsageError(f"{what} cannot be converted to {to}; use one of {', '.join(formats)}")
    return formats[to]


def _parse(declared: Any, data: bytes) -> bytes:
    """Returns the content of a TPM2B of type `declared`. Raises DecodeError if `data` is not valid."""
    content: bytes = declared.parse(data)
    return content


def _key_file(public: TPMT_PUBLIC, private: PrivatePart | None) -> KeyFile:
    if private is None:
        raise UsageError("a TPM key file needs the private area; give the .priv file with --private")
    try:
        area = _parse(TPM2B_PRIVATE, private.private)
    except DecodeError as error:
        raise UsageError(
            f"--private: not a valid TPM2B_PRIVATE: {error}; give the file of tpm2_create -r"
        ) from error
    try:
        if private.seed:
            _parse(TPM2B_ENCRYPTED_SECRET, private.seed)
    except DecodeError as error:
        raise UsageError(
            f"--seed: not a valid TPM2B_ENCRYPTED_SECRET: {error}; give the file of tpm2_duplicate -s"
        ) from error
    is_sealed = public.type == TPM_ALG.KEYEDHASH and not public.object_attributes & (
        TPMA_OBJECT.SIGN_ENCRYPT | TPMA_OBJECT.DECRYPT
    )
    kind = SEALED if is_sealed else IMPORTABLE if private.seed else LOADABLE
    return KeyFile.of(public, area, private.parent, type=kind, secret=private.seed or None)
