"""Templates by the names that tpm2-tools uses: `ecc:ecdsa-sha256:null`, `rsa2048`, `aes128cfb`, `hmac:sha384`.

A name has up to three parts: the type with its size, the scheme with its hash, and the symmetric algorithm with
which a storage key protects its children. Attributes are names joined by `|`, as `tpm2_create -a` reads them.

tpm2-tools has no names for the keys of TPM 2.0 Library 1.85. They are `mldsa65`, `mldsa65:extmu` (which signs an
external Mu), `hashmldsa65:sha256`, `mlkem768` and `mlkem768:null:aes256cfb`.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from ..errors import EncodeError
from ..spec.constants import TPM_ALG, TPM_ECC, TPM_MLDSA, TPM_MLKEM, TPMA_OBJECT
from ..spec.structures import (
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_HASH_MLDSA_PARMS,
    TPMS_KEYEDHASH_PARMS,
    TPMS_MLDSA_PARMS,
    TPMS_MLKEM_PARMS,
    TPMS_RSA_PARMS,
    TPMS_SCHEME_ECDAA,
    TPMS_SCHEME_HASH,
    TPMS_SCHEME_XOR,
    TPMS_SYMCIPHER_PARMS,
    TPMT_ECC_SCHEME,
    TPMT_KDF_SCHEME,
    TPMT_KEYEDHASH_SCHEME,
    TPMT_PUBLIC,
    TPMT_RSA_SCHEME,
    TPMT_SYM_DEF_OBJECT,
)

if TYPE_CHECKING:
    from ..policy.policy import Policy

__all__ = [
    "CREATED",
    "STORAGE",
    "TemplateName",
    "attestation",
    "decryption",
    "parse_attributes",
    "parse_hash",
    "parse_name",
    "parse_template",
    "signing",
    "storage",
]

CREATED = (
    TPMA_OBJECT.FIXED_TPM
    | TPMA_OBJECT.FIXED_PARENT
    | TPMA_OBJECT.SENSITIVE_DATA_ORIGIN
    | TPMA_OBJECT.USER_WITH_AUTH
    | TPMA_OBJECT.SIGN_ENCRYPT
    | TPMA_OBJECT.DECRYPT
)
"""Default attributes of tpm2_create."""
STORAGE = (CREATED & ~TPMA_OBJECT.SIGN_ENCRYPT) | TPMA_OBJECT.RESTRICTED
"""Default attributes of tpm2_createprimary."""
_NONE = TPMA_OBJECT(0)
_BOTH = TPMA_OBJECT.SIGN_ENCRYPT | TPMA_OBJECT.DECRYPT

_BITS = {name: getattr(TPMA_OBJECT, name) for name in TPMA_OBJECT.__members__}
_ATTRIBUTES = {name.replace("_", "").lower(): bit for name, bit in _BITS.items()} | {
    "sign": TPMA_OBJECT.SIGN_ENCRYPT,
    "x509sign": TPMA_OBJECT.X509_SIGN,
}
_HASHES = {
    alg.name.lower(): alg
    for alg in (
        TPM_ALG.SHA1,
        TPM_ALG.SHA256,
        TPM_ALG.SHA384,
        TPM_ALG.SHA512,
        TPM_ALG.SM3_256,
        TPM_ALG.SHA3_256,
        TPM_ALG.SHA3_384,
        TPM_ALG.SHA3_512,
    )
}
_CURVES = {
    "192": TPM_ECC.NIST_P192,
    "224": TPM_ECC.NIST_P224,
    "256": TPM_ECC.NIST_P256,
    "384": TPM_ECC.NIST_P384,
    "521": TPM_ECC.NIST_P521,
    "_sm2": TPM_ECC.SM2_P256,
    "_sm2_p256": TPM_ECC.SM2_P256,
}
_KEM_SETS = {"512": TPM_MLKEM.MLKEM_512, "768": TPM_MLKEM.MLKEM_768, "1024": TPM_MLKEM.MLKEM_1024}
_DSA_SETS = {"44": TPM_MLDSA.MLDSA_44, "65": TPM_MLDSA.MLDSA_65, "87": TPM_MLDSA.MLDSA_87}
_ML_SETS: dict[str, Mapping[str, int]] = {"mlkem": _KEM_SETS, "mldsa": _DSA_SETS, "hashmldsa": _DSA_SETS}
_CURVE_HASHES = {TPM_ECC.NIST_P384: TPM_ALG.SHA384, TPM_ECC.NIST_P521: TPM_ALG.SHA512}
_SIGNING = {
    "rsa": {"rsassa": TPM_ALG.RSASSA, "rsapss": TPM_ALG.RSAPSS},
    "ecc": {
        "ecdsa": TPM_ALG.ECDSA,
        "ecdaa": TPM_ALG.ECDAA,
        "ecschnorr": TPM_ALG.ECSCHNORR,
        "sm2": TPM_ALG.SM2,
    },
}
_DECRYPTION = {"rsa": {"oaep": TPM_ALG.OAEP, "rsaes": TPM_ALG.RSAES}, "ecc": {"ecdh": TPM_ALG.ECDH}}
_CIPHERS = {"aes": TPM_ALG.AES, "camellia": TPM_ALG.CAMELLIA, "sm4": TPM_ALG.SM4}
_MODES = {mode.name.lower(): mode for mode in (TPM_ALG.CTR, TPM_ALG.OFB, TPM_ALG.CBC, TPM_ALG.CFB, TPM_ALG.ECB)}
_EXAMPLES = "use a name of tpm2-tools, such as rsa2048, ecc384:ecdsa-sha384, aes128cfb, hmac or mldsa65"


class TemplateName(NamedTuple):
    """The parts of a template's name. Missing parts are empty."""

    name: str
    kind: str
    size: str
    scheme: str
    symmetric: str

    @property
    def purpose(self) -> TPMA_OBJECT:
        """Returns the attributes SIGN_ENCRYPT and DECRYPT, without those that the scheme does not allow."""
        word = re.findall("^(?:sm2|[a-z]*)", self.scheme)[0]
        if self.kind in ("hmac", "mldsa", "hashmldsa") or word in _SIGNING.get(self.kind, {}):
            return TPMA_OBJECT.SIGN_ENCRYPT
        if self.kind in ("xor", "mlkem") or word in _DECRYPTION.get(self.kind, {}):
            return TPMA_OBJECT.DECRYPT
        return _BOTH

    @property
    def has_scheme(self) -> bool:
        """Returns whether the name has a scheme. A key with a scheme cannot be a storage key."""
        stated = self.kind in _SIGNING and self.scheme not in ("", "null")
        return stated or self.kind in ("hmac", "keyedhash", "mldsa", "hashmldsa")

    def with_signing_scheme(self) -> "TemplateName":
        """Returns this name; for an RSA or ECC key without a scheme, adds the usual signing scheme."""
        if self.kind not in _SIGNING or self.has_scheme:
            return self
        curve = _CURVES.get(self.size or "256") if self.kind == "ecc" else None
        hash_alg = _CURVE_HASHES.get(curve, TPM_ALG.SHA256) if curve else TPM_ALG.SHA256
        return self._replace(scheme=f"{'ecdsa' if curve else 'rsassa'}-{hash_alg.name.lower()}")

    def default_attributes(self, *, primary: bool, with_data: bool, policy: bytes) -> TPMA_OBJECT:
        """Returns the default attributes of tpm2_createprimary (`primary`) or tpm2_create for such an object.

        `with_data` is true if the caller supplies the object's data.
        """
        attributes = STORAGE if primary and not self.has_scheme else CREATED
        attributes &= ~_BOTH | self.purpose
        if with_data:
            attributes &= ~TPMA_OBJECT.SENSITIVE_DATA_ORIGIN
            if self.kind == "keyedhash":
                attributes &= ~_BOTH
        return attributes & ~TPMA_OBJECT.USER_WITH_AUTH if policy else attributes

    def build(
        self, attributes: TPMA_OBJECT, policy: bytes = b"", name_alg: TPM_ALG = TPM_ALG.SHA256
    ) -> TPMT_PUBLIC:
        """Returns the template with exactly these attributes.

        Raises EncodeError if a part of the name is invalid, or if the scheme conflicts with the attributes.
        """
        if self.kind in _SIGNING:
            return self._build_asymmetric(attributes, policy, name_alg)
        if self.kind in _ML_SETS:
            return self._build_ml(attributes, policy, name_alg)
        if self.symmetric or (self.scheme and self.kind not in ("hmac", "xor")):
            raise _invalid(self.name)
        if self.kind in _CIPHERS:
            cipher = TPMS_SYMCIPHER_PARMS(_cipher(self.kind + self.size))
            return TPMT_PUBLIC(TPM_ALG.SYMCIPHER, name_alg, attributes, policy, cipher, b"")
        scheme = TPMT_KEYEDHASH_SCHEME(TPM_ALG.NULL)
        if self.kind == "hmac":
            scheme = TPMT_KEYEDHASH_SCHEME(TPM_ALG.HMAC, TPMS_SCHEME_HASH(parse_hash(self.scheme or "sha256")))
        elif self.kind == "xor":
            details = TPMS_SCHEME_XOR(parse_hash(self.scheme or "sha256"), TPM_ALG.KDF1_SP800_108)
            scheme = TPMT_KEYEDHASH_SCHEME(TPM_ALG.XOR, details)
        return TPMT_PUBLIC(TPM_ALG.KEYEDHASH, name_alg, attributes, policy, TPMS_KEYEDHASH_PARMS(scheme), b"")

    def _build_asymmetric(self, attributes: TPMA_OBJECT, policy: bytes, name_alg: TPM_ALG) -> TPMT_PUBLIC:
        alg, details = self._asymmetric_scheme()
        excess = attributes & _BOTH & ~self.purpose
        if alg != TPM_ALG.NULL and excess:
            raise EncodeError(
                f"the scheme of {self.name!r} does not allow the attribute {excess.described()}; "
                "remove one of them"
            )
        storage = attributes & TPMA_OBJECT.RESTRICTED and attributes & TPMA_OBJECT.DECRYPT
        cipher = _cipher(self.symmetric or ("aes128cfb" if storage else "null"))
        if cipher.algorithm != TPM_ALG.NULL and cipher.mode == TPM_ALG.NULL:
            cipher = cipher.replace(mode=TPM_ALG.CFB)  # the only mode that protects children
        if self.kind == "rsa":
            rsa = TPMS_RSA_PARMS(cipher, TPMT_RSA_SCHEME(alg, details), int(self.size or 2048))
            return TPMT_PUBLIC(TPM_ALG.RSA, name_alg, attributes, policy, rsa, b"")
        curve, no_kdf = _CURVES[self.size or "256"], TPMT_KDF_SCHEME(TPM_ALG.NULL)
        ecc = TPMS_ECC_PARMS(cipher, TPMT_ECC_SCHEME(alg, details), curve, no_kdf)
        return TPMT_PUBLIC(TPM_ALG.ECC, name_alg, attributes, policy, ecc, TPMS_ECC_POINT(b"", b""))

    def _build_ml(self, attributes: TPMA_OBJECT, policy: bytes, name_alg: TPM_ALG) -> TPMT_PUBLIC:
        parms: TPMS_MLKEM_PARMS | TPMS_MLDSA_PARMS | TPMS_HASH_MLDSA_PARMS
        if self.kind == "mlkem":
            storage = attributes & TPMA_OBJECT.RESTRICTED
            cipher = _cipher(self.symmetric or ("aes256cfb" if storage else "null"))
            found, parms = TPM_ALG.MLKEM, TPMS_MLKEM_PARMS(cipher, _KEM_SETS[self.size or "768"])
            if self.scheme not in ("", "null"):
                raise _invalid(self.name)
        elif self.kind == "mldsa":
            found, parms = TPM_ALG.MLDSA, TPMS_MLDSA_PARMS(_DSA_SETS[self.size or "65"], self.scheme == "extmu")
            if self.scheme not in ("", "extmu", "null") or self.symmetric not in ("", "null"):
                raise _invalid(self.name)
        else:
            hash_alg = parse_hash(self.scheme or "sha256")
            found, parms = TPM_ALG.HASH_MLDSA, TPMS_HASH_MLDSA_PARMS(_DSA_SETS[self.size or "65"], hash_alg)
            if self.symmetric not in ("", "null"):
                raise _invalid(self.name)
        if attributes & _BOTH & ~self.purpose:
            raise EncodeError(f"{self.name!r} does not allow the attribute {(_BOTH & ~self.purpose).described()}")
        return TPMT_PUBLIC(found, name_alg, attributes, policy, parms, b"")

    def _asymmetric_scheme(self) -> tuple[TPM_ALG, TPMS_SCHEME_HASH | TPMS_SCHEME_ECDAA | None]:
        if self.scheme in ("", "null"):
            return TPM_ALG.NULL, None
        word, dash, hash_name = re.sub("^([a-z0-9]+)_", r"\1-", self.scheme).partition("-")
        count = re.fullmatch(r"ecdaa(\d{0,5})", word)
        schemes = {**_SIGNING[self.kind], **_DECRYPTION[self.kind]}
        alg = schemes.get("ecdaa" if count else word)
        if alg is None or (alg == TPM_ALG.RSAES and dash):
            raise _invalid(self.name)
        if alg == TPM_ALG.RSAES:
            return alg, None
        hash_alg = parse_hash(hash_name if dash else "sha256")
        if count:
            return alg, TPMS_SCHEME_ECDAA(hash_alg, int(count[1] or 0))
        return alg, TPMS_SCHEME_HASH(hash_alg)


