"""Wrapping a key for a TPM that is elsewhere, with its parent's public key and no TPM (TPM 2.0 Part 1, §23.3).

The result is what TPM2_Duplicate would have made: TPM2_Import turns it into a key of that TPM, and of no other.
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
from .keyfile import IMPORTABLE, KeyFile, rsa_parent_of

__all__ = [
    "Duplicate",
    "duplicate",
    "ecdsa_key",
    "either",
    "hmac_key",
    "imported_only_policy",
    "to_any",
    "to_parent",
    "wrap_ecdsa_key",
    "wrap_hmac_key",
]


class Duplicate(NamedTuple):
    """What TPM2_Import takes: `public`, `private` (the duplicate), `seed` (the sealed seed of the outer wrap)."""

    public: TPMT_PUBLIC
    private: bytes
    seed: bytes


def hmac_key(
    octets: Secret, *, auth: Secret = EMPTY_AUTH, auth_policy: bytes = b"", name_alg: TPM_ALG = TPM_ALG.SHA256
) -> tuple[TPMT_PUBLIC, TPMT_SENSITIVE]:
    """Public and sensitive area of an HMAC-SHA256 key whose octets are given, made to be imported.

    With an `auth_policy` the key is used by its policy only. Without an authValue there is nothing to guess, and
    the key is exempt from dictionary attack protection.
    """
    # Hides from the public area's reader what the key is, and so whether two hosts have the same (Part 1, §27.5).
    obfuscation = random_bytes(digest_size(name_alg))
    public = TPMT_PUBLIC(
        TPM_ALG.KEYEDHASH,
        name_alg,
        _use_attributes(auth, auth_policy),
        auth_policy,
        TPMS_KEYEDHASH_PARMS(TPMT_KEYEDHASH_SCHEME(TPM_ALG.HMAC, TPMS_SCHEME_HASH(TPM_ALG.SHA256))),
        digest(name_alg, obfuscation, octets.reveal()),
    )
    return public, TPMT_SENSITIVE(TPM_ALG.KEYEDHASH, auth.reveal(), obfuscation, octets.reveal())


def ecdsa_key(
    private: Secret, *, auth: Secret = EMPTY_AUTH, auth_policy: bytes = b"", name_alg: TPM_ALG = TPM_ALG.SHA256
) -> tuple[TPMT_PUBLIC, TPMT_SENSITIVE]:
    """Public and sensitive area of a P-256 key for ECDSA with SHA-256, made to be imported.

    `private` is the private value, 32 octets, big-endian. Policy and authValue mean what they mean to `hmac_key`.
    Raises EncodeError for a value that is none of the curve.
    """
    from cryptography.hazmat.primitives.asymmetric import ec

    octets = private.reveal()
    try:
        key = ec.derive_private_key(int.from_bytes(octets, "big"), ec.SECP256R1())
    except ValueError:
        # Without the cause: its text and its traceback are about the value.
        key = None
    if key is None or len(octets) != 32:
        raise EncodeError("this is no private value of P-256: 32 octets, from 1 to the curve's order less 1")
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
    # The seed is for what a storage key derives from it; this one has no children.
    return public, TPMT_SENSITIVE(TPM_ALG.ECC, auth.reveal(), b"", octets)


def _use_attributes(auth: Secret, auth_policy: bytes) -> TPMA_OBJECT:
    attributes = TPMA_OBJECT.SIGN_ENCRYPT
    if not auth_policy:
        attributes |= TPMA_OBJECT.USER_WITH_AUTH
    if not auth:
        attributes |= TPMA_OBJECT.NO_DA
    return attributes


def imported_only_policy(use: Policy, parent: TPMT_PUBLIC) -> tuple[bytes, Policy]:
    """authPolicy for a key that is used by `use` and can be duplicated to `parent` only, and how to satisfy it.

    Duplication wants TPM2_PolicyDuplicationSelect, so the key can go where it is going and, there, nowhere else.
    The second value is `use` with the PolicyOR behind it, for the key file.
    """
    satisfied = either(use, to_parent(parent))
    return satisfied.digest(TPM_ALG.SHA256), satisfied


def to_parent(parent: TPMT_PUBLIC) -> Policy:
    """Duplication to this new parent, and to no other (Part 3, §23.15)."""
    return Policy(PolicyDuplicationSelect(b"", name_of(parent), False))


def to_any(*, with_auth: bool) -> Policy:
    """Duplication to any new parent, by whoever knows the key's authValue where it has one (Part 3, §23.11).

    Any: also to a key pair in software, and so out of every TPM.
    """
    command = PolicyCommandCode(TPM_CC.Duplicate)
    return Policy(PolicyAuthValue(), command) if with_auth else Policy(command)


def either(use: Policy, leave: Policy) -> Policy:
    """`use` with the PolicyOR behind it that also allows `leave`: for an authPolicy, and for the key file."""
    return Policy(*use.statements, PolicyOR.of(TPM_ALG.SHA256, use, leave))


def duplicate(
    public: TPMT_PUBLIC, sensitive: TPMT_SENSITIVE, parent: TPMT_PUBLIC, *, inner_key: Secret | None = None
) -> Duplicate:
    """Wraps an object for `parent`, a storage or endorsement key's public area.

    `inner_key` (AES, 16 or 32 octets) adds an inner wrap, which TPM2_Import wants as `encryptionKey`. Raises
    EncodeError for a parent that cannot be one, SessionError for one whose numbers are unsound.
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
    return Duplicate(public, len(integrity).to_bytes(2, "big") + integrity + encrypted, sealed)


