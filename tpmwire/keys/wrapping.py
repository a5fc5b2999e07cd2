"""Wraps keys for a target TPM, with the public key of their parent in that TPM (Part 1, §23.3). No TPM is needed.

The result has the format of a duplicate from TPM2_Duplicate. Only the target TPM can import it, with TPM2_Import.
"""

import io
from typing import NamedTuple

from ..crypto.aes import cfb
from ..crypto.formulas import digest, digest_size, hmac_digest, kdfa, name_of, random_bytes
from ..crypto.salt import seal_secret
from ..errors import EncodeError
from ..policy.policy import Policy
from ..policy.statements import PolicyAuthValue, PolicyCommandCode, PolicyDuplicationSelect, PolicyOR
from ..secret import EMPTY_AUTH, Secret
from ..spec.constants import TPM_ALG, TPM_CC, TPM_ECC, TPMA_OBJECT
from ..spec.structures import (
    TPM2B_SENSITIVE,
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_KEYEDHASH_PARMS,
    TPMS_MLKEM_PARMS,
    TPMS_RSA_PARMS,
    TPMS_SCHEME_HASH,
    TPMT_ECC_SCHEME,
    TPMT_KDF_SCHEME,
    TPMT_KEYEDHASH_SCHEME,
    TPMT_PUBLIC,
    TPMT_SENSITIVE,
    TPMT_SYM_DEF_OBJECT,
)
from ..wires import wire_of
from .keyfile import IMPORTABLE, KeyFile
from .templates import rsa_parent_of

__all__ = [
    "WrappedKey",
    "duplicate",
    "ecdsa_key_areas",
    "either",
    "hmac_key_areas",
    "imported_only_policy",
    "to_any",
    "to_parent",
    "wrap_ecdsa_key",
    "wrap_hmac_key",
]


class WrappedKey(NamedTuple):
    """Parameters for TPM2_Import: public area, duplicate, and the outer wrapper's encrypted seed."""

    public: TPMT_PUBLIC
    private: bytes
    seed: bytes


def hmac_key_areas(
    key: Secret, *, auth: Secret = EMPTY_AUTH, auth_policy: bytes = b"", name_alg: TPM_ALG = TPM_ALG.SHA256
) -> tuple[TPMT_PUBLIC, TPMT_SENSITIVE]:
    """Returns the public and the sensitive area of an importable HMAC-SHA256 key with the bytes `key`.

    With an `auth_policy`, the key is authorized by its policy only. Without an authValue, the key is exempt from
    dictionary attack protection.
    """
    # A random seed, so that the public area does not reveal whether two hosts have the same key (Part 1, §27.5).
    obfuscation = random_bytes(digest_size(name_alg))
    public = TPMT_PUBLIC(
        TPM_ALG.KEYEDHASH,
        name_alg,
        _use_attributes(auth, auth_policy),
        auth_policy,
        TPMS_KEYEDHASH_PARMS(TPMT_KEYEDHASH_SCHEME(TPM_ALG.HMAC, TPMS_SCHEME_HASH(TPM_ALG.SHA256))),
        digest(name_alg, obfuscation, key.reveal()),
    )
    return public, TPMT_SENSITIVE(TPM_ALG.KEYEDHASH, auth.reveal(), obfuscation, key.reveal())


