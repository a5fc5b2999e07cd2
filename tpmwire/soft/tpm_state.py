"""The state of a soft TPM, which command handlers read and change (Part 1, §36 and §37).

`frame` executes commands. The handlers are in `commands`, one module for each chapter of Part 3.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ..spec.constants import TPM_ALG, TPM_CC, TPM_HT, TPM_RH, TPM_SU, TPMA_NV
from ..spec.properties import TPM_NT
from ..spec.response_codes import TPM_RC
from .entities import Entity, Hierarchy, KeyedObject, NvIndex, Pcr
from .faults import Faults
from .observer import Report
from .pcr_banks import AUTHORIZED, COUNT, PcrBanks
from .random import Generator
from .refusal import Refusal
from .session import SoftSession

__all__ = ["ALGORITHM_CHANGED", "TpmState"]

LOADED_MAX = 3
"""Maximum number of transient objects, and of loaded sessions, as in swtpm."""

SESSIONS_MAX = 64
"""Maximum number of sessions, loaded or saved."""

SEED_SIZE = 64
CLOCK_UPDATE = 4096
"""Time in milliseconds between the times when the TPM stores its clock (TPM_PT_CLOCK_UPDATE)."""
ALGORITHM_CHANGED = b"\0"
"""The audit digest while TPM2_SetCommandCodeAuditStatus changes the algorithm; that command is not audited."""


@dataclass(repr=False)
class Lockout:
    """The state of the protection against dictionary attacks (Part 1, §19.8). Times are in seconds.

    `since` is the time of the last change of the failure count. `disabled_at` is the time when lockoutAuth was
    disabled.
    """

    failed: int = 0
    max_tries: int = 3
    recovery: int = 1000
    lockout_recovery: int = 1000
    enabled: bool = True
    since: int = 0
    disabled_at: int = 0

    def fail(self, time: int) -> None:
        """Increments the count of failed authorizations. `time` is the TPM's time in seconds."""
        if not self.failed:
            self.since = time
        self.failed += 1

    def heal(self, time: int) -> None:
        """Decreases the failure count by 1 per elapsed recovery time, and enables lockoutAuth after its own.

        `time` is the TPM's time in seconds.
        """
        if self.failed and self.recovery:
            periods = (time - self.since) // self.recovery
            self.failed = max(0, self.failed - periods)
            self.since += periods * self.recovery
        if not self.enabled and self.lockout_recovery and time - self.disabled_at >= self.lockout_recovery:
            self.enabled = True


