"""The entities that commands name by handle: hierarchies, PCRs, NV indices, objects (Part 1, §16 and §19).

An entity has a Name, an authValue and a policy. Its class decides which kinds of authorization it accepts.
"""

from dataclasses import dataclass, field

from ..crypto.formulas import name_of, nv_name_of
from ..spec.command import Role
from ..spec.constants import TPM_ALG, TPM_HT, TPM_RH, TPMA_NV, TPMA_OBJECT
from ..spec.properties import TPM_NT
from ..spec.storage import TPMS_NV_PIN_COUNTER_PARAMETERS, TPMS_NV_PUBLIC
from ..spec.structures import TPMT_PUBLIC, TPMT_SENSITIVE

__all__ = ["Entity", "Hierarchy", "KeyedObject", "NvIndex", "Pcr"]


@dataclass(repr=False)
class Entity:
    """An entity that can authorize commands. `auth` is the authValue; `policy` is (authPolicy, hash algorithm)."""

    handle: int
    auth: bytes = b""
    policy: bytes = b""
    policy_alg: int = TPM_ALG.NULL

    @property
    def name(self) -> bytes:
        """The Name of the entity: the handle, if the entity has no public area (Part 1, §16)."""
        return self.handle.to_bytes(4, "big")

    @property
    def protected(self) -> bool:
        """Whether a wrong authValue counts as a failure towards lockout (Part 1, §19.8)."""
        return False

    def takes_auth(self, role: Role, writes: bool) -> bool:
        """Returns whether the authValue can authorize a command in this role.

        `writes` is true for commands that change NV data.
        """
        return True

    def takes_policy(self, role: Role, writes: bool) -> bool:
        """Returns whether the policy can authorize a command in this role.

        `writes` is true for commands that change NV data.
        """
        return self.policy_alg != TPM_ALG.NULL

    def needs_policy(self, role: Role) -> bool:
        """Returns whether only the policy can authorize a command in this role."""
        return False


@dataclass(repr=False)
class Hierarchy(Entity):
    """A hierarchy or lockout, with the seed of its primary keys and the proof for its tickets and contexts."""

    seed: bytes = b""
    proof: bytes = b""
    enabled: bool = True

    @property
    def protected(self) -> bool:
        """Whether a wrong authValue counts as a failure: only for lockout, which has its own recovery time."""
        return self.handle == TPM_RH.LOCKOUT


@dataclass(repr=False)
class Pcr(Entity):
    """A PCR as an entity that commands name by handle. `PcrBanks` has the PCR values."""

    def needs_policy(self, role: Role) -> bool:
        """Returns whether only the policy can authorize a command: yes, if the PCR has a policy."""
        return self.policy_alg != TPM_ALG.NULL


