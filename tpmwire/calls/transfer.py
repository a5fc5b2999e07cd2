"""Keys that move: to another TPM by duplication, and from software into the TPM."""

from ..keys.wrapping import WrappedKey
from ..primary import Loaded
from ..secret import EMPTY_AUTH, Secret
from ..sessions import Password, Use
from ..spec.commands.duplication import Duplicate, Import
from ..spec.constants import TPM_ALG
from ..spec.structures import TPMT_PUBLIC, TPMT_SYM_DEF_OBJECT
from ..tpm import Tpm
from .arguments import NOBODY, Item, handle_of, public_of, reach, secret_of
from .objects import Blob, load_external

__all__ = ["duplicate", "import_wrapped"]


def duplicate(
    tpm: Tpm,
    key: Item,
    parent: int | Loaded | TPMT_PUBLIC,
    *,
    by: Use,
    inner_key: Secret | bytes = EMPTY_AUTH,
) -> WrappedKey:
    """Wraps a key for a new parent, usually of another TPM, for `import_wrapped` there (Part 3, §13.1).

    `parent` is the new parent's public area, or an object in this TPM. `by` is a policy session: the key's policy
    must allow duplication. `inner_key`, 16 bytes, adds an inner wrapper, and should cross the bus encrypted only.
    """
    if isinstance(parent, TPMT_PUBLIC):
        loaded = load_external(tpm, parent)
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
    """Imports a key that was wrapped for `parent`, and returns the object, which `load` loads (Part 3, §13.3)."""
    inner = secret_of(inner_key)
    public, private, seed = wrapped
    with reach(tpm, parent, by) as (handle, authorization):
        command = Import(handle, inner.reveal(), public, private, seed, _inner_cipher(inner))
        return Blob(public, tpm.execute(command, authorization).out_private)


def _inner_cipher(key: Secret) -> TPMT_SYM_DEF_OBJECT:
    if not key:
        return TPMT_SYM_DEF_OBJECT(TPM_ALG.NULL)
    return TPMT_SYM_DEF_OBJECT(TPM_ALG.AES, 8 * len(key.reveal()), TPM_ALG.CFB)
