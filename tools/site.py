"""Hooks of mkdocs (mkdocs.yml): add the pages that are not in docs/, and correct links.

In the sources, links to other files are those that GitHub shows. On the site, a link to a file that is not a page
becomes text.
"""

from typing import Any

from mkdocs.exceptions import PluginError  # type: ignore[import-not-found]
from mkdocs.structure.files import File, Files  # type: ignore[import-not-found]

from tools.site_lessons import lesson_pages
from tools.site_pages import ROOT, TOP, add_playground_button, api_pages, correct_links, examples_page
from tools.site_playground import playground_files
from tools.site_reference import reference_pages
from tools.site_theme import CSS, SCRIPT


def on_config(config: Any) -> Any:
    """Adds the pages of the API reference to the navigation."""
    for group in config["nav"]:
        for entry in next(iter(group.values())):
            if isinstance(entry, dict) and "API reference" in entry:
                entry["API reference"] = [{title: uri} for uri, (title, _) in api_pages().items()]
    return config


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages that are not in docs/."""
    for source, uri in TOP.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / source)))
    pages = {uri: text for uri, (_, text) in api_pages().items()}
    pages |= {**reference_pages(), **lesson_pages()}
    for uri, text in {**pages, "examples.md": examples_page(), "site.css": CSS, "site.js": SCRIPT}.items():
        files.append(File.generated(config, uri, content=text))
    try:
        for uri, content in playground_files().items():
            files.append(File.generated(config, uri, content=content))
    except FileNotFoundError as error:
        raise PluginError(f"{error.filename} is missing; run make site, which installs the npm packages") from None
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Returns the Markdown of a page with corrected links between pages of the site."""
    uri = page.file.src_uri
    source = next((path for path, target in TOP.items() if target == uri), f"docs/{uri}")
    generated = uri.startswith(("api/", "reference/", "lessons/")) or uri == "examples.md"
    try:
        text = markdown if generated else correct_links(markdown, source)
    except FileNotFoundError as error:
        raise PluginError(str(error)) from None
    return add_playground_button(text) if uri == "playground.md" else text
