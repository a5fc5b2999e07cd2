"""The parsers of both programs as argparse trees, for the tools that write completions and manual pages."""

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from cli.credentials.options import run_parser  # noqa: E402
from cli.credentials.settings import PROGRAM  # noqa: E402
from cli.terminal.options import Parser  # noqa: E402
from cli.toolbox import VERBS, verb_module  # noqa: E402

__all__ = ["PROGRAM", "ROOT", "TOOLBOX", "VERBS", "run_parser", "toolbox_parser", "verb_parsers"]

TOOLBOX = "tpmwire"


def verb_parsers() -> Iterator[tuple[str, Parser]]:
    """Yields (verb, parser) for each verb of `tpmwire`."""
    for verb in VERBS:
        module = verb_module(verb)
        parser = Parser(prog=f"{TOOLBOX} {verb}", description=module.__doc__)
        module.configure(parser)
        yield verb, parser


def toolbox_parser() -> Parser:
    """Returns one parser for `tpmwire` and all its verbs, which are subparsers.

    `token eks` is a subparser of the subparser `token`.
    """
    root = Parser(prog=TOOLBOX, description="Keys in a TPM 2.0, and AWS requests signed with them.")
    root.add_argument("--version", action="store_true", help="print the version")
    verbs = root.add_subparsers(metavar="VERB")
    families = {}
    for verb, text in VERBS.items():
        module = verb_module(verb)
        family, _, kind = verb.partition(" ")
        if kind and family not in families:
            title = (
                f"{family}: {', '.join(each.partition(' ')[2] for each in VERBS if each.startswith(f'{family} '))}"
            )
            families[family] = verbs.add_parser(family, help=title, description=title).add_subparsers(
                metavar="KIND"
            )
        add = families[family] if kind else verbs
        module.configure(add.add_parser(kind or verb, help=text, description=text))
    return root
