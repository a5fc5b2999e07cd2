"""Duplicates keys to another TPM, and imports software keys into the TPM."""

from typing import TYPE_CHECKING

from ..errors import EncodeError
from ..keys.keyfile import KeyFile
from ..keys.private_areas import private_areas
from ..keys.wrapping import WrappedKey
from ..keys.wrapping import duplicate as wrap
from ..secret import EMPTY_AUTH, Secret
from ..sessions import Password, Use
from ..spec.commands.duplication import Duplicate, Import
from ..spec.constants import TPM_ALG
from ..spec.structures import TPMT_PUBLIC, TPMT_SYM_DEF_OBJECT
from ..tpm import Tpm
from .arguments import NOBODY, Item, handle_of, public_of, reach, secret_of
from .objects import Blob, load_external

if TYPE_CHECKING:  # an optional package for everything else
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from .ml_private_keys import Mldsa44PrivateKey, Mldsa65PrivateKey, Mldsa87PrivateKey
    from .private_keys import Authorization, EccPrivateKey, RsaPrivateKey

    PrivateKey = EccPrivateKey | RsaPrivateKey | Mldsa44PrivateKey | Mldsa65PrivateKey | Mldsa87PrivateKey

__all__ = ["duplicate", "import_private", "import_wrapped", "private_key"]


def private_key(tpm: Tpm, key: Item, *, by: "Authorization" = NOBODY) -> "PrivateKey":
    """Returns an RSA, ECC or ML-DSA key of the TPM as a private key object of the package `cryptography`.

    `cryptography` signs certificates and requests with the result. `by` is the authorization of each use, or a
    function that returns it, such as `lambda: calls.satisfy_policy(tpm, policy)`. Raises EncodeError for another
    type of key, and for an ML-DSA key unless `cryptography` is version 47 or newer.
    """
    from .private_keys import EccPrivateKey, RsaPrivateKey  # late: cryptography is optional

    public = public_of(tpm, key)
    if public.type == TPM_ALG.MLDSA:
        try:
            from .ml_private_keys import mldsa_class  # late: needs cryptography 47
        except ImportError:
            raise EncodeError("ML-DSA private keys need cryptography 47 or newer") from None
        return mldsa_class(public)(tpm, key, by=by)
    if public.type not in (TPM_ALG.RSA, TPM_ALG.ECC):
        raise EncodeError(f"a key of type {public.type.name} is not a private key of cryptography; use RSA or ECC")
    kind = RsaPrivateKey if public.type == TPM_ALG.RSA else EccPrivateKey
    return kind(tpm, key, by=by)


def duplicate(
    tpm: Tpm,
    key: Item,
    parent: Item | TPMT_PUBLIC,
    *,
    by: Use,
    inner_key: Secret | bytes = EMPTY_AUTH,
) -> WrappedKey:
    """Wraps a key for a new parent, usually in another TPM, where `import_wrapped` imports it (Part 3, §13.1).

    `parent` is the new parent's public area or key file, or an object in this TPM. `by` is a policy session: the
    key's policy must allow duplication. `inner_key` (16 bytes) adds an inner wrapper; send `inner_key` to the TPM
    only in an encrypted parameter.
    """
    if isinstance(parent, (TPMT_PUBLIC, KeyFile)):
        loaded = load_external(tpm, parent.public if isinstance(parent, KeyFile) else parent)
        try:
            return duplicate(tpm, key, loaded, by=by, inner_key=inner_key)
        finally:
            tpm.flush(loaded.handle)
    inner = secret_of(inner_key)
    public = public_of(tpm, key)
    with reach(tpm, key, by) as (handle, authorization):
        command = Duplicate(handle, handle_of(parent), inner.reveal(), _inner_cipher(inner))
        response = tpm.execute(command, authorization)
    return WrappedKey(public, response.duplicate, response.out_sym_seed)


def import_wrapped(
    tpm: Tpm,
    parent: Item,
    wrapped: WrappedKey,
    *,
    inner_key: Secret | bytes = EMPTY_AUTH,
    by: Password | Use = NOBODY,
) -> Blob:
    """Imports a key that was wrapped for `parent`, and returns the object for `load` (Part 3, §13.3)."""
    inner = secret_of(inner_key)
    public, private, seed = wrapped
    with reach(tpm, parent, by) as (handle, authorization):
        command = Import(handle, inner.reveal(), public, private, seed, _inner_cipher(inner))
        return Blob(public, tpm.execute(command, authorization).out_private)


def import_private(
    tpm: Tpm,
    parent: Item,
    key: "RSAPrivateKey | EllipticCurvePrivateKey",
    template: TPMT_PUBLIC | None = None,
    *,
    auth: Secret | bytes = EMPTY_AUTH,
    by: Password | Use = NOBODY,
) -> Blob:
    """Imports a private key of the package `cryptography`, and returns the object for `load`.

    The key crosses the bus encrypted to the parent. `auth` is the object's new authValue. `template`, such as
    `templates.signing("rsa2048")`, has the policy, scheme and attributes, except those that state that the TPM
    created the key (fixedTPM, fixedParent, sensitiveDataOrigin). By default, the key signs and decrypts. Raises
    EncodeError for another type of key, and for one that does not match the template.
    """
    public, sensitive = private_areas(key, template, auth=secret_of(auth))
    return import_wrapped(tpm, parent, wrap(public, sensitive, public_of(tpm, parent)), by=by)


def _inner_cipher(key: Secret) -> TPMT_SYM_DEF_OBJECT:
    if not key:
        return TPMT_SYM_DEF_OBJECT(TPM_ALG.NULL)
    return TPMT_SYM_DEF_OBJECT(TPM_ALG.AES, 8 * len(key.reveal()), TPM_ALG.CFB)
