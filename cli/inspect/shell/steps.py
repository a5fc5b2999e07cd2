"""Policy steps as text: `pcr:sha256:7`, `secret:endorsement`, `PolicyNV 1 00 operation=EQ`, `@policy.json`."""

import shlex
from collections.abc import Sequence
from typing import Any

from tpmwire.errors import PolicyError
from tpmwire.keys.ek_policies import ek_policies
from tpmwire.policy.choice import Either
from tpmwire.policy.policy import Policy
from tpmwire.policy.text import from_json
from tpmwire.spec.command import command_class
from tpmwire.spec.constants import TPM_ALG, TPM_CC

from ...terminal.messages import UsageError
from .numbers import plain
from .positions import Plan, split_words
from .sources import Files

__all__ = ["STEPS", "expand_steps", "is_step", "parse_step"]

STEPS = "pcr:BANK:LIST, auth-value, password, command-code, secret:HANDLE"
"""The usual steps, for messages."""

_PROFILE = ("PolicyA", "PolicyB", "PolicyC")

_HIERARCHIES = "owner, endorsement, platform"


def _commands() -> dict[str, Any]:
    """Returns {name without Policy: class} of the commands that extend a policy."""
    found = {}
    for code in TPM_CC:
        kind = command_class(code) if code.name.startswith("Policy") else None
        if kind is not None and any(name == "policy_session" for name, _ in kind.fields()):
            found[plain(code.name.removeprefix("Policy"))] = kind
    for name in ("getdigest", "restart"):
        found.pop(name, None)
    return found


def is_step(text: str) -> bool:
    """Returns whether a text begins like a policy step."""
    head = text.replace(":", " ", 1).split(" ")[0]
    return text in _PROFILE or plain(head).removeprefix("policy") in _commands()


def expand_steps(steps: Sequence[Any], alg: TPM_ALG) -> list[Any]:
    """Returns steps in which PolicyA, PolicyB and PolicyC of the EK Credential Profile are policy commands.

    PolicyB follows PolicyA, unless PolicyC precedes it. `alg` is the hash of the policy session. Raises UsageError
    if the profile has no policies for `alg`.
    """
    found: list[Any] = []
    for position, step in enumerate(steps):
        if step not in _PROFILE:
            found.append(step)
            continue
        known = ek_policies(alg)
        if known is None:
            raise UsageError(
                f"{step}: the EK Credential Profile has no policy for {alg.name}; use SHA256 or SHA384"
            )
        if step == "PolicyC":
            found.append(f"PolicyAuthorizeNV {known.nv_public.nv_index:#x}")
            continue
        if step == "PolicyA" or not {"PolicyA", "PolicyC"} & {*steps[:position]}:
            found.append("secret:endorsement")
        if step == "PolicyB":
            found.append(f"or:{known.a.hex()},{known.c.hex()}")
    return found


def parse_step(files: Files, text: str, authorized: Any, option: str = "--policy") -> Plan | Policy | Either:
    """Parses a policy step that authorizes a command of class `authorized` (None in a trial session).

    Returns the plan of the policy command, or a policy in JSON. Raises UsageError for an invalid step.
    """
    if text.startswith("@") or text[:1] in "[{":
        data = files.read(text[1:]) if text.startswith("@") else text.encode()
        try:
            return from_json(data.decode("utf-8", "replace"))
        except PolicyError as error:
            raise UsageError(f"{option} {text[:60]}: {error}") from error
    head, _, rest = text.partition(" ") if " " in text.split(":", maxsplit=1)[0] else text.partition(":")
    kind = _commands().get(plain(head).removeprefix("policy"))
    if kind is None:
        known = ", ".join(sorted(found.code.name for found in _commands().values()))
        raise UsageError(
            f"{option} {text}: unknown step; usual steps: {STEPS} (with {_HIERARCHIES}); others: {known}"
        )
    try:
        words = shlex.split(rest)
    except ValueError as error:
        raise UsageError(f"{option} {text}: {error}") from None
    if kind.code == TPM_CC.PolicyCommandCode and not words:
        if authorized is None:
            raise UsageError(f"{option} {text}: name the command, such as command-code:Sign")
        words = [f"code={authorized.code.name}"]
    if kind.code == TPM_CC.PolicyPCR and not words:
        raise UsageError(f"{option} {text}: name the PCRs, such as pcr:sha256:7")
    return split_words(kind, words)