def _storage_bits(parent: TPMT_PUBLIC) -> int:
    """Bits of the key with which a parent protects its children."""
    wanted = TPMA_OBJECT.RESTRICTED | TPMA_OBJECT.DECRYPT
    parameters = parent.parameters
    if parent.object_attributes & wanted != wanted or not isinstance(parameters, (TPMS_RSA_PARMS, TPMS_ECC_PARMS)):
        raise EncodeError("this is no public area of a storage or endorsement key: it can be no parent")
    symmetric = parameters.symmetric
    if symmetric.algorithm != TPM_ALG.AES or symmetric.mode != TPM_ALG.CFB or not symmetric.key_bits:
        raise EncodeError(
            f"the parent protects its children with {symmetric!r}; only AES in CFB mode is known here"
        )
    return symmetric.key_bits


def wrap_hmac_key(
    octets: Secret,
    parent: TPMT_PUBLIC,
    parent_handle: int,
    *,
    auth: Secret = EMPTY_AUTH,
    policy: Policy | None = None,
    description: str | None = None,
) -> KeyFile:
    """An importable key file with an HMAC key for the TPM whose key `parent` is.

    `parent_handle` is where that TPM has it: a hierarchy for its standard primary, or a persistent handle. With
    `policy` the key is used by it; the file carries it. Raises EncodeError, SessionError, KeyFileError.
    """
    auth_policy, satisfied = _policy_for(parent, policy)
    made = hmac_key(octets, auth=auth, auth_policy=auth_policy)
    return _importable(made, parent, parent_handle, auth, satisfied, description)


def wrap_ecdsa_key(
    private: Secret,
    parent: TPMT_PUBLIC,
    parent_handle: int,
    *,
    auth: Secret = EMPTY_AUTH,
    policy: Policy | None = None,
    description: str | None = None,
) -> KeyFile:
    """The same with a P-256 key for ECDSA; `private` is what `ecdsa_key` takes."""
    auth_policy, satisfied = _policy_for(parent, policy)
    made = ecdsa_key(private, auth=auth, auth_policy=auth_policy)
    return _importable(made, parent, parent_handle, auth, satisfied, description)


def _policy_for(parent: TPMT_PUBLIC, policy: Policy | None) -> tuple[bytes, Policy | None]:
    return (b"", None) if policy is None else imported_only_policy(policy, parent)


def _importable(
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
