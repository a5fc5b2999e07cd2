"""The authorizations of `tpmwire send`: passwords, a shared session for all commands, and policy sessions."""

import contextlib
from typing import Any

from tpmwire.channel import open_session, protected_sessions
from tpmwire.errors import TpmError
from tpmwire.policy import statements
from tpmwire.policy.policy import Policy
from tpmwire.sessions import Password, Session, Use
from tpmwire.spec.command import Command
from tpmwire.spec.constants import TPM_RH, TPM_SE
from tpmwire.tpm import Tpm
from tpmwire.wire import first_parameter

from ..terminal.messages import UsageError
from ..terminal.options import pcrs_from

__all__ = ["SESSIONS", "STEPS", "CommandAuthorizer", "policy_from"]

SESSIONS = {
    "none": "unencrypted passwords (default)",
    "hmac": "an HMAC session: no password on the bus, nothing encrypted",
    "salted": "a session salted to this TPM's storage root key (not pinned): encrypts first parameters",
}
"""The values of --session, and their meanings."""

STEPS = "pcr:BANK:LIST, auth-value, password, command-code, secret:HIERARCHY"
"""The steps that --policy accepts."""

MOST = 3
"""Maximum number of sessions of a command (Part 1, §18.6)."""


def policy_from(steps: list[str], kind: "type[Command]") -> "Policy | None":
    """Parses policy steps such as `pcr:sha256:7` that authorize a command of class `kind`.

    Returns None if there are no steps. Raises UsageError for an invalid step, or if no handle of the command can
    be authorized by a policy.
    """
    if not steps:
        return None
    if not any(role.authorized for _, role in kind.handle_fields()):
        raise UsageError(f"TPM2_{kind.code.name} has no handle that a policy can authorize")
    return Policy(*(_statement(step, kind) for step in steps))


def _statement(step: str, kind: "type[Command]") -> Any:
    name, colon, rest = step.partition(":")
    hierarchies = {"owner": TPM_RH.OWNER, "endorsement": TPM_RH.ENDORSEMENT, "platform": TPM_RH.PLATFORM}
    match name:
        case "pcr" if colon:
            return statements.PolicyPCR(b"", pcrs_from(rest))
        case "auth-value" if not colon:
            return statements.PolicyAuthValue()
        case "password" if not colon:
            return statements.PolicyPassword()
        case "command-code" if not colon:
            return statements.PolicyCommandCode(kind.code)
        case "secret" if rest in hierarchies:
            return statements.PolicySecret.of(hierarchies[rest])
    raise UsageError(f"--policy {step}: unknown step; known steps: {STEPS} (with {', '.join(hierarchies)})")


class CommandAuthorizer:
    """Opens the sessions that `tpmwire send` requests, and authorizes commands with them and with passwords."""

    def __init__(self, tpm: "Tpm", session: str) -> None:
        self._tpm = tpm
        self._wanted = session
        self._shared: Session | None = None
        self._open: list[int] = []

    def close(self) -> None:
        """Flushes the sessions that are still open. Raises TransportError if the TPM does not respond."""
        for handle in self._open:
            # A policy session ends with the command that it authorizes, and needs no flush.
            with contextlib.suppress(TpmError):
                self._tpm.flush(handle)

    def of(self, kind: "type[Command]", passwords: list[bytes], policy: "Policy | None") -> "list[Password | Use]":
        """Returns the authorizations of a command of class `kind`, and opens the sessions that they need.

        The policy authorizes the first handle, the shared session the next handle, and passwords the others. If no
        handle remains for the shared session, it is used for encryption, or else for audit.
        """
        if not kind.sessions:
            return []
        wanted = sum(role.authorized for _, role in kind.handle_fields())
        secrets = [*passwords, *([b""] * (wanted - len(passwords)))]
        shared = self._session()
        decrypt, encrypt = self._can_encrypt(kind)
        given: list[Password | Use] = []
        for number, secret in enumerate(secrets):
            if policy is not None and number == 0:
                given.append(self._satisfy_policy(policy).use(secret, keep=False))
            elif shared is not None:
                given.append(shared.use(secret, decrypt=decrypt, encrypt=encrypt))
                shared = None
            else:
                given.append(Password(secret))
        if shared is not None and len(given) < MOST:
            # A session that neither authorizes nor encrypts must be an audit session (Part 1, §17.6).
            given.append(shared.use(decrypt=decrypt, encrypt=encrypt, audit=not (decrypt or encrypt)))
        return given

    def _can_encrypt(self, kind: "type[Command]") -> tuple[bool, bool]:
        """Returns (command, response): whether the shared session can encrypt the first parameter of each."""
        if self._wanted != "salted":
            return False, False
        return first_parameter(kind) is not None, first_parameter(kind.Response) is not None

    def _session(self) -> "Session | None":
        if self._shared is None and self._wanted != "none":
            self._shared = self._open_session(TPM_SE.HMAC)
        return self._shared

    def _open_session(self, kind: Any) -> "Session":
        if self._wanted == "salted":
            session = protected_sessions(self._tpm, [kind])[0]
        else:
            session = open_session(self._tpm, kind, None)
        self._open.append(session.handle)
        return session

    def _satisfy_policy(self, policy: "Policy") -> "Session":
        """Opens a policy session, sends the policy's commands in it, and returns the session."""
        session = self._open_session(TPM_SE.POLICY)
        for command in policy.commands(session.handle):
            self._tpm.execute(command)
        session.wants_auth_value = policy.wants_auth_value
        session.wants_password = policy.wants_password
        return session
