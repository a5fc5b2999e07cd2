"""Endorsement keys of the TCG EK Credential Profile (TPM 2.0, version 2.5): templates, NV indices and proof.

The Name of an endorsement key follows from its template and its public key. If the public key comes from a trusted
CA's certificate, the Name does not depend on the TPM. A session that is salted to the key then proves that this
TPM has the key.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from ..channel import authorized_once, open_session
from ..crypto.formulas import name_of
from ..crypto.spki import PublicKey, into_template
from ..errors import CertificateError, DecodeError, UnusableCertificateError
from ..keys import templates
from ..primary import Loaded, create_primary, read_loaded
from ..secret import EMPTY_AUTH, Secret
from ..spec.commands.random import GetRandom
from ..spec.constants import TPM_ALG, TPM_ECC, TPM_MLKEM, TPM_RH, TPM_SE, TPMA_OBJECT
from ..spec.structures import (
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_RSA_PARMS,
    TPMT_ECC_SCHEME,
    TPMT_KDF_SCHEME,
    TPMT_PUBLIC,
    TPMT_RSA_SCHEME,
    TPMT_SYM_DEF_OBJECT,
)
from ..state import nv
from ..tpm import Tpm

__all__ = ["CHAIN", "KINDS", "MLKEM_KINDS", "SM2_KIND", "EkKind", "OwnKey", "own_key", "prove", "template_of"]

CHAIN = (0x01C00100, 0x01C001FF)
"""The first and last NV index of the intermediate CAs' certificates, which are concatenated (§2.2.1.4)."""

PERSISTENT = (0x81010000, 0x8101FFFF)
"""The first and last persistent handle that is reserved for endorsement keys."""

# PolicyB: PolicySecret(TPM_RH_ENDORSEMENT) or PolicyAuthorizeNV of the index 0x01c07f01, …02 or …03 (Annex B.6.5).
POLICY_B = {alg: bytes.fromhex(policy) for alg, policy in templates.EK_POLICIES.values()}
POLICY_B[TPM_ALG.SM3_256] = bytes.fromhex("167860a35f2c5c3567f9c927ac56c032f3b3a6462f8d037998e7a10f77fa454a")


class EkKind(NamedTuple):
    """A template of the profile with its name, its description and its NV indices.

    The NV indices contain the certificate, the nonce and the vendor's template. In the low range, `unique` starts
    with the nonce. The high range has no nonce.
    """

    name: str
    what: str
    certificate: int
    nonce: int | None
    template_index: int
    template: Callable[[], TPMT_PUBLIC]

    @property
    def handle(self) -> int:
        """The handle reserved for a persistent key of this kind.

        Source: TCG, "Registry of Reserved TPM 2.0 Handles", §2.3.
        """
        return {0x01C00002: 0x81010001, 0x01C0000A: 0x81010002}.get(
            self.certificate, 0x81010000 + self.certificate % 0x100
        )


def _build_high_template(
    name_alg: TPM_ALG, aes_bits: int, rsa_bits: int = 0, curve: TPM_ECC = TPM_ECC.NONE
) -> TPMT_PUBLIC:
    """Returns a template of the high range (Annex B.4), with userWithAuth, PolicyB and an empty `unique`."""
    attributes = (
        TPMA_OBJECT.FIXED_TPM
        | TPMA_OBJECT.FIXED_PARENT
        | TPMA_OBJECT.SENSITIVE_DATA_ORIGIN
        | TPMA_OBJECT.USER_WITH_AUTH
        | TPMA_OBJECT.ADMIN_WITH_POLICY
        | TPMA_OBJECT.RESTRICTED
        | TPMA_OBJECT.DECRYPT
    )
    cipher = TPM_ALG.SM4 if name_alg == TPM_ALG.SM3_256 else TPM_ALG.AES
    aes = TPMT_SYM_DEF_OBJECT(cipher, aes_bits, TPM_ALG.CFB)
    if rsa_bits:
        rsa = TPMS_RSA_PARMS(aes, TPMT_RSA_SCHEME(TPM_ALG.NULL), rsa_bits)
        return TPMT_PUBLIC(TPM_ALG.RSA, name_alg, attributes, POLICY_B[name_alg], rsa, b"")
    ecc = TPMS_ECC_PARMS(aes, TPMT_ECC_SCHEME(TPM_ALG.NULL), curve, TPMT_KDF_SCHEME(TPM_ALG.NULL))
    unique = TPMS_ECC_POINT(b"", b"")
    return TPMT_PUBLIC(TPM_ALG.ECC, name_alg, attributes, POLICY_B[name_alg], ecc, unique)


