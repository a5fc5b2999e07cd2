"""Soft TPM: duplication commands (Part 3, §13)."""

from ...crypto.formulas import digest, name_of
from ...crypto.pure.aes import BLOCK, cfb
from ...spec.commands.duplication import Duplicate, Import, Rewrap
from ...spec.constants import TPM_ALG, TPM_RH, TPMA_OBJECT
from ...spec.response_codes import TPM_RC
from ...spec.structures import TPMT_PUBLIC, TPMT_SYM_DEF_OBJECT
from .. import objects
from ..creation import at_field
from ..entities import KeyedObject
from ..refusal import Refusal, require
from ..registry import handles
from ..secrets import decrypt_secret, encrypt_secret
from ..templates_check import check_public, is_asymmetric
from ..tpm_state import TpmState
from ..unmarshal import read_sensitive

A = TPMA_OBJECT


def _inner_wrap(public: TPMT_PUBLIC, key: bytes, data: bytes) -> bytes:
    """Returns a private area with the inner wrapper: an integrity digest, then encryption (Part 1, §23.3.2.2)."""
    integrity = digest(public.name_alg, data, name_of(public))
    return cfb(key, bytes(BLOCK), len(integrity).to_bytes(2, "big") + integrity + data, True)


@handles(Duplicate)
def duplicate(tpm: TpmState, command: Duplicate) -> Duplicate.Response:
    """Wraps an object for a new parent, or without a parent for TPM_RH_NULL (TPM2_Duplicate)."""
    found = tpm.key(command.object_handle)
    require(not found.has(A.FIXED_PARENT), TPM_RC.ATTRIBUTES, "object_handle")
    require(found.public.name_alg != TPM_ALG.NULL, TPM_RC.TYPE, "object_handle")
    symmetric, key = command.symmetric_alg, command.encryption_key_in
    if found.has(A.ENCRYPTED_DUPLICATION):
        require(symmetric.algorithm != TPM_ALG.NULL, TPM_RC.SYMMETRIC, "symmetric_alg")
        require(command.new_parent_handle != TPM_RH.NULL, TPM_RC.HIERARCHY, "new_parent_handle")
    _check_inner_key(symmetric, key, "encryption_key_in", may_be_empty=True)
    assert found.sensitive is not None
    data, made = objects.to_buffer(found.sensitive), b""
    if symmetric.algorithm != TPM_ALG.NULL:
        made = b"" if key else tpm.generator.bytes((symmetric.key_bits or 0) // 8)
        data = _inner_wrap(found.public, key or made, data)
    secret = b""
    if command.new_parent_handle != TPM_RH.NULL:
        parent = tpm.key(command.new_parent_handle)
        _check_new_parent(parent, "new_parent_handle")
        seed, secret = encrypt_secret(parent, b"DUPLICATE", tpm.generator.bytes)
        data = objects.wrap(parent.public, seed, found.name, data)
    return Duplicate.Response(made, data, secret)


def _check_inner_key(symmetric: TPMT_SYM_DEF_OBJECT, key: bytes, field: str, *, may_be_empty: bool) -> None:
    if symmetric.algorithm == TPM_ALG.NULL:
        require(not key, TPM_RC.SIZE, field)
        return
    right = len(key) == (symmetric.key_bits or 0) // 8
    require(right or (may_be_empty and not key), TPM_RC.SIZE, field)


def _check_new_parent(parent: KeyedObject, field: str) -> None:
    storage = is_asymmetric(parent.public) and parent.has(A.RESTRICTED | A.DECRYPT)
    require(storage, TPM_RC.TYPE, field)


@handles(Import)
def import_object(tpm: TpmState, command: Import) -> Import.Response:
    """Returns the private area of a duplicate, encrypted for its new parent (TPM2_Import)."""
    public = command.object_public
    forbidden = public.object_attributes & (A.FIXED_TPM | A.FIXED_PARENT)
    require(not forbidden, TPM_RC.ATTRIBUTES, "object_public")
    parent = tpm.key(command.parent_handle)
    require(parent.is_parent, TPM_RC.TYPE, "parent_handle")
    require(public.name_alg != TPM_ALG.NULL, TPM_RC.HASH, "object_public")
    _check_inner_key(command.symmetric_alg, command.encryption_key, "encryption_key", may_be_empty=False)
    if public.object_attributes & A.ENCRYPTED_DUPLICATION:
        require(command.encryption_key, TPM_RC.ATTRIBUTES, "encryption_key")
    data = command.duplicate
    if command.in_sym_seed:
        require(is_asymmetric(parent.public), TPM_RC.TYPE, "parent_handle")
        with at_field("in_sym_seed"):
            seed = decrypt_secret(parent, command.in_sym_seed, b"DUPLICATE")
        with at_field("duplicate"):
            data = objects.unwrap(parent.public, seed, name_of(public), data)
    elif public.object_attributes & A.ENCRYPTED_DUPLICATION:
        raise Refusal(TPM_RC.ATTRIBUTES, "in_sym_seed")
    with at_field("duplicate"):
        sensitive = read_sensitive(_inner_unwrap(public, command.encryption_key, data))
    if parent.has(A.FIXED_TPM):
        with at_field("object_public"):
            check_public(public, parent)
        objects.check_binding(public, sensitive, "duplicate")
    return Import.Response(objects.protect(parent, public, sensitive, tpm.generator.bytes))


def _inner_unwrap(public: TPMT_PUBLIC, key: bytes, data: bytes) -> bytes:
    if not key:
        return data
    integrity, inner = objects.split_buffer(cfb(key, bytes(BLOCK), data, False))
    require(integrity == digest(public.name_alg, inner, name_of(public)), TPM_RC.INTEGRITY)
    return inner


@handles(Rewrap)
def rewrap(tpm: TpmState, command: Rewrap) -> Rewrap.Response:
    """Wraps a duplicate for another parent without access to the object itself (TPM2_Rewrap)."""
    data, name = command.in_duplicate, command.name
    if command.old_parent != TPM_RH.NULL:
        require(command.in_sym_seed, TPM_RC.HANDLE, "old_parent")
        old = tpm.key(command.old_parent)
        _check_new_parent(old, "old_parent")
        try:
            seed = decrypt_secret(old, command.in_sym_seed, b"DUPLICATE")
        except Refusal:
            raise Refusal(TPM_RC.VALUE, "in_sym_seed") from None
        with at_field("in_duplicate"):
            data = objects.unwrap(old.public, seed, name, data)
    else:
        require(not command.in_sym_seed, TPM_RC.HANDLE, "old_parent")
    secret = b""
    if command.new_parent != TPM_RH.NULL:
        new = tpm.key(command.new_parent)
        _check_new_parent(new, "new_parent")
        seed, secret = encrypt_secret(new, b"DUPLICATE", tpm.generator.bytes)
        data = objects.wrap(new.public, seed, name, data)
    return Rewrap.Response(data, secret)
