"""TPM 2.0 Part 3, §13: duplication."""

from typing import Annotated

from ...record import Record
from ..command import DUP, HANDLE, USER, Command
from ..constants import TPM_CC
from ..structures import (
    TPM2B_DATA,
    TPM2B_ENCRYPTED_SECRET,
    TPM2B_NAME,
    TPM2B_PRIVATE,
    TPM2B_PUBLIC,
    TPMI_DH_OBJECT,
    TPMT_SYM_DEF_OBJECT,
)


class Duplicate(Command, code=TPM_CC.Duplicate, spec="Part 3 §13.1"):
    """Wraps a loaded object for a new parent, which may be in a different TPM."""

    object_handle: Annotated[TPMI_DH_OBJECT, DUP]
    new_parent_handle: Annotated[TPMI_DH_OBJECT, HANDLE]
    encryption_key_in: TPM2B_DATA
    symmetric_alg: TPMT_SYM_DEF_OBJECT

    class Response(Record):
        encryption_key_out: TPM2B_DATA
        duplicate: TPM2B_PRIVATE
        out_sym_seed: TPM2B_ENCRYPTED_SECRET


class Rewrap(Command, code=TPM_CC.Rewrap, spec="Part 3 §13.2"):
    """Wraps a duplicate for a new parent, without decrypting the duplicate."""

    old_parent: Annotated[TPMI_DH_OBJECT, USER]
    new_parent: Annotated[TPMI_DH_OBJECT, HANDLE]
    in_duplicate: TPM2B_PRIVATE
    name: TPM2B_NAME
    in_sym_seed: TPM2B_ENCRYPTED_SECRET

    class Response(Record):
        out_duplicate: TPM2B_PRIVATE
        out_sym_seed: TPM2B_ENCRYPTED_SECRET


class Import(Command, code=TPM_CC.Import, spec="Part 3 §13.3"):
    """Converts a duplicate to a private area that can be loaded under `parent_handle`."""

    parent_handle: Annotated[TPMI_DH_OBJECT, USER]
    encryption_key: TPM2B_DATA
    object_public: TPM2B_PUBLIC
    duplicate: TPM2B_PRIVATE
    in_sym_seed: TPM2B_ENCRYPTED_SECRET
    symmetric_alg: TPMT_SYM_DEF_OBJECT

    class Response(Record):
        out_private: TPM2B_PRIVATE
