"""The usual policy statements: PCR values, passwords, one command, alternatives, duplication."""

from collections.abc import Mapping
from typing import Annotated, Any, Protocol, Self

from ..crypto.formulas import digest, digest_size
from ..errors import DecodeError, PolicyError
from ..record import NO_BYTES, Record
from ..spec.command import Command
from ..spec.commands import policies
from ..spec.constants import TPM_ALG, TPM_CC, TPM_HT, TPM_RH
from ..spec.structures import (
    TPM2B_DIGEST,
    TPM2B_NAME,
    TPM2B_NONCE,
    TPM_CC_ID,
    TPM_HANDLE,
    TPMI_YES_NO,
    TPML_DIGEST,
    TPML_PCR_SELECTION,
    TPMS_PCR_SELECTION,
)
from .digest_rule import DigestRule
from .pcr_selection import bank_name, format_pcrs, parse_pcr_values, pcrs_in
from .statement import Json, Statement

__all__ = [
    "PolicyAuthValue",
    "PolicyCommandCode",
    "PolicyDuplicationSelect",
    "PolicyOR",
    "PolicyPCR",
    "PolicyPassword",
    "PolicySecret",
]

_DIGEST_SIZES = (32, 48, 64, 20)
"""Bytes of a digest, the usual hashes first."""


class _HasDigest(Protocol):
    def digest(self, alg: TPM_ALG) -> bytes: ...


