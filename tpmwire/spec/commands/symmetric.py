"""TPM 2.0 Part 3, §15: symmetric primitives."""

from ...record import SECRET, Record
from ...typed import Annotated
from ...wires import Sized
from ..command import USER, Command
from ..constants import TPM_ALG, TPM_CC, TPM_RH
from ..structures import (
    MAX_DIGEST,
    TPM2B_DIGEST,
    TPM2B_IV,
    TPM2B_MAX_BUFFER,
    TPMI_ALG_CIPHER_MODE,
    TPMI_ALG_HASH,
    TPMI_DH_OBJECT,
    TPMI_RH_HIERARCHY,
    TPMI_YES_NO,
    TPMT_TK_HASHCHECK,
)


class Hash(Command, code=TPM_CC.Hash, spec="Part 3 §15.4"):
    """Returns the digest of data, which must fit into the TPM's buffer, and a ticket."""

    data: TPM2B_MAX_BUFFER
    hash_alg: TPMI_ALG_HASH
    hierarchy: TPMI_RH_HIERARCHY = TPM_RH.NULL

    class Response(Record):
        out_hash: TPM2B_DIGEST
        validation: TPMT_TK_HASHCHECK


class HMAC(Command, code=TPM_CC.HMAC, spec="Part 3 §15.5"):
    """Returns the HMAC of `buffer` with the key at `handle`. `hash_alg` NULL means the key's hash."""

    handle: Annotated[TPMI_DH_OBJECT, USER]
    buffer: TPM2B_MAX_BUFFER
    hash_alg: TPMI_ALG_HASH = TPM_ALG.NULL

    class Response(Record):
        out_hmac: Annotated[bytes, Sized(MAX_DIGEST), SECRET]


class EncryptDecrypt(Command, code=TPM_CC.EncryptDecrypt, spec="Part 3 §15.2"):
    """Encrypts or decrypts with a symmetric key. A session cannot encrypt the data; see TPM2_EncryptDecrypt2."""

    key_handle: Annotated[TPMI_DH_OBJECT, USER]
    decrypt: TPMI_YES_NO
    mode: TPMI_ALG_CIPHER_MODE
    iv_in: TPM2B_IV
    in_data: TPM2B_MAX_BUFFER

    class Response(Record):
        out_data: TPM2B_MAX_BUFFER
        iv_out: TPM2B_IV


class EncryptDecrypt2(Command, code=TPM_CC.EncryptDecrypt2, spec="Part 3 §15.3"):
    """Encrypts or decrypts with a symmetric key. The data is the first parameter, which a session can encrypt."""

    key_handle: Annotated[TPMI_DH_OBJECT, USER]
    in_data: TPM2B_MAX_BUFFER
    decrypt: TPMI_YES_NO
    mode: TPMI_ALG_CIPHER_MODE
    iv_in: TPM2B_IV

    class Response(Record):
        out_data: TPM2B_MAX_BUFFER
        iv_out: TPM2B_IV
