"""The site's pages about commands, types and response codes of the standard, made from the library's tables."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from tools.site_examples import Example, examples
from tpmwire.explain.table import Table, kinds, table_of
from tpmwire.explain.texts import command_errors, meaning
from tpmwire.explain.tss2_texts import tss2_text
from tpmwire.spec.command import command_class
from tpmwire.spec.commands import CHAPTERS
from tpmwire.spec.constants import TPM_CC
from tpmwire.spec.names import constant_name
from tpmwire.spec.response_codes import TPM_RC
from tpmwire.spec.response_texts import explain

__all__ = ["page_addresses", "reference_pages"]

_HEADS = {
    "handles": ("handle", "type", "authorization", "meaning"),
    "response handles": ("handle", "type", "", "meaning"),
    "parameters": ("parameter", "type", "encoding", "meaning"),
    "response parameters": ("parameter", "type", "encoding", "meaning"),
    "fields": ("field", "type", "encoding", "meaning"),
    "bits": ("bits", "value", "name", "meaning"),
    "values": ("value", "name", "meaning"),
    "typical errors": ("response code", "usual cause"),
    "commands": ("command", "usual cause"),
    "members, by the selector": ("selector", "type", "encoding"),
}
"""Column titles of the tables, by the heading of the part."""

_NAME = re.compile(r"\bTPM2_\w+|\bTPM2B_\w+|\bTPM[A-Z]?_\w+")


@cache
def page_addresses() -> Mapping[str, str]:
    """Returns the path of each page's Markdown file in the site, keyed by the name in the standard."""
    addresses = {
        name: f"reference/{'commands' if kind.startswith('commands') else 'types'}/{name}.md"
        for kind, names in kinds().items()
        for name in names
    }
    return addresses | {constant_name(code): f"reference/codes/{constant_name(code)}.md" for code in TPM_RC}


def reference_pages() -> Mapping[str, str]:
    """Returns the Markdown of all pages, keyed by the path in the site."""
    pages = {
        "reference/commands.md": _commands_index(),
        "reference/types.md": _types_index(),
        "reference/response-codes.md": _codes_index(),
    }
    for kind, names in kinds().items():
        for name in names:
            table = table_of(name)
            page = _command_page(table) if kind.startswith("commands") else _type_page(table, kind)
            pages[page_addresses()[name]] = page
    for code in TPM_RC:
        pages[page_addresses()[constant_name(code)]] = _code_page(code)
    return pages


def _front(title: str, description: str, *, index: bool = False) -> str:
    """Returns the front matter of a page. Only an index is in the site's navigation."""
    hidden = "" if index else "hide: [navigation]\n"
    return f"---\ntitle: {title}\ndescription: {json.dumps(description)}\n{hidden}---\n"


def _escape(text: str) -> str:
    """Returns a text as Markdown that shows the same characters, also in the cell of a table."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", text)


def _linked(text: str, up: str = "../../") -> str:
    """Returns a text as Markdown in which names of the standard link to their pages.

    `up` is the path from the page to the site's root.
    """
    parts, end = [], 0
    for found in re.finditer(rf"`[^`]+`|{_NAME.pattern}", text):
        parts.append(_escape(text[end : found.start()]))
        name = found[0]
        address = page_addresses().get(name)
        code = name if name.startswith("`") else f"`{name}`"
        parts.append(f"[{code}]({up}{address})" if address else code)
        end = found.end()
    return "".join([*parts, _escape(text[end:])])


def _rows(heading: str, rows: Sequence[Sequence[str]]) -> str:
    """Returns the rows of a part of a table as a Markdown table."""
    columns = max(map(len, rows))
    titles = _HEADS.get(re.sub(r"^fields of .*", "fields", heading), ("", "", "", ""))[:columns]
    titles = (*titles, *("" for _ in range(columns - len(titles))))
    lines = [f"| {' | '.join(titles)} |", f"|{'---|' * columns}"]
    for row in rows:
        first = f"`{row[0]}`" if row[0] not in page_addresses() else _linked(row[0])
        lines.append("| " + " | ".join([first, *(_linked(cell) for cell in row[1:])]) + " |")
    return "\n".join(lines)


def _parts(table: Table) -> Iterator[str]:
    """Yields the sections of a table, except the meaning, which is at the page's beginning."""
    for heading, rows in table.parts:
        if heading == "meaning" or not rows:
            continue
        if heading in ("command code", "sessions", "on the wire"):
            yield f"**{heading.capitalize()}:** {_linked(', '.join(rows[0]))}"
        elif len(rows) == 1 and len(rows[0]) == 1:
            yield f"## {heading.capitalize()}\n\n{_linked(rows[0][0])}"
        else:
            yield f"## {_linked(heading[:1].upper() + heading[1:])}\n\n{_rows(heading, rows)}"


