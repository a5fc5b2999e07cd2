"""TPM 2.0 Part 3, §23: enhanced authorization (policies)."""

from typing import Annotated

from ...record import Number, Record
from ..command import HANDLE, USER, Command
from ..constants import TPM_CC
from ..structures import (
    TPM2B_DIGEST,
    TPM2B_NAME,
    TPM2B_NONCE,
    TPM2B_TIMEOUT,
    TPM_CC_ID,
    TPMI_DH_ENTITY,
    TPMI_SH_POLICY,
    TPMI_YES_NO,
    TPML_DIGEST,
    TPML_PCR_SELECTION,
    TPMT_TK_AUTH,
)

EXPIRATION = Annotated[int, Number(4)]
"""INT32 as it crosses the wire: seconds, two's complement."""


class PolicySecret(Command, code=TPM_CC.PolicySecret, spec="Part 3 §23.4"):
    """The policy wants the authValue of another entity, such as a hierarchy."""

    auth_handle: Annotated[TPMI_DH_ENTITY, USER]
    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]
    nonce_tpm: TPM2B_NONCE = b""
    cp_hash_a: TPM2B_DIGEST = b""
    policy_ref: TPM2B_NONCE = b""
    expiration: EXPIRATION = 0

    class Response(Record):
        timeout: TPM2B_TIMEOUT
        policy_ticket: TPMT_TK_AUTH


class PolicyOR(Command, code=TPM_CC.PolicyOR, spec="Part 3 §23.6"):
    """The policy so far is one of these digests."""

    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]
    p_hash_list: TPML_DIGEST


class PolicyPCR(Command, code=TPM_CC.PolicyPCR, spec="Part 3 §23.7"):
    """The PCRs have these values; an empty digest takes them as they are now."""

    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]
    pcr_digest: TPM2B_DIGEST
    pcrs: TPML_PCR_SELECTION


class PolicyCommandCode(Command, code=TPM_CC.PolicyCommandCode, spec="Part 3 §23.11"):
    """The policy authorizes this command only."""

    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]
    code_: TPM_CC_ID


class PolicyDuplicationSelect(Command, code=TPM_CC.PolicyDuplicationSelect, spec="Part 3 §23.15"):
    """The policy authorizes duplication to one new parent only."""

    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]
    object_name: TPM2B_NAME
    new_parent_name: TPM2B_NAME
    include_object: TPMI_YES_NO


class PolicyAuthValue(Command, code=TPM_CC.PolicyAuthValue, spec="Part 3 §23.17"):
    """The policy wants the object's authValue, proven by the session's HMAC."""

    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]


class PolicyPassword(Command, code=TPM_CC.PolicyPassword, spec="Part 3 §23.18"):
    """The policy wants the object's authValue, in clear."""

    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]


class PolicyGetDigest(Command, code=TPM_CC.PolicyGetDigest, spec="Part 3 §23.19"):
    """The policy digest of the session so far."""

    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]

    class Response(Record):
        policy_digest: TPM2B_DIGEST
