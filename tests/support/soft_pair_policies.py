"""Random policies that both TPMs of `soft_pair` mostly satisfy, NV indices, lockout, and switching off and on."""

import socket
from collections.abc import Callable
from typing import Any

from tests.support.soft_pair_core import NO_SCHEME
from tests.support.soft_pair_keys import NO_TICKET
from tests.support.soft_pair_objects import CIPHER, NV_OPEN, ObjectPair
from tests.support.soft_pair_wide import RSA
from tpmwire import commands
from tpmwire.crypto.formulas import digest
from tpmwire.keys import templates
from tpmwire.sessions import Password, SessionStart
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_RH, TPM_SE, TPM_SU, TPMA_LOCALITY, TPMA_OBJECT
from tpmwire.spec.properties import TPM_CAP, TPM_EO, TPM_PT, TPMA_NV
from tpmwire.spec.storage import TPMS_NV_PUBLIC
from tpmwire.spec.structures import (
    TPMS_PCR_SELECTION,
    TPMS_RSA_PARMS,
    TPMS_SCHEME_HASH,
    TPMT_HA,
    TPMT_PUBLIC,
    TPMT_RSA_SCHEME,
    TPMT_SENSITIVE,
    TPMT_SYM_DEF_OBJECT,
)

__all__ = ["PolicyPair"]

A, N = TPMA_OBJECT, TPMA_NV
INDEX, POLICY_INDEX = 0x01500007, 0x01500008
PIN_FAIL, PIN_PASS = 8, 9
CMD_INIT, CMD_SET_LOCALITY = 2, 5
Step = tuple[Callable[[int, int], Any], tuple[int, ...]]
"""A policy command, made from (TPM, session), and the handles whose passwords it needs."""


