"""The examples in docstrings do what they show."""

import doctest
from importlib import import_module

import pytest

from tests.support.programs import ROOT
from tests.support.swtpm import Swtpm

MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in ("tpmwire", "sigv4")
    for path in (ROOT / package).rglob("*.py")
    if ">>> " in path.read_text()
)


def _run(tests: list[doctest.DocTest]) -> str:
    """Returns what the examples do otherwise than shown, "" for nothing."""
    told: list[str] = []
    for test in tests:
        doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=told.append)
    return "".join(told)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples(name: str, swtpm: Swtpm, monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module(name)
    monkeypatch.setattr("tpmwire.transport.default_path", lambda: swtpm.path)
    monkeypatch.setattr("tpmwire.tpm.Tpm.open.__func__.__defaults__", (None, 60.0))  # a busy machine
    tests = [test for test in doctest.DocTestFinder().find(module) if test.examples]
    assert tests
    assert _run(tests) == ""


def test_the_public_packages_begin_with_an_example() -> None:
    assert {"tpmwire", "tpmwire.attest", "tpmwire.calls", "tpmwire.explain", "sigv4"} <= set(MODULES)


def test_an_example_that_does_otherwise_is_told() -> None:
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "sum", None, None)
    assert "Expected:\n    3\nGot:\n    2\n" in _run([test])
