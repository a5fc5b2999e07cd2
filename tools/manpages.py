"""Writes the manual pages of both programs and of each verb, from their parsers and help texts.

python tools/manpages.py OUTDIR

The pages have the date of SOURCE_DATE_EPOCH (seconds since 1970), or none. Needs construct, as the programs do.
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from textwrap import wrap

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from cli.credentials.options import run_parser  # noqa: E402
from cli.credentials.settings import PROGRAM  # noqa: E402
from cli.terminal.help import exit_codes, files_of, variables_of  # noqa: E402
from cli.toolbox import FIRST_STEPS, GROUPS, VERBS  # noqa: E402
from tools.parsers import TOOLBOX, toolbox_parser, verb_parsers  # noqa: E402
from tpmwire import __version__  # noqa: E402

__all__ = ["pages", "write_pages"]

PROGRAM_TEXT = "print temporary AWS credentials; a key in the TPM signs the request"
TOOLBOX_TEXT = "keys in a TPM 2.0, and AWS requests signed with them"

_ESCAPES = str.maketrans({"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti"})
_MARKS = re.compile(r"`([^`]+)`|(?<![\w-])(--?[A-Za-z][\w-]*)")


def pages() -> dict[str, str]:
    """Returns the text of each manual page, keyed by file name."""
    found = {f"{TOOLBOX}.1": _toolbox_page(), f"{PROGRAM}.1": _program_page()}
    for verb, parser in verb_parsers():
        found[f"{_page_name(verb)}.1"] = _verb_page(verb, parser)
    return found


def write_pages(folder: Path) -> None:
    """Writes the manual pages into a folder, which is created if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text)


def _page_name(verb: str) -> str:
    return f"{TOOLBOX}-{verb.replace(' ', '-')}"


def _toolbox_page() -> str:
    lines = [*_head(TOOLBOX, TOOLBOX_TEXT), ".SH SYNOPSIS", f".B {TOOLBOX}", ".I VERB", "[options]"]
    lines += [
        ".SH DESCRIPTION",
        "Each verb has a manual page of its own, and lists its options with",
        _mark_options("`--help`."),
    ]
    for title, verbs in GROUPS.items():
        lines += [f".SS {_escape_roff(title)}"]
        for verb, text in verbs.items():
            lines += [".TP", f".BR {_escape_roff(_page_name(verb))} (1)", _mark_options(text)]
    lines += _section("EXIT STATUS", exit_codes()) + _section("ENVIRONMENT", variables_of(toolbox_parser()))
    lines += [*_section("FILES", files_of(toolbox_parser())), ".SH EXAMPLES"]
    for command, text in FIRST_STEPS.items():
        lines += [".TP", f".B {_escape_roff(command)}", _sentence(text)]
    return _page(lines, _see_also([PROGRAM]))


def _program_page() -> str:
    parser = run_parser()
    return _page(
        _body(PROGRAM, PROGRAM_TEXT, parser), _see_also([TOOLBOX, *map(_page_name, ("import", "enroll", "exec"))])
    )


def _verb_page(verb: str, parser: argparse.ArgumentParser) -> str:
    group = next(verbs for verbs in GROUPS.values() if verb in verbs)
    others = [_page_name(other) for other in group if other != verb]
    return _page(_body(_page_name(verb), VERBS[verb], parser), _see_also([TOOLBOX, PROGRAM, *others]))


def _body(name: str, text: str, parser: argparse.ArgumentParser) -> list[str]:
    examples, description = _split_examples(parser.description or "")
    lines = [*_head(name, text), ".SH SYNOPSIS", *_synopsis(parser), ".SH DESCRIPTION", *_prose(description)]
    lines += [".SH OPTIONS", *_options(parser), *_section("EXIT STATUS", exit_codes(parser))]
    lines += _section("ENVIRONMENT", variables_of(parser)) + _section("FILES", files_of(parser))
    return lines + ([".SH EXAMPLES", *_prose(examples)] if examples else [])


def _head(name: str, text: str) -> list[str]:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    date = time.strftime("%Y-%m-%d", time.gmtime(int(epoch))) if epoch else ""
    title = f'.TH "{_escape_roff(name.upper())}" "1" "{date}" "{TOOLBOX} {__version__}" "{TOOLBOX} manual"'
    # No justification and no hyphenation, so that commands can be copied.
    return [title, ".nh", ".ad l", ".SH NAME", f"{_escape_roff(name)} \\- {_escape_roff(text)}"]


def _page(lines: Iterable[str], end: Iterable[str]) -> str:
    return "\n".join(['.\\" Written by tools/manpages.py from the help texts.', *lines, *end]) + "\n"


def _see_also(names: Iterable[str]) -> list[str]:
    *first, last = [f".BR {_escape_roff(name)} (1)" for name in names]
    return [".SH SEE ALSO", *(f"{line}," for line in first), last]


def _section(title: str, rows: Mapping[str, str]) -> list[str]:
    if not rows:
        return []
    lines = [f".SH {title}"]
    for name, text in rows.items():
        lines += [".TP", f".B {_escape_roff(name)}", _sentence(text)]
    return lines


