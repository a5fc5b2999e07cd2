"""Structures from a word, as tpm2-tools names them: templates, schemes, ciphers, digests."""

import re
from typing import Any

from tpmwire.crypto.formulas import digest_size
from tpmwire.errors import EncodeError, TpmwireError
from tpmwire.keys import templates
from tpmwire.keys.template_names import parse_hash, parse_template
from tpmwire.primary import WELL_KNOWN
from tpmwire.record import Record
from tpmwire.spec.constants import TPM_ALG
from tpmwire.spec.structures import TPMT_HA, TPMT_PUBLIC
from tpmwire.use.parents import endorsement_kind
from tpmwire.wires import Select, wire_of

from ...terminal.messages import UsageError

__all__ = ["SHORT_TEMPLATES", "from_word", "named_template"]

SHORT_TEMPLATES = ("h2-primary", "h1-primary", "srk-ecc", "srk-rsa", "ek-ecc", "ek-rsa")
"""The templates of `tpmwire.keys.templates` that have no name in tpm2-tools."""

_PURPOSES = ("signing", "attestation", "decryption", "storage")
_MORE = {"ak": "attestation", "ek": "ek-ecc", "srk": "srk-ecc"}
_HASHES = {digest_size(alg): alg for alg in (TPM_ALG.SHA1, TPM_ALG.SHA256, TPM_ALG.SHA384, TPM_ALG.SHA512)}
_CIPHER = re.compile(r"(aes|camellia|sm4)(128|192|256)?(cfb|cbc|ctr|ofb|ecb)?", re.IGNORECASE)
_SCHEMES = {
    "rsassa",
    "rsapss",
    "rsaes",
    "oaep",
    "ecdsa",
    "ecdaa",
    "ecschnorr",
    "sm2",
    "ecdh",
    "hmac",
    "mgf1",
    "kdf1_sp800_56a",
    "kdf1_sp800_108",
    "kdf2",
}


def named_template(word: str, *, primary: bool, with_data: bool, where: str) -> TPMT_PUBLIC | None:
    """Returns the public area that `word` names; None if `word` is not written like a template's name.

    Names are those of tpm2-tools (`ecc`, `rsa2048:rsassa-sha256`, `aes128cfb`), purposes (`signing:ecc384`) and
    well-known templates (`ek-rsa`, `ek-h3`). `template:` may precede a name. `primary` and `with_data` decide the
    default attributes, as in tpm2_createprimary and tpm2_create. Raises UsageError for a wrong name after
    `template:`.
    """
    explicit = word.startswith("template:")
    name = word.removeprefix("template:")
    name = _MORE.get(name, name)
    if name in SHORT_TEMPLATES:
        found: TPMT_PUBLIC = getattr(templates, name.replace("-", "_"))()
        return found
    if name in WELL_KNOWN:
        return WELL_KNOWN[name].template()
    if (kind := endorsement_kind(name)) is not None:
        return kind.template()
    purpose, _, algorithm = name.partition(":")
    try:
        if purpose in _PURPOSES:
            made: TPMT_PUBLIC = getattr(templates, purpose)(*([algorithm] if algorithm else []))
            return made
        name, _, bits = name.partition(";")
        if name == "seal":
            name = "keyedhash"
        return parse_template(name, bits or None, primary=primary, with_data=with_data)
    except EncodeError as error:
        if not explicit and not re.match(r"(rsa|ecc|aes\d|hmac|keyedhash|ml(kem|dsa))", name):
            return None
        raise UsageError(f"{where}: {error}, or one of {', '.join((*SHORT_TEMPLATES, *_PURPOSES))}") from None


def from_word(kind: Any, word: str, hash_alg: TPM_ALG = TPM_ALG.SHA256) -> Record | None:
    """Returns a structure of class `kind` for a word such as `null`, `rsassa-sha384` or `aes128cfb`.

    Returns None if the word is not a short form of that structure. `hash_alg` is the hash of a scheme that names
    none.
    """
    fields = [name for name, _ in kind.fields()]
    first = fields[0]
    text = word.strip()
    if kind is TPMT_HA:
        return _hash_value(text)
    if fields == ["tag", "hierarchy", "digest"] and text.lower() == "null":
        return None  # the reader's default ticket
    if len(fields) < 2 or first not in ("scheme", "algorithm"):
        return None
    if text.lower() in ("null", "none"):
        return _build(kind, TPM_ALG.NULL, {})
    if first == "algorithm":
        return _cipher(kind, text, hash_alg)
    name, _, hash_name = text.replace(":", "-").lower().partition("-")
    if name not in _SCHEMES:
        return None
    try:
        found = parse_hash(hash_name) if hash_name else hash_alg
    except TpmwireError:
        return None
    return _build(kind, TPM_ALG[name.upper()], {"hash_alg": found, "count": 0})


def _build(kind: Any, algorithm: int, values: dict[str, Any]) -> Record | None:
    """Returns a structure whose first field is `algorithm`, and whose union has `values`."""
    context: dict[str, Any] = {}
    for position, (name, annotation) in enumerate(kind.fields()):
        wire = wire_of(annotation)
        if not position:
            context[name] = algorithm
        elif isinstance(wire, Select):
            member = wire.member(context)
            if member is None:
                return None
            record = getattr(member, "record", None)
            if record is not None:
                context[name] = record(*(values[field] for field, _ in record.fields()))
            else:
                context[name] = values.get(name)
        else:
            context[name] = values.get(name)
    made: Record = kind(**context)
    return made


def _cipher(kind: Any, text: str, hash_alg: TPM_ALG) -> Record | None:
    if match := re.fullmatch(r"xor(?:[:-]?(\w+))?", text, re.IGNORECASE):
        try:
            found = parse_hash(match[1]) if match[1] else hash_alg
        except TpmwireError:
            return None
        return _build(kind, TPM_ALG.XOR, {"key_bits": found, "mode": None})
    match = _CIPHER.fullmatch(text)
    if match is None:
        return None
    mode = TPM_ALG[(match[3] or "cfb").upper()]
    return _build(kind, TPM_ALG[match[1].upper()], {"key_bits": int(match[2] or 128), "mode": mode})


def _hash_value(text: str) -> Record | None:
    """Returns a TPMT_HA for `sha256:HEX`, `sha256=HEX` or a hash in hex."""
    alg_name, _, digits = text.replace("=", ":", 1).rpartition(":")
    try:
        data = bytes.fromhex(digits)
        alg = parse_hash(alg_name) if alg_name else _HASHES.get(len(data))
    except (ValueError, TpmwireError):
        return None
    return None if alg is None or len(data) != digest_size(alg) else TPMT_HA(alg, data)
