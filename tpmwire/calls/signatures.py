"""Creates and verifies signatures in the TPM."""

from ..errors import EncodeError, TpmError
from ..keys.template_names import parse_hash
from ..sessions import Password, Use
from ..spec.codes import TPM_RC_SIGNATURE
from ..spec.commands.signing import Sign, VerifySignature
from ..spec.constants import TPM_ALG, TPM_RH, TPM_ST
from ..spec.structures import (
    TPMS_ECC_PARMS,
    TPMS_KEYEDHASH_PARMS,
    TPMS_RSA_PARMS,
    TPMS_SCHEME_HASH,
    TPMT_PUBLIC,
    TPMT_SIG_SCHEME,
    TPMT_SIGNATURE,
    TPMT_TK_HASHCHECK,
)
from ..tpm import Tpm
from .arguments import NOBODY, Item, public_of, reach
from .data import hash_with_ticket
from .objects import load_external
from .version_185 import sign_sequence, verify_sequence

__all__ = ["Scheme", "scheme_for", "sign", "sign_message", "verify", "verify_message"]

Scheme = TPMT_SIG_SCHEME | str | None
"""A signing scheme, its name such as `rsapss` or `ecdsa-sha384`, or None for the key's scheme."""

_NO_TICKET = TPMT_TK_HASHCHECK(TPM_ST.HASHCHECK, TPM_RH.NULL, b"")
_HASH_OF_SIZE = {20: TPM_ALG.SHA1, 32: TPM_ALG.SHA256, 48: TPM_ALG.SHA384, 64: TPM_ALG.SHA512}
_SCHEMES = {alg.name.lower(): alg for alg in (TPM_ALG.RSASSA, TPM_ALG.RSAPSS, TPM_ALG.ECDSA, TPM_ALG.HMAC)}
_USUAL = {TPM_ALG.RSA: TPM_ALG.RSASSA, TPM_ALG.ECC: TPM_ALG.ECDSA, TPM_ALG.KEYEDHASH: TPM_ALG.HMAC}


def sign(
    tpm: Tpm,
    key: Item,
    digest: bytes,
    scheme: Scheme = None,
    *,
    ticket: TPMT_TK_HASHCHECK | None = None,
    by: Password | Use = NOBODY,
) -> TPMT_SIGNATURE:
    """Signs a digest that was computed outside the TPM (Part 3, §20.2), by default with the key's scheme.

    If neither the key nor `scheme` states a scheme, RSASSA or ECDSA is used, with the hash of the digest's size. A
    restricted key signs only digests that the TPM has computed: use `sign_message`, or the `ticket` of
    `hash_with_ticket`.
    """
    chosen = scheme_for(tpm, key, digest, scheme)
    with reach(tpm, key, by) as (handle, authorization):
        return tpm.execute(Sign(handle, digest, chosen, ticket or _NO_TICKET), authorization).signature


def sign_message(
    tpm: Tpm, key: Item, message: bytes, scheme: Scheme = None, *, by: Password | Use = NOBODY
) -> TPMT_SIGNATURE:
    """Signs a message of any length, which the TPM hashes (Part 3, §20.2). Works with restricted keys too.

    A restricted key signs no message that starts like the TPM's own statements (TPM_GENERATED_VALUE). The default
    hash is SHA-256. ML-DSA and HashML-DSA keys sign as in `sign_sequence`, without a context.
    """
    public = public_of(tpm, key)
    if scheme is None and public.type in (TPM_ALG.MLDSA, TPM_ALG.HASH_MLDSA):
        return sign_sequence(tpm, key, message, by=by)
    chosen = scheme_for(tpm, key, bytes(32), scheme)
    details = chosen.details or _scheme_of(public)[1]
    hash_alg = TPM_ALG.SHA256 if details is None else details.hash_alg
    # Proofs of the owner hierarchy are valid for keys of each hierarchy but the null hierarchy.
    digest, ticket = hash_with_ticket(tpm, message, hash_alg)
    return sign(tpm, key, digest, chosen, ticket=ticket, by=by)