def parse_name(name: str) -> TemplateName:
    """Splits a template's name into its parts. Raises EncodeError for an unknown type or size."""
    parts = [part.strip().lower() for part in name.removesuffix(":").split(":")]
    head = re.sub("[-_]", "", parts[0]) if "ml" in parts[0] else parts[0]  # also ML-DSA-65
    match = re.fullmatch(r"(rsa|ecc|aes|camellia|sm4|hmac|xor|keyedhash|mlkem|mldsa|hashmldsa)(\w*)", head)
    if match is None or len(parts) > 3 or parts[2:] == [""]:
        raise _invalid(name)
    kind, size = match.groups()
    if kind == "ecc":
        size = size.removeprefix("_nist_p")
    sizes: dict[str, tuple[str, ...]] = {"rsa": ("", "1024", "2048", "3072", "4096"), "ecc": ("", *_CURVES)}
    sizes |= {family: ("", *known.keys()) for family, known in _ML_SETS.items()}
    if kind not in _CIPHERS and size not in sizes.get(kind, ("",)):
        raise _invalid(name)
    scheme, symmetric = [*parts[1:], "", ""][:2]
    if kind in sizes and not symmetric and scheme.startswith(tuple(_CIPHERS)):
        scheme, symmetric = "", scheme
    return TemplateName(name, kind, size, scheme, symmetric)


