"""The authorizations of a script's commands: passwords, sessions and policies."""

import contextlib
from collections.abc import Mapping
from typing import Any, Protocol

from tpmwire.channel import OF_THIS_BOOT
from tpmwire.crypto.salt import seal_secret
from tpmwire.errors import SessionError, TpmError, TpmwireError
from tpmwire.keys.ek_policies import ek_policies
from tpmwire.policy.choice import Either
from tpmwire.policy.policy import Policy
from tpmwire.primary import Loaded, create_primary, read_loaded
from tpmwire.secret import EMPTY_AUTH, Secret
from tpmwire.sessions import NO_CIPHER, Password, Session, SessionStart, Use
from tpmwire.spec.codes import TPM_RC_HANDLE
from tpmwire.spec.command import DUP, Role
from tpmwire.spec.commands.sessions import PolicyRestart
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_HT, TPM_RH, TPM_SE, TPMA_NV, TPMA_OBJECT, TPMA_SESSION
from tpmwire.spec.names import field_name
from tpmwire.spec.structures import TPMT_PUBLIC, TPMT_SYM_DEF
from tpmwire.tpm import Tpm
from tpmwire.wire import first_parameter

from ...terminal.messages import UsageError
from ...terminal.options import suggestion
from .positions import Plan, python_name
from .recording import ScriptRecording
from .sources import Files, parse_password
from .steps import expand_steps, parse_step
from .values import Outcome, Values

__all__ = ["SESSIONS", "ScriptAuthorizer", "check_authorizations"]

SESSIONS = {
    "none": "unencrypted passwords (default)",
    "hmac": "an HMAC session: no password on the bus, nothing encrypted",
    "salted": "a session salted to this TPM's storage root key (not pinned): encrypts first parameters",
    "salted-aes": "like salted, with AES-128-CFB in place of XOR",
}
"""The values of --session, and their meanings."""

_CIPHERS = {
    "hmac": NO_CIPHER,
    "salted": TPMT_SYM_DEF(TPM_ALG.XOR, TPM_ALG.SHA256),
    "salted-aes": TPMT_SYM_DEF(TPM_ALG.AES, 128, TPM_ALG.CFB),
}
_ATTRIBUTES = {
    "decrypt": "decrypt",
    "encrypt": "encrypt",
    "audit": "audit",
    "auditexclusive": "audit_exclusive",
    "auditreset": "audit_reset",
}
_SRK = 0x81000001
MOST = 3
"""Maximum number of sessions of a command (Part 1, §18.6)."""


class Runner(Protocol):
    """The interface of a script that its authorizer uses."""

    tpm: Tpm
    values: Values
    files: Any
    public: bool
    recording: ScriptRecording
    opened: dict[int, bool]

    def send(self, plan: Plan, fixed: Mapping[str, Any]) -> Outcome:
        """Sends a command with fixed values of some fields."""

    def public_of(self, handle: int) -> TPMT_PUBLIC | None:
        """Returns the public area of a loaded object; None if it is not known."""

    def nv_public_of(self, handle: int) -> Any:
        """Returns the public area of an NV index; None if it is not known."""

    def password(self, text: Any) -> bytes:
        """Returns the password that `text` states."""


def check_authorizations(plan: Plan, files: Files, *, public: bool) -> None:
    """Checks passwords, policy steps and sessions of a command as far as this is possible without the TPM.

    `public` means that other users can read the command. Raises UsageError for a mistake.
    """
    kind = plan.kind
    if not kind.sessions and plan.handles:
        raise UsageError(f"{plan.label} does not allow sessions; remove its auth, policy and session")
    fields = [field_name(name) for name, role in kind.handle_fields() if role.authorized]
    for name, options in plan.handles.items():
        if name and name not in fields and not (name == "bind" and kind.code == TPM_CC.StartAuthSession):
            raise UsageError(f"{plan.label}: {name} needs no authorization; remove its options")
        if options.get("policy") and not fields:
            raise UsageError(f"{plan.label} has no handle that a policy can authorize")
        for word in options.get("auth", []):
            if not str(word).startswith("$"):
                parse_password(files, str(word), public=public)
    passwords = plan.handles.get("", {}).get("auth", [])
    most = len(fields) + (kind.code == TPM_CC.StartAuthSession)
    if len(passwords) > most:
        raise UsageError(
            f"too many passwords for {plan.label}: expected at most {most}, got {len(passwords)}; "
            "remove the extra passwords"
        )