def verify(tpm: Tpm, key: Item | TPMT_PUBLIC, digest: bytes, signature: TPMT_SIGNATURE) -> bool:
    """Returns whether a signature of a digest is valid for a key (TPM2_VerifySignature; Part 3, §20.1).

    If `key` is a public area, it is loaded for the call, and flushed.
    """
    if isinstance(key, TPMT_PUBLIC):
        loaded = load_external(tpm, key)
        try:
            return verify(tpm, loaded, digest, signature)
        finally:
            tpm.flush(loaded.handle)
    try:
        with reach(tpm, key) as (handle, _):
            tpm.execute(VerifySignature(handle, digest, signature))
    except TpmError as error:
        if error.code == TPM_RC_SIGNATURE:
            return False
        raise
    return True


def verify_message(tpm: Tpm, key: Item | TPMT_PUBLIC, message: bytes, signature: TPMT_SIGNATURE) -> bool:
    """Returns whether a signature of a message of any length is valid for a key. The TPM hashes the message.

    ML-DSA and HashML-DSA signatures are verified as in `verify_sequence`, without a context. Raises EncodeError
    for any other signature scheme without a hash.
    """
    if signature.sig_alg in (TPM_ALG.MLDSA, TPM_ALG.HASH_MLDSA):
        return verify_sequence(tpm, key, message, signature)
    hash_alg = getattr(signature.signature, "hash", None)
    if hash_alg is None:
        raise EncodeError(f"a signature of the scheme {signature.sig_alg.name} does not state its hash")
    return verify(tpm, key, hash_with_ticket(tpm, message, hash_alg, TPM_RH.NULL)[0], signature)


def scheme_for(tpm: Tpm, key: Item, digest: bytes, scheme: Scheme) -> TPMT_SIG_SCHEME:
    """Returns the scheme for a signature of a digest. TPM_ALG_NULL selects the key's own scheme.

    Raises EncodeError for an unknown scheme, and for a digest whose size fits no hash.
    """
    if isinstance(scheme, TPMT_SIG_SCHEME):
        return scheme
    if scheme is not None:
        name, _, hash_name = scheme.lower().partition("-")
        if name not in _SCHEMES:
            raise EncodeError(f"unknown signing scheme {scheme!r}; use e.g. rsassa, rsapss-sha256 or ecdsa")
        return TPMT_SIG_SCHEME(
            _SCHEMES[name], TPMS_SCHEME_HASH(parse_hash(hash_name) if hash_name else _hash_of(digest))
        )
    public = public_of(tpm, key)
    if _scheme_of(public)[0] != TPM_ALG.NULL or public.type not in _USUAL:
        return TPMT_SIG_SCHEME(TPM_ALG.NULL)
    return TPMT_SIG_SCHEME(_USUAL[public.type], TPMS_SCHEME_HASH(_hash_of(digest)))


def _hash_of(digest: bytes) -> TPM_ALG:
    """Returns the usual hash algorithm for a digest of this size. Raises EncodeError for an unknown size."""
    if len(digest) not in _HASH_OF_SIZE:
        raise EncodeError(
            f"invalid digest of {len(digest)} bytes; expected 20, 32, 48 or 64 (for a message, use sign_message)"
        )
    return _HASH_OF_SIZE[len(digest)]


def _scheme_of(public: TPMT_PUBLIC) -> tuple[TPM_ALG, TPMS_SCHEME_HASH | None]:
    """Returns (scheme, its parameters with the hash, or None) of a key's public area."""
    parameters = public.parameters
    if not isinstance(parameters, (TPMS_RSA_PARMS, TPMS_ECC_PARMS, TPMS_KEYEDHASH_PARMS)):
        return TPM_ALG.NULL, None
    details = parameters.scheme.details
    return parameters.scheme.scheme, details if isinstance(details, TPMS_SCHEME_HASH) else None