def parse_attributes(text: str | TPMA_OBJECT) -> TPMA_OBJECT:
    """Parses names such as `fixedtpm|sign|noda`, or a number. Raises EncodeError for an unknown name."""
    if not isinstance(text, str):
        return text
    found = TPMA_OBJECT(0)
    for word in text.split("|"):
        plain = word.strip().lower().removeprefix("tpma_object_").replace("_", "")
        if re.fullmatch("0x[0-9a-f]{1,8}", plain):
            found |= TPMA_OBJECT(int(plain, 16))
        elif plain in _ATTRIBUTES:
            found |= _ATTRIBUTES[plain]
        else:
            raise EncodeError(f"unknown attribute {word.strip()!r}; use e.g. {'|'.join([*_ATTRIBUTES][:4])}|sign")
    return found


def parse_hash(text: str) -> TPM_ALG:
    """Returns the hash algorithm with this name, such as `sha256`. Raises EncodeError for an unknown name."""
    if text.lower() not in _HASHES:
        raise EncodeError(f"unknown hash {text!r}; use one of {', '.join(_HASHES)}")
    return _HASHES[text.lower()]


def _cipher(text: str) -> TPMT_SYM_DEF_OBJECT:
    if text == "null":
        return TPMT_SYM_DEF_OBJECT(TPM_ALG.NULL)
    match = re.fullmatch(f"({'|'.join(_CIPHERS)})(128|192|256)?({'|'.join(_MODES)}|null)?", text)
    if match is None or (match[3] and not match[2]):
        raise EncodeError(f"unknown symmetric algorithm {text!r}; use e.g. aes128cfb")
    return TPMT_SYM_DEF_OBJECT(_CIPHERS[match[1]], int(match[2] or 128), _MODES.get(match[3] or "", TPM_ALG.NULL))


