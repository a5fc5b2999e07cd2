"""TPM 2.0 Part 3, §23: enhanced authorization (policies)."""

from ...record import NO_BYTES, Record, declare
from ...typed import Annotated
from ...wires import Number
from ..command import HANDLE, USER, Command
from ..constants import TPM_CC
from ..properties import TPM_CAP, TPM_EO
from ..structures import (
    TPM2B_DIGEST,
    TPM2B_NAME,
    TPM2B_NONCE,
    TPM2B_OPERAND,
    TPM2B_TIMEOUT,
    TPM_CC_ID,
    TPMA_LOCALITY_BITS,
    TPMI_DH_ENTITY,
    TPMI_DH_OBJECT,
    TPMI_RH_NV_AUTH,
    TPMI_RH_NV_INDEX,
    TPMI_SH_POLICY,
    TPMI_YES_NO,
    TPML_DIGEST,
    TPML_PCR_SELECTION,
    TPMT_SIGNATURE,
    TPMT_TK_AUTH,
    TPMT_TK_VERIFIED,
    UINT16,
    UINT32,
)

TPM_EO_ID = Annotated[TPM_EO, Number(2, TPM_EO)]
TPM_CAP_ID = Annotated[TPM_CAP, Number(4, TPM_CAP)]
EXPIRATION = Annotated[int, Number(4)]
"""An INT32 as an unsigned number: seconds, in two's complement."""


class PolicySecret(Command, code=TPM_CC.PolicySecret, spec="Part 3 §23.4"):
    """Requires the authValue of a given entity, such as a hierarchy."""

    auth_handle: Annotated[TPMI_DH_ENTITY, USER]
    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]
    nonce_tpm: TPM2B_NONCE = NO_BYTES
    cp_hash_a: TPM2B_DIGEST = NO_BYTES
    policy_ref: TPM2B_NONCE = NO_BYTES
    expiration: EXPIRATION = 0

    class Response(Record):
        timeout: TPM2B_TIMEOUT
        policy_ticket: TPMT_TK_AUTH


class PolicyOR(Command, code=TPM_CC.PolicyOR, spec="Part 3 §23.6"):
    """Requires that the current policy digest is one of these digests."""

    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]
    p_hash_list: TPML_DIGEST


class PolicyPCR(Command, code=TPM_CC.PolicyPCR, spec="Part 3 §23.7"):
    """Requires that the PCRs have these values; an empty digest means their current values."""

    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]
    pcr_digest: TPM2B_DIGEST
    pcrs: TPML_PCR_SELECTION


class PolicyCommandCode(Command, code=TPM_CC.PolicyCommandCode, spec="Part 3 §23.11"):
    """Restricts the policy to this command."""

    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]
    code_: TPM_CC_ID


class PolicyDuplicationSelect(Command, code=TPM_CC.PolicyDuplicationSelect, spec="Part 3 §23.15"):
    """Restricts the policy to duplication to one new parent."""

    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]
    object_name: TPM2B_NAME
    new_parent_name: TPM2B_NAME
    include_object: TPMI_YES_NO


class PolicyAuthValue(Command, code=TPM_CC.PolicyAuthValue, spec="Part 3 §23.17"):
    """Requires the object's authValue, proven by the session's HMAC."""

    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]


class PolicyPassword(Command, code=TPM_CC.PolicyPassword, spec="Part 3 §23.18"):
    """Requires the object's authValue, sent in cleartext."""

    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]


class PolicyGetDigest(Command, code=TPM_CC.PolicyGetDigest, spec="Part 3 §23.19"):
    """Returns the current policy digest of the session."""

    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]

    class Response(Record):
        policy_digest: TPM2B_DIGEST


class PolicySigned(Command, code=TPM_CC.PolicySigned, spec="Part 3 §23.3"):
    """Requires a key's signature of the nonce, expiration, cpHash and policyRef in this command."""

    auth_object: Annotated[TPMI_DH_OBJECT, HANDLE]
    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]
    nonce_tpm: TPM2B_NONCE
    cp_hash_a: TPM2B_DIGEST
    policy_ref: TPM2B_NONCE
    expiration: EXPIRATION
    auth: TPMT_SIGNATURE

    class Response(Record):
        timeout: TPM2B_TIMEOUT
        policy_ticket: TPMT_TK_AUTH