@dataclass(repr=False)
class NvIndex(Entity):
    """An NV index: its public area and its data."""

    public: TPMS_NV_PUBLIC = field(default=None)  # type: ignore[assignment]
    data: bytes = b""

    @property
    def name(self) -> bytes:
        """The Name of the index: nameAlg || H(public area)."""
        return nv_name_of(self.public)

    @property
    def protected(self) -> bool:
        """Whether a wrong authValue counts as a failure: yes, unless TPMA_NV_NO_DA is set."""
        return not self.has(TPMA_NV.NO_DA)

    def has(self, attribute: TPMA_NV) -> bool:
        """Returns whether any bit of `attribute` is set."""
        return bool(self.public.attributes & attribute)

    def set(self, attributes: TPMA_NV, on: bool = True) -> None:
        """Sets the given attributes, or clears them if `on` is false."""
        old = self.public.attributes
        self.public = self.public.replace(attributes=TPMA_NV(old | attributes if on else old & ~attributes))

    @property
    def type(self) -> int:
        """The index's type (TPM_NT)."""
        return int(self.public.attributes) >> 4 & 0xF

    def takes_auth(self, role: Role, writes: bool) -> bool:
        """Returns whether AUTHWRITE or AUTHREAD lets the index's own authValue authorize a command.

        `writes` selects AUTHWRITE. Reads of a PIN index need no AUTHREAD, but a PIN count below the PIN limit.
        """
        if writes or self.pin is None:
            return self.has(TPMA_NV.AUTHWRITE if writes else TPMA_NV.AUTHREAD)
        return self.pin.pin_count < self.pin.pin_limit

    @property
    def pin(self) -> TPMS_NV_PIN_COUNTER_PARAMETERS | None:
        """The PIN count and PIN limit of a PIN_PASS or PIN_FAIL index, both 0 before the first write.

        None for an index of another type.
        """
        if self.type not in (TPM_NT.PIN_FAIL, TPM_NT.PIN_PASS):
            return None
        return TPMS_NV_PIN_COUNTER_PARAMETERS.parse(self.data if self.has(TPMA_NV.WRITTEN) else bytes(8))

    def count_use(self, right: bool) -> None:
        """Updates the PIN count after an authorization, which was correct if `right` is true (Part 1, §37.2).

        A PIN_PASS index counts correct authorizations. A PIN_FAIL index counts consecutive failures.
        """
        pin = self.pin
        if pin is None or not self.has(TPMA_NV.WRITTEN):
            return
        passes = self.type == TPM_NT.PIN_PASS
        if passes == right:
            self.data = pin.replace(pin_count=pin.pin_count + 1).build()
        elif right:
            self.data = pin.replace(pin_count=0).build()

    def takes_policy(self, role: Role, writes: bool) -> bool:
        """Returns whether POLICYWRITE, POLICYREAD or the role ADMIN lets the policy authorize a command."""
        allowed = role is Role.ADMIN or self.has(TPMA_NV.POLICYWRITE if writes else TPMA_NV.POLICYREAD)
        return bool(self.policy) and allowed

    def needs_policy(self, role: Role) -> bool:
        """Returns whether only the policy can authorize a command: always for the role ADMIN."""
        return role is Role.ADMIN


@dataclass(repr=False)
class KeyedObject(Entity):
    """A loaded object: a key or sealed data. `sensitive` is None for a public key.

    `hierarchy` is the handle of the object's hierarchy, `qualified_name` is the qualified Name.
    `external` is set for an object of TPM2_LoadExternal and for its descendants. `st_clear` is set if the object
    or an ancestor has stClear. `primary` is set for a primary object.
    """

    public: TPMT_PUBLIC = field(default=None)  # type: ignore[assignment]
    sensitive: TPMT_SENSITIVE | None = None
    hierarchy: int = TPM_RH.NULL
    qualified_name: bytes = b""
    external: bool = False
    st_clear: bool = False
    primary: bool = False

    @property
    def name(self) -> bytes:
        """The Name of the object: nameAlg || H(public area)."""
        return name_of(self.public)

    @property
    def persistent(self) -> bool:
        """Whether the object is a persistent object."""
        return self.handle >> 24 == TPM_HT.PERSISTENT

    @property
    def protected(self) -> bool:
        """Whether a wrong authValue counts as a failure: yes, unless noDA is set."""
        return not self.has(TPMA_OBJECT.NO_DA)

    def has(self, attributes: TPMA_OBJECT) -> bool:
        """Returns whether all given attributes of the object are set."""
        return self.public.object_attributes & attributes == attributes

    @property
    def is_parent(self) -> bool:
        """Whether the object can have children: a restricted decryption key with its private part loaded."""
        # A keyed-hash object with these attributes is a derivation parent.
        return (
            self.public.type != TPM_ALG.KEYEDHASH
            and self.sensitive is not None
            and self.has(TPMA_OBJECT.RESTRICTED | TPMA_OBJECT.DECRYPT)
        )

    def takes_auth(self, role: Role, writes: bool) -> bool:
        """Returns whether the authValue can authorize a command: the private part must be loaded.

        For the role USER, userWithAuth must also be set.
        """
        if self.sensitive is None:
            return False
        return role is not Role.USER or self.has(TPMA_OBJECT.USER_WITH_AUTH)

    def takes_policy(self, role: Role, writes: bool) -> bool:
        """Returns whether the policy can authorize a command: the private part must be loaded.

        An empty policy is rejected later, when the policy digests are compared.
        """
        return self.sensitive is not None

    def needs_policy(self, role: Role) -> bool:
        """Returns whether only the policy can authorize a command.

        Returns True for the role DUP, and for the role ADMIN of an object with adminWithPolicy.
        """
        return role is Role.DUP or (role is Role.ADMIN and self.has(TPMA_OBJECT.ADMIN_WITH_POLICY))