def ecdsa_key_areas(
    private: Secret, *, auth: Secret = EMPTY_AUTH, auth_policy: bytes = b"", name_alg: TPM_ALG = TPM_ALG.SHA256
) -> tuple[TPMT_PUBLIC, TPMT_SENSITIVE]:
    """Returns the public and the sensitive area of an importable P-256 key for ECDSA with SHA-256.

    `private` is the private key, 32 bytes, big-endian. See `hmac_key_areas` for `auth` and `auth_policy`. Raises
    EncodeError unless it is a number from 1 to n - 1, where n is the order of the curve.
    """
    from cryptography.hazmat.primitives.asymmetric import ec

    value = private.reveal()
    try:
        key = ec.derive_private_key(int.from_bytes(value, "big"), ec.SECP256R1())
    except ValueError:
        # Not chained: the cause's text and traceback may show the value.
        key = None
    if key is None or len(value) != 32:
        raise EncodeError("not a valid P-256 private key; expected 32 bytes, a number from 1 to n - 1")
    point = key.public_key().public_numbers()
    scheme = TPMT_ECC_SCHEME(TPM_ALG.ECDSA, TPMS_SCHEME_HASH(TPM_ALG.SHA256))
    public = TPMT_PUBLIC(
        TPM_ALG.ECC,
        name_alg,
        _use_attributes(auth, auth_policy),
        auth_policy,
        TPMS_ECC_PARMS(
            TPMT_SYM_DEF_OBJECT(TPM_ALG.NULL), scheme, TPM_ECC.NIST_P256, TPMT_KDF_SCHEME(TPM_ALG.NULL)
        ),
        TPMS_ECC_POINT(point.x.to_bytes(32, "big"), point.y.to_bytes(32, "big")),
    )
    # Only storage keys need a seed, to protect their children.
    return public, TPMT_SENSITIVE(TPM_ALG.ECC, auth.reveal(), b"", value)


def _use_attributes(auth: Secret, auth_policy: bytes) -> TPMA_OBJECT:
    attributes = TPMA_OBJECT.SIGN_ENCRYPT
    if not auth_policy:
        attributes |= TPMA_OBJECT.USER_WITH_AUTH
    if not auth:
        attributes |= TPMA_OBJECT.NO_DA
    return attributes


def imported_only_policy(use: Policy, parent: TPMT_PUBLIC) -> tuple[bytes, Policy]:
    """Returns the authPolicy and the key file's policy of a key that can be duplicated to `parent` only.

    The policy `use` authorizes the use of the key. Duplication needs TPM2_PolicyDuplicationSelect, so the imported
    key cannot be duplicated to a different parent. The key file's policy is `use` followed by a PolicyOR.
    """
    satisfied = either(use, to_parent(parent))
    return satisfied.digest(TPM_ALG.SHA256), satisfied


def to_parent(parent: TPMT_PUBLIC) -> Policy:
    """Returns a policy that allows duplication to this new parent only (Part 3, §23.15)."""
    return Policy(PolicyDuplicationSelect(b"", name_of(parent), False))


def to_any(*, with_auth: bool) -> Policy:
    """Returns a policy that allows duplication to any parent, and requires the authValue if `with_auth`.

    The parent can be a key pair in software, so the key can leave every TPM.
    """
    command = PolicyCommandCode(TPM_CC.Duplicate)
    return Policy(PolicyAuthValue(), command) if with_auth else Policy(command)


def either(use: Policy, leave: Policy) -> Policy:
    """Returns a key file's policy for a key whose authPolicy allows either `use` or `leave`.

    The result is `use` followed by a PolicyOR with both digests. The digest of the result is the authPolicy.
    """
    return Policy(*use.statements, PolicyOR.of(TPM_ALG.SHA256, use, leave))


def duplicate(
    public: TPMT_PUBLIC, sensitive: TPMT_SENSITIVE, parent: TPMT_PUBLIC, *, inner_key: Secret | None = None
) -> WrappedKey:
    """Returns the object wrapped for `parent`, which is the public area of a storage or endorsement key.

    `inner_key` (AES, 16 or 32 bytes) adds an inner wrapper, and must be given to TPM2_Import as `encryptionKey`.
    Raises EncodeError for a key that cannot be a parent, SessionError for weak RSA or ECC parameters.
    """
    bits = _storage_bits(parent)
    stream = io.BytesIO()
    wire_of(TPM2B_SENSITIVE)._build(sensitive, stream, {}, "")
    name, data = name_of(public), stream.getvalue()
    if inner_key is not None:
        integrity = digest(public.name_alg, data, name)
        data = cfb(inner_key.reveal(), bytes(16), len(integrity).to_bytes(2, "big") + integrity + data, True)
    seed, sealed = seal_secret(parent, b"DUPLICATE")
    key = kdfa(parent.name_alg, seed.reveal(), b"STORAGE", name, b"", bits)
    encrypted = cfb(key, bytes(16), data, True)
    integrity_key = kdfa(parent.name_alg, seed.reveal(), b"INTEGRITY", b"", b"", 8 * digest_size(parent.name_alg))
    integrity = hmac_digest(parent.name_alg, integrity_key, encrypted, name)
    return WrappedKey(public, len(integrity).to_bytes(2, "big") + integrity + encrypted, sealed)