class PolicyPair(ObjectPair):
    """Two TPMs that get policies, NV commands, wrong passwords and restarts, and the commands of ObjectPair.

    `control` is the path of swtpm's control socket.
    """

    control = ""

    # Policies.

    def _signing_key(self) -> tuple[int, bytes]:
        """Loads the same RSA key in both TPMs. Returns its handle or 0, and its Name."""
        scheme = TPMT_RSA_SCHEME(TPM_ALG.RSASSA, TPMS_SCHEME_HASH(TPM_ALG.SHA256))
        parameters = TPMS_RSA_PARMS(TPMT_SYM_DEF_OBJECT(TPM_ALG.NULL), scheme, 2048, 0)
        attributes = A.SIGN_ENCRYPT | A.USER_WITH_AUTH
        public = TPMT_PUBLIC(
            TPM_ALG.RSA, TPM_ALG.SHA256, attributes, b"", parameters, RSA.modulus.to_bytes(256, "big")
        )
        private = TPMT_SENSITIVE(TPM_ALG.RSA, b"", b"", RSA.prime.to_bytes(128, "big"))
        made = self.both(lambda _: commands.LoadExternal(private, public, TPM_RH.NULL), compare=lambda r: r.name)
        self._note_loaded(made, b"")
        return (0, b"") if made is None else (made[0].object_handle, made[0].name)

    def _step(self, key: tuple[int, bytes]) -> list[Step]:
        """Returns the commands of one random statement."""
        choose = self.random.choice
        pcrs = (TPMS_PCR_SELECTION(TPM_ALG.SHA256, choose((b"\x01\0\0", b"\0\0\x81"))),)
        handle, name = key
        ref = choose((b"", b"ref"))
        operation = choose((TPM_EO.EQ, TPM_EO.UNSIGNED_LE, TPM_EO.SIGNED_GE, TPM_EO.BITSET, TPM_EO.NEQ))
        operand = bytes([choose((3, 4, 200))] * 2)
        expiration = choose((0, 0, 100, (1 << 32) - 1000))
        statements: list[list[Step]] = [
            [(lambda _, s: commands.PolicyPCR(s, b"", pcrs), ())],
            [(lambda _, s: commands.PolicyCommandCode(s, choose((TPM_CC.Unseal,) * 5 + (TPM_CC.Sign,))), ())],
            [(lambda _, s: commands.PolicyAuthValue(s), ())],
            [(lambda _, s: commands.PolicyPassword(s), ())],
            [(lambda _, s: commands.PolicyLocality(s, TPMA_LOCALITY(choose((1, 3, 31, 2)))), ())],
            [(lambda _, s: commands.PolicyNvWritten(s, False), ())],
            [
                (
                    lambda _, s: commands.PolicyNV(INDEX, INDEX, s, operand, 0, operation),
                    (INDEX,),
                )
            ],
            [(lambda _, s: commands.PolicyCounterTimer(s, bytes(8), 0, TPM_EO.UNSIGNED_GE), ())],
            [(lambda _, s: commands.PolicySecret(TPM_RH.OWNER, s, b"", b"", ref, expiration), (TPM_RH.OWNER,))],
            [(lambda side, s: self._signed(side, s, handle, ref, expiration), ())],
            [(lambda side, s: self._authorized(side, s, handle, name, ref), ())],
            [(lambda _, s: self._any_of(s), ())],
            [(lambda _, s: commands.PolicyAuthorizeNV(POLICY_INDEX, POLICY_INDEX, s), (POLICY_INDEX,))],
        ]
        return choose(statements)

    def _sign(self, side: int, handle: int, data: bytes) -> Any:
        command = commands.Sign(handle, digest(TPM_ALG.SHA256, data), NO_SCHEME, NO_TICKET)
        return self.tpms[side].execute(command).signature

    def _signed(self, side: int, session: int, handle: int, ref: bytes, expiration: int) -> Any:
        signature = self._sign(side, handle, expiration.to_bytes(4, "big") + ref)
        return commands.PolicySigned(handle, session, b"", b"", ref, expiration, signature)

    def _authorized(self, side: int, session: int, handle: int, name: bytes, ref: bytes) -> Any:
        """Approves the session's current policyDigest."""
        tpm = self.tpms[side]
        current = tpm.execute(commands.PolicyGetDigest(session)).policy_digest
        hashed = digest(TPM_ALG.SHA256, current, ref)
        signature = self._sign(side, handle, current + ref)
        ticket = tpm.execute(commands.VerifySignature(handle, hashed, signature)).validation
        return commands.PolicyAuthorize(session, current, ref, name, ticket)

    def _any_of(self, session: int) -> Any:
        current = self.tpms[1].execute(commands.PolicyGetDigest(session)).policy_digest
        return commands.PolicyOR(session, (bytes(32), current))

    def use_policy(self) -> None:
        """Seals data with the digest of a trial session, and unseals them in a policy session."""
        key = self._signing_key()
        if not key[0]:
            return
        self._define(INDEX, 2, NV_OPEN)
        self._execute(commands.NV_Write(INDEX, INDEX, b"\3\4"), INDEX)
        steps = [step for _ in range(self.random.randrange(1, 4)) for step in self._step(key)]
        seed = self.random.getrandbits(32)
        trial = self._play(TPM_SE.TRIAL, steps, seed)
        if trial is None:
            self._remove(INDEX)
            return
        made = self.both(lambda _: commands.PolicyGetDigest(trial[0].handle), compare=lambda r: r.policy_digest)
        self._flush_session(trial[0].handle)
        parent = self._storage()
        if parent and made is not None:
            public = self._public(A.FIXED_TPM | A.FIXED_PARENT, made[0].policy_digest)
            sealed = self._create_and_load(parent, public, b"sealed")
            if sealed:
                self._unseal(sealed, steps, seed)
        self._remove(INDEX)

    def _unseal(self, sealed: int, steps: list[Step], seed: int) -> None:
        sessions = self._play(TPM_SE.POLICY, steps, seed)
        if sessions is None:
            return
        if self._chance(0.15):
            data = self.random.randbytes(32)
            self._execute(commands.PCR_Extend(16, (TPMT_HA(TPM_ALG.SHA256, data),)), 16)
        auth = self._auths.get(sealed, b"") if self._chance(0.9) else b"wrong"
        for _ in range(2):
            encrypt = auth != b"wrong" and self._chance(0.4)
            self.both(
                lambda _: commands.Unseal(sealed),
                lambda side, encrypt=encrypt: sessions[side].use(auth, encrypt=encrypt),
                compare=vars,
            )
        capability = commands.GetCapability(TPM_CAP.HANDLES, self.random.choice((0x02000000, 0x03000000)), 9)
        self.both(lambda _: capability, compare=lambda r: r.capability_data)
        self._flush_session(sessions[0].handle)

    def _play(self, kind: TPM_SE, steps: list[Step], seed: int) -> list[Any] | None:
        """Starts a session, and executes the commands of the policy. Returns None if both TPMs refuse one."""
        sessions = self._start(lambda: SessionStart(kind, TPM_ALG.SHA256, CIPHER))
        if sessions is None:
            return None
        handle = sessions[0].handle
        for make, handles in steps:
            state = self.random.getstate()
            self.random.seed(seed)
            played = self.both(
                lambda side, make=make: make(side, handle),
                *[self._right_auth(one) for one in handles],
                compare=lambda r: (
                    (r.timeout != b"", r.policy_ticket.hierarchy) if hasattr(r, "policy_ticket") else 0
                ),
            )
            command = self.history[-1].command
            self.random.setstate(state)
            for session in sessions:
                if isinstance(command, (commands.PolicyAuthValue, commands.PolicyPassword)):
                    session.wants_auth_value = isinstance(command, commands.PolicyAuthValue)
                    session.wants_password = isinstance(command, commands.PolicyPassword)
            if played is None:
                self._flush_session(handle)
                return None
            self._redeem(kind, command, played, handle)
            self.both(lambda _: commands.PolicyGetDigest(handle), compare=lambda r: r.policy_digest)
        return sessions

    def _right_auth(self, handle: int) -> Any:
        return lambda _: Password(self._auths.get(handle, b""))

    def _redeem(self, kind: TPM_SE, command: Any, played: list[Any], session: int) -> None:
        """Uses the ticket of TPM2_PolicySecret or TPM2_PolicySigned in another session."""
        ticketed = isinstance(command, (commands.PolicySecret, commands.PolicySigned)) and played[0].timeout
        if not ticketed or kind != TPM_SE.POLICY:
            return
        owner = isinstance(command, commands.PolicySecret)
        handle = TPM_RH.OWNER if owner else command.auth_object
        names = [tpm.name(handle) for tpm in self.tpms]
        others = self._start(lambda: SessionStart(TPM_SE.POLICY, TPM_ALG.SHA256))
        if others is None:
            return
        ref = command.policy_ref if self._chance(0.9) else b"other"
        self.both(
            lambda side: commands.PolicyTicket(
                others[0].handle, played[side].timeout, b"", ref, names[side], played[side].policy_ticket
            )
        )
        self.both(lambda _: commands.PolicyGetDigest(others[0].handle), compare=lambda r: r.policy_digest)
        self._flush_session(others[0].handle)

    # NV indices.

    def _define(self, index: int, size: int, attributes: N, policy: bytes = b"", by: int = TPM_RH.OWNER) -> bool:
        auth = self.random.choice((b"", b"pw"))
        public = TPMS_NV_PUBLIC(index, TPM_ALG.SHA256, attributes, policy, size)
        made = self.both(lambda _: commands.NV_DefineSpace(by, auth, public), self._right_auth(by))
        self._auths[index] = auth
        return made is not None

    def _remove(self, index: int, by: int = TPM_RH.OWNER) -> None:
        self.both(lambda _: commands.NV_UndefineSpace(by, index), self._right_auth(by))

    def use_index(self) -> None:
        """Defines an index of a random type, and executes commands that mostly suit its type."""
        kind = self.random.choice((0, 0, 1, 2, 4, PIN_FAIL, PIN_PASS))
        attributes = NV_OPEN | N(kind << 4)
        if kind in (PIN_FAIL, PIN_PASS):
            attributes = N((attributes | N.NO_DA) & ~N.AUTHWRITE)
        for bit in (N.WRITE_STCLEAR, N.READ_STCLEAR, N.GLOBALLOCK, N.WRITEDEFINE, N.WRITEALL, N.NO_DA, N.ORDERLY):
            attributes |= bit if self._chance(0.2) else N(0)
        platform = self._chance(0.2)
        attributes |= N.PLATFORMCREATE if platform else N(0)
        by = TPM_RH.PLATFORM if platform else TPM_RH.OWNER
        size = {0: self.random.choice((8, 32, 100)), 4: 32}.get(kind, 8)
        if not self._define(INDEX, size, attributes, by=by):
            return
        for _ in range(8):
            user = self.random.choice((INDEX, INDEX, TPM_RH.OWNER, TPM_RH.PLATFORM))
            offset = self.random.choice((0, 0, 0, 1, size))
            data = self.random.randbytes(size if self._chance(0.7) else self.random.randrange(size + 1))
            data = b"\0\0\0" + bytes([self.random.randrange(3)]) + b"\0\0\0\3" if kind >= PIN_FAIL else data
            write = {
                1: commands.NV_Increment(user, INDEX),
                2: commands.NV_SetBits(user, INDEX, self.random.getrandbits(64)),
                4: commands.NV_Extend(user, INDEX, data),
            }.get(kind, commands.NV_Write(user, INDEX, data, offset))
            read = commands.NV_Read(user, INDEX, self.random.choice((size, size, 1, size + 1)), offset)
            certify = commands.NV_Certify(TPM_RH.NULL, user, INDEX, b"", NO_SCHEME, size, offset)
            command = self.random.choice(
                (
                    *[write] * 4,
                    *[read] * 4,
                    certify,
                    commands.NV_ReadLock(user, INDEX),
                    commands.NV_WriteLock(user, INDEX),
                    commands.NV_Write(user, INDEX, data, offset),
                    commands.NV_GlobalWriteLock(TPM_RH.OWNER),
                )
            )
            locks = isinstance(command, commands.NV_GlobalWriteLock)
            handles = (TPM_RH.NULL, user) if command is certify else (TPM_RH.OWNER if locks else user,)
            # Counters start at a number that depends on the TPM's past.
            counts = kind == 1 and isinstance(command, commands.NV_Read)
            self._execute(
                command,
                *handles,
                compare=(lambda r: None) if counts or command is certify else vars,
            )
            self.both(lambda _: commands.NV_ReadPublic(INDEX), compare=vars)
            if self._chance(0.05):
                self.restart()
        self._remove(INDEX, by)

    def use_special_index(self) -> None:
        """Changes the authValue of an index with its policy, or deletes an index with its policy."""
        special = self._chance(0.5)
        code = TPM_CC.NV_UndefineSpaceSpecial if special else TPM_CC.NV_ChangeAuth
        codes = (number.to_bytes(4, "big") for number in (TPM_CC.PolicyCommandCode, code))
        policy = digest(TPM_ALG.SHA256, bytes(32), *codes)
        attributes = NV_OPEN | N.POLICYREAD
        attributes |= N.PLATFORMCREATE | N.POLICY_DELETE if special else N(0)
        by = TPM_RH.PLATFORM if special else TPM_RH.OWNER
        if not self._define(INDEX, 8, attributes, policy, by):
            return
        sessions = self._start(lambda: SessionStart(TPM_SE.POLICY, TPM_ALG.SHA256, CIPHER))
        if sessions is not None:
            session = sessions[0].handle
            self._execute(commands.PolicyCommandCode(session, code if self._chance(0.9) else TPM_CC.NV_Read))
            if special:
                command: Any = commands.NV_UndefineSpaceSpecial(INDEX, TPM_RH.PLATFORM)
                done = self.both(
                    lambda _: command, lambda side: sessions[side].use(b""), self._right_auth(TPM_RH.PLATFORM)
                )
                self._flush_session(session)
                if done is not None:
                    return
                # Only its policy can delete the index.
                self._play_policy(code, lambda use: (command, use, self._right_auth(TPM_RH.PLATFORM)))
                return
            made = self.both(
                lambda _: commands.NV_ChangeAuth(INDEX, b"new"),
                lambda side: sessions[side].use(b"", decrypt=True),
            )
            self._auths[INDEX] = self._auths[INDEX] if made is None else b"new"
            self._execute(commands.NV_Write(INDEX, INDEX, bytes(8)), INDEX)
            self._flush_session(session)
        self._remove(INDEX, by)

    def _play_policy(self, code: TPM_CC, make: Callable[[Any], tuple[Any, Any, Any]]) -> None:
        sessions = self._start(lambda: SessionStart(TPM_SE.POLICY, TPM_ALG.SHA256))
        assert sessions is not None
        self._execute(commands.PolicyCommandCode(sessions[0].handle, code))
        command, *auths = make(lambda side: sessions[side].use(b""))
        self.both(lambda _: command, *auths)
        self._flush_session(sessions[0].handle)

    # Lockout, locality, and switching off and on.

    def use_lockout(self) -> None:
        """Gives wrong passwords until the TPM is in lockout, and reads the state of the lockout."""
        handle = self._create_primary(TPM_RH.OWNER, templates.storage("ecc256"))
        if not handle:
            return
        tries = self.random.choice((1, 2, 3))
        command = commands.DictionaryAttackParameters(TPM_RH.LOCKOUT, tries, 1000, 1000)
        self._execute(command, TPM_RH.LOCKOUT)
        public = self._public(A.FIXED_TPM | A.FIXED_PARENT)
        sealed = self._create_and_load(handle, public, b"sealed")
        for _ in range(4 if sealed else 0):
            wrong = self._chance(0.7)
            self.both(
                lambda _: commands.Unseal(sealed),
                self._password_of(b"wrong") if wrong else self._right_auth(sealed),
                compare=vars,
            )
            self._read_properties(TPM_PT.LOCKOUT_COUNTER, 4)
        self._execute(commands.DictionaryAttackLockReset(TPM_RH.LOCKOUT), TPM_RH.LOCKOUT)
        self._read_properties(TPM_PT.PERMANENT, 2)

    def _password_of(self, value: bytes) -> Any:
        return lambda _: Password(value)

    def _read_properties(self, first: TPM_PT, count: int) -> None:
        command = commands.GetCapability(TPM_CAP.TPM_PROPERTIES, first, count)
        self.both(lambda _: command, compare=lambda r: r.capability_data.data)

    def use_restart(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Shuts both TPMs down or not, switches them off and on, and starts them."""
        self._flush_all()
        shutdown = self.random.choice((TPM_SU.CLEAR, TPM_SU.STATE, None))
        shut_down = False
        if shutdown is not None:
            shut_down = self.both(lambda _: commands.Shutdown(shutdown)) is not None
        else:  # an earlier TPM2_Shutdown becomes void
            self._execute(commands.PCR_Extend(0, (TPMT_HA(TPM_ALG.SHA256, bytes(32)),)), 0)
        self._control(CMD_INIT.to_bytes(4, "big") + bytes(4))
        self.tpms[1].transport.machine.power_off()  # type: ignore[attr-defined]
        for tpm in self.tpms:
            tpm._names.clear()
            tpm._owned.clear()
        # A failing TPM2_Startup lets swtpm forget that the dictionary attack protection was in use.
        first = self.random.choice((TPM_SU.CLEAR, TPM_SU.STATE)) if shut_down else TPM_SU.CLEAR
        if self.both(lambda _: commands.Startup(first)) is None:
            self.both(lambda _: commands.Startup(TPM_SU.CLEAR))
        self._contexts.clear()
        # TPM2_Startup(CLEAR) resets the authValues of PCRs and of the platform.
        self._auths[TPM_RH.PLATFORM] = b"" if first == TPM_SU.CLEAR else self._auths.get(TPM_RH.PLATFORM, b"")
        every = (TPMS_PCR_SELECTION(TPM_ALG.SHA256, self.random.choice((b"\xff\0\0", b"\0\0\xff", b"\0\xff\0"))),)
        self.both(lambda _: commands.PCR_Read(every), compare=lambda r: r.pcr_values)
        self._read_properties(TPM_PT.PERMANENT, 2)
        # A TPM whose clock is not safe makes it safe when it stores the clock, every 4 seconds.
        safe = {} if shutdown is None else {"safe": True}
        self.both(
            lambda _: commands.ReadClock(),
            compare=lambda r: r.current_time.clock_info.replace(clock=0, **safe),
        )

    def use_locality(self) -> None:
        """Changes PCRs at a random locality."""
        locality = self.random.randrange(4)  # locality 4 is for _TPM_Hash_Start
        self._control(CMD_SET_LOCALITY.to_bytes(4, "big") + bytes([locality]))
        self.tpms[1].transport.machine.locality = locality  # type: ignore[attr-defined]
        for _ in range(4):
            pcr = self.random.choice((0, 16, 17, 18, 19, 20, 21, 22, 23))
            value = TPMT_HA(TPM_ALG.SHA256, self.random.randbytes(32))
            command = self.random.choice((commands.PCR_Extend(pcr, (value,)), commands.PCR_Reset(pcr)))
            self._execute(command, pcr)
            selection = (TPMS_PCR_SELECTION(TPM_ALG.SHA256, (1 << pcr).to_bytes(3, "little")),)
            self.both(
                lambda _, selection=selection: commands.PCR_Read(selection),
                compare=lambda r: r.pcr_values,
            )
        self._control(CMD_SET_LOCALITY.to_bytes(4, "big") + b"\0")
        self.tpms[1].transport.machine.locality = 0  # type: ignore[attr-defined]

    def _control(self, request: bytes) -> None:
        with socket.socket(socket.AF_UNIX) as channel:
            channel.connect(self.control)
            channel.sendall(request)
            assert channel.recv(4) == bytes(4), request.hex()
