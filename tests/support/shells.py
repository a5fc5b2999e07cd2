"""bash, zsh and fish at a terminal of their own: all completions of a command line, by the shell's own keys."""

import os
import pty
import select
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

__all__ = ["SHELLS", "completions"]

SHELLS = ("bash", "zsh", "fish")

_BASH = """
source "$SCRIPT"
bind '"\\C-xa": insert-completions'
bind -x '"\\C-xd": printf "%s" "$READLINE_LINE" >"$RESULT.draft"; mv "$RESULT.draft" "$RESULT"'
PS1=; echo READY
"""
_ZSH = """
autoload -Uz compinit; compinit -u -d "$ZDOTDIR/dump"
source "$SCRIPT"
zle -C all-matches complete-word _generic
zstyle ':completion:all-matches:*' completer _all_matches _complete
zstyle ':completion:all-matches:*' insert yes
dump() { print -rn -- "$BUFFER" >"$RESULT.draft"; mv "$RESULT.draft" "$RESULT" }
zle -N dump
bindkey '^Xa' all-matches
bindkey '^Xd' dump
PS1=; echo READY
"""


def completions(shell: str, script: Path, line: str, place: Path, environment: Mapping[str, str]) -> list[str]:
    """Returns the completions of the last word of `line` in the directory `place`, sorted."""
    if shell == "fish":
        done = subprocess.run(
            ["fish", "--no-config", "-c", 'source $argv[1]; complete -C "$argv[2]"', str(script), line],
            check=True,
            cwd=place,
            env=dict(environment),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.stderr == ""
        found = [each.partition("\t")[0] for each in done.stdout.splitlines()]
        return _values(line.rpartition(" ")[2], found)
    result = place / "result"
    result.unlink(missing_ok=True)
    (place / ".zshrc").write_text(_ZSH)
    (place / ".bashrc").write_text(_BASH)
    words = ["zsh", "-d", "-i"] if shell == "zsh" else ["bash", "--noprofile", "--rcfile", ".bashrc", "-i"]
    given = {**environment, "SCRIPT": str(script), "RESULT": str(result), "ZDOTDIR": str(place), "TERM": "dumb"}
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(place)
        os.execvpe(shell, words, given)
    try:
        _read(terminal, lambda shown: b"READY\r\n" in shown)
        os.write(terminal, line.encode() + b"\x18a\x18d")
        _read(terminal, lambda _: result.exists())
    finally:
        os.close(terminal)
        os.waitpid(child, 0)
    # Keys that insert all completions have left them in the line.
    before, _, last = line.rpartition(" ")
    found = shlex.split(result.read_text())[len(shlex.split(before)) :]
    return _values(last, found)


def _values(last: str, found: list[str]) -> list[str]:
    """Returns completions without the option in `--option=value`, sorted; without `last` itself, if incomplete."""
    option, equals, start = last.rpartition("=")
    return sorted(
        word
        for word in (each.removeprefix(option + equals).removesuffix("/") for each in found)
        if word not in ("", start)
    )


def _read(terminal: int, enough: Callable[[bytes], bool]) -> None:
    """Reads from the terminal until there is enough. Raises TimeoutError."""
    shown, deadline = b"", time.monotonic() + 120
    while not enough(shown):
        if time.monotonic() > deadline:
            raise TimeoutError(shown.decode())
        if select.select([terminal], [], [], 0.05)[0]:
            shown += os.read(terminal, 4096)