@dataclass(repr=False)
class TpmState:
    """The complete state of a soft TPM. With `seed`, all random values are repeatable.

    `observe(step, detail)` is called at each internal step; its details contain secrets if `show_secrets` is true.
    `now` is a function that returns the time in seconds.
    """

    seed: bytes | None = None
    observe: Report | None = None
    show_secrets: bool = False
    now: Callable[[], float] = time.monotonic
    faults: Faults = Faults()  # noqa: RUF009 - immutable
    retries: int = 0
    locality: int = 0
    started: bool = False
    generator: Generator = field(init=False)
    began: float = 0.0
    hierarchies: dict[int, Hierarchy] = field(default_factory=dict)
    pcrs: PcrBanks = field(default_factory=PcrBanks)
    indices: dict[int, NvIndex] = field(default_factory=dict)
    persistent: dict[int, KeyedObject] = field(default_factory=dict)
    transient: dict[int, Entity] = field(default_factory=dict)
    sessions: dict[int, SoftSession] = field(default_factory=dict)
    saved_sessions: dict[int, int] = field(default_factory=dict)
    lockout: Lockout = field(default_factory=Lockout)
    disable_clear: bool = False
    platform_nv: bool = True
    clock_offset: int = 0
    reset_count: int = 0
    total_resets: int = 0
    restart_count: int = 0
    context_counter: int = 0
    highest_counter: int = 0
    commit_counter: int = 0
    open_commits: list[int] = field(default_factory=list)
    orderly: int | None = TPM_SU.CLEAR
    was_orderly: bool = True
    unsafe_from: int | None = None
    da_used: bool = False
    audit_commands: set[int] = field(default_factory=lambda: {TPM_CC.SetCommandCodeAuditStatus})
    audit_alg: int = TPM_ALG.SHA512
    audit_counter: int = 0
    audit_digest: bytes = b""
    exclusive_session: int = 0
    pcr_auth: bytes = b""
    pcr_policy: bytes = b""
    pcr_policy_alg: int = TPM_ALG.NULL
    next_banks: dict[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.generator = Generator(self.seed)
        self.began = self.now()
        for handle in (TPM_RH.OWNER, TPM_RH.ENDORSEMENT, TPM_RH.PLATFORM, TPM_RH.NULL, TPM_RH.LOCKOUT):
            self.hierarchies[handle] = Hierarchy(handle)
            self.renew(handle)

    def power_off(self) -> None:
        """Switches the TPM off and on: its volatile state is lost, and it needs TPM2_Startup (_TPM_Init)."""
        elapsed = self.time
        self.started = False
        self.transient.clear()
        self.sessions.clear()
        self.clock_offset += elapsed
        self.began = self.now()
        # Times of the lockout are relative to the TPM's time, which starts again.
        self.lockout.since -= elapsed // 1000
        self.lockout.disabled_at -= elapsed // 1000

    def renew(self, handle: int) -> None:
        """Replaces the seed and the proof of the hierarchy with this handle."""
        self.hierarchies[handle].seed = self.generator.bytes(SEED_SIZE)
        self.hierarchies[handle].proof = self.generator.bytes(SEED_SIZE)

    @property
    def time(self) -> int:
        """Time since the TPM was switched on, in milliseconds."""
        return int((self.now() - self.began) * 1000)

    @property
    def clock(self) -> int:
        """TPMS_CLOCK_INFO.clock, in milliseconds."""
        return self.time + self.clock_offset

    @property
    def clock_safe(self) -> bool:
        """TPMS_CLOCK_INFO.safe: whether the clock never showed a later time (Part 1, §36.3).

        After a start without TPM2_Shutdown, the clock is safe again when the TPM has stored it.
        """
        return self.unsafe_from is None or self.clock // CLOCK_UPDATE != self.unsafe_from // CLOCK_UPDATE

    def hierarchy(self, handle: int) -> Hierarchy:
        """Returns the hierarchy with this handle."""
        return self.hierarchies[handle]

    def key(self, handle: int) -> KeyedObject:
        """Returns the loaded object with this handle. Raises KeyError for a handle of another entity."""
        found = self.entity(handle)
        if not isinstance(found, KeyedObject):
            raise KeyError(handle)
        return found

    def entity(self, handle: int) -> Entity:
        """Returns the entity with this handle. Raises KeyError if the handle is not in use."""
        kind = handle >> 24
        if kind == TPM_HT.TRANSIENT:
            return self.transient[handle]
        if kind == TPM_HT.PERSISTENT:
            return self.persistent[handle]
        if kind == TPM_HT.NV_INDEX:
            return self.indices[handle]
        if kind == TPM_HT.PCR and handle < COUNT:
            if handle in AUTHORIZED:
                return Pcr(handle, self.pcr_auth, self.pcr_policy, self.pcr_policy_alg)
            return Pcr(handle)
        return self.hierarchies[handle]

    def check_memory(self) -> None:
        """Raises Refusal if the memory for transient objects is full."""
        if len(self.transient) >= LOADED_MAX:
            raise Refusal(TPM_RC.OBJECT_MEMORY)

    def add_transient(self, entity: Entity) -> int:
        """Loads an object or sequence, and returns its new handle. Raises Refusal if the memory is full."""
        self.check_memory()
        handle = next(h for h in range(0x80000000, 0x80000000 + LOADED_MAX) if h not in self.transient)
        entity.handle = handle
        self.transient[handle] = entity
        return handle

    def flush_hierarchy(self, handle: int) -> None:
        """Removes all loaded objects of the hierarchy with this handle."""
        for number, found in list(self.transient.items()):
            if isinstance(found, KeyedObject) and found.hierarchy == handle:
                del self.transient[number]

    def proof(self, hierarchy: int) -> bytes:
        """Returns the proof of the hierarchy with this handle, which is the HMAC key of its tickets."""
        return self.hierarchies[hierarchy].proof

    def forget_volatile_nv(self, *, reset: bool) -> None:
        """Clears the volatile attributes of the NV indices at TPM2_Startup(CLEAR) (Part 1, §37.2).

        Releases the read and write locks that last until a startup. Marks indices with TPMA_NV_CLEAR_STCLEAR as
        not written, and on a TPM reset also those with TPMA_NV_ORDERLY. Counters keep their value.
        """
        for index in self.indices.values():
            forgets = index.has(TPMA_NV.CLEAR_STCLEAR) or (reset and index.has(TPMA_NV.ORDERLY))
            if forgets and index.type != TPM_NT.COUNTER:
                index.set(TPMA_NV.WRITTEN, False)
            if index.has(TPMA_NV.READ_STCLEAR):
                index.set(TPMA_NV.READLOCKED, False)
            if not (index.has(TPMA_NV.WRITEDEFINE) and index.has(TPMA_NV.WRITTEN)):
                index.set(TPMA_NV.WRITELOCKED, False)