def _head(table: Table, index: str, label: str) -> list[str]:
    """Returns the beginning of a page: link to the index, title, purpose, meaning and section."""
    means = next((rows[0][0] for heading, rows in table.parts if heading == "meaning"), "")
    lines = [f"[{label}](../{index})", f"# {_escape(table.name)}", f"{_linked(table.purpose)}"]
    lines += [_linked(means)] if means and means != table.purpose else []
    lines += [f"**Section:** TPM 2.0 Library, {table.spec}"] if table.spec else []
    return lines


def _command_page(table: Table) -> str:
    lines = [_front(table.name, table.purpose), *_head(table, "commands.md", "All commands")]
    example = examples()[table.name]
    lines.append(f"[Explain in the playground](../../playground/index.html#explain/{table.name}){{ .md-button }}")
    if example.line:
        link = f"../../playground/index.html#run/{_quote(example.line)}"
        lines[-1] = f"[Try it in the playground]({link}){{ .md-button .md-button--primary }}"
    lines += _parts(table)
    lines += _example(example)
    lines += _neighbours(table.name)
    return "\n\n".join(lines) + "\n"


def _quote(text: str) -> str:
    return "".join(c if c.isalnum() or c in "=.-_~" else "".join(f"%{b:02X}" for b in c.encode()) for c in text)


def _example(example: Example) -> Iterator[str]:
    yield "## Example"
    if example.line:
        yield "With `tpmwire send`, on a soft TPM whose random values are repeatable:"
        yield f"```sh\ntpmwire send --tpm-path soft:seed=example {_shell_words(example.line)}\n```"
    yield f"The command's bytes, built by tpmwire{'' if example.line else ' with the shortest valid fields'}:"
    yield f"```text\n{example.command}\n```"
    if example.response:
        yield f"The soft TPM's response:\n\n```text\n{example.response}\n```"


def _shell_words(line: str) -> str:
    """Returns a line of commands for a shell: one command on each line, names of results in quotes."""
    words = [word if re.fullmatch(r"[\w.,:=+/'|\[\]\"-]+", word) else f"'{word}'" for word in line.split()]
    return " ".join(words).replace(" + ", " + \\\n    ")


def _neighbours(name: str) -> Iterator[str]:
    """Yields the list of the commands in the same chapter, and of the pages for programs."""
    for chapter in CHAPTERS:
        names = _chapters()[chapter]
        if name in names:
            others = ", ".join(_linked(each) for each in names if each != name)
            anchor = f"tpmwire.spec.commands.{chapter}.{name.removeprefix('TPM2_')}"
            yield f"## See also\n\nIn the same chapter: {others}." if others else "## See also"
            yield f"In Python: [`tpmwire.commands`](../../api/tpmwire.commands.md#{anchor})."


@cache
def _chapters() -> Mapping[str, list[str]]:
    """Returns the names of the commands by chapter, in the standard's order."""
    found: dict[str, list[str]] = {chapter: [] for chapter in CHAPTERS}
    for code in TPM_CC:
        command = command_class(code)
        if command is not None:
            found[command.__module__.rpartition(".")[2]].append(f"TPM2_{code.name}")
    return found


def _type_page(table: Table, kind: str) -> str:
    lines = [_front(table.name, table.purpose or kind), *_head(table, "types.md", "All types"), *_parts(table)]
    users = _users()[table.name]
    if users:
        lines.append("## Used by\n\n" + ", ".join(_linked(user) for user in users))
    return "\n\n".join(lines) + "\n"


