"""Writes cli/completions/: the completion scripts of both programs, by shtab from their parsers.

python tools/completions.py
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import shtab

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from cli.terminal.options import Program, flag  # noqa: E402
from tools.parsers import PROGRAM, TOOLBOX, run_parser, toolbox_parser  # noqa: E402

FOLDER = ROOT / "cli" / "completions"
SHELLS = ("bash", "fish", "zsh")

BASH = r"""
_tpmwire_complete() {
  # After --, the arguments of another program: bash-completion has a function for them.
  local offset function
  for (( offset = 1; offset < COMP_CWORD; offset++ )); do
    if [[ ${COMP_WORDS[offset]} = -- ]]; then
      for function in _comp_command_offset _command_offset; do
        declare -F "$function" >/dev/null || continue
        "$function" $(( offset + 1 ))
        return
      done
    fi
  done
  # bash splits --option=value at the =; shtab expects the option and the value.
  local word before= words=() cword=$COMP_CWORD index
  for index in "${!COMP_WORDS[@]}"; do
    word=${COMP_WORDS[index]}
    if [[ $word = = && $before = --* ]]; then
      if (( index != COMP_CWORD )); then
        (( index < COMP_CWORD )) && (( cword -= 1 ))
        continue
      fi
      word=
    fi
    before=$word
    words+=("$word")
  done
  local COMP_WORDS=("${words[@]}") COMP_CWORD=$cword
  word=${1##*/}
  "_shtab_${word//[^[:word:]]/_}"
}

# $1=kind of values, $2=COMP_WORDS[1]
_tpmwire_values() {
  local value
  while IFS= read -r value; do
    if [[ $value = "$2"* ]]; then printf '%q\n' "$value"; fi
  done < <(command tpmwire completion --list "$1" 2>/dev/null)
}

_tpmwire_profiles() { _tpmwire_values profiles "$1"; }
_tpmwire_handles() { _tpmwire_values handles "$1"; }
_tpmwire_any_file() { compgen -f -- "$1"; }
_tpmwire_key_file() { compgen -f -X '!*.pem' -- "$1"; compgen -d -- "$1"; }
_tpmwire_keys_file() { _tpmwire_handles "$1"; _tpmwire_key_file "$1"; }
_tpmwire_program_file() { compgen -c -- "$1"; compgen -f -- "$1"; }
"""

ZSH = """
_tpmwire_values() {
  local -a values=(${(f)"$(command tpmwire completion --list $1 2>/dev/null)"})
  compadd -a values
}
_tpmwire_profiles() { _tpmwire_values profiles }
_tpmwire_handles() { _tpmwire_values handles }
_tpmwire_key_files() { _files -g '*.pem' }
_tpmwire_keys() { _tpmwire_values handles; _tpmwire_key_files }
_tpmwire_program() {
  if [[ $words[1] = -- ]]; then
    shift words
    (( CURRENT -= 1 ))
  fi
  _normal
}
"""

FISH = r"""
function _tpmwire_values
  command tpmwire completion --list $argv 2>/dev/null
end

function _tpmwire_files
  set -l path (string replace -r '^--[^=]*=' '' -- (commandline -ct))
  for found in (__fish_complete_path "$path")
    string match -q -r "(/|$argv)(\t.*)?\$" -- $found; and echo $found
  end
end

function _tpmwire_program
  set -l words (commandline -opc) (commandline -ct)
  set -l at (contains -i -- -- $words); or return
  complete -C (string join ' ' -- (string escape -- $words[(math $at + 1)..-1]))
end
"""


def _completer(bash: str, zsh: str, fish: str) -> dict[str, Any]:
    """Returns a completer for shtab: the name of a completion function for each shell."""
    return {"bash": bash, "zsh": zsh, "fish": fish, "preamble": {"bash": BASH, "zsh": ZSH, "fish": FISH}}


# shtab treats the words of bash as files if the function's name has _file.
FILES = _completer("_tpmwire_any_file", "_files", "(_tpmwire_files '')")
KEY_FILES = _completer("_tpmwire_key_file", "_tpmwire_key_files", "(_tpmwire_files '\\\\.pem')")
PROFILES = _completer("_tpmwire_profiles", "_tpmwire_profiles", "(_tpmwire_values profiles)")
HANDLES = _completer("_tpmwire_handles", "_tpmwire_handles", "(_tpmwire_values handles)")
KEYS = _completer("_tpmwire_keys_file", "_tpmwire_keys", "(_tpmwire_values handles; _tpmwire_files '\\\\.pem')")
COMMAND = _completer("_tpmwire_program_file", "_tpmwire_program", "(_tpmwire_program)")

BY_NAME = {
    "persistentHandle": HANDLES,
    "profile": PROFILES,
    "from_profile": PROFILES,
    "write_profile": PROFILES,
    "credential_file": KEY_FILES,
    "mfa_totp": KEYS,
    "sigv4a": KEYS,
    "key": KEYS,
    "what": KEYS,
}
"""Completers of options and arguments, by the name of the setting."""

BY_METAVAR = {
    "FILE": FILES,
    "HOSTS": FILES,
    "KEYFILE": KEY_FILES,
    "PATH": FILES,
    "PEM": FILES,
    "HEX|FILE": FILES,
}
"""Completers by the placeholder of the value."""

KEY_ARGUMENTS = {("show", "file"), ("persist", "file"), ("policy", "words"), ("import-key", "file")}
"""Arguments, by verb and name, that are key files."""


CHANGES = {
    "bash": {"complete -o bashdefault -F $ROOT": "complete -o bashdefault -F _tpmwire_complete"},
    # `source <(tpmwire completion zsh)` works like eval.
    "zsh": {"[[ $zsh_eval_context[-1] == eval ]]": "[[ $zsh_eval_context[-1] != loadautofunc ]]"},
}
"""Texts of shtab's scripts, and their replacements."""


def _each(parser: argparse.ArgumentParser, verb: str = "") -> Iterator[tuple[str, argparse.Action]]:
    """Yields (verb, action) for every action of a parser and its subparsers."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from _each(inner, f"{verb} {name}".strip())
        else:
            yield verb, action


def _prepare(parser: argparse.ArgumentParser, shell: str) -> argparse.ArgumentParser:
    """Adds completers to a parser's actions, and changes the actions for the shell. Returns the parser."""
    for verb, action in _each(parser):
        completer = BY_NAME.get(action.dest) or BY_METAVAR.get(str(action.metavar))
        if (verb, action.dest) in KEY_ARGUMENTS:
            completer = KEY_FILES
        elif (verb, action.dest) == ("evict", "handle"):
            completer = HANDLES
        elif isinstance(action, Program):
            completer = COMMAND
            action.nargs = argparse.REMAINDER
        if action.help and action.help != argparse.SUPPRESS:
            action.help = re.split(r" \(|; |: ", action.help)[0]  # a menu has one line for it
        if action.type is flag:
            action.nargs = 0  # a value after a blank is not the value of a flag
        elif completer and not action.choices:
            action.complete = completer  # type: ignore[attr-defined]
        if shell == "zsh" and action.option_strings and action.nargs != 0:
            # The form of _arguments for both `--option=value` and `--option value`.
            action.option_strings = [
                f"{name}{'=' if name.startswith('--') else '+'}" for name in action.option_strings
            ]
    return parser


def script(program: str, shell: str) -> str:
    """Returns the completion script of a program."""
    parser = toolbox_parser() if program == TOOLBOX else run_parser()
    text: str = shtab.complete(_prepare(parser, shell), shell)
    for template, new in CHANGES.get(shell, {}).items():
        old = template.replace("$ROOT", f"_shtab_{program.replace('-', '_')}")
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def main() -> None:
    """Writes the completion scripts of both programs for every shell."""
    FOLDER.mkdir(exist_ok=True)
    for shell in SHELLS:
        for program in (TOOLBOX, PROGRAM):
            (FOLDER / f"{program}.{shell}").write_text(script(program, shell))


if __name__ == "__main__":
    main()
