"""Policy statements about the TPM's state and about the authorized command.

The bytes of a PolicyNV in a key file begin with the index's handle and Name. This module's choice follows the
encoding of PolicySecret in the TSS2 key file draft, which defines none for PolicyNV.
"""

from typing import TYPE_CHECKING, Annotated

from ..spec.command import Command
from ..spec.commands import policies
from ..spec.commands.policies import TPM_EO_ID
from ..spec.constants import TPM_CC
from ..spec.structures import (
    TPM2B_DIGEST,
    TPM2B_NAME,
    TPM2B_OPERAND,
    TPM_HANDLE,
    TPMA_LOCALITY_BITS,
    TPMI_YES_NO,
    UINT16,
)
from .statement import Json, Statement

if TYPE_CHECKING:
    from ..sessions import Password, Use
    from ..tpm import Tpm

__all__ = [
    "PolicyCounterTimer",
    "PolicyCpHash",
    "PolicyLocality",
    "PolicyNV",
    "PolicyNameHash",
    "PolicyNvWritten",
    "PolicyTemplate",
]


class PolicyLocality(Statement, code=TPM_CC.PolicyLocality, says="the command comes from {locality}"):
    """Requires that the command comes from one of these localities (Part 3, §23.8).

    The TPM checks the locality when the object is used.
    """

    locality: TPMA_LOCALITY_BITS


class PolicyCounterTimer(
    Statement,
    code=TPM_CC.PolicyCounterTimer,
    says="the TPM's clock at offset {offset}: {operation} {operand_b}",
    hashes=(("operand_b", "offset", "operation"),),
):
    """Compares TPMS_TIME_INFO, from `offset` on, with `operand_b` by `operation` (Part 3, §23.10)."""

    operand_b: Annotated[TPM2B_OPERAND, Json("operand")]
    offset: Annotated[UINT16, Json(default=0)]
    operation: TPM_EO_ID

    @classmethod
    def spellings(cls, data: bytes) -> tuple[bytes, ...]:
        """Returns the candidate encodings of a statement in a key file.

        The candidates are `data` unchanged, and `data` with the size of operandB added, because
        openssl_tpm2_engine omits the size.
        """
        return data, len(data[:-4]).to_bytes(2, "big") + data


class PolicyNV(
    Statement,
    code=TPM_CC.PolicyNV,
    says="NV index {nv_index:#010x} ({nv_name}) at offset {offset}: {operation} {operand_b}",
    hashes=(("operand_b", "offset", "operation"), "nv_name"),
    names={"nv_name": "nv_index"},
):
    """Compares an NV index's data, from `offset` on, with `operand_b` by `operation` (Part 3, §23.9).

    `nv_index` is the index's handle. The index's own authValue, which is empty, authorizes the comparison. The
    Name changes when the index is first written.
    """

    nv_index: Annotated[TPM_HANDLE, Json("index")]
    nv_name: Annotated[TPM2B_NAME, Json("name")]
    operand_b: Annotated[TPM2B_OPERAND, Json("operand")]
    offset: Annotated[UINT16, Json(default=0)]
    operation: TPM_EO_ID

    def state(self, tpm: "Tpm", session: int, authorized: "tuple[Password | Use, ...]" = ()) -> None:
        """Executes TPM2_PolicyNV in the policy session `session`.

        `authorized` authorizes the index, by default with an empty authValue. Raises TpmError, for instance if the
        comparison is false.
        """
        from ..sessions import Password  # late: computing digests needs no sessions

        tpm.execute(self.command(session), *(authorized or (Password(),)))

    def command(self, session: int) -> Command:
        """Returns TPM2_PolicyNV, authorized by the index itself (its first handle)."""
        return policies.PolicyNV(
            self.nv_index, self.nv_index, session, self.operand_b, self.offset, self.operation
        )


class PolicyCpHash(Statement, code=TPM_CC.PolicyCpHash, says="the command whose cpHash is {cp_hash_a}"):
    """Authorizes one command with fixed parameters only, identified by its cpHash (Part 3, §23.13)."""

    cp_hash_a: Annotated[TPM2B_DIGEST, Json("hash")]
    names_objects = True


class PolicyNameHash(
    Statement, code=TPM_CC.PolicyNameHash, says="commands on objects whose Names hash to {name_hash}"
):
    """Authorizes commands on these objects only, identified by the hash of their Names (Part 3, §23.14)."""

    name_hash: Annotated[TPM2B_DIGEST, Json("hash")]
    names_objects = True


class PolicyTemplate(
    Statement, code=TPM_CC.PolicyTemplate, says="an object of the template that hashes to {template_hash}"
):
    """Authorizes only the creation of an object from this template, by the template's hash (Part 3, §23.21)."""

    template_hash: Annotated[TPM2B_DIGEST, Json("hash")]


class PolicyNvWritten(Statement, code=TPM_CC.PolicyNvWritten, says="the NV index was {state_of_index}"):
    """Requires that the authorized NV index has been written, or never written (Part 3, §23.20)."""

    written_set: Annotated[TPMI_YES_NO, Json("written")]

    @property
    def state_of_index(self) -> str:
        """Returns "written" or "never written", as display text."""
        return "written" if self.written_set else "never written"
