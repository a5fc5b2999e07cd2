"""A session inside the TPM: its key, rolling nonce, and what its policy commands have required (Part 1, §19)."""

from dataclasses import dataclass, field

from ..crypto.formulas import digest_size, trimmed
from ..spec.command import Role
from ..spec.constants import TPM_SE, TPMA_LOCALITY, TPMA_SESSION
from ..spec.response_codes import TPM_RC
from ..spec.structures import TPMS_AUTH_COMMAND, TPMT_SYM_DEF
from .entities import Entity
from .refusal import Refusal

__all__ = ["Authorization", "PolicyState", "SoftSession", "binding_of"]


@dataclass
class PolicyState:
    """What a policy session requires of the command that it authorizes. Each policy command adds to it.

    `digest` is policyDigest. Times are in milliseconds of the TPM's time. `written` is None unless
    TPM2_PolicyNvWritten has set it.
    """

    digest: bytes
    command_code: int = 0
    cp_hash: bytes = b""
    name_hash: bytes = b""
    template_hash: bytes = b""
    pcr_counter: int = 0
    checks_pcr: bool = False
    timeout: int = 0
    locality: TPMA_LOCALITY | int = 0
    auth_value: bool = False
    password: bool = False
    presence: bool = False
    written: bool | None = None


@dataclass
class SoftSession:
    """An HMAC, policy or trial session. `bound` identifies the entity that the session is bound to."""

    handle: int
    kind: TPM_SE
    auth_hash: int
    symmetric: TPMT_SYM_DEF
    key: bytes
    nonce_tpm: bytes
    bound: bytes = b""
    protected_bind: bool = False
    started: int = 0
    policy: PolicyState = field(init=False)
    audit_digest: bytes = b""

    def __post_init__(self) -> None:
        self.restart_policy()

    def restart_policy(self) -> None:
        """Returns the policy state to that of a new session (TPM2_PolicyRestart)."""
        self.policy = PolicyState(bytes(digest_size(self.auth_hash)))

    @property
    def trial(self) -> bool:
        """Whether the session only computes a policyDigest."""
        return self.kind == TPM_SE.TRIAL


@dataclass
class Authorization:
    """One authorization of the command. `session` is None for a password, `entity` for a companion session."""

    number: int
    sent: TPMS_AUTH_COMMAND
    session: SoftSession | None
    entity: Entity | None = None
    role: Role = Role.HANDLE

    @property
    def attributes(self) -> TPMA_SESSION:
        """The session attributes that the command sent."""
        return self.sent.session_attributes

    def refused(self, code: TPM_RC) -> Refusal:
        """Returns the refusal of this session."""
        return Refusal(code, session=self.number)


def binding_of(entity: Entity) -> bytes:
    """Returns a value that identifies an entity by Name and authValue. A bound session keeps it."""
    return entity.name + b"\0" + trimmed(entity.auth)
