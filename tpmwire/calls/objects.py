"""Creates, loads, seals, unseals and persists objects, and saves their contexts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..crypto.formulas import name_of
from ..crypto.public_key_formats import from_cryptography
from ..errors import KeyFileError, SessionError
from ..keys.keyfile import KeyFile, parse
from ..keys.templates import parse_template, sealed, srk_ecc
from ..policy.policy import Policy
from ..primary import Loaded, read_loaded
from ..primary import create_primary as _create_primary
from ..secret import EMPTY_AUTH, Secret
from ..sessions import Password, Use
from ..spec.commands.context import ContextLoad, ContextSave, EvictControl
from ..spec.commands.objects import Create, Load, LoadExternal, ObjectChangeAuth, Unseal
from ..spec.constants import TPM_HT, TPM_RH
from ..spec.structures import TPMS_CONTEXT, TPMS_SENSITIVE_CREATE, TPMT_PUBLIC, TPMT_SENSITIVE
from ..tpm import Tpm
from ..use.flush import flush_run
from ..use.key import Key
from ..use.run import Run
from .arguments import NOBODY, Item, digest_of, handle_of, public_of, reach, secret_of

if TYPE_CHECKING:  # an optional package for everything else
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

__all__ = [
    "Blob",
    "change_auth",
    "create",
    "create_primary",
    "evict",
    "load",
    "load_context",
    "load_external",
    "load_file",
    "persist",
    "read_public",
    "save_context",
    "seal",
    "unseal",
]


class Blob(NamedTuple):
    """An object outside the TPM: its public area, and its private area, which only the parent can decrypt."""

    public: TPMT_PUBLIC
    private: bytes


def read_public(tpm: Tpm, handle: int) -> Loaded:
    """Returns the handle, the Name and the public area of an object (Part 3, §12.4).

    The Name is computed on the host. Raises SessionError if the TPM returns a different Name.
    """
    return read_loaded(tpm, handle)


def create_primary(
    tpm: Tpm,
    template: TPMT_PUBLIC | str | None = None,
    hierarchy: int = TPM_RH.OWNER,
    *,
    auth: Secret | bytes = EMPTY_AUTH,
    by: Password | Use = NOBODY,
) -> Loaded:
    """Creates a primary key (Part 3, §24.1), by default the P-256 storage root key.

    `template` may be a name such as `rsa2048`, with the default attributes of tpm2_createprimary. `auth` is the
    new key's authValue. Raises SessionError if the key does not match the template.
    """
    chosen = parse_template(template, primary=True) if isinstance(template, str) else template or srk_ecc()
    return _create_primary(tpm, hierarchy, chosen, by, outside=secret_of(auth))


def create(
    tpm: Tpm,
    parent: Item,
    template: TPMT_PUBLIC | str,
    *,
    auth: Secret | bytes = EMPTY_AUTH,
    data: Secret | bytes = EMPTY_AUTH,
    by: Password | Use = NOBODY,
) -> Blob:
    """Creates an object under a parent, without loading it (Part 3, §12.1).

    `template` may be a name such as `ecc:ecdsa-sha256:null`, with the default attributes of tpm2_create. `data` is
    the data to seal, or the bytes of an existing symmetric key. `data` and `auth` cross the bus in cleartext
    unless `by` encrypts them (`Session.use(decrypt=True)`).
    """
    content = secret_of(data)
    public = parse_template(template, with_data=bool(content)) if isinstance(template, str) else template
    sensitive = TPMS_SENSITIVE_CREATE(secret_of(auth).reveal(), content.reveal())
    with reach(tpm, parent, by) as (handle, authorization):
        response = tpm.execute(Create(handle, sensitive, public), authorization)
    return Blob(response.out_public, response.out_private)


def load(tpm: Tpm, parent: Item, blob: Blob, *, by: Password | Use = NOBODY) -> Loaded:
    """Loads an object under its parent (Part 3, §12.2).

    Raises SessionError if the TPM returns a different Name, TypeError if `blob` is not a `Blob`.
    """
    if not hasattr(blob, "private"):
        raise TypeError(f"blob must be a Blob, not {type(blob).__name__}; use Blob(public, private)")
    with reach(tpm, parent, by) as (handle, authorization):
        response = tpm.execute(Load(handle, blob.private, blob.public), authorization)
    return _verify_loaded(tpm, response.object_handle, response.name, blob.public)


def load_file(
    tpm: Tpm, file: KeyFile | bytes | str, *, parent_auth: Secret | bytes = EMPTY_AUTH, protected: bool = True
) -> Loaded:
    """Loads the key in a key file (TSS2 PRIVATE KEY) under the parent that the file names, or imports it.

    `file` is a `KeyFile`, or the content of a key file. `parent_auth` is the authValue of the parent, or of the
    parent's hierarchy. If `protected` is true, `parent_auth` is used in a salted session. The parent is flushed.
    Raises KeyFileError if the file is not valid.
    """
    parsed = file if isinstance(file, KeyFile) else _parse_file(file)
    run = Run(Key(file=parsed, parent_auth=secret_of(parent_auth), protected=protected), tpm)
    handle = None
    try:
        handle = run.reach()
    finally:
        flush_run(tpm, run, keep=handle)
    return Loaded(handle, name_of(parsed.public), parsed.public)


def load_external(
    tpm: Tpm,
    public: "TPMT_PUBLIC | RSAPublicKey | EllipticCurvePublicKey",
    sensitive: TPMT_SENSITIVE | None = None,
    hierarchy: int = TPM_RH.NULL,
) -> Loaded:
    """Loads a public key, or a key pair in cleartext, without a parent (Part 3, §12.3).

    `public` may be a public key of the package `cryptography`. Tickets for a public key are valid in `hierarchy`.
    A key pair requires the null hierarchy. Raises SessionError if the TPM returns a different Name.
    """
    if not isinstance(public, TPMT_PUBLIC):
        public = from_cryptography(public)
    response = tpm.execute(LoadExternal(sensitive, public, hierarchy))
    return _verify_loaded(tpm, response.object_handle, response.name, public)


def _verify_loaded(tpm: Tpm, handle: int, claimed: bytes, public: TPMT_PUBLIC) -> Loaded:
    name = name_of(public)
    if name != claimed:
        raise SessionError(
            "the TPM loaded an object whose Name does not match its public area: "
            "modified in transit, or a faulty TPM"
        )
    tpm.trust_name(handle, name)
    return Loaded(handle, name, public)


def _parse_file(file: bytes | str) -> KeyFile:
    return parse(file.encode() if isinstance(file, str) else file)


def seal(
    tpm: Tpm,
    parent: Item,
    data: Secret | bytes,
    *,
    auth: Secret | bytes = EMPTY_AUTH,
    policy: Policy | bytes = b"",
    by: Password | Use = NOBODY,
) -> Blob:
    """Seals up to 128 bytes under a parent (Part 1, §27.6).

    `policy` is a policy, or its SHA-256 digest. With a policy, only the policy can unseal the data. `data` and
    `auth` cross the bus in cleartext unless `by` encrypts them (`Session.use(decrypt=True)`).
    """
    return create(tpm, parent, sealed(digest_of(policy)), auth=auth, data=data, by=by)


def unseal(
    tpm: Tpm,
    parent: Item,
    blob: Blob | None = None,
    *,
    by: Password | Use = NOBODY,
    parent_by: Password | Use = NOBODY,
    companions: Sequence[Use] = (),
) -> bytes:
    """Loads a sealed object, returns its data, and flushes the object (Part 3, §12.7).

    `by` authorizes the object, `parent_by` the parent. Without `blob`, `parent` is the sealed object itself: its
    handle, its `Loaded` or its key file.
    """
    if blob is None:
        with reach(tpm, parent, by) as (handle, authorization):
            return tpm.execute(Unseal(handle), authorization, *companions).out_data
    item = load(tpm, parent, blob, by=parent_by)
    try:
        return tpm.execute(Unseal(item.handle), by, *companions).out_data
    finally:
        tpm.flush(item.handle)


def change_auth(tpm: Tpm, item: Item, parent: Item, auth: Secret | bytes, *, by: Password | Use = NOBODY) -> Blob:
    """Returns the object with a new authValue `auth`; the loaded object keeps the old authValue (Part 3, §12.8).

    `by` authorizes the object, with its old authValue. `auth` crosses the bus in cleartext unless `by` encrypts it
    (`Session.use(decrypt=True)`).
    """
    public = public_of(tpm, item)
    with reach(tpm, item, by) as (handle, authorization), reach(tpm, parent) as (above, _):
        command = ObjectChangeAuth(handle, above, secret_of(auth).reveal())
        return Blob(public, tpm.execute(command, authorization).out_private)


def persist(
    tpm: Tpm, key: Item, handle: int, hierarchy: int = TPM_RH.OWNER, *, by: Password | Use = NOBODY
) -> Loaded:
    """Makes a loaded object persistent at `handle`, and returns the persistent object (Part 3, §28.5).

    `handle` is 0x81000000 to 0x817FFFFF for the owner, 0x81800000 to 0x81FFFFFF for the platform. `by` authorizes
    the hierarchy. The loaded object stays loaded.
    """
    with reach(tpm, key) as (transient, _):
        tpm.execute(EvictControl(hierarchy, transient, handle), by)
    return read_loaded(tpm, handle)


def evict(tpm: Tpm, key: int | Loaded, hierarchy: int = TPM_RH.OWNER, *, by: Password | Use = NOBODY) -> None:
    """Removes a persistent object; `by` authorizes the hierarchy (Part 3, §28.5)."""
    handle = handle_of(key)
    tpm.execute(EvictControl(hierarchy, handle, handle), by)


def save_context(tpm: Tpm, item: Item) -> TPMS_CONTEXT:
    """Returns the saved context of an object or session, which only this TPM can load (Part 3, §28.2).

    An object stays loaded. A session must be loaded again before its next use. A context cannot be loaded after a
    TPM reset.
    """
    with reach(tpm, item) as (handle, _):
        return tpm.execute(ContextSave(handle)).context


def load_context(tpm: Tpm, context: TPMS_CONTEXT) -> Loaded:
    """Loads the saved context of an object (Part 3, §28.3). Raises KeyFileError if it is the context of a session.

    To load a session, execute `ContextLoad`: the `Session` can then be used again.
    """
    if context.saved_handle >> 24 != TPM_HT.TRANSIENT:
        raise KeyFileError("this is the context of a session, not of an object; execute ContextLoad")
    return read_loaded(tpm, tpm.execute(ContextLoad(context)).loaded_handle)