def _high_kind(
    number: int, what: str, name_alg: TPM_ALG, aes_bits: int, rsa_bits: int = 0, curve: TPM_ECC = TPM_ECC.NONE
) -> EkKind:
    index = 0x01C00010 + 2 * number
    return EkKind(
        f"H-{number}",
        what,
        index,
        None,
        index + 1,
        lambda: _build_high_template(name_alg, aes_bits, rsa_bits, curve),
    )


KINDS = (
    EkKind("L-1", "RSA 2048", 0x01C00002, 0x01C00003, 0x01C00004, templates.ek_rsa),
    EkKind("L-2", "ECC P-256", 0x01C0000A, 0x01C0000B, 0x01C0000C, templates.ek_ecc),
    _high_kind(1, "RSA 2048", TPM_ALG.SHA256, 128, rsa_bits=2048),
    _high_kind(2, "ECC P-256", TPM_ALG.SHA256, 128, curve=TPM_ECC.NIST_P256),
    _high_kind(3, "ECC P-384", TPM_ALG.SHA384, 256, curve=TPM_ECC.NIST_P384),
    _high_kind(4, "ECC P-521", TPM_ALG.SHA512, 256, curve=TPM_ECC.NIST_P521),
    _high_kind(6, "RSA 3072", TPM_ALG.SHA384, 256, rsa_bits=3072),
    _high_kind(7, "RSA 4096", TPM_ALG.SHA384, 256, rsa_bits=4096),
)
"""The templates with supported algorithms."""

SM2_KIND = _high_kind(5, "SM2 P-256", TPM_ALG.SM3_256, 128, curve=TPM_ECC.SM2_P256)
"""The template with China's algorithms, for which TPMs elsewhere have no certificates."""


MLKEM_KINDS = tuple(
    EkKind(f"H-{25 + kem}", f"ML-KEM-{size}", index, None, index + 1, partial(templates.ek_mlkem, kem))
    for kem, size, index in (
        (TPM_MLKEM.MLKEM_512, 512, 0x01C00060),
        (TPM_MLKEM.MLKEM_768, 768, 0x01C00062),
        (TPM_MLKEM.MLKEM_1024, 1024, 0x01C00064),
    )
)
"""The templates for ML-KEM, from a draft of the profile's version 2.7, which reserves no handles for the keys."""


class OwnKey(NamedTuple):
    """An endorsement key of this TPM: kind, Name, public area and, if the key is persistent, its handle."""

    kind: EkKind
    name: bytes
    public: TPMT_PUBLIC
    handle: int | None


def template_of(tpm: Tpm, kind: EkKind, present: Iterable[int]) -> TPMT_PUBLIC:
    """Returns this TPM's template for endorsement keys of a kind.

    `present` contains the handles of the TPM's NV indices. The vendor's template and nonce are read from their NV
    indices if these are present. Otherwise the profile's template is returned. Raises CertificateError if the
    vendor's template cannot create an endorsement key, and NvError if an index cannot be read.
    """
    template = kind.template()
    if kind.template_index in present:
        template = _vendor_template(kind, nv.read_index(tpm, kind.template_index))
    if kind.nonce is not None and kind.nonce in present:
        template = template.replace(unique=_with_nonce(template, nv.read_index(tpm, kind.nonce)))
    return template


