"""A verb's class of settings and its options are the same names, so that mypy knows each."""

import argparse
import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.credentials.options import run_parser
from cli.credentials.settings import RunSettings
from cli.terminal.options import Parser
from cli.toolbox import VERBS, verb_module
from tests.support.programs import ROOT


def annotated(settings: type) -> set[str]:
    return {name for each in settings.__mro__ for name in inspect.get_annotations(each)}


def declared(parser: argparse.ArgumentParser) -> set[str]:
    """The names that parsing sets, those of sub-verbs too."""
    names = set(parser._defaults)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            names |= set().union(*map(declared, action.choices.values()))
        if action.dest not in ("help", argparse.SUPPRESS):
            names.add(action.dest)
    return names


@pytest.mark.parametrize("verb", VERBS)
def test_settings_are_the_options(verb: str) -> None:
    module = verb_module(verb)
    parser = Parser(prog=verb)
    module.configure(parser)
    assert declared(parser) == annotated(module.Settings)


def test_settings_of_a_run_are_the_options() -> None:
    assert declared(run_parser()) == annotated(RunSettings)


def test_a_misspelled_option_is_an_error_of_mypy(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    for package in ("cli", "sigv4", "tpmwire"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    path = tmp_path / "cli" / "credentials" / "role_chain.py"
    text, number = re.subn(r"\.endpoint_url(?=, os\.environ)", ".endpoint_ulr", path.read_text())
    assert number == 1
    path.write_text(text)
    words = ["-m", "mypy", "--cache-dir=cache", "--follow-imports=silent", str(path.relative_to(tmp_path))]
    done = subprocess.run(
        [sys.executable, *words], check=False, cwd=tmp_path, capture_output=True, text=True, timeout=280
    )
    (error,) = [line for line in done.stdout.splitlines() if "error:" in line]
    assert error.endswith('error: "RunSettings" has no attribute "endpoint_ulr"  [attr-defined]')
