"""Soft TPM: object commands (Part 3, §12)."""

from ...crypto.formulas import digest_size, name_of, trimmed
from ...spec.commands.objects import (
    ActivateCredential,
    Create,
    CreateLoaded,
    Load,
    LoadExternal,
    MakeCredential,
    ObjectChangeAuth,
    ReadPublic,
    Unseal,
)
from ...spec.constants import TPM_ALG, TPM_RH, TPMA_OBJECT
from ...spec.response_codes import TPM_RC
from ...spec.structures import TPMT_PUBLIC, TPMT_SENSITIVE
from .. import objects
from ..creation import at_field, create_child, create_primary, creation_data
from ..entities import KeyedObject
from ..refusal import Refusal, require
from ..registry import handles
from ..secrets import decrypt_secret, encrypt_secret
from ..sequence import SoftSequence
from ..templates_check import check_public, check_scheme, check_unique, is_asymmetric
from ..tpm_state import TpmState
from ..unmarshal import read_template

A = TPMA_OBJECT


def _parent(tpm: TpmState, handle: int, field: str = "parent_handle") -> KeyedObject:
    found = tpm.key(handle)
    require(found.is_parent, TPM_RC.TYPE, field)
    return found


@handles(Create)
def create(tpm: TpmState, command: Create) -> Create.Response:
    """Creates a child, and returns its private area encrypted for the parent (TPM2_Create)."""
    parent = _parent(tpm, command.parent_handle)
    tpm.check_memory()
    public, sensitive = create_child(tpm, parent, command.in_public, command.in_sensitive)
    data, hashed, ticket = creation_data(
        tpm, public, parent, parent.hierarchy, command.outside_info, command.creation_pcr
    )
    private = objects.protect(parent, public, sensitive, tpm.generator.bytes)
    return Create.Response(private, public, data, hashed, ticket)


@handles(Load)
def load(tpm: TpmState, command: Load) -> Load.Response:
    """Loads a child from its public area and its private area, which the parent decrypts (TPM2_Load)."""
    tpm.check_memory()
    parent = _parent(tpm, command.parent_handle)
    with at_field("in_private"):
        require(command.in_private, TPM_RC.SIZE)
        sensitive = objects.unprotect(parent, command.in_public, command.in_private)
    with at_field("in_public"):
        check_public(command.in_public, parent)
    objects.check_binding(command.in_public, sensitive, "in_private")
    found = _child(parent, command.in_public, sensitive)
    return Load.Response(tpm.add_transient(found), found.name)


def _child(parent: KeyedObject, public: TPMT_PUBLIC, sensitive: TPMT_SENSITIVE) -> KeyedObject:
    return KeyedObject(
        0,
        sensitive.auth_value,
        public.auth_policy,
        public.name_alg,
        public,
        sensitive,
        parent.hierarchy,
        objects.qualified_name(parent.qualified_name, public),
        parent.external,
        parent.st_clear or bool(public.object_attributes & A.ST_CLEAR),
    )


@handles(LoadExternal)
def load_external(tpm: TpmState, command: LoadExternal) -> LoadExternal.Response:
    """Loads a public key, or a plaintext key pair, without a parent (TPM2_LoadExternal)."""
    tpm.check_memory()
    public, sensitive = command.in_public, command.in_private
    if sensitive is not None:
        require(command.hierarchy == TPM_RH.NULL, TPM_RC.HIERARCHY, "hierarchy")
        forbidden = public.object_attributes & (A.FIXED_TPM | A.FIXED_PARENT | A.RESTRICTED)
        require(not forbidden, TPM_RC.ATTRIBUTES, "in_public")
    elif not tpm.hierarchy(command.hierarchy).enabled:
        raise Refusal(TPM_RC.HIERARCHY, "hierarchy")
    with at_field("in_public"):
        if sensitive is not None or is_asymmetric(public):
            _check_external(public)
        else:
            check_scheme(public)
        check_unique(public, sensitive is None)
    if sensitive is not None:
        objects.check_binding(public, sensitive, "in_private")
    found = KeyedObject(
        0,
        sensitive.auth_value if sensitive is not None else b"",
        public.auth_policy,
        public.name_alg,
        public,
        sensitive,
        command.hierarchy,
        objects.qualified_name(command.hierarchy.to_bytes(4, "big"), public),
        external=True,
        st_clear=bool(public.object_attributes & A.ST_CLEAR),
    )
    return LoadExternal.Response(tpm.add_transient(found), found.name)


def _check_external(public: TPMT_PUBLIC) -> None:
    """Raises Refusal unless the public area of an external object is consistent. Ignores fixedTPM."""
    cleared = public.object_attributes & ~(A.FIXED_TPM | A.FIXED_PARENT)
    check_public(public.replace(object_attributes=A(cleared)), None, primary=False)