def _invalid(name: str) -> EncodeError:
    return EncodeError(f"{name!r} is not a valid template; {_EXAMPLES}")


def parse_template(
    name: str,
    attributes: str | TPMA_OBJECT | None = None,
    *,
    policy: "Policy | bytes" = b"",
    name_alg: TPM_ALG = TPM_ALG.SHA256,
    primary: bool = False,
    with_data: bool = False,
) -> TPMT_PUBLIC:
    """Returns the template for a name as in tpm2-tools, such as `ecc:ecdsa-sha256:null` or `aes128cfb`.

    `attributes` are written as `fixedtpm|sign|noda`. By default, they are the attributes that tpm2_createprimary
    (if `primary` is true) or tpm2_create would set. `with_data` is true if the caller supplies the object's data,
    as with `tpm2_create -i`. An object with a policy is authorized by its policy only, unless `attributes` has
    userWithAuth. Raises EncodeError for an invalid name, and for attributes that conflict with the scheme.
    """
    parsed, digest = parse_name(name), policy if isinstance(policy, bytes) else policy.digest(name_alg)
    if attributes is None:
        chosen = parsed.default_attributes(primary=primary, with_data=with_data, policy=digest)
    else:
        chosen = parse_attributes(attributes)
    return parsed.build(chosen, digest, name_alg)


