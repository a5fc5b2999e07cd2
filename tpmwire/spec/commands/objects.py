"""TPM 2.0 Part 3, §12: objects."""

from ...record import NO_BYTES, NO_ITEMS, SECRET, Record
from ...typed import Annotated
from ...wires import Sized
from ..command import ADMIN, HANDLE, USER, Command
from ..constants import TPM_CC, TPM_RH
from ..structures import (
    MAX_DIGEST,
    TPM2B_AUTH,
    TPM2B_CREATION_DATA,
    TPM2B_DATA,
    TPM2B_DIGEST,
    TPM2B_ENCRYPTED_SECRET,
    TPM2B_ID_OBJECT,
    TPM2B_NAME,
    TPM2B_PRIVATE,
    TPM2B_PUBLIC,
    TPM2B_SENSITIVE,
    TPM2B_SENSITIVE_CREATE,
    TPM2B_SENSITIVE_DATA,
    TPM2B_TEMPLATE,
    TPM_HANDLE,
    TPMI_DH_OBJECT,
    TPMI_DH_PARENT,
    TPMI_RH_HIERARCHY,
    TPML_PCR_SELECTION,
    TPMT_TK_CREATION,
)


class Create(Command, code=TPM_CC.Create, spec="Part 3 §12.1"):
    """Creates an object under a parent and returns its public and private area, without loading it."""

    parent_handle: Annotated[TPMI_DH_OBJECT, USER]
    in_sensitive: TPM2B_SENSITIVE_CREATE
    in_public: TPM2B_PUBLIC
    outside_info: TPM2B_DATA = NO_BYTES
    creation_pcr: TPML_PCR_SELECTION = NO_ITEMS

    class Response(Record):
        out_private: TPM2B_PRIVATE
        out_public: TPM2B_PUBLIC
        creation_data: TPM2B_CREATION_DATA
        creation_hash: TPM2B_DIGEST
        creation_ticket: TPMT_TK_CREATION


class Load(Command, code=TPM_CC.Load, spec="Part 3 §12.2"):
    """Loads an object that this TPM created or imported, under its parent."""

    parent_handle: Annotated[TPMI_DH_OBJECT, USER]
    in_private: TPM2B_PRIVATE
    in_public: TPM2B_PUBLIC

    class Response(Record):
        object_handle: Annotated[TPM_HANDLE, HANDLE]
        name: TPM2B_NAME


class LoadExternal(Command, code=TPM_CC.LoadExternal, spec="Part 3 §12.3"):
    """Loads an object that is not protected by this TPM: a public key, or an unencrypted key."""

    in_private: TPM2B_SENSITIVE
    in_public: TPM2B_PUBLIC
    hierarchy: TPMI_RH_HIERARCHY = TPM_RH.NULL

    class Response(Record):
        object_handle: Annotated[TPM_HANDLE, HANDLE]
        name: TPM2B_NAME


class ReadPublic(Command, code=TPM_CC.ReadPublic, spec="Part 3 §12.4"):
    """Returns the public area, the Name and the qualified Name of a loaded or persistent object."""

    object_handle: Annotated[TPMI_DH_OBJECT, HANDLE]

    class Response(Record):
        out_public: TPM2B_PUBLIC
        name: TPM2B_NAME
        qualified_name: TPM2B_NAME


class Unseal(Command, code=TPM_CC.Unseal, spec="Part 3 §12.7"):
    """Returns the data sealed in an object."""

    item_handle: Annotated[TPMI_DH_OBJECT, USER]

    class Response(Record):
        out_data: TPM2B_SENSITIVE_DATA


class ObjectChangeAuth(Command, code=TPM_CC.ObjectChangeAuth, spec="Part 3 §12.8"):
    """Returns the private area of an object with a new authValue."""

    object_handle: Annotated[TPMI_DH_OBJECT, ADMIN]
    parent_handle: Annotated[TPMI_DH_OBJECT, HANDLE]
    new_auth: TPM2B_AUTH

    class Response(Record):
        out_private: TPM2B_PRIVATE


class CreateLoaded(Command, code=TPM_CC.CreateLoaded, spec="Part 3 §12.9"):
    """Creates and loads an object in one command. Some chips do not implement it."""

    parent_handle: Annotated[TPMI_DH_PARENT, USER]
    in_sensitive: TPM2B_SENSITIVE_CREATE
    in_public: TPM2B_TEMPLATE

    class Response(Record):
        object_handle: Annotated[TPM_HANDLE, HANDLE]
        out_private: TPM2B_PRIVATE
        out_public: TPM2B_PUBLIC
        name: TPM2B_NAME


class ActivateCredential(Command, code=TPM_CC.ActivateCredential, spec="Part 3 §12.5"):
    """Decrypts a credential for an object, with the private key that the credential was encrypted to."""

    activate_handle: Annotated[TPMI_DH_OBJECT, ADMIN]
    key_handle: Annotated[TPMI_DH_OBJECT, USER]
    credential_blob: TPM2B_ID_OBJECT
    secret: TPM2B_ENCRYPTED_SECRET

    class Response(Record):
        cert_info: Annotated[bytes, Sized(MAX_DIGEST), SECRET]


class MakeCredential(Command, code=TPM_CC.MakeCredential, spec="Part 3 §12.6"):
    """Encrypts a credential to a public key, for the object that has this Name. Needs no authorization."""

    handle: Annotated[TPMI_DH_OBJECT, HANDLE]
    credential: Annotated[bytes, Sized(MAX_DIGEST), SECRET]
    object_name: TPM2B_NAME

    class Response(Record):
        credential_blob: TPM2B_ID_OBJECT
        secret: TPM2B_ENCRYPTED_SECRET
