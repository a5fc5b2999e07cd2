"""TPM 2.0 Part 3, §24: hierarchies."""

from ...record import NO_BYTES, NO_ITEMS, Record
from ...typed import Annotated
from ..command import HANDLE, USER, Command
from ..constants import TPM_CC, TPM_RH
from ..structures import (
    TPM2B_AUTH,
    TPM2B_CREATION_DATA,
    TPM2B_DATA,
    TPM2B_DIGEST,
    TPM2B_NAME,
    TPM2B_PUBLIC,
    TPM2B_SENSITIVE_CREATE,
    TPM_HANDLE,
    TPMI_ALG_HASH,
    TPMI_RH_CLEAR,
    TPMI_RH_ENABLES,
    TPMI_RH_HIERARCHY,
    TPMI_RH_HIERARCHY_AUTH,
    TPMI_RH_HIERARCHY_POLICY,
    TPMI_RH_PLATFORM,
    TPMI_YES_NO,
    TPML_PCR_SELECTION,
    TPMT_TK_CREATION,
)


class CreatePrimary(Command, code=TPM_CC.CreatePrimary, spec="Part 3 §24.1"):
    """Creates and loads the key that a hierarchy's seed and the template determine."""

    primary_handle: Annotated[TPMI_RH_HIERARCHY, USER]
    in_sensitive: TPM2B_SENSITIVE_CREATE
    in_public: TPM2B_PUBLIC
    outside_info: TPM2B_DATA = NO_BYTES
    creation_pcr: TPML_PCR_SELECTION = NO_ITEMS

    class Response(Record):
        object_handle: Annotated[TPM_HANDLE, HANDLE]
        out_public: TPM2B_PUBLIC
        creation_data: TPM2B_CREATION_DATA
        creation_hash: TPM2B_DIGEST
        creation_ticket: TPMT_TK_CREATION
        name: TPM2B_NAME


class Clear(Command, code=TPM_CC.Clear, spec="Part 3 §24.6"):
    """Removes all keys of the owner and endorsement hierarchies, and empties their authValues and lockout's."""

    auth_handle: Annotated[TPMI_RH_CLEAR, USER]

    @property
    def auth_after(self) -> str | None:  # type: ignore[override]
        """Returns "" for lockout, whose authValue the command removes, and None (unchanged) for the platform.

        Source: Part 3, §24.6.1.
        """
        return "" if self.auth_handle == TPM_RH.LOCKOUT else None


class HierarchyChangeAuth(Command, code=TPM_CC.HierarchyChangeAuth, spec="Part 3 §24.8"):
    """Sets the authValue of a hierarchy or of lockout."""

    auth_after = "new_auth"

    auth_handle: Annotated[TPMI_RH_HIERARCHY_AUTH, USER]
    new_auth: TPM2B_AUTH


class HierarchyControl(Command, code=TPM_CC.HierarchyControl, spec="Part 3 §24.2"):
    """Enables or disables a hierarchy."""

    auth_handle: Annotated[TPMI_RH_HIERARCHY, USER]
    enable: TPMI_RH_ENABLES
    state: TPMI_YES_NO


class SetPrimaryPolicy(Command, code=TPM_CC.SetPrimaryPolicy, spec="Part 3 §24.3"):
    """Sets the policy of a hierarchy or of lockout."""

    auth_handle: Annotated[TPMI_RH_HIERARCHY_POLICY, USER]
    auth_policy: TPM2B_DIGEST
    hash_alg: TPMI_ALG_HASH


class ChangePPS(Command, code=TPM_CC.ChangePPS, spec="Part 3 §24.4"):
    """Replaces the platform seed: all later platform primary keys differ."""

    auth_handle: Annotated[TPMI_RH_PLATFORM, USER]


class ChangeEPS(Command, code=TPM_CC.ChangeEPS, spec="Part 3 §24.5"):
    """Replaces the endorsement seed: EK certificates no longer match."""

    auth_handle: Annotated[TPMI_RH_PLATFORM, USER]


class ClearControl(Command, code=TPM_CC.ClearControl, spec="Part 3 §24.7"):
    """Enables or disables TPM2_Clear."""

    auth: Annotated[TPMI_RH_CLEAR, USER]
    disable: TPMI_YES_NO


class ReadOnlyControl(Command, code=TPM_CC.ReadOnlyControl, spec="Part 3 §24.9"):
    """Enables or disables the TPM's read-only mode."""

    auth_handle: Annotated[TPMI_RH_PLATFORM, USER]
    state: TPMI_YES_NO