def _add_size(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


class PolicyPCR(
    Statement, code=TPM_CC.PolicyPCR, says="{selection} {state_of_pcrs}", hashes=("pcrs", "pcr_digest")
):
    """Requires that the hash of the selected PCRs' values is `pcr_digest` (Part 3, §23.7).

    The hash algorithm is the policy's. An empty `pcr_digest` stands for the values at the time of the command.
    """

    pcr_digest: Annotated[TPM2B_DIGEST, Json("digest", default=b"")]
    pcrs: TPML_PCR_SELECTION

    @classmethod
    def of_values(
        cls,
        alg: TPM_ALG,
        pcrs: tuple[TPMS_PCR_SELECTION, ...],
        values: Mapping[tuple[TPM_ALG, int], bytes],
    ) -> Self:
        """Returns the statement that requires these values of the PCRs `pcrs`.

        `alg` is the policy's hash algorithm. `values` contains the PCR values by bank and number. Raises
        PolicyError if a value is missing.
        """
        parts = []
        for bank, number in pcrs_in(pcrs):
            value = values.get((bank, number))
            if value is None:
                raise PolicyError(f"missing the value of PCR {number} in bank {bank_name(bank)}; read it first")
            if len(value) != digest_size(bank):
                raise PolicyError(
                    f"PCR {number} in bank {bank_name(bank)}: expected {digest_size(bank)} bytes, got {len(value)}"
                )
            parts.append(value)
        return cls(digest(alg, *parts), pcrs)

    def extended(self, alg: TPM_ALG, before: bytes) -> bytes:
        """Returns policyDigest after this statement. Raises PolicyError if `pcr_digest` is empty."""
        if not self.pcr_digest:
            raise PolicyError(
                "the policy uses the current PCR values; give the values to compute the policy digest"
            )
        return super().extended(alg, before)

    @classmethod
    def spellings(cls, data: bytes) -> tuple[bytes, ...]:
        """Returns the candidate encodings of a statement in a key file.

        The candidates are `data` unchanged, and `data` converted from openssl_tpm2_engine's encoding (the
        selection, then the digest without its size) to the encoding of the TSS2 key file draft.
        """
        turned = [_add_size(data[-size:]) + data[:-size] for size in _DIGEST_SIZES if size < len(data)]
        return (data, *turned)

    @classmethod
    def expand_json(cls, fields: dict[str, Any], alg: TPM_ALG) -> dict[str, Any]:
        """Returns the JSON fields, with the PCR values in `pcrs` replaced by their digest.

        Raises PolicyError if a value is missing.
        """
        selection, values = parse_pcr_values(fields["pcrs"])
        fields = {**fields, "pcrs": format_pcrs(selection)}
        if fields.get("digest") or not values:
            return fields
        missing = [number for bank, number in pcrs_in(selection) if (bank, number) not in values]
        if missing:
            raise PolicyError(
                f"PCR {missing[0]} has no value, but other PCRs have one; give a value for all PCRs, or for none"
            )
        return {**fields, "digest": cls.of_values(alg, selection, values).pcr_digest.hex()}

    @property
    def selection(self) -> str:
        """The selected PCRs, such as `sha256:7,23`."""
        return format_pcrs(self.pcrs)

    @property
    def state_of_pcrs(self) -> str:
        """Returns the required hash of the PCRs, as display text."""
        return f"hash to {self.pcr_digest.hex()}" if self.pcr_digest else "are as they are now"


class PolicyAuthValue(Statement, code=TPM_CC.PolicyAuthValue, says="the key's password"):
    """Requires the object's authValue, proven by the session's HMAC (Part 3, §23.17)."""


class PolicyPassword(
    Statement, code=TPM_CC.PolicyPassword, says="the key's password", hashed_as=TPM_CC.PolicyAuthValue
):
    """Requires the object's authValue in cleartext (Part 3, §23.18).

    The digest is the same as for PolicyAuthValue.
    """


class PolicyCommandCode(Statement, code=TPM_CC.PolicyCommandCode, says="TPM2_{code_} only"):
    """Restricts the policy to this command (Part 3, §23.11)."""

    code_: Annotated[TPM_CC_ID, Json("command")]


class PolicySecret(
    Statement,
    code=TPM_CC.PolicySecret,
    says="the password of {entity}{reference}",
    hashes=("object_name",),
    then="policy_ref",
    names={"object_name": "auth_handle"},
):
    """Requires the authValue of the entity with this Name (Part 3, §23.4).

    `object_hint` is the entity's handle, or 0. It is not part of the policy.
    """

    object_hint: Annotated[TPM_HANDLE, Json("handle", default=0)]
    object_name: Annotated[TPM2B_NAME, Json("name", default=b"")]
    policy_ref: TPM2B_NONCE = NO_BYTES
    short_forms = ("hierarchy",)

    @property
    def wants_authorization(self) -> bool:
        """Returns True, because `state` needs the authorization of the entity."""
        return True

    @classmethod
    def of(cls, handle: int, policy_ref: bytes = b"") -> Self:
        """Returns the statement for an entity whose Name is its handle: a hierarchy or a PCR.

        Raises PolicyError for an object or NV index.
        """
        if handle >> 24 not in (TPM_HT.PERMANENT, TPM_HT.PCR):
            raise PolicyError(
                f"handle 0x{handle:08x}: this entity's Name is required; read it with TPM2_ReadPublic or "
                "TPM2_NV_ReadPublic"
            )
        return cls(handle, handle.to_bytes(4, "big"), policy_ref)

    @classmethod
    def spellings(cls, data: bytes) -> tuple[bytes, ...]:
        """Returns the candidate encodings of a statement in a key file.

        Each candidate is `data` converted to the encoding of the current TSS2 key file draft. Drafts before 2023
        have no objectHint. tpm2genkey writes policyRef without a size.
        """
        # A Name is never empty and always shorter than 0x43 bytes, so the bytes show whether they begin with a
        # hint.
        if int.from_bytes(data[:2], "big") in range(1, 0x43):
            data = bytes(4) + data
        end = 6 + int.from_bytes(data[4:6], "big")
        return (data, data[:end] + _add_size(data[end:]))

    @classmethod
    def expand_json(cls, fields: dict[str, Any], alg: TPM_ALG) -> dict[str, Any]:
        """Returns the JSON fields with `name`; derives a missing one from `hierarchy` or `handle`.

        `handle` replaces `hierarchy`. Raises PolicyError for an unknown hierarchy, for a missing entity, and for a
        handle whose Name must be given.
        """
        fields = dict(fields)
        if "hierarchy" in fields:
            name = fields.pop("hierarchy").upper()
            if name not in TPM_RH.__members__:
                raise PolicyError(f"PolicySecret: {name[:40]!r} is not a valid hierarchy; use e.g. owner")
            fields["handle"], fields["name"] = int(TPM_RH[name]), ""
        if fields.get("name"):
            return fields
        if "handle" not in fields:
            raise PolicyError(
                "PolicySecret needs the entity whose password is required; add hierarchy, handle or name"
            )
        entity = cls.of(int(str(fields["handle"]), 0))
        return {**fields, "name": entity.object_name.hex()}

    def command(self, session: int) -> Command:
        """Returns the command. Its first handle needs the entity's authorization.

        Raises PolicyError if the entity is an object or NV index whose handle is unknown.
        """
        handle = self.object_hint
        if not handle:
            if len(self.object_name) != 4:
                raise PolicyError(
                    "the policy needs the authorization of an object but does not name its handle; add the handle"
                )
            handle = int.from_bytes(self.object_name, "big")
        return policies.PolicySecret(handle, session, policy_ref=self.policy_ref)

    @property
    def entity(self) -> str:
        """Returns the hierarchy, handle or Name of the entity, as display text."""
        if len(self.object_name) != 4:
            return self.object_name.hex()
        handle = TPM_RH(int.from_bytes(self.object_name, "big"))
        return f"the {handle.name.lower()} hierarchy" if handle.known else f"0x{handle:08x}"

    @property
    def reference(self) -> str:
        """Returns the part of the display text about policyRef, or "" without policyRef."""
        return f", reference {self.policy_ref.hex()}" if self.policy_ref else ""


class PolicyOR(Statement, code=TPM_CC.PolicyOR, says="one of {p_hash_list}", restarts=True):
    """Requires that the digest of the preceding statements is one of 2 to 8 digests (Part 3, §23.6)."""

    p_hash_list: Annotated[TPML_DIGEST, Json("digests")]
    short_forms = ("branches",)

    @classmethod
    def of(cls, alg: TPM_ALG, *branches: _HasDigest | bytes) -> Self:
        """Returns the statement for 2 to 8 policies or policy digests. Raises PolicyError for any other number.

        `alg` is the policy's hash algorithm.
        """
        if not 2 <= len(branches) <= 8:
            raise PolicyError(
                f"PolicyOR: expected 2 to 8 branches, got {len(branches)}; nest a PolicyOR for more branches"
            )
        return cls(tuple(b if isinstance(b, bytes) else b.digest(alg) for b in branches))

    @classmethod
    def expand_json(cls, fields: dict[str, Any], alg: TPM_ALG) -> dict[str, Any]:
        """Returns the JSON fields unchanged. Raises PolicyError if there are not 2 to 8 digests."""
        cls.of(alg, *map(bytes.fromhex, fields["digests"]))
        return fields


class PolicyDuplicationSelect(
    Statement, code=TPM_CC.PolicyDuplicationSelect, says="duplication{source} to {new_parent_name} only"
):
    """Restricts the policy to duplication to this new parent (Part 3, §23.15).

    `include_object` makes the object's Name part of the policy too.
    """

    object_name: Annotated[TPM2B_NAME, Json(default=b"")]
    new_parent_name: TPM2B_NAME
    include_object: Annotated[TPMI_YES_NO, Json(default=False)]

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parses a statement from the bytes in a key file.

        Raises DecodeError if the bytes are not valid, or if include_object is not 0 or 1.
        """
        statement = cls.parse(data)
        if not isinstance(statement.include_object, bool):
            raise DecodeError(f"expected TPMI_YES_NO 0 or 1, got {statement.include_object}", len(data) - 1, 1)
        return statement

    @classmethod
    def digest_rule(cls, given: Record) -> DigestRule:
        """Returns the rule by which `given` extends policyDigest.

        The rule omits the object's Name if include_object is false or the Name is empty.
        """
        values: Any = given
        included = values.include_object and values.object_name
        return cls.rule if included else cls.rule._replace(parts=cls.rule.parts[1:])

    @property
    def names_objects(self) -> bool:
        """Returns whether the object's Name is part of the policy."""
        return bool(self.include_object)

    @property
    def source(self) -> str:
        """Returns the display text of the object if it is part of the policy, else ""."""
        return f" of {self.object_name.hex()}" if self.include_object else ""