class ScriptAuthorizer:
    """Authorizes the commands of a script. `wanted` is the session for commands without one (`SESSIONS`)."""

    def __init__(self, script: Runner, wanted: str) -> None:
        self._script = script
        self.wanted = wanted
        self._shared: dict[str, Session] = {}
        self.own: dict[int, Session] = {}

    def forget(self, handle: int) -> None:
        """Forgets a session that the TPM has flushed."""
        self.own.pop(handle, None)
        self._shared = {name: session for name, session in self._shared.items() if session.handle != handle}

    def close(self) -> None:
        """Flushes the sessions that this authorizer opened by itself."""
        for session in self._shared.values():
            with contextlib.suppress(TpmError):
                self._script.tpm.flush(session.handle)
        self._shared = {}

    def of(self, command: Any, plan: Plan) -> "list[Password | Use]":
        """Returns the authorizations of a command, and opens the sessions that they need.

        A policy without a handle's name authorizes the handle that cannot be authorized otherwise. A session
        without a handle's name authorizes the next handle; if no handle remains, the session is added to the
        command, for encryption or audit. Raises UsageError for invalid options.
        """
        kind = plan.kind
        if not kind.sessions:
            return []
        fields = [(field_name(name), role) for name, role in kind.handle_fields() if role.authorized]
        options = {name: dict(plan.handles.get(name, {})) for name, _ in fields}
        loose = {name: list(values) for name, values in plan.handles.get("", {}).items()}
        for name, _ in fields:
            if loose.get("auth") and "auth" not in options[name]:
                options[name]["auth"] = [loose["auth"].pop(0)]
        if loose.get("policy"):
            options[self._needs_policy(command, fields, options)]["policy"] = loose["policy"]
        sessions = loose.get("session", [])
        shared = None if sessions else self._shared_session(self.wanted)
        can = self._can_encrypt(kind, self.wanted)
        given: list[Password | Use] = []
        for name, role in fields:
            chosen, handle = options[name], getattr(command, python_name(kind, name))
            secret = self._script.password(chosen["auth"][-1]) if "auth" in chosen else b""
            steps = chosen.get("policy") or self._standard_policy(handle, role, chosen)
            if steps:
                given.append(self._satisfy(steps, handle, kind).use(secret, keep=False))
            elif "session" in chosen:
                given.append(self._use(chosen["session"][-1], secret, kind))
            elif sessions and "auth" not in plan.handles.get(name, {}):
                given.append(self._use(sessions.pop(0), secret, kind))
            elif shared is not None:
                given.append(shared.use(secret, decrypt=can[0], encrypt=can[1]))
                shared = None
            else:
                given.append(Password(secret))
        for word in sessions:
            use = self._use(word, b"", kind)
            if not use.attributes & (TPMA_SESSION.DECRYPT | TPMA_SESSION.ENCRYPT):
                # A session that neither authorizes nor encrypts must be an audit session (Part 1, §17.6).
                use.attributes |= TPMA_SESSION.AUDIT
            given.append(use)
        if shared is not None and len(given) < MOST:
            given.append(shared.use(decrypt=can[0], encrypt=can[1], audit=not any(can)))
        return given

    def _needs_policy(self, command: Any, fields: list[tuple[str, Role]], options: Mapping[str, Any]) -> str:
        """Returns the field of the handle that only a policy can authorize, or else of the first handle."""
        free = [(name, role) for name, role in fields if not {"policy", "session"} & set(options[name])]
        if not free:
            raise UsageError(
                "every handle of the command already has policy= or session=; remove the policy= without a handle"
            )
        for name, role in free if len(free) > 1 else []:
            if role is DUP or self._refuses_auth(
                command, getattr(command, python_name(type(command), name)), role
            ):
                return name
        return free[0][0]

    def _refuses_auth(self, command: Any, handle: int, role: Role) -> bool:
        """Returns whether the authValue of an entity cannot authorize a command."""
        if handle >> 24 == TPM_HT.NV_INDEX:
            public = self._script.nv_public_of(handle)
            writes = "Write" in command.code.name or command.code.name in ("NV_Increment", "NV_Extend")
            needed = TPMA_NV.AUTHWRITE if writes else TPMA_NV.AUTHREAD
            return public is not None and not public.attributes & needed
        found = self._script.public_of(handle)
        if found is None:
            return False
        bits = found.object_attributes
        if role is Role.ADMIN:
            return bool(bits & TPMA_OBJECT.ADMIN_WITH_POLICY)
        return not bits & TPMA_OBJECT.USER_WITH_AUTH

    def _standard_policy(self, handle: int, role: Role, chosen: Mapping[str, Any]) -> list[str]:
        """Returns the policy of a standard endorsement key if `handle` is one; else []."""
        if chosen or role is not Role.USER or handle >> 24 not in (TPM_HT.TRANSIENT, TPM_HT.PERSISTENT):
            return []
        public = self._script.public_of(handle)
        if public is None or public.object_attributes & TPMA_OBJECT.USER_WITH_AUTH:
            return []
        known = ek_policies(public.name_alg)
        if known is None or public.auth_policy not in (known.a, known.b):
            return []
        return ["PolicyA" if public.auth_policy == known.a else "PolicyB"]

    def _can_encrypt(self, kind: Any, session: str) -> tuple[bool, bool]:
        """Returns (command, response): whether a session can encrypt the first parameter of each."""
        if not session.startswith("salted"):
            return False, False
        return first_parameter(kind) is not None, first_parameter(kind.Response) is not None

    def _use(self, text: Any, secret: bytes, kind: Any) -> Use:
        """Returns a use of the session that `text` names: `$s`, `$s,audit`, `hmac`, `salted`."""
        name, *words = str(text).split(",")
        if name in SESSIONS and name != "none":
            session = self._open(name, TPM_SE.HMAC)  # for this command only
            decrypt, encrypt = self._can_encrypt(kind, name)
            chosen = {"decrypt": decrypt, "encrypt": encrypt, "keep": False}
        else:
            session = self._own_session(name)
            chosen = {}
        for word in words:
            plain = word.strip().lower().replace("_", "").replace("-", "")
            if plain == "last":
                chosen["keep"] = False
            elif plain in _ATTRIBUTES:
                chosen[_ATTRIBUTES[plain]] = True
            elif plain not in ("", "continuesession"):
                known = [*_ATTRIBUTES, "last"]
                raise UsageError(
                    f"session={text}: unknown attribute {word!r}; use {', '.join(known)}{suggestion(word, known)}"
                )
        try:
            return session.use(secret, **chosen)
        except SessionError:
            raise UsageError(
                f"session={text}: the session has no cipher; use session=salted, or start the session with "
                "symmetric=aes128cfb"
            ) from None

    def _own_session(self, text: str) -> Session:
        found = self._script.values.find(text, "session") if text.startswith("$") else text
        try:
            handle = found.handle if isinstance(found, Outcome) else int(str(found), 0)
        except ValueError:
            raise UsageError(
                f"session={text}: unknown session; use {', '.join(SESSIONS)}, or $NAME of a StartAuthSession"
            ) from None
        if handle not in self.own:
            raise UsageError(f"session={text}: no StartAuthSession of this script opened it, or it has ended")
        return self.own[handle]

    def _shared_session(self, name: str) -> Session | None:
        """Returns the session with this name in `SESSIONS`, opened at its first use; None for `none`."""
        if name == "none":
            return None
        if name not in self._shared:
            self._shared[name] = self._open(name, TPM_SE.HMAC)
        return self._shared[name]

    def _open(self, name: str, kind: TPM_SE, auth_hash: TPM_ALG = TPM_ALG.SHA256) -> Session:
        if name in ("none", "hmac"):
            session = self._script.tpm.start_session(SessionStart(kind, auth_hash))
            self._script.opened[session.handle] = False
            return session
        key, created = self._salt_key()
        salt, sealed = seal_secret(key.public)
        cipher = _CIPHERS[name]
        try:
            session = self._script.tpm.start_session(
                SessionStart(kind, auth_hash, cipher, tpm_key=key.handle, salt=salt, encrypted_salt=sealed)
            )
        finally:
            if created:
                self._script.tpm.flush(key.handle)
        self._script.opened[session.handle] = False
        self._script.recording.salt(session.handle, salt.reveal())
        return session

    def _salt_key(self) -> tuple[Loaded, bool]:
        """Returns (the persistent storage root key or a new primary key of the null hierarchy, is it new)."""
        tpm = self._script.tpm
        try:
            found = read_loaded(tpm, _SRK)
        except TpmError as error:
            if error.code != TPM_RC_HANDLE:
                raise
            return create_primary(tpm, OF_THIS_BOOT.hierarchy, OF_THIS_BOOT.template()), True
        return found, False

    def _satisfy(self, steps: list[Any], handle: int, kind: Any) -> Session:
        """Opens a policy session, sends the commands of the policy steps, and returns the session."""
        public = self._script.public_of(handle) or self._script.nv_public_of(handle)
        auth_hash = public.name_alg if public is not None else TPM_ALG.SHA256
        session = self._open(self.wanted, TPM_SE.POLICY, auth_hash)
        self.own[session.handle] = session
        try:
            self.run_steps(expand_steps(steps, auth_hash), session.handle, kind)
        finally:
            self.own.pop(session.handle, None)
        return session

    def run_steps(self, steps: list[Any], session: int, kind: Any) -> None:
        """Sends the commands of policy steps from `expand_steps` in the policy session with this handle."""
        for step in steps:
            parsed = parse_step(self._script.files, str(step), kind)
            if isinstance(parsed, Plan):
                self._script.send(parsed, {"policy_session": session})
                continue
            self._run_statements(parsed.alternatives() if isinstance(parsed, Either) else (parsed,), session)

    def _run_statements(self, alternatives: tuple[Policy, ...], session: int) -> None:
        """Executes the first of several alternative policies that succeeds. Raises TpmError if none does."""
        for last, policy in enumerate(alternatives, 1 - len(alternatives)):
            try:
                for statement in policy.statements:
                    statement.state(self._script.tpm, session)
                    self.note(statement.command(session))
            except TpmError:
                if not last:
                    raise
                self._script.tpm.execute(PolicyRestart(session))
            else:
                return

    def note(self, command: Any) -> None:
        """Records whether a policy command makes its session require the authValue or the password."""
        code = command.code
        session = self.own.get(getattr(command, "policy_session", getattr(command, "session_handle", 0)))
        if session is not None and code in (TPM_CC.PolicyAuthValue, TPM_CC.PolicyPassword, TPM_CC.PolicyRestart):
            session.wants_auth_value = code == TPM_CC.PolicyAuthValue
            session.wants_password = code == TPM_CC.PolicyPassword

    def after_use(self, used: "list[Password | Use]") -> None:
        """Resets the policy sessions that authorized a command, as the TPM does (Part 1, §19.7)."""
        for use in used:
            if isinstance(use, Use) and use.session.kind == TPM_SE.POLICY:
                use.session.wants_auth_value = use.session.wants_password = False

    def start(self, command: Any, plan: Plan) -> tuple[SessionStart, bytes]:
        """Returns (start of a session, its salt in cleartext) for TPM2_StartAuthSession."""
        salt, sealed = EMPTY_AUTH, command.encrypted_salt
        if command.tpm_key != TPM_RH.NULL and not sealed:
            public = self._script.public_of(command.tpm_key)
            if public is None:
                raise UsageError(f"{plan.label}.tpmKey: the TPM has no key at 0x{command.tpm_key:08x}")
            try:
                salt, sealed = seal_secret(public)
            except TpmwireError as error:
                raise UsageError(f"{plan.label}.tpmKey: {error}") from error
        bind = command.bind
        auth = plan.handles.get("bind", {}).get("auth") or plan.handles.get("", {}).get("auth")
        start = SessionStart(
            command.session_type,
            command.auth_hash,
            command.symmetric,
            tpm_key=command.tpm_key,
            salt=salt,
            encrypted_salt=sealed,
            bind=bind,
            bind_name=None if bind == TPM_RH.NULL else self._script.tpm.name(bind),
            bind_auth=Secret(self._script.password(auth[-1])) if auth else EMPTY_AUTH,
            nonce_caller=command.nonce_caller,
        )
        return start, salt.reveal()