class PolicyTicket(Command, code=TPM_CC.PolicyTicket, spec="Part 3 §23.5"):
    """Uses a ticket of an earlier TPM2_PolicySigned or TPM2_PolicySecret in place of the signature or secret."""

    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]
    timeout: TPM2B_TIMEOUT
    cp_hash_a: TPM2B_DIGEST
    policy_ref: TPM2B_NONCE
    auth_name: TPM2B_NAME
    ticket: TPMT_TK_AUTH


class PolicyLocality(Command, code=TPM_CC.PolicyLocality, spec="Part 3 §23.8"):
    """Requires that the command comes from one of these localities."""

    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]
    locality: TPMA_LOCALITY_BITS


class PolicyNV(Command, code=TPM_CC.PolicyNV, spec="Part 3 §23.9"):
    """Requires that the comparison `operation` of an NV index with `operand_b` is true."""

    auth_handle: Annotated[TPMI_RH_NV_AUTH, USER]
    nv_index: Annotated[TPMI_RH_NV_INDEX, HANDLE]
    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]
    operand_b: TPM2B_OPERAND
    offset: UINT16
    operation: TPM_EO_ID


class PolicyCounterTimer(Command, code=TPM_CC.PolicyCounterTimer, spec="Part 3 §23.10"):
    """Requires that the comparison `operation` of part of TPMS_TIME_INFO with `operand_b` is true."""

    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]
    operand_b: TPM2B_OPERAND
    offset: UINT16
    operation: TPM_EO_ID


class PolicyPhysicalPresence(Command, code=TPM_CC.PolicyPhysicalPresence, spec="Part 3 §23.12"):
    """Requires physical presence."""

    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]


class PolicyCpHash(Command, code=TPM_CC.PolicyCpHash, spec="Part 3 §23.13"):
    """Restricts the policy to one command with these parameters, on objects with these Names."""

    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]
    cp_hash_a: TPM2B_DIGEST


class PolicyNameHash(Command, code=TPM_CC.PolicyNameHash, spec="Part 3 §23.14"):
    """Restricts the policy to commands on objects with these Names."""

    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]
    name_hash: TPM2B_DIGEST


class PolicyAuthorize(Command, code=TPM_CC.PolicyAuthorize, spec="Part 3 §23.16"):
    """Requires that a key approved the current policy. TPM2_VerifySignature has checked the key's signature."""

    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]
    approved_policy: TPM2B_DIGEST
    policy_ref: TPM2B_NONCE
    key_sign: TPM2B_NAME
    check_ticket: TPMT_TK_VERIFIED


class PolicyNvWritten(Command, code=TPM_CC.PolicyNvWritten, spec="Part 3 §23.20"):
    """Requires that the NV index has been written or, with NO, that it has never been written."""

    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]
    written_set: TPMI_YES_NO


class PolicyTemplate(Command, code=TPM_CC.PolicyTemplate, spec="Part 3 §23.21"):
    """Restricts the policy to the creation of an object from this template."""

    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]
    template_hash: TPM2B_DIGEST


class PolicyAuthorizeNV(Command, code=TPM_CC.PolicyAuthorizeNV, spec="Part 3 §23.22"):
    """Requires that an NV index contains the current policy."""

    auth_handle: Annotated[TPMI_RH_NV_AUTH, USER]
    nv_index: Annotated[TPMI_RH_NV_INDEX, HANDLE]
    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]


class PolicyCapability(Command, code=TPM_CC.PolicyCapability, spec="Part 3 §23.23"):
    """Requires that the comparison `operation` of a capability with `operand_b` is true."""

    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]
    operand_b: TPM2B_OPERAND
    offset: UINT16
    operation: TPM_EO_ID
    capability: TPM_CAP_ID
    property_: UINT32


class PolicyParameters(Command, code=TPM_CC.PolicyParameters, spec="Part 3 §23.24"):
    """Restricts the policy to commands with these parameters."""

    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]
    p_hash: TPM2B_DIGEST


class PolicyTransportSPDM(Command, code=TPM_CC.PolicyTransportSPDM, spec="Part 3 §23.25"):
    """Requires that the command comes over a secure channel with these keys."""

    policy_session: Annotated[TPMI_SH_POLICY, HANDLE]
    req_key_name: TPM2B_NAME
    tpm_key_name: TPM2B_NAME


declare(globals())