@handles(ReadPublic)
def read_public(tpm: TpmState, command: ReadPublic) -> ReadPublic.Response:
    """Returns the public area, the Name and the qualified Name of a loaded object (TPM2_ReadPublic)."""
    found = tpm.key(command.object_handle)
    if isinstance(found, SoftSequence):
        raise Refusal(TPM_RC.SEQUENCE)
    return ReadPublic.Response(found.public, found.name, found.qualified_name)


@handles(Unseal)
def unseal(tpm: TpmState, command: Unseal) -> Unseal.Response:
    """Returns the data of a sealed object (TPM2_Unseal)."""
    found = tpm.key(command.item_handle)
    require(found.public.type == TPM_ALG.KEYEDHASH, TPM_RC.TYPE, "item_handle")
    used = found.public.object_attributes & (A.DECRYPT | A.SIGN_ENCRYPT | A.RESTRICTED)
    require(not used and found.sensitive is not None, TPM_RC.ATTRIBUTES, "item_handle")
    assert found.sensitive is not None
    return Unseal.Response(found.sensitive.sensitive)


@handles(ObjectChangeAuth)
def object_change_auth(tpm: TpmState, command: ObjectChangeAuth) -> ObjectChangeAuth.Response:
    """Returns the object's private area with a new authValue, encrypted for its parent (TPM2_ObjectChangeAuth)."""
    found, parent = tpm.key(command.object_handle), tpm.key(command.parent_handle)
    auth = trimmed(command.new_auth)
    require(not isinstance(found, SoftSequence), TPM_RC.TYPE, "object_handle")
    require(len(auth) <= objects.auth_limit(found.public), TPM_RC.SIZE, "new_auth")
    right = objects.qualified_name(parent.qualified_name, found.public) == found.qualified_name
    require(right and parent.is_parent and found.sensitive is not None, TPM_RC.TYPE, "parent_handle")
    assert found.sensitive is not None
    sensitive = found.sensitive.replace(auth_value=auth)
    return ObjectChangeAuth.Response(objects.protect(parent, found.public, sensitive, tpm.generator.bytes))


@handles(CreateLoaded)
def create_loaded(tpm: TpmState, command: CreateLoaded) -> CreateLoaded.Response:
    """Creates and loads a primary object (under a hierarchy) or a child (under a key) (TPM2_CreateLoaded)."""
    primary = command.parent_handle in tpm.hierarchies
    if not primary:
        parent = tpm.key(command.parent_handle)
        require(parent.is_parent, TPM_RC.TYPE, "parent_handle")
    tpm.check_memory()
    with at_field("in_public"):
        public = read_template(command.in_public)
    if primary:
        found = create_primary(tpm, command.parent_handle, public, command.in_sensitive)
        private = b""
    else:
        made, sensitive = create_child(tpm, parent, public, command.in_sensitive)
        found = _child(parent, made, sensitive)
        private = objects.protect(parent, made, sensitive, tpm.generator.bytes)
    handle = tpm.add_transient(found)
    return CreateLoaded.Response(handle, private, found.public, found.name)


@handles(MakeCredential)
def make_credential(tpm: TpmState, command: MakeCredential) -> MakeCredential.Response:
    """Encrypts a credential to a public key, for the object with the given Name (TPM2_MakeCredential)."""
    key = tpm.key(command.handle)
    require(is_asymmetric(key.public) and key.has(A.RESTRICTED | A.DECRYPT), TPM_RC.TYPE, "handle")
    require(len(command.credential) <= digest_size(key.public.name_alg), TPM_RC.SIZE, "credential")
    seed, secret = encrypt_secret(key, b"IDENTITY", tpm.generator.bytes)
    plain = len(command.credential).to_bytes(2, "big") + command.credential
    blob = objects.wrap(key.public, seed, command.object_name, plain)
    return MakeCredential.Response(blob, secret)


@handles(ActivateCredential)
def activate_credential(tpm: TpmState, command: ActivateCredential) -> ActivateCredential.Response:
    """Decrypts a credential that was made for the Name of the object activateHandle (TPM2_ActivateCredential)."""
    found, key = tpm.key(command.activate_handle), tpm.key(command.key_handle)
    require(is_asymmetric(key.public) and key.has(A.RESTRICTED | A.DECRYPT), TPM_RC.TYPE, "key_handle")
    with at_field("secret"):
        seed = decrypt_secret(key, command.secret, b"IDENTITY")
    with at_field("credential_blob"):
        plain = objects.unwrap(key.public, seed, name_of(found.public), command.credential_blob)
        credential, rest = objects.split_buffer(plain)
        require(not rest, TPM_RC.SIZE)
    return ActivateCredential.Response(credential)
