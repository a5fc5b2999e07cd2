"""The pages of the site that are not in docs/, links between pages, and a search for broken links."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote

__all__ = [
    "MODULES",
    "TOP",
    "add_playground_button",
    "api_pages",
    "correct_links",
    "examples_page",
    "fence_examples",
    "find_broken_links",
    "find_module",
]

ROOT = Path(__file__).parents[1]

TOP = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "reporting.md",
    "packaging/README.md": "packaging.md",
}
"""Files outside docs/ that are pages of the site."""

MODULES = {
    "tpmwire.calls": "Common commands as functions",
    "tpmwire.templates": "Templates of keys",
    "tpmwire.bridges": "Keys of the cryptography package",
    "tpmwire.explain": "Messages as trees",
    "tpmwire.attest": "Attestation",
    "tpmwire.policy.conditions": "Policy statements about time, NV contents, locality and parameters",
    "tpmwire.policy.sign": "Signatures of policies",
    "tpmwire.commands": "Commands of the standard",
    "tpmwire.spec.structures": "Structures of the standard",
    "tpmwire.spec.constants": "Constants of the standard",
    "sigv4.boto": "boto3 sessions that sign with the TPM's key",
    "sigv4.boto_v4a": "boto3 sessions that sign with SigV4A",
}
"""The public modules, except the packages tpmwire and sigv4."""

_PLACES = {"tpmwire.templates": "tpmwire.keys.templates", "tpmwire.bridges": "tpmwire.keys.bridges"}
"""Where the source of a public module is, if its name differs."""

_LINK = re.compile(r"(?<!!)\[([^\]\n]*(?:\n[^\]\n]+)?)\]\(([^)\s]+)\)")


_EXAMPLE = re.compile(r"^>>> .*\n?(?:^(?! *$).*\n?)*", re.MULTILINE)


def fence_examples(text: str) -> str:
    """Returns a docstring with each example (`>>> `, up to an empty line) as a fenced block of Markdown."""
    return _EXAMPLE.sub(lambda found: f"```pycon\n{found[0].rstrip()}\n```\n", text)


def correct_links(markdown: str, source: str) -> str:
    """Returns the text of the file `source` (a path in the repository), with links between pages of the site."""
    page = TOP.get(source, source.removeprefix("docs/"))

    def correct(found: re.Match[str]) -> str:
        text, target = found[1], found[2]
        if re.match("[a-z]+:|#", target):
            return found[0]
        path, hash_sign, anchor = target.partition("#")
        full = os.path.normpath(os.path.join(os.path.dirname(source), path))
        if not (ROOT / full).exists():
            raise FileNotFoundError(f"{source} links to {target}, which does not exist")
        uri = TOP.get(full) or (full.removeprefix("docs/") if full.startswith("docs/") else "")
        if full.partition("/")[0] == "examples":
            uri, hash_sign, anchor = "examples.md", "#", full.partition("/")[2].removesuffix(".py")
        if not uri:
            return text if "`" in text else f"{text} (`{full}`)"
        relative = os.path.relpath(uri, os.path.dirname(page) or ".")
        return f"[{text}]({relative}{hash_sign}{anchor})"

    return _LINK.sub(correct, markdown)


def add_playground_button(markdown: str) -> str:
    """Returns the text of docs/playground.md with a link to the playground below the title."""
    title, _, rest = markdown.partition("\n")
    button = "[Open the playground](playground/index.html){ .md-button .md-button--primary }"
    return f"{title}\n\n{button}\n{rest}"


def examples_page() -> str:
    """Returns the page with all programs of examples/."""
    parts = ["# Examples", "Each program uses the TPM of TPMWIRE_TPM_PATH, or the default device."]
    for path in sorted((ROOT / "examples").glob("*.py")):
        parts.append(f"## {path.name} {{#{path.stem}}}\n\n```python\n{path.read_text()}```")
    return "\n\n".join(parts) + "\n"


def api_pages() -> Mapping[str, tuple[str, str]]:
    """Returns the pages of the API reference: address to (title, Markdown)."""
    pages = {}
    for package in ("tpmwire", "sigv4"):
        names = _public_names(package)
        modules = [name for name in MODULES if name.startswith(f"{package}.")]
        text = [f"# {package}", f"::: {package}\n    options: {{members: false, show_root_heading: false}}"]
        text.append("\n".join(f"- [`{name}`]({name}.md): {MODULES[name]}" for name in modules))
        links = [f"[`{name}`][{place}.{name}]" for name, place in names.items() if place in MODULES]
        text += [f"Names of the standard: {', '.join(links)}."] if links else []
        own = [name for name, place in names.items() if place not in MODULES]
        text += [f"::: {package}.{name}" for name in sorted(own, key=str.lower)]
        pages[f"api/{package}.md"] = package, "\n\n".join(text)
        for name in modules:
            pages[f"api/{name}.md"] = name, _module_page(name)
    return pages


def _module_page(module: str) -> str:
    place = _PLACES.get(module, module)
    lines = [f"# {module}", MODULES[module] + "."]
    if module == "tpmwire.commands":
        for path in sorted((ROOT / "tpmwire/spec/commands").glob("[a-z]*.py")):
            part = f"tpmwire.spec.commands.{path.stem}"
            lines.append(f"## {path.stem.replace('_', ' ').capitalize()}\n\n{_directive(part, heading_level=3)}")
        return "\n\n".join(lines)
    return "\n\n".join([lines[0], _directive(place)])


def _directive(name: str, heading_level: int = 2) -> str:
    options = f"{{show_root_heading: false, show_root_toc_entry: false, heading_level: {heading_level}"
    # The fields of records are in their descriptions (tools/site_docstrings.py).
    options += ", merge_init_into_class: false}" if name.startswith("tpmwire.spec") else "}"
    return f"::: {name}\n    options: {options}"


def find_module(module: str) -> Path:
    """Returns the path of a public module's source, relative to the top directory."""
    path = Path(*_PLACES.get(module, module).split("."))
    return path / "__init__.py" if (ROOT / path).is_dir() else path.with_suffix(".py")


def _public_names(package: str) -> dict[str, str]:
    """Returns the public names of a package, except modules, with the module that defines each."""
    sys.path.insert(0, str(ROOT))
    try:
        modules: dict[str, tuple[str, ...]] = __import__(package)._NAMES
    finally:
        sys.path.remove(str(ROOT))
    return {name: f"{package}.{module}" for module, names in modules.items() for name in names}


def find_broken_links(site: Path) -> Iterator[str]:
    """Yields `PAGE: LINK` for each link of the built site to a missing file or anchor of the site."""
    # 404.html has absolute links, because a server returns it for any address.
    texts = {path: path.read_text() for path in site.rglob("*.html") if path.name != "404.html"}
    anchors = {path: set(re.findall(r'\b(?:id|name)="([^"]+)"', text)) for path, text in texts.items()}
    for path, text in texts.items():
        for link in sorted(set(re.findall(r'\b(?:href|src)="([^"]+)"', text))):
            if re.match("[a-z]+:", link):
                continue
            target, _, anchor = unquote(link).partition("#")
            file = Path(os.path.normpath(path.parent / target)) if target else path
            if file.parent.name == "playground":
                anchor = ""  # a route of its script
            if not file.is_file() or (anchor and anchor not in anchors.get(file, {anchor})):
                yield f"{path.relative_to(site)}: {link}"
