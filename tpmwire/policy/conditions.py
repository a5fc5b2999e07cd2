"""Policy statements about the TPM's state and about the command, which the daily path does not need.

Their octets in a key file are the parameters of the command; PolicyNV, whose index is a handle there, has where it
is and its Name in front, as the draft has it for PolicySecret.
"""

from typing import TYPE_CHECKING

from ..crypto.formulas import digest
from ..errors import PolicyError
from ..spec.command import Command
from ..spec.commands import policies
from ..spec.commands.policies import TPM_EO_ID
from ..spec.constants import TPM_ALG, TPM_CC
from ..spec.structures import (
    TPM2B_DIGEST,
    TPM2B_NAME,
    TPM2B_OPERAND,
    TPM_HANDLE,
    TPMA_LOCALITY_BITS,
    TPMI_YES_NO,
    UINT16,
)
from .policy import Statement

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


class PolicyLocality(Statement, code=TPM_CC.PolicyLocality):
    """The command comes from one of these localities (Part 3, §23.8). The TPM looks when the object is used."""

    locality: TPMA_LOCALITY_BITS


class PolicyCounterTimer(Statement, code=TPM_CC.PolicyCounterTimer):
    """TPMS_TIME_INFO, from `offset` on, compares to `operand_b` as `operation` says (Part 3, §23.10)."""

    operand_b: TPM2B_OPERAND
    offset: UINT16
    operation: TPM_EO_ID

    def extended(self, alg: TPM_ALG, before: bytes) -> bytes:
        """policyDigest after this statement."""
        args = digest(alg, self.operand_b, _short(self.offset), _short(self.operation))
        return digest(alg, before, self.code.to_bytes(4, "big"), args)

    @classmethod
    def spellings(cls, octets: bytes) -> tuple[bytes, ...]:
        """openssl_tpm2_engine: operandB without its size."""
        return octets, len(octets[:-4]).to_bytes(2, "big") + octets


class PolicyNV(Statement, code=TPM_CC.PolicyNV):
    """The NV index of this Name, from `offset` on, compares to `operand_b` as `operation` says (Part 3, §23.9).

    `nv_index` is where the index is; it is read by its own, empty, authValue. The Name takes in whether the index
    was written.
    """

    nv_index: TPM_HANDLE
    nv_name: TPM2B_NAME
    operand_b: TPM2B_OPERAND
    offset: UINT16
    operation: TPM_EO_ID

    def state(self, tpm: "Tpm", session: int, authorized: "tuple[Password | Use, ...]" = ()) -> None:
        """Has the TPM compare. Raises TpmError."""
        from ..sessions import Password

        tpm.execute(self.command(session), *(authorized or (Password(),)))

    def extended(self, alg: TPM_ALG, before: bytes) -> bytes:
        """policyDigest after this statement."""
        args = digest(alg, self.operand_b, _short(self.offset), _short(self.operation))
        return digest(alg, before, self.code.to_bytes(4, "big"), args, self.nv_name)

    def command(self, session: int) -> Command:
        """The command; its first handle, the index itself, wants the index's authorization."""
        return policies.PolicyNV(
            self.nv_index, self.nv_index, session, self.operand_b, self.offset, self.operation
        )


class PolicyCpHash(Statement, code=TPM_CC.PolicyCpHash):
    """One command with its parameters is authorized, by its cpHash (Part 3, §23.13)."""

    cp_hash_a: TPM2B_DIGEST

    def extended(self, alg: TPM_ALG, before: bytes) -> bytes:
        """policyDigest after this statement."""
        return _hashed(self, alg, before, self.cp_hash_a)


class PolicyNameHash(Statement, code=TPM_CC.PolicyNameHash):
    """Commands on these objects are authorized, by the hash of their Names (Part 3, §23.14)."""

    name_hash: TPM2B_DIGEST

    def extended(self, alg: TPM_ALG, before: bytes) -> bytes:
        """policyDigest after this statement."""
        return _hashed(self, alg, before, self.name_hash)


class PolicyTemplate(Statement, code=TPM_CC.PolicyTemplate):
    """Making an object of this template is authorized, by the template's hash (Part 3, §23.21)."""

    template_hash: TPM2B_DIGEST

    def extended(self, alg: TPM_ALG, before: bytes) -> bytes:
        """policyDigest after this statement."""
        return _hashed(self, alg, before, self.template_hash)


class PolicyNvWritten(Statement, code=TPM_CC.PolicyNvWritten):
    """The NV index that is authorized was written, or never was (Part 3, §23.20)."""

    written_set: TPMI_YES_NO


def _short(value: int) -> bytes:
    return int(value).to_bytes(2, "big")


def _hashed(statement: Statement, alg: TPM_ALG, before: bytes, value: bytes) -> bytes:
    if not value:
        raise PolicyError(f"{type(statement).__name__} without a hash: give it")
    return digest(alg, before, statement.code.to_bytes(4, "big"), value)
