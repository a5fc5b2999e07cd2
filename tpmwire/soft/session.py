"""Sessions of the soft TPM: session key, rolling nonces and policy state (Part 1, §19)."""

from dataclasses import dataclass, field

from ..crypto.formulas import digest_size, trimmed
from ..spec.command import Role
from ..spec.constants import TPM_SE, TPMA_LOCALITY, TPMA_SESSION
from ..spec.response_codes import TPM_RC
from ..spec.structures import TPMS_AUTH_COMMAND, TPMT_SYM_DEF
from .entities import Entity
from .refusal import Refusal

__all__ = ["Authorization", "PolicyState", "SoftSession", "binding_of"]


@dataclass(repr=False)
class PolicyState:
    """The requirements that policy commands have added to a policy session.

    `digest` is policyDigest. Times are in milliseconds of the TPM's time. `written` is None until
    TPM2_PolicyNvWritten sets it.
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


@dataclass(repr=False)
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
    lockout_bind: bool = False
    started: int = 0
    policy: PolicyState = field(init=False)
    audit_digest: bytes = b""

    def __post_init__(self) -> None:
        self.restart_policy()

    def restart_policy(self) -> None:
        """Resets the policy state to that of a new session (TPM2_PolicyRestart)."""
        self.policy = PolicyState(bytes(digest_size(self.auth_hash)))

    @property
    def trial(self) -> bool:
        """Whether the session is a trial session, which only computes a policyDigest."""
        return self.kind == TPM_SE.TRIAL


@dataclass(repr=False)
class Authorization:
    """One authorization of a command. `session` is None for a password.

    `entity` is None for a session that authorizes no entity, such as an audit session. `includes_auth` is set if
    the HMAC keys of the command and the response have the entity's authValue, even if the command changes it.
    """

    number: int
    sent: TPMS_AUTH_COMMAND
    session: SoftSession | None
    entity: Entity | None = None
    role: Role = Role.HANDLE
    includes_auth: bool = False

    @property
    def attributes(self) -> TPMA_SESSION:
        """The session attributes in the command."""
        return self.sent.session_attributes

    def refused(self, code: TPM_RC) -> Refusal:
        """Returns a Refusal with this session's number."""
        return Refusal(code, session=self.number)


def binding_of(entity: Entity) -> bytes:
    """Returns bytes that identify an entity by its Name and authValue, for bound sessions."""
    return entity.name + b"\0" + trimmed(entity.auth)