def _vendor_template(kind: EkKind, data: bytes) -> TPMT_PUBLIC:
    try:
        template = TPMT_PUBLIC.parse(data)
    except DecodeError as error:
        raise CertificateError(
            f"NV index 0x{kind.template_index:08x} has no valid template of an endorsement key: {error}"
        ) from error
    needed = TPMA_OBJECT.FIXED_TPM | TPMA_OBJECT.FIXED_PARENT | TPMA_OBJECT.RESTRICTED | TPMA_OBJECT.DECRYPT
    if needed & ~template.object_attributes or template.object_attributes & TPMA_OBJECT.SIGN_ENCRYPT:
        raise CertificateError(
            f"the template in NV index 0x{kind.template_index:08x} creates keys that can leave the TPM, or "
            "that have uses other than an endorsement key's; do not trust this TPM"
        )
    return template


def _with_nonce(template: TPMT_PUBLIC, nonce: bytes) -> bytes | TPMS_ECC_POINT:
    """Returns the template's `unique` with the nonce inserted, padded with zeros (§2.2.1.1)."""
    unique = template.unique
    if isinstance(unique, TPMS_ECC_POINT):
        return TPMS_ECC_POINT(nonce.ljust(len(unique.x), b"\0"), unique.y)
    return nonce.ljust(len(unique), b"\0")


def own_key(
    tpm: Tpm, kinds: Iterable[EkKind], key: PublicKey, present: Iterable[int] = (), auth: Secret = EMPTY_AUTH
) -> OwnKey:
    """Returns the endorsement key of this TPM that has the public key `key` and a template of one of the kinds.

    A session salted to the public key proves that the TPM has the private key. `present` contains the handles of
    the TPM's NV indices, `auth` is the endorsement hierarchy's authValue. Raises CertificateError if the key
    belongs to another TPM or template, UnusableCertificateError if it cannot be an endorsement key, SessionError
    if the proof fails.
    """
    present = set(present)
    expected: list[tuple[EkKind, TPMT_PUBLIC, TPMT_PUBLIC]] = []
    for kind in kinds:
        for template in _variants(template_of(tpm, kind, present)):
            public = into_template(key, template)
            if public is not None:
                expected.append((kind, template, public))
    if not expected:
        raise UnusableCertificateError(
            "unsupported public key in the certificate: its type, size or curve matches no template"
        )
    for handle in nv.handles(tpm, *PERSISTENT):
        loaded = read_loaded(tpm, handle)
        for kind, _, public in expected:
            if loaded.name == name_of(public):
                prove(tpm, loaded)
                return OwnKey(kind, loaded.name, public, handle)
    for kind, template, public in expected:
        loaded = create_primary(tpm, TPM_RH.ENDORSEMENT, template, authorized_once(tpm, auth))
        ours = loaded.name == name_of(public)
        if ours:
            prove(tpm, loaded)
        tpm.flush(loaded.handle)
        if ours:
            return OwnKey(kind, loaded.name, public, None)
    raise CertificateError(
        "the certificate belongs to a different TPM: no endorsement key of this TPM has its public key "
        f"(tried template {' and '.join(dict.fromkeys(kind.name for kind, _, _ in expected))})"
    )


def _variants(template: TPMT_PUBLIC) -> list[TPMT_PUBLIC]:
    """Returns the templates to try for a kind of key.

    Public extracts of the draft for ML-KEM keys disagree about userWithAuth.
    """
    other = template.replace(object_attributes=template.object_attributes ^ TPMA_OBJECT.USER_WITH_AUTH)
    return [template, other] if template.type == TPM_ALG.MLKEM else [template]


def prove(tpm: Tpm, loaded: Loaded) -> None:
    """Proves that the TPM has the private key of a loaded object, by a session that is salted to the object.

    Raises SessionError if the proof fails.
    """
    session = open_session(tpm, TPM_SE.HMAC, loaded)
    tpm.execute(GetRandom(16), session.use(encrypt=True, keep=False))