@cache
def _users() -> Mapping[str, list[str]]:
    """Returns the names of the tables that mention a type, keyed by the type's name."""
    found: dict[str, list[str]] = {name: [] for name in page_addresses()}
    for names in kinds().values():
        for name in names:
            parts = table_of(name).parts
            cells = " ".join(cell for heading, rows in parts for row in rows for cell in row[1:3])
            cells += " ".join(row[0] for heading, rows in parts if heading.startswith("on the") for row in rows)
            for used in sorted(set(_NAME.findall(cells)) - {name}):
                if used in found:
                    found[used].append(name)
    return found


def _code_page(code: TPM_RC) -> str:
    name = constant_name(code)
    facts = explain(code)
    means = meaning("TPM_RC", code.name)
    lines = [_front(name, facts.description), "[All response codes](../response-codes.md)", f"# {_escape(name)}"]
    lines += [f"**{_linked(facts.description[:1].upper() + facts.description[1:])}.**"]
    lines += [_linked(means[:1].upper() + means[1:])] if means else []
    link = f"../../playground/index.html#explain/0x{int(code):x}"
    lines.append(f"[Explain in the playground]({link}){{ .md-button }}")
    lines.append(f"## Values\n\n{_values(code)}")
    rows = [
        (each, why)
        for each in kinds()["commands (Part 3)"]
        for other, why in command_errors(each)
        if other == name
    ]
    if rows:
        lines.append(f"## Commands that return it\n\n{_rows('commands', rows)}")
    return "\n\n".join(lines) + "\n"


def _values(code: TPM_RC) -> str:
    """Returns a table of the numbers under which a response code appears, with the texts of tpm2-tools."""
    values = [(int(code), "")]
    if code & 0x80 and code < 0x100:
        values += [(code + 0x100 * n, f"handle {n}") for n in (1, 2)]
        values += [(code + 0x40 + 0x100 * n, f"parameter {n}") for n in (1, 2, 3, 4)]
        values += [(code + 0x800 + 0x100 * n, f"session {n}") for n in (1, 2)]
    lines = ["| value | decimal | about | text of tpm2-tools |", "|---|---|---|---|"]
    for value, about in values:
        lines.append(f"| `0x{value:x}` | {value} | {about} | {_escape(tss2_text(value))} |")
    return "\n".join(lines)


def _commands_index() -> str:
    lines = [_front("Commands", "All commands of TPM 2.0", index=True), "# Commands of TPM 2.0"]
    lines.append(
        "Each page has a command's handles, parameters, usual errors, and an example with its bytes. The search "
        "finds names such as `TPM2_Create`."
    )
    for chapter, names in _chapters().items():
        rows = [(name, table_of(name).purpose) for name in names]
        lines.append(f"## {chapter.replace('_', ' ').capitalize()}\n\n{_index_table('command', rows)}")
    return "\n\n".join(lines) + "\n"


def _types_index() -> str:
    lines = [_front("Types", "Structures, constants and attributes of TPM 2.0", index=True), "# Types of TPM 2.0"]
    for kind, names in kinds().items():
        if not kind.startswith("commands"):
            rows = [(name, table_of(name).purpose or meaning(name)) for name in names]
            lines.append(f"## {kind[:1].upper()}{kind[1:]}\n\n{_index_table('name', rows)}")
    return "\n\n".join(lines) + "\n"


def _codes_index() -> str:
    lines = [_front("Response codes", "All response codes of TPM 2.0", index=True), "# Response codes of TPM 2.0"]
    lines.append(
        "A response code can contain the number of a handle, parameter or session: 0x98e is `TPM_RC_AUTH_FAIL` "
        "of session 1. The [playground](../playground/index.html#explain/0x98e) explains any number."
    )
    rows = [(constant_name(code), f"0x{int(code):03x}", explain(code).description) for code in TPM_RC]
    text = ["| response code | value | meaning |", "|---|---|---|"]
    text += [f"| {_linked(name, '../')} | `{value}` | {_linked(words, '../')} |" for name, value, words in rows]
    return "\n\n".join([*lines, "\n".join(text)]) + "\n"


def _index_table(title: str, rows: Sequence[tuple[str, str]]) -> str:
    lines = [f"| {title} | purpose |", "|---|---|"]
    lines += [f"| {_linked(name, '../')} | {_linked(purpose, '../')} |" for name, purpose in rows]
    return "\n".join(lines)
