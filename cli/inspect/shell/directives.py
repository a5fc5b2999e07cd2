"""Lines of a script that are not TPM commands: help, explain, show, save, values, session, swap."""

from collections.abc import Callable, Sequence
from typing import Any

from tpmwire.explain import as_text
from tpmwire.spec.names import field_name

from ...terminal.messages import UsageError
from ...terminal.options import suggestion
from . import outputs, text
from .authorize import SESSIONS
from .help import help_text
from .values import Outcome

__all__ = ["DIRECTIVES", "find"]


def find(commands: Sequence[Sequence[str]]) -> "Callable[[Any, Sequence[str]], str] | None":
    """Returns the function of the directive in a line, or None if the line has TPM commands.

    Raises UsageError if a directive is combined with other commands.
    """
    is_name = commands[0][1:2] == ["="]  # such as session = StartAuthSession HMAC
    found = None if is_name else DIRECTIVES.get(commands[0][0].lower())
    if found is not None and len(commands) > 1:
        raise UsageError(f"{commands[0][0]} must be alone on its line; remove the +")
    return found


def _help(script: Any, words: Sequence[str]) -> str:
    return help_text(words)


def _explain(script: Any, words: Sequence[str]) -> str:
    """Explains the bytes of the last line with commands, or of the Nth."""
    given = words[0] if words else "last"
    if len(words) > 1 or not (given == "last" or given.isdecimal()):
        raise UsageError("explain needs `last`, or the number of a line with commands, such as explain 1")
    parts = script.explanations(-1 if given == "last" else int(given))
    texts = [
        (f"# {comment}:\n" if comment else "")
        + as_text(tree, secrets=script.secrets, hidden="not shown (--secrets shows it)")
        for comment, tree in parts
    ]
    return "\n\n".join(texts)


def _python(script: Any, words: Sequence[str]) -> str:
    """Assigns the bytes of the last line's commands and responses to names of Python."""
    _refuse(words, "python")
    lines = [
        f'{name}_{number} = bytes.fromhex("{data.hex()}")'
        for number, pair in enumerate(script.sent, 1)
        for name, data in (("command", pair.command), ("response", pair.response))
    ]
    return "\n".join(lines) or "no command was sent yet"


def _show(script: Any, words: Sequence[str]) -> str:
    """Shows values in full, including secret values, which the user asks for by name."""
    if not words:
        raise UsageError("show needs a value, such as show $1 or show $key.outPublic")
    shown = []
    for word in words:
        value = script.values.find(word if word.startswith("$") else f"${word}", "show")
        if isinstance(value, Outcome):
            number = script.values.outcomes.index(value) + 1
            shown.append(text.outcome_text(value, number, "", secrets=True))
        else:
            shown.append(text.value_text(word, value))
    return "\n".join(shown)


def _values(script: Any, words: Sequence[str]) -> str:
    """Lists the results of the script."""
    _refuse(words, "values")
    names = {id(outcome): name for name, outcome in script.values.names.items()}
    lines = []
    for number, outcome in enumerate(script.values.outcomes, 1):
        name = names.get(id(outcome))
        fields = ", ".join(["handle"] * outcome.has_handle + list(outcome.named()))
        shown = f" ${name}" if name else ""
        state = ""
        if outcome.has_handle:
            state = " (flushed)" * (not script.is_open(outcome.handle)) or " (saved outside of the TPM)" * (
                script.swapper.is_saved(outcome.handle)
            )
        lines.append(f"${number}{shown}  TPM2_{outcome.command.code.name}: {fields or 'no values'}{state}")
    return "\n".join(lines) or "no results yet"


def _save(script: Any, words: Sequence[str]) -> str:
    """Writes a value to a file in the format of tpm2-tools."""
    if len(words) != 2:
        raise UsageError("save needs a value and a file, such as save $key.outPublic key.pub")
    name, path = words[0], words[1].removeprefix("@")
    value = script.values.find(name, "save")
    if isinstance(value, Outcome):
        content = outputs.file_content(script, value, "context", path)
    else:
        outcome = script.values.find(name.partition(".")[0], "save")
        known = {field_name(field) for field, _ in type(outcome.command).Response.fields()}
        last = name.rpartition(".")[2]
        annotation = outputs.annotation_of(outcome, last) if last in known else None
        content = outputs.value_content(value, annotation, path)
    script.files.write(path, content)
    return f"wrote {len(content)} bytes to {path}"


def _session(script: Any, words: Sequence[str]) -> str:
    """Sets the session of commands without one."""
    if len(words) > 1 or (words and words[0] not in SESSIONS):
        raise UsageError(f"session: use one of {', '.join(SESSIONS)}{suggestion(words[0], SESSIONS)}")
    if words:
        script.authorizer.wanted = words[0]
    return f"session: {script.authorizer.wanted}: {SESSIONS[script.authorizer.wanted]}"


def _swap(script: Any, words: Sequence[str]) -> str:
    """Switches the swapping of contexts on or off."""
    if len(words) > 1 or (words and words[0] not in ("on", "off")):
        raise UsageError("swap: use `swap on` or `swap off`")
    if words == ["on"] and script.keep:
        raise UsageError("swap cannot be used with --keep, which leaves the objects in the TPM; remove --keep")
    if words:
        script.swapper.enabled = words[0] == "on"
    return (
        "swap: on: objects and sessions for which the TPM has no slot are saved outside of it"
        if script.swapper.enabled
        else "swap: off: the TPM refuses objects and sessions for which it has no slot"
    )


def _secrets(script: Any, words: Sequence[str]) -> str:
    """Shows or hides secret values."""
    if len(words) > 1 or (words and words[0] not in ("show", "hide")):
        raise UsageError("secrets: use `secrets show` or `secrets hide`")
    if words:
        script.secrets = words[0] == "show"
    return f"secrets: {'shown' if script.secrets else 'hidden'}"


def _refuse(words: Sequence[str], name: str) -> None:
    if words:
        raise UsageError(f"{name} has no arguments; remove {words[0]!r}")


DIRECTIVES: dict[str, Callable[[Any, Sequence[str]], str]] = {
    "help": _help,
    "?": _help,
    "explain": _explain,
    "python": _python,
    "show": _show,
    "values": _values,
    "save": _save,
    "session": _session,
    "secrets": _secrets,
    "swap": _swap,
}
"""The directives by name."""