def _storage_bits(parent: TPMT_PUBLIC) -> int:
    """Returns the size, in bits, of a parent's symmetric key, which protects the parent's children."""
    wanted = TPMA_OBJECT.RESTRICTED | TPMA_OBJECT.DECRYPT
    parameters = parent.parameters
    if parent.object_attributes & wanted != wanted or not isinstance(
        parameters, (TPMS_RSA_PARMS, TPMS_ECC_PARMS, TPMS_MLKEM_PARMS)
    ):
        raise EncodeError("this key cannot be a parent; expected the public area of a storage or endorsement key")
    symmetric = parameters.symmetric
    if symmetric.algorithm != TPM_ALG.AES or symmetric.mode != TPM_ALG.CFB or not symmetric.key_bits:
        raise EncodeError(
            f"unsupported parent: it protects its children with {symmetric!r}; expected AES in CFB mode"
        )
    return int(symmetric.key_bits)


def wrap_hmac_key(
    key: Secret,
    parent: TPMT_PUBLIC,
    parent_handle: int,
    *,
    auth: Secret = EMPTY_AUTH,
    policy: Policy | None = None,
    description: str | None = None,
) -> KeyFile:
    """Returns an importable key file with an HMAC key for the TPM that has the key `parent`.

    `parent_handle` is the handle of `parent` in that TPM: a hierarchy for its standard primary, or a persistent
    handle. With `policy`, the key is authorized by the policy only, and the file contains the policy. Raises
    EncodeError for a key that cannot be a parent, SessionError for a weak parent, and KeyFileError for values
    that a key file cannot have.
    """
    auth_policy, satisfied = _policy_for(parent, policy)
    made = hmac_key_areas(key, auth=auth, auth_policy=auth_policy)
    return _build_import(made, parent, parent_handle, auth, satisfied, description)


def wrap_ecdsa_key(
    private: Secret,
    parent: TPMT_PUBLIC,
    parent_handle: int,
    *,
    auth: Secret = EMPTY_AUTH,
    policy: Policy | None = None,
    description: str | None = None,
) -> KeyFile:
    """Returns an importable key file with a P-256 key for ECDSA. See `wrap_hmac_key` and `ecdsa_key_areas`."""
    auth_policy, satisfied = _policy_for(parent, policy)
    made = ecdsa_key_areas(private, auth=auth, auth_policy=auth_policy)
    return _build_import(made, parent, parent_handle, auth, satisfied, description)


def _policy_for(parent: TPMT_PUBLIC, policy: Policy | None) -> tuple[bytes, Policy | None]:
    return (b"", None) if policy is None else imported_only_policy(policy, parent)


def _build_import(
    made: tuple[TPMT_PUBLIC, TPMT_SENSITIVE],
    parent: TPMT_PUBLIC,
    parent_handle: int,
    auth: Secret,
    satisfied: Policy | None,
    description: str | None,
) -> KeyFile:
    wrapped = duplicate(*made, parent)
    return KeyFile.of(
        wrapped.public,
        wrapped.private,
        parent_handle,
        type=IMPORTABLE,
        secret=len(wrapped.seed).to_bytes(2, "big") + wrapped.seed,
        empty_auth=not auth,
        rsa_parent=rsa_parent_of(parent_handle, parent),
        policy=None if satisfied is None else satisfied.to_steps(),
        description=description,
    )
