"""The site's pages: all pages and public modules are there, and links between them are those of the site."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from tests.support.programs import ROOT
from tools.site_pages import (
    MODULES,
    TOP,
    api_pages,
    correct_links,
    examples_page,
    fence_examples,
    find_broken_links,
    find_module,
)

GENERATED = {
    "examples.md",
    "lessons/index.md",
    *(f"reference/{name}.md" for name in ("commands", "types", "response-codes")),
}
NAVIGATION = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[2]


def test_every_page_of_the_documentation_is_in_the_navigation() -> None:
    listed = re.findall(r"[\w/.-]+\.md", NAVIGATION)
    pages = [str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")]
    assert sorted(listed) == sorted([*pages, *TOP.values(), *GENERATED])
    assert all((ROOT / path).is_file() for path in TOP)


@pytest.mark.parametrize("package", ["tpmwire", "sigv4"])
def test_the_api_reference_has_the_public_modules_and_names(package: str) -> None:
    loaded = import_module(package)
    pages = {uri: text for uri, (_, text) in api_pages().items()}
    text = pages[f"api/{package}.md"]
    for name in loaded.__all__:
        if name != "__version__":
            assert (
                f"::: {package}.{name}\n" in f"{text}\n" or f"`{package}.{name}`" in text or f"[`{name}`]" in text
            )
    described = set(re.findall(rf"`({package}\.[\w.]+)`", loaded.__doc__ or ""))
    assert {name for name in described if name != package} <= set(MODULES)
    for module in MODULES:
        assert (ROOT / find_module(module)).is_file()
        assert f"api/{module}.md" in pages


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ("README.md", "[a](docs/cache.md)", "[a](cache.md)"),
        ("README.md", "[a](docs/tour/README.md)", "[a](tour/README.md)"),
        ("README.md", "[b](packaging/README.md)", "[b](packaging.md)"),
        ("README.md", "[c](examples)", "[c](examples.md#)"),
        ("docs/library.md", "[c](../examples/ecdh.py)", "[c](examples.md#ecdh)"),
        ("docs/commands.md", "[d](../README.md#speed)", "[d](index.md#speed)"),
        ("docs/tour/README.md", "[e](../security.md)", "[e](../security.md)"),
        ("docs/serve.md", "[f](../packaging/systemd)", "f (`packaging/systemd`)"),
        ("docs/serve.md", "[g](https://example.com/x) [h](#top)", "[g](https://example.com/x) [h](#top)"),
    ],
)
def test_links(source: str, text: str, expected: str) -> None:
    assert correct_links(text, source) == expected


def test_a_link_to_a_missing_file_is_an_error() -> None:
    with pytest.raises(FileNotFoundError, match=r"docs/x\.md links to nosuch\.md"):
        correct_links("[a](nosuch.md)", "docs/x.md")


def test_every_example_has_its_anchor() -> None:
    page = examples_page()
    for path in (ROOT / "examples").glob("*.py"):
        assert f"## {path.name} {{#{path.stem}}}\n" in page
        assert path.read_text() in page


def test_examples_in_docstrings_are_fenced() -> None:
    text = "Sums.\n\n>>> for each in (1,):\n...     each + 1\n2\n\nRaises OSError."
    assert fence_examples(text) == (
        "Sums.\n\n```pycon\n>>> for each in (1,):\n...     each + 1\n2\n```\n\nRaises OSError."
    )


def test_broken_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    (tmp_path / "a.html").write_text('<h1 id="one"><a href="api/b.html#two"><a href="#one"><a href="mailto:x@y">')
    (tmp_path / "api" / "b.html").write_text('<a href="../a.html#three"><img src="c.png"><a href="..">')
    assert sorted(find_broken_links(tmp_path)) == [
        "a.html: api/b.html#two",
        "api/b.html: ..",
        "api/b.html: ../a.html#three",
        "api/b.html: c.png",
    ]
