"""Checks all commands before the first one is sent. Values that only a response has are unknown."""

from collections.abc import Callable, Sequence
from typing import Any

from tpmwire.spec.constants import TPM_ALG, TPM_SE
from tpmwire.spec.structures import TPMT_PUBLIC

from .authorize import check_authorizations
from .build import build_planned
from .positions import Plan
from .saved import SavedResults
from .scope import ScriptScope
from .steps import expand_steps, is_step, parse_step
from .values import UNKNOWN, Outcome, Values

__all__ = ["NoResults", "rehearse"]


def _reader(saved: SavedResults | None) -> Callable[[str], Outcome | None]:
    """Returns a function that reads results of earlier runs, and loads nothing into the TPM."""

    def read(name: str) -> Outcome | None:
        found = None if saved is None else saved.read(name)
        return None if found is None else found.outcome

    return read


class _Rehearsal:
    """A scope without a TPM. The results of `plans` so far have unknown values."""

    dry = True

    def __init__(self, scope: Any) -> None:
        self.files = scope.files
        self.public = scope.public
        self.values = Values()
        self.values.outcomes = list(scope.values.outcomes)
        self.values.names = dict(scope.values.names)
        self.values.restore = _reader(scope.saved)
        self._scope = scope

    def load(self, data: bytes, where: str) -> int:
        return 0x80000000

    def name_of(self, handle: int) -> Any:
        return UNKNOWN

    def public_of(self, handle: int) -> TPMT_PUBLIC | None:
        found = self.values.newest(lambda outcome: outcome.handle == handle and outcome.public is not None)
        return found.public if found is not None and isinstance(found.public, TPMT_PUBLIC) else None

    def nv_public_of(self, handle: int) -> Any:
        return None

    def find_name(self, name: bytes, where: str) -> int:
        return 0x80000000

    def is_open(self, handle: int) -> bool:
        is_new = any(one.handle == handle and one.response is None for one in self.values.outcomes)
        return is_new or bool(self._scope.is_open(handle))

    def policy_digest(self, text: str, where: str) -> Any:
        parts = [part.strip() for part in text.split(";")]
        if not all(map(is_step, parts)):
            return None
        self.check_steps(parts, None)
        return UNKNOWN

    def check_steps(self, parts: Sequence[str], kind: Any) -> None:
        """Checks policy steps by building their commands. Raises UsageError for an invalid step."""
        for part in expand_steps(parts, TPM_ALG.SHA256):
            parsed = parse_step(self.files, part, kind)
            if isinstance(parsed, Plan):
                build_planned(parsed, self, {"policy_session": 0x03000000})


class NoResults:
    """The scope of commands without a script: no results except saved ones, and no open handles."""

    def __init__(self, files: Any, *, public: bool, saved: SavedResults | None = None) -> None:
        self.files, self.public, self.values, self.saved = files, public, Values(), saved

    def is_open(self, handle: int) -> bool:
        """Returns False."""
        return False


def rehearse(plans: Sequence[Plan], scope: "ScriptScope | NoResults") -> list[Any]:
    """Builds the commands of plans, and checks their options, without the TPM. Returns the commands.

    Unknown values in the commands are UNKNOWN, unknown handles 0x80000000. Raises UsageError for a mistake in a
    plan.
    """
    rehearsal = _Rehearsal(scope)
    commands = []
    for plan in plans:
        command = build_planned(plan, rehearsal)
        check_authorizations(plan, scope.files, public=scope.public)
        for options in plan.handles.values():
            rehearsal.check_steps(options.get("policy", []), plan.kind)
        outcome = Outcome(command, None)
        if plan.kind.code.name == "StartAuthSession":
            outcome.handle = 0x02000000 if command.session_type == TPM_SE.HMAC else 0x03000000
        rehearsal.values.add(outcome, plan.save)
        commands.append(command)
    return commands