def _split_examples(description: str) -> tuple[str, str]:
    """Returns (examples, rest): the examples after a help text's first paragraph, and the text without them."""
    first, *rest = description.strip("\n").split("\n\n")
    number = next((at for at, part in enumerate(rest) if not part.startswith(" ")), len(rest))
    return "\n\n".join(rest[:number]), "\n\n".join([first, *rest[number:]])


def _prose(text: str) -> list[str]:
    """Returns the roff lines of a text. Indented lines become examples."""
    lines: list[str] = []
    for part in text.strip("\n").split("\n\n"):
        rows = part.splitlines()
        while rows:
            code = rows[0].startswith(" ")
            end = next((at for at, row in enumerate(rows) if row.startswith(" ") != code), len(rows))
            lines += [".PP", *(_example(rows[:end]) if code else [_mark_options(" ".join(rows[:end]))])]
            rows = rows[end:]
    return lines[1:]


def _example(lines: list[str]) -> list[str]:
    margin = min(len(line) - len(line.lstrip()) for line in lines)
    code = (_escape_roff(line[margin:]) for line in lines)
    return [".RS 4", ".EX", *(f"\\&{line}" if line.startswith(".") else line for line in code), ".EE", ".RE"]


def _synopsis(parser: argparse.ArgumentParser) -> list[str]:
    """Returns the roff lines with the usage of a parser, or of each of its subparsers."""
    inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    parsers = list(inner[0].choices.values()) if inner else [parser]
    lines = []
    for each in parsers:
        usage = " ".join(each.format_usage().removeprefix("usage: ").split())
        lines += [
            ".br",
            f".B {_escape_roff(each.prog)}",
            _wrap_text(_escape_roff(usage.removeprefix(each.prog).strip())),
        ]
    return lines[1:]


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for group in parser._action_groups:
        inner = [action for action in group._group_actions if action.help != argparse.SUPPRESS]
        if any(isinstance(action, argparse._SubParsersAction) for action in parser._actions):
            # -h is an option of each subparser.
            inner = [action for action in inner if "-h" not in action.option_strings]
        if not inner:
            continue
        title = group.title or ""
        if title not in ("options", "positional arguments"):
            yield f".SS {_escape_roff(title[0].upper() + title[1:])}"
            if group.description:
                yield _sentence(group.description)
        for action in inner:
            if isinstance(action, argparse._SubParsersAction):
                yield from _subcommands(action)
            else:
                yield from _option(action)


def _subcommands(action: "argparse._SubParsersAction[argparse.ArgumentParser]") -> Iterator[str]:
    """Yields the roff lines of each subcommand's options, then of the options that all subcommands share."""
    parsers = {name: parser._actions for name, parser in action.choices.items()}
    keys = [{(tuple(one.option_strings), one.dest, one.help) for one in actions} for actions in parsers.values()]
    shared = set.intersection(*keys)
    texts = {one.dest: one.help or "" for one in action._get_subactions()}
    for name, actions in parsers.items():
        yield from (f".SS {_escape_roff(name)}", _sentence(texts[name]))
        for one in actions:
            if (tuple(one.option_strings), one.dest, one.help) not in shared:
                yield from _option(one)
    yield ".SS Options of all these"
    for one in next(iter(parsers.values())):
        if (tuple(one.option_strings), one.dest, one.help) in shared:
            yield from _option(one)


def _option(action: argparse.Action) -> Iterator[str]:
    value = _value(action)
    names = [f"\\fB{_escape_roff(name)}\\fR{' ' + value if value else ''}" for name in action.option_strings]
    yield from (".TP", ", ".join(names) or value)
    yield _sentence(str(action.help))


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    if action.metavar is not None:
        name = f"\\fI{_escape_roff(str(action.metavar))}\\fR"
    elif action.choices is not None:
        name = "|".join(f"\\fB{_escape_roff(str(choice))}\\fR" for choice in action.choices)
    else:
        name = f"\\fI{_escape_roff(action.dest.upper() if action.option_strings else action.dest)}\\fR"
    return {"?": f"[{name}]", "*": f"[{name} ...]", "+": f"{name} ..."}.get(str(action.nargs), name)


def _sentence(text: str) -> str:
    return _mark_options(f"{text[0].upper()}{text[1:].rstrip('.')}.")


def _mark_options(text: str) -> str:
    """Escapes a text for roff, and makes `commands` and --options bold."""
    parts, end = [], 0
    for found in _MARKS.finditer(text):
        parts += [_escape_roff(text[end : found.start()]), f"\\fB{_escape_roff(found[1] or found[2])}\\fR"]
        end = found.end()
    return _wrap_text("".join([*parts, _escape_roff(text[end:])]))


def _wrap_text(text: str) -> str:
    lines = wrap(text, 78, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"\\&{line}" if line.startswith(".") else line for line in lines)


def _escape_roff(text: str) -> str:
    """Escapes a text, so that roff takes no part of it for a request or an escape sequence."""
    safe = "".join(char if char < "\x7f" else f"\\[u{ord(char):04X}]" for char in text.translate(_ESCAPES))
    return safe


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes the manual pages of both programs and of each verb.")
    parser.add_argument("folder", type=Path, metavar="OUTDIR")
    write_pages(parser.parse_args().folder)


if __name__ == "__main__":
    main()
