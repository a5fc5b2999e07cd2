"""TPM 2.0 Part 3, §11: sessions."""

from ...record import Record
from ...typed import Annotated
from ..command import HANDLE, Command
from ..constants import TPM_CC
from ..structures import (
    TPM2B_ENCRYPTED_SECRET,
    TPM2B_NONCE,
    TPM_SE_ID,
    TPMI_ALG_HASH,
    TPMI_DH_ENTITY,
    TPMI_DH_OBJECT,
    TPMI_SH_AUTH_SESSION,
    TPMI_SH_POLICY,
    TPMT_SYM_DEF,
)


class StartAuthSession(Command, code=TPM_CC.StartAuthSession, spec="Part 3 §11.1"):
    """Starts an HMAC, policy or trial session: salted to `tpm_key`, bound to `bind`, both or neither."""

    tpm_key: Annotated[TPMI_DH_OBJECT, HANDLE]
    bind: Annotated[TPMI_DH_ENTITY, HANDLE]
    nonce_caller: TPM2B_NONCE
    encrypted_salt: TPM2B_ENCRYPTED_SECRET
    session_type: TPM_SE_ID
    symmetric: TPMT_SYM_DEF
    auth_hash: TPMI_ALG_HASH

    class Response(Record):
        session_handle: Annotated[TPMI_SH_AUTH_SESSION, HANDLE]
        nonce_tpm: TPM2B_NONCE


class PolicyRestart(Command, code=TPM_CC.PolicyRestart, spec="Part 3 §11.2"):
    """Resets a policy session to its initial state."""

    session_handle: Annotated[TPMI_SH_POLICY, HANDLE]