def signing(algorithm: str = "ecc", *, policy: "Policy | bytes" = b"") -> TPMT_PUBLIC:
    """Returns the template of a signing key.

    `algorithm` is a name such as `ecc384`, `rsa2048:rsapss-sha256` or `mldsa65`. If the name has no scheme, each
    signature can use any scheme and hash. Raises EncodeError for an invalid name.
    """
    return _build_for(algorithm, policy, remove=TPMA_OBJECT.DECRYPT, add=_NONE)


def attestation(algorithm: str = "ecc", *, policy: "Policy | bytes" = b"") -> TPMT_PUBLIC:
    """Returns the template of an attestation key: a restricted signing key, which signs only attestations.

    The default scheme is ECDSA with the hash of the curve's size, or RSASSA with SHA-256. Raises EncodeError for
    an invalid name.
    """
    return _build_for(algorithm, policy, remove=TPMA_OBJECT.DECRYPT, add=TPMA_OBJECT.RESTRICTED)


def decryption(algorithm: str = "rsa2048", *, policy: "Policy | bytes" = b"") -> TPMT_PUBLIC:
    """Returns the template of a key for RSA decryption, ECDH (`ecc`), ML-KEM (`mlkem768`) or AES (`aes128cfb`).

    If the name has no scheme, each decryption can use any padding. Raises EncodeError for an invalid name.
    """
    symmetric = parse_name(algorithm).kind in _CIPHERS  # such a key needs both attributes
    return _build_for(algorithm, policy, _NONE if symmetric else TPMA_OBJECT.SIGN_ENCRYPT, _NONE)


def storage(algorithm: str = "ecc", *, policy: "Policy | bytes" = b"") -> TPMT_PUBLIC:
    """Returns the template of a storage key (a parent of other keys), as in tpm2_createprimary.

    Raises EncodeError for an invalid name.
    """
    return parse_template(algorithm, policy=policy, primary=True)


def _build_for(algorithm: str, policy: "Policy | bytes", remove: TPMA_OBJECT, add: TPMA_OBJECT) -> TPMT_PUBLIC:
    """Returns a template with the default attributes of tpm2_create, minus `remove`, plus `add`."""
    digest = policy if isinstance(policy, bytes) else policy.digest()
    name = parse_name(algorithm)
    if not name.purpose & ~remove:
        raise EncodeError(
            f"a key of type {algorithm!r} cannot {'sign' if remove == TPMA_OBJECT.DECRYPT else 'decrypt'}"
        )
    attributes = name.default_attributes(primary=False, with_data=False, policy=digest) & ~remove | add
    return (name.with_signing_scheme() if add else name).build(attributes, digest)
