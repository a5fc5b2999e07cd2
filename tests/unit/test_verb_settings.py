"""A verb's class of settings and its options are the same names, so that mypy knows each."""

import argparse

import pytest

from cli.credentials.options import RunSettings, run_parser
from cli.terminal.options import Parser
from cli.toolbox import VERBS, verb_module


def annotated(settings: type) -> set[str]:
    return {name for each in settings.__mro__ for name in each.__dict__.get("__annotations__", {})}


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
    if not hasattr(module, "Settings"):
        pytest.skip("not declared yet")
    parser = Parser(prog=verb)
    module.configure(parser)
    assert declared(parser) == annotated(module.Settings)


def test_settings_of_a_run_are_the_options() -> None:
    assert declared(run_parser()) == annotated(RunSettings)
