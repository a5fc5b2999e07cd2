"""Results that later runs of `tpmwire send` can use: `--save NAME` in one run, `$NAME` in the next.

Each result is a file of the user: the command and its response without secret values, the saved context of an
object or session, and the nonce of a session. A session with a key is not saved, because the key is secret.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tpmwire.errors import TpmwireError
from tpmwire.record import Record, is_secret
from tpmwire.secret import EMPTY_AUTH
from tpmwire.sessions import Session
from tpmwire.spec.names import field_name
from tpmwire.spec.structures import TPMS_CONTEXT
from tpmwire.wire import CommandMessage, ResponseMessage, parse_command, parse_response

from ...terminal.files import read_small, write_whole
from ...terminal.messages import UsageError
from .values import Outcome

__all__ = ["SavedResult", "SavedResults", "state_folder"]

_VERSION = 1
_DUPLICATES = ("duplicate", "in_duplicate", "out_duplicate", "encryption_key", "encryption_key_out")
_SHARED_POINTS = ("z_point", "out_point", "out_z1", "out_z2")


def state_folder() -> Path:
    """Returns tpmwire's folder in the directory for state (XDG_STATE_HOME)."""
    given = os.environ.get("XDG_STATE_HOME", "")
    base = Path(given) if given.startswith("/") else Path("~/.local/state").expanduser()
    return base / "tpmwire"


class SavedResult(NamedTuple):
    """The result of an earlier run. `context` is None if the command opened nothing.

    `nonce_tpm` and `waits_for` ("", "auth" or "password") are those of a session (see `sessions.Session`).
    """

    outcome: Outcome
    context: TPMS_CONTEXT | None
    nonce_tpm: bytes
    waits_for: str

    def session(self) -> Session:
        """Returns the session that TPM2_StartAuthSession opened."""
        sent: Any = self.outcome.command
        found = Session(
            self.outcome.handle, sent.session_type, sent.auth_hash, sent.symmetric, EMPTY_AUTH, self.nonce_tpm
        )
        found.wants_auth_value, found.wants_password = self.waits_for == "auth", self.waits_for == "password"
        return found


class _PublicOutcome(Outcome):
    """A result without its secret values, which are not saved."""

    def __init__(self, command: Any, response: Record, secret: list[str]) -> None:
        super().__init__(command, response)
        self._secret = secret

    def named(self) -> dict[str, Any]:
        """Returns the values that are not secret."""
        return {name: value for name, value in super().named().items() if name not in self._secret}

    def annotated(self) -> Iterator[tuple[str, Any, Any]]:
        """Yields (the standard's name, annotation, value) of the values that are not secret."""
        return (each for each in super().annotated() if each[0] not in self._secret)


class SavedResults:
    """The saved results in a folder; by default, in the user's directory for state."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or state_folder() / "results"

    def names(self) -> list[str]:
        """Returns the names of the saved results."""
        with contextlib.suppress(OSError):
            return sorted(path.stem for path in self._folder.glob("*.json"))
        return []

    def read(self, name: str) -> SavedResult | None:
        """Returns the result with this name; None if it does not exist.

        Raises UsageError if the file is damaged or cannot be read.
        """
        path = self._find(name)
        if path is None:
            return None
        data = read_small(str(path))
        try:
            found = json.loads(data)
            if found["version"] != _VERSION:
                raise ValueError("another version of the format")
            sent = parse_command(bytes.fromhex(found["command"])).command
            response: Any = parse_response(bytes.fromhex(found["response"]), sent).response
            context = TPMS_CONTEXT.parse(bytes.fromhex(found["context"])) if found["context"] else None
            outcome = _PublicOutcome(sent, response, [str(each) for each in found["secret"]])
            return SavedResult(outcome, context, bytes.fromhex(found["nonceTPM"]), str(found["waitsFor"]))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, TpmwireError) as error:
            raise UsageError(
                f"{path}: the saved result ${name} is damaged, or from another version of tpmwire; remove it with "
                f"`tpmwire send --forget {name}`"
            ) from error

    def write(
        self, name: str, outcome: Outcome, context: TPMS_CONTEXT | None, session: Session | None = None
    ) -> list[str]:
        """Saves a result without its secret values, and returns the names of these values.

        Raises OSError if the file cannot be written.
        """
        assert outcome.response is not None
        command, response = _without_secrets(outcome.command), _without_secrets(outcome.response)
        secret = [
            field_name(name)
            for name, annotation in type(outcome.response).fields()
            if _is_secret(name, annotation) and getattr(outcome.response, name)
        ]
        waits = ""
        if session is not None:
            waits = "auth" if session.wants_auth_value else "password" if session.wants_password else ""
        content = {
            "version": _VERSION,
            "command": CommandMessage(outcome.command.code, command).build().hex(),
            "response": ResponseMessage(0, outcome.command.code, response).build().hex(),
            "secret": secret,
            "context": "" if context is None else context.build().hex(),
            "nonceTPM": "" if session is None else session.nonce_tpm.hex(),
            "waitsFor": waits,
        }
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        data = json.dumps(content, indent=1).encode()
        write_whole(str(self._folder / f"{name}.json"), data, force=True, durable=False)
        return secret

    def forget(self, name: str) -> bool:
        """Removes the result with this name; returns whether it existed. Raises OSError if removing fails."""
        path = self._find(name)
        if path is not None:
            path.unlink(missing_ok=True)
        return path is not None

    def _find(self, name: str) -> Path | None:
        """Returns the path of the result with this name; None if there is no such regular file."""
        path = self._folder / f"{name}.json"
        return path if path.parent == self._folder and os.path.isfile(path) else None


def _is_secret(name: str, annotation: Any) -> bool:
    """Returns whether a field is a secret, a duplicate or a shared point of ECDH.

    A duplicate can be a private key in plaintext.
    """
    return is_secret(annotation) or name in (*_DUPLICATES, *_SHARED_POINTS)


def _without_secrets(record: Any) -> Any:
    """Returns a copy of a record in which secret values are empty."""
    changed: dict[str, Any] = {}
    for name, annotation in record.fields():
        value = getattr(record, name)
        if name in _SHARED_POINTS:
            changed[name] = value.replace(x=b"", y=b"")
        elif isinstance(value, Record):
            inner = _without_secrets(value)
            changed |= {} if inner is value else {name: inner}
        elif _is_secret(name, annotation) and value:
            changed[name] = b""
    return record.replace(**changed) if changed else record
